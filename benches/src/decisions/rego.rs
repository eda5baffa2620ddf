//! Rego, by regorus: the rules are data, indexed by customer, tag and name, as the documentation of Open Policy Agent has it for
//! policies of many rules; so no rule is looked at that is for somebody else. The program is compiled for regorus' virtual machine,
//! or run by its interpreter; requests are given as values, not as JSON, with what remains of the host label by label.

use std::time::Instant;

use anyhow::Result;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine as Rego, Rc, Value};
use serde_json::{Map, json};

use super::policy::{Hosts, Request, Rule, Subject};
use super::{Engine, prepared};
use crate::domains::suffixes;

const POLICY: &str = r"package egress

import rego.v1

default allow := false

allow if {
    permitted
    not forbidden
}

permitted if {
    some suffix in input.suffixes
    some rule in data.permit.customers[input.customer][suffix]
    meets(rule)
}

permitted if {
    some tag in input.tags
    some suffix in input.suffixes
    some rule in data.permit.tags[tag][suffix]
    meets(rule)
}

permitted if {
    some rule in data.permit.parents[input.suffixes[1]]
    meets(rule)
}

forbidden if {
    some suffix in input.suffixes
    some rule in data.forbid.customers[input.customer][suffix]
    meets(rule)
}

meets(rule) if {
    rule.methods[input.method]
    startswith(input.path, rule.below)
}
";

const ALLOW: &str = "data.egress.allow";

/// Rules by whom they are for, and by name.
fn data(rules: &[Rule]) -> serde_json::Value {
    let mut data = json!({
        "permit": { "customers": {}, "tags": {}, "parents": {} },
        "forbid": { "customers": {} },
    });
    for rule in rules {
        let effect = &mut data[if rule.allow { "permit" } else { "forbid" }];
        let by_name = match (&rule.subject, &rule.hosts) {
            (Subject::Customer(name), Hosts::Domain(_)) => object(&mut effect["customers"][name.as_str()]),
            (Subject::Tag(name), Hosts::Domain(_)) => object(&mut effect["tags"][name.as_str()]),
            (_, _) => object(&mut effect["parents"]),
        };
        let methods: &[&str] = if rule.reads_and_posts { &["GET", "POST"] } else { &["GET", "POST", "DELETE"] };
        let methods: Map<_, _> = methods.iter().map(|method| ((*method).to_owned(), json!(true))).collect();
        let rule_data = json!({ "methods": methods, "below": rule.below.as_deref().unwrap_or("/") });
        let same_name = by_name.entry(rule.hosts.name()).or_insert_with(|| json!([]));
        if let serde_json::Value::Array(same_name) = same_name {
            same_name.push(rule_data);
        }
    }
    data
}

fn object(value: &mut serde_json::Value) -> &mut Map<String, serde_json::Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        serde_json::Value::Object(map) => map,
        _ => unreachable!("it was just made one"),
    }
}

fn input(request: &Request) -> Value {
    Value::from(json!({
        "customer": request.customer,
        "tags": request.tags,
        "method": request.method,
        "path": request.path,
        "suffixes": suffixes(&request.host).collect::<Vec<_>>(),
    }))
}

/// The virtual machine, and the interpreter.
pub(super) fn engines(rules: &[Rule], requests: &[Request]) -> Result<[Engine<'static>; 2]> {
    let data = data(rules).to_string();
    let inputs: Vec<Value> = requests.iter().map(input).collect();
    let loaded = || -> Result<(Rego, Value)> {
        let mut engine = Rego::new();
        engine.add_policy("egress.rego".to_owned(), POLICY.to_owned())?;
        let data = Value::from_json_str(&data)?;
        engine.add_data(data.clone())?;
        Ok((engine, data))
    };

    let started = Instant::now();
    let (mut engine, data) = loaded()?;
    let allow: Rc<str> = ALLOW.into();
    let program = Compiler::compile_from_policy(&engine.compile_with_entrypoint(&allow)?, &[ALLOW])?;
    let mut machine = RegoVM::new();
    machine.load_program(program);
    machine.set_data(data)?;
    let build = started.elapsed().as_secs_f64();
    let inputs_of_machine = inputs.clone();
    let decide = move |number: usize| {
        machine.set_input(inputs_of_machine[number].clone());
        matches!(machine.execute(), Ok(Value::Bool(true)))
    };
    let machine = Engine { name: "regorus, virtual machine", build, bytes: None, decide: prepared(decide) };

    let started = Instant::now();
    let (mut engine, _) = loaded()?;
    let build = started.elapsed().as_secs_f64();
    let decide = move |number: usize| {
        engine.set_input(inputs[number].clone());
        matches!(engine.eval_rule(ALLOW.to_owned()), Ok(Value::Bool(true)))
    };
    let interpreter = Engine { name: "regorus, interpreter", build, bytes: None, decide: prepared(decide) };
    Ok([machine, interpreter])
}
