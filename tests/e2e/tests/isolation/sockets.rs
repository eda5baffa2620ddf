//! The platform's own sockets, and all that listens on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_platform::runtime::Egress;
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Tries `?to=` by every means of the runtime.
const CALLING: &str = include_str!("workers/calling.js");

/// Counts who connects, on loopback of both kinds, and answers each as an HTTP server does.
struct Canary {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Canary {
    async fn start() -> Result<Self> {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = v4.local_addr()?.port();
        let connections = Arc::new(AtomicUsize::new(0));
        // Not every machine has IPv6.
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
        for listener in std::iter::once(v4).chain(v6) {
            let connections = Arc::clone(&connections);
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(async move {
                        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                        let _ = stream.read(&mut [0; 1024]).await;
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\ncanary").await;
                    });
                }
            });
        }
        Ok(Self { port, connections })
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A platform whose requests go out to the internet.
async fn public() -> Result<Hosting> {
    let upstream = Upstream::start().await?;
    let options = Options { egress: Egress::Public, ..options(&upstream)? };
    Hosting::on(LocalPlatform::with(options).await?, upstream).await
}

/// The unix sockets that workerd was started with, and that of the control plane beside them.
#[cfg(target_os = "linux")]
fn unix_sockets(hosting: &Hosting) -> Result<Vec<String>> {
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", hosting.platform.pid()?))?;
    let mut sockets: Vec<String> =
        arguments.split('\0').filter_map(|argument| Some(argument.split_once("=unix:")?.1.to_owned())).collect();
    let folder = sockets.first().and_then(|first| first.rsplit_once('/')).context("a socket")?.0.to_owned();
    sockets.push(format!("{folder}/control.sock"));
    ensure!(sockets.len() == 3, "two of the supervisor's, and the control plane's: {sockets:?}");
    Ok(sockets)
}

#[tokio::test]
async fn nothing_that_listens_on_this_machine_is_reached_by_any_means_or_name() -> Result<()> {
    let hosting = public().await?;
    let canary = Canary::start().await?;
    let metadata = json!({ "compatibility_flags": ["nodejs_compat"], "compatibility_date": "2026-04-01" });
    hosting.user("hostile", CALLING, &metadata).await?;
    let api = hosting.platform.platform().api_address();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "127.0.0.1.",
        "127.255.255.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "ip6-localhost",
    ];
    let ports = [canary.port, api.port(), hosting.platform.address().port()];
    for host in hosts {
        for port in ports {
            let seen = hosting.json("hostile", &format!("/?host={host}&port={port}")).await?;
            all_refused(&seen).with_context(|| format!("{host}:{port}"))?;
            assert!(!seen.to_string().contains("/tg-"), "no path of the platform is told: {seen}");
        }
    }
    assert_eq!(canary.connections(), 0);
    // It counts whoever comes.
    TcpStream::connect((IpAddr::from(Ipv4Addr::LOCALHOST), canary.port)).await?;
    for _ in 0..500 {
        if canary.connections() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(canary.connections(), 1);

    // The same code reaches what it may: the same canary, where it stands for the internet.
    let canary = Canary::start().await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, canary.port));
    let hosting = Hosting::on(LocalPlatform::start(address).await?, Upstream::start().await?).await?;
    hosting.user("hostile", CALLING, &metadata).await?;
    let seen = hosting.json("hostile", &format!("/?host=example.com&port={}", canary.port)).await?;
    for means in ["fetch", "node:http"] {
        assert_eq!(seen[means], "reached 200 canary", "{seen}");
    }
    assert!(canary.connections() > 0);
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_unix_sockets_of_supervisor_and_control_plane_are_reached_by_no_url() -> Result<()> {
    let hosting = public().await?;
    let metadata = json!({ "compatibility_flags": ["nodejs_compat"], "compatibility_date": "2026-04-01" });
    hosting.user("hostile", CALLING, &metadata).await?;
    let classic = [
        "nodejs_compat",
        "enable_nodejs_http_modules",
        "fetch_treats_unknown_protocols_as_http",
        "url_original",
        "fetch_legacy_url",
    ];
    hosting
        .user("classic", CALLING, &json!({ "compatibility_flags": classic, "compatibility_date": "2024-10-01" }))
        .await?;
    let sockets = unix_sockets(&hosting)?;
    for path in &sockets {
        // They are there, for who has the folder.
        tokio::net::UnixStream::connect(path).await.with_context(|| path.clone())?;
        let encoded = path.replace('/', "%2F");
        let urls = [
            format!("unix:{path}"),
            format!("unix://{path}"),
            format!("http+unix://{encoded}/ping"),
            format!("http://unix:{path}:/ping"),
            format!("http://{encoded}/ping"),
            format!("file://{path}"),
        ];
        for url in urls {
            for worker in ["hostile", "classic"] {
                let seen =
                    hosting.json(worker, &format!("/?url={}", url.replace('%', "%25").replace('+', "%2B"))).await?;
                all_refused(&seen).with_context(|| url.clone())?;
            }
        }
    }
    for name in
        ["control", "gate", "front", "egress", "internet", "admin-gate", "admin-front", "platform", "tail", "kv"]
    {
        for path in ["ping", "changes", "worker/1/hostile", "entrance?host=x"] {
            let seen = hosting.json("hostile", &format!("/?url=http://{name}/{path}")).await?;
            all_refused(&seen).with_context(|| format!("http://{name}/{path}"))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_names_the_platforms_services_as_its_host_meets_the_dispatch_worker() -> Result<()> {
    let hosting = Hosting::start().await?;
    hosting.user("acme", &saying("acme is here"), &json!({})).await?;
    for host in [
        "control",
        "gate",
        "admin-gate",
        "platform",
        "egress",
        "[::1]:1",
        "127.0.0.1",
        "a b",
        "control:80",
        "..",
        "%2e",
    ] {
        for path in ["/ping", "/changes", "/worker/1/acme", "/kv/x/keys"] {
            let (status, body) = hosting.platform.get(host, path).await?;
            assert!(status >= 400 && !body.contains("running"), "{host}{path}: {status}: {body}");
        }
    }
    assert_eq!(hosting.text("acme", "/ping").await?, "acme is here");
    Ok(())
}

#[tokio::test]
async fn a_redirect_leads_to_no_other_place_than_a_request_does() -> Result<()> {
    let hosting = Hosting::start().await?;
    let canary = Canary::start().await?;
    let api = hosting.platform.platform().api_address();
    let code = r"
        export default {
          fetch: (request) => fetch(`https://api.example/${new URL(request.url).search}`).then(
            async (answer) => new Response(`${answer.status} ${await answer.text()}`), (error) => new Response(`refused: ${error.message}`)),
        };
    ";
    hosting.user("hostile", code, &json!({})).await?;
    for to in [
        format!("http://127.0.0.1:{}/", canary.port),
        format!("http://{api}/client/v4/user"),
        "http://control/ping".to_owned(),
    ] {
        let location = to.clone();
        hosting.upstream.on("https://api.example/", move |_| Reply::redirect(302, &location));
        assert_eq!(hosting.text("hostile", "/").await?, "200 hostile", "the answer is the upstream's, for {to}");
        let last = hosting.upstream.captured().pop().context("the hop")?;
        assert_eq!(format!("http://{}{}", last.host, last.path), to, "each hop is stamped, and goes where all goes");
        assert_eq!(last.header("x-stamped").as_deref(), Some("hostile"));
    }
    assert_eq!(canary.connections(), 0);
    for to in ["unix:/tmp/x", "file:///etc/passwd", "data:text/plain,x", "javascript:1"] {
        hosting.upstream.on("https://api.example/", move |_| Reply::redirect(302, to));
        let seen = hosting.text("hostile", "/").await?;
        assert!(seen.starts_with("refused"), "{to}: {seen}");
    }
    Ok(())
}

/// What workerd inherits is within reach of whoever breaks out of V8.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn workerd_inherits_nothing_of_the_platforms_environment() -> Result<()> {
    let hosting = Hosting::start().await?;
    assert!(std::env::var_os("PATH").is_some(), "the platform has an environment");
    let environment = std::fs::read(format!("/proc/{}/environ", hosting.platform.pid()?))?;
    // A shell sets these, whatever it inherits.
    let own = ["PWD=", "OLDPWD=", "SHLVL=", "_="];
    let environment = String::from_utf8_lossy(&environment);
    let inherited: Vec<&str> = environment
        .split('\0')
        .filter(|variable| !variable.is_empty() && !own.iter().any(|own| variable.starts_with(own)))
        .collect();
    assert_eq!(inherited, [""; 0]);
    Ok(())
}
