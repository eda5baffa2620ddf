//! The examples, deployed by the commands that their README gives.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_e2e::{ACCOUNT, Reply, Session, Upstream, repository};

/// A shell with the `export` lines of a session.
struct Shell<'s> {
    session: &'s Session,
    examples: &'s Path,
}

impl Shell<'_> {
    fn wrangler(&self, folder: &str, args: &[&str]) -> Result<String> {
        let ready = &self.session.ready;
        let output = Command::new("node")
            .current_dir(self.examples.join(folder))
            .arg(repository().join("node_modules/wrangler/bin/wrangler.js"))
            .args(args)
            .env("CLOUDFLARE_API_BASE_URL", ready["api"].as_str().context("no API")?)
            .env("CLOUDFLARE_API_TOKEN", ready["token"].as_str().context("no token")?)
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
            .env("WRANGLER_SEND_METRICS", "false")
            .env("CI", "true")
            .env("NO_COLOR", "1")
            .output()
            .context("cannot start node: install Node 20 or later, then run `cargo xtask tools`")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{args:?}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_deployed_by_wrangler_and_serve() -> Result<()> {
    let upstream = Upstream::start().await?;
    upstream.otherwise(|captured| {
        Reply::text(format!(
            "{}{} for {}",
            captured.host,
            captured.path,
            captured.header("x-customer").unwrap_or_default()
        ))
    });
    // wrangler writes beside what it deploys.
    let folder = tempfile::tempdir()?;
    let examples = folder.path().join("examples");
    copy(&repository().join("examples"), &examples)?;
    let policy = examples.join("policy.toml").display().to_string();
    let session = Session::start(&[
        "--policy",
        &policy,
        "--upstream",
        &upstream.address().to_string(),
        "--dispatcher",
        "dispatch-subdomain",
    ])
    .await?;
    let shell = Shell { session: &session, examples: &examples };

    shell.wrangler(".", &["dispatch-namespace", "create", "production"])?;
    shell.wrangler("dispatch-subdomain", &["deploy"])?;
    shell.wrangler("user-worker", &["deploy", "--dispatch-namespace", "production", "--name", "acme"])?;
    shell.wrangler("user-service-worker", &["deploy", "--dispatch-namespace", "production", "--name", "globex"])?;
    let (status, body) = session.get("acme.apps.example", "/").await?;
    assert_eq!(status, 200);
    assert!(body.contains("example.com/ for acme"), "{body}");
    let (_, body) = session.get("acme.apps.example", "/?url=https://example.org/").await?;
    assert!(body.contains("https://example.org/ answered 403"), "{body}");
    assert_eq!(session.get("globex.apps.example", "/x").await?, (200, "/x: example.com answered 200\n".to_owned()));
    assert_eq!(session.get("nobody.apps.example", "/").await?.0, 404);

    shell.wrangler("dispatch-path", &["deploy"])?;
    let by_path = "dispatch-path.workers.localhost";
    assert_eq!(session.get(by_path, "/globex/a/b").await?.1, "/a/b: example.com answered 200\n");
    assert_eq!(session.get(by_path, "/globex").await?.1, "/: example.com answered 200\n");
    assert_eq!(session.get(by_path, "/").await?.0, 404);
    assert_eq!(session.get(by_path, "//globex/").await?.0, 404);

    shell.wrangler("dispatch-kv", &["deploy"])?;
    let namespaces: Value = serde_json::from_str(&shell.wrangler("dispatch-kv", &["kv", "namespace", "list"])?)?;
    let ours = |namespace: &&Value| namespace["title"] == "dispatch-kv-routes";
    let id = namespaces.as_array().into_iter().flatten().find(ours).and_then(|namespace| namespace["id"].as_str());
    let (id, by_kv) = (id.context("no KV namespace was made")?, "dispatch-kv.workers.localhost");
    let route = r#"{"script":"acme","customer":"acme","tags":["paid"]}"#;
    assert_eq!(session.get(by_kv, "/").await?.0, 404);
    shell.wrangler(".", &["kv", "key", "put", "--remote", "--namespace-id", id, by_kv, route])?;
    let (_, body) = session.get(by_kv, "/?url=https://example.org/").await?;
    assert!(body.contains("https://example.org/ answered 200"), "who pays may: {body}");
    Ok(())
}

#[test]
fn the_examples_are_typed() -> Result<()> {
    let output = Command::new("node")
        .current_dir(repository())
        .args(["node_modules/typescript/bin/tsc", "-p", "examples"])
        .output()
        .context("cannot start node: install Node 20 or later, then run `cargo xtask tools`")?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&said));
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let (path, to) = (entry?.path(), to.to_owned());
        let name = path.file_name().context("no name")?;
        if path.is_dir() {
            // What wrangler left there is no part of the examples.
            if name != ".wrangler" && name != "node_modules" {
                copy(&path, &to.join(name))?;
            }
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
