//! Keeps one workerd running: starts it, tells it of changes, and replaces it when it ends or hangs.
//!
//! workerd runs all JavaScript on one thread, so a Worker that never yields stops all in its process, and nothing but a
//! kill helps. The supervisor asks for a sign of life four times a second; if none comes within [`PATIENCE`], nor to a second
//! question, it kills the process and starts another on the same listening socket, so that connections wait and are not
//! refused. One that ended is replaced at once. One that ended before it gave any sign of life would end again: then
//! there is a pause, which grows.
//!
//! A Worker that hangs keeps the processor busy. A workerd that is served little of it, on a crowded machine, is slow
//! and not hung: where the system says what it has worked, that must come to [`PATIENCE`] as well.

use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::admin::{AdminError, ask};
use super::output::Output;
use super::process::{Process, Start};
use super::{Event, Inner, RuntimeError, config};
use crate::store::Change;
use crate::worker::{Scope, ScriptKey};

/// How long workerd may be silent before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How long it has for the second question, which tells a workerd that hangs from a supervisor that was held up itself.
const SECOND_PATIENCE: Duration = Duration::from_secs(1);

/// How long it may be silent in any case: it may be stopped, or wait for what never comes.
const LONGEST_PATIENCE: Duration = Duration::from_secs(30);

/// How often it is asked for a sign of life.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// How long requests under way may take to finish when the platform is stopped.
const GRACE: Duration = Duration::from_secs(2);

/// How long the last lines of a process that has ended may take to get here.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// The pause after a start that came to nothing; each that follows is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The signals by which others end a process.
const SENT_BY_OTHERS: [i32; 2] = [Signal::KILL.as_raw(), Signal::TERM.as_raw()];

/// As many are named at most.
const SUSPECTS: usize = 16;

/// Changes to be told, and who waits for it.
pub(super) type Told = (Arc<[Change]>, oneshot::Sender<()>);

/// What the supervisor is told by others.
pub(super) struct Inbox {
    pub(super) changes: mpsc::UnboundedReceiver<Told>,
    pub(super) stop: oneshot::Receiver<()>,
}

/// A change, as `js/isolates.js` reads it.
#[derive(Serialize)]
struct Message {
    key: String,
    version: Option<String>,
}

impl From<&Change> for Message {
    fn from(change: &Change) -> Self {
        Self { key: key(&change.key), version: change.version.clone() }
    }
}

/// What the Workers call a script.
pub(super) fn key(script: &ScriptKey) -> String {
    let scope = match script.scope {
        Scope::Account => "account".to_owned(),
        Scope::Namespace(row) => row.0.to_string(),
    };
    format!("{scope}/{}", script.name)
}

#[derive(Deserialize)]
struct Pong {
    running: Vec<String>,
}

/// When a process was asked, and what it had worked by then.
struct Asked {
    at: Instant,
    worked: Option<Duration>,
}

impl Asked {
    fn of(process: &Process) -> Self {
        Self { at: Instant::now(), worked: process.worked() }
    }

    /// Whether the process had all the time that it may take.
    fn was_enough(&self, process: &Process) -> bool {
        let worked = self.worked.zip(process.worked()).map(|(before, now)| now.saturating_sub(before));
        worked.is_none_or(|worked| worked >= PATIENCE) || self.at.elapsed() >= LONGEST_PATIENCE
    }
}

/// What ended a process.
enum End {
    Asked,
    Hung,
    /// How it ended, and whether somebody else killed it.
    Exited {
        reason: String,
        killed: bool,
    },
}

impl End {
    fn of(status: std::io::Result<ExitStatus>) -> Self {
        match status {
            Err(error) => Self::Exited { reason: error.to_string(), killed: true },
            Ok(status) => {
                // An exhausted heap is another signal; the system's own killer of processes is no judge of whose fault it is.
                let sent = |signal| SENT_BY_OTHERS.contains(&signal);
                let killed = status.code().is_some() || status.signal().is_some_and(sent);
                Self::Exited { reason: status.to_string(), killed }
            }
        }
    }
}

/// Of one process among those that serve, and of those that take its place.
pub(super) struct Supervisor {
    inner: Arc<Inner>,
    /// Which of the processes.
    number: usize,
    inbox: Inbox,
    output: Arc<Output>,
    pid: watch::Sender<Option<u32>>,
    started: u64,
    /// What workerd was not told yet; it is told again until it says that it heard.
    untold: Vec<Told>,
    /// The user Workers that were running at the last sign of life, and before them those that began since.
    running: Vec<String>,
    /// The scripts that workerd knows to rest.
    resting: Vec<String>,
    /// Whether this process ever gave a sign of life.
    has_answered: bool,
}

/// How long to wait before workerd is started once more: longer with each time that it did not come to life.
#[derive(Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        pause.min(LONGEST_PAUSE)
    }
}

impl Supervisor {
    /// Of the process of a number; `pid` is told which process that is at the time.
    pub(super) fn new(inner: Arc<Inner>, number: usize, inbox: Inbox, pid: watch::Sender<Option<u32>>) -> Self {
        let output = Arc::new(Output::new(inner.mark.clone(), inner.events.clone()));
        Self {
            inner,
            number,
            inbox,
            output,
            pid,
            started: 0,
            untold: Vec::new(),
            running: Vec::new(),
            resting: Vec::new(),
            has_answered: false,
        }
    }

    /// Starts a workerd that serves.
    pub(super) async fn start(&mut self) -> Result<Process, RuntimeError> {
        self.started += 1;
        let inner = &self.inner;
        let start = Start {
            workerd: &inner.options.workerd,
            config: &inner.config,
            inherited: Some((config::FRONT, &inner.listener)),
            sockets: config::ADMINS.into_iter().zip(self.sockets()).collect(),
            output: Some(Arc::clone(&self.output)),
        };
        let process = Process::start(start).await?;
        self.pid.send_replace(Some(process.pid()));
        Ok(process)
    }

    /// Runs until it is asked to stop.
    pub(super) async fn run(mut self, mut process: Process) {
        let mut backoff = Backoff::default();
        loop {
            self.has_answered = false;
            let end = self.watch(&mut process).await;
            if matches!(end, End::Asked) {
                process.finish(GRACE).await;
            } else {
                process.kill().await;
            }
            self.pid.send_replace(None);
            let pid = process.pid();
            match end {
                End::Asked => return,
                End::Exited { reason, .. } if !self.has_answered => {
                    let pause = backoff.next();
                    self.output.emit(Event::Down { reason: format!("it ended at once: {reason}"), pause });
                    if !self.wait(pause).await {
                        return;
                    }
                }
                End::Hung => {
                    backoff = Backoff::default();
                    let running = self.running_at_the_end();
                    self.output.emit(Event::Hung { pid, invocations: self.readable(&running) });
                    self.strike(&running);
                }
                End::Exited { reason, killed } => {
                    backoff = Backoff::default();
                    // Its last words may still be in the pipe.
                    sleep(LAST_WORDS).await;
                    let running = self.running_at_the_end();
                    self.output.emit(Event::Restarted { pid, reason, invocations: self.readable(&running) });
                    if !killed {
                        self.strike(&running);
                    }
                }
            }
            process = match self.start_again(&mut backoff).await {
                Some(process) => process,
                None => return,
            };
        }
    }

    /// Starts a workerd, as often as it takes. None, if it is asked to stop.
    async fn start_again(&mut self, backoff: &mut Backoff) -> Option<Process> {
        loop {
            // The next process begins with what the store says, and these changes are in it.
            while let Ok(told) = self.inbox.changes.try_recv() {
                self.untold.push(told);
            }
            self.acknowledge();
            let error = match self.start().await {
                Ok(process) => return Some(process),
                Err(error) => error,
            };
            // workerd itself cannot be started: perhaps memory is short for the moment.
            let pause = backoff.next();
            self.output.emit(Event::Down { reason: error.to_string(), pause });
            if !self.wait(pause).await {
                return None;
            }
        }
    }

    /// Lets time pass while no workerd runs; whoever says meanwhile that something changed has nobody to wait for. False, if
    /// it is asked to stop.
    async fn wait(&mut self, pause: Duration) -> bool {
        self.acknowledge();
        let end = Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(end) => return true,
                Some((_, waiting)) = self.inbox.changes.recv() => drop(waiting.send(())),
                _ = &mut self.inbox.stop => return false,
            }
        }
    }

    /// Serves one process until it is over.
    async fn watch(&mut self, process: &mut Process) -> End {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked;
            let silent = tokio::select! {
                ended = process.ended() => return End::of(ended),
                _ = &mut self.inbox.stop => return End::Asked,
                Some(told) = self.inbox.changes.recv() => {
                    self.untold.push(told);
                    while let Ok(more) = self.inbox.changes.try_recv() {
                        self.untold.push(more);
                    }
                    asked = Asked::of(process);
                    self.tell().await
                }
                _ = heartbeat.tick() => {
                    asked = Asked::of(process);
                    let pinged = self.ping(PATIENCE).await;
                    self.has_answered |= pinged.is_ok();
                    match pinged {
                        Ok(()) => match self.tell_of_rests().await {
                            Ok(()) if self.untold.is_empty() => continue,
                            Ok(()) => self.tell().await,
                            failed => failed,
                        },
                        failed => failed,
                    }
                }
            };
            match silent {
                Ok(()) => {}
                Err(AdminError::Silent) => {
                    if let Some(end) = self.ask_again(process, &asked).await {
                        return end;
                    }
                }
                // It is ending, and `ended` will say so; if it is not, the next sign of life fails as well.
                Err(AdminError::Failed(_)) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Asks until it answers, or has had its time.
    async fn ask_again(&mut self, process: &Process, asked: &Asked) -> Option<End> {
        while matches!(self.ping(SECOND_PATIENCE).await, Err(AdminError::Silent)) {
            if self.inbox.stop.try_recv() != Err(TryRecvError::Empty) {
                return Some(End::Asked);
            }
            if asked.was_enough(process) {
                return Some(End::Hung);
            }
        }
        None
    }

    /// Tells workerd what it was not told yet; those who wait for it are told that it heard.
    async fn tell(&mut self) -> Result<(), AdminError> {
        let changes: Vec<Message> =
            self.untold.iter().flat_map(|(changes, _)| changes.iter()).map(Message::from).collect();
        let body = serde_json::to_vec(&changes).unwrap_or_default();
        for socket in self.sockets() {
            ask(&socket, Method::POST, "/changes", body.clone(), PATIENCE).await?;
        }
        self.acknowledge();
        Ok(())
    }

    /// Has workerd ask again for scripts that rest from now on, perhaps for what they did to another process.
    async fn tell_of_rests(&mut self) -> Result<(), AdminError> {
        let resting = self.inner.quarantine.resting(Instant::now().into_std());
        if resting.iter().any(|key| !self.resting.contains(key)) {
            let changes: Vec<Message> = resting.iter().map(|key| Message { key: key.clone(), version: None }).collect();
            let body = serde_json::to_vec(&changes).unwrap_or_default();
            for socket in self.sockets() {
                ask(&socket, Method::POST, "/changes", body.clone(), PATIENCE).await?;
            }
        }
        self.resting = resting;
        Ok(())
    }

    fn acknowledge(&mut self) {
        for (_, waiting) in self.untold.drain(..) {
            let _ = waiting.send(());
        }
    }

    async fn ping(&mut self, patience: Duration) -> Result<(), AdminError> {
        // What began before the question is in the answer, unless it is over.
        self.add_begun();
        let deadline = Instant::now() + patience;
        let mut running = Vec::new();
        for socket in self.sockets() {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = ask(&socket, Method::GET, "/ping", Vec::new(), left).await?;
            if let Ok(pong) = serde_json::from_slice::<Pong>(&answer) {
                running.extend(pong.running);
            }
        }
        self.running = running;
        Ok(())
    }

    /// The user Workers that may have ended the process, by their keys: the one that was called last is the likeliest.
    fn running_at_the_end(&mut self) -> Vec<String> {
        self.add_begun();
        let mut seen = HashSet::new();
        self.running.drain(..).filter(|key| seen.insert(key.clone())).collect()
    }

    /// Takes over what began since this was done last.
    fn add_begun(&mut self) {
        let begun = self.output.take_begun();
        if begun.alone {
            self.running.clear();
        }
        self.running.splice(0..0, begun.scripts);
    }

    /// The first of them, as people call them.
    fn readable(&self, running: &[String]) -> Vec<String> {
        running.iter().take(SUSPECTS).map(|key| self.inner.readable(key)).collect()
    }

    fn strike(&self, running: &[String]) {
        if let Some(script) = self.inner.quarantine.strike(running, Instant::now().into_std()) {
            self.output.emit(Event::Quarantined(self.inner.readable(script)));
        }
    }

    /// Where this process listens for us. Another one has others, so that none meets the leavings of the last.
    fn sockets(&self) -> [PathBuf; 2] {
        let Self { number, started, .. } = self;
        ["f", "g"].map(|name| self.inner.options.folder.join(format!("{name}{number}-{started}.sock")))
    }
}
