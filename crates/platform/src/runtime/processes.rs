//! The workerd processes that serve, one or several.
//!
//! workerd runs all JavaScript on one thread; several processes use several cores. All accept on the one listening
//! socket, so whichever is free takes the next connection, a process that hangs takes none, and none is refused while one
//! is being replaced. A connection stays with the process that took it, and so does all that a request sets off:
//! invocations, their parameters and their counts are within one process.
//!
//! ```text
//!                      ┌─ supervisor 0 ── workerd: front, gate, isolates of its own ─┐
//!   apply, stop, pids ─┼─ supervisor 1 ── workerd: front, gate, isolates of its own ─┼─ the listening socket
//!                      └─ …                                                          ┘
//! ```
//!
//! The processes share the store and nothing else. Each has a supervisor, which knows of no other one: a change is told to
//! each, and has been made when each of them has heard, or has begun anew with what the store says.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::supervisor::{Inbox, Supervisor, Told};
use super::{Inner, RuntimeError};
use crate::store::Change;

/// Processes that serve, with their supervisors. Dropping it kills them.
pub(super) struct Processes {
    changes: Vec<mpsc::UnboundedSender<Told>>,
    pids: Vec<watch::Receiver<Option<u32>>>,
    running: Mutex<Running>,
}

/// What [`stop`](Processes::stop) takes. The tasks go with the set, and each process with its task.
#[derive(Default)]
struct Running {
    stop: Vec<oneshot::Sender<()>>,
    supervisors: JoinSet<()>,
}

impl Processes {
    /// Starts so many and waits until all of them listen.
    pub(super) async fn start(inner: &Arc<Inner>, count: NonZeroUsize) -> Result<Self, RuntimeError> {
        let mut processes = Self { changes: Vec::new(), pids: Vec::new(), running: Mutex::default() };
        let mut stop = Vec::new();
        let supervisors: Vec<_> = (0..count.get())
            .map(|number| {
                let (changes, inbox) = mpsc::unbounded_channel();
                let (asked, stopped) = oneshot::channel();
                let (pid, now) = watch::channel(None);
                processes.changes.push(changes);
                processes.pids.push(now);
                stop.push(asked);
                Supervisor::new(Arc::clone(inner), number, Inbox { changes: inbox, stop: stopped }, pid)
            })
            .collect();
        let started = try_join_all(supervisors.into_iter().map(|mut supervisor| async {
            let process = supervisor.start().await?;
            Ok((supervisor, process))
        }));
        let mut running = Running { stop, supervisors: JoinSet::new() };
        for (supervisor, process) in started.await? {
            running.supervisors.spawn(supervisor.run(process));
        }
        processes.running = Mutex::new(running);
        Ok(processes)
    }

    /// Tells all which versions are current; comes back when that is what new requests run in every one of them.
    pub(super) async fn apply(&self, changes: &[Change]) {
        let changes: Arc<[Change]> = changes.into();
        let tell = |process: &mpsc::UnboundedSender<Told>| {
            let (done, heard) = oneshot::channel();
            // It fails when the platform is being stopped: the next one begins with what the store says.
            process.send((Arc::clone(&changes), done)).ok().map(|()| heard)
        };
        // Each is told before any is waited for.
        let waiting: Vec<_> = self.changes.iter().filter_map(tell).collect();
        for heard in waiting {
            let _ = heard.await;
        }
    }

    /// The process ids of those that run now, always in the same order.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.pids.iter().filter_map(|pid| *pid.borrow()).collect()
    }

    /// Ends all at once: requests under way may finish within a short grace.
    pub(super) async fn stop(&self) {
        let Running { stop, mut supervisors } =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        drop(stop);
        while supervisors.join_next().await.is_some() {}
    }
}
