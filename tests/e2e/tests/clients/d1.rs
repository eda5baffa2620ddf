//! `wrangler d1 …`, and a Worker that reads what was put there.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{configuration, with_each};

const READER: &str = r#"
export default {
  async fetch(request, env) {
    const { results } = await env.DB.prepare("SELECT name FROM users WHERE id > ? ORDER BY id").bind(0).all();
    return new Response(results.map(({ name }) => name).join());
  },
};
"#;

#[tokio::test]
async fn a_database_is_made_filled_read_by_a_worker_and_deleted() -> Result<()> {
    with_each(async |managed| {
        let project = managed.project()?;
        project.run(&["d1", "create", "main"]).await?.said("main")?;
        project.run_badly(&["d1", "create", "main"]).await?.said("A database with that name already exists")?;
        let listed: Vec<Value> = serde_json::from_str(project.run(&["d1", "list", "--json"]).await?.output())?;
        let [one] = &listed[..] else { anyhow::bail!("there is one database, not {listed:#?}") };
        let id = one["uuid"].as_str().context("no id")?;

        let execute = ["d1", "execute", "main", "--remote", "--yes"];
        let run = async |rest: &[&str]| project.run(&[&execute[..], rest].concat()).await;
        run(&[
            "--command",
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'Ann')",
        ])
        .await?;
        project.file(
            "more.sql",
            "-- more of them\nINSERT INTO users VALUES (2, 'Bob; the other');\nINSERT INTO users VALUES (3, 'Cat');\n",
        )?;
        run(&["--file", "more.sql"]).await?.said("2")?;
        let read = run(&["--json", "--command", "SELECT count(*) AS n FROM users"]).await?;
        let read: Value = serde_json::from_str(read.output())?;
        assert_eq!(read[0]["results"][0]["n"], 3);
        let refused = [&execute[..], &["--command", "ATTACH 'x' AS y"]].concat();
        project.run_badly(&refused).await?.said("not authorized")?;
        project.run(&["d1", "info", "main"]).await?.said(id)?.said("num_tables")?;

        let config = format!(
            "name = \"reader\"\n[[d1_databases]]\nbinding = \"DB\"\ndatabase_name = \"main\"\ndatabase_id = \"{id}\"\n"
        );
        project.file("wrangler.toml", configuration(&config))?.file("index.js", READER)?;
        project.run(&["deploy"]).await?;
        assert_eq!(managed.get("reader.workers.localhost").await?, "Ann,Bob; the other,Cat");

        project.file("migrations/0001_dan.sql", "INSERT INTO users VALUES (4, 'Dan');")?;
        project.run(&["d1", "migrations", "apply", "main", "--remote"]).await?.said("0001_dan.sql")?;
        project.run(&["d1", "migrations", "list", "main", "--remote"]).await?.said("No migrations to apply")?;
        assert_eq!(managed.get("reader.workers.localhost").await?, "Ann,Bob; the other,Cat,Dan");

        project.run(&["d1", "delete", "main", "--skip-confirmation"]).await?.said("successfully")?;
        assert_eq!(managed.platform.get("reader.workers.localhost", "/").await?.0, 500);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_whose_database_is_not_there_is_refused() -> Result<()> {
    with_each(async |managed| {
        let config = "name = \"reader\"\n[[d1_databases]]\nbinding = \"DB\"\ndatabase_name = \"main\"\n\
                      database_id = \"6c6d1a5e-0c2b-4f6e-9f36-0b8f1f0a7e11\"\n";
        let refused = managed.worker(config, READER)?.run_badly(&["deploy"]).await?;
        refused.said("D1 binding 'DB' references database")?.said("10181")?;
        Ok(())
    })
    .await
}
