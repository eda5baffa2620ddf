//! An outbound Worker whose `fetch` may reach its own zone's origin past Cloudflare.

use tidegate_compiler::source::SourceMap;

use super::super::deployment::Role;
use super::super::{Code, Deployment, Finding, Severity};

const FLAG: &str = "global_fetch_strictly_public";

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for worker in deployment.of(Role::Outbound) {
        if worker.compatibility_flags.iter().any(|flag| flag.value == FLAG) {
            continue;
        }
        let off = worker.compatibility_flags.iter().find(|flag| flag.value == "global_fetch_private_origin");
        findings.push(Finding {
            code: Code::PrivateOrigin,
            severity: Severity::Warning,
            span: off.map_or(worker.place, |flag| flag.span),
            message: format!("the outbound Worker `{}` does not have the flag `{FLAG}`", worker.name),
            why: "without it, a request for a host of the Worker's own zone goes straight to the origin server, past the zone's \
                  Workers and security settings"
                .to_owned(),
            help: format!("add `{FLAG}` to `compatibility_flags`"),
        });
    }
}
