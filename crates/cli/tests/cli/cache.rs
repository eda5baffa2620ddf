//! Lists that were read before: what is kept, where, and that nobody can tell.

use std::fmt::Write as _;
use std::fs;
use std::process::Output;

use crate::support::Folder;

const POLICY: &str = "policy = 1\nidentity = \"none\"\n[lists.bad]\nfile = \"bad.txt\"\nformat = \"hosts\"\nskip = [\"invalid\"]\n\
                      [[rule]]\nid = \"bad\"\neffect = \"deny\"\nlists = [\"bad\"]\n";

/// Lists that are shorter are not kept.
const LEAST: usize = 4 << 20;

/// A project of the operator's, with a list that is long enough to be kept.
fn project() -> Folder {
    let folder = Folder::new();
    folder.write("policies/policy.toml", POLICY);
    folder.write("policies/bad.txt", list());
    folder.write("package.json", "{}");
    folder
}

fn list() -> String {
    // Most of it is a comment: tests need not wait for a million names.
    let comment = format!("# {}\n", "-".repeat(1_000)).repeat(LEAST / 1_000);
    (0..4_000).fold(comment + "0.0.0.0 a..b\n", |mut text, n| {
        let _ = writeln!(text, "0.0.0.0 n{}.example", n * 7919 % 4_001);
        text
    })
}

/// A run of somebody whose own caches and state are in the folder.
fn run(folder: &Folder, args: &[&str], cache: Option<&str>) -> Output {
    let mut command = folder.command(args);
    command.env("XDG_STATE_HOME", folder.path("home/state")).env("XDG_CACHE_HOME", folder.path("home/cache"));
    match cache {
        Some(cache) => command.env("TIDEGATE_CACHE_DIR", cache),
        None => command.env_remove("TIDEGATE_CACHE_DIR"),
    };
    command.output().expect("runs")
}

/// The lists that are kept in a folder.
fn kept(folder: &Folder, name: &str) -> Vec<String> {
    let is_kept = |file: &String| file.starts_with(name) && file.split('.').next_back() == Some("list");
    folder.names().into_iter().filter(is_kept).collect()
}

#[test]
fn what_is_said_and_written_is_the_same_with_and_without_what_was_kept() {
    let folder = project();
    let compile = ["compile", "policies/policy.toml", "-o", "out.tide"];
    let check = ["check", "policies/policy.toml", "--at", "2026-11-01", "--format", "json"];
    let run_all = |cache| {
        let runs = [run(&folder, &compile, cache), run(&folder, &check, cache)];
        assert!(runs.iter().all(|run| run.status.success()), "{runs:#?}");
        (runs, folder.read("out.tide"))
    };
    let without = run_all(Some(""));
    assert_eq!(kept(&folder, ""), [""; 0], "nothing is kept where nobody wants it");
    for _ in 0..2 {
        assert_eq!(run_all(None), without);
        assert_eq!(kept(&folder, ".tidegate-cache/").len(), 1);
        assert_eq!(folder.read(".tidegate-cache/.gitignore"), b"*\n");
        assert!(!folder.path(".tidegate").exists(), "what the platform keeps there is for its owner alone");
    }
    assert_eq!(run_all(Some("elsewhere")), without);
    assert_eq!(kept(&folder, "elsewhere/").len(), 1);

    // Its own name and its own seal, and yet another's: as good as not there.
    let file = folder.path(&kept(&folder, "elsewhere/")[0]);
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(run_all(Some("elsewhere")), without);
    assert!(folder.path("home/state/tidegate/lists.key").exists());
    assert!(!folder.path("home/cache").exists(), "what is secret is in no cache");
    fs::remove_dir_all(folder.path("home")).unwrap();
    assert_eq!(run_all(Some("elsewhere")), without, "with another secret");
    assert_eq!(run_all(Some("package.json")), without, "where no folder can be");
}

#[test]
fn findings_of_a_list_are_the_same_each_time_and_a_list_that_has_them_is_not_kept() {
    let folder = project();
    folder.write("policies/bad.txt", list() + "no line of a list\n0.0.0.0 good.example x..y\n0.0.0.0\n");
    let check = ["check", "policies/policy.toml"];
    let first = run(&folder, &check, None);
    assert_eq!(first.status.code(), Some(1), "{first:#?}");
    assert_eq!(run(&folder, &check, None), first);
    assert_eq!(run(&folder, &check, Some("")), first);
    assert_eq!(kept(&folder, ""), [""; 0]);
    // Once it is mended it is read anew, whatever was kept before.
    folder.write("policies/bad.txt", list());
    assert!(run(&folder, &check, None).status.success());
    folder.write("policies/bad.txt", list() + "0.0.0.0\n");
    assert_eq!(run(&folder, &check, None).status.code(), Some(1));
}

#[test]
fn the_lists_of_each_test_file_are_kept_in_its_own_project() {
    let folder = Folder::new();
    for project in ["one", "two"] {
        folder.write(&format!("{project}/package.json"), "{}");
        folder.write(&format!("{project}/policy.toml"), POLICY);
        folder.write(&format!("{project}/bad.txt"), list());
        let case = "[[case]]\nname = \"bad\"\nurl = \"https://n1.example/\"\nexpect = { effect = \"deny\" }\n";
        folder.write(&format!("{project}/some.test.toml"), format!("policy = \"policy.toml\"\n{case}"));
    }
    let test = run(&folder, &["test", "one/some.test.toml", "two/some.test.toml"], None);
    assert!(test.status.success(), "{test:#?}");
    for project in ["one/.tidegate-cache/", "two/.tidegate-cache/"] {
        assert_eq!(kept(&folder, project).len(), 1, "{project}");
    }
}
