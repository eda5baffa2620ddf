//! The commands that documents show work, and answer as shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).expect("a copy");
        }
    }
}

/// Writes the files that a document shows, each in a block behind `<!-- file: NAME -->`; says how many.
fn write_files(document: &str, folder: &Path) -> usize {
    let mut written = 0;
    for part in document.split("<!-- file: ").skip(1) {
        let (name, rest) = part.split_once(" -->").expect("a name");
        let (_, block) = rest.split_once("\n```").expect("a block");
        let (_, text) = block.split_once('\n').expect("a language");
        let (text, _) = text.split_once("```\n").expect("the end of the block");
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
        written += 1;
    }
    written
}

/// Runs in a copy; `TRYCMD=overwrite` then writes what is answered back into the document itself.
#[test]
fn the_guide_is_as_the_commands_answer() {
    let guide = read("docs/guide.md");
    let folder = tempfile::tempdir().expect("a folder");
    let document = folder.path().join("guide.md");
    fs::write(&document, open_ended(&guide, "\n```", "\n\n```")).expect("a copy");
    let inside = folder.path().join("guide.in");
    assert!(write_files(&guide, &inside) > 5);
    copy(&repository().join("policies"), &inside.join("policies"));
    assert!(guide.matches("\n$ tidegate ").count() > 10);
    trycmd::TestCases::new().register_bin("tidegate", Path::new(TIDEGATE)).env("NO_COLOR", "1").case(&document).run();
    if std::env::var_os("TRYCMD").is_some_and(|what| what == "overwrite") {
        let guide = fs::read_to_string(&document).expect("the copy");
        fs::write(repository().join("docs/guide.md"), open_ended(&guide, "\n\n```", "\n```")).expect("the guide");
    }
}

/// Writes the ends of console blocks otherwise: trycmd takes a line break before the fence for none, so it wants an empty line
/// there, which nobody wants to read.
fn open_ended(document: &str, from: &str, to: &str) -> String {
    let mut blocks = document.split("```console\n");
    let mut text = blocks.next().unwrap_or_default().to_owned();
    for block in blocks {
        let at = block.find(from).expect("the end of a console block");
        text.push_str("```console\n");
        text.push_str(&block[..at]);
        text.push_str(to);
        text.push_str(&block[at + from.len()..]);
    }
    text
}

/// The lines of a document's shell blocks that call `tidegate`, but for those that need workerd.
fn shell_lines(document: &str) -> Vec<&str> {
    let blocks = document.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let lines = blocks.flat_map(str::lines).filter(|line| line.starts_with("tidegate "));
    lines.filter(|line| !line.starts_with("tidegate dev") && !line.contains("wrangler")).collect()
}

/// Runs lines one after the other, as somebody types them, in a folder with this repository's policies and a built Worker.
#[cfg(unix)]
fn run_lines(lines: &[&str], folder: &Path) {
    let worker = folder.join("build/worker");
    fs::create_dir_all(&worker).expect("a folder");
    fs::write(worker.join("index.js"), "export default {}").expect("a file");
    fs::write(worker.join("index_bg.wasm"), b"\0asm\x01\0\0\0").expect("a file");
    let programs = Path::new(TIDEGATE).parent().expect("a folder").display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    for line in lines {
        let output =
            Command::new("sh").args(["-c", line]).current_dir(folder).env("PATH", &path).output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`{line}` ended with {}:\n{said}", output.status);
    }
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_readme_work() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&repository().join("policies"), &folder.path().join("policies"));
    let readme = read("README.md");
    let lines = shell_lines(&readme);
    assert!(lines.len() >= 5, "{lines:?}");
    run_lines(&lines, folder.path());
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_policies_readme_work() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&repository().join("policies"), &folder.path().join("policies"));
    let readme = read("policies/README.md");
    let lines = shell_lines(&readme);
    assert_eq!(lines.len(), 2);
    run_lines(&lines, folder.path());
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_readme_that_init_writes_work() {
    let folder = tempfile::tempdir().expect("a folder");
    run_lines(&["tidegate init"], folder.path());
    let readme = fs::read_to_string(folder.path().join("README.md")).expect("a README");
    let lines = shell_lines(&readme);
    assert_eq!(lines.len(), 3, "{lines:?}");
    run_lines(&lines, folder.path());
}

/// What the worked policies promise: no finding, and no rule or alternative that no case met.
#[test]
fn the_worked_policies_are_tested_to_the_last_alternative() {
    let run =
        |arguments: &[&str]| Command::new(TIDEGATE).args(arguments).current_dir(repository()).output().expect("runs");
    for name in ["saas", "blocklist", "plans", "agent-sandbox", "rollout"] {
        let check = run(&[
            "check",
            &format!("policies/{name}.toml"),
            &format!("policies/{name}.test.toml"),
            "--format",
            "json",
        ]);
        assert_eq!(String::from_utf8_lossy(&check.stdout), "", "{name}: not even a warning");
        let test = run(&["test", &format!("policies/{name}.test.toml"), "--coverage", "--min-coverage", "100"]);
        let said = String::from_utf8_lossy(&[test.stdout, test.stderr].concat()).into_owned();
        assert!(test.status.success() && said.contains("100 %") && !said.contains("never"), "{name}:\n{said}");
    }
}
