//! `tidegate fmt`.

use std::fs;

use crate::support::Folder;

const UNTIDY: &str = "policy=1\n[[rule]]\n  id = 'a' # why\n  effect  = \"deny\"\n";
const TIDY: &str = "policy = 1\n\n[[rule]]\nid     = 'a' # why\neffect = \"deny\"\n";

#[test]
fn files_are_written_in_one_layout_and_named_if_they_change() {
    let folder = Folder::new();
    folder.write("a.toml", UNTIDY);
    folder.write("b.toml", TIDY);
    let run = folder.run(&["fmt", "a.toml", "b.toml"]).ends(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("a.toml\n", "1 of 2 files changed\n"));
    assert_eq!(String::from_utf8(folder.read("a.toml")).unwrap(), TIDY);
    let run = folder.run(&["fmt", "a.toml", "b.toml", "--format", "json"]).ends(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "0 of 2 files changed\n"));
    assert_eq!(folder.names(), ["a.toml", "b.toml"], "nothing is left behind");
}

#[test]
fn check_names_what_would_change_and_writes_nothing() {
    let folder = Folder::new();
    folder.write("a.toml", UNTIDY);
    folder.write("b.toml", TIDY);
    let run = folder.run(&["fmt", "--check", "b.toml", "a.toml"]).ends(1);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("a.toml\n", "1 of 2 files would change\n"));
    let run = folder.run(&["fmt", "--check", "--format", "json", "b.toml", "a.toml"]).ends(1);
    assert_eq!(run.stdout, "{\"file\":\"a.toml\"}\n");
    assert_eq!(folder.read("a.toml"), UNTIDY.as_bytes());
    folder.run(&["fmt", "--check", "b.toml"]).ends(0);
}

#[test]
fn stdin_goes_to_stdout() {
    let folder = Folder::new();
    let run = folder.run_with_input(&["fmt", "-"], UNTIDY.as_bytes()).ends(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (TIDY, ""));
    folder.run_with_input(&["fmt", "--check", "-"], UNTIDY.as_bytes()).ends(1);
    folder.run_with_input(&["fmt", "-"], b"a = \n").ends(1).says("error[syntax]", "<stdin>:1");
    folder.write("a.toml", UNTIDY);
    folder.run_with_input(&["fmt", "-", "a.toml"], b"").ends(2).says("`-` stands beside other files", "tidegate fmt -");
}

#[test]
fn what_is_no_toml_is_left_as_it_is_and_the_others_are_formatted() {
    let folder = Folder::new();
    folder.write("bad.toml", "policy=1\ndefault = deny\n");
    folder.write("good.toml", UNTIDY);
    let run = folder.run(&["fmt", "bad.toml", "good.toml"]).ends(1);
    assert!(run.stderr.contains("error[syntax]") && run.stderr.contains("bad.toml:2"), "{}", run.stderr);
    assert_eq!(run.stdout, "good.toml\n");
    assert_eq!(folder.read("bad.toml"), b"policy=1\ndefault = deny\n");
    assert_eq!(folder.read("good.toml"), TIDY.as_bytes());
}

#[test]
fn a_file_that_cannot_be_read_stops_all_before_anything_is_written() {
    let folder = Folder::new();
    folder.write("a.toml", UNTIDY);
    folder.run(&["fmt", "a.toml", "b.toml"]).ends(3).says("cannot read `b.toml`", "check the spelling");
    assert_eq!(folder.read("a.toml"), UNTIDY.as_bytes());
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = Folder::new();
    folder.write("real/a.toml", UNTIDY);
    fs::set_permissions(folder.path("real/a.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/a.toml", folder.path("a.toml")).unwrap();
    folder.run(&["fmt", "a.toml"]).ends(0);
    assert!(fs::symlink_metadata(folder.path("a.toml")).unwrap().is_symlink());
    assert_eq!(folder.read("real/a.toml"), TIDY.as_bytes());
    assert_eq!(fs::metadata(folder.path("real/a.toml")).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn what_init_writes_is_in_this_layout() {
    let folder = Folder::new();
    folder.run(&["init"]).ends(0);
    let args = ["fmt", "--check", "policies/policy.toml", "policies/policy.test.toml"];
    assert_eq!(folder.run(&args).ends(0).stdout, "");
}

#[test]
fn our_own_policies_are_in_this_layout() {
    let policies = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let paths = fs::read_dir(policies).unwrap().map(|entry| entry.unwrap().path());
    let is_toml = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let files: Vec<_> = paths.filter(is_toml).map(|path| path.display().to_string()).collect();
    assert!(!files.is_empty());
    let args: Vec<&str> = ["fmt", "--check"].into_iter().chain(files.iter().map(String::as_str)).collect();
    assert_eq!(Folder::new().run(&args).ends(0).stdout, "");
}
