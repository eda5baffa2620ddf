//! Where every request arrives that a policy lets out: a server on loopback that keeps the last one's head and answers with nothing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_platform::runtime::{CF_HEADER, SCHEME_HEADER};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// More than the headers of any request that is let out.
const LONGEST: usize = 512 << 10;

/// The server. It ends with the runtime that it was started in.
pub(super) struct Upstream {
    address: SocketAddr,
    last: Arc<Mutex<Option<Arrived>>>,
}

/// The head of a request that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Upstream {
    /// Begins to listen.
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let last = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&last);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                // One that breaks off is none that arrived.
                tokio::spawn(async move { serve(stream, &kept).await });
            }
        });
        Ok(Self { address, last })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What arrived last, once.
    pub(super) fn take(&self) -> Option<Arrived> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Arrived {
    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let header = |line: &str| {
            line.split_once(':')
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
        };
        Some(Self { path, headers: lines.filter_map(header).collect() })
    }

    /// The URL that was fetched.
    pub(super) fn url(&self) -> String {
        let one = |name| self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str());
        format!("{}://{}{}", one(SCHEME_HEADER), one("host"), self.path)
    }

    /// The headers, without those in which the platform says scheme and `cf`.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| ![SCHEME_HEADER, CF_HEADER].contains(name))
    }

    /// The values of a header, joined; `None` if it did not arrive.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self.headers().filter(|(own, _)| *own == name).map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

async fn serve(mut stream: TcpStream, kept: &Mutex<Option<Arrived>>) -> io::Result<()> {
    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if head.len() > LONGEST || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    *kept.lock().unwrap_or_else(PoisonError::into_inner) = Arrived::parse(&String::from_utf8_lossy(&head[..end]));
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_was_fetched() {
        let head = "GET /a?b HTTP/1.1\r\nHost: a.example:8080\r\nX-Tidegate-Scheme: https\r\nX-A: 1\r\nx-a:  2 \r\n";
        let arrived = Arrived::parse(head).unwrap();
        assert_eq!(arrived.url(), "https://a.example:8080/a?b");
        assert_eq!((arrived.header("x-a").as_deref(), arrived.header("x-b")), (Some("1, 2"), None));
        assert_eq!(arrived.header(SCHEME_HEADER), None);
    }
}
