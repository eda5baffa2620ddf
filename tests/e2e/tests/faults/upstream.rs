//! The upstream fails, in every way that a socket can.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Body;
use http_body_util::BodyExt;
use tidegate_e2e::{Act, Captured, ClosedPort, Fetch, OutboundWorker, RawUpstream};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::{API_KEY, MADE_BY, POLICY, Platform};

const API: &str = "https://api.example.com";
const MIB: usize = 1024 * 1024;

async fn platform(upstream: std::net::SocketAddr) -> Result<Platform> {
    Platform::start(OutboundWorker::with_policy(POLICY)?, |chain| chain.upstream(upstream)).await
}

fn fine() -> Vec<Act> {
    vec![Act::send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine")]
}

/// All that the upstream was told, as it was told: what a careless or hostile one sends back.
fn reflected(request: &Captured) -> String {
    let lines: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    lines.concat()
}

/// What comes instead of an answer, by the path that is asked for.
fn no_answer(request: &Captured) -> Vec<Act> {
    let text = |text: &str| Act::send(text.as_bytes());
    match request.path.as_str() {
        "/resets" => vec![Act::Reset],
        "/closes" => vec![Act::Close],
        "/resets-within-the-head" => vec![text("HTTP/1.1 200 OK\r\ncontent-le"), Act::Reset],
        "/closes-within-the-head" => vec![text("HTTP/1.1 200 OK\r\ncontent-le"), Act::Close],
        "/sends-noise" => vec![Act::send(vec![0xff; 4096]), Act::Close],
        "/speaks-tls" => vec![Act::send(*b"\x15\x03\x01\x00\x02\x02\x46"), Act::Close],
        "/sends-the-request-back" => vec![Act::send(format!("{}\r\n", reflected(request))), Act::Close],
        "/sends-it-back-as-a-status" => {
            let key = request.header("x-api-key").unwrap_or_default();
            vec![Act::send(format!("HTTP/1.1 {key} {key}\r\n\r\n")), Act::Close]
        }
        "/sends-it-back-as-a-bad-name" => {
            let token = request.header("authorization").unwrap_or_default();
            vec![Act::send(format!("HTTP/1.1 200 OK\r\n{token} : x\r\n\r\n")), Act::Close]
        }
        "/sends-it-back-with-a-control" => {
            let token = request.header("authorization").unwrap_or_default();
            vec![Act::send(format!("HTTP/1.1 200 OK\r\nx-echo: {token}\0\r\n\r\n")), Act::Close]
        }
        "/has-status-999999" => vec![text("HTTP/1.1 999999 OK\r\ncontent-length: 0\r\n\r\n")],
        "/has-status-600" => vec![text("HTTP/1.1 600 OK\r\ncontent-length: 0\r\n\r\n")],
        "/has-status-099" => vec![text("HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n")],
        "/switches-protocols-unasked" => {
            vec![text("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"), Act::Hang]
        }
        "/has-two-lengths" => vec![text("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!")],
        "/has-one-header-of-a-mebibyte" => {
            vec![Act::send(format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "x".repeat(MIB)))]
        }
        "/has-a-mebibyte-of-headers" => {
            let headers: Vec<_> = (0..1024).map(|number| format!("x-{number:04}: {}\r\n", "x".repeat(1016))).collect();
            vec![Act::send(format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", headers.concat()))]
        }
        _ => fine(),
    }
}

const NO_ANSWERS: [&str; 17] = [
    "/resets",
    "/closes",
    "/resets-within-the-head",
    "/closes-within-the-head",
    "/sends-noise",
    "/speaks-tls",
    "/sends-the-request-back",
    "/sends-it-back-as-a-status",
    "/sends-it-back-as-a-bad-name",
    "/sends-it-back-with-a-control",
    "/has-status-999999",
    "/has-status-600",
    "/has-status-099",
    "/switches-protocols-unasked",
    "/has-two-lengths",
    "/has-one-header-of-a-mebibyte",
    "/has-a-mebibyte-of-headers",
];

/// An allowed request got no answer: the tenant is told so, and the operator under the same decision.
async fn is_a_502(platform: &mut Platform, path: &str) -> Result<()> {
    let outcome = platform.fetch("acme", Fetch::get(format!("{API}{path}"))).await?;
    assert_eq!(outcome.status, Some(502), "{path}: {outcome:?}");
    assert_eq!(outcome.header("content-type"), Some("application/problem+json"), "{path}");
    let problem = outcome.problem().context("no problem document")?;
    assert_eq!(problem["reason"], "upstream-failed", "{path}: {problem}");
    let decision = outcome.header("tidegate-decision").context("no decision")?;
    assert_eq!(problem["decision"], decision, "{path}");
    platform
        .chain
        .decisions_when(|records| {
            records.iter().any(|record| record["decision"] == decision && record["effect"] == "allow")
        })
        .await?;
    let failed = |line: &String| line.contains(r#""event":"upstream-failed""#) && line.contains(decision);
    platform.chain.log_when(|log| log.iter().any(failed)).await.with_context(|| path.to_owned())?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_instead_of_an_answer_is_a_502_that_is_logged_under_its_decision() -> Result<()> {
    let upstream = RawUpstream::start(no_answer)?;
    let mut platform = platform(upstream.address()).await?;
    for path in NO_ANSWERS {
        is_a_502(&mut platform, path).await?;
        platform.serves_everybody().await?;
    }
    let arrived = upstream.captured();
    for path in NO_ANSWERS {
        assert!(arrived.iter().any(|request| request.path == path), "{path} never arrived: that shows nothing");
    }
    platform.keeps_its_secrets(&arrived).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_refuses_the_connection_is_a_502_until_it_is_back() -> Result<()> {
    let port = ClosedPort::new()?;
    let mut platform = platform(port.address()?).await?;
    for path in ["/first", "/second"] {
        is_a_502(&mut platform, path).await?;
    }
    let upstream = port.open(|_| fine())?;
    platform.serves_everybody().await?;
    platform.keeps_its_secrets(&upstream.captured()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_breaks_off_for_the_tenant_and_nobody_else() -> Result<()> {
    let broken = Arc::new(Semaphore::new(0));
    let until = Arc::clone(&broken);
    let upstream = RawUpstream::start(move |request| {
        let head = match request.path.as_str() {
            "/promised" | "/closed" => "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbegun",
            "/chunked" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n",
            "/bad-chunk" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\nno length\r\n",
            _ => return fine(),
        };
        let end = if request.path == "/closed" { Act::Close } else { Act::Reset };
        vec![Act::send(head), Act::Await(Arc::clone(&until)), end]
    })?;
    let mut platform = platform(upstream.address()).await?;
    for path in ["/promised", "/closed", "/chunked", "/bad-chunk"] {
        let fetch = Fetch::get(format!("{API}{path}")).header(MADE_BY, "acme");
        let response = platform.chain.stream("acme", &fetch, "GET", Body::empty()).await?;
        assert_eq!(response.status(), 200, "{path}");
        let mut body = response.into_body();
        let first = body.frame().await.context("no body")??;
        assert_eq!(first.data_ref().map(|data| &data[..]), Some(&b"begun"[..]), "{path}");
        // While it stands still, others are served.
        platform.serves_everybody().await?;
        broken.add_permits(1);
        assert!(body.collect().await.is_err(), "{path}: half a body must not look whole");
        platform.serves_everybody().await?;
    }
    platform.keeps_its_secrets(&upstream.captured()).await
}

/// An answer whose headers are all shorter than the secrets is not looked through: what is just as long must be, and what is
/// dropped whatever it says.
#[tokio::test]
async fn an_answer_of_short_headers_shows_nothing_that_must_not_come_back() -> Result<()> {
    let upstream = RawUpstream::start(|request| {
        let (status_text, header) = match request.path.as_str() {
            "/status-text" => (API_KEY, String::new()),
            "/as-long" => ("OK", format!("x-shown: {API_KEY}\r\n")),
            "/cookie" => ("OK", "set-cookie: a=1\r\n".to_owned()),
            "/cookie-of-cgi" => ("OK", "Set_Cookie: a=1\r\n".to_owned()),
            "/ours" => ("OK", "tidegate-reason: rule\r\n".to_owned()),
            "/ours-of-cgi" => ("OK", "Tidegate_Reason: rule\r\n".to_owned()),
            _ => ("OK", "x-shown: yes\r\n".to_owned()),
        };
        vec![Act::send(format!("HTTP/1.1 200 {status_text}\r\n{header}etag: \"e\"\r\ncontent-length: 4\r\n\r\nfine"))]
    })?;
    let mut platform = platform(upstream.address()).await?;
    let cases = [
        ("/status-text", "***", None),
        ("/as-long", "OK", Some("***")),
        ("/cookie", "OK", None),
        ("/cookie-of-cgi", "OK", None),
        ("/ours", "OK", None),
        ("/ours-of-cgi", "OK", None),
        ("/nothing", "OK", Some("yes")),
    ];
    for (path, status_text, shown) in cases {
        let outcome = platform.fetch("acme", Fetch::get(format!("{API}{path}"))).await?;
        assert_eq!(outcome.status_text.as_deref(), Some(status_text), "{path}: {outcome:?}");
        let of_harness = |name: &str| name == "content-length" || name.starts_with("x-harness-");
        let headers = outcome.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = headers.filter(|(name, _)| !of_harness(name)).collect();
        let expected: Vec<_> = [("etag", "\"e\"")].into_iter().chain(shown.map(|value| ("x-shown", value))).collect();
        assert_eq!(headers, expected, "{path}");
        assert_eq!(outcome.body, "fine", "{path}");
    }
    platform.keeps_its_secrets(&upstream.captured()).await
}

/// An upstream that never answers at `/hangs`, and at `/until` when the test says so.
fn hanging(until: &Arc<Semaphore>) -> Result<RawUpstream> {
    let until = Arc::clone(until);
    RawUpstream::start(move |request| match request.path.as_str() {
        "/hangs" => vec![Act::Hang],
        "/until" => [vec![Act::Await(Arc::clone(&until))], fine()].concat(),
        _ => fine(),
    })
}

async fn arrived(upstream: &RawUpstream, path: &str) {
    while !upstream.captured().iter().any(|request| request.path == path) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_gives_up_on_an_upstream_that_hangs_frees_it_and_all_others_are_served() -> Result<()> {
    let until = Arc::new(Semaphore::new(0));
    let upstream = hanging(&until)?;
    let mut platform = platform(upstream.address()).await?;
    let fetch = Fetch::get(format!("{API}/hangs")).header(MADE_BY, "acme").until("https://open.example.com/until");
    let outcome = {
        let chain = &platform.chain;
        let (outcome, ()) = tokio::join!(chain.fetch("acme", fetch), async {
            arrived(&upstream, "/hangs").await;
            arrived(&upstream, "/until").await;
            until.add_permits(1);
        });
        outcome?
    };
    assert!(outcome.error.as_deref().is_some_and(|error| error.contains("Abort")), "{outcome:?}");
    upstream.hung_up().await?;
    platform.serves_everybody().await?;
    let arrived: Vec<_> = upstream.captured().into_iter().filter(|request| request.path != "/until").collect();
    platform.keeps_its_secrets(&arrived).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_on_an_upstream_that_hangs_frees_it_and_all_others_are_served() -> Result<()> {
    let upstream = hanging(&Arc::new(Semaphore::new(0)))?;
    let mut platform = platform(upstream.address()).await?;
    // By hand: the runtime takes a reset for a hang-up, and a half-closed connection for a client that still listens.
    let mut client = TcpStream::connect(platform.chain.address()).await?;
    let fetch = serde_json::to_string(&Fetch::get(format!("{API}/hangs")).header(MADE_BY, "acme"))?;
    let request = format!("GET /stream HTTP/1.1\r\nhost: acme.apps.example\r\nx-fetch: {fetch}\r\n\r\n");
    client.write_all(request.as_bytes()).await?;
    arrived(&upstream, "/hangs").await;
    platform.serves_everybody().await?;
    client.set_zero_linger()?;
    drop(client);
    upstream.hung_up().await?;
    platform.serves_everybody().await?;
    platform.keeps_its_secrets(&upstream.captured()).await
}
