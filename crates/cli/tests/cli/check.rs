//! `tidegate check`.

use std::fmt::Write as _;

use serde_json::json;

use crate::support::Folder;

const FAULTY: &str = r#"policy = 1
colour = "blue"

[[rule]]
id     = "a"
effect = "permit"
hosts  = ["*.example.com", "https://b.example"]

[[rule]]
id     = "a"
effect = "allow"
lists  = ["nowhere"]
"#;

#[test]
fn findings_are_shown_in_their_place() {
    let folder = Folder::new();
    folder.write("policy.toml", FAULTY);
    let run = folder.run(&["check", "policy.toml"]).ends(1);
    assert_eq!(run.stdout, "");
    insta::assert_snapshot!("findings", run.stderr);
}

#[test]
fn a_finding_shows_every_file_that_it_is_about() {
    let folder = Folder::new();
    folder.write("base.toml", "[[rule]]\r\nid = \"a\"\r\neffect = \"deny\"\r\n");
    folder.write("policy.toml", "policy = 1\nextends = [\"base.toml\"]\n[[rule]]\nid = \"a\"\neffect = \"deny\"\n");
    insta::assert_snapshot!("two_files", folder.run(&["check", "policy.toml"]).ends(1).stderr);
}

#[test]
fn findings_are_data() {
    let folder = Folder::new();
    folder.write("policy.toml", FAULTY);
    let run = folder.run(&["check", "policy.toml", "--format", "json"]).ends(1);
    assert_eq!(run.stderr, "");
    let findings = run.json();
    assert!(run.stdout.starts_with(r#"{"code":"unknown-key","severity":"error","message":"#), "{}", run.stdout);
    let first = &findings[0];
    assert_eq!(
        json!([first["file"], first["line"], first["column"], first["end_line"], first["end_column"]]),
        json!(["policy.toml", 2, 1, 2, 7])
    );
    for finding in &findings {
        assert!(finding["labels"].is_array() && finding["help"].is_array(), "{finding}");
    }
    let duplicate = findings.iter().find(|finding| finding["code"] == "duplicate-id").expect("the id");
    assert_eq!(duplicate["labels"][0]["line"], 5, "{duplicate}");
}

#[test]
fn a_good_policy_is_fine() {
    let folder = Folder::with_policy();
    let run = folder.run(&["check", "policy.toml"]).ends(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "policy.toml: no findings (4 rules, 1 key)\n"));
    assert_eq!(folder.run(&["check", "policy.toml", "--format", "json"]).ends(0).stdout, "");
}

#[test]
fn one_bad_file_among_good_ones_counts() {
    let folder = Folder::with_policy();
    folder.write("bad.toml", "bogus = 1\n");
    let run = folder.run(&["check", "policy.toml", "bad.toml", "policy.toml"]).ends(1);
    assert!(run.stderr.contains("bad.toml: 2 errors") || run.stderr.contains("bad.toml: 1 error"), "{}", run.stderr);
    assert_eq!(run.stderr.matches("policy.toml: no findings").count(), 2);
}

#[test]
fn a_list_of_bad_lines_shows_the_first_20_and_a_count() {
    let folder = Folder::new();
    let policy = "policy = 1\n[lists.bad]\nfile = \"bad.txt\"\nformat = \"domains\"\n\
                  [[rule]]\nid = \"a\"\neffect = \"deny\"\nlists = [\"bad\"]\n";
    folder.write("policy.toml", policy);
    let mut lines = String::new();
    for n in 0..100_000 {
        let _ = writeln!(lines, "not a domain {n}");
    }
    folder.write("bad.txt", lines);
    let run = folder.run(&["check", "policy.toml"]).ends(1);
    assert_eq!(run.stderr.matches("error[list-line]").count(), 20);
    assert!(run.stderr.contains("99980 more such lines in `bad.txt`, 100000 in all"), "{}", run.stderr);
    let all = folder.run(&["check", "policy.toml", "--format", "json"]).ends(1);
    assert_eq!(all.stdout.matches("\"list-line\"").count(), 100_000);
}

#[test]
fn files_that_cannot_be_read_are_findings() {
    let folder = Folder::new();
    folder.write("latin1.toml", b"# caf\xe9\n");
    folder.write("folder/file", "");
    for (file, code) in [("absent.toml", "file-unreadable"), ("folder", "file-unreadable"), ("latin1.toml", "not-utf8")]
    {
        let finding = &folder.run(&["check", file, "--format", "json"]).ends(1).json()[0];
        assert_eq!((finding["code"].as_str(), finding["file"].as_str()), (Some(code), Some(file)));
        let run = folder.run(&["check", file]).ends(1);
        assert!(run.stderr.contains(&format!("error[{code}]")) && run.stderr.contains(file), "{}", run.stderr);
    }
    let large = std::fs::File::create(folder.path("large.toml")).unwrap();
    large.set_len(100 << 20).unwrap();
    assert_eq!(folder.run(&["check", "large.toml", "--format", "json"]).ends(1).json()[0]["code"], "file-too-large");
}

#[test]
fn the_last_level_on_the_command_line_counts_and_counts_over_the_policy() {
    let folder = Folder::new();
    let policy = "policy = 1\n[lists.l]\nfile = \"l.txt\"\nformat = \"domains\"\n\
                  [[rule]]\nid = \"a\"\neffect = \"deny\"\nlists = [\"l\"]\n[lints]\n";
    folder.write("policy.toml", policy);
    folder.write("strict.toml", format!("{policy}empty-list = \"deny\"\n"));
    folder.write("l.txt", "");
    for (file, levels, code, severity) in [
        ("policy.toml", "", 0, "warning"),
        ("policy.toml", "-Dempty-list", 1, "error"),
        ("policy.toml", "-D warnings", 1, "error"),
        ("policy.toml", "--deny warnings --warn empty-list", 0, "warning"),
        ("policy.toml", "--warn empty-list --deny warnings", 1, "error"),
        ("strict.toml", "", 1, "error"),
        ("strict.toml", "-W empty-list", 0, "warning"),
        ("strict.toml", "-D expired -A empty-list", 0, ""),
        ("strict.toml", "-A empty-list -D empty-list", 1, "error"),
    ] {
        let args: Vec<_> = ["check", file, "--format", "json"].into_iter().chain(levels.split_whitespace()).collect();
        let findings = folder.run(&args).ends(code).json();
        let severities: Vec<_> = findings.iter().filter_map(|finding| finding["severity"].as_str()).collect();
        assert_eq!(severities.join(" "), severity, "{file} {levels}");
    }
    // Whoever builds is stopped by it, too.
    folder.run(&["compile", "strict.toml", "-o", "table"]).ends(1);
}

#[test]
fn levels_of_what_is_no_lint_are_usage_errors() {
    let folder = Folder::with_policy();
    folder
        .run(&["check", "-D", "shadowd-rule", "policy.toml"])
        .ends(2)
        .says("shadowd-rule", "did you mean `shadowed-rule`?");
    folder
        .run(&["check", "--allow", "conflict", "policy.toml"])
        .ends(2)
        .says("`conflict` is no lint", "cannot be lowered");
    folder
        .run(&["check", "-W", "warning", "policy.toml"])
        .ends(2)
        .says("no lint `warning`", "did you mean `warnings`?");
}

#[test]
fn nothing_in_a_policy_reaches_the_terminal_as_control() {
    let folder = Folder::new();
    folder.write("policy.toml", "policy = 1\n\"\\u001b]0;owned\\u0007\" = 1\n\"a\u{9b}31m\" = 2\n");
    let run = folder.run(&["check", "policy.toml"]).ends(1);
    assert!(run.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.stderr);
}

#[test]
fn colours_are_shown_where_they_can_be_and_no_color_is_heeded() {
    let folder = Folder::new();
    folder.write("policy.toml", FAULTY);
    let coloured = |no_color: &str| {
        let mut command = folder.command(&["check", "policy.toml"]);
        let output = command.env("CLICOLOR_FORCE", "1").env("NO_COLOR", no_color).output().expect("runs");
        output.stderr.contains(&0x1b)
    };
    assert!(coloured(""));
    assert!(!coloured("1"));
}

#[test]
fn lines_of_lists_that_are_passed_over_are_counted_by_kind() {
    let folder = Folder::new();
    let policy = "policy = 1\n[lists.ads]\nfile = \"ads.txt\"\nformat = \"adblock\"\nskip = [\"path\", \"exception\", \"regex\"]\n\
                  [[rule]]\nid = \"no-ads\"\neffect = \"deny\"\nlists = [\"ads\"]\n";
    folder.write("policy.toml", policy);
    folder.write("ads.txt", "||a.example^\n||b.example/x\n||c.example/y\n@@||d.example^\n");
    let run = folder.run(&["check", "policy.toml"]).ends(0);
    assert_eq!(
        run.stderr,
        "policy.toml: no findings (1 rule, 1 list with 1 name, 3 lines skipped: 1 exception, 2 path)\n"
    );
    let note = &folder.run(&["check", "policy.toml", "--format", "json"]).ends(0).json()[0];
    assert_eq!((note["code"].as_str(), note["severity"].as_str()), (Some("lines-skipped"), Some("note")));
    assert_eq!(note["skipped"], serde_json::json!({ "exception": 1, "path": 2 }));
    assert_eq!((note["file"].as_str(), note["line"].as_u64()), (Some("policy.toml"), Some(2)));
}
