//! One workerd process.

use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::RuntimeError;
use super::output::Output;

/// workerd is ready within 50 ms on an idle machine; a crowded one may need longer.
const START: Duration = Duration::from_mins(1);

/// Numbers under which workerd finds the file descriptors that it inherits.
const CONTROL_FD: i32 = 3;
const LISTEN_FD: i32 = 4;

/// Every Unix has it.
const SHELL: &str = "/bin/sh";

/// As much of a line as is kept: tenants write to the same pipe.
const LONGEST_LINE: usize = 64 * 1024;

/// What a process is started with.
pub(super) struct Start<'s> {
    /// The binary.
    pub(super) workerd: &'s Path,
    /// The config file.
    pub(super) config: &'s Path,
    /// A socket that it inherits listening, and its name in the config.
    pub(super) inherited: Option<(&'s str, &'s OwnedFd)>,
    /// Sockets that it opens, by their names in the config, and the paths that they get.
    pub(super) sockets: Vec<(&'s str, PathBuf)>,
    /// Who is told each line that it writes.
    pub(super) output: Option<Arc<Output>>,
}

/// As many files as workerd may have open: a thousand requests at once are some two thousand sockets there.
const OPEN_FILES: u64 = 8192;

/// A running workerd; killed when this is dropped, and when this program ends in whatever way.
pub(super) struct Process {
    child: Child,
    _guard: Guard,
    pid: u32,
}

impl Process {
    /// Starts it, and waits until it listens on all of its sockets.
    pub(super) async fn start(start: Start<'_>) -> Result<Self, RuntimeError> {
        let failed = |context: &str| {
            let context = context.to_owned();
            move |source| RuntimeError::Io { context, source }
        };
        raise_limit_of_open_files();
        let (mut events, control) = std::io::pipe().map_err(failed("cannot make a pipe"))?;
        // The shell becomes workerd, under the same number, when it is told to: once there is a guard over it. Should this
        // program be killed before, it is told nothing and ends.
        let mut command = Command::new(SHELL);
        command
            .args(["-c", "read -r _ && exec \"$0\" \"$@\" </dev/null"])
            .arg(start.workerd)
            .args(["serve", "--experimental"])
            .arg(start.config)
            .arg(format!("--control-fd={CONTROL_FD}"))
            // It runs strangers' code: what this program was started with, tokens perhaps, is nothing for it.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut mappings = vec![FdMapping { parent_fd: control.into(), child_fd: CONTROL_FD }];
        if let Some((name, listener)) = start.inherited {
            command.arg(format!("--socket-fd={name}={LISTEN_FD}"));
            let copy = listener.as_fd().try_clone_to_owned().map_err(failed("cannot pass the listening socket on"))?;
            mappings.push(FdMapping { parent_fd: copy, child_fd: LISTEN_FD });
        }
        for (name, path) in &start.sockets {
            let _ = std::fs::remove_file(path);
            command.arg(format!("--socket-addr={name}=unix:{}", path.display()));
        }
        command.fd_mappings(mappings).map_err(|error| RuntimeError::Start(error.to_string()))?;
        let mut child = command.spawn().map_err(failed("cannot start workerd"))?;
        // Our copy of the pipe's other end goes with the command.
        drop(command);
        let pid = child.id().unwrap_or_default();
        let guard = Guard::over(pid, start.config.parent()).map_err(failed("cannot start a guard over workerd"))?;
        if let Some(mut told) = child.stdin.take() {
            told.write_all(b"go\n").await.map_err(failed("cannot start workerd"))?;
        }
        let (said, mut first_words) = mpsc::unbounded_channel();
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(collect(stdout, start.output.clone(), said.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(collect(stderr, start.output, said));
        }
        let sockets = start.sockets.len() + usize::from(start.inherited.is_some());
        let listening = tokio::task::spawn_blocking(move || {
            // It blocks until workerd has said enough, or has ended.
            let mut text = String::new();
            let mut buffer = [0; 1024];
            while text.matches("\"listen\"").count() < sockets {
                match events.read(&mut buffer) {
                    Ok(0) | Err(_) => return false,
                    Ok(read) => text.push_str(&String::from_utf8_lossy(buffer.get(..read).unwrap_or_default())),
                }
            }
            true
        });
        let mut process = Self { child, _guard: guard, pid };
        if matches!(tokio::time::timeout(START, listening).await, Ok(Ok(true))) {
            return Ok(process);
        }
        process.kill().await;
        let mut words = Vec::new();
        while let Ok(Some(line)) = tokio::time::timeout(Duration::from_millis(200), first_words.recv()).await {
            words.push(line);
        }
        Err(RuntimeError::Start(words.join("\n")))
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The processor time that it has used, where the system says it. The first of workerd's threads runs all JavaScript.
    pub(super) fn worked(&self) -> Option<Duration> {
        // Nanoseconds on a processor, nanoseconds in wait for one, turns (Linux, `Documentation/scheduler/sched-stats.rst`).
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.pid)).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }

    /// Waits until it ends.
    pub(super) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once.
    pub(super) async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }

    /// Asks it to finish what is under way, for as long as `grace`; then ends it.
    pub(super) async fn finish(&mut self, grace: Duration) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(grace, self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }
}

/// Kills workerd when this program is killed itself and can do nothing more: a shell that waits for a pipe to close. It
/// takes away the folder of sockets and configs, too.
struct Guard {
    shell: std::process::Child,
}

impl Guard {
    fn over(pid: u32, folder: Option<&Path>) -> std::io::Result<Self> {
        let shell = std::process::Command::new(SHELL)
            // It must survive a Ctrl-C that is meant for all of the terminal's processes.
            .args(["-c", &format!("trap '' INT TERM HUP; read -r _; kill -9 {pid}; rm -rf -- \"$@\""), SHELL])
            .args(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { shell })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // workerd is gone by now, or goes with this: its number must not be killed once it is another's.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Lets workerd, which inherits the limit of this process, open more files than the few hundred of many systems.
fn raise_limit_of_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < enough) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(enough), maximum: limit.maximum });
    }
}

/// Passes lines on; the first of them also to whom asks why the process did not start.
async fn collect(stream: impl AsyncRead + Unpin, output: Option<Arc<Output>>, said: mpsc::UnboundedSender<String>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut told = 0;
    loop {
        let Ok(chunk) = stream.fill_buf().await else { return };
        if chunk.is_empty() {
            return;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        let room = LONGEST_LINE.saturating_sub(line.len());
        line.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
        let used = end.map_or(chunk.len(), |end| end + 1);
        stream.consume(used);
        if end.is_some() {
            let text = String::from_utf8_lossy(&line).into_owned();
            if told < 50 {
                told += 1;
                let _ = said.send(text.clone());
            }
            if let Some(output) = &output {
                output.hear(text);
            }
            line.clear();
        }
    }
}
