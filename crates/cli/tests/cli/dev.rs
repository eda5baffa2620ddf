//! `tidegate dev`, as far as it comes without workerd.

use crate::support::{Folder, POLICY};

/// What no run here gets to: there is nothing behind it.
const NO_WORKERD: [&str; 2] = ["--workerd", "no/workerd"];

fn dev<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["dev", "--port", "0", "--api-port", "0"], &NO_WORKERD[..], args].concat()
}

#[test]
fn arguments_that_do_not_go_together_are_usage_errors() {
    let folder = Folder::with_policy();
    let public = folder.run(&dev(&["--no-auth", "--host", "0.0.0.0"])).ends(2);
    public.says("open to everybody who reaches it", "leave out `--no-auth`");
    let ports = folder.run(&["dev", "--port", "8787", "--api-port", "8787"]).ends(2);
    ports.says("cannot both have port 8787", "`--api-port`");
    for args in [&["--token", "hush hush"][..], &["--policy", "policy.toml", "--secret", "hush"]] {
        let run = folder.run(&dev(args)).ends(2);
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    }
}

#[test]
fn a_token_in_the_environment_is_not_shown_by_help() {
    let folder = Folder::new();
    let output = folder.command(&["dev", "--help"]).env("TIDEGATE_TOKEN", "hush").output().expect("runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(help.contains("TIDEGATE_TOKEN") && !help.contains("hush"), "{help}");
}

#[test]
fn a_policy_with_errors_is_said_before_anything_is_started() {
    let folder = Folder::new();
    folder.write("policy.toml", "policy = 2\n");
    let run = folder.run(&dev(&["--policy", "policy.toml", "--data", "data"])).ends(1);
    run.says("error[invalid-value]", "`policy.toml` does not compile: 1 error");
    assert_eq!(folder.names(), ["policy.toml"], "nothing was written");

    let json = folder.run(&dev(&["--policy", "policy.toml", "--format", "json"])).ends(1);
    let event = &json.json()[0];
    assert_eq!((event["event"].as_str(), event["errors"].as_u64()), (Some("diagnostics"), Some(1)));
    assert!(event["serving"].is_null());
}

#[test]
fn what_is_missing_is_named_with_the_way_out() {
    let folder = Folder::with_policy();
    let worker = folder.run(&dev(&["--policy", "policy.toml", "--worker", "absent"])).ends(3);
    worker.says("`absent` holds no built Worker", "--worker DIR");
    let workerd = folder.run(&dev(&[])).ends(3);
    workerd.says("there is no workerd at `no/workerd`", "npm install workerd");
}

#[test]
fn a_data_folder_that_cannot_be_one_is_named() {
    let folder = Folder::new();
    folder.write("data", "a file");
    folder.run(&dev(&["--data", "data"])).ends(3).says("cannot make data", "`--data`");
}

#[test]
fn a_file_of_secrets_that_cannot_be_read_is_named_and_not_shown() {
    let folder = Folder::new();
    folder.write("policy.toml", POLICY);
    folder.write(".dev.vars", "A=1\nhush\n");
    let run = folder.run(&dev(&["--policy", "policy.toml", "--secrets", ".dev.vars"])).ends(3);
    run.says("`.dev.vars` line 2: there is no `=` in it", "NAME=value");
    assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    folder.run(&dev(&["--policy", "policy.toml", "--secrets", "absent"])).ends(3).says("`absent`", "spelling");
}
