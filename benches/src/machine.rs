//! What was measured on, and with what.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The machine, and the versions of what ran on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// GiB.
    pub(crate) memory: usize,
    pub(crate) system: String,
    /// Names and versions of tools and peers.
    pub(crate) versions: Vec<(String, String)>,
    /// The day, as ISO 8601 has it.
    pub(crate) day: String,
    /// Of Tidegate.
    pub(crate) commit: String,
}

/// The peers whose versions are told.
const PEERS: [&str; 9] =
    ["adblock", "aho-corasick", "cedar-policy", "fst", "globset", "hashbrown", "regex", "regorus", "rsmarisa"];

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor =
            cpu.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(": ")?.1.to_owned()));
        let memory =
            fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib(&text, "MemTotal")).unwrap_or_default();
        let mut versions = vec![
            ("rustc".to_owned(), said("rustc", &["--version"]).replace("rustc ", "")),
            ("Node".to_owned(), said("node", &["--version"])),
        ];
        let lock = include_str!("../Cargo.lock");
        versions.extend(PEERS.iter().map(|peer| ((*peer).to_owned(), locked(lock, peer))));
        Self {
            processor: processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: memory >> 30,
            system: said("uname", &["-sr"]),
            versions,
            day: said("date", &["-u", "+%Y-%m-%d"]),
            commit: said("git", &["describe", "--always", "--dirty", "--exclude", "*"]),
        }
    }
}

/// A size from a process's status (proc(5)), such as `VmHWM`, in bytes.
pub(crate) fn status(process: &str, key: &str) -> Option<usize> {
    kib(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, key)
}

/// Reads `Key:   123 kB`.
fn kib(text: &str, key: &str) -> Option<usize> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(value.trim().strip_suffix(" kB")?.parse::<usize>().ok()? << 10)
}

/// The newest version of a package in a lock.
fn locked(lock: &str, package: &str) -> String {
    let head = format!("name = \"{package}\"\nversion = \"");
    let versions =
        lock.match_indices(&head).map(|(at, _)| lock[at + head.len()..].split('"').next().unwrap_or_default());
    versions.last().unwrap_or("unknown").to_owned()
}

/// The first line that a program says, or nothing.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_bytes() {
        assert_eq!(kib("VmHWM:\t  12 kB\nVmRSS:\t 3 kB\n", "VmRSS"), Some(3 << 10));
        assert_eq!(kib("VmHWM:\t  12 kB\n", "VmRSS"), None);
    }
}
