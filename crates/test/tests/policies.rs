//! The repository's own policies do what their tests say.

use std::path::Path;

#[test]
fn the_policies_of_this_repository_pass_their_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let entries = folder.read_dir().expect("the repository has policies").map(|entry| entry.expect("entry").path());
    let mut files: Vec<_> = entries.filter(|path| tidegate_test::is_test_file(path)).collect();
    files.sort();
    assert!(!files.is_empty(), "the repository's policies have tests");
    for file in files {
        let report = tidegate_test::run(&file);
        let findings: Vec<_> = report.findings.iter().flat_map(|(_, diagnostics)| diagnostics).collect();
        assert!(findings.is_empty(), "{}: {findings:#?}", file.display());
        let cases = report.cases.expect("the cases run");
        let failed: Vec<_> = cases.iter().filter(|case| !case.mismatches.is_empty()).collect();
        assert!(failed.is_empty(), "{}: {failed:#?}", file.display());
    }
}
