//! A folder to work in, and the binary.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A policy that uses most of what a decision can show.
pub(crate) const POLICY: &str = r#"
policy = 1

[identity]
customer = "customer_name"
tags     = "customer_tags"

[customers.acme]
vars = { plan = "gold" }

[keys.platform]
alg    = "ES256"
secret = "TIDEGATE_KEY_PLATFORM"
kid    = "2026-11"
issuer = "https://platform.example"

[[rule]]
id      = "no-admin"
effect  = "deny"
domains = ["api.example.com"]
paths   = ["/**/admin"]

[[rule]]
id      = "api"
effect  = "allow"
hosts   = ["api.example.com"]
remove  = ["x-debug"]
set     = { x-tenant = "{customer}", x-api-key = "{secret.API_KEY}" }
jwt     = { key = "platform", audience = "https://api.example.com", ttl = "5m", claims = { plan = "{vars.plan}" } }

[[rule]]
id      = "campaign"
effect  = "allow"
hosts   = ["campaign.example.com"]
expires = 2026-12-31

[[rule]]
id      = "watched"
effect  = "deny"
mode    = "report"
domains = ["campaign.example.com"]
"#;

/// A folder that goes away with its test.
pub(crate) struct Folder(tempfile::TempDir);

/// What a run of the binary left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A folder with [`POLICY`] in `policy.toml`.
    pub(crate) fn with_policy() -> Self {
        let folder = Self::new();
        folder.write("policy.toml", POLICY);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Everything in the folder and beneath, by name, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        fn visit(root: &Path, folder: &Path, names: &mut Vec<String>) {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    visit(root, &path, names);
                } else {
                    names.push(path.strip_prefix(root).expect("beneath").display().to_string());
                }
            }
        }
        let mut names = Vec::new();
        visit(self.0.path(), self.0.path(), &mut names);
        names.sort();
        names
    }

    /// Runs the binary in another folder.
    pub(crate) fn run_in(&self, folder: &Path, args: &[&str]) -> Run {
        let output = self.command(args).current_dir(folder).stdin(Stdio::null()).output().expect("runs");
        Run {
            code: output.status.code().expect("no signal"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
        }
    }

    /// Runs the binary here.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.run_with_input(args, b"")
    }

    /// Runs the binary here with something on stdin.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Run {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("runs");
        let mut stdin = child.stdin.take().expect("stdin");
        let input = input.to_vec();
        // Beside the reading: neither side may wait for the other.
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().expect("ends");
        writer.join().expect("written");
        Run {
            code: output.status.code().expect("no signal"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
        }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(args).current_dir(self.0.path()).env("NO_COLOR", "1");
        let settings = ["ACCOUNT", "CACHE_DIR", "DATA", "OUT", "POLICY", "TOKEN", "WORKER", "WORKERD"];
        for name in settings.map(|name| format!("TIDEGATE_{name}")) {
            command.env_remove(name);
        }
        command
    }
}

impl Run {
    /// The run must end so.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Stdout as JSON, one value a line.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// An error of the tool says what and the way out, and nothing on stdout.
    #[track_caller]
    pub(crate) fn says(&self, what: &str, way_out: &str) {
        assert!(self.stderr.contains(what), "no `{what}` in:\n{}", self.stderr);
        assert!(self.stderr.contains(way_out), "no `{way_out}` in:\n{}", self.stderr);
        assert_eq!(self.stdout, "");
    }
}
