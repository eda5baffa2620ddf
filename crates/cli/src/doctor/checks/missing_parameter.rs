//! A dispatch binding that does not pass what the policy reads.

use tidegate_compiler::source::SourceMap;

use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    for (worker, dispatch) in deployment.dispatches() {
        let Some(outbound) = &dispatch.outbound else { continue };
        let passed = |name: &String| outbound.parameters.iter().any(|parameter| parameter.value == *name);
        let (missing, severity): (Vec<&str>, _) = match &deployment.policy {
            Some(policy) => {
                (policy.parameters.iter().filter(|name| !passed(name)).map(String::as_str).collect(), Severity::Error)
            }
            None if outbound.parameters.is_empty() => (vec!["customer_name"], Severity::Warning),
            None => continue,
        };
        for name in missing {
            findings.push(Finding {
                code: Code::MissingParameter,
                severity,
                span: outbound.service.span,
                message: format!("the binding `{}` of `{}` does not pass `{name}`", dispatch.name, worker.name),
                why: "without what `[identity]` reads, every request of user Workers is refused (`unknown-customer`)"
                    .to_owned(),
                help: format!("add `{name}` to `parameters`, and pass it with every `get`"),
            });
        }
    }
}
