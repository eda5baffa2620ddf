//! What a platform does with the SDKs, from the first namespace to the last deletion; and uploads that cannot be read.

use anyhow::Result;
use tidegate_e2e::{ACCOUNT, LocalPlatform, PythonPackages, Upstream, node_tests, repository};

/// What a test needs to know of a platform.
fn environment(platform: &LocalPlatform) -> [(&'static str, String); 4] {
    [
        ("API", platform.api().base()),
        ("TOKEN", platform.api().token().to_owned()),
        ("ACCOUNT", ACCOUNT.to_owned()),
        ("WORKERS", platform.address().to_string()),
    ]
}

fn borrowed<'a>(environment: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn the_typescript_sdk_does_all_that_a_platform_needs_and_what_it_uploads_answers() -> Result<()> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    node_tests("scenario.test.mjs", &borrowed(&environment(&platform))).await?.came_to(9, 0)?;
    assert_eq!(platform.unknown_routes(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn the_python_sdk_does_all_that_a_platform_needs_and_what_it_uploads_answers() -> Result<()> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    let folder = repository().join("tests/e2e/clients/python");
    let environment = environment(&platform);
    let packages = PythonPackages::installed()?;
    packages.pytest(&folder, &["test_scenario.py"], &borrowed(&environment)).await?.came_to(9, 0)?;
    assert_eq!(platform.unknown_routes(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn an_upload_of_the_typescript_sdk_7_is_refused_with_its_cause_and_the_way_out() -> Result<()> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    platform.api().create_namespace("customers").await?;
    let mut environment = environment(&platform).to_vec();
    environment.push(("NAMESPACE", "customers".to_owned()));
    node_tests("broken_uploads.test.mjs", &borrowed(&environment)).await?.came_to(5, 0)
}
