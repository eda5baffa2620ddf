//! Starts what was uploaded before it is accepted: in a workerd of its own, so that code that hangs or exhausts memory
//! while it starts costs nobody else anything.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::admin::{AdminError, ask};
use super::control::Candidates;
use super::process::{Process, Start};
use super::{RuntimeError, StartError, bundle, config};
use crate::store::Started;
use crate::worker::Code;

/// Cloudflare gives a script a second of CPU time to start in. Here it is time on the clock, of a crowded machine.
const LIMIT: Duration = Duration::from_secs(5);

/// As long as the answer may be: names of handlers, or a message. It is the candidate that makes it up.
const LONGEST_ANSWER: usize = 256 * 1024;

/// The process that starts candidates, one at a time: if one hangs, it is clear which.
pub(super) struct Checker {
    pub(super) workerd: PathBuf,
    pub(super) config: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) candidates: Candidates,
    pub(super) running: Mutex<Running>,
}

/// The process, and how many there were.
#[derive(Default)]
pub(super) struct Running {
    process: Option<Process>,
    started: u64,
    /// Whether it has seen a candidate.
    used: bool,
}

/// Why there is no answer.
enum Silence {
    NotStarted(RuntimeError),
    Hung,
    Dead(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Started(Started),
    Message(String),
}

impl Checker {
    /// Has the process ready, so that the first upload need not wait for it.
    pub(super) async fn warm(self: Arc<Self>) -> Result<(), RuntimeError> {
        let mut running = self.running.lock().await;
        self.ready(&mut running).await.map(drop)
    }

    /// Starts code.
    pub(super) async fn check(&self, code: &Code) -> Result<Started, StartError> {
        let runtime = |error: &dyn std::fmt::Display| StartError::Runtime(error.to_string());
        let bytes = bundle::encode(code, "candidate", true, false).map_err(|error| runtime(&error))?;
        let name = Uuid::new_v4().simple().to_string();
        let mut running = self.running.lock().await;
        self.candidates.put(&name, bytes);
        let used = running.used;
        let mut answer = self.ask(&mut running, &name).await;
        // It may have been somebody else who killed the process, or an earlier candidate that left a loop behind. One that
        // ends or stops it itself does so to a process that has seen no other as well.
        let again = match &answer {
            Err(Silence::Dead(_)) => true,
            Err(Silence::Hung) => used,
            Ok(_) | Err(Silence::NotStarted(_)) => false,
        };
        if again {
            answer = self.ask(&mut running, &name).await;
        }
        self.candidates.remove(&name);
        let answer = answer.map_err(|silence| match silence {
            Silence::NotStarted(error) => runtime(&error),
            Silence::Hung => StartError::TooSlow,
            Silence::Dead(why) => StartError::Script(format!("Script startup exceeded memory limit. ({why})")),
        })?;
        if answer.len() > LONGEST_ANSWER {
            return Err(StartError::Script("its handlers, or what it threw, are too long to be told".to_owned()));
        }
        // What it says of itself passes through code of its own, and may be anything.
        match serde_json::from_slice(&answer) {
            Err(_) => Err(StartError::Script("the names of its handlers cannot be told".to_owned())),
            Ok(Outcome::Started(started)) => Ok(started),
            Ok(Outcome::Message(message)) => {
                let message = message.strip_prefix("Failed to start Worker:\n").unwrap_or(&message);
                Err(StartError::Script(message.to_owned()))
            }
        }
    }

    /// Has the process start a candidate. One that does not answer is not asked again: the next gets another process.
    async fn ask(&self, running: &mut Running, name: &str) -> Result<Bytes, Silence> {
        let socket = self.ready(running).await.map_err(Silence::NotStarted)?;
        running.used = true;
        let asked = ask(&socket, Method::POST, &format!("/{name}"), Vec::new(), LIMIT).await;
        if asked.is_err()
            && let Some(mut process) = running.process.take()
        {
            process.kill().await;
        }
        asked.map_err(|error| match error {
            AdminError::Silent => Silence::Hung,
            AdminError::Failed(why) => Silence::Dead(why),
        })
    }

    /// Starts the process unless it runs.
    async fn ready(&self, running: &mut Running) -> Result<PathBuf, RuntimeError> {
        if let Some(process) = &mut running.process
            && process.has_ended()
        {
            running.process = None;
        }
        if running.process.is_none() {
            running.started += 1;
            running.used = false;
            let start = Start {
                workerd: &self.workerd,
                config: &self.config,
                inherited: None,
                sockets: vec![(config::CHECK, self.socket(running.started))],
                // Nobody reads what code says that does not serve yet.
                output: None,
            };
            running.process = Some(Process::start(start).await?);
        }
        Ok(self.socket(running.started))
    }

    fn socket(&self, started: u64) -> PathBuf {
        self.folder.join(format!("c{started}.sock"))
    }
}
