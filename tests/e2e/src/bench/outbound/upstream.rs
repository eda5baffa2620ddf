//! The upstream of the benchmark: it reads up to the end of a head and writes the same answer each time, with a thread for each
//! connection, so that what it takes from the processors is little and the same for all.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nserver: upstream\r\ndate: Sun, 22 Nov 2026 12:00:00 GMT\r\n\
    content-type: application/json\r\ncache-control: max-age=60\r\netag: \"5f3c\"\r\ncontent-length: 26\r\n\r\n\
    {\"items\":[1,2,3],\"next\":2}";
const END: &[u8] = b"\r\n\r\n";

/// It ends with this process.
pub(super) struct Upstream {
    address: SocketAddr,
    heads: Heads,
}

/// First requests of connections, in the order in which these were made.
type Heads = Arc<Mutex<Vec<Vec<u8>>>>;

impl Upstream {
    /// Starts it on a free port.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen on loopback")?;
        let address = listener.local_addr()?;
        let heads = Heads::default();
        let kept = Arc::clone(&heads);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let heads = Arc::clone(&kept);
                std::thread::spawn(move || serve(connection, &heads));
            }
        });
        Ok(Self { address, heads })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The head of the request that came first on the connection that was made last.
    pub(super) fn last_head(&self) -> Option<String> {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.last().map(|head| String::from_utf8_lossy(head).into_owned())
    }
}

fn serve(mut connection: TcpStream, heads: &Heads) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let (mut received, mut is_first) = (Vec::new(), true);
    let mut chunk = [0; 4096];
    loop {
        let length = connection.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        received.extend_from_slice(&chunk[..length]);
        // No request has a body.
        if received.ends_with(END) {
            if std::mem::take(&mut is_first) {
                heads.lock().unwrap_or_else(PoisonError::into_inner).push(received.clone());
            }
            received.clear();
            connection.write_all(ANSWER)?;
        }
    }
}
