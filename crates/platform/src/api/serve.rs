//! Connections of clients: how many there may be, and for how long one may say nothing.
//!
//! A client costs a file descriptor, a task and what it has sent. Each of them is bounded, so that one that opens
//! connections without end, or sends its requests a byte at a time, keeps nobody else from being served:
//!
//! - At most [`Limits::connections`] are open, and never more than half of the descriptors that this process may have:
//!   the other half is for the store and for workerd. Further ones wait in the system's queue.
//! - A request's head must be there within [`Limits::head`], counted from the moment at which the connection could send
//!   one: this closes idle connections, too.
//! - A body must keep the [pace](super::body), and large ones wait for [room](super::room).

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::{Api, ApiError, Limits};

/// How long it waits when the system gives no connection, for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens, and serves until `shutdown` comes; then requests under way may still finish. Returns where it listens (which
/// port 0 does not say), and the task that serves. Aborting it closes all connections.
pub async fn serve(
    api: Api,
    address: SocketAddr,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(SocketAddr, JoinHandle<()>), ApiError> {
    let failed = |source| ApiError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let limits = api.limits.clone();
    Ok((address, tokio::spawn(accept(listener, api.router(), limits, shutdown))))
}

async fn accept(listener: TcpListener, router: Router, limits: Limits, shutdown: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(connections(limits.connections)));
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            // It is never closed.
            let turn = Arc::clone(&room).acquire_owned().await.ok();
            (turn, listener.accept().await)
        };
        let (turn, accepted) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
        };
        // What is over need not be kept.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let serving = serve_one(stream, router.clone(), limits.head, stopped.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(turn);
                });
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
    drop(listener);
    drop(stop);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection until it is over, or until the request that is under way when `stopped` comes.
async fn serve_one(stream: TcpStream, router: Router, head: Duration, mut stopped: watch::Receiver<()>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        // What fails is this connection.
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// As many as are asked for, and at most half of what this process may have open.
fn connections(most: usize) -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = files.map_or(usize::MAX, |files| usize::try_from(files / 2).unwrap_or(usize::MAX));
    most.min(half).clamp(1, Semaphore::MAX_PERMITS)
}
