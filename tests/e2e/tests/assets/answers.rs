//! What an answer holds by the time that a client has it.

use super::*;

#[tokio::test]
async fn a_file_comes_with_its_type_its_tag_and_its_length() -> Result<()> {
    let running = Running::start().await?;
    let files: &[File<'_>] = &[
        ("/a.css", "text/css; charset=shift_jis", b"body {}"),
        ("/untyped", "application/null", b"1234567890"),
        ("/empty", "text/plain", b""),
    ];
    running.deploy(&user("acme"), Some(CODE), files, &json!({ "bindings": assets_binding() })).await?;
    for through in ["", "/x?asset=http://x"] {
        let css = running.get("acme", &format!("{through}/a.css")).await?;
        let tag = format!("\"{}\"", hash("text/css; charset=shift_jis", b"body {}"));
        assert_eq!((css.status, css.text().as_str()), (200, "body {}"));
        assert_eq!(css.header("content-type"), Some("text/css; charset=shift_jis"));
        assert_eq!(css.header("etag"), Some(tag.as_str()));
        assert_eq!(css.header("content-length"), Some("7"));
        assert_eq!(css.header("cache-control"), Some("public, max-age=0, must-revalidate"));

        let head = running.ask("HEAD", "acme", &format!("{through}/a.css"), &[]).await?;
        assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("7")), "{through}");
        assert_eq!(head.header("etag"), Some(tag.as_str()));

        let untyped = running.get("acme", &format!("{through}/untyped")).await?;
        assert_eq!((untyped.text().as_str(), untyped.header("content-type")), ("1234567890", None));

        let empty = running.get("acme", &format!("{through}/empty")).await?;
        assert_eq!((empty.status, empty.body.len(), empty.header("content-length")), (200, 0, Some("0")));

        let headers = [("if-none-match", tag.as_str())];
        let known = running.ask("GET", "acme", &format!("{through}/a.css"), &headers).await?;
        assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(tag.as_str())));

        let part = running.ask("GET", "acme", &format!("{through}/untyped"), &[("range", "bytes=2-4")]).await?;
        assert_eq!((part.status, part.text().as_str()), (206, "345"));
        assert_eq!((part.header("content-range"), part.header("content-length")), (Some("bytes 2-4/10"), Some("3")));

        let beyond = running.ask("GET", "acme", &format!("{through}/untyped"), &[("range", "bytes=10-")]).await?;
        assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
    }
    Ok(())
}

#[tokio::test]
async fn headers_and_redirects_are_of_what_assets_answer_and_not_of_code() -> Result<()> {
    let running = Running::start().await?;
    let config = json!({
        "_headers": "/*\n  X-Frame-Options: DENY\n/a.txt\n  ! ETag\n  Set-Cookie: a=1\n  Set-Cookie: b=2\n  X-Name: ü",
        "_redirects": "/old /new 301\n/go/* https://other.example/:splat\n/users/:id /a.txt 200",
    });
    let files: &[File<'_>] = &[("/a.txt", "text/plain", b"a")];
    running.deploy(&user("acme"), Some(CODE), files, &json!({ "config": config })).await?;
    let file = running.get("acme", "/a.txt").await?;
    assert_eq!((file.words().as_str(), file.header("x-frame-options")), ("200 a", Some("DENY")));
    assert_eq!((file.header("etag"), file.header("x-name")), (None, Some("ü")));
    let cookies: Vec<&str> =
        file.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str()).collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    let moved = running.get("acme", "/old?q=1").await?;
    assert_eq!((moved.words().as_str(), moved.header("x-frame-options")), ("301 → /new?q=1", Some("DENY")));
    assert_eq!(running.get("acme", "/go/a/b?c").await?.words(), "302 → https://other.example/a/b?c");
    assert_eq!(running.get("acme", "/users/7").await?.words(), "200 a");
    let code = running.get("acme", "/api").await?;
    assert_eq!((code.words().as_str(), code.header("x-frame-options")), ("200 code: GET /api ", None));
    Ok(())
}

#[tokio::test]
async fn rules_that_cannot_be_are_refused_at_the_upload_with_their_lines() -> Result<()> {
    let running = Running::start().await?;
    let path = user("acme");
    let jwt = running.upload(&path, &[("/a", "text/plain", b"a")]).await?;
    let config = json!({ "_redirects": "/ok /fine\n/* /index.html 200", "_headers": "X: y" });
    let metadata = json!({ "assets": { "jwt": jwt, "config": config } });
    let answer = running.platform.api().upload(&path, &metadata, &[]).await?;
    assert_eq!((answer.status, answer.code()?), (400, 100_324));
    let message = answer.message()?;
    assert!(message.starts_with("Invalid _redirects configuration:\nLine 2: Infinite loop detected"), "{message}");
    assert!(message.ends_with("Invalid _headers configuration:\nLine 1: a path must come before `X: y`"), "{message}");
    Ok(())
}

#[tokio::test]
async fn the_largest_file_is_streamed_whole_and_in_parts() -> Result<()> {
    let running = Running::start().await?;
    let large = large(7);
    let files: &[File<'_>] = &[("/large.bin", "application/octet-stream", &large)];
    running.deploy(&user("acme"), Some(CODE), files, &json!({ "bindings": assets_binding() })).await?;
    let size = large.len().to_string();
    for path in ["/large.bin", "/x?asset=http://x/large.bin"] {
        let got = running.get("acme", path).await?;
        assert_eq!((got.status, got.header("content-length")), (200, Some(size.as_str())), "{path}");
        assert!(got.body == large, "{path}: the bytes are others");
        let headers = [("range", "bytes=1048570-5242889")];
        let part = running.ask("GET", "acme", path, &headers).await?;
        assert_eq!((part.status, part.header("content-length")), (206, Some("4194320")), "{path}");
        assert!(part.body == large[1_048_570..5_242_890], "{path}: the bytes are others");
        let head = running.ask("HEAD", "acme", path, &[]).await?;
        assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some(size.as_str()), 0));
    }
    let together = futures_util::future::try_join_all((0..8).map(|_| running.get("acme", "/large.bin"))).await?;
    assert!(together.iter().all(|got| got.body == large), "several clients at a time");
    Ok(())
}
