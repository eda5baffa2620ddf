//! `wrangler secret …`, for account Workers; it has no way to those of user Workers.

use anyhow::Result;

use crate::with_each;

/// Shows its secrets.
const VAULT: &str = r"
export default {
  fetch(request, env) {
    return new Response(`${env.FIRST} ${env.SECOND} ${env.PLAIN}`);
  },
};
";

const HOST: &str = "vault.workers.localhost";

#[tokio::test]
async fn secrets_are_put_listed_and_deleted_and_the_running_worker_sees_it() -> Result<()> {
    with_each(async |managed| {
        let project = managed.deploy("name = \"vault\"\n[vars]\nPLAIN = \"plain\"\n", VAULT).await?;
        assert_eq!(managed.get(HOST).await?, "undefined undefined plain");

        project.run_with_input(&["secret", "put", "FIRST"], "one\n").await?.did_not_say("one\n")?;
        assert_eq!(managed.get(HOST).await?, "one undefined plain");
        project.run_with_input(&["secret", "put", "FIRST"], "uno").await?;
        project.file("secrets.json", r#"{ "SECOND": "two", "THIRD": "three" }"#)?;
        project.run(&["secret", "bulk", "secrets.json"]).await?;
        assert_eq!(managed.get(HOST).await?, "uno two plain");

        let listed = project.run(&["secret", "list"]).await?;
        listed.said("FIRST")?.said("SECOND")?.said("THIRD")?.did_not_say("uno")?.did_not_say("PLAIN")?;

        // A deployment keeps them.
        project.run(&["deploy"]).await?;
        assert_eq!(managed.get(HOST).await?, "uno two plain");

        project.run(&["secret", "delete", "FIRST"]).await?;
        assert_eq!(managed.get(HOST).await?, "undefined two plain");
        project.run_badly(&["secret", "delete", "FIRST"]).await?.said("10056")?;
        project.run(&["secret", "list"]).await?.did_not_say("FIRST")?.said("SECOND")?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_secret_for_a_worker_that_is_not_there_yet_awaits_it() -> Result<()> {
    with_each(async |managed| {
        let project = managed.worker("name = \"vault\"\n", VAULT)?;
        project.run_with_input(&["secret", "put", "FIRST"], "early").await?;
        project.run(&["deploy"]).await?;
        assert_eq!(managed.get(HOST).await?, "early undefined undefined");
        Ok(())
    })
    .await
}
