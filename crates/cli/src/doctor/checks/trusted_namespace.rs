//! A namespace whose Workers are trusted.

use tidegate_compiler::source::SourceMap;

use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for namespace in &deployment.namespaces {
        let Some(span) = namespace.trusted else { continue };
        findings.push(Finding {
            code: Code::TrustedNamespace,
            severity: Severity::Warning,
            span,
            message: format!("the Workers of the namespace `{}` are trusted", namespace.name),
            why: "they share one cache: what one customer's Worker fetched or stored, another's reads without a request that would be \
                  judged"
                .to_owned(),
            help: "set `trusted_workers` to false, and deploy the Workers again".to_owned(),
        });
    }
}
