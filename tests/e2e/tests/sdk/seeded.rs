//! `tidegate dev --seeded`: one request a test, each beginning with the same state.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tidegate_e2e::{ACCOUNT, PythonPackages, Session, node_tests};
use tokio::process::Command;

/// The command, on free ports.
async fn seeded() -> Result<Session> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate-under-test"));
    command.args(["dev", "--seeded", "--format", "json", "--port", "0", "--api-port", "0"]);
    match Session::of(command).await? {
        Ok(session) => Ok(session),
        Err(failed) => bail!("it did not start: {failed:?}"),
    }
}

fn api(session: &Session) -> Result<&str> {
    session.ready["api"].as_str().context("no API")
}

#[tokio::test]
async fn it_says_that_it_is_seeded_and_which_account_it_is() -> Result<()> {
    let session = seeded().await?;
    let ready = &session.ready;
    assert_eq!((&ready["seeded"], &ready["account"], &ready["auth"]), (&json!(true), &json!(ACCOUNT), &json!("none")));
    assert_eq!((&ready["data"], &ready["token"]), (&Value::Null, &Value::Null));
    Ok(())
}

/// 485 cases, of which the suite itself leaves out 103.
#[tokio::test]
async fn every_active_case_of_the_python_sdks_own_suite_passes() -> Result<()> {
    let (packages, session) = (PythonPackages::installed()?, seeded().await?);
    let suite = ["tests/api_resources/workers_for_platforms"];
    packages.pytest(&packages.sdk(), &suite, &[("TEST_API_BASE_URL", api(&session)?)]).await?.came_to(382, 103)
}

#[tokio::test]
async fn every_route_of_the_typescript_sdk_answers_as_it_is_described() -> Result<()> {
    let session = seeded().await?;
    node_tests("seeded.test.mjs", &[("TEST_API_BASE_URL", api(&session)?)]).await?.came_to(23, 0)
}
