//! A dispatch binding whose outbound Worker is none of those that were given.

use tidegate_compiler::source::SourceMap;

use super::super::deployment::names;
use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for (worker, dispatch) in deployment.dispatches() {
        let Some(outbound) = &dispatch.outbound else { continue };
        let given = |name: &String| {
            deployment.elsewhere.contains(name) || deployment.workers.iter().any(|placed| placed.worker.name == *name)
        };
        if names(outbound).iter().any(given) {
            continue;
        }
        findings.push(Finding {
            code: Code::UnknownOutbound,
            severity: Severity::Warning,
            span: outbound.service.span,
            message: format!(
                "the outbound Worker `{}` of the binding `{}` in `{}` is none of those that were looked at",
                outbound.service.value, dispatch.name, worker.name
            ),
            why: "a name that is misspelt deploys as well as a right one, and its Worker may not judge".to_owned(),
            help: format!(
                "name its configuration too, or say `--outbound {}` if it is deployed from elsewhere",
                outbound.service.value
            ),
        });
    }
}
