//! A report in JUnit's format, as CI systems read it: a suite for each test file, a test for each case.

use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use tidegate_test::plain::plain;
use tidegate_test::{CaseReport, FileReport, Mismatch};

use crate::files;
use crate::outcome::Failure;

/// Writes what the test files came to.
pub(super) fn write(path: &Path, reports: &[FileReport]) -> Result<(), Failure> {
    let mut report = Report::new("tidegate");
    report.add_test_suites(reports.iter().map(suite));
    let text = report.to_string().map_err(|error| {
        Failure::new(format!("the JUnit report cannot be made: {error}"), "leave `--junit` out, and report this")
    })?;
    Ok(files::write_atomically(path, text.as_bytes())?)
}

fn suite(report: &FileReport) -> TestSuite {
    let file = report.path.display().to_string();
    let mut suite = TestSuite::new(&file);
    match &report.cases {
        Ok(cases) => suite.add_test_cases(cases.iter().map(|case| test_case(case, &file))),
        Err(why) => {
            // No case was run: an error, not a failure.
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(why);
            let mut case = TestCase::new("the test file", status);
            case.set_classname(&file);
            suite.add_test_case(case)
        }
    };
    suite
}

fn test_case(report: &CaseReport, file: &str) -> TestCase {
    let status = if report.passed() {
        TestCaseStatus::success()
    } else {
        let wrong: Vec<_> = report.mismatches.iter().map(Mismatch::to_string).collect();
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(plain(&wrong.join("; ")));
        status.set_description(report.explanation.as_deref().unwrap_or(&report.happened));
        status
    };
    let mut case = TestCase::new(plain(&report.name), status);
    case.set_classname(file);
    case.set_time(report.took);
    case
}
