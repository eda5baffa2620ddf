//! Ours: a policy file, compiled, loaded, asked with a scratch that is used again.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use tidegate_engine::{Effect, Policy, RequestView, Target};

use super::policy::{Hosts, Request, Rule, Subject};
use super::{Engine, prepared};

/// 2026-11-22
pub(crate) const NOW: i64 = 1_795_305_600;

/// The rules as a policy file.
pub(crate) fn toml(rules: &[Rule]) -> String {
    let mut toml = "policy = 1\n\n[identity]\ncustomer = \"customer_name\"\ntags = \"customer_tags\"\n".to_owned();
    for (number, rule) in rules.iter().enumerate() {
        let effect = if rule.allow { "allow" } else { "deny" };
        let _ = write!(toml, "\n[[rule]]\nid = \"rule-{number}\"\neffect = \"{effect}\"\n");
        let _ = match &rule.subject {
            Subject::Customer(name) => writeln!(toml, "customers = [\"{name}\"]"),
            Subject::Everybody => Ok(()),
            Subject::Tag(name) => writeln!(toml, "tags = [\"{name}\"]"),
        };
        let _ = match &rule.hosts {
            Hosts::Domain(name) => writeln!(toml, "domains = [\"{name}\"]"),
            Hosts::OneLabelAbove(name) => writeln!(toml, "hosts = [\"*.{name}\"]"),
        };
        if rule.reads_and_posts {
            toml.push_str("methods = [\"GET\", \"POST\"]\n");
        }
        if let Some(below) = &rule.below {
            let _ = writeln!(toml, "paths = [\"{below}**\"]");
        }
    }
    toml
}

/// Compiles a policy file and loads it. The table lives as long as the program, as in the Worker.
pub(crate) fn policy(toml: &str, folder: &Path) -> Result<(Policy<'static>, usize)> {
    let file = folder.join("rules.toml");
    fs::write(&file, toml)?;
    let compiled = tidegate_compiler::compile(&file);
    let Some(output) = compiled.output else { bail!("{:?}", compiled.diagnostics.first()) };
    let bytes: &'static [u8] = output.table.leak();
    Ok((Policy::from_bytes(bytes)?, bytes.len()))
}

pub(super) fn engine(rules: &[Rule], requests: &[Request], folder: &Path) -> Result<Engine<'static>> {
    let toml = toml(rules);
    let started = Instant::now();
    let (policy, bytes) = policy(&toml, folder)?;
    let build = started.elapsed().as_secs_f64();
    let targets = requests.iter().map(|request| Target::parse(&format!("https://{}{}", request.host, request.path)));
    let Ok(targets) = targets.collect::<Result<Vec<Target>, _>>() else { bail!("a request has no target") };
    let requests = requests.to_vec();
    let mut scratch = policy.scratch();
    let decide = move |number: usize| {
        let request = &requests[number];
        let view = RequestView {
            method: request.method,
            target: Ok(&targets[number]),
            headers: &[],
            customer: Some(&request.customer),
            tags: Some(&request.tags),
            vars: Some(&[]),
            now: NOW,
        };
        policy.decide(&view, &mut scratch).effect == Effect::Allow
    };
    Ok(Engine { name: "Tidegate", build, bytes: Some(bytes), decide: prepared(decide) })
}
