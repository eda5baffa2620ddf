//! A user Worker with a binding that leaves by another way than `fetch`.

use tidegate_compiler::source::SourceMap;

use super::super::bindings::Reach;
use super::super::{Code, Deployment, Finding, Severity};
use super::{TAKE_IT_AWAY, user_bindings};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for (worker, binding) in user_bindings(deployment, Reach::Reaches) {
        let why = binding.kind.map(|kind| kind.why).unwrap_or_default();
        findings.push(Finding {
            code: Code::ReachingBinding,
            severity: Severity::Error,
            span: binding.name.span,
            message: format!("the user Worker `{}` has `{}` (`{}`)", worker.name, binding.name.value, binding.written),
            why: format!("{why}; the outbound Worker does not see it"),
            help: TAKE_IT_AWAY.to_owned(),
        });
    }
}
