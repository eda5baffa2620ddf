//! Paths and methods: what meets a route, and what never does.

use tidegate_platform::api::{Api, serve};

use crate::support::{ACCOUNT, TOKEN, TestApi};

#[tokio::test]
async fn what_meets_no_route_is_answered_so_and_told() {
    let mut api = TestApi::new().await;
    let path = "/workers/queues?token=x";
    let (status, code, message) = api.get(path).await.error();
    assert_eq!((status, code), (404, 7003));
    let expected =
        format!("Could not route to /accounts/{ACCOUNT}/workers/queues, perhaps your object identifier is invalid?");
    assert_eq!(message, expected);
    let line = api.unknown_routes.try_recv().unwrap();
    assert_eq!(line, format!("GET /client/v4/accounts/{ACCOUNT}/workers/queues"));
    let errors = api.get(path).await.json()["errors"].clone();
    assert_eq!(errors[1]["code"], 7000);
}

#[tokio::test]
async fn another_account_is_not_there() {
    let mut api = TestApi::new().await;
    let bearer = format!("Bearer {TOKEN}");
    let auth = [("Authorization", bearer.as_str())];
    for account in
        ["other", "023e105f4ecef8ad9ca31a8372d0c35", "023E105F4ECEF8AD9CA31A8372D0C353", "%00", "..", "%2e%2e"]
    {
        for path in ["", "/workers/scripts", "/workers/dispatch/namespaces", "/storage/kv/namespaces"] {
            let answer = api.send("GET", &format!("/accounts/{account}{path}"), &auth, b"").await;
            assert_eq!(answer.code(), (404, 7003), "{account}{path}");
        }
        let line = api.unknown_routes.try_recv().unwrap();
        assert!(line.starts_with(&format!("GET /client/v4/accounts/{account}")), "{line}");
        while api.unknown_routes.try_recv().is_ok() {}
    }
    let encoded = format!("/accounts/%30{}/workers/scripts", &ACCOUNT[1..]);
    assert_eq!(api.send("GET", &encoded, &auth, b"").await.status, 200, "decoded once, it is the account");
}

#[tokio::test]
async fn a_known_path_with_another_method_says_so() {
    let api = TestApi::new().await;
    let cases = [
        ("DELETE", "/workers/dispatch/namespaces"),
        ("POST", "/workers/dispatch/namespaces/n/scripts/s"),
        ("PATCH", "/workers/scripts/s"),
        ("PUT", "/workers/scripts"),
        ("BREW", "/storage/kv/namespaces"),
    ];
    for (method, path) in cases {
        assert_eq!(api.call(method, path, b"").await.code(), (405, 10405), "{method} {path}");
    }
}

#[tokio::test]
async fn no_name_is_another_route() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &[]);
    api.deploy(None, "s", &[]);
    let names = [
        "..",
        ".",
        "%2e%2e",
        "a%2fb",
        "a%2Fb",
        "%2f",
        "a%5cb",
        "a\\b",
        "..%2f..%2fs",
        "..%5c..",
        "a%00b",
        "%00",
        "S",
        "a%20b",
        "a%252fb",
        "%C3%A9",
        "-a",
        "a%0d%0ab",
    ];
    for name in names {
        for path in [
            format!("/workers/scripts/{name}"),
            format!("/workers/scripts/{name}/settings"),
            format!("/workers/services/{name}"),
            format!("/workers/dispatch/namespaces/{name}"),
            format!("/workers/dispatch/namespaces/{name}/scripts"),
            format!("/workers/dispatch/namespaces/n/scripts/{name}"),
            format!("/workers/dispatch/namespaces/n/scripts/{name}/content"),
        ] {
            assert_eq!(api.get(&path).await.code(), (400, 10016), "GET {path}");
            if !path.ends_with("settings") && !path.ends_with("content") {
                assert_eq!(api.call("DELETE", &path, b"").await.status, 400, "DELETE {path}");
            }
        }
    }
    let long = "a".repeat(64);
    assert_eq!(api.get(&format!("/workers/scripts/{long}")).await.code(), (400, 100_315));
    assert_eq!(api.get(&format!("/workers/dispatch/namespaces/{long}")).await.code(), (400, 100_132));
    // Nothing of this went anywhere else.
    assert_eq!(api.get("/workers/dispatch/namespaces/n/scripts/s").await.status, 200);
    assert_eq!(api.get("/workers/scripts/s").await.status, 200);
}

#[tokio::test]
async fn paths_that_are_no_text_or_hold_empty_segments_meet_no_route() {
    let api = TestApi::new().await;
    api.deploy(Some("n"), "s", &[]);
    for path in [
        "/workers/scripts/%ff",
        "/workers/dispatch/namespaces/n/scripts/%ff",
        "/workers//scripts",
        "/workers/dispatch/namespaces/n/scripts/s/",
        "/workers/dispatch/namespaces/n/scripts/s/../s",
        "/workers/dispatch/namespaces/x/../n/scripts/s",
        "/workers/dispatch/namespaces/n/scripts/s/%63ontent",
    ] {
        assert_eq!(api.get(path).await.code(), (404, 7003), "{path}");
    }
    for path in ["/workers/dispatch/namespaces//scripts/s", "/workers/dispatch/namespaces/n/scripts//content"] {
        assert_eq!(api.get(path).await.code(), (400, 10016), "{path}: a segment must be a name, and has none");
    }
}

#[tokio::test]
async fn a_port_in_use_says_which_and_the_way_out() {
    let api = TestApi::new().await;
    let second = Api::new(api.store.clone(), None, ACCOUNT, true);
    let refused = serve(second, api.address, std::future::pending()).await.unwrap_err().to_string();
    assert!(refused.contains(&api.address.to_string()) && refused.contains("--api-port"), "{refused}");
}

#[tokio::test]
async fn serving_ends_when_it_is_told_to() {
    let api = TestApi::new().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let second = Api::new(api.store.clone(), None, ACCOUNT, true);
    let shutdown = async { drop(stopped.await) };
    let (address, serving) = serve(second, "127.0.0.1:0".parse().unwrap(), shutdown).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_ok());
    stop.send(()).unwrap();
    serving.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn contents_and_values_are_never_taken_for_pages() {
    let api = TestApi::new().await;
    api.deploy(None, "s", &[]);
    for path in ["/workers/scripts/s/content", "/workers/scripts/s/settings", "/nowhere"] {
        assert_eq!(api.get(path).await.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}
