//! `tidegate build`.

use crate::support::{Folder, Run};

/// An empty module with a custom section.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\0\x05\x04name";

fn worker() -> Folder {
    let folder = Folder::with_policy();
    folder.write("worker/index.js", "export default {}");
    folder.write("worker/index_bg.wasm", MODULE);
    folder.write("worker/snippets/glue/inline0.js", "export const x = 1");
    folder
}

fn build(folder: &Folder) -> Run {
    folder.run(&["build", "--policy", "policy.toml", "--worker", "worker", "--out", "out", "--format", "json"])
}

#[test]
fn the_worker_is_copied_and_its_module_holds_the_policy() {
    let folder = worker();
    let built = &build(&folder).ends(0).json()[0];
    assert_eq!(folder.read("out/index.js"), folder.read("worker/index.js"));
    assert_eq!(folder.read("out/snippets/glue/inline0.js"), folder.read("worker/snippets/glue/inline0.js"));
    assert!(folder.read("out/index_bg.wasm").starts_with(MODULE));
    let contents = &folder.run(&["inspect", "out/index_bg.wasm", "--format", "json"]).ends(0).json()[0];
    assert_eq!(contents["digest"], built["digest"]);
    assert_eq!(contents["bytes"], built["table"]["raw"]);
    assert_eq!(built["wasm"]["raw"], folder.read("out/index_bg.wasm").len());
    assert!(built["total"]["gzip"].as_u64() > built["wasm"]["gzip"].as_u64());
    assert_eq!(folder.read("worker/index_bg.wasm"), MODULE, "the Worker itself is as it was");
}

#[test]
fn a_new_policy_replaces_the_old_one_in_place() {
    let folder = worker();
    build(&folder).ends(0);
    let once = folder.read("out/index_bg.wasm");
    folder.write("policy.toml", "policy = 1\nidentity = \"none\"\n");
    let args = ["build", "--policy", "policy.toml", "--worker", "out", "--out", "out", "--format", "json"];
    let built = &folder.run(&args).ends(0).json()[0];
    assert!(folder.read("out/index_bg.wasm").len() < once.len(), "the old table is gone");
    let contents = &folder.run(&["inspect", "out/index_bg.wasm", "--format", "json"]).ends(0).json()[0];
    assert_eq!(contents["digest"], built["digest"]);
    assert_eq!(contents["rules"], 0);
}

#[test]
fn sizes_are_printed_for_people() {
    let folder = worker();
    let run = folder.run(&["build", "--policy", "policy.toml", "--worker", "worker", "--out", "out"]).ends(0);
    for word in ["raw", "gzipped", "wasm", "table", "total"] {
        assert!(run.stdout.contains(word), "{word}: {}", run.stdout);
    }
}

#[test]
fn any_error_keeps_the_old_output() {
    let folder = worker();
    build(&folder).ends(0);
    let (names, old) = (folder.names(), folder.read("out/index_bg.wasm"));

    folder.write("policy.toml", "policy = 2\n");
    build(&folder).ends(1);
    folder.write("policy.toml", crate::support::POLICY);
    folder.write("worker/index_bg.wasm", "no wasm");
    build(&folder).ends(3).says("`worker/index_bg.wasm` cannot take a policy", "build the Worker again");
    folder.write("worker/index_bg.wasm", &MODULE[..12]);
    build(&folder).ends(3).says("cannot take a policy", "build the Worker again");

    assert_eq!(folder.read("out/index_bg.wasm"), old);
    assert_eq!(folder.names(), names);
}

#[test]
fn a_folder_without_a_worker_is_refused() {
    let folder = Folder::with_policy();
    for worker in ["absent", ".", "policy.toml"] {
        let run = folder.run(&["build", "--policy", "policy.toml", "--worker", worker, "--out", "out"]).ends(3);
        run.says(&format!("`{worker}` holds no built Worker"), "worker-build");
    }
}

#[test]
fn nobodys_files_are_replaced() {
    let folder = worker();
    folder.write("out/thesis.txt", "years of work");
    build(&folder).ends(3).says("`thesis.txt`, which is no part of this build", "another folder");
    assert_eq!(folder.read("out/thesis.txt"), b"years of work");
    let inside = folder.run(&["build", "--policy", "policy.toml", "--worker", "worker", "--out", "worker/new/out"]);
    inside.ends(3).says("is inside the Worker's folder", "beside it");
}

#[test]
fn the_worker_comes_from_npm_where_none_was_built() {
    let folder = Folder::with_policy();
    let args = ["build", "--policy", "policy.toml", "--out", "out", "--format", "json"];
    folder.run(&args).ends(3).says("there is no built Worker", "`npm install`");
    folder.write("node_modules/tidegate-worker/worker/index.js", "export default {}");
    folder.write("node_modules/tidegate-worker/worker/index_bg.wasm", MODULE);
    folder.write("node_modules/tidegate-worker/package.json", "{\"version\":\"0.0.0\"}");
    folder.run(&args).ends(3).says("`node_modules/tidegate-worker` is of version 0.0.0", "of the same version");
    let version = format!("{{\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"));
    folder.write("node_modules/tidegate-worker/package.json", version);
    folder.run(&args).ends(0);
    let out: Vec<_> = folder.names().into_iter().filter(|name| name.starts_with("out/")).collect();
    assert_eq!(out, ["out/index.js", "out/index_bg.wasm"], "and nothing else of the package");
    folder.write("build/worker/index.js", "export default { built: true }");
    folder.write("build/worker/index_bg.wasm", MODULE);
    folder.run(&args).ends(0);
    assert_eq!(folder.read("out/index.js"), folder.read("build/worker/index.js"), "one that was built comes first");
}
