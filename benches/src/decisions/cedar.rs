//! Cedar: one policy a rule, without a schema.
//!
//! Customers are principals, in their tags; hosts are resources, in every name that they are beneath. So what Cedar is best
//! at, scopes, decides nearly all. Policies are parsed, entities made and requests built before the clock runs.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet,
    RestrictedExpression,
};

use super::policy::{Hosts, Request, Rule, Subject};
use super::{Engine, prepared};
use crate::domains::suffixes;

fn text(rules: &[Rule]) -> String {
    let mut text = String::new();
    for rule in rules {
        let effect = if rule.allow { "permit" } else { "forbid" };
        let principal = match &rule.subject {
            Subject::Customer(name) => format!("principal == Customer::\"{name}\""),
            Subject::Everybody => "principal".to_owned(),
            Subject::Tag(name) => format!("principal in Tag::\"{name}\""),
        };
        let action = if rule.reads_and_posts { "action in [Action::\"GET\", Action::\"POST\"]" } else { "action" };
        let name = rule.hosts.name();
        let _ = write!(text, "{effect}({principal}, {action}, resource in Host::\"{name}\")");
        let mut when = Vec::new();
        if let Hosts::OneLabelAbove(name) = &rule.hosts {
            when.push(format!("context.parent == \"{name}\""));
        }
        if let Some(below) = &rule.below {
            when.push(format!("context.path like \"{below}*\""));
        }
        let _ =
            if when.is_empty() { writeln!(text, ";") } else { writeln!(text, " when {{ {} }};", when.join(" && ")) };
    }
    text
}

pub(super) fn engine(rules: &[Rule], requests: &[Request]) -> Result<Engine<'static>> {
    let text = text(rules);
    let started = Instant::now();
    let policies: PolicySet = text.parse()?;
    let build = started.elapsed().as_secs_f64();
    let entities = entities(requests)?;
    let requests = requests.iter().map(request).collect::<Result<Vec<_>>>()?;
    let authorizer = Authorizer::new();
    let decide = move |number: usize| {
        let (request, entities) = (&requests[number], &entities[number]);
        authorizer.is_authorized(request, &policies, entities).decision() == Decision::Allow
    };
    Ok(Engine { name: "cedar-policy", build, bytes: None, decide: prepared(decide) })
}

/// For each request, whom and what it is about. A request brings its customer's tags, so that it has entities of its own.
fn entities(requests: &[Request]) -> Result<Vec<Entities>> {
    requests
        .iter()
        .map(|request| {
            let mut all = Vec::new();
            let tags: HashSet<EntityUid> = request.tags.iter().map(|tag| uid("Tag", tag)).collect::<Result<_>>()?;
            all.push(Entity::new_no_attrs(uid("Customer", &request.customer)?, tags));
            let names: Vec<&str> = suffixes(&request.host).collect();
            let above: HashSet<EntityUid> = names[1..].iter().map(|name| uid("Host", name)).collect::<Result<_>>()?;
            all.push(Entity::new_no_attrs(uid("Host", &request.host)?, above));
            Ok(Entities::from_entities(all, None)?)
        })
        .collect()
}

fn request(request: &Request) -> Result<cedar_policy::Request> {
    let parent = request.host.split_once('.').map_or("", |(_, parent)| parent);
    let pairs = [("path", request.path.as_str()), ("parent", parent)];
    let pairs = pairs.map(|(key, value)| (key.to_owned(), RestrictedExpression::new_string(value.to_owned())));
    Ok(cedar_policy::Request::new(
        uid("Customer", &request.customer)?,
        uid("Action", request.method)?,
        uid("Host", &request.host)?,
        Context::from_pairs(pairs)?,
        None,
    )?)
}

fn uid(kind: &str, id: &str) -> Result<EntityUid> {
    Ok(EntityUid::from_type_name_and_id(kind.parse::<EntityTypeName>()?, EntityId::new(id)))
}
