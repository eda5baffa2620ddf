//! Kinds of modules, and the two syntaxes.

use super::*;

/// The smallest module that exports something: `(module (func (export "answer") (result i32) i32.const 42))`.
const WASM: [u8; 39] = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 10, 1, 6, 97, 110, 115, 119, 101, 114, 0, 0,
    10, 6, 1, 4, 0, 65, 42, 11,
];

#[tokio::test]
async fn every_kind_of_module_can_be_imported() -> Result<()> {
    let running = Running::start().await?;
    let main = r#"
        import text from "./notes/hello.txt";
        import data from "./blob.bin";
        import json from "./facts.json";
        import common from "./common.cjs";
        import module from "./answer.wasm";
        import { deeper } from "./nested/deeper.mjs";
        export default {
          async fetch() {
            const { exports } = await WebAssembly.instantiate(module);
            const { late } = await import("./nested/late.mjs");
            return Response.json([text, [...new Uint8Array(data)], json.fact, common.exported, exports.answer(), deeper, late]);
          },
        };
    "#;
    let parts = [
        Part::module("index.js", main),
        Part::new("notes/hello.txt", "text/plain", "hello"),
        Part::new("blob.bin", "application/octet-stream", [0, 255, 10]),
        Part::new("facts.json", "application/json", r#"{"fact":"tides turn"}"#),
        Part::new("common.cjs", "application/javascript", "module.exports = { exported: typeof require };"),
        Part::wasm("answer.wasm", &WASM),
        Part::module("nested/deeper.mjs", "export const deeper = 'deep';"),
        Part::module("nested/late.mjs", "export const late = 'late';"),
        Part::new("index.js.map", "application/source-map", "{}"),
    ];
    running.upload(&user("acme"), &json!({}), &parts).await?;
    let seen: Value = serde_json::from_str(&running.text("acme", "/").await?)?;
    assert_eq!(seen, json!(["hello", [0, 255, 10], "tides turn", "function", 42, "deep", "late"]));
    Ok(())
}

#[tokio::test]
async fn a_script_in_service_worker_syntax_has_its_bindings_as_globals() -> Result<()> {
    let running = Running::start().await?;
    let script = r#"
        implicit = "sloppy";
        addEventListener("fetch", (event) => {
          event.respondWith(answer());
        });
        async function answer() {
          const { exports } = await WebAssembly.instantiate(ANSWER);
          return Response.json([GREETING, FACTS.deep, TOKEN, NOTES, [...new Uint8Array(BYTES)], exports.answer(), implicit]);
        }
    "#;
    let metadata = json!({
        "body_part": "script",
        "bindings": [
            { "type": "plain_text", "name": "GREETING", "text": "hello" },
            { "type": "json", "name": "FACTS", "json": { "deep": [1] } },
            { "type": "secret_text", "name": "TOKEN", "text": "s3cret" },
            { "type": "text_blob", "name": "NOTES", "part": "notes" },
            { "type": "data_blob", "name": "BYTES", "part": "bytes" },
            { "type": "wasm_module", "name": "ANSWER", "part": "answer" },
        ],
    });
    let parts = [
        Part::new("script", "application/javascript", script),
        Part::new("notes", "text/plain", "a note"),
        Part::new("bytes", "application/octet-stream", [1, 2]),
        Part::wasm("answer", &WASM),
    ];
    let result = running.upload(&user("acme"), &metadata, &parts).await?;
    assert_eq!(result["handlers"], json!(["fetch"]));
    let seen: Value = serde_json::from_str(&running.text("acme", "/").await?)?;
    assert_eq!(seen, json!(["hello", [1], "s3cret", "a note", [1, 2], 42, "sloppy"]));
    Ok(())
}

#[tokio::test]
async fn a_worker_may_be_a_class_with_named_entrypoints_beside_it() -> Result<()> {
    let running = Running::start().await?;
    let code = r#"
        import { WorkerEntrypoint, env } from "cloudflare:workers";
        export class Admin extends WorkerEntrypoint { reset() { return "done"; } }
        export default class extends WorkerEntrypoint {
          fetch() { return new Response(`${this.env.NAME} ${env.NAME} ${process.env.NAME}`); }
        }
    "#;
    let metadata = json!({
        "bindings": [{ "type": "plain_text", "name": "NAME", "text": "acme" }],
        "compatibility_flags": ["nodejs_compat"],
    });
    let result = running.deploy(&user("acme"), code, &metadata).await?;
    assert_eq!(result["handlers"], json!(["fetch"]));
    assert_eq!(result["named_handlers"], json!([{ "name": "Admin", "handlers": ["reset"] }]));
    assert_eq!(running.text("acme", "/").await?, "acme acme acme");
    Ok(())
}
