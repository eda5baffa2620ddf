//! `tenant-header`: allow rules that trust what the tenant writes.

use super::Context;
use crate::checked::Effect;
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn check(context: &mut Context<'_>) {
    for rule in context.policy.rules.iter().filter(|rule| rule.effect == Effect::Allow) {
        let Some((header, _)) = rule.condition.headers.first() else { continue };
        let message = format!("`{}` allows by the header `{header}`, which the tenant writes", rule.id);
        let finding = Diagnostic::error(Code::TenantHeader, rule.span, message);
        context.report(finding.help("ask for what the platform says of the customer: `customers` or `tags`"));
    }
}
