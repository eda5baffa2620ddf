//! h050: a user Worker with a Durable Object.

use tidegate_compiler::source::SourceMap;

use super::super::bindings::Reach;
use super::super::{Code, Deployment, Finding, Severity};
use super::{TAKE_IT_AWAY, user_bindings};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for (worker, binding) in user_bindings(deployment, Reach::DurableObject) {
        findings.push(Finding {
            code: Code::DurableObject,
            severity: Severity::Error,
            span: binding.name.span,
            message: format!("the user Worker `{}` has the Durable Object `{}`", worker.name, binding.name.value),
            why: "the platform does not show fetches of Durable Objects to outbound Workers".to_owned(),
            help: TAKE_IT_AWAY.to_owned(),
        });
    }
}
