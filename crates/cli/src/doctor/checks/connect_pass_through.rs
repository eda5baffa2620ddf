//! h047: the flag `connect_pass_through` on the outbound Worker.

use tidegate_compiler::source::SourceMap;

use super::super::deployment::Role;
use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for worker in deployment.of(Role::Outbound) {
        for flag in worker.compatibility_flags.iter().filter(|flag| flag.value == "connect_pass_through") {
            findings.push(Finding {
                code: Code::ConnectPassThrough,
                severity: Severity::Error,
                span: flag.span,
                message: format!("the outbound Worker `{}` lets raw TCP through", worker.name),
                why: "`connect()` of every user Worker goes out as it is: no policy sees it".to_owned(),
                help: "remove `connect_pass_through`".to_owned(),
            });
        }
    }
}
