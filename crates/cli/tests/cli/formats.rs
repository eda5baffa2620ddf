//! `tidegate check --format github` and `--format sarif`.

use std::fs;

use cargo_metadata::MetadataCommand;
use serde_json::{Value, json};

use crate::support::{Folder, Run};

/// A folder whose policies have findings of every kind of place: one, two lines, two files, no text, a list's line.
fn with_findings() -> Folder {
    let folder = Folder::new();
    folder.write("base.toml", "[[rule]]\nid = \"a\"\neffect = \"deny\"\n");
    folder.write(
        "größe, 1%.toml",
        "policy = 1\nextends = [\"base.toml\"]\nsize = \"größe\" # 🦀\n[[rule]]\nid = \"a\"\neffect = \"deny\"\n\
         lists = [\"few\", \"none\"]\nhosts = [\n]\n[lists]\nfew  = { file = \"few.txt\", format = \"domains\" }\n\
         none = { file = \"none.txt\", format = \"domains\" }\n",
    );
    folder.write("few.txt", "not a name\n");
    folder.write("none.txt", "# nobody\n");
    folder
}

const FILES: [&str; 2] = ["./größe, 1%.toml", "absent.toml"];

fn check(folder: &Folder, format: &str, files: &[&str]) -> Run {
    folder.run(&[&["check", "--format", format], files].concat())
}

#[test]
fn annotations_of_github_are_one_line_a_finding() {
    let folder = with_findings();
    let run = check(&folder, "github", &FILES).ends(1);
    insta::assert_snapshot!("github", run.stdout);
    assert!(run.stderr.contains("4 errors, 1 warning"), "{}", run.stderr);

    let mut lines = String::new();
    lines.extend(std::iter::repeat_n("not a name\n", 1000));
    folder.write("few.txt", lines);
    let run = check(&folder, "github", &FILES).ends(1);
    assert_eq!(run.stdout.matches("title=list-line").count(), 20);
    assert!(run.stdout.contains("::notice file=few.txt::980 more such lines"), "{}", run.stdout);
}

#[test]
fn sarif_is_valid_by_its_official_schema() {
    let metadata = MetadataCommand::new().current_dir(env!("CARGO_MANIFEST_DIR")).exec().expect("metadata");
    let package = metadata.packages.iter().find(|package| package.name.as_str() == "serde-sarif").expect("the package");
    let schema = package.manifest_path.with_file_name("src").join("schema.json");
    // A pattern of it (for languages, which we do not write) has a bracket that no regex of today's JavaScript may have.
    let schema = fs::read_to_string(schema).expect("the schema").replace("{2}]?$", "{2}\\\\]?$");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");

    let folder = with_findings();
    let fine = Folder::with_policy();
    for (run, results) in [
        (check(&folder, "sarif", &FILES).ends(1), 6),
        (check(&folder, "sarif", &[folder.path("base.toml").to_str().expect("UTF-8")]).ends(1), 1),
        (check(&fine, "sarif", &["policy.toml"]).ends(0), 0),
    ] {
        let document = &run.json()[0];
        let errors: Vec<_> = validator.iter_errors(document).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{document:#}");
        assert_eq!(document["runs"][0]["results"].as_array().map(Vec::len), Some(results), "{document:#}");
    }
    assert!(!validator.is_valid(&json!({ "version": "2.1.0", "runs": [{ "tool": {} }] })), "it finds what is wrong");
}

#[test]
fn sarif_says_where_and_what_and_the_way_out() {
    let folder = with_findings();
    let document = &check(&folder, "sarif", &FILES).ends(1).json()[0];
    let run = &document["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let of = |code: &str| {
        let results = run["results"].as_array().expect("results");
        results.iter().find(|result| result["ruleId"] == code).expect("the finding")
    };
    let place = json!({
        "artifactLocation": { "uri": "gr%C3%B6%C3%9Fe%2C%201%25.toml" },
        "region": { "startLine": 5, "startColumn": 6, "endLine": 5, "endColumn": 9 },
    });
    assert_eq!(of("duplicate-id")["locations"][0]["physicalLocation"], place);
    let related = &of("duplicate-id")["relatedLocations"][0];
    assert_eq!(related["physicalLocation"]["artifactLocation"]["uri"], "base.toml");
    assert_eq!(related["message"]["text"], "this one came first");
    assert!(of("unknown-key")["message"]["text"].as_str().is_some_and(|text| text.contains("\nhelp: its keys are")));
    assert_eq!(
        of("file-unreadable")["locations"],
        json!([{ "physicalLocation": { "artifactLocation": { "uri": "absent.toml" } } }])
    );
    assert_eq!(of("empty-list")["level"], "warning");

    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let rule = rules.iter().find(|rule| rule["id"] == "empty-list").expect("the rule");
    assert_eq!(rule["defaultConfiguration"], json!({ "enabled": true, "level": "warning" }));
    assert_eq!(rule["shortDescription"]["text"], "A list file holds no name.");
    assert_eq!(rules.len(), 6, "a rule for every code that occurs");
}

#[test]
fn formats_of_findings_are_for_check_alone() {
    let folder = Folder::with_policy();
    for format in ["github", "sarif"] {
        folder
            .run(&["compile", "policy.toml", "-o", "out", "--format", format])
            .ends(2)
            .says(&format!("`--format {format}`"), "--format json");
    }
    assert_eq!(folder.names(), ["policy.toml"]);
}
