//! What is looked for, one file a check.

mod connect_pass_through;
mod dispatch_without_outbound;
mod durable_object;
mod identity_from_request;
mod missing_parameter;
mod mtls_certificate;
mod outbound_compatibility;
mod outbound_entrypoint;
mod private_origin;
mod public_outbound;
mod reaching_binding;
mod shadowed_parameter;
mod trusted_namespace;
mod unknown_binding;
mod unknown_key;
mod unknown_outbound;

use tidegate_compiler::source::SourceMap;

use super::bindings::Reach;
use super::config::{Binding, Worker};
use super::deployment::Role;
use super::{Deployment, Finding};

/// Looks at a deployment and adds what it finds.
type Check = fn(&Deployment, &SourceMap, &mut Vec<Finding>);

/// Every check.
pub(super) const ALL: &[Check] = &[
    connect_pass_through::check,
    dispatch_without_outbound::check,
    durable_object::check,
    identity_from_request::check,
    missing_parameter::check,
    mtls_certificate::check,
    outbound_compatibility::check,
    outbound_entrypoint::check,
    private_origin::check,
    public_outbound::check,
    reaching_binding::check,
    shadowed_parameter::check,
    trusted_namespace::check,
    unknown_binding::check,
    unknown_key::check,
    unknown_outbound::check,
];

/// User Workers' bindings of one reach.
fn user_bindings(deployment: &Deployment, reach: Reach) -> impl Iterator<Item = (&Worker, &Binding)> {
    deployment.of(Role::User).flat_map(move |worker| {
        let of_reach = move |binding: &&Binding| binding.kind.is_some_and(|kind| kind.reach == reach);
        worker.bindings.iter().filter(of_reach).map(move |binding| (worker, binding))
    })
}

/// The same way out for every binding of a user Worker.
const TAKE_IT_AWAY: &str =
    "take the binding from user Workers, or put what it does behind an API of your own that they fetch";
