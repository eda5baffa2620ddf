//! h051: a user Worker with a client certificate.

use tidegate_compiler::source::SourceMap;

use super::super::bindings::Reach;
use super::super::{Code, Deployment, Finding, Severity};
use super::{TAKE_IT_AWAY, user_bindings};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for (worker, binding) in user_bindings(deployment, Reach::Mtls) {
        findings.push(Finding {
            code: Code::MtlsCertificate,
            severity: Severity::Error,
            span: binding.name.span,
            message: format!("the user Worker `{}` has the client certificate `{}`", worker.name, binding.name.value),
            why: "fetches over an mTLS binding are not shown to outbound Workers, and carry the platform's certificate"
                .to_owned(),
            help: TAKE_IT_AWAY.to_owned(),
        });
    }
}
