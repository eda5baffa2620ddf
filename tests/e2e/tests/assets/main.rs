//! Static assets, uploaded as clients do and served by real workerd: before code, through the binding, without any code.
//!
//! What each path is answered is told case by case in `crates/platform/tests/assets`; here is what it takes to get there.

mod answers;
mod routes;
mod versions;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use hyper::Request;
use serde_json::{Value, json};
use tidegate_e2e::{LocalPlatform, Part, Upstream};
use tidegate_platform::names::ScriptName;
use tidegate_platform::worker::{Scope, ScriptKey};

/// Calls the user Worker that the first label of the host names.
const DISPATCHER: &str = r#"
export default {
  async fetch(request, env) {
    try {
      return await env.DISPATCHER.get(new URL(request.url).hostname.split(".")[0]).fetch(request);
    } catch (error) {
      return new Response(`${error.name}: ${error.message}`, { status: 500 });
    }
  },
};
"#;

/// Refuses whatever goes out.
const OUTBOUND: &str =
    r"export default { fetch: (request) => new Response(`refused ${request.url}`, { status: 403 }) };";

/// Says what it was asked, in a word that no file holds; and what it finds through its binding at `?asset=`.
const CODE: &str = r#"
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const asset = searchParams.get("asset");
    if (asset !== null) return env.ASSETS.fetch(new Request(asset, { headers: request.headers, method: request.method }));
    return new Response(`code: ${request.method} ${pathname} ${await request.text()}`);
  },
};
"#;

/// A path, a type and a content.
type File<'f> = (&'f str, &'static str, &'f [u8]);

/// A platform with a dispatch Worker, an outbound Worker and a namespace.
struct Running {
    platform: LocalPlatform,
    _upstream: Upstream,
}

/// What came back.
struct Got {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Running {
    async fn start() -> Result<Self> {
        let upstream = Upstream::start().await?;
        let platform = LocalPlatform::start(upstream.address()).await?;
        let running = Self { platform, _upstream: upstream };
        running.platform.api().create_namespace("customers").await?;
        running.deploy("workers/scripts/outbound", Some(OUTBOUND), &[], &json!({})).await?;
        let binding = json!({
            "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers",
            "outbound": { "worker": { "service": "outbound" } },
        });
        running.deploy("workers/scripts/dispatcher", Some(DISPATCHER), &[], &json!({ "bindings": [binding] })).await?;
        Ok(running)
    }

    /// Deploys a Worker: its code if it has any, its files if it has any. `metadata.config` is how they are served.
    async fn deploy(&self, path: &str, code: Option<&str>, files: &[File<'_>], metadata: &Value) -> Result<()> {
        let mut metadata = metadata.clone();
        let fields = metadata.as_object_mut().context("metadata is an object")?;
        fields.entry("compatibility_date").or_insert_with(|| json!("2025-01-01"));
        let config = fields.remove("config").unwrap_or_else(|| json!({}));
        if !files.is_empty() {
            let jwt = self.upload(path, files).await?;
            fields.insert("assets".to_owned(), json!({ "jwt": jwt, "config": config }));
        }
        let mut parts = Vec::new();
        if let Some(code) = code {
            fields.insert("main_module".to_owned(), json!("index.js"));
            parts.push(Part::module("index.js", code));
        }
        self.platform.api().upload(path, &metadata, &parts).await?.result().map(drop)
    }

    /// Uploads files; answers with the token that deploys them.
    async fn upload(&self, path: &str, files: &[File<'_>]) -> Result<String> {
        let api = self.platform.api();
        let entry = |(path, kind, content): &File<'_>| {
            ((*path).to_owned(), json!({ "hash": hash(kind, content), "size": content.len() }))
        };
        let manifest: serde_json::Map<String, Value> = files.iter().map(entry).collect();
        let session =
            api.json("POST", &format!("{path}/assets-upload-session"), &json!({ "manifest": manifest })).await?;
        let session = session.result()?;
        let jwt = session["jwt"].as_str().context("a token")?.to_owned();
        let mut done = jwt.clone();
        for bucket in session["buckets"].as_array().context("buckets")? {
            let wanted = |hash: &str| bucket.as_array().is_some_and(|bucket| bucket.iter().any(|known| known == hash));
            let mut parts = Vec::new();
            let mut named = Vec::new();
            for (_, kind, content) in files {
                let hash = hash(kind, content);
                if wanted(&hash) && !named.contains(&hash) {
                    parts.push(Part::new(&hash, kind, STANDARD.encode(content)));
                    named.push(hash);
                }
            }
            let result = api.upload_assets(&jwt, &parts).await?.result()?;
            if let Some(jwt) = result["jwt"].as_str() {
                jwt.clone_into(&mut done);
            }
        }
        Ok(done)
    }

    /// Lets all upload sessions expire: what no version has is no longer kept.
    fn forget_sessions(&self) -> Result<()> {
        let key = ScriptKey { scope: Scope::Account, name: ScriptName::parse("any")? };
        let later = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 3 * 3600;
        self.platform.platform().store().create_asset_session(&key, &[], i64::try_from(later)?)?;
        Ok(())
    }

    /// A request for a user Worker, or for any host if `host` has a dot.
    async fn ask(&self, method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> Result<Got> {
        let answer = self.platform.send(request(method, host, path, headers)?).await?;
        let (parts, body) = answer.into_parts();
        let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(Got {
            status: parts.status.as_u16(),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: body.collect().await?.to_bytes().to_vec(),
        })
    }

    async fn get(&self, host: &str, path: &str) -> Result<Got> {
        self.ask("GET", host, path, &[]).await
    }

    /// The body of an answer that is 200.
    async fn text(&self, host: &str, path: &str) -> Result<String> {
        let got = self.get(host, path).await?;
        ensure!(got.status == 200, "{host}{path}: {}: {}", got.status, got.text());
        Ok(got.text())
    }
}

impl Got {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Status and body, or where it leads.
    fn words(&self) -> String {
        match self.header("location") {
            Some(location) => format!("{} → {location}", self.status),
            None if self.body.is_empty() => self.status.to_string(),
            None => format!("{} {}", self.status, self.text()),
        }
    }
}

fn request(method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> Result<Request<Body>> {
    let host = if host.contains('.') { host.to_owned() } else { format!("{host}.apps.example") };
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(request.body(Body::empty())?)
}

/// The path of a user Worker in the API.
fn user(name: &str) -> String {
    format!("workers/dispatch/namespaces/customers/scripts/{name}")
}

/// What these tests call a content: clients choose.
fn hash(kind: &str, content: &[u8]) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, kind, content).hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

fn assets_binding() -> Value {
    json!([{ "type": "assets", "name": "ASSETS" }])
}

/// A file as large as one may be, unlike any other.
fn large(seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()
    };
    (0..25 * 256 * 1024).flat_map(|_| next()).collect()
}
