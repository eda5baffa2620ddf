//! What Cloudflare's documentation tells people to type, run by curl itself. Only the address is another.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_e2e::{ACCOUNT, LocalPlatform, Part, Upstream};
use tokio::process::Command;

use crate::DISPATCHER;

const SCRIPT: &str = "Content-Type: application/javascript";

/// A platform with a dispatch Worker for the namespace `customers`, and a folder with files to upload.
struct Machine {
    platform: LocalPlatform,
    upstream: Upstream,
    folder: TempDir,
    bearer: String,
    key: String,
}

impl Machine {
    async fn start() -> Result<Self> {
        let upstream = Upstream::start().await?;
        let platform = LocalPlatform::start(upstream.address()).await?;
        let token = platform.api().token();
        let (bearer, key) = (format!("Authorization: Bearer {token}"), format!("X-Auth-Key: {token}"));
        let machine = Self { platform, upstream, folder: tempfile::tempdir()?, bearer, key };
        let namespace =
            machine.bearer(&["-H", "Content-Type: application/json"], "", "-d", r#"{ "name": "customers" }"#);
        let namespace = namespace.await?;
        ensure!(namespace["result"]["namespace_name"] == "customers", "{namespace}");
        let binding = json!({ "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers" });
        let metadata = json!({ "main_module": "index.js", "bindings": [binding] });
        let modules = [Part::module("index.js", DISPATCHER)];
        machine.platform.api().upload("workers/scripts/dispatcher", &metadata, &modules).await?.result()?;
        Ok(machine)
    }

    fn file(&self, name: &str, content: &str) -> Result<()> {
        Ok(std::fs::write(self.folder.path().join(name), content)?)
    }

    /// `curl URL -H 'Authorization: Bearer …' … OPTION VALUE`; the path begins after `…/dispatch/namespaces`.
    async fn bearer(&self, options: &[&str], path: &str, option: &str, value: &str) -> Result<Value> {
        let options = [options, &["-H", &self.bearer, option, value]].concat();
        self.curl(path, &options).await
    }

    /// `curl URL -H 'X-Auth-Email: …' -H 'X-Auth-Key: …' …`.
    async fn key(&self, path: &str, options: &[&str]) -> Result<Value> {
        let options = [&["-H", "X-Auth-Email: user@example.com", "-H", &self.key], options].concat();
        self.curl(path, &options).await
    }

    /// What is answered, which must be JSON.
    async fn curl(&self, path: &str, options: &[&str]) -> Result<Value> {
        self.curl_at(&format!("/dispatch/namespaces{path}"), options).await
    }

    /// The same; the path begins after `…/workers`.
    async fn curl_at(&self, path: &str, options: &[&str]) -> Result<Value> {
        let url = format!("{}/accounts/{ACCOUNT}/workers{path}", self.platform.api().base());
        let mut command = Command::new("curl");
        // Not of the documentation: no meter, no configuration of the user's, and not for ever.
        command.args(["--disable", "--silent", "--show-error", "--max-time", "60", "--noproxy", "*", &url]);
        command.args(options).current_dir(self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(90), command.output()).await?;
        let output = output.context("cannot start curl: install it with the system's packages")?;
        if !output.status.success() {
            bail!("curl {options:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&said).with_context(|| format!("curl {options:?} was answered: {said}"))
    }

    /// What the user Worker answers.
    async fn serves(&self, script: &str) -> Result<String> {
        let (status, body) = self.platform.get(&format!("{script}.example"), "/hello").await?;
        ensure!(status == 200 || body == "Worker not found.", "{script} answers {status}: {body}");
        Ok(body)
    }
}

fn good(answer: &Value) -> Result<&Value> {
    ensure!(answer["success"] == true && answer["errors"] == json!([]), "{answer}");
    Ok(&answer["result"])
}

fn refused(answer: &Value, code: u64, why: &str) -> Result<()> {
    let error = &answer["errors"][0];
    ensure!(answer["success"] == false && error["code"] == code, "{answer}");
    ensure!(error["message"].as_str().is_some_and(|message| message.contains(why)), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_script_on_the_command_line_is_a_user_worker() -> Result<()> {
    let machine = Machine::start().await?;
    let one_line = "addEventListener('fetch', event => { event.respondWith(fetch(event.request)) })";
    let put = machine.key("/customers/scripts/forward", &["-X", "PUT", "-H", SCRIPT, "--data", one_line]).await?;
    assert_eq!(good(&put)?["id"], "forward");
    assert_eq!(good(&put)?["handlers"], json!(["fetch"]));
    assert_eq!(machine.serves("forward").await?, "ok");
    let [request] = &machine.upstream.take()[..] else { bail!("one request leaves") };
    assert_eq!((request.host.as_str(), request.path.as_str()), ("forward.example", "/hello"));

    let lines = "addEventListener('fetch', event => {
  event.respondWith(handleRequest(event.request));
})

async function handleRequest(request) {
  return new Response('Hello world');
}";
    let options = ["-X", "PUT", "-H", SCRIPT, "--data", lines];
    good(&machine.key("/customers/scripts/hello", &options).await?)?;
    assert_eq!(machine.serves("hello").await?, "Hello world");

    // Without the header, curl calls it a form.
    let form = machine.key("/customers/scripts/hello", &["-X", "PUT", "--data", lines]).await?;
    refused(&form, 10001, "application/x-www-form-urlencoded")?;
    let unquoted = machine.key("/customers/scripts/hello", &["-X", "PUT", "-H", SCRIPT, "--data", "a b c"]).await?;
    refused(&unquoted, 10021, "SyntaxError")?;
    assert_eq!(machine.serves("hello").await?, "Hello world");
    Ok(())
}

#[tokio::test]
async fn metadata_in_a_file_names_the_script_by_its_field() -> Result<()> {
    let machine = Machine::start().await?;
    machine.file(
        "metadata.json",
        r#"{
    "body_part": "script",
    "bindings": [{ "type": "plain_text", "name": "GREETING", "text": "hello" }],
    "tags": ["customer-123", "staging", "free-user"]
}"#,
    )?;
    machine.file("script.js", "addEventListener('fetch', event => event.respondWith(new Response(GREETING)));")?;
    let metadata = "metadata=@metadata.json;type=application/json";
    let script = "script=@script.js;type=application/javascript";
    let put = machine.key("/customers/scripts/acme", &["-X", "PUT", "-F", metadata, "-F", script]).await?;
    assert_eq!(good(&put)?["tags"], json!(["customer-123", "free-user", "staging"]));
    assert_eq!(machine.serves("acme").await?, "hello");

    // Where the type of the file is not said, curl says that it is bytes.
    let untyped = ["-X", "PUT", "-F", metadata, "-F", "script=@script.js"];
    refused(&machine.key("/customers/scripts/acme", &untyped).await?, 10021, "application/javascript")?;
    let missing = machine.key("/customers/scripts/acme", &["-X", "PUT", "-F", metadata]).await?;
    refused(&missing, 10021, "script")?;
    assert_eq!(machine.serves("acme").await?, "hello");
    Ok(())
}

#[tokio::test]
async fn metadata_on_the_command_line_brings_modules_bindings_and_tags() -> Result<()> {
    let machine = Machine::start().await?;
    let api = machine.platform.api();
    let made = api.json("POST", "storage/kv/namespaces", &json!({ "title": "SITES" })).await?.result()?;
    let kv = made["id"].as_str().context("no id")?;
    api.send("PUT", &format!("storage/kv/namespaces/{kv}/values/motto"), None, b"ever onward".to_vec())
        .await?
        .result()?;

    machine.file("worker.mjs", "export default { fetch() { return new Response('a module'); } };")?;
    let module = "worker.mjs=@worker.mjs;type=application/javascript+module";
    let inline = r#"metadata={"main_module": "worker.mjs"};type=application/json"#;
    let put = machine.bearer(&["-X", "PUT", "-F", inline], "/customers/scripts/plain", "-F", module).await?;
    assert_eq!(good(&put)?["has_modules"], true);
    assert_eq!(machine.serves("plain").await?, "a module");

    let bound = "export default { async fetch(_, env) { return new Response(await env.MY_KV.get('motto')); } };";
    machine.file("worker.mjs", bound)?;
    let metadata = format!(
        r#"metadata={{
      "main_module": "worker.mjs",
      "bindings": [ {{"type": "kv_namespace", "name": "MY_KV", "namespace_id": "{kv}"}} ],
      "tags": ["customer-123", "production"],
      "compatibility_date": "2026-01-01"
    }};type=application/json"#
    );
    let put = machine.bearer(&["-X", "PUT", "-F", &metadata], "/customers/scripts/bound", "-F", module).await?;
    assert_eq!(good(&put)?["compatibility_date"], "2026-01-01");
    assert_eq!(machine.serves("bound").await?, "ever onward");

    // In quotes and with a header that names no boundary: curl takes both its own way. The metadata has no type.
    let quoted = format!(
        "metadata=\"{{\\\"main_module\\\": \\\"worker.js\\\", \\\"bindings\\\": [{{\\\"name\\\": \\\"MY_KV\\\", \
         \\\"type\\\": \\\"kv_namespace\\\", \\\"namespace_id\\\": \\\"{kv}\\\"}}], \\\"tags\\\": [\\\"staging\\\"]}}\""
    );
    let options = ["-X", "PUT", "-H", "Content-Type: multipart/form-data", "--form", &quoted];
    let path = machine.folder.path().join("worker.mjs");
    let form = format!("worker.js=@\"{}\";type=application/javascript+module", path.display());
    let put = machine.bearer(&options, "/customers/scripts/quoted", "--form", &form).await?;
    // The module has the name of its field where the file's is another.
    assert_eq!(good(&put)?["tags"], json!(["staging"]));
    assert_eq!(machine.serves("quoted").await?, "ever onward");

    // The documentation's metadata has a comment in it, which JSON has not.
    let commented = metadata.replace("\"2026-01-01\"", "\"2026-01-01\" // Use current date for new projects");
    let put = machine.bearer(&["-X", "PUT", "-F", &commented], "/customers/scripts/bound", "-F", module).await?;
    refused(&put, 10021, "line 5")?;
    Ok(())
}

#[tokio::test]
async fn tags_are_set_listed_asked_for_and_taken_away() -> Result<()> {
    let machine = Machine::start().await?;
    let code = "addEventListener('fetch', event => event.respondWith(new Response('hello')))";
    good(&machine.key("/customers/scripts/acme", &["-X", "PUT", "-H", SCRIPT, "--data", code]).await?)?;
    let tags = "/customers/scripts/acme/tags";
    let put = ["-X", "PUT", "-H", SCRIPT, "--data", r#"["TAG1", "TAG2", "TAG3"]"#];
    assert_eq!(*good(&machine.key(tags, &put).await?)?, json!(["TAG1", "TAG2", "TAG3"]));
    // As the documentation has it, in single quotes; what was set stays.
    let single = ["-X", "PUT", "-H", SCRIPT, "--data", "['TAG4', 'TAG5']"];
    refused(&machine.key(tags, &single).await?, 10001, "JSON")?;
    assert_eq!(*good(&machine.key(tags, &[]).await?)?, json!(["TAG1", "TAG2", "TAG3"]));

    good(&machine.key(&format!("{tags}/team%3Ablue"), &["-X", "PUT"]).await?)?;
    good(&machine.key(&format!("{tags}/TAG2"), &["-X", "DELETE"]).await?)?;
    assert_eq!(*good(&machine.key(tags, &[]).await?)?, json!(["TAG1", "TAG3", "team:blue"]));
    assert_eq!(*good(&machine.key(&format!("{tags}?tags=TAG1:yes,TAG2:no"), &[]).await?)?, json!(true));
    assert_eq!(*good(&machine.key(&format!("{tags}?tags=TAG1:no"), &[]).await?)?, json!(false));
    refused(&machine.key("/customers/scripts/nobody/tags", &[]).await?, 10007, "does not exist")?;
    Ok(())
}

#[tokio::test]
async fn user_workers_are_listed_and_deleted_by_name_and_by_tag() -> Result<()> {
    let machine = Machine::start().await?;
    for (script, tag) in [("a1", "customer-a"), ("a2", "customer-a"), ("b1", "customer-b"), ("b2", "customer-b")] {
        machine.file("worker.mjs", &format!("export default {{ fetch: () => new Response('{script}') }};"))?;
        let metadata = format!(r#"metadata={{"main_module": "worker.mjs", "tags": ["{tag}"]}};type=application/json"#);
        let module = "worker.mjs=@worker.mjs;type=application/javascript+module";
        let path = format!("/customers/scripts/{script}");
        good(&machine.bearer(&["-X", "PUT", "-F", &metadata], &path, "-F", module).await?)?;
    }
    let listed = async |query: &str| -> Result<Vec<String>> {
        let answer = machine.key(&format!("/customers/scripts{query}"), &[]).await?;
        let scripts = good(&answer)?.as_array().context("no list")?;
        scripts.iter().map(|script| Ok(script["id"].as_str().context("no id")?.to_owned())).collect()
    };
    assert_eq!(listed("").await?, ["a1", "a2", "b1", "b2"]);
    assert_eq!(listed("?tags=customer-a:yes").await?, ["a1", "a2"]);
    assert_eq!(listed("?tags=customer-a%3Ano").await?, ["b1", "b2"]);
    assert_eq!(listed("?per_page=3&page=2").await?, ["b2"]);

    // By tag: all of one customer, and nobody else's.
    assert_eq!(machine.serves("a1").await?, "a1");
    let deleted = machine.key("/customers/scripts?tags=customer-a%3Ayes", &["-X", "DELETE"]).await?;
    assert_eq!(good(&deleted)?["deleted_count"], 2);
    assert_eq!(listed("").await?, ["b1", "b2"]);
    assert_eq!(machine.serves("a1").await?, "Worker not found.");
    assert_eq!(machine.serves("b1").await?, "b1");

    // By name.
    assert_eq!(*good(&machine.key("/customers/scripts/b1", &["-X", "DELETE"]).await?)?, Value::Null);
    assert_eq!(machine.serves("b1").await?, "Worker not found.");
    refused(&machine.key("/customers/scripts/b1", &["-X", "DELETE"]).await?, 10007, "does not exist")?;
    assert_eq!(listed("").await?, ["b2"]);
    Ok(())
}

#[tokio::test]
async fn static_assets_are_named_uploaded_and_deployed() -> Result<()> {
    const HASH: &str = "08f1dfda4574284ab3c21666d1ee8c7d4";
    let machine = Machine::start().await?;
    let session = "/customers/scripts/acme/assets-upload-session";
    let manifest = format!(r#"{{ "manifest": {{ "/index.html": {{ "hash": "{HASH}", "size": 14 }} }} }}"#);
    let begun = machine.bearer(&["-X", "POST"], session, "-d", &manifest).await?;
    assert_eq!(good(&begun)?["buckets"], json!([[HASH]]));

    let upload_jwt = format!("Authorization: Bearer {}", begun["result"]["jwt"].as_str().context("no token")?);
    // `printf '<h1>home</h1>\n' | base64`
    let file = format!("{HASH}=PGgxPmhvbWU8L2gxPgo=");
    let upload = ["-X", "POST", "-H", &upload_jwt, "-F", &file];
    refused(&machine.curl_at("/assets/upload", &upload).await?, 10001, "base64=true")?;
    let uploaded = machine.curl_at("/assets/upload?base64=true", &upload).await?;
    let jwt = good(&uploaded)?["jwt"].as_str().context("no completion token")?;

    machine.file("index.js", "export default { fetch: (request, env) => new Response('code') };")?;
    let metadata = json!({
        "main_module": "index.js", "assets": { "jwt": jwt }, "bindings": [{ "type": "assets", "name": "ASSETS" }],
    });
    let metadata = format!("metadata={metadata};type=application/json");
    let module = "index.js=@index.js;type=application/javascript+module";
    let script = "/customers/scripts/acme";
    let deployed = machine.bearer(&["-X", "PUT", "-F", &metadata], script, "-F", module).await?;
    assert_eq!(good(&deployed)?["has_assets"], true);
    assert_eq!(machine.platform.get("acme.example", "/").await?, (200, "<h1>home</h1>\n".to_owned()));
    assert_eq!(machine.serves("acme").await?, "code", "what no file is at");

    let metadata = r#"metadata={ "main_module": "index.js", "keep_assets": true };type=application/json"#;
    good(&machine.bearer(&["-X", "PUT", "-F", metadata], script, "-F", module).await?)?;
    assert_eq!(machine.platform.get("acme.example", "/").await?, (200, "<h1>home</h1>\n".to_owned()));
    let again = machine.bearer(&["-X", "POST"], session, "-d", &manifest).await?;
    assert_eq!(good(&again)?["buckets"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_and_who_is_unknown_is_told_so() -> Result<()> {
    let machine = Machine::start().await?;
    refused(&machine.curl("", &["-H", "Authorization: Bearer nobody"]).await?, 10000, "Authentication")?;
    refused(&machine.curl("", &[]).await?, 9106, "X-Auth-Key")?;
    refused(&machine.key("/customers/nonsense", &[]).await?, 7003, "Could not route to")?;
    assert_eq!(machine.platform.unknown_routes().len(), 1);
    Ok(())
}
