//! A running `tidegate dev`: the command in a process of its own, and what it says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::api::{ACCOUNT, ApiClient};
use crate::client::Connection;
use crate::paths::repository;

/// The longest that something may take to be said.
const SAID: Duration = Duration::from_secs(30);

/// A session; killed when it is dropped.
pub struct Session {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The event `ready`.
    pub ready: Value,
}

/// What a run left that came to no session.
#[derive(Debug)]
pub struct Failed {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it said.
    pub stderr: String,
}

impl Session {
    /// Starts one on free ports.
    pub async fn start(args: &[&str]) -> Result<Self> {
        match Self::try_start(&[&["--port", "0", "--api-port", "0"], args].concat()).await? {
            Ok(session) => Ok(session),
            Err(failed) => bail!("it did not start: {failed:?}"),
        }
    }

    /// Starts one, or says why there is none.
    pub async fn try_start(args: &[&str]) -> Result<Result<Self, Failed>> {
        Self::of(Self::command(args)?).await
    }

    /// The command that starts one.
    pub fn command(args: &[&str]) -> Result<Command> {
        let mut command = Command::new(program()?);
        command
            .args(["dev", "--format", "json", "--account", ACCOUNT, "--worker"])
            .arg(repository().join("build/worker"))
            .args(args);
        Ok(command)
    }

    /// The same behind a shell that first does something: `ulimit -n 256`.
    pub fn command_after(first: &str, args: &[&str]) -> Result<Command> {
        let command = Self::command(args)?;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{first}; exec \"$0\" \"$@\"")]);
        shell.arg(command.as_std().get_program()).args(command.as_std().get_args());
        Ok(shell)
    }

    /// Starts one by a command.
    pub async fn of(mut command: Command) -> Result<Result<Self, Failed>> {
        let mut child = command
            .current_dir(repository())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        match next(&mut lines).await? {
            Some(ready) if ready["event"] == "ready" => Ok(Ok(Self { child, lines, ready })),
            Some(other) => bail!("the first event is {other}"),
            None => {
                let mut stderr = String::new();
                child.stderr.take().context("no stderr")?.read_to_string(&mut stderr).await?;
                Ok(Err(Failed { code: child.wait().await?.code(), stderr }))
            }
        }
    }

    /// The next event of a kind; others are passed over.
    pub async fn event(&mut self, kind: &str) -> Result<Value> {
        loop {
            let event = next(&mut self.lines).await?.with_context(|| format!("it ended before `{kind}`"))?;
            if event["event"] == kind {
                return Ok(event);
            }
        }
    }

    /// The API, with a token.
    pub fn api(&self, token: &str) -> Result<ApiClient> {
        let base = self.ready["api"].as_str().context("no API")?;
        Ok(ApiClient::new(address(base)?, token))
    }

    /// The API, with the token that the session made.
    pub fn api_with_new_token(&self) -> Result<ApiClient> {
        self.api(self.ready["token"].as_str().context("no new token")?)
    }

    /// Where the Workers are.
    pub fn address(&self) -> Result<SocketAddr> {
        address(self.ready["workers"].as_str().context("no Workers")?)
    }

    /// What a host answers: status and body.
    pub async fn get(&self, host: &str, path: &str) -> Result<(u16, String)> {
        let request = Request::builder().uri(path).header("host", host).body(Body::empty())?;
        let answer = Connection::open(self.address()?).await?.send(request).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// Its process.
    pub fn pid(&self) -> Result<Pid> {
        let pid = i32::try_from(self.child.id().context("it has ended")?)?;
        Pid::from_raw(pid).context("no process id")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.pid()?, signal)?)
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        Ok(timeout(SAID, self.child.wait()).await.context("it does not end")??)
    }
}

impl Failed {
    /// It could not work, and says what is in the way and the way out.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn says(&self, what: &str, way_out: &str) {
        assert_eq!(self.code, Some(3), "{self:?}");
        assert!(self.stderr.contains(what) && self.stderr.contains(way_out), "{self:?}");
    }
}

/// `tidegate` as this build has it: Cargo puts the program of this package beside its tests.
fn program() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("no target folder")?;
    Ok(folder.join(format!("tidegate-under-test{}", std::env::consts::EXE_SUFFIX)))
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Option<Value>> {
    let line = timeout(SAID, lines.next_line()).await.context("nothing is said")??;
    line.map(|line| serde_json::from_str(&line).with_context(|| format!("no JSON: {line}"))).transpose()
}

fn address(url: &str) -> Result<SocketAddr> {
    let rest = url.strip_prefix("http://").with_context(|| format!("no URL: {url}"))?;
    Ok(rest.split('/').next().unwrap_or(rest).parse()?)
}
