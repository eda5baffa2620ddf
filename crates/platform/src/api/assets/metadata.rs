//! What the metadata of an upload says of static assets: `assets` and `keep_assets`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::Api;
use super::super::error::{Fault, shown};
use super::token::{self, Purpose};
use crate::assets::{Config, RunWorkerFirst};
use crate::kv::now;
use crate::store::{Files, Loaded, Store};
use crate::worker::{Binding, BindingValue, Entry, ScriptKey};

/// The longest text of `_headers` or `_redirects`, in bytes.
const LONGEST_RULES: usize = 1 << 20;

/// What metadata says of assets. What it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Assets {
    jwt: Option<String>,
    config: Option<Config>,
    keep: bool,
}

/// The static assets of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what metadata is read as by hand")]
pub(in super::super) struct NewAssets {
    /// The completion token of an upload session for this script.
    #[schema(nullable = false)]
    jwt: Option<String>,
    #[schema(nullable = false)]
    config: Option<NewAssetsConfig>,
}

/// How static assets are served.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what metadata is read as by hand")]
struct NewAssetsConfig {
    html_handling: Option<NewHtmlHandling>,
    not_found_handling: Option<NewNotFoundHandling>,
    /// `true`, `false`, or rules for paths.
    run_worker_first: Option<Value>,
    /// The text of a `_headers` file.
    #[serde(rename = "_headers")]
    headers: Option<String>,
    /// The text of a `_redirects` file.
    #[serde(rename = "_redirects")]
    redirects: Option<String>,
}

/// At which of `/page`, `/page/` and `/page.html` a page is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "what metadata is read as by hand")]
enum NewHtmlHandling {
    AutoTrailingSlash,
    ForceTrailingSlash,
    DropTrailingSlash,
    None,
}

/// What answers a path that no file is at.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "what metadata is read as by hand")]
enum NewNotFoundHandling {
    None,
    #[serde(rename = "404-page")]
    NotFoundPage,
    SinglePageApplication,
}

impl Assets {
    /// Reads `assets` and `keep_assets` of a part.
    pub(in super::super) fn read(part: &str, assets: Option<Value>, keep: Option<Value>) -> Result<Self, Fault> {
        let keep = match keep {
            None => false,
            Some(Value::Bool(keep)) => keep,
            Some(other) => return Err(wrong(part, "keep_assets", "`true` or `false`", &other)),
        };
        let mut assets = match assets {
            None => return Ok(Self { keep, ..Self::default() }),
            Some(Value::Object(assets)) => assets,
            Some(other) => return Err(wrong(part, "assets", "an object", &other)),
        };
        let jwt = match assets.remove("jwt") {
            None | Some(Value::Null) => None,
            Some(Value::String(jwt)) => Some(jwt),
            Some(_) => return Err(Fault::Invalid(format!("`assets.jwt` of `{part}` must be a string"))),
        };
        let config = match assets.remove("config") {
            None | Some(Value::Null) => None,
            Some(Value::Object(config)) => Some(config_of(part, config)?),
            Some(other) => return Err(wrong(part, "assets.config", "an object", &other)),
        };
        match (&jwt, keep) {
            (Some(_), true) => Err(Fault::Invalid(format!(
                "`{part}` has both `assets.jwt` and `keep_assets`: give the token for new files, or keep those that are there"
            ))),
            (None, false) => Err(Fault::Invalid(format!(
                "`assets` of `{part}` has no `jwt`: give the completion token of an upload session, or `keep_assets: true` \
                 to keep the files that are there"
            ))),
            _ => Ok(Self { jwt, config, keep }),
        }
    }

    /// Whether there is a word of assets.
    pub(in super::super) fn are_named(&self) -> bool {
        self.jwt.is_some() || self.keep
    }

    /// The upload session whose files are to be deployed, by its token.
    pub(in super::super) fn session(&self, api: &Api) -> Result<Option<String>, Fault> {
        let Some(jwt) = &self.jwt else { return Ok(None) };
        let session = token::read(api, Purpose::Deployment, jwt, now());
        session.map(Some).map_err(|error| Fault::Invalid(format!("`assets.jwt`: {error}")))
    }
}

/// How assets are served, and which. Calls the store: run it where blocking is fine.
pub(in super::super) fn resolve(
    store: &Store,
    key: &ScriptKey,
    assets: &Assets,
    session: Option<String>,
    before: Option<&Loaded>,
) -> Result<(Option<Config>, Option<Files>), Fault> {
    if let Some(session) = session {
        store.check_asset_session(&session, key, now())?;
        return Ok((Some(assets.config.clone().unwrap_or_default()), Some(Files::Session(session))));
    }
    let Some(before) = before.filter(|_| assets.keep) else { return Ok((None, None)) };
    // Nothing to be kept is no mistake, as it is none of bindings.
    let Some(config) = &before.code.assets else { return Ok((None, None)) };
    let config = assets.config.as_ref().unwrap_or(config).clone();
    Ok((Some(config), Some(Files::Version(before.version.clone()))))
}

/// Assets, code and bindings go together.
pub(in super::super) fn check_assets(
    entry: &Entry,
    assets: Option<&Config>,
    bindings: &[Binding],
) -> Result<(), Fault> {
    let invalid = |why: String| Err(Fault::Invalid(why));
    let bound = bindings.iter().find(|binding| binding.value == BindingValue::Assets);
    if let (Some(binding), None) = (bound, assets) {
        return invalid(format!(
            "Cannot use an assets binding without assets: `{}` is one, and the Worker has none",
            shown(&binding.name)
        ));
    }
    if *entry != Entry::AssetsOnly {
        return Ok(());
    }
    let Some(config) = assets else { return Err(super::super::upload::nothing_to_start()) };
    if config.run_worker_first != RunWorkerFirst::All(false) {
        return invalid(
            "Cannot set `run_worker_first` without a Worker script: the upload has assets alone".to_owned(),
        );
    }
    // Secrets stay for the code that is to come.
    let stays = |value: &BindingValue| matches!(value, BindingValue::SecretKey(_) | BindingValue::SecretText { .. });
    match bindings.iter().find(|binding| !stays(&binding.value)) {
        Some(binding) => invalid(format!(
            "Cannot use bindings in a Worker that has assets alone: there is no code that could use `{}`",
            shown(&binding.name)
        )),
        None => Ok(()),
    }
}

/// Keys that nobody knows are passed over, as in all metadata.
fn config_of(part: &str, mut config: Map<String, Value>) -> Result<Config, Fault> {
    // `null` is the same as nothing.
    let mut taken = |key: &str| config.remove(key).filter(|value| !value.is_null());
    let config = Config {
        html_handling: one_of(
            part,
            "assets.config.html_handling",
            taken("html_handling"),
            "`auto-trailing-slash`, `force-trailing-slash`, `drop-trailing-slash` or `none`",
        )?,
        not_found_handling: one_of(
            part,
            "assets.config.not_found_handling",
            taken("not_found_handling"),
            "`none`, `404-page` or `single-page-application`",
        )?,
        run_worker_first: match (taken("run_worker_first"), taken("serve_directly")) {
            (Some(routes), _) => run_worker_first(part, routes)?,
            // What it was called at first, the other way round.
            (None, Some(Value::Bool(directly))) => RunWorkerFirst::All(!directly),
            (None, Some(other)) => {
                return Err(wrong(part, "assets.config.serve_directly", "`true` or `false`", &other));
            }
            (None, None) => RunWorkerFirst::default(),
        },
        headers: rules(part, "assets.config._headers", taken("_headers"))?,
        redirects: rules(part, "assets.config._redirects", taken("_redirects"))?,
    };
    config.check().map_err(Fault::AssetRules)?;
    Ok(config)
}

/// One of the names of a type.
fn one_of<T: DeserializeOwned + Default>(part: &str, key: &str, value: Option<Value>, names: &str) -> Result<T, Fault> {
    let Some(value) = value else { return Ok(T::default()) };
    T::deserialize(&value).map_err(|_| wrong(part, key, names, &value))
}

/// Whether they are rules at all. What is wrong with one is told by number, as it is told of the lines of files.
fn run_worker_first(part: &str, value: Value) -> Result<RunWorkerFirst, Fault> {
    const KEY: &str = "assets.config.run_worker_first";
    let rule = |rule: Value| match rule {
        Value::String(text) => Ok(text),
        other => Err(wrong(part, KEY, "made of rules, which are strings", &other)),
    };
    match value {
        Value::Bool(all) => Ok(RunWorkerFirst::All(all)),
        Value::Array(rules) => Ok(RunWorkerFirst::Some(rules.into_iter().map(rule).collect::<Result<_, _>>()?)),
        other => Err(wrong(part, KEY, "`true`, `false` or an array of rules", &other)),
    }
}

/// The text of `_headers` or `_redirects`.
fn rules(part: &str, key: &str, value: Option<Value>) -> Result<Option<String>, Fault> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= LONGEST_RULES => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(Value::String(_)) => {
            Err(Fault::Invalid(format!("`{key}` of `{part}` is too long: it has at most {LONGEST_RULES} bytes")))
        }
        Some(other) => Err(wrong(part, key, "a string, the text of the file", &other)),
    }
}

fn wrong(part: &str, key: &str, what: &str, found: &Value) -> Fault {
    Fault::Invalid(format!("`{key}` of `{part}` must be {what}, and is `{}`", shown(&found.to_string())))
}
