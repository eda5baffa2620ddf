//! Who is let in.

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{ACCOUNT, TOKEN, TestApi, read_answer};

const NAMESPACES: &str = "/accounts/023e105f4ecef8ad9ca31a8372d0c353/workers/dispatch/namespaces";

/// What is shown, in which headers, and the status and code of the answer.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], (u16, u64));

#[tokio::test]
async fn every_request_shows_a_token_that_was_let_in() {
    let api = TestApi::new().await;
    let bearer = format!("Bearer {TOKEN}");
    for headers in
        [&[("Authorization", bearer.as_str())][..], &[("X-Auth-Email", "a@b.example"), ("X-Auth-Key", TOKEN)]]
    {
        assert_eq!(api.send("GET", NAMESPACES, headers, b"").await.result(), json!([]));
    }
    let cases: &[Case<'_>] = &[
        ("nothing", &[], (400, 9106)),
        ("a key without an address", &[("X-Auth-Key", TOKEN)], (400, 9106)),
        ("another token", &[("Authorization", "Bearer other")], (401, 10000)),
        ("a prefix of the token", &[("Authorization", "Bearer a-token-of-the-test")], (401, 10000)),
        ("another key", &[("X-Auth-Email", "a@b.example"), ("X-Auth-Key", "other")], (401, 10000)),
        ("another scheme", &[("Authorization", "Basic YTpi")], (400, 6003)),
        ("another token beside the right key", &[("Authorization", "Bearer x"), ("X-Auth-Key", TOKEN)], (401, 10000)),
    ];
    for (case, headers, expected) in cases {
        assert_eq!(api.send("GET", NAMESPACES, headers, b"").await.code(), *expected, "{case}");
        let body = br#"{"name":"sneaked-in"}"#;
        assert_eq!(api.send("POST", NAMESPACES, headers, body).await.code(), *expected, "{case}");
    }
    assert_eq!(api.store.namespaces().unwrap(), []);
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_routes_and_accounts() {
    let api = TestApi::new().await;
    for path in ["/nowhere", "/accounts/other/workers/scripts", "/user"] {
        assert_eq!(api.send("GET", path, &[], b"").await.code(), (400, 9106), "{path}");
    }
}

#[tokio::test]
async fn a_stranger_is_answered_before_anything_of_the_body_is_asked_for() {
    let api = TestApi::new().await;
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    let head = format!(
        "PUT /client/v4{NAMESPACES}/n/scripts/s HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n",
        api.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert_eq!(answer.code(), (400, 9106), "no `100 Continue` went before");
}

#[tokio::test]
async fn without_a_token_the_api_answers_this_machine_and_no_web_page() {
    let api = TestApi::with_auth(false).await;
    assert_eq!(api.send("GET", NAMESPACES, &[], b"").await.result(), json!([]));
    let own = format!("http://{}", api.address);
    let create = br#"{"name":"n"}"#;
    assert_eq!(api.send("POST", NAMESPACES, &[("Origin", &own)], create).await.result()["namespace_name"], "n");
    let pages = [
        ("a page on the web", "https://evil.example"),
        ("a sandboxed page", "null"),
        ("a page of a Worker that runs here", "http://acme.localhost:8787"),
    ];
    for (case, origin) in pages {
        let answer = api.send("DELETE", &format!("{NAMESPACES}/n"), &[("Origin", origin)], b"").await;
        let (status, code, message) = answer.error();
        assert_eq!((status, code), (403, 10000), "{case}");
        assert!(message.contains(origin), "{case}: {message}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{case}");
    }
    let preflight = api.send("OPTIONS", NAMESPACES, &[("Origin", "https://evil.example")], b"").await;
    assert_eq!(preflight.code(), (403, 10000));
    for host in ["evil.example", "127.0.0.1.evil.example", "acme.localhost", ""] {
        let request = format!("GET /client/v4{NAMESPACES} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(api.raw(request.as_bytes()).await.code(), (403, 10000), "{host}");
    }
    let absolute = format!(
        "GET http://evil.example/client/v4{NAMESPACES} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(api.raw(absolute.as_bytes()).await.code(), (403, 10000), "the URI's host counts for more");
    assert_eq!(api.store.namespaces().unwrap().len(), 1);
}

#[tokio::test]
async fn who_asks_is_one_user_with_one_account() {
    let api = TestApi::new().await;
    let bearer = format!("Bearer {TOKEN}");
    let get = async |path: &str| api.send("GET", path, &[("Authorization", &bearer)], b"").await.result();
    assert_eq!(get("/user/tokens/verify").await["status"], "active");
    assert!(get("/user").await["email"].is_string());
    assert_eq!(get("/accounts?page=1&per_page=50").await[0]["id"], ACCOUNT);
    assert_eq!(get("/accounts?page=2").await, json!([]));
    assert_eq!(get("/memberships").await[0]["account"]["id"], ACCOUNT);
    assert_eq!(get(&format!("/accounts/{ACCOUNT}")).await["id"], ACCOUNT);
}
