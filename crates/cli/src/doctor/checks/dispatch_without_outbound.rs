//! h052: a dispatch namespace without an outbound Worker.

use tidegate_compiler::source::SourceMap;

use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for (worker, dispatch) in deployment.dispatches().filter(|(_, dispatch)| dispatch.outbound.is_none()) {
        findings.push(Finding {
            code: Code::DispatchWithoutOutbound,
            severity: Severity::Error,
            span: dispatch.span,
            message: format!("the binding `{}` of `{}` has no outbound Worker", dispatch.name, worker.name),
            why: format!("user Workers of `{}` that are called by it reach everything", dispatch.namespace),
            help: "add `outbound = { service = \"tidegate-outbound\", parameters = [\"customer_name\"] }`".to_owned(),
        });
    }
}
