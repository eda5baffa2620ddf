//! `tidegate dev --seeded`: one request a test, each beginning with the same state.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidegate_e2e::{ACCOUNT, PythonPackages, node_tests, repository};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The command, killed when it is dropped.
struct Seeded {
    ready: Value,
    _child: Child,
}

impl Seeded {
    async fn start() -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate-under-test"))
            .args(["dev", "--seeded", "--format", "json", "--port", "0", "--api-port", "0"])
            .current_dir(repository())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let ready =
            tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.context("it says nothing")??;
        let ready: Value = serde_json::from_str(&ready.context("it ended at once")?)?;
        // What it says later is of no interest, and must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        ensure!(ready["event"] == "ready", "{ready}");
        Ok(Self { ready, _child: child })
    }

    fn api(&self) -> Result<&str> {
        self.ready["api"].as_str().context("no API")
    }
}

#[tokio::test]
async fn it_says_that_it_is_seeded_and_which_account_it_is() -> Result<()> {
    let seeded = Seeded::start().await?;
    let ready = &seeded.ready;
    assert_eq!((&ready["seeded"], &ready["account"], &ready["auth"]), (&json!(true), &json!(ACCOUNT), &json!("none")));
    assert_eq!((&ready["data"], &ready["token"]), (&Value::Null, &Value::Null));
    Ok(())
}

/// 485 cases, of which the suite itself leaves out 103.
#[tokio::test]
async fn every_active_case_of_the_python_sdks_own_suite_passes() -> Result<()> {
    let (packages, seeded) = (PythonPackages::installed()?, Seeded::start().await?);
    let suite = ["tests/api_resources/workers_for_platforms"];
    packages.pytest(&packages.sdk(), &suite, &[("TEST_API_BASE_URL", seeded.api()?)]).await?.came_to(382, 103)
}

#[tokio::test]
async fn every_route_of_the_typescript_sdk_answers_as_it_is_described() -> Result<()> {
    let seeded = Seeded::start().await?;
    node_tests("seeded.test.mjs", &[("TEST_API_BASE_URL", seeded.api()?)]).await?.came_to(23, 0)
}
