//! Uploads, up to the start of code: what passes every check then meets the absence of a runtime.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{ACCOUNT, FormPart, TOKEN, TestApi, form, read_answer, version};

const SCRIPT: &str = "/workers/dispatch/namespaces/n/scripts/s";
const ES: Option<&str> = Some("application/javascript+module");
/// The answer to code that passed every check.
const NOTHING_TO_START_WITH: (u16, u64) = (503, 10002);

async fn api() -> TestApi {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "other", &[]);
    api
}

async fn put(api: &TestApi, metadata: Value, parts: &[FormPart<'_>]) -> (u16, u64, String) {
    put_to(api, SCRIPT, metadata, parts).await
}

async fn put_to(api: &TestApi, path: &str, metadata: Value, parts: &[FormPart<'_>]) -> (u16, u64, String) {
    let metadata = metadata.to_string();
    let parts = [&[("metadata", None, Some("application/json"), metadata.as_bytes())], parts].concat();
    api.form("PUT", path, &parts).await.error()
}

async fn with_bindings(api: &TestApi, path: &str, bindings: Value) -> (u16, u64, String) {
    let metadata = json!({ "main_module": "w.js", "bindings": bindings });
    put_to(api, path, metadata, &[("w.js", Some("w.js"), ES, b"export default {}")]).await
}

/// What `cloudflare` 7.3.0 for npm sends, byte by byte.
#[tokio::test]
async fn an_upload_in_pieces_is_refused_with_its_cause_and_the_way_out() {
    let api = api().await;
    let boundary = "----formdata-undici-077524382479";
    let piece = |name: &str, value: &str| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"files[]\"; filename=\"worker.mjs\"\r\n\
         Content-Type: application/javascript+module\r\n\r\nexport default {{}}\r\n--{boundary}--\r\n"
    );
    let upload = [
        piece("metadata[main_module]", "worker.mjs"),
        piece("metadata[bindings][][type]", "plain_text"),
        piece("metadata[bindings][][name]", "A"),
        piece("metadata[tags][]", "x"),
        file,
    ]
    .concat();
    let settings = piece("settings[tags][]", "x") + &format!("--{boundary}--\r\n");
    let multipart = format!("multipart/form-data; boundary={boundary}");
    let script = "application/javascript";
    let cases = [
        ("PUT", SCRIPT.to_owned(), script, upload.as_str(), "a form is called a script"),
        ("PUT", SCRIPT.to_owned(), script, r#"{"metadata":{"main_module":"worker.mjs"}}"#, "a form is called a script"),
        ("PUT", format!("{SCRIPT}/content"), &multipart, upload.as_str(), "`metadata[main_module]`"),
        ("PATCH", format!("{SCRIPT}/settings"), &multipart, settings.as_str(), "`settings[tags][]`"),
    ];
    for (method, path, content_type, body, cause) in cases {
        let answer = api.call_as(method, &path, &[("Content-Type", content_type)], body.as_bytes()).await;
        let (status, code, message) = answer.error();
        assert_eq!((status, code), (400, 10021), "{method} {path}: {message}");
        for expected in [cause, "`cloudflare`", "6.5.0", "one JSON object"] {
            assert!(message.contains(expected), "{method} {path}: {message}");
        }
    }
}

#[tokio::test]
async fn every_form_that_clients_send_is_taken() {
    let api = api().await;
    let es = &b"export default {}"[..];
    let classic = &b"addEventListener('fetch', event => {})"[..];
    let main = |name: &str| json!({ "main_module": name });
    let cases: &[(&str, Value, FormPart<'_>)] = &[
        ("wrangler", main("w.js"), ("w.js", Some("w.js"), ES, es)),
        ("curl with a field for the module", main("worker.mjs"), ("worker.mjs", Some("worker.mjs"), ES, es)),
        ("SDKs: a field `files`", main("s.mjs"), ("files", Some("s.mjs"), ES, es)),
        ("Cloudflare's example", main("s.mjs"), ("script", Some("s.mjs"), ES, es)),
        (
            "the oldest pages",
            json!({ "body_part": "script" }),
            ("script", Some("script.js"), Some("application/javascript"), classic),
        ),
        ("no type", main("w.js"), ("w.js", None, None, es)),
    ];
    for (case, metadata, part) in cases {
        let (status, code, message) = put(&api, metadata.clone(), &[*part]).await;
        assert_eq!((status, code), NOTHING_TO_START_WITH, "{case}: {message}");
    }
    let untyped = [("metadata", None, None, &br#"{"main_module":"w.js"}"#[..]), ("w.js", None, ES, es)];
    assert_eq!(api.form("PUT", SCRIPT, &untyped).await.code(), NOTHING_TO_START_WITH, "metadata without a type");
    for script in ["application/javascript", "text/javascript; charset=utf-8"] {
        let answer = api.call_as("PUT", SCRIPT, &[("Content-Type", script)], classic).await;
        assert_eq!(answer.code(), NOTHING_TO_START_WITH, "{script}");
    }
    for query in ["?excludeScript=true&bindings_inherit=strict", "?unknown=1"] {
        let (status, code, _) =
            put_to(&api, &format!("{SCRIPT}{query}"), main("w.js"), &[("w.js", None, ES, es)]).await;
        assert_eq!((status, code), NOTHING_TO_START_WITH, "{query}");
    }
}

#[tokio::test]
async fn malformed_uploads_say_what_is_wrong_with_them() {
    let api = api().await;
    let main = json!({ "main_module": "w.js" });
    let good: FormPart<'_> = ("w.js", Some("w.js"), ES, b"export default {}");
    let cases: &[(&str, Value, Vec<FormPart<'_>>, u64, &str)] = &[
        ("no main module", main.clone(), vec![], 10021, "No such module \"w.js\""),
        ("another main module", main.clone(), vec![("v.js", None, ES, b"")], 10021, "`v.js`"),
        ("nothing to start", json!({}), vec![good], 10021, "neither a `main_module` nor a `body_part`"),
        ("two modules of one name", main.clone(), vec![good, ("f", Some("w.js"), ES, b"")], 10021, "two modules"),
        ("an unknown type", main.clone(), vec![good, ("x", None, Some("text/html"), b"")], 10021, "`text/html`"),
        ("Python", main.clone(), vec![good, ("x.py", None, Some("text/x-python"), b"")], 10021, "no Python"),
        ("a path outside", main.clone(), vec![good, ("../x", None, ES, b"")], 10021, "outside of the bundle"),
        ("an absolute path", main.clone(), vec![good, ("/x", None, ES, b"")], 10021, "outside of the bundle"),
        ("the platform's names", main.clone(), vec![good, ("__tidegate.js", None, ES, b"")], 10021, "__tidegate"),
        (
            "migrations",
            json!({ "main_module": "w.js", "migrations": { "new_tag": "v1" } }),
            vec![good],
            10021,
            "Durable",
        ),
        ("tags", json!({ "main_module": "w.js", "tags": ["a&b"] }), vec![good], 100_134, "`a&b`"),
    ];
    for (case, metadata, parts, code, says) in cases {
        let (status, found, message) = put(&api, metadata.clone(), parts).await;
        assert_eq!((status, found), (400, *code), "{case}: {message}");
        assert!(message.contains(says), "{case}: {message}");
    }
    let no_metadata = api.form("PUT", SCRIPT, &[good]).await.error();
    assert!(no_metadata.2.contains("`metadata`"), "{no_metadata:?}");
    let commented = b"{\n  \"main_module\": \"w.js\", // today's\n}";
    let (_, code, message) = api.form("PUT", SCRIPT, &[("metadata", None, None, commented), good]).await.error();
    assert_eq!(code, 10021);
    assert!(message.contains("line 2"), "{message}");
    let nul = "--X\r\nContent-Disposition: form-data; name=\"a\0b\"\r\n\r\n--X--\r\n";
    let answer =
        api.call_as("PUT", SCRIPT, &[("Content-Type", "multipart/form-data; boundary=X")], nul.as_bytes()).await;
    assert_eq!(answer.status, 400);
    assert_eq!(api.get(SCRIPT).await.code(), (404, 10092), "nothing of it is there");
}

#[tokio::test]
async fn bodies_of_other_types_and_broken_forms_are_refused() {
    let api = api().await;
    let (content_type, body) = form(&[("metadata", None, None, br#"{"main_module":"w.js"}"#)]);
    let cases: &[(&str, &str, &[u8], u16)] = &[
        ("no such type", "text/html", b"<html>", 415),
        ("no type", "", b"export default {}", 415),
        ("a form without a boundary", "multipart/form-data", &body, 400),
        ("another boundary", "multipart/form-data; boundary=Y", &body, 400),
        ("cut off", &content_type, &body[..body.len() - 8], 400),
        ("an empty form", &content_type, b"", 400),
        ("JSON that is none", "application/json", b"{", 400),
        ("JSON without code", "application/json", br#"{"metadata":{"main_module":"w.js"}}"#, 400),
    ];
    for (case, content_type, body, status) in cases {
        let answer = api.call_as("PUT", SCRIPT, &[("Content-Type", content_type)], body).await;
        assert_eq!(answer.status, *status, "{case}: {:?}", answer.error());
    }
}

#[tokio::test]
async fn bindings_must_find_what_they_name() {
    let api = api().await;
    let cases = [
        (json!([{ "type": "kv_namespace", "name": "KV", "namespace_id": "0".repeat(32) }]), (400, 10042)),
        (json!([{ "type": "kv_namespace", "name": "KV", "namespace_id": "../../x" }]), (400, 10042)),
        (json!([{ "type": "service", "name": "S", "service": "nobody" }]), (400, 10143)),
        (json!([{ "type": "service", "name": "S", "service": "other" }]), (400, 10143)),
        (json!([{ "type": "service", "name": "S", "service": "s" }]), (400, 10143)),
        (json!([{ "type": "dispatch_namespace", "name": "D", "namespace": "nowhere" }]), (404, 100_119)),
        (
            json!([{ "type": "dispatch_namespace", "name": "D", "namespace": "n", "outbound": {
            "worker": { "service": "nobody" } } }]),
            (400, 10143),
        ),
        (json!([{ "type": "wasm_module", "name": "W", "part": "m.wasm" }]), (400, 10021)),
        (json!([{ "type": "d1", "name": "DB", "id": "x" }]), (400, 10181)),
        (json!([{ "type": "r2_bucket", "name": "R2", "bucket_name": "x" }]), (400, 10021)),
        (json!([{ "type": "plain_text", "text": "x" }]), (400, 10052)),
        (
            json!([{ "type": "plain_text", "name": "A", "text": "x" }, { "type": "json", "name": "A", "json": 1 }]),
            (400, 10053),
        ),
        (
            json!(
                (0..129)
                    .map(|n| json!({ "type": "plain_text", "name": format!("V{n}"), "text": "x" }))
                    .collect::<Vec<_>>()
            ),
            (400, 10021),
        ),
    ];
    for (bindings, expected) in cases {
        let (status, code, message) = with_bindings(&api, SCRIPT, bindings.clone()).await;
        assert_eq!((status, code), expected, "{bindings}: {message}");
    }
    api.deploy(None, "outbound", &[]);
    let id = api.store.create_kv_namespace("kv").unwrap().id;
    let good = json!([
        { "type": "kv_namespace", "name": "KV", "namespace_id": id, "raw": true },
        { "type": "service", "name": "S", "service": "outbound", "environment": "production" },
        { "type": "namespace", "name": "OLD", "namespace": "n" },
        { "type": "dispatch_namespace", "name": "D", "namespace": "n", "outbound": {
            "worker": { "service": "outbound" }, "params": ["a"] } },
    ]);
    let (status, code, message) = with_bindings(&api, SCRIPT, good).await;
    assert_eq!((status, code), NOTHING_TO_START_WITH, "{message}");
    let itself = json!([{ "type": "service", "name": "SELF", "service": "new" }]);
    let (status, code, message) = with_bindings(&api, "/workers/scripts/new", itself).await;
    assert_eq!((status, code), NOTHING_TO_START_WITH, "{message}");
}

#[tokio::test]
async fn what_cannot_be_inherited_is_an_error_where_that_is_asked_for() {
    let api = api().await;
    let bindings = json!([{ "type": "inherit", "name": "NEW", "old_name": "GONE" }]);
    let (status, code, message) =
        with_bindings(&api, &format!("{SCRIPT}?bindings_inherit=strict"), bindings.clone()).await;
    assert_eq!((status, code), (400, 10057));
    assert!(message.starts_with("inherit binding 'NEW' is invalid"), "{message}");
    let (status, code, _) = with_bindings(&api, SCRIPT, bindings).await;
    assert_eq!((status, code), NOTHING_TO_START_WITH, "else it is as if it had not been said");
}

#[tokio::test]
async fn an_upload_to_a_namespace_or_a_script_that_is_not_there_is_refused() {
    let api = api().await;
    let metadata = json!({ "main_module": "w.js" });
    let module: FormPart<'_> = ("w.js", None, ES, b"");
    let (status, code, _) = put_to(&api, "/workers/dispatch/namespaces/x/scripts/s", metadata, &[module]).await;
    assert_eq!((status, code), (404, 100_119));
    let (content_type, body) = form(&[("metadata", None, None, br#"{"main_module":"w.js"}"#), module]);
    let answer = api.call_as("POST", "/workers/scripts/w/versions", &[("Content-Type", &content_type)], &body).await;
    assert_eq!(answer.code(), (404, 10007));
    assert_eq!(
        api.call_as("PUT", &format!("{SCRIPT}/content"), &[("Content-Type", &content_type)], &body).await.code(),
        (404, 10007)
    );
}

#[tokio::test]
async fn new_content_must_have_what_bindings_name_and_what_starts() {
    use tidegate_platform::worker::{Binding, BindingValue};
    let api = api().await;
    let key = api.deploy(Some("n"), "s", &[]);
    let mut new = version(&[("w.js", "export default {}"), ("m.wasm", "")]);
    new.code.bindings =
        vec![Binding { name: "W".to_owned(), value: BindingValue::WasmModule { part: "m.wasm".to_owned() } }];
    api.store.deploy(&key, &new).unwrap();
    let path = format!("{SCRIPT}/content");
    let parts = [("metadata", None, None, &br#"{"main_module":"w.js"}"#[..]), ("w.js", None, ES, b"1")];
    let (status, code, message) = api.form("PUT", &path, &parts).await.error();
    assert_eq!((status, code), (400, 10021));
    assert!(message.contains("`W`") && message.contains("`m.wasm`"), "{message}");
    let (content_type, body) = form(&[("w.js", None, ES, b"1"), ("m.wasm", None, Some("application/wasm"), b"")]);
    let named = [("Content-Type", content_type.as_str()), ("CF-WORKER-MAIN-MODULE-PART", "w.js")];
    assert_eq!(api.call_as("PUT", &path, &named, &body).await.code(), NOTHING_TO_START_WITH);
    let (status, code, _) = api.form("PUT", &path, &[("w.js", None, ES, b"1")]).await.error();
    assert_eq!((status, code), (400, 10021), "no metadata, and no header in its place");
}

#[tokio::test]
async fn a_part_of_100_mb_is_answered_and_not_reset() {
    let api = api().await;
    let head = "--X\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"main_module\":\"w.js\"}\r\n\
                --X\r\nContent-Disposition: form-data; name=\"w.js\"\r\nContent-Type: application/javascript+module\r\n\r\n";
    let end = "\r\n--X--\r\n";
    let size = 100_000_000;
    let request = format!(
        "PUT /client/v4/accounts/{ACCOUNT}{SCRIPT} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Type: multipart/form-data; boundary=X\r\nContent-Length: {}\r\n\r\n{head}",
        api.address,
        head.len() + size + end.len()
    );
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let chunk = vec![b'x'; 1_000_000];
    for _ in 0..100 {
        stream.write_all(&chunk).await.expect("the server reads on");
    }
    stream.write_all(end.as_bytes()).await.unwrap();
    let (status, code, message) = read_answer(&mut stream).await.error();
    assert_eq!((status, code), (413, 10027));
    assert!(message.contains("script_too_large") && message.contains("64 MiB"), "{message}");
    let plain = vec![b' '; 64 * 1024 * 1024 + 1];
    let answer = api.call_as("PUT", SCRIPT, &[("Content-Type", "application/javascript")], &plain).await;
    assert_eq!(answer.code(), (413, 10027));
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_leaves_nothing_behind() {
    let api = api().await;
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    let request = format!(
        "PUT /client/v4/accounts/{ACCOUNT}{SCRIPT} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/javascript\r\nContent-Length: 1000\r\n\r\nhalf of",
        api.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // An answer or none: nobody reads it.
    drop(stream.read_to_end(&mut answer).await);
    assert_eq!(api.get(SCRIPT).await.code(), (404, 10092));
}
