//! `wrangler dispatch-namespace …`.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::with_each;

#[tokio::test]
async fn namespaces_are_created_listed_shown_renamed_and_deleted() -> Result<()> {
    with_each(async |managed| {
        let project = managed.project()?;
        let api = managed.platform.api();
        let namespaces = "workers/dispatch/namespaces";
        project.run(&["dispatch-namespace", "create", "customers"]).await?.said("customers")?;
        let id = api.get(&format!("{namespaces}/customers")).await?.result()?["namespace_id"].take();
        let id = id.as_str().context("no id")?;
        project.run(&["dispatch-namespace", "create", "others"]).await?;

        project.run(&["dispatch-namespace", "list"]).await?.said("customers")?.said("others")?.said(id)?;
        project.run(&["dispatch-namespace", "get", "customers"]).await?.said(id)?.did_not_say("others")?;

        project.run(&["dispatch-namespace", "rename", "customers", "clients"]).await?;
        project.run(&["dispatch-namespace", "get", "clients"]).await?.said(id)?;
        project.run_badly(&["dispatch-namespace", "get", "customers"]).await?.said("100119")?;

        project.run_badly(&["dispatch-namespace", "create", "others"]).await?.said("already exists")?;

        project.run(&["dispatch-namespace", "delete", "clients"]).await?;
        let left = api.get(namespaces).await?.result()?;
        let names: Vec<&Value> = left.as_array().context("no list")?.iter().map(|one| &one["namespace_name"]).collect();
        assert_eq!(names, ["others"]);
        Ok(())
    })
    .await
}
