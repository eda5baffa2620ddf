//! What asks the session to end: Ctrl-C, a supervisor, a terminal that goes away.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// The longest that an end in order takes. It takes longer where the session waits for a reader of its output that has
/// stopped reading, a pager for one; then the process ends all the same, and workerd with it.
const LONGEST: Duration = Duration::from_secs(8);

/// The exit code of an end that was not in order.
const CUT_SHORT: i32 = 3;

/// Hears when somebody asks.
#[derive(Debug)]
pub(super) struct Stop(mpsc::UnboundedReceiver<()>);

impl Stop {
    /// From here on signals end nothing by themselves.
    pub(super) fn listen() -> io::Result<Self> {
        let [mut interrupt, mut terminate, mut hangup] =
            [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
        let (sender, asked) = mpsc::unbounded_channel();
        // A task of its own: the session may be stuck in a write.
        tokio::spawn(async move {
            any(&mut interrupt, &mut terminate, &mut hangup).await;
            let _ = sender.send(());
            tokio::select! {
                () = any(&mut interrupt, &mut terminate, &mut hangup) => {
                    let _ = sender.send(());
                    sleep(LONGEST).await;
                }
                () = sleep(LONGEST) => {}
            }
            std::process::exit(CUT_SHORT);
        });
        Ok(Self(asked))
    }

    /// Somebody asks; a second time, if this is called a second time.
    pub(super) async fn asked(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

async fn any(one: &mut Signal, other: &mut Signal, third: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
        _ = third.recv() => {}
    }
}
