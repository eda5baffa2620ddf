//! Cloudflare's own client, unmodified, in the versions that the platform is held to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::api::ACCOUNT;
use crate::local::LocalPlatform;
use crate::paths::repository;

/// A command takes about a second; one that asks a question that nobody answers takes for ever.
const PATIENCE: Duration = Duration::from_secs(90);

/// An installed `wrangler`.
#[derive(Clone, Debug)]
pub struct Wrangler {
    version: &'static str,
    node: PathBuf,
    script: PathBuf,
}

/// A folder with the files of one Worker, in which `wrangler` is run against one platform.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
    wrangler: Wrangler,
    api: String,
    token: String,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    command: String,
    status: ExitStatus,
    output: String,
}

/// A command under way; it is killed when this goes.
#[derive(Debug)]
pub struct Followed {
    command: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Wrangler {
    /// 4.86.0, on this machine's Node: the one that deploys the outbound Worker.
    pub fn v4_86() -> Result<Self> {
        Self::installed("4.86.0", &repository(), PathBuf::from("node"))
    }

    /// 4.164.0, on a Node of its own.
    pub fn v4_164() -> Result<Self> {
        let folder = repository().join("tests/e2e/clients");
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let os = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        let node = folder.join(format!("node_modules/node-{os}-{arch}/bin/node"));
        // npm has none for Macs with an ARM processor; there the machine's own must do.
        let node = if node.is_file() { node } else { PathBuf::from("node") };
        Self::installed("4.164.0", &folder, node)
    }

    /// All of them.
    pub fn all() -> Result<[Self; 2]> {
        Ok([Self::v4_86()?, Self::v4_164()?])
    }

    fn installed(version: &'static str, folder: &Path, node: PathBuf) -> Result<Self> {
        let package = folder.join("node_modules/wrangler");
        let manifest = package.join("package.json");
        let text = fs::read_to_string(&manifest)
            .with_context(|| format!("{}: run `cargo xtask tools`", manifest.display()))?;
        let found: serde_json::Value = serde_json::from_str(&text)?;
        ensure!(found["version"] == version, "{} is {}, not {version}", package.display(), found["version"]);
        Ok(Self { version, node, script: package.join("bin/wrangler.js") })
    }

    /// Its version.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// An empty folder, from which it manages a platform.
    pub fn project(&self, platform: &LocalPlatform) -> Result<Project> {
        let folder = TempDir::with_prefix("tidegate-e2e-").context("cannot make a temporary folder")?;
        fs::create_dir(folder.path().join("home"))?;
        let api = platform.api();
        Ok(Project { folder, wrangler: self.clone(), api: api.base(), token: api.token().to_owned() })
    }
}

impl Project {
    /// Where its files lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// From now on it shows another token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Writes a file, over one that is there.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> Result<&Self> {
        let path = self.folder().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(self)
    }

    /// Runs a command that must succeed.
    pub async fn run(&self, arguments: &[&str]) -> Result<Ran> {
        self.run_in(".", arguments, "").await?.well()
    }

    /// The same, with something to read.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Result<Ran> {
        self.run_in(".", arguments, input).await?.well()
    }

    /// Runs a command that must fail.
    pub async fn run_badly(&self, arguments: &[&str]) -> Result<Ran> {
        self.run_in(".", arguments, "").await?.badly()
    }

    /// Runs a command in a folder beneath the project's; it may do as it likes.
    pub async fn run_in(&self, folder: &str, arguments: &[&str], input: &str) -> Result<Ran> {
        let command_line = format!("wrangler {}", arguments.join(" "));
        let mut child = self.start(folder, arguments)?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let stdin = child.stdin.take();
        let input = input.to_owned();
        let ran = async move {
            if let Some(mut stdin) = stdin {
                // It need not read it.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            child.wait_with_output().await
        };
        let Ok(output) = tokio::time::timeout(PATIENCE, ran).await else {
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            bail!("`{command_line}` had not ended after {PATIENCE:?}");
        };
        let output = output?;
        let both = [output.stdout, output.stderr].concat();
        let said = without_colours(&String::from_utf8_lossy(&both));
        Ok(Ran { command: command_line, status: output.status, output: said })
    }

    /// Starts a command that goes on until it is stopped.
    pub fn follow(&self, arguments: &[&str]) -> Result<Followed> {
        let mut child = self.start(".", arguments)?;
        let stdout = child.stdout.take().context("it has no output")?;
        let command = format!("wrangler {}", arguments.join(" "));
        Ok(Followed { command, child, lines: BufReader::new(stdout).lines(), said: Vec::new() })
    }

    fn start(&self, folder: &str, arguments: &[&str]) -> Result<Child> {
        let mut command = Command::new(&self.wrangler.node);
        command
            .arg(&self.wrangler.script)
            .args(arguments)
            .current_dir(self.folder().join(folder))
            .envs([
                ("CLOUDFLARE_API_BASE_URL", self.api.as_str()),
                ("CLOUDFLARE_API_TOKEN", &self.token),
                ("CLOUDFLARE_ACCOUNT_ID", ACCOUNT),
                ("WRANGLER_SEND_METRICS", "false"),
                // The banner comes with a look at the registry for updates.
                ("WRANGLER_HIDE_BANNER", "true"),
                ("npm_config_registry", "http://127.0.0.1:9"),
                ("CI", "1"),
                ("NO_COLOR", "1"),
            ])
            .env("HOME", self.folder().join("home"))
            .env("XDG_CONFIG_HOME", self.folder().join("home/config"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().with_context(|| format!("cannot start {}", self.wrangler.node.display()))
    }
}

impl Followed {
    /// Waits until it prints a line that holds a text; gives the line.
    pub async fn says(&mut self, text: &str) -> Result<String> {
        let reading = async {
            while let Some(line) = self.lines.next_line().await? {
                let line = without_colours(&line);
                self.said.push(line.clone());
                if line.contains(text) {
                    return Ok(line);
                }
            }
            let mut last_words = String::new();
            if let Some(mut stderr) = self.child.stderr.take() {
                stderr.read_to_string(&mut last_words).await?;
            }
            bail!("it ended: {}", without_colours(&last_words))
        };
        let said = tokio::time::timeout(PATIENCE, reading).await.map_err(anyhow::Error::from).flatten();
        said.with_context(|| format!("`{}` did not say `{text}`:\n{}", self.command, self.said.join("\n")))
    }

    /// All lines that were read.
    pub fn said(&self) -> &[String] {
        &self.said
    }

    /// Ends it as Ctrl-C does, and waits.
    pub async fn interrupt(mut self) -> Result<()> {
        let group = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("it has ended")?;
        kill_process_group(group, Signal::INT)?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("it did not end")??;
        Ok(())
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(group) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Ran {
    /// What it printed, on both ways.
    pub fn output(&self) -> &str {
        &self.output
    }

    /// What it printed, without line breaks and the spaces around them: `wrangler` wraps what it prints.
    pub fn words(&self) -> String {
        self.output.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// It must have printed something.
    pub fn said(&self, text: &str) -> Result<&Self> {
        ensure!(self.words().contains(text), "`{}` did not say `{text}`:\n{}", self.command, self.output);
        Ok(self)
    }

    /// It must not have printed something.
    pub fn did_not_say(&self, text: &str) -> Result<&Self> {
        ensure!(!self.words().contains(text), "`{}` said `{text}`:\n{}", self.command, self.output);
        Ok(self)
    }

    /// It must have succeeded.
    pub fn well(self) -> Result<Self> {
        ensure!(self.status.success(), "`{}` ended with {}:\n{}", self.command, self.status, self.output);
        Ok(self)
    }

    /// It must have failed.
    pub fn badly(self) -> Result<Self> {
        ensure!(!self.status.success(), "`{}` succeeded:\n{}", self.command, self.output);
        Ok(self)
    }
}

/// Errors are coloured whatever `NO_COLOR` says.
fn without_colours(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |plain, piece| plain + piece.split_once('m').map_or(piece, |(_, rest)| rest))
}
