//! The real router over a real store, on a real socket, and a client that sends exactly what a test says.

use std::net::SocketAddr;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tidegate_platform::api::{Api, Limits, serve};
use tidegate_platform::names::{NamespaceName, ScriptName};
use tidegate_platform::store::{NewVersion, Started, Store};
use tidegate_platform::worker::{Code, Entry, Module, ModuleKind, Scope, ScriptKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::broadcast;

pub(crate) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
pub(crate) const TOKEN: &str = "a-token-of-the-tests";

/// An API without a runtime: everything up to the start of code, and everything that starts none.
pub(crate) struct TestApi {
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) unknown_routes: broadcast::Receiver<String>,
    serving: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for TestApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.headers, String::from_utf8_lossy(&self.body)))
    }

    /// The result of a success.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let mut json = self.json();
        assert_eq!((self.status, &json["success"]), (200, &json!(true)), "{json}");
        assert_eq!((&json["errors"], &json["messages"]), (&json!([]), &json!([])));
        json["result"].take()
    }

    /// Status, code and message of an error, which is in the envelope.
    #[track_caller]
    pub(crate) fn error(&self) -> (u16, u64, String) {
        let json = self.json();
        assert_eq!((&json["success"], &json["result"], &json["messages"]), (&json!(false), &Value::Null, &json!([])));
        let error = &json["errors"][0];
        (self.status, error["code"].as_u64().unwrap(), error["message"].as_str().unwrap().to_owned())
    }

    /// Status and code of an error.
    #[track_caller]
    pub(crate) fn code(&self) -> (u16, u64) {
        let (status, code, _) = self.error();
        (status, code)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl TestApi {
    pub(crate) async fn new() -> Self {
        Self::with_auth(true).await
    }

    pub(crate) async fn within(limits: Limits) -> Self {
        Self::with(true, |api| api.within(limits)).await
    }

    pub(crate) async fn with_auth(auth: bool) -> Self {
        Self::with(auth, |api| api).await
    }

    /// One that is put back before each request.
    pub(crate) async fn seeded() -> Self {
        Self::with(false, |api| api.seeded(tidegate_platform::seed::seed().unwrap())).await
    }

    async fn with(auth: bool, change: impl FnOnce(Api) -> Api) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.add_token(TOKEN).unwrap();
        let api = change(Api::new(store.clone(), None, ACCOUNT, auth));
        let unknown_routes = api.unknown_routes();
        let (address, serving) = serve(api, "127.0.0.1:0".parse().unwrap(), std::future::pending()).await.unwrap();
        Self { address, store, unknown_routes, serving, _folder: folder }
    }

    /// Sends bytes and reads to the end of the connection.
    pub(crate) async fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        read_answer(&mut stream).await
    }

    /// Sends a request; the path goes behind `/client/v4`, as it is.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!(
            "{method} /client/v4{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        self.raw(&[request.as_bytes(), body].concat()).await
    }

    /// Sends a request with the token; the path goes behind the account's.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.call_as(method, path, &[], body).await
    }

    /// The same, with headers.
    pub(crate) async fn call_as(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [&[("Authorization", bearer.as_str())], headers].concat();
        self.send(method, &format!("/accounts/{ACCOUNT}{path}"), &headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, b"").await
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call_as(method, path, &[("Content-Type", "application/json")], body.to_string().as_bytes()).await
    }

    /// Sends a form.
    pub(crate) async fn form(&self, method: &str, path: &str, parts: &[FormPart<'_>]) -> Answer {
        let (content_type, body) = form(parts);
        self.call_as(method, path, &[("Content-Type", &content_type)], &body).await
    }

    /// What the store calls the script of a path: one of the namespace `n`, or the account's own.
    pub(crate) fn key_of(&self, path: &str) -> ScriptKey {
        let name = ScriptName::parse(path.rsplit('/').next().unwrap()).unwrap();
        let namespace = || self.store.namespace(&NamespaceName::parse("n").unwrap()).unwrap().id;
        let scope = if path.contains("/namespaces/n/") { Scope::Namespace(namespace()) } else { Scope::Account };
        ScriptKey { scope, name }
    }

    /// Puts a script into the store, as if it had been uploaded.
    pub(crate) fn deploy(&self, namespace: Option<&str>, name: &str, tags: &[&str]) -> ScriptKey {
        let scope = namespace.map_or(Scope::Account, |namespace| {
            let namespace = NamespaceName::parse(namespace).unwrap();
            let found = self.store.namespace(&namespace).or_else(|_| self.store.create_namespace(&namespace));
            Scope::Namespace(found.unwrap().id)
        });
        let key = ScriptKey { scope, name: ScriptName::parse(name).unwrap() };
        let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
        self.store.deploy(&key, &NewVersion { tags, ..version(&[("worker.js", "export default {}")]) }).unwrap();
        key
    }
}

/// A version of ES modules, the first of which starts.
pub(crate) fn version(modules: &[(&str, &str)]) -> NewVersion {
    let module = |(name, content): &(&str, &str)| Module {
        name: (*name).to_owned(),
        kind: ModuleKind::EsModule,
        content_type: "application/javascript+module".to_owned(),
        content: Bytes::copy_from_slice(content.as_bytes()),
    };
    NewVersion {
        code: Code {
            entry: Entry::MainModule(modules[0].0.to_owned()),
            modules: modules.iter().map(module).collect(),
            bindings: Vec::new(),
            compatibility_date: "2026-01-01".to_owned(),
            compatibility_flags: Vec::new(),
            settings: Map::new(),
            assets: None,
        },
        started: Started { startup_time_ms: 7, handlers: vec!["fetch".to_owned()], named_handlers: Vec::new() },
        tags: None,
        derived_from: None,
        files: None,
    }
}

/// A part of a form: name, file name, content type, content.
pub(crate) type FormPart<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a [u8]);

pub(crate) fn form(parts: &[FormPart<'_>]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, file, content_type, content) in parts {
        body.extend_from_slice(format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes());
        if let Some(file) = file {
            body.extend_from_slice(format!("; filename=\"{file}\"").as_bytes());
        }
        if let Some(content_type) = content_type {
            body.extend_from_slice(format!("\r\nContent-Type: {content_type}").as_bytes());
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--X--\r\n");
    ("multipart/form-data; boundary=X".to_owned(), body)
}

pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    parse_answer(&bytes)
}

/// The first answer in some bytes.
pub(crate) fn parse_answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer with headers");
    let headers = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, body: bytes[end + 4..].to_vec(), headers }
}
