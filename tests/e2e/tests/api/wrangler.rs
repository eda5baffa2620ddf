//! The real `wrangler`, as people run it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tidegate_e2e::{ACCOUNT, LocalPlatform, Reply, Upstream, repository};
use tokio::process::Command;

const DISPATCHER: &str = "export default { async fetch(request, env) {
  const user = env.D.get('user', {}, { outbound: { customer: 'acme' } });
  return new Response(`${env.V} ${env.SECRET ?? 'no secret'}: ${await (await user.fetch(request)).text()}`);
} };";
const OUTBOUND: &str = "export default { fetch(request, env) {
  const headers = new Headers(request.headers);
  headers.set('x-customer', env.customer);
  return fetch(new Request(request, { headers }));
} };";
const USER: &str = "import text from './greeting.txt';
export default { async fetch() {
  return new Response(text + ' ' + await (await fetch('https://upstream.example/')).text());
} };";

/// A folder of projects, and `wrangler` in it.
struct Wrangler<'a> {
    folder: TempDir,
    platform: &'a LocalPlatform,
}

impl Wrangler<'_> {
    fn write(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.folder.path().join(file), text).with_context(|| file.to_owned())
    }

    /// Runs it; what it says when all goes well.
    async fn run(&self, line: &str) -> Result<String> {
        let home: &Path = self.folder.path();
        let output = Command::new("node")
            .arg(repository().join("node_modules/wrangler/bin/wrangler.js"))
            .args(line.split(' '))
            .current_dir(home)
            .env("HOME", home)
            .env("CLOUDFLARE_API_BASE_URL", self.platform.api().base())
            .env("CLOUDFLARE_API_TOKEN", self.platform.api().token())
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
            .env("WRANGLER_SEND_METRICS", "false")
            .env("CI", "1")
            .env("NO_COLOR", "1")
            .stdin(std::process::Stdio::null())
            .output()
            .await
            .context("cannot start node: install Node 20 or later, then run `cargo xtask tools`")?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "`wrangler {line}` failed:\n{said}");
        Ok(said)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrangler_deploys_a_whole_platform_and_changes_it() -> Result<()> {
    let upstream = Upstream::start().await?;
    upstream.otherwise(|captured| Reply::text(captured.header("x-customer").unwrap_or_default()));
    let platform = LocalPlatform::start(upstream.address()).await?;
    let mut unknown_routes = platform.platform().unknown_routes();
    let wrangler = Wrangler { folder: tempfile::tempdir()?, platform: &platform };
    for (name, code) in [("dispatcher", DISPATCHER), ("outbound", OUTBOUND), ("user", USER)] {
        wrangler.write(&format!("{name}.js"), code)?;
        let mut config = format!("name = \"{name}\"\nmain = \"{name}.js\"\ncompatibility_date = \"2026-01-01\"\n");
        if name == "dispatcher" {
            config.push_str(
                "vars = { V = \"one\" }\n[[dispatch_namespaces]]\nbinding = \"D\"\nnamespace = \"production\"\n\
                 outbound = { service = \"outbound\", parameters = [\"customer\"] }\n",
            );
        }
        wrangler.write(&format!("{name}.toml"), &config)?;
    }
    wrangler.write("greeting.txt", "hello")?;
    wrangler.write("secrets.json", r#"{ "SECRET": "a secret", "OTHER": "another" }"#)?;

    wrangler.run("dispatch-namespace create staging").await?;
    wrangler.run("dispatch-namespace rename staging production").await?;
    assert!(wrangler.run("dispatch-namespace list").await?.contains("production"));
    wrangler.run("deploy -c outbound.toml").await?;
    let first = wrangler.run("deploy -c dispatcher.toml").await?;
    assert!(first.contains("Current Version ID: ") && !first.contains("undefined"), "{first}");
    wrangler.run("deploy -c user.toml --dispatch-namespace production").await?;
    let answered = async || platform.get("dispatcher.example", "/").await;
    assert_eq!(answered().await?, (200, "one no secret: hello acme".to_owned()));

    wrangler.run("secret bulk secrets.json -c dispatcher.toml").await?;
    wrangler.run("secret delete OTHER -c dispatcher.toml").await?;
    let secrets = wrangler.run("secret list -c dispatcher.toml").await?;
    assert!(secrets.contains("SECRET") && !secrets.contains("OTHER") && !secrets.contains("a secret"), "{secrets}");
    assert_eq!(answered().await?, (200, "one a secret: hello acme".to_owned()));

    // The second time there is a Worker, which another way leads to; its secrets stay.
    wrangler.run("deploy -c dispatcher.toml --var V:two").await?;
    assert_eq!(answered().await?, (200, "two a secret: hello acme".to_owned()));
    wrangler.write("greeting.txt", "good day")?;
    wrangler.run("deploy -c user.toml --dispatch-namespace production").await?;
    assert_eq!(answered().await?, (200, "two a secret: good day acme".to_owned()));
    wrangler.write("user.js", "export default { fetch( };")?;
    assert!(wrangler.run("deploy -c user.toml --no-bundle --dispatch-namespace production").await.is_err());
    assert_eq!(answered().await?, (200, "two a secret: good day acme".to_owned()));

    assert!(wrangler.run("whoami").await?.contains(ACCOUNT));
    assert!(wrangler.run("delete -c outbound.toml").await?.contains("Worker dispatcher"), "who uses it is told");
    wrangler.run("delete -c dispatcher.toml").await?;
    wrangler.run("dispatch-namespace delete production").await?;
    assert_eq!(platform.api().get("workers/scripts").await?.result()?, serde_json::json!([]));
    assert!(unknown_routes.try_recv().is_err(), "wrangler asked for nothing that is not there");
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrangler_keeps_values_in_kv() -> Result<()> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    let wrangler = Wrangler { folder: tempfile::tempdir()?, platform: &platform };
    wrangler.run("kv namespace create routing").await?;
    let namespaces = platform.api().get("storage/kv/namespaces").await?.result()?;
    let id = namespaces[0]["id"].as_str().context("an id")?.to_owned();
    let at = format!("--remote --namespace-id {id}");
    wrangler.run(&format!("kv key put {at} a/b hello --metadata {{\"x\":1}} --ttl 3600")).await?;
    assert!(wrangler.run(&format!("kv key get {at} a/b")).await?.contains("hello"));
    let list = wrangler.run(&format!("kv key list {at}")).await?;
    assert!(list.contains("\"a/b\"") && list.contains("\"x\": 1") && list.contains("expiration"), "{list}");
    wrangler.run(&format!("kv key delete {at} a/b")).await?;
    assert!(!wrangler.run(&format!("kv key list {at}")).await?.contains("a/b"));
    platform.stop().await;
    Ok(())
}
