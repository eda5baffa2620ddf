//! What runs out, and clients that hold on to it: descriptors, the disk, connections that say nothing. Others are served.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit, setrlimit};
use serde_json::json;
use tidegate_e2e::{ApiClient, Part, Session};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const TOKEN: &str = "a-token-for-pressure-and-nothing-else";

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(120);

/// Calls the user Worker that the first label of the host names.
const DISPATCHER: &str = r#"
export default {
  fetch(request, env) {
    return env.DISPATCHER.get(new URL(request.url).hostname.split(".")[0]).fetch(request);
  },
};
"#;

/// Echoes WebSockets, keeps what is put, reads bodies to their end.
const USER: &str = r#"
export default {
  async fetch(request, env) {
    if (request.headers.get("upgrade") === "websocket") {
      const { 0: theirs, 1: ours } = new WebSocketPair();
      ours.accept();
      ours.addEventListener("message", ({ data }) => ours.send(data));
      return new Response(null, { status: 101, webSocket: theirs });
    }
    if (request.method === "PUT") {
      try {
        await env.KV.put("key", await request.text());
      } catch (error) {
        return new Response(error.message, { status: 507 });
      }
    }
    return new Response(`TEXT ${await env.KV.get("key")}`);
  },
};
"#;

/// A platform in a process of its own, with a user Worker `acme`.
struct Running {
    session: Session,
    api: ApiClient,
    kv: String,
}

impl Running {
    /// Starts it behind a shell that first does something.
    async fn start(first: &str) -> Result<Self> {
        let args = ["--port", "0", "--api-port", "0", "--token", TOKEN];
        let Ok(session) = Session::of(Session::command_after(first, &args)?).await? else { bail!("it did not start") };
        let api = session.api(TOKEN)?;
        api.create_namespace("customers").await?;
        let kv = api.json("POST", "storage/kv/namespaces", &json!({ "title": "values" })).await?.result()?;
        let kv = kv["id"].as_str().context("no id")?.to_owned();
        let running = Self { session, api, kv };
        let binding = json!({ "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "customers" });
        running.deploy("workers/scripts/dispatcher", DISPATCHER, binding).await?;
        running.user("before").await?;
        Ok(running)
    }

    async fn deploy(&self, path: &str, code: &str, binding: serde_json::Value) -> Result<()> {
        let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": [binding] });
        self.api.upload(path, &metadata, &[Part::module("index.js", code)]).await?.result().map(drop)
    }

    async fn user(&self, text: &str) -> Result<()> {
        let binding = json!({ "type": "kv_namespace", "name": "KV", "namespace_id": self.kv });
        let path = "workers/dispatch/namespaces/customers/scripts/acme";
        self.deploy(path, &USER.replace("TEXT", text), binding).await
    }

    /// What the user Worker answers.
    async fn text(&self) -> Result<String> {
        let (status, text) =
            timeout(LONG, self.session.get("acme.apps.example", "/")).await.context("nobody is served")??;
        ensure!(status == 200, "{status}: {text}");
        Ok(text)
    }

    async fn api_answers(&self) -> Result<()> {
        let answer = timeout(LONG, self.api.get("workers/dispatch/namespaces")).await.context("the API is silent")?;
        answer?.result().map(drop)
    }

    fn api_address(&self) -> Result<SocketAddr> {
        let url = self.session.ready["api"].as_str().context("no API")?;
        Ok(url.split('/').nth(2).context("no address")?.parse()?)
    }

    fn workerd(&self) -> Result<i64> {
        self.session.ready["workerd"]["pid"]
            .as_i64()
            .or_else(|| self.session.ready["workerd"]["pids"][0].as_i64())
            .with_context(|| format!("no workerd: {}", self.session.ready))
    }
}

/// Sends some bytes, and no more.
async fn begin(to: SocketAddr, bytes: impl AsRef<[u8]>) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(bytes.as_ref()).await?;
    Ok(stream)
}

/// The processor time of a process, in hundredths of a second (proc(5)).
fn worked(pid: i64) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    Ok(fields[12].parse::<u64>()? + fields[13].parse::<u64>()?)
}

fn open_files(pid: i64) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// This process opens both ends of nothing, and one end of much.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_are_descriptors_neither_end_nor_busy_it_and_then_all_are_served() -> Result<()> {
    allow_many_files();
    let running = Running::start("ulimit -n 256").await?;
    let platform = i64::from(running.session.pid()?.as_raw_nonzero().get());
    let (workers, api) = (running.session.address()?, running.api_address()?);
    let mut held = Vec::new();
    for _ in 0..400 {
        held.push(begin(api, b"").await?);
        held.push(begin(workers, b"GET / HTTP/1.1\r\n").await?);
    }
    let workerd = running.workerd()?;
    let before = (worked(platform)?, worked(workerd).unwrap_or_default());
    sleep(Duration::from_secs(3)).await;
    let spent = (worked(platform)? - before.0, worked(workerd).unwrap_or(before.1).saturating_sub(before.1));
    println!("in three seconds the platform worked {} ms, workerd {} ms", spent.0 * 10, spent.1 * 10);
    assert!(spent.0 < 100, "the platform is busy with nothing: {} ms in 3 s", spent.0 * 10);
    drop(held);
    running.api_answers().await?;
    assert_eq!(running.text().await?, "before null");
    running.user("after").await?;
    assert_eq!(running.text().await?, "after null");
    println!("workerd {}", if worked(workerd).is_ok() { "is the same" } else { "was replaced" });
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_workers_that_send_slowly_or_no_http_keep_nobody_else_from_being_served() -> Result<()> {
    allow_many_files();
    let running = Running::start("true").await?;
    let workers = running.session.address()?;
    let mut held = Vec::new();
    let host = "Host: acme.apps.example\r\n";
    for _ in 0..100 {
        held.push(begin(workers, b"").await?);
        held.push(begin(workers, format!("GET / HTTP/1.1\r\n{host}X-Half: ")).await?);
        held.push(begin(workers, format!("PUT / HTTP/1.1\r\n{host}Content-Length: 1000\r\n\r\nx")).await?);
        held.push(begin(workers, vec![0; 10_000]).await?);
        held.push(begin(workers, format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(100_000))).await?);
        held.push(begin(workers, format!("GET / HTTP/1.1\r\n{host}\r\ngarbage\r\n\r\n")).await?);
    }
    for _ in 0..20 {
        assert_eq!(running.text().await?, "before null");
    }
    running.user("after").await?;
    assert_eq!(running.text().await?, "after null");
    // A head that never ends is given up.
    let began = std::time::Instant::now();
    let mut half = begin(workers, format!("GET / HTTP/1.1\r\n{host}X-Half: ")).await?;
    let mut answer = Vec::new();
    let _ = timeout(LONG, half.read_to_end(&mut answer)).await.context("half a head is waited for without end")?;
    println!("workerd gave half a head up after {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: acme.apps.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A text frame of the letter `a`, masked with zeroes.
const FRAME: [u8; 7] = [0x81, 0x81, 0, 0, 0, 0, b'a'];

#[tokio::test(flavor = "multi_thread")]
async fn web_sockets_whose_clients_vanish_or_stop_reading_cost_nobody_else_anything() -> Result<()> {
    allow_many_files();
    let running = Running::start("true").await?;
    let workers = running.session.address()?;
    let workerd = running.workerd()?;
    assert_eq!(running.text().await?, "before null");
    let before = open_files(workerd)?;
    let (mut silent, mut reset) = (Vec::new(), Vec::new());
    for number in 0..200 {
        let mut socket = begin(workers, UPGRADE).await?;
        let mut head = [0; 12];
        timeout(LONG, socket.read_exact(&mut head)).await.context("no answer")??;
        ensure!(&head == b"HTTP/1.1 101", "{}", String::from_utf8_lossy(&head));
        // Nobody reads the echoes.
        let _ = timeout(Duration::from_secs(1), socket.write_all(&FRAME.repeat(1000))).await;
        if number % 2 == 0 { silent.push(socket) } else { reset.push(socket) }
    }
    assert_eq!(running.text().await?, "before null");
    for socket in reset {
        socket.set_zero_linger()?;
    }
    for _ in 0..20 {
        assert_eq!(running.text().await?, "before null");
    }
    running.user("after").await?;
    assert_eq!(running.text().await?, "after null");
    drop(silent);
    for _ in 0..500 {
        if open_files(workerd)? <= before + 20 {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    bail!("workerd had {before} files open, and has {} when all have gone", open_files(workerd)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_writes_say_so_all_else_goes_on_and_with_room_again_so_do_they() -> Result<()> {
    // Files have no room to grow: as on a full disk, each write that needs some fails.
    let running = Running::start("trap '' XFSZ").await?;
    let put = async |text: &str| {
        let path = format!("storage/kv/namespaces/{}/values/key", running.kv);
        running.api.send("PUT", &path, Some("text/plain"), text.into()).await
    };
    put("kept").await?.result()?;
    assert_eq!(running.text().await?, "before kept");
    let room = |bytes: Option<u64>| limit_files(running.session.pid()?, bytes);
    room(Some(0))?;
    for _ in 0..3 {
        let refused = put("lost").await?;
        assert_eq!((refused.status, refused.code()?), (500, 10002));
        assert!(refused.message()?.contains("make room in the data folder"), "{}", refused.message()?);
        let refused = running.user("after").await.expect_err("it was taken").to_string();
        assert!(refused.contains("10002") && refused.contains("make room"), "{refused}");
        let refused = running.api.json("POST", "workers/dispatch/namespaces", &json!({ "name": "other" })).await?;
        assert_eq!((refused.status, refused.code()?), (500, 10002));
        assert_eq!(running.text().await?, "before kept");
        running.api_answers().await?;
    }
    let mut by_worker = begin(
        running.session.address()?,
        "PUT / HTTP/1.1\r\nHost: acme.apps.example\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlost",
    )
    .await?;
    let mut answer = String::new();
    timeout(LONG, by_worker.read_to_string(&mut answer)).await.context("no answer")??;
    assert!(answer.starts_with("HTTP/1.1 507"), "the Worker is told, too: {answer}");
    room(None)?;
    assert_eq!(running.text().await?, "before kept");
    put("new").await?.result()?;
    running.user("after").await?;
    assert_eq!(running.text().await?, "after new");
    running.session.signal(Signal::TERM)?;
    assert_eq!(running.session.ended().await?.code(), Some(0));
    Ok(())
}

/// Says how large the files of a process may become.
fn limit_files(process: Pid, bytes: Option<u64>) -> Result<()> {
    prlimit(Some(process), Resource::Fsize, Rlimit { current: bytes, maximum: None })?;
    Ok(())
}
