//! `tidegate compile` and `tidegate inspect`.

use crate::support::Folder;

#[test]
fn the_same_policy_gives_the_same_bytes() {
    let folder = Folder::with_policy();
    folder.run(&["compile", "policy.toml", "-o", "a.tide"]).ends(0);
    folder.run(&["compile", "policy.toml", "-o", "b.tide"]).ends(0);
    assert_eq!(folder.read("a.tide"), folder.read("b.tide"));
    assert_eq!(folder.names(), ["a.tide", "b.tide", "policy.toml"], "nothing is left behind");
}

#[test]
fn an_error_writes_nothing_and_keeps_what_was_there() {
    let folder = Folder::new();
    folder.write("policy.toml", "policy = 1\nbogus = true\n");
    folder.write("out.tide", "old");
    let run = folder.run(&["compile", "policy.toml", "-o", "out.tide"]).ends(1);
    run.says("error[unknown-key]", "`policy.toml` does not compile: 1 error");
    assert_eq!(folder.read("out.tide"), b"old");
    folder.run(&["compile", "policy.toml", "-o", "new.tide"]).ends(1);
    assert_eq!(folder.names(), ["out.tide", "policy.toml"]);
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure() {
    let folder = Folder::with_policy();
    folder.run(&["compile", "policy.toml", "-o", "no/such/out"]).ends(3).says("cannot write", "make the folder first");
    folder.run(&["compile", "policy.toml", "-o", "."]).ends(3).says("is a directory", "name a file");
    folder.run(&["compile", "policy.toml", "-o", "./policy.toml"]).ends(3).says("is the policy itself", "another file");
    assert_eq!(folder.names(), ["policy.toml"]);
}

#[test]
fn inspect_shows_what_compile_wrote() {
    let folder = Folder::with_policy();
    let compiled = &folder.run(&["compile", "policy.toml", "-o", "out", "--format", "json"]).ends(0).json()[0];
    let contents = &folder.run(&["inspect", "out", "--format", "json"]).ends(0).json()[0];
    assert_eq!(contents["digest"], compiled["digest"]);
    assert_eq!(contents["bytes"], compiled["bytes"]);
    assert_eq!(contents["rules"], 4);
    let sections = contents["sections"].as_array().unwrap();
    assert!(sections.iter().any(|section| section["name"] == "rules" && section["bytes"].as_u64() > Some(0)));
    let text = folder.run(&["inspect", "out"]).ends(0).stdout;
    for word in [compiled["digest"].as_str().unwrap(), "rules", "sections", "automata"] {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn a_damaged_table_is_named_and_refused() {
    let folder = Folder::with_policy();
    folder.run(&["compile", "policy.toml", "-o", "out"]).ends(0);
    let table = folder.read("out");
    let mut flipped = table.clone();
    flipped[table.len() / 2] ^= 1;
    for (damage, bytes) in
        [("flipped", flipped), ("cut", table[..table.len() - 1].to_vec()), ("text", b"hello".to_vec())]
    {
        folder.write(damage, bytes);
        folder.run(&["inspect", damage]).ends(1).says(&format!("the table in `{damage}` does not load"), "compile");
    }
    folder.run(&["inspect", "absent"]).ends(3).says("cannot read `absent`", "spelling");
    folder.run(&["inspect", "."]).ends(3).says("is a directory", "name a file");
}
