//! `tidegate dev`, from outside: the command in a process of its own, its events, its servers.

mod examples;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::Signal;
use serde_json::json;
use tidegate_e2e::{ApiClient, Part, Reply, Session, Upstream};

const POLICY: &str = r#"
policy = 1

[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
"#;

/// Calls the user Worker that the first label of the host names.
const DISPATCHER: &str = r#"
export default {
  fetch(request, env) {
    const customer_name = new URL(request.url).hostname.split(".")[0];
    return env.DISPATCHER.get(customer_name, {}, { outbound: { customer_name } }).fetch(request);
  },
};
"#;

/// Says the status of what it fetches.
const USER: &str = r#"
export default {
  async fetch() {
    const answer = await fetch("https://api.example.com/v1");
    return new Response(`${answer.status}`);
  },
};
"#;

/// A dispatch Worker and the user Worker `acme`.
async fn furnish(api: &ApiClient) -> Result<()> {
    api.create_namespace("customers").await?;
    let binding = json!({
        "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers",
        "outbound": { "worker": { "service": "tidegate-outbound" }, "params": [{ "name": "customer_name" }] },
    });
    let metadata =
        |bindings| json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": bindings });
    let dispatcher = [Part::module("index.js", DISPATCHER)];
    api.upload("workers/scripts/dispatcher", &metadata(json!([binding])), &dispatcher).await?.result()?;
    let user = "workers/dispatch/namespaces/customers/scripts/acme";
    api.upload(user, &metadata(json!([])), &[Part::module("index.js", USER)]).await?.result()?;
    Ok(())
}

async fn upstream() -> Result<Upstream> {
    let upstream = Upstream::start().await?;
    upstream.otherwise(|_| Reply::text("here"));
    Ok(upstream)
}

/// Replaces a file as editors do: another is renamed over it.
fn save(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, text)?;
    fs::rename(&beside, path)?;
    ensure!(path.is_file());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_serves_and_a_broken_one_leaves_the_old_in_place() -> Result<()> {
    let (folder, upstream) = (tempfile::tempdir()?, upstream().await?);
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, POLICY)?;
    let (policy_arg, address) = (policy.display().to_string(), upstream.address().to_string());
    let mut session = Session::start(&["--policy", &policy_arg, "--upstream", &address]).await?;
    furnish(&session.api_with_new_token()?).await?;
    let first = session.ready["policy"]["digest"].clone();
    assert!(first.is_string(), "{}", session.ready);

    assert_eq!(session.get("acme.apps.example", "/").await?.1, "200");
    let decision = session.event("decision").await?;
    assert_eq!((&decision["customer"], &decision["effect"]), (&json!("acme"), &json!("allow")));
    assert_eq!((&decision["policy"], &decision["worker"]), (&first, &json!("tidegate-outbound")));

    save(&policy, &POLICY.replace("effect", "efect"))?;
    let findings = session.event("diagnostics").await?;
    assert_eq!((&findings["serving"], findings["errors"].as_u64()), (&first, Some(2)), "{findings}");
    assert_eq!(session.get("acme.apps.example", "/").await?.1, "200");

    save(&policy, &POLICY.replace("allow", "deny"))?;
    let deployed = session.event("deployed").await?;
    assert_ne!(deployed["digest"], first);
    assert_eq!(session.get("acme.apps.example", "/").await?.1, "403");
    assert_eq!(session.event("decision").await?["policy"], deployed["digest"]);

    save(&policy, &format!("# the same\n{}", POLICY.replace("allow", "deny")))?;
    assert_eq!(session.event("unchanged").await?["digest"], deployed["digest"]);

    session.signal(Signal::TERM)?;
    session.event("stopping").await?;
    assert_eq!(session.ended().await?.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_that_the_policy_is_made_of_is_watched_once_it_is_there() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let policy = folder.path().join("policy.toml");
    let list = folder.path().join("lists/bad.txt");
    fs::create_dir(folder.path().join("lists"))?;
    fs::write(&list, "bad.example\n")?;
    let with_list = "policy = 1\n[lists.bad]\nfile = \"lists/bad.txt\"\nformat = \"domains\"\n\
                     [[rule]]\nid = \"bad\"\neffect = \"deny\"\nlists = [\"bad\"]\n";
    fs::write(&policy, with_list)?;
    let policy_arg = policy.display().to_string();
    let mut session = Session::start(&["--policy", &policy_arg]).await?;

    save(&list, "bad.example\nworse.example\n")?;
    let second = session.event("deployed").await?["digest"].clone();
    assert_ne!(second, session.ready["policy"]["digest"]);

    fs::remove_file(&list)?;
    assert_eq!(session.event("diagnostics").await?["serving"], second);
    fs::write(&list, "bad.example\n")?;
    assert_eq!(session.event("deployed").await?["digest"], session.ready["policy"]["digest"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_put_by_other_ways_outlives_a_change_of_the_policy() -> Result<()> {
    let (folder, upstream) = (tempfile::tempdir()?, upstream().await?);
    let policy = folder.path().join("policy.toml");
    let with_secrets = POLICY.to_owned() + "set = { x-put = \"{secret.PUT}\", x-given = \"{secret.GIVEN}\" }\n";
    fs::write(&policy, &with_secrets)?;
    let (policy_arg, address) = (policy.display().to_string(), upstream.address().to_string());
    let mut session =
        Session::start(&["--policy", &policy_arg, "--upstream", &address, "--secret", "GIVEN=one"]).await?;
    assert_eq!(session.ready["policy"]["missing_secrets"], json!(["PUT"]));
    let api = session.api_with_new_token()?;
    furnish(&api).await?;
    assert_eq!(session.get("acme.apps.example", "/").await?.1, "403", "without its secret it is refused");

    let secret = json!({ "name": "PUT", "text": "two", "type": "secret_text" });
    api.json("PUT", "workers/scripts/tidegate-outbound/secrets", &secret).await?.result()?;
    save(&policy, &with_secrets.replace("\"api\"", "\"other\""))?;
    assert_eq!(session.event("deployed").await?["missing_secrets"], json!([]));
    assert_eq!(session.get("acme.apps.example", "/").await?.1, "200");
    let arrived = upstream.captured().pop().expect("one request");
    assert_eq!((arrived.header("x-put").as_deref(), arrived.header("x-given").as_deref()), (Some("two"), Some("one")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_folder_has_everything_again_after_a_kill() -> Result<()> {
    let (folder, upstream) = (tempfile::tempdir()?, upstream().await?);
    let (policy, data) = (folder.path().join("policy.toml"), folder.path().join("data").display().to_string());
    fs::write(&policy, POLICY)?;
    let (policy, address) = (policy.display().to_string(), upstream.address().to_string());
    let args = ["--policy", &policy, "--upstream", &address, "--data", &data];
    let session = Session::start(&args).await?;
    let token = session.ready["token"].as_str().unwrap_or_default().to_owned();
    assert_eq!((session.ready["auth"].as_str(), token.len()), (Some("new"), 40));
    furnish(&session.api(&token)?).await?;
    session.signal(Signal::KILL)?;
    session.ended().await?;

    let session = Session::start(&args).await?;
    assert_eq!((&session.ready["auth"], &session.ready["token"]), (&json!("kept"), &json!(null)));
    assert_eq!(session.get("acme.apps.example", "/").await?.1, "200");
    assert_eq!(session.api(&token)?.get("workers/dispatch/namespaces").await?.status, 200);
    assert_eq!(session.api("another")?.get("workers/dispatch/namespaces").await?.status, 401);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_of_a_start_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data").display().to_string();
    let session = Session::start(&["--data", &data]).await?;
    let port = session.address()?.port().to_string();
    let api_port = session.ready["api"].as_str().and_then(|url| url.split([':', '/']).nth(4)).unwrap_or_default();
    let refused = async |args: &[&str]| match Session::try_start(args).await {
        Ok(Err(failed)) => failed,
        Ok(Ok(_)) => panic!("{args:?}: it runs"),
        Err(error) => panic!("{args:?}: {error:#}"),
    };
    refused(&["--port", &port, "--api-port", "0"]).await.says("cannot listen on", "`--port`");
    refused(&["--port", "0", "--api-port", api_port]).await.says("cannot listen on", "`--api-port`");
    refused(&["--port", "0", "--api-port", "0", "--data", &data]).await.says("another process uses", "`--data`");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_reading_keeps_nobody_from_ending_it() -> Result<()> {
    let (folder, upstream) = (tempfile::tempdir()?, upstream().await?);
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, POLICY)?;
    let (policy, address) = (policy.display().to_string(), upstream.address().to_string());
    let session = Session::start(&["--policy", &policy, "--upstream", &address]).await?;
    furnish(&session.api_with_new_token()?).await?;
    // From here on nobody reads. Far more decisions than a pipe holds, each of some 300 bytes:
    for _ in 0..600 {
        session.get("acme.apps.example", "/").await?;
    }
    let pid = session.ready["workerd"]["pids"][0].as_i64().expect("a process id");
    session.signal(Signal::TERM)?;
    assert_eq!(session.ended().await?.code(), Some(3), "it was cut short");
    // It left without a word to workerd, which its guard ends a moment later.
    for _ in 0..500 {
        if !fs::exists(format!("/proc/{pid}/exe"))? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("workerd outlives it");
}
