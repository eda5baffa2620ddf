//! Static assets: sessions, uploads, and what metadata says of them. Workers that are assets alone start nothing, so they
//! are deployed here to the end.

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tidegate_platform::assets::Config;

use crate::support::{ACCOUNT, Answer, FormPart, TOKEN, TestApi, form};

const NAMESPACE: &str = "/workers/dispatch/namespaces/n/scripts";
const HTML: Option<&str> = Some("text/html; charset=utf-8");

async fn api() -> TestApi {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "other", &[]);
    api
}

/// Begins a session for files, as `path hash size`.
async fn begin(api: &TestApi, script: &str, files: &[(&str, &str, usize)]) -> (String, Value) {
    let manifest: Value =
        files.iter().map(|(path, hash, size)| ((*path).to_owned(), json!({ "hash": hash, "size": size }))).collect();
    let begun =
        api.json("POST", &format!("{script}/assets-upload-session"), json!({ "manifest": manifest })).await.result();
    (begun["jwt"].as_str().unwrap().to_owned(), begun["buckets"].clone())
}

/// Uploads files, as `hash type base64`.
async fn upload(api: &TestApi, token: &str, files: &[(&str, Option<&str>, &str)]) -> Answer {
    upload_to(api, &format!("/accounts/{ACCOUNT}/workers/assets/upload?base64=true"), token, files).await
}

async fn upload_to(api: &TestApi, path: &str, token: &str, files: &[(&str, Option<&str>, &str)]) -> Answer {
    let parts: Vec<FormPart<'_>> =
        files.iter().map(|(hash, kind, text)| (*hash, Some(*hash), *kind, text.as_bytes())).collect();
    let (content_type, body) = form(&parts);
    let bearer = format!("Bearer {token}");
    api.send("POST", path, &[("Authorization", &bearer), ("Content-Type", &content_type)], &body).await
}

/// Status, and what stands in `result`.
#[track_caller]
fn answered(answer: &Answer) -> (u16, Value) {
    let mut json = answer.json();
    assert_eq!(
        (&json["success"], &json["errors"], &json["messages"]),
        (&json!(true), &json!([]), &json!([])),
        "{json}"
    );
    (answer.status, json["result"].take())
}

async fn deploy(api: &TestApi, script: &str, metadata: Value) -> Answer {
    let metadata = metadata.to_string();
    api.form("PUT", script, &[("metadata", None, Some("application/json"), metadata.as_bytes())]).await
}

/// Uploads one file under a hash, and gives the completion token.
async fn completion(api: &TestApi, script: &str, hash: &str, text: &str) -> String {
    let (token, buckets) = begin(api, script, &[("/index.html", hash, text.len())]).await;
    if buckets == json!([]) {
        return token;
    }
    let (status, result) =
        answered(&upload(api, &token, &[(hash, HTML, &Base64::encode_string(text.as_bytes()))]).await);
    assert_eq!(status, 201);
    result["jwt"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_missing_is_uploaded_and_what_is_uploaded_is_deployed() {
    let api = api().await;
    for script in [&format!("{NAMESPACE}/site"), "/workers/scripts/site"] {
        let files = [("/index.html", "0a", 5), ("/b%20c.css", "0b", 3), ("/copy.html", "0a", 5)];
        let (token, buckets) = begin(&api, script, &files).await;
        assert_eq!(buckets, json!([["0b", "0a"]]), "each once");

        let first = upload(&api, &token, &[("0a", HTML, "aGVsbG8=")]).await;
        assert_eq!(answered(&first), (202, json!({})), "one is still missing");
        let css = ("0b", Some("application/null"), "YSB7");
        let (status, result) = answered(&upload(&api, &token, &[css]).await);
        assert_eq!(status, 201);
        let again = upload(&api, &token, &[("0a", HTML, "aGVsbG8="), css]).await;
        assert_eq!(again.status, 201, "the answer had got lost");

        let metadata = json!({ "compatibility_date": "2026-01-01", "assets": { "jwt": result["jwt"], "config": {} } });
        let deployed = deploy(&api, script, metadata.clone()).await.result();
        assert_eq!((&deployed["has_assets"], &deployed["has_modules"]), (&json!(true), &json!(false)));
        assert_eq!((&deployed["handlers"], &deployed["startup_time_ms"]), (&json!([]), &json!(0)));
        let version = deployed["deployment_id"].as_str().unwrap();
        let html = api.store.asset(version, "/index.html").unwrap().unwrap();
        assert_eq!((html.hash.as_str(), html.size, html.content_type.as_deref()), ("0a", 5, HTML));
        assert_eq!(api.store.asset_content(version, "/copy.html", None).unwrap(), "hello");
        assert_eq!(api.store.asset(version, "/b c.css").unwrap().unwrap().content_type, None);
        assert_eq!(deploy(&api, script, metadata).await.status, 200, "wrangler tries again after a 503");

        let (token, buckets) = begin(&api, script, &files).await;
        assert_eq!(buckets, json!([]), "nothing is new");
        assert_eq!(deploy(&api, script, json!({ "assets": { "jwt": token } })).await.status, 200);
        let (_, buckets) = begin(&api, script, &[files[0], ("/new", "0c", 1)]).await;
        assert_eq!(buckets, json!([["0c"]]));
    }
    let described = api.get(&format!("{NAMESPACE}/site")).await.result();
    assert_eq!((&described["has_assets"], &described["script"]["has_assets"]), (&json!(true), &json!(true)));
    assert_eq!(api.get("/workers/scripts/site/content/v2").await.status, 200);
}

#[tokio::test]
async fn curl_uploads_a_file_with_a_field_alone() {
    let api = api().await;
    let script = format!("{NAMESPACE}/site");
    let (token, _) = begin(&api, &script, &[("/index.html", "08f1dfda4574284ab3c21666d1ee8c7d4", 5)]).await;
    let (content_type, body) = form(&[("08f1dfda4574284ab3c21666d1ee8c7d4", None, None, b"aGVsbG8=")]);
    let path = format!("/accounts/{ACCOUNT}/workers/assets/upload?base64=true");
    let bearer = format!("Bearer {token}");
    let answer = api.send("POST", &path, &[("Authorization", &bearer), ("Content-Type", &content_type)], &body).await;
    let (status, result) = answered(&answer);
    assert_eq!(status, 201);
    assert_eq!(deploy(&api, &script, json!({ "assets": { "jwt": result["jwt"] } })).await.status, 200);
}

/// A token that the store of an API would have signed.
fn signed(api: &TestApi, header: &Value, claims: &Value) -> String {
    let part = |json: &Value| Base64UrlUnpadded::encode_string(json.to_string().as_bytes());
    sign(api, &format!("{}.{}", part(header), part(claims)))
}

/// Signs with HMAC-SHA256, by a key that is derived from the key file of the store in the same way.
fn sign(api: &TestApi, text: &str) -> String {
    let mac = |key: &[u8], message: &[u8]| {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).unwrap();
        mac.update(message);
        mac.finalize().into_bytes()
    };
    let file = std::fs::read(api.store.folder().join("tidegate.key")).unwrap();
    let signature = mac(&mac(&file, b"tidegate asset tokens 1"), text.as_bytes());
    format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature))
}

fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn tokens_that_are_foreign_changed_unsigned_expired_or_for_something_else_are_refused() {
    let api = api().await;
    let script = format!("{NAMESPACE}/site");
    let (token, _) = begin(&api, &script, &[("/index.html", "0a", 5)]).await;
    let completion = completion(&api, &script, "0a", "hello").await;
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let stranger = TestApi::new().await;
    stranger.deploy(Some("n"), "other", &[]);
    let (strange, _) = begin(&stranger, &script, &[("/index.html", "0a", 5)]).await;

    let both = [("upload", token.clone()), ("completion", completion.clone())];
    for (kind, good) in &both {
        let claims = claims_of(good);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600, "{kind}: an hour");
        let with = |key: &str, value: Value| {
            let mut claims = claims.clone();
            claims[key] = value;
            claims
        };
        let (unsigned, signature) = good.rsplit_once('.').unwrap();
        assert_eq!(sign(&api, unsigned), *good, "{kind}: a JWT as any other");
        let other = with("sub", json!("a5fd5a3d-6ba6-4f3c-8d5a-3f0f3a2ab6b6"));
        let encoded = |json: &Value| Base64UrlUnpadded::encode_string(json.to_string().as_bytes());
        let none = json!({ "alg": "none", "typ": "JWT" });
        let issued = "none that this platform issued";
        let bad = [
            ("no JWT", "jwt".to_owned(), issued),
            ("nothing of it", "..".to_owned(), issued),
            ("another store's", strange.clone(), issued),
            ("other claims", format!("{}.{}.{signature}", encoded(&header), encoded(&other)), issued),
            ("no signature", format!("{unsigned}."), issued),
            ("half a signature", good[..good.len() - 20].to_owned(), issued),
            ("`alg: none`", format!("{}.{}.", encoded(&none), encoded(&claims)), issued),
            ("`alg: none`, signed", signed(&api, &none, &claims), issued),
            (
                "another header, signed",
                signed(&api, &json!({ "alg": "HS256", "kid": "1", "typ": "JWT" }), &claims),
                issued,
            ),
            ("another purpose", signed(&api, &header, &with("aud", json!("all"))), issued),
            ("another account", signed(&api, &header, &with("iss", json!("tidegate/other"))), "another account"),
            ("expired", signed(&api, &header, &with("exp", json!(1_700_000_000))), "has expired"),
        ];
        for (case, token, says) in &bad {
            let uploaded = upload(&api, token, &[("0a", HTML, "aGVsbG8=")]).await.error();
            let deployed = deploy(&api, &script, json!({ "assets": { "jwt": token } })).await.error();
            // What a token is for is looked at before whether it is still good for it.
            let purposes = *says == "has expired";
            if !purposes || *kind == "upload" {
                assert_eq!((uploaded.0, uploaded.1), (401, 10000), "{kind}, {case}");
                assert!(uploaded.2.contains(says), "{kind}, {case}: {}", uploaded.2);
            }
            if !purposes || *kind == "completion" {
                assert_eq!((deployed.0, deployed.1), (400, 10021), "{kind}, {case}");
                assert!(deployed.2.contains(says), "{kind}, {case}: {}", deployed.2);
            }
        }
    }
    let swapped = upload(&api, &completion, &[("0a", HTML, "aGVsbG8=")]).await.error();
    assert_eq!((swapped.0, swapped.1), (401, 10000));
    assert!(swapped.2.contains("is a completion token"), "{}", swapped.2);
    let swapped = deploy(&api, &script, json!({ "assets": { "jwt": token } })).await.error();
    assert!(swapped.0 == 400 && swapped.2.contains("is that of their upload"), "{swapped:?}");
    for other in [format!("{NAMESPACE}/another"), "/workers/scripts/site".to_owned()] {
        let refused = deploy(&api, &other, json!({ "assets": { "jwt": completion } })).await.error();
        assert_eq!((refused.0, refused.1), (400, 10021), "{other}");
        assert!(refused.2.contains("uploaded for another script"), "{other}: {}", refused.2);
    }
    let unknown = signed(&api, &header, &{
        let mut claims = claims_of(&token);
        claims["sub"] = json!("a5fd5a3d-6ba6-4f3c-8d5a-3f0f3a2ab6b6");
        claims
    });
    assert_eq!(upload(&api, &unknown, &[("0a", HTML, "aGVsbG8=")]).await.code(), (401, 10000));
    assert_eq!(api.get(&script).await.code(), (404, 10092), "nothing was deployed");
    assert_eq!(deploy(&api, &script, json!({ "assets": { "jwt": completion } })).await.status, 200);
}

#[tokio::test]
async fn the_token_of_a_session_opens_uploads_and_nothing_else() {
    let api = api().await;
    let (token, _) = begin(&api, &format!("{NAMESPACE}/site"), &[("/index.html", "0a", 5)]).await;
    let bearer = format!("Bearer {token}");
    for (method, path) in [
        ("GET", "/user"),
        ("GET", &*format!("/accounts/{ACCOUNT}/workers/scripts")),
        ("GET", &format!("/accounts/{ACCOUNT}/workers/assets/upload?base64=true")),
        ("POST", &format!("/accounts/{ACCOUNT}/workers/assets/upload/?base64=true")),
        ("POST", &format!("/accounts/{ACCOUNT}/workers%2Fassets/upload?base64=true")),
        ("POST", &format!("/accounts/{ACCOUNT}{NAMESPACE}/site/assets-upload-session")),
    ] {
        assert_eq!(api.send(method, path, &[("Authorization", &bearer)], b"").await.code(), (401, 10000), "{path}");
    }
    let path = format!("/accounts/{ACCOUNT}/workers/assets/upload?base64=true");
    assert_eq!(api.send("POST", &path, &[], b"").await.code(), (400, 9106));
    let refused = upload(&api, TOKEN, &[("0a", HTML, "aGVsbG8=")]).await;
    assert_eq!(refused.code(), (401, 10000), "a token of the API says of no session");
    let elsewhere = upload_to(&api, "/accounts/f00/workers/assets/upload?base64=true", &token, &[]).await;
    assert_eq!(elsewhere.code(), (404, 7003));

    let open = TestApi::with_auth(false).await;
    open.deploy(Some("n"), "other", &[]);
    let (token, _) = begin(&open, &format!("{NAMESPACE}/site"), &[("/index.html", "0a", 5)]).await;
    assert_eq!(upload(&open, "none", &[("0a", HTML, "aGVsbG8=")]).await.code(), (401, 10000));
    let bearer = format!("Bearer {token}");
    let page = [("Authorization", bearer.as_str()), ("Origin", "https://evil.example")];
    assert_eq!(open.send("POST", &path, &page, b"").await.code(), (403, 10000));
    assert_eq!(upload(&open, &token, &[("0a", HTML, "aGVsbG8=")]).await.status, 201);
}

#[tokio::test]
async fn uploads_that_cannot_be_say_why_and_keep_what_came_before() {
    let api = api().await;
    let script = format!("{NAMESPACE}/site");
    let (token, _) = begin(&api, &script, &[("/a", "0a", 5), ("/b", "0b", 5), ("/c", "0c", 0)]).await;
    let good = ("0a", HTML, "aGVsbG8=");
    let long = "A".repeat(26_214_400_usize.div_ceil(3) * 4 + 4);
    let cases: [(&str, &str, &str); 9] = [
        ("0b", "aGVsbG8", "`0b` is no base64"),
        ("0b", "aGVs\nbG8=", "`0b` is no base64"),
        ("0b", "aGVsbG9=", "`0b` is no base64"),
        ("0b", "a-_sbG8=", "`0b` is no base64"),
        ("0b", "aGk=", "`0b` has 2 bytes, and the manifest says 5"),
        ("0c", "aGk=", "`0c` has 2 bytes, and the manifest says 0"),
        ("ff", "aGVsbG8=", "names no file with the hash `ff`"),
        ("/b", "aGVsbG8=", "names no file with the hash `/b`"),
        ("0b", &long, "`0b` has more than 26214400 bytes (25 MiB)"),
    ];
    for (hash, text, says) in cases {
        let (status, code, message) = upload(&api, &token, &[good, (hash, HTML, text)]).await.error();
        assert_eq!((status, code), (400, 10021), "{says}");
        assert!(message.contains(says), "{message}");
    }
    let path = format!("/accounts/{ACCOUNT}/workers/assets/upload");
    for query in ["", "?base64=false", "?base64"] {
        let (status, code, message) = upload_to(&api, &format!("{path}{query}"), &token, &[good]).await.error();
        assert_eq!((status, code), (400, 10001), "{query}");
        assert!(message.contains("base64=true"), "{message}");
    }
    let bearer = format!("Bearer {token}");
    let send = async |kind: &str, body: &[u8]| {
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        api.send("POST", &format!("{path}?base64=true"), &headers, body).await.code()
    };
    assert_eq!(send("application/json", b"{}").await, (415, 10001));
    assert_eq!(send("multipart/form-data; boundary=X", b"--X\r\nbroken").await, (400, 10001));
    let control = upload(&api, &token, &[("0b", Some("text/\u{e9}"), "aGVsbG8=")]).await;
    assert_eq!(control.code(), (400, 10021), "a type that no header holds");

    assert_eq!(upload(&api, &token, &[good]).await.status, 202);
    assert_eq!(upload(&api, &token, &[("0b", HTML, "aGVsbG8="), ("0c", HTML, "")]).await.status, 201);
}

#[tokio::test]
async fn sessions_that_cannot_be_say_why() {
    let api = api().await;
    let begin = async |script: &str, body: Value| {
        api.json("POST", &format!("{script}/assets-upload-session"), body).await.error()
    };
    let script = format!("{NAMESPACE}/site");
    let file = json!({ "hash": "0a", "size": 26_214_401 });
    let (status, code, message) = begin(&script, json!({ "manifest": { "/large.bin": file } })).await;
    assert_eq!((status, code), (400, 10021));
    assert!(message.contains("`/large.bin` has 26214401 bytes") && message.contains("25 MiB"), "{message}");
    assert_eq!(begin(&script, json!({})).await.1, 10001);
    assert_eq!(begin(&script, json!([])).await.1, 10001);
    let nowhere = "/workers/dispatch/namespaces/none/scripts/site";
    assert_eq!(begin(nowhere, json!({ "manifest": {} })).await.0, 404);
    assert_eq!(begin(&format!("{NAMESPACE}/..%2Fx"), json!({ "manifest": {} })).await.1, 10016);
}

#[tokio::test]
async fn assets_stay_with_what_is_made_of_their_version_and_with_keep_assets() {
    let api = api().await;
    for script in [&format!("{NAMESPACE}/site"), "/workers/scripts/site"] {
        let served = async || {
            let settings = api.get(&format!("{script}/settings")).await;
            assert_eq!(settings.status, 200);
            let key = api.key_of(script);
            let loaded = api.store.load(&key).unwrap();
            let file = api.store.asset(&loaded.version, "/index.html").unwrap();
            (file.map(|file| file.hash), loaded.code.assets)
        };
        let jwt = completion(&api, script, "0a", "hello").await;
        let config = json!({ "html_handling": "none", "not_found_handling": "404-page" });
        deploy(&api, script, json!({ "assets": { "jwt": jwt, "config": config } })).await.result();
        let (file, first) = served().await;
        assert_eq!(file.as_deref(), Some("0a"));
        assert_eq!(serde_json::to_value(&first).unwrap()["not_found_handling"], "404-page");

        api.json("PUT", &format!("{script}/secrets"), json!({ "name": "S", "text": "x" })).await.result();
        assert_eq!(served().await, (Some("0a".to_owned()), first.clone()), "a secret was put");
        deploy(&api, script, json!({ "keep_assets": true })).await.result();
        assert_eq!(served().await, (Some("0a".to_owned()), first.clone()), "kept, and how they are served");
        assert_eq!(api.get(&format!("{script}/secrets")).await.result().as_array().unwrap().len(), 1);

        let config = json!({ "html_handling": "drop-trailing-slash" });
        deploy(&api, script, json!({ "keep_assets": true, "assets": { "config": config } })).await.result();
        let (file, second) = served().await;
        assert_eq!(file.as_deref(), Some("0a"));
        assert_eq!(serde_json::to_value(&second).unwrap()["html_handling"], "drop-trailing-slash");

        let jwt = completion(&api, script, "0b", "other").await;
        deploy(&api, script, json!({ "assets": { "jwt": jwt }, "keep_assets": false })).await.result();
        let (file, third) = served().await;
        assert_eq!((file.as_deref(), third), (Some("0b"), Some(Config::default())), "as usual, where nothing is said");
    }
    let jwt = completion(&api, "/workers/scripts/site", "0c", "third").await;
    let metadata = json!({ "assets": { "jwt": jwt } }).to_string();
    let part: FormPart<'_> = ("metadata", None, Some("application/json"), metadata.as_bytes());
    let version = api.form("POST", "/workers/scripts/site/versions", &[part]).await.result();
    let id = version["id"].as_str().unwrap();
    assert_eq!(api.store.asset(id, "/index.html").unwrap().unwrap().hash, "0c");
    let share = json!({ "strategy": "percentage", "versions": [{ "version_id": id, "percentage": 100 }] });
    api.json("POST", "/workers/scripts/site/deployments", share).await.result();
    let current = api.store.load(&api.key_of("/workers/scripts/site")).unwrap();
    assert_eq!(current.version, id);
}

#[tokio::test]
async fn metadata_of_assets_that_cannot_be_says_where() {
    let api = api().await;
    let script = format!("{NAMESPACE}/site");
    let jwt = completion(&api, &script, "0a", "hello").await;
    let with = |config: Value| json!({ "assets": { "jwt": jwt, "config": config } });
    let cases = [
        (json!({ "assets": {} }), "`assets` of `metadata` has no `jwt`"),
        (json!({ "assets": "x" }), "`assets` of `metadata` must be an object"),
        (json!({ "assets": { "jwt": 1 } }), "`assets.jwt` of `metadata` must be a string"),
        (json!({ "assets": { "jwt": jwt, "config": [] } }), "`assets.config` of `metadata` must be an object"),
        (json!({ "assets": { "jwt": jwt }, "keep_assets": true }), "both `assets.jwt` and `keep_assets`"),
        (json!({ "keep_assets": 1 }), "`keep_assets` of `metadata` must be `true` or `false`"),
        (json!({ "keep_assets": true }), "nothing to start"),
        (
            with(json!({ "html_handling": "auto" })),
            "`assets.config.html_handling` of `metadata` must be `auto-trailing-slash`",
        ),
        (with(json!({ "html_handling": true })), "and is `true`"),
        (with(json!({ "not_found_handling": "spa" })), "`404-page` or `single-page-application`, and is `\\\"spa\\\"`"),
        (
            with(json!({ "run_worker_first": "/api" })),
            "`assets.config.run_worker_first` of `metadata` must be `true`, `false`",
        ),
        (with(json!({ "run_worker_first": ["/api/*", 1] })), "must be made of rules, which are strings, and is `1`"),
        (with(json!({ "run_worker_first": true })), "Cannot set `run_worker_first` without a Worker script"),
        (with(json!({ "_headers": ["x"] })), "`assets.config._headers` of `metadata` must be a string"),
        (with(json!({ "_redirects": 1 })), "`assets.config._redirects` of `metadata` must be a string"),
        (
            json!({ "assets": { "jwt": jwt }, "bindings": [{ "type": "assets", "name": "ASSETS" }] }),
            "no code that could use `ASSETS`",
        ),
    ];
    for (metadata, says) in cases {
        let (status, code, message) = deploy(&api, &script, metadata.clone()).await.error();
        assert_eq!((status, code), (400, 10021), "{metadata}: {message}");
        assert!(message.contains(says), "{metadata}: {message}");
    }
    let rules = [
        (json!(["/ok", "api/*"]), "Rule 2: `api/*` must begin with `/` or `!/`"),
        (json!(["!/api/*"]), "Rule 1: there must be a rule that does not begin with `!`"),
        (json!(vec!["/a"; 101]), "Rule 101: there are at most 100 rules, and these are 101"),
    ];
    for (rules, says) in rules {
        let (status, code, message) = deploy(&api, &script, with(json!({ "run_worker_first": rules }))).await.error();
        assert_eq!((status, code), (400, 100_324), "{rules}: {message}");
        assert!(message.contains(says), "{rules}: {message}");
    }
    let module: FormPart<'_> = ("w.js", Some("w.js"), Some("application/javascript+module"), b"export default {}");
    let with_code = async |metadata: Value| {
        let metadata = metadata.to_string();
        api.form("PUT", &script, &[("metadata", None, None, metadata.as_bytes()), module]).await.error()
    };
    let bound = json!([{ "type": "assets", "name": "ASSETS" }]);
    let unbacked = with_code(json!({ "main_module": "w.js", "bindings": bound })).await;
    assert_eq!((unbacked.0, unbacked.1), (400, 10021));
    assert!(unbacked.2.contains("Cannot use an assets binding without assets: `ASSETS`"), "{}", unbacked.2);
    let started = with_code(json!({ "main_module": "w.js", "assets": { "jwt": jwt }, "bindings": bound })).await;
    assert_eq!((started.0, started.1), (503, 10002), "all is well but for a runtime: {}", started.2);
    let (_, _, left_out) = with_code(json!({ "assets": { "jwt": jwt } })).await;
    assert!(left_out.contains("nothing to start"), "a module that nothing starts: {left_out}");
    let named =
        api.json("PATCH", "/workers/dispatch/namespaces/n/scripts/other/settings", json!({ "keep_assets": true }));
    assert_eq!(named.await.code(), (400, 10021));
}
