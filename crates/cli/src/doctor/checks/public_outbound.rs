//! An outbound Worker that can be called from outside.

use tidegate_compiler::source::SourceMap;

use super::super::deployment::Role;
use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    let serves_anybody = deployment.policy.as_ref().is_some_and(|policy| policy.serves_anybody);
    for worker in deployment.of(Role::Outbound) {
        for address in &worker.addresses {
            findings.push(Finding {
                code: Code::PublicOutbound,
                severity: if serves_anybody { Severity::Error } else { Severity::Warning },
                span: address.span,
                message: format!(
                    "the outbound Worker `{}` has an address, by {}",
                    worker.name,
                    address.value.trim_end_matches(',')
                ),
                why: if serves_anybody {
                    "the policy asks for no identity: anybody who calls the address is served, as an open proxy"
                        .to_owned()
                } else {
                    "anybody may call it; only that they pass no parameters keeps them out".to_owned()
                },
                help: "set `workers_dev = false` and `preview_urls = false`, and give it no route".to_owned(),
            });
        }
    }
}
