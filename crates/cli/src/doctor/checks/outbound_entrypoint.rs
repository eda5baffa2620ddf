//! A dispatch binding that calls a named entrypoint.

use tidegate_compiler::source::SourceMap;

use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for (worker, dispatch) in deployment.dispatches() {
        let Some(entrypoint) = dispatch.outbound.as_ref().and_then(|outbound| outbound.entrypoint.as_ref()) else {
            continue;
        };
        if entrypoint.value == "default" {
            continue;
        }
        findings.push(Finding {
            code: Code::OutboundEntrypoint,
            severity: Severity::Error,
            span: entrypoint.span,
            message: format!(
                "the binding `{}` of `{}` calls the entrypoint `{}`",
                dispatch.name, worker.name, entrypoint.value
            ),
            why: "the gate is the outbound Worker's default export; another entrypoint judges nothing".to_owned(),
            help: "remove `entrypoint`".to_owned(),
        });
    }
}
