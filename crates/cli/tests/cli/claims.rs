//! `[[never]]` and `[[always]]` in test files.

use crate::support::Folder;

fn folder_with(claims: &str) -> Folder {
    let folder = Folder::new();
    folder.write("policies/policy.toml", crate::support::POLICY);
    folder.write("policies/policy.test.toml", claims);
    folder
}

#[test]
fn what_holds_of_every_request_is_proved() {
    let folder = folder_with(
        r#"
        [[never]]
        name = "the administration is out of reach, on paths that can be read in two ways, too"
        hosts = ["api.example.com"]
        paths = ["/v1/admin"]

        [[always]]
        name = "the campaign is reached until its last day"
        hosts = ["campaign.example.com"]
        at = 2026-12-30
        "#,
    );
    assert_eq!(folder.run(&["test"]).ends(0).stdout, "2 passed, 0 failed\n");
    let checked = folder.run(&["check", "policies/policy.test.toml"]).ends(0);
    assert!(checked.stderr.contains("(2 claims)"), "{}", checked.stderr);
}

#[test]
fn a_claim_that_does_not_hold_shows_a_request_and_why_it_goes_out() {
    let folder = folder_with(
        r#"
        [[never]]
        name = "nothing goes to the API by POST"
        hosts = ["api.example.com"]
        methods = ["POST"]

        [[always]]
        name = "the campaign never ends"
        hosts = ["campaign.example.com"]
        at = 2026-12-31
        "#,
    );
    let run = folder.run(&["test"]).ends(1);
    assert!(run.stdout.contains("nothing goes to the API by POST"), "{}", run.stdout);
    assert!(run.stdout.contains("POST https://api.example.com/"), "{}", run.stdout);
    assert!(run.stdout.contains("the campaign never ends"), "{}", run.stdout);
    assert!(run.stdout.ends_with("0 passed, 2 failed\n"), "{}", run.stdout);
    let json = folder.run(&["test", "--format", "json"]).ends(1);
    assert!(json.stdout.contains(r#""member":"never""#), "{}", json.stdout);
}

#[test]
fn a_claim_about_nothing_fails_and_says_so() {
    let folder = folder_with(
        r#"
        [[never]]
        name = "nobody goes nowhere"
        hosts = ["api.example.com"]
        except = [{ domains = ["example.com"] }]
        "#,
    );
    let run = folder.run(&["test"]).ends(1);
    assert!(run.stdout.contains("no request meets the condition"), "{}", run.stdout);
}

#[test]
fn what_a_claim_names_and_the_policy_does_not_is_an_error_in_the_test_file() {
    for (claims, says) in [
        (
            "[[never]]\nname = \"lists\"\nlists = [\"malware\"]\n",
            ["there is no list called `malware`", "policy.test.toml:3"],
        ),
        ("[[never]]\nname = \"keys\"\nhost = [\"a.example\"]\n", ["unknown-key", "did you mean `hosts`?"]),
        ("policy = \"policy.toml\"\n", ["missing-key", "`[[never]]`"]),
    ] {
        let run = folder_with(claims).run(&["test"]).ends(1);
        assert!(says.iter().all(|words| run.stderr.contains(words)), "{}", run.stderr);
    }
}
