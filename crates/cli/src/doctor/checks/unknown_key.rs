//! A key that wrangler does not have: passed over by wrangler, or a kind of binding that is newer than this list.

use tidegate_compiler::source::SourceMap;

use super::super::deployment::Role;
use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for placed in &deployment.workers {
        for key in &placed.worker.unknown_keys {
            let user = placed.role == Role::User;
            findings.push(Finding {
                code: Code::UnknownKey,
                severity: if user { Severity::Error } else { Severity::Warning },
                span: key.span,
                message: format!("the {} `{}` has a key `{}`", placed.role.as_str(), placed.worker.name, key.value),
                why: "wrangler passes over keys that it does not know; one that it does know and this does not may be a binding"
                    .to_owned(),
                help: "correct or remove it".to_owned(),
            });
        }
    }
}
