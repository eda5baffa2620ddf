//! All Workers that are looked at together, and which of them is what.

use std::collections::BTreeSet;

use tidegate_compiler::checked::{CheckedPolicy, Identity};
use tidegate_compiler::source::FileId;

use super::config::{Dispatch, Namespace, Outbound, Worker};

/// What `tidegate dev` and our own configurations call the outbound Worker.
const USUAL_OUTBOUND: &str = "tidegate-outbound";

/// Everything that is looked at together.
#[derive(Debug, Default)]
pub(crate) struct Deployment {
    /// Workers, in the order of their files.
    pub(crate) workers: Vec<Placed>,
    /// Namespaces.
    pub(crate) namespaces: Vec<Namespace>,
    /// What the policy reads, where one was given.
    pub(crate) policy: Option<Policy>,
    /// Outbound Workers that are deployed from elsewhere.
    pub(crate) elsewhere: BTreeSet<String>,
}

/// A Worker, what it is to the gate, and its code.
#[derive(Debug)]
pub(crate) struct Placed {
    /// The Worker.
    pub(crate) worker: Worker,
    /// What it is.
    pub(crate) role: Role,
    /// The file where its code begins, if it was read.
    pub(crate) code: Option<FileId>,
}

/// What a Worker is to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It has a dispatch namespace and says whose request it is.
    Dispatch,
    /// It judges.
    Outbound,
    /// It may be anybody's.
    User,
}

/// What a policy reads from the outbound Worker's `env`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// Parameters: the first steps of the paths in `[identity]`.
    pub(crate) parameters: BTreeSet<String>,
    /// `identity = "none"`: whoever calls the outbound Worker is served.
    pub(crate) serves_anybody: bool,
    /// Worker secrets, of keys and templates.
    pub(crate) secrets: BTreeSet<String>,
}

impl Policy {
    /// What a checked policy reads.
    pub(crate) fn new(policy: &CheckedPolicy) -> Self {
        let identity = policy.identity.as_ref();
        let paths = identity.into_iter().flat_map(|identity| {
            // Every field by name: one that comes to be read is a parameter that has to be passed.
            let Identity { customer, tags, vars } = identity;
            std::iter::once(customer).chain(tags).chain(vars)
        });
        let templates = policy.rules.iter().flat_map(|rule| {
            let claims = rule.obligations.jwt.iter().flat_map(|jwt| &jwt.claims);
            rule.obligations.set.iter().chain(claims).flat_map(|(_, template)| template.secrets())
        });
        let keys = policy.keys.iter().map(|key| key.secret.as_str());
        Self {
            parameters: paths.filter_map(|path| path.first()).cloned().collect(),
            serves_anybody: identity.is_none(),
            secrets: templates.chain(keys).map(str::to_owned).collect(),
        }
    }
}

impl Role {
    /// For people.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch Worker",
            Self::Outbound => "outbound Worker",
            Self::User => "user Worker",
        }
    }
}

impl Deployment {
    /// Tells what each Worker is. One that a dispatch binding names, or `outbound`, or that `tidegate build` makes, judges.
    pub(crate) fn new(workers: Vec<Worker>, outbound: &[String]) -> Self {
        let mut services: BTreeSet<String> = outbound.iter().cloned().collect();
        services.insert(USUAL_OUTBOUND.to_owned());
        for outbound in
            workers.iter().flat_map(|worker| &worker.dispatches).filter_map(|dispatch| dispatch.outbound.as_ref())
        {
            services.extend(names(outbound));
        }
        // An environment is what its Worker is: a binding may name only one of them.
        let judges = |worker: &Worker| {
            services.contains(&worker.name)
                || worker.build.as_ref().is_some_and(|command| command.contains("tidegate build"))
        };
        let files: BTreeSet<FileId> =
            workers.iter().filter(|worker| judges(worker)).map(|worker| worker.place.file).collect();
        let placed = workers.into_iter().map(|worker| {
            let role = if judges(&worker) || files.contains(&worker.place.file) {
                Role::Outbound
            } else if worker.dispatches.is_empty() {
                Role::User
            } else {
                Role::Dispatch
            };
            Placed { worker, role, code: None }
        });
        Self { workers: placed.collect(), elsewhere: outbound.iter().cloned().collect(), ..Self::default() }
    }

    /// Workers of one role.
    pub(crate) fn of(&self, role: Role) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(move |placed| placed.role == role).map(|placed| &placed.worker)
    }

    /// Every dispatch binding, whatever else its Worker is.
    pub(crate) fn dispatches(&self) -> impl Iterator<Item = (&Worker, &Dispatch)> {
        self.workers
            .iter()
            .flat_map(|placed| placed.worker.dispatches.iter().map(|dispatch| (&placed.worker, dispatch)))
    }

    /// Every parameter that is read or passed.
    pub(crate) fn parameters(&self) -> BTreeSet<&str> {
        let read = self.policy.iter().flat_map(|policy| &policy.parameters).map(String::as_str);
        let outbounds = self.dispatches().filter_map(|(_, dispatch)| dispatch.outbound.as_ref());
        let passed = outbounds.flat_map(|outbound| &outbound.parameters).map(|parameter| parameter.value.as_str());
        read.chain(passed).collect()
    }
}

/// What the Worker behind a dispatch binding may be called.
pub(crate) fn names(outbound: &Outbound) -> Vec<String> {
    let service = &outbound.service.value;
    let with_environment = outbound.environment.as_ref().map(|environment| format!("{service}-{environment}"));
    std::iter::once(service.clone()).chain(with_environment).collect()
}
