//! What holds for every command.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use crate::support::Folder;

#[test]
fn what_is_not_built_yet_says_so_whatever_its_arguments() {
    let folder = Folder::new();
    for command in ["fmt", "completions"] {
        for args in [&[command][..], &[command, "--policy", "a.toml", "-x", "GET", "https://a.example/"]] {
            folder.run(args).ends(3).says(&format!("`tidegate {command}` is not built yet"), "tidegate help");
        }
    }
}

#[test]
fn unknown_commands_and_flags_are_usage_errors() {
    let folder = Folder::new();
    for args in [
        &["chekc"][..],
        &["check"],
        &["check", "--bogus", "a.toml"],
        &["compile", "a.toml"],
        &["decide", "GET", "https://a.example/"],
        &["decide", "--policy", "a.toml"],
        &["decide", "--policy", "a.toml", "GET"],
        &["decide", "--policy", "a.toml", "--requests", "r.jsonl", "GET", "https://a.example/"],
        &["decide", "--policy", "a.toml", "--at", "tomorrow", "GET", "https://a.example/"],
        &["decide", "--policy", "a.toml", "--header", "x", "GET", "https://a.example/"],
        &["decide", "--policy", "a.toml", "--expect", "maybe", "GET", "https://a.example/"],
        &["keys", "new"],
        &["keys", "new", "--alg", "HS256"],
        &["keys", "jwks"],
        &["check", "a.toml", "--format", "xml"],
        &[],
    ] {
        let run = folder.run(args).ends(2);
        assert_eq!(run.stdout, "", "{args:?}");
        assert!(run.stderr.contains("--help") || run.stderr.contains("Usage:"), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn help_and_version_are_answers() {
    let folder = Folder::new();
    let help = folder.run(&["--help"]).ends(0);
    for command in ["init", "check", "compile", "build", "inspect", "decide", "dev", "explain", "test", "doctor"] {
        assert!(help.stdout.contains(command), "{command}");
    }
    assert_eq!(folder.run(&["--version"]).ends(0).stdout, format!("tidegate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = Folder::with_policy();
    folder.write("requests.jsonl", "{\"url\":\"https://api.example.com/\"}\n".repeat(20_000));
    let mut child = folder
        .command(&["decide", "--policy", "policy.toml", "--requests", "requests.jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    drop(stdout);
    let mut stderr = String::new();
    child.stderr.take().expect("stderr").read_to_string(&mut stderr).expect("stderr");
    assert_eq!(child.wait().expect("ends").code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let folder = Folder::with_policy();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let args = ["decide", "--policy", "policy.toml", "--format", "json", "GET", "https://api.example.com/"];
    let output = folder.command(&args).stdout(full).output().expect("runs");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to stdout"));
}
