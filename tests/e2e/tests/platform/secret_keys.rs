//! `secret_key` bindings: keys that a Worker may use and never see.

use super::*;

/// Signs its path with `KEY`, which is there when it starts to answer; says what a Worker finds out about the key.
const SIGNER: &str = r#"
import { env } from "cloudflare:workers";
const early = JSON.stringify(env.KEY ?? null);
export default {
  async fetch(request, { KEY }) {
    const { pathname } = new URL(request.url);
    const signature = await crypto.subtle.sign("HMAC", KEY, new TextEncoder().encode(pathname));
    const taken = await crypto.subtle.exportKey("raw", KEY).then(() => "taken", () => "kept");
    return Response.json({
      signature: [...new Uint8Array(signature)].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
      class: KEY.constructor.name, usages: KEY.usages, same: KEY === env.KEY, taken,
      early: early.includes("aHVudGVyMg") || early.includes("jwk"),
    });
  },
};
"#;

/// HMAC-SHA-256 of `/` with the key `hunter2`.
const SIGNATURE: &str = "48d9095b430a08e90a62a8b440382b5184dd9fbb265bf2b1c8bc0843fbb4c9c2";

/// `hunter2`, for HMAC-SHA-256, as the API takes it.
fn key() -> Value {
    json!({
        "name": "KEY", "type": "secret_key", "algorithm": { "name": "HMAC", "hash": "SHA-256" }, "format": "raw",
        "usages": ["sign", "verify"], "key_base64": "aHVudGVyMg==",
    })
}

fn key_as_jwk() -> Value {
    json!({
        "name": "KEY", "type": "secret_key", "algorithm": { "name": "HMAC", "hash": "SHA-256" }, "format": "jwk",
        "usages": ["sign", "verify"], "key_jwk": { "kty": "oct", "k": "aHVudGVyMg" },
    })
}

#[tokio::test]
async fn a_worker_signs_with_a_key_that_it_cannot_see() -> Result<()> {
    let running = Running::start().await?;
    let expected = json!({
        "signature": SIGNATURE, "class": "CryptoKey", "usages": ["sign", "verify"], "same": true, "taken": "kept",
        "early": false,
    });
    let api = running.platform.api();
    let secrets = format!("{}/secrets", user("put"));
    running.user("put", "export default { fetch() { return new Response(); } };").await?;
    let shown = api.json("PUT", &secrets, &key()).await?.result()?;
    assert!(shown.get("key_base64").is_none(), "{shown}");
    assert_eq!(api.get(&secrets).await?.result()?, json!([shown]));
    for (name, bindings) in [("raw", json!([key()])), ("jwk", json!([key_as_jwk()])), ("put", json!([]))] {
        // Without its key among the bindings, `put` keeps what it has.
        running.deploy(&user(name), SIGNER, &json!({ "bindings": bindings })).await?;
        let seen: Value = serde_json::from_str(&running.text(name, "/").await?)?;
        assert_eq!(seen, expected, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_script_in_service_worker_syntax_has_its_key_as_a_global() -> Result<()> {
    let running = Running::start().await?;
    let code = "addEventListener('fetch', (event) => event.respondWith(new Response(KEY.constructor.name)));";
    let metadata = json!({ "body_part": "index.js", "bindings": [key()] });
    running.upload(&user("classic"), &metadata, &[Part::new("index.js", "application/javascript", code)]).await?;
    assert_eq!(running.text("classic", "/").await?, "CryptoKey");
    Ok(())
}

#[tokio::test]
async fn a_key_that_cannot_be_imported_is_refused_and_the_worker_goes_on_as_it_was() -> Result<()> {
    let running = Running::start().await?;
    running.user("acme", &saying("as before")).await?;
    let with = |field: &str, value: Value| {
        let mut key = key();
        key[field] = value;
        key
    };
    for bad in [with("algorithm", json!({})), with("usages", json!(["encrypt"])), with("format", json!("spki"))] {
        let refused = running.platform.api().json("PUT", &format!("{}/secrets", user("acme")), &bad).await?;
        let message = refused.message()?;
        assert_eq!((refused.status, refused.code()?), (400, 10021), "{message}");
        assert!(message.contains("\"KEY\" is no key that can be imported"), "{message}");
    }
    assert_eq!(running.text("acme", "/").await?, "as before");
    Ok(())
}
