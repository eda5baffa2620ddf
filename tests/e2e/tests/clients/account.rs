//! What else `wrangler` does with an account and its Workers.

use anyhow::{Context as _, Result};
use serde_json::Value;
use tidegate_e2e::Ran;

use crate::{Managed, with_each};

const HOST: &str = "site.workers.localhost";

fn site(text: &str) -> String {
    format!("export default {{ fetch() {{ return new Response('{text}'); }} }};")
}

#[tokio::test]
async fn each_deployment_is_one_version_and_an_old_one_serves_again_after_a_rollback() -> Result<()> {
    with_each(async |managed| {
        let project = managed.worker("name = \"site\"\n", &site("first"))?;
        let first = deployed(&project.run(&["deploy"]).await?)?;
        project.file("index.js", site("second"))?;
        let second = deployed(&project.run(&["deploy"]).await?)?;
        assert_eq!(managed.get(HOST).await?, "second");
        assert_eq!(versions(managed).await?, [second.as_str(), &first]);

        project.run(&["versions", "list"]).await?.said(&first)?.said(&second)?;
        project.run(&["deployments", "status"]).await?.said(&second)?.did_not_say(&first)?;

        // Nobody says to which: to the one before.
        project.run(&["rollback", "--message", "the second was worse", "--yes"]).await?.said(&first)?;
        assert_eq!(managed.get(HOST).await?, "first");
        assert_eq!(versions(managed).await?, [first.as_str(), &second, &first]);
        project.run(&["deployments", "list"]).await?.said(&second)?.said("the second was worse")?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_version_that_is_uploaded_serves_once_it_is_deployed() -> Result<()> {
    with_each(async |managed| {
        let project = managed.deploy("name = \"site\"\n", &site("first")).await?;
        project.file("index.js", site("second"))?;
        let uploaded = project.run(&["versions", "upload"]).await?;
        let id = uploaded.output().lines().find_map(|line| line.trim().strip_prefix("Worker Version ID: "));
        let id = id.with_context(|| format!("no id of a version: {}", uploaded.output()))?;
        assert_eq!(managed.get(HOST).await?, "first");
        project.run(&["versions", "deploy", &format!("{id}@100%"), "--yes"]).await?;
        assert_eq!(managed.get(HOST).await?, "second");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_deleted_worker_answers_no_longer() -> Result<()> {
    with_each(async |managed| {
        let project = managed.deploy("name = \"site\"\n", &site("here")).await?;
        assert_eq!(managed.get(HOST).await?, "here");
        project.run(&["delete", "--force"]).await?;
        assert_eq!(managed.platform.get(HOST, "/").await?.0, 404);
        assert_eq!(managed.platform.api().get("workers/scripts/site/settings").await?.code()?, 10007);
        project.run_badly(&["delete", "--force"]).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_without_an_address_of_its_own_has_none() -> Result<()> {
    with_each(async |managed| {
        managed.deploy("name = \"site\"\nworkers_dev = false\n", &site("here")).await?;
        assert_eq!(managed.platform.get(HOST, "/").await?.0, 404);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_with_a_route_is_there_and_its_route_is_named_as_what_is_not() -> Result<()> {
    with_each(async |managed| {
        let config = "name = \"site\"\nworkers_dev = true\nroutes = [\"*.apps.example/*\"]\n";
        let refused = managed.worker(config, &site("here"))?.run_badly(&["deploy"]).await?;
        refused.said("routes and custom domains cannot be used on this platform yet")?;
        assert_eq!(managed.platform.api().get("workers/scripts/site/settings").await?.status, 200);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_token_is_known_to_be_the_accounts() -> Result<()> {
    with_each(async |managed| {
        let project = managed.project()?;
        project.run(&["whoami"]).await?.said(tidegate_e2e::ACCOUNT)?;
        let stranger = project.with_token("another");
        stranger.run_badly(&["dispatch-namespace", "list"]).await?.said("10000")?;
        Ok(())
    })
    .await
}

/// The version that `wrangler deploy` says it is.
fn deployed(ran: &Ran) -> Result<String> {
    let id = ran.output().lines().find_map(|line| line.trim().strip_prefix("Current Version ID: "));
    Ok(id.with_context(|| format!("no id of a version: {}", ran.output()))?.to_owned())
}

/// The versions that were deployed, the newest first.
async fn versions(managed: &Managed) -> Result<Vec<String>> {
    let result = managed.platform.api().get("workers/scripts/site/deployments").await?.result()?;
    let deployments = result["deployments"].as_array().context("no list")?;
    let id = |deployment: &Value| Ok(deployment["versions"][0]["version_id"].as_str().context("no id")?.to_owned());
    deployments.iter().map(id).collect()
}
