//! An upstream below HTTP: what it does on the wire is scripted, act by act.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tidegate_platform::runtime::{CF_HEADER, SCHEME_HEADER};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::upstream::Captured;

/// What is done on a connection, in turn, after a request's head has arrived.
#[derive(Clone)]
pub enum Act {
    /// Bytes go out, whatever they are.
    Send(Vec<u8>),
    /// Nothing happens until the test gives a permit.
    Await(Arc<Semaphore>),
    /// The connection ends with a reset (`SO_LINGER` 0).
    Reset,
    /// The connection ends in good order.
    Close,
    /// Nothing happens any more, until the other end hangs up.
    Hang,
}

impl Act {
    /// Bytes go out.
    pub fn send(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Send(bytes.into())
    }
}

/// A free port that refuses connections, for as long as nobody opens it.
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    /// Reserves one on loopback.
    pub fn new() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).context("cannot reserve a port on loopback")?;
        Ok(Self(socket))
    }

    /// Where nobody listens.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.0.local_addr()?)
    }

    /// Listens. The script is told of each request; once it is played, the connection takes the next one.
    pub fn open(self, script: impl Fn(&Captured) -> Vec<Act> + Send + Sync + 'static) -> Result<RawUpstream> {
        let listener = self.0.listen(1024)?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { script: Box::new(script), captured: Mutex::default(), hung_up: Semaphore::new(0) });
        let server = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(RawUpstream { address, shared, server })
    }
}

/// A server on loopback that keeps requests and plays a script.
pub struct RawUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl RawUpstream {
    /// Starts it on a free port.
    pub fn start(script: impl Fn(&Captured) -> Vec<Act> + Send + Sync + 'static) -> Result<Self> {
        ClosedPort::new()?.open(script)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that arrived, in order of arrival.
    pub fn captured(&self) -> Vec<Captured> {
        self.shared.captured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until one more of the connections that hang was hung up by the other end.
    pub async fn hung_up(&self) -> Result<()> {
        self.shared.hung_up.acquire().await?.forget();
        Ok(())
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Script = Box<dyn Fn(&Captured) -> Vec<Act> + Send + Sync>;

struct Shared {
    script: Script,
    captured: Mutex<Vec<Captured>>,
    hung_up: Semaphore,
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // What a broken connection has to say is the other end's to report.
            let _ = serve(stream, &shared).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    while let Some(request) = read_request(&mut stream).await? {
        shared.captured.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        for act in (shared.script)(&request) {
            match act {
                Act::Send(bytes) => stream.write_all(&bytes).await?,
                Act::Await(permit) => permit.acquire().await?.forget(),
                Act::Reset => return Ok(stream.set_zero_linger()?),
                Act::Close => return Ok(stream.shutdown().await?),
                Act::Hang => {
                    while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
                    shared.hung_up.add_permits(1);
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// One request; `None` at the end of the connection. Requests here have no bodies.
async fn read_request(stream: &mut TcpStream) -> Result<Option<Captured>> {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(None);
        }
        head.extend_from_slice(&chunk[..read]);
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let mut captured = Captured { method, path, headers: lines.filter_map(pair).collect(), ..Captured::default() };
    captured.host = captured.header("host").unwrap_or_default();
    captured.scheme = captured.header(SCHEME_HEADER).unwrap_or_default();
    captured.cf = captured.header(CF_HEADER);
    captured.headers.retain(|(name, _)| ![SCHEME_HEADER, CF_HEADER].contains(&name.as_str()));
    Ok(Some(captured))
}
