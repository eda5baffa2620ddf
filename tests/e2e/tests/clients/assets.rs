//! Workers with static assets, deployed by `wrangler`: it names all files, uploads those that are new, and deploys them.

use anyhow::{Result, ensure};
use tidegate_e2e::Project;

use crate::{Managed, configuration, with_each};

const SITE: &str = r#"
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/through") return env.ASSETS.fetch(new URL("/style.css", request.url));
    return new Response(`no ${pathname} here`);
  },
};
"#;

fn site(name: &str) -> String {
    configuration(&format!("name = \"{name}\"\n[assets]\ndirectory = \"public\"\nbinding = \"ASSETS\"\n"))
}

/// Three files, one of a name that must be encoded.
fn files(project: &Project) -> Result<()> {
    project.file("public/index.html", "<h1>home</h1>")?.file("public/style.css", "h1 { color: teal }")?;
    project.file("public/a b/é.txt", "hello")?.file("public/_headers", "/style.css\n  X-Kind: style\n")?;
    Ok(())
}

/// What a host answers to `GET path`, with 200.
async fn get(managed: &Managed, host: &str, path: &str) -> Result<String> {
    let (status, body) = managed.platform.get(host, path).await?;
    ensure!(status == 200, "{host}{path} answered {status}: {body}");
    Ok(body)
}

async fn served(managed: &Managed, host: &str) -> Result<()> {
    assert_eq!(get(managed, host, "/").await?, "<h1>home</h1>");
    assert_eq!(get(managed, host, "/a%20b/%C3%A9.txt").await?, "hello");
    assert_eq!(get(managed, host, "/through").await?, "h1 { color: teal }");
    assert_eq!(get(managed, host, "/_headers").await?, "no /_headers here");
    Ok(())
}

#[tokio::test]
async fn a_user_worker_with_assets_is_deployed_and_again_with_what_is_new() -> Result<()> {
    with_each(async |managed| {
        managed.namespace("customers").await?;
        let project = managed.project()?;
        project.file("wrangler.toml", site("acme"))?.file("index.js", SITE)?;
        files(&project)?;
        let deploy = ["deploy", "--dispatch-namespace", "customers"];
        project
            .run(&deploy)
            .await?
            .said("Found 3 new or modified static assets to upload")?
            .said("Uploaded 3 files")?;
        served(managed, "acme.example").await?;

        project.run(&deploy).await?.said("No updated asset files to upload")?;
        served(managed, "acme.example").await?;

        project.file("public/index.html", "<h1>other</h1>")?.file("public/new.txt", "new")?;
        let ran = project.run(&deploy).await?;
        ran.said("Found 2 new or modified static assets to upload")?.said("Uploaded 2 files (2 already uploaded)")?;
        assert_eq!(get(managed, "acme.example", "/").await?, "<h1>other</h1>");
        assert_eq!(get(managed, "acme.example", "/new.txt").await?, "new");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_one_customer_uploaded_the_next_of_the_namespace_need_not() -> Result<()> {
    with_each(async |managed| {
        managed.namespace("customers").await?;
        for (name, says) in [("one", "Found 3 new or modified"), ("two", "No updated asset files to upload")] {
            let project = managed.project()?;
            project.file("wrangler.toml", site(name))?.file("index.js", SITE)?;
            files(&project)?;
            project.run(&["deploy", "--dispatch-namespace", "customers"]).await?.said(says)?;
            served(managed, &format!("{name}.example")).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_account_worker_with_assets_is_deployed_and_updated() -> Result<()> {
    with_each(async |managed| {
        let project = managed.project()?;
        project.file("wrangler.toml", site("site"))?.file("index.js", SITE)?;
        files(&project)?;
        project.run(&["deploy"]).await?.said("Found 3 new or modified static assets to upload")?;
        served(managed, "site.workers.localhost").await?;

        // Of a Worker that is there, `wrangler` uploads a version, and then deploys that.
        project.file("public/index.html", "<h1>other</h1>")?;
        project.run(&["deploy"]).await?.said("Found 1 new or modified static asset to upload")?;
        assert_eq!(get(managed, "site.workers.localhost", "/").await?, "<h1>other</h1>");
        assert_eq!(get(managed, "site.workers.localhost", "/style.css").await?, "h1 { color: teal }");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn assets_alone_are_a_worker() -> Result<()> {
    with_each(async |managed| {
        managed.namespace("customers").await?;
        let project = managed.project()?;
        let config = site("acme").replace("main = \"index.js\"\n", "").replace("binding = \"ASSETS\"\n", "");
        project.file("wrangler.toml", config)?;
        files(&project)?;
        for (arguments, host) in [
            (["deploy", "--dispatch-namespace=customers"].as_slice(), "acme.example"),
            (["deploy"].as_slice(), "acme.workers.localhost"),
        ] {
            for says in ["Found 3 new or modified static assets to upload", "No updated asset files to upload"] {
                project.run(arguments).await?.said(says)?;
                assert_eq!(get(managed, host, "/").await?, "<h1>home</h1>");
                assert_eq!(get(managed, host, "/style.css").await?, "h1 { color: teal }");
                assert_eq!(managed.platform.get(host, "/none").await?.0, 404);
            }
        }
        Ok(())
    })
    .await
}
