//! Policies written in place, and requests to put to them.

use tidegate_engine::{Judgement, Policy, RequestView, Secrets, Target};

/// Compiles a policy; its head is filled in where a test does not care.
pub(crate) fn table(text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    let head = ["policy = 1", "default = \"deny\"", "identity = \"none\""]
        .into_iter()
        .filter(|line| {
            let key = line.split(' ').next().unwrap();
            !text
                .lines()
                .map(str::trim_start)
                .any(|own| own.starts_with(&format!("{key} ")) || own == format!("[{key}]"))
        })
        .collect::<Vec<_>>()
        .join("\n");
    std::fs::write(&path, format!("{head}\n{text}")).unwrap();
    let compilation = tidegate_compiler::compile(&path);
    match compilation.output {
        Some(output) => output.table,
        None => panic!("the test's policy does not compile: {:#?}", compilation.diagnostics),
    }
}

/// 2026-11-22T12:00:00Z.
pub(crate) const NOW: i64 = 1_795_348_800;

/// A request as a test writes it.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) customer: Option<&'a str>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) vars: Option<Vec<(String, String)>>,
    pub(crate) now: i64,
}

pub(crate) fn get(url: &str) -> Request<'_> {
    Request {
        method: "GET",
        url,
        headers: Vec::new(),
        customer: Some("acme"),
        tags: Some(Vec::new()),
        vars: Some(Vec::new()),
        now: NOW,
    }
}

impl Request<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn tags(self, tags: &[&str]) -> Self {
        Self { tags: Some(tags.iter().map(|&tag| tag.to_owned()).collect()), ..self }
    }

    pub(crate) fn judge<'p>(&self, policy: &'p Policy<'_>) -> Judgement<'p> {
        self.judge_with(policy, &Placeholders)
    }

    pub(crate) fn judge_with<'p>(&self, policy: &'p Policy<'_>, secrets: &dyn Secrets) -> Judgement<'p> {
        let target = Target::parse(self.url);
        policy.judge(&self.view(&target), &mut policy.scratch(), secrets)
    }

    pub(crate) fn view<'r>(&'r self, target: &'r Result<Target, tidegate_engine::InvalidTarget>) -> RequestView<'r> {
        RequestView {
            method: self.method,
            target: target.as_ref().map_err(|error| *error),
            headers: &self.headers,
            customer: self.customer,
            tags: self.tags.as_deref(),
            vars: self.vars.as_deref(),
            now: self.now,
        }
    }
}

/// `effect reason rule,rule`, as tests compare it.
pub(crate) fn said(judgement: &Judgement<'_>) -> String {
    let rules: Vec<_> = judgement.rules.iter().map(|rule| rule.id).collect();
    format!("{} {} {}", judgement.effect.as_str(), judgement.reason.as_str(), rules.join(",")).trim_end().to_owned()
}

pub(crate) struct Placeholders;

impl Secrets for Placeholders {
    fn secret(&self, name: &str) -> Option<String> {
        Some(format!("<secret:{name}>"))
    }
}

pub(crate) struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&self, _: &str) -> Option<String> {
        None
    }
}
