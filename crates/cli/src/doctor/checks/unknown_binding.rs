//! A user Worker with a binding of a kind that nobody has looked at.

use tidegate_compiler::source::SourceMap;

use super::super::deployment::Role;
use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for worker in deployment.of(Role::User) {
        for binding in worker.bindings.iter().filter(|binding| binding.kind.is_none()) {
            findings.push(Finding {
                code: Code::UnknownBinding,
                severity: Severity::Error,
                span: binding.name.span,
                message: format!("the user Worker `{}` has `{}` (`{}`)", worker.name, binding.name.value, binding.written),
                why: match binding.written.as_str() {
                    "inherit" => "it keeps a binding that the Worker had before, and which is not said here".to_owned(),
                    _ => "this kind of binding is not known here: it may leave by a way that the outbound Worker does not see"
                        .to_owned(),
                },
                help: "find out what it reaches; take it away unless that is nothing".to_owned(),
            });
        }
    }
}
