//! `tidegate init`.

use crate::support::Folder;

#[test]
fn what_is_written_passes_check_and_test() {
    let folder = Folder::new();
    let run = folder.run(&["init"]).ends(0);
    assert_eq!(folder.names(), ["policies/policy.test.toml", "policies/policy.toml"]);
    assert_eq!(run.stdout, "./policies/policy.toml\n./policies/policy.test.toml\n");
    let check = folder.run(&["check", "policies/policy.toml", "policies/policy.test.toml", "--format", "json"]).ends(0);
    assert_eq!(check.stdout, "", "not even a warning");
    assert_eq!(folder.run(&["test"]).ends(0).stdout, "4 passed, 0 failed\n");
}

#[test]
fn another_folder_can_be_named() {
    let folder = Folder::new();
    folder.run(&["init", "new/project"]).ends(0);
    assert_eq!(folder.names(), ["new/project/policies/policy.test.toml", "new/project/policies/policy.toml"]);
}

#[test]
fn nothing_is_ever_overwritten() {
    for name in ["policies/policy.toml", "policies/policy.test.toml"] {
        let folder = Folder::new();
        folder.write(name, "mine");
        folder.run(&["init"]).ends(3).says("exists already", "nothing was written");
        assert_eq!(folder.read(name), b"mine");
        assert_eq!(folder.names(), [name], "and nothing is put beside it");
    }
}
