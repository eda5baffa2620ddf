//! `tidegate init`.

use crate::support::Folder;

const MINIMAL: [&str; 2] = ["policies/policy.test.toml", "policies/policy.toml"];

/// A folder with the whole scaffold.
fn scaffold() -> Folder {
    let folder = Folder::new();
    folder.run(&["init"]).ends(0);
    folder
}

fn text(folder: &Folder, name: &str) -> String {
    String::from_utf8(folder.read(name)).expect("UTF-8")
}

#[test]
fn what_is_written_passes_check_test_and_doctor() {
    let folder = Folder::new();
    let run = folder.run(&["init"]).ends(0);
    let mut said: Vec<_> = run.stdout.lines().map(|line| line.trim_start_matches("./").to_owned()).collect();
    said.sort();
    assert_eq!(folder.names(), said, "every file is named");
    let check = folder.run(&["check", "policies/policy.toml", "policies/policy.test.toml", "--format", "json"]).ends(0);
    assert_eq!(check.stdout, "", "not even a warning");
    assert_eq!(folder.run(&["test"]).ends(0).stdout, "7 passed, 0 failed\n");
    let doctor = folder.run(&["doctor", "--policy", "policies/policy.toml"]).ends(0);
    for worker in ["dispatcher/wrangler.jsonc: dispatch Worker", "wrangler.toml: outbound Worker"] {
        assert!(doctor.stderr.contains(worker), "{}", doctor.stderr);
    }
}

#[test]
fn what_is_written_builds_with_the_worker_from_npm() {
    let folder = scaffold();
    let package = "node_modules/tidegate-worker";
    folder.write(&format!("{package}/worker/index.js"), "export default {}");
    folder.write(&format!("{package}/worker/index_bg.wasm"), b"\0asm\x01\0\0\0");
    folder.write(&format!("{package}/package.json"), format!("{{\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION")));
    folder.run(&["build"]).ends(0);
    let config: toml::Table = text(&folder, "wrangler.toml").parse().expect("TOML");
    assert_eq!(config["build"]["command"].as_str(), Some("tidegate build"));
    assert!(folder.path(config["main"].as_str().expect("main")).is_file(), "wrangler finds what was built");
}

#[test]
fn what_the_workflow_runs_works() {
    let folder = scaffold();
    folder.write("build/worker/index.js", "export default {}");
    folder.write("build/worker/index_bg.wasm", b"\0asm\x01\0\0\0");
    let workflow = text(&folder, ".github/workflows/policy.yml");
    let commands: Vec<_> = workflow.lines().filter_map(|line| line.trim().strip_prefix("- run: tidegate ")).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in commands {
        // What the shell does of itself.
        let command = command.replace("policies/*.toml", "policies/policy.toml policies/policy.test.toml");
        folder.run(&command.split_whitespace().collect::<Vec<_>>()).ends(0);
    }
}

#[test]
fn every_example_in_the_policy_is_one() {
    let folder = scaffold();
    // Examples are the lines that begin with `#` and no space.
    let with_examples: String = text(&folder, "policies/policy.toml")
        .lines()
        .filter(|line| !line.starts_with("#:"))
        .map(|line| match line.strip_prefix('#') {
            Some(example) if !example.is_empty() && !example.starts_with(' ') => format!("{example}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    // Modes and parameters that go together only in part.
    let with_examples = with_examples.replace("mode = \"enforce\"", "mode = \"report\"");
    folder.write("policies/policy.toml", with_examples);
    folder
        .write("policies/shared.toml", "[[rule]]\nid = \"shared\"\neffect = \"allow\"\nhosts = [\"shared.example\"]\n");
    folder.write("policies/lists/malware.txt", "0.0.0.0 malware.example\n");
    let run = folder.run(&["check", "policies/policy.toml", "--format", "json"]).ends(0);
    assert!(!run.stdout.contains("\"error\""), "{}", run.stdout);
}

#[test]
fn every_key_of_the_language_stands_in_the_policy() {
    let policy = text(&scaffold(), "policies/policy.toml");
    let documentation = include_str!("../../../../docs/policy.md");
    let mut keys = 0;
    // Tables of keys: `| `key` | …`.
    for line in documentation.lines() {
        let Some(cell) = line.strip_prefix("| `").and_then(|rest| rest.split(" | ").next()) else { continue };
        for key in cell.split('`').step_by(2) {
            let key = key.split([' ', '=']).next().unwrap_or(key).trim_start_matches('[').trim_end_matches(']');
            let key = key.split('.').next().unwrap_or(key);
            assert!(policy.contains(key), "`{key}` is not in the policy that `init` writes");
            keys += 1;
        }
    }
    assert!(keys > 20, "the documentation has tables of keys: {keys}");
}

#[test]
fn the_package_of_this_version_is_named() {
    let folder = scaffold();
    let version = env!("CARGO_PKG_VERSION");
    for name in ["package.json", "README.md"] {
        let text = text(&folder, name);
        assert!(text.contains(&format!("tidegate-worker-{version}.tgz")), "{name}");
        assert!(!text.contains("VERSION"), "{name}");
    }
    let package: serde_json::Value = serde_json::from_slice(&folder.read("package.json")).expect("JSON");
    assert_eq!(package["private"], true);
}

#[test]
fn two_files_alone_can_be_had() {
    let folder = Folder::new();
    let run = folder.run(&["init", "--minimal"]).ends(0);
    assert_eq!(folder.names(), MINIMAL);
    assert_eq!(run.stdout, "./policies/policy.toml\n./policies/policy.test.toml\n");
    let check = folder.run(&["check", "policies/policy.toml", "policies/policy.test.toml", "--format", "json"]).ends(0);
    assert_eq!(check.stdout, "", "not even a warning");
    assert_eq!(folder.run(&["test"]).ends(0).stdout, "4 passed, 0 failed\n");
}

#[test]
fn another_folder_can_be_named() {
    let folder = Folder::new();
    folder.run(&["init", "new/project", "--minimal"]).ends(0);
    assert_eq!(folder.names(), MINIMAL.map(|name| format!("new/project/{name}")));
}

#[test]
fn nothing_is_ever_overwritten() {
    let all = scaffold().names();
    for name in &all {
        let folder = Folder::new();
        folder.write(name, "mine");
        folder.run(&["init"]).ends(3).says("exists already", "nothing was written");
        assert_eq!(folder.read(name), b"mine");
        assert_eq!(folder.names(), std::slice::from_ref(name), "and nothing is put beside it");
    }
    for name in MINIMAL {
        let folder = Folder::new();
        folder.write(name, "mine");
        folder.run(&["init", "--minimal"]).ends(3).says("exists already", "nothing was written");
        assert_eq!(folder.names(), [name]);
    }
}

#[test]
fn what_cannot_be_written_whole_is_not_there_at_all() {
    let folder = Folder::new();
    // A file where a folder has to be made.
    folder.write("dispatcher", "mine");
    folder.run(&["init"]).ends(3).says("`./dispatcher", "what was there before is untouched");
    assert_eq!(folder.names(), ["dispatcher"]);
    assert!(!folder.path("policies").exists(), "nor an empty folder");
}
