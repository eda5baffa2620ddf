//! Files belong to a version.

use super::*;

#[tokio::test]
async fn another_version_serves_its_own_files_from_its_deployment_on() -> Result<()> {
    let running = Running::start().await?;
    let path = user("acme");
    let bound = json!({ "bindings": assets_binding() });
    running
        .deploy(&path, Some(CODE), &[("/a.txt", "text/plain", b"one"), ("/b.txt", "text/plain", b"b")], &bound)
        .await?;
    assert_eq!(running.text("acme", "/a.txt").await?, "one");
    running.deploy(&path, Some(CODE), &[("/a.txt", "text/plain", b"two")], &bound).await?;
    assert_eq!(running.text("acme", "/a.txt").await?, "two");
    assert_eq!(running.text("acme", "/x?asset=http://x/a.txt").await?, "two");
    assert_eq!(running.get("acme", "/b.txt").await?.words(), "200 code: GET /b.txt ");
    // A version without assets has none; one without code has no code.
    running.deploy(&path, Some(CODE), &[], &json!({})).await?;
    assert_eq!(running.get("acme", "/a.txt").await?.words(), "200 code: GET /a.txt ");
    running.deploy(&path, None, &[("/c.txt", "text/plain", b"c")], &json!({})).await?;
    assert_eq!(running.get("acme", "/c.txt").await?.words(), "200 c");
    assert_eq!(running.get("acme", "/a.txt").await?.words(), "404");
    Ok(())
}

#[tokio::test]
async fn a_download_that_another_version_overtakes_ends_with_the_bytes_it_began_with() -> Result<()> {
    let running = Running::start().await?;
    let path = user("acme");
    let (old, new) = (large(1), large(2));
    running.deploy(&path, Some(CODE), &[("/large.bin", "application/octet-stream", &old)], &json!({})).await?;
    let mut answer = running.platform.send(request("GET", "acme", "/large.bin", &[])?).await?.into_body();
    let first = answer.frame().await.context("a first piece")??.into_data().ok().context("bytes")?;
    // What of it is on its way by now is far less than the whole.
    running.deploy(&path, Some(CODE), &[("/large.bin", "application/octet-stream", &new)], &json!({})).await?;
    running.forget_sessions()?;
    assert!(running.get("acme", "/large.bin").await?.body == new, "from now on the new one");
    let mut bytes = first.to_vec();
    bytes.extend_from_slice(&answer.collect().await?.to_bytes());
    assert!(bytes == old, "the download went on with other bytes");
    Ok(())
}

#[tokio::test]
async fn code_of_a_replaced_version_is_given_its_files_and_the_new_ones_when_they_are_gone() -> Result<()> {
    let running = Running::start().await?;
    let path = user("acme");
    // It asks for its file before and after another version came.
    let code = r#"
        export default {
          async fetch(request, { ASSETS }) {
            const read = async () => (await ASSETS.fetch("http://x/a.txt")).text();
            const { readable, writable } = new TransformStream();
            const writer = writable.getWriter();
            (async () => {
              await writer.write(new TextEncoder().encode(await read()));
              await new Promise((resolve) => setTimeout(resolve, 1500));
              await writer.write(new TextEncoder().encode(` ${await read()}`));
              await writer.close();
            })();
            return new Response(readable);
          },
        };
    "#;
    let bound = json!({ "bindings": assets_binding() });
    running.deploy(&path, Some(code), &[("/a.txt", "text/plain", b"one")], &bound).await?;
    let mut answer = running.platform.send(request("GET", "acme", "/", &[])?).await?.into_body();
    let first = answer.frame().await.context("a first piece")??.into_data().ok().context("bytes")?;
    assert_eq!(first, "one");
    running.deploy(&path, Some(code), &[("/a.txt", "text/plain", b"two")], &bound).await?;
    let rest = answer.collect().await?.to_bytes();
    assert_eq!(rest, " two");
    Ok(())
}
