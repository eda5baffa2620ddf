//! One name for two things in the outbound Worker's `env`: a parameter and a variable, or a parameter and a secret.

use tidegate_compiler::source::SourceMap;

use super::super::deployment::Role;
use super::super::{Code, Deployment, Finding, Severity};

pub(super) fn check(deployment: &Deployment, _: &SourceMap, findings: &mut Vec<Finding>) {
    let mut parameters = deployment.parameters();
    // A secret that is passed as a parameter is found where it is passed.
    parameters.retain(|name| !deployment.policy.as_ref().is_some_and(|policy| policy.secrets.contains(*name)));
    for worker in deployment.of(Role::Outbound) {
        for binding in worker.bindings.iter().filter(|binding| parameters.contains(binding.name.value.as_str())) {
            let name = &binding.name.value;
            findings.push(Finding {
                code: Code::ShadowedParameter,
                severity: Severity::Error,
                span: binding.name.span,
                message: format!(
                    "the outbound Worker `{}` has a binding with the name of the parameter `{name}`",
                    worker.name
                ),
                why: "where the parameter is not passed, what the binding says is taken for it: somebody else's name"
                    .to_owned(),
                help: "give the binding another name".to_owned(),
            });
        }
    }
    let Some(policy) = &deployment.policy else { return };
    for (worker, dispatch) in deployment.dispatches() {
        let outbound = dispatch.outbound.iter().flat_map(|outbound| &outbound.parameters);
        for parameter in outbound.filter(|parameter| policy.secrets.contains(&parameter.value)) {
            findings.push(Finding {
                code: Code::ShadowedParameter,
                severity: Severity::Error,
                span: parameter.span,
                message: format!("`{}` passes a parameter with the name of the secret `{}`", worker.name, parameter.value),
                why: "whoever fills the parameter chooses the secret that tokens are signed with, or that upstreams are shown".to_owned(),
                help: "give the parameter another name".to_owned(),
            });
        }
    }
}
