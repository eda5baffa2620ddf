//! Bindings of a version, as rows: JSON for most, ciphertext for secrets. A secret key is sealed whole, as JSON.

use std::borrow::Cow;

use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rows::{from_json, to_json};
use super::vault::{Place, Vault};
use super::{Result, StoreError};
use crate::names::ScriptName;
use crate::worker::{Binding, BindingValue, KeyFormat, NamespaceId, Outbound, Secret, SecretKey};

/// Whose bindings they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'a> {
    /// The row of the script.
    pub(super) script: i64,
    /// The row of the version.
    pub(super) version: i64,
    /// The UUID of the version.
    pub(super) uuid: &'a str,
}

/// A binding that is no secret, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Kept<'a> {
    AnalyticsEngine { dataset: Cow<'a, str> },
    D1 { database_id: Cow<'a, str> },
    Assets,
    DataBlob { part: Cow<'a, str> },
    DispatchNamespace { namespace: NamespaceId, outbound: Option<Outbound> },
    Json { json: Cow<'a, Value> },
    KvNamespace { namespace_id: Cow<'a, str> },
    PlainText { text: Cow<'a, str> },
    Ratelimit { namespace_id: Cow<'a, str>, limit: u64, period: u64 },
    Service { service: Cow<'a, str>, entrypoint: Option<String>, environment: Option<String> },
    TextBlob { part: Cow<'a, str> },
    WasmModule { part: Cow<'a, str> },
}

/// A secret key, before it is sealed. The `secret_type` of its row is [`KEY`].
#[derive(Debug, Serialize, Deserialize)]
struct KeptKey<'a> {
    algorithm: Cow<'a, Value>,
    format: KeyFormat,
    usages: Cow<'a, [String]>,
    data: Cow<'a, str>,
}

/// What the `secret_type` of a secret key is; that of a text is none.
const KEY: &str = "secret_key";

/// Writes all bindings of a version.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    vault: &Vault,
    owner: Owner<'_>,
    bindings: &[Binding],
) -> Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO bindings (version, position, name, json, secret, secret_type) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, Binding { name, value }) in (0_i64..).zip(bindings) {
        let seal = |secret: &Secret| vault.seal(owner.place(name), secret).map(Some);
        let (json, secret, secret_type) = match column(value) {
            Column::Json(kept) => (Some(to_json(&kept)?), None, None),
            Column::Key(key) => (None, seal(&sealable(key)?)?, Some(KEY)),
            Column::Secret(secret) => (None, seal(secret)?, None),
        };
        statement.execute((owner.version, position, name, json, secret, secret_type))?;
    }
    Ok(())
}

/// Reads all bindings of a version, secrets in clear.
pub(super) fn read(transaction: &Transaction<'_>, vault: &Vault, owner: Owner<'_>) -> Result<Vec<Binding>> {
    let mut statement = transaction
        .prepare_cached("SELECT name, json, secret, secret_type FROM bindings WHERE version = ?1 ORDER BY position")?;
    let mut rows = statement.query([owner.version])?;
    let mut bindings = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let value = match (row.get::<_, Option<String>>(1)?, row.get::<_, Option<Vec<u8>>>(2)?) {
            (Some(json), None) => value(from_json(&json)?)?,
            (None, Some(sealed)) => {
                let secret = vault.open(owner.place(&name), &sealed)?;
                match row.get::<_, Option<String>>(3)?.as_deref() {
                    None => BindingValue::SecretText { text: secret },
                    Some(KEY) => BindingValue::SecretKey(key(&secret)?),
                    Some(other) => {
                        return Err(StoreError::Damaged(format!("binding `{name}` is a secret of the type `{other}`")));
                    }
                }
            }
            _ => return Err(StoreError::Damaged(format!("binding `{name}` has no value, or two"))),
        };
        bindings.push(Binding { name, value });
    }
    Ok(bindings)
}

impl<'a> Owner<'a> {
    fn place(self, binding: &'a str) -> Place<'a> {
        Place { script: self.script, version: self.uuid, binding }
    }
}

fn sealable(key: &SecretKey) -> Result<Secret> {
    let SecretKey { algorithm, format, usages, data } = key;
    let kept = KeptKey {
        algorithm: Cow::Borrowed(algorithm),
        format: *format,
        usages: Cow::Borrowed(usages),
        data: data.expose().into(),
    };
    Ok(Secret::new(to_json(&kept)?))
}

fn key(secret: &Secret) -> Result<SecretKey> {
    let KeptKey { algorithm, format, usages, data } = from_json(secret.expose())?;
    Ok(SecretKey {
        algorithm: algorithm.into_owned(),
        format,
        usages: usages.into_owned(),
        data: Secret::new(data.into_owned()),
    })
}

/// How a value is kept: as JSON, or sealed.
enum Column<'a> {
    Json(Kept<'a>),
    Key(&'a SecretKey),
    Secret(&'a Secret),
}

fn column(value: &BindingValue) -> Column<'_> {
    Column::Json(match value {
        BindingValue::AnalyticsEngine { dataset } => Kept::AnalyticsEngine { dataset: dataset.into() },
        BindingValue::D1 { database_id } => Kept::D1 { database_id: database_id.into() },
        BindingValue::Assets => Kept::Assets,
        BindingValue::DataBlob { part } => Kept::DataBlob { part: part.into() },
        BindingValue::DispatchNamespace { namespace, outbound } => {
            Kept::DispatchNamespace { namespace: *namespace, outbound: outbound.clone() }
        }
        BindingValue::Json { json } => Kept::Json { json: Cow::Borrowed(json) },
        BindingValue::KvNamespace { namespace_id } => Kept::KvNamespace { namespace_id: namespace_id.into() },
        BindingValue::PlainText { text } => Kept::PlainText { text: text.into() },
        BindingValue::SecretKey(key) => return Column::Key(key),
        BindingValue::Ratelimit { namespace_id, limit, period } => {
            Kept::Ratelimit { namespace_id: namespace_id.into(), limit: *limit, period: *period }
        }
        BindingValue::SecretText { text } => return Column::Secret(text),
        BindingValue::Service { service, entrypoint, environment } => Kept::Service {
            service: service.as_str().into(),
            entrypoint: entrypoint.clone(),
            environment: environment.clone(),
        },
        BindingValue::TextBlob { part } => Kept::TextBlob { part: part.into() },
        BindingValue::WasmModule { part } => Kept::WasmModule { part: part.into() },
    })
}

fn value(kept: Kept<'_>) -> Result<BindingValue> {
    Ok(match kept {
        Kept::AnalyticsEngine { dataset } => BindingValue::AnalyticsEngine { dataset: dataset.into_owned() },
        Kept::D1 { database_id } => BindingValue::D1 { database_id: database_id.into_owned() },
        Kept::Assets => BindingValue::Assets,
        Kept::DataBlob { part } => BindingValue::DataBlob { part: part.into_owned() },
        Kept::DispatchNamespace { namespace, outbound } => BindingValue::DispatchNamespace { namespace, outbound },
        Kept::Json { json } => BindingValue::Json { json: json.into_owned() },
        Kept::KvNamespace { namespace_id } => BindingValue::KvNamespace { namespace_id: namespace_id.into_owned() },
        Kept::PlainText { text } => BindingValue::PlainText { text: text.into_owned() },
        Kept::Ratelimit { namespace_id, limit, period } => {
            BindingValue::Ratelimit { namespace_id: namespace_id.into_owned(), limit, period }
        }
        Kept::Service { service, entrypoint, environment } => {
            let service = ScriptName::parse(&service).map_err(StoreError::damaged)?;
            BindingValue::Service { service, entrypoint, environment }
        }
        Kept::TextBlob { part } => BindingValue::TextBlob { part: part.into_owned() },
        Kept::WasmModule { part } => BindingValue::WasmModule { part: part.into_owned() },
    })
}
