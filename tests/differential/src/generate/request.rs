//! Requests: aimed at one rule of a policy, and then twisted so that they nearly hit, or nearly miss.

use std::collections::BTreeMap;

use tidegate_compiler::checked::Scheme;

use super::choices::Choices;
use super::hints::{Aim, Hints};
use super::twist;
use super::words::{CUSTOMERS, ODD_CUSTOMERS, TAGS, TENANT_HEADERS, VALUE_GLOBS, VARS};
use crate::corpus::NOW;
use crate::request::{Identity, Request};

/// Bytes of a sketch; few requests take more.
pub(super) const SKETCH: usize = 48;

const DAY: i64 = 24 * 60 * 60;

/// Decisions on a request that can be put to any policy: which rule it is for, and what is odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSketch(pub(super) Vec<u8>);

/// A request that is being made.
pub(super) struct Draft<'h> {
    pub(super) hints: &'h Hints,
    pub(super) method: String,
    pub(super) scheme: String,
    /// What stands before the host, and is no part of it.
    pub(super) userinfo: String,
    pub(super) host: String,
    /// With its colon.
    pub(super) port: String,
    pub(super) path: String,
    /// Query and fragment.
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) customer: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) vars: Option<Vec<(String, String)>>,
    pub(super) now: i64,
}

impl RequestSketch {
    /// The request, for a policy of which these are the hints.
    pub fn request(&self, hints: &Hints) -> Request {
        let mut choices = Choices::new(&self.0);
        let nowhere = Aim::default();
        let aim = choices.any(&hints.aims).unwrap_or(&nowhere);
        let mut draft = Draft::aimed(aim, hints, &mut choices);
        let twists = match choices.below(100) {
            0..45 => 0,
            45..80 => 1,
            80..93 => 2,
            _ => 3,
        };
        for _ in 0..twists {
            twist::twist(&mut draft, &mut choices);
        }
        draft.carry_luggage(&mut choices);
        draft.finish()
    }
}

impl<'h> Draft<'h> {
    /// A request that meets a rule's conditions, as far as hints go.
    fn aimed(aim: &Aim, hints: &'h Hints, choices: &mut Choices<'_>) -> Self {
        let known = |own: &[String], all: &[String], choices: &mut Choices<'_>, otherwise: &str| {
            let value = choices.any(own).or_else(|| choices.any(all));
            value.map_or_else(|| otherwise.to_owned(), Clone::clone)
        };
        let host = known(&aim.hosts, &hints.hosts, choices, "api.example.com");
        let path = known(&aim.paths, &hints.paths, choices, "/v1/users");
        let method = choices.one(&aim.usual_methods()).to_owned();
        let scheme = *choices.any(&aim.schemes).unwrap_or(&Scheme::Https);
        let port = choices.any(&aim.ports).map_or_else(String::new, |port| format!(":{port}"));
        let customer = hints.has_identity.then(|| known(&aim.customers, &hints.customers, choices, CUSTOMERS[0]));
        let mut tags: Vec<String> = choices.any(&aim.tags).cloned().into_iter().collect();
        if choices.percent(15) {
            tags = choices.any(&hints.tags).cloned().into_iter().collect();
        }
        let now = match aim.expires {
            Some(day) if choices.percent(60) => i64::from(day) * DAY + [-1, 0, DAY][choices.below(3)],
            _ => NOW,
        };
        let vars = if choices.percent(30) { some_vars(choices) } else { Vec::new() };
        let mut headers = Vec::new();
        for (name, values) in &aim.headers {
            headers.push((name.clone(), known(values, &[], choices, "")));
        }
        if aim.websocket && choices.percent(40) {
            headers.push(("Upgrade".to_owned(), "websocket".to_owned()));
        }
        Self {
            hints,
            method,
            scheme: (if scheme == Scheme::Http { "http" } else { "https" }).to_owned(),
            userinfo: String::new(),
            host,
            port,
            path,
            query: String::new(),
            headers,
            customer,
            tags: Some(tags),
            vars: Some(vars),
            now,
        }
    }

    /// Another host that the policy knows of.
    pub(super) fn another_host(&self, choices: &mut Choices<'_>) -> String {
        choices.any(&self.hints.hosts).cloned().unwrap_or_default()
    }

    /// Puts headers on that no rule asked for, those above all that rules have to do with.
    fn carry_luggage(&mut self, choices: &mut Choices<'_>) {
        let count = match choices.below(100) {
            0..40 => 0,
            40..65 => 1,
            65..85 => 2,
            _ => 4,
        };
        for _ in 0..count {
            let header = match choices.any(&self.hints.headers) {
                Some(name) if choices.percent(60) => (respelled(name, choices), "theirs".to_owned()),
                _ => {
                    let (name, value) = choices.one(TENANT_HEADERS);
                    (name.to_owned(), value.to_owned())
                }
            };
            self.headers.push(header);
        }
    }

    fn finish(self) -> Request {
        let Self { scheme, userinfo, host, port, path, query, .. } = &self;
        let url = format!("{scheme}://{userinfo}{host}{port}{path}{query}");
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in self.headers {
            // Each name comes once.
            if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                headers.push((name, value));
            }
        }
        let identity = Identity { customer: self.customer, tags: self.tags, vars: self.vars };
        Request { method: self.method, url, headers, identity, now: self.now }
    }

    /// Another customer, or none that can be.
    pub(super) fn twist_customer(&mut self, choices: &mut Choices<'_>) {
        self.customer = match choices.below(10) {
            0 => None,
            1 => Some("x".repeat(256)),
            2 => Some("é".repeat(129)),
            3..6 => choices.any(&self.hints.customers).cloned(),
            _ => Some(choices.one(ODD_CUSTOMERS).to_owned()),
        };
    }

    /// Other tags, none, or what are none.
    pub(super) fn twist_tags(&mut self, choices: &mut Choices<'_>) {
        self.tags = match choices.below(8) {
            0 => None,
            1 | 2 => Some(Vec::new()),
            3 => Some(vec!["PAID".to_owned(), "pai".to_owned(), String::new()]),
            4 | 5 => Some(self.hints.tags.clone()),
            _ => Some(choices.some(TAGS, 3).into_iter().map(str::to_owned).collect()),
        };
    }

    /// Other variables, none, or what are none.
    pub(super) fn twist_vars(&mut self, choices: &mut Choices<'_>) {
        self.vars = match choices.below(4) {
            0 => None,
            1 => Some(Vec::new()),
            _ => Some(some_vars(choices)),
        };
    }

    /// Takes the headers that a rule may ask for out, or spells or fills them in another way.
    pub(super) fn twist_headers(&mut self, choices: &mut Choices<'_>) {
        if self.headers.is_empty() {
            let upgrade =
                choices.one(&["websocket", "h2c, WebSocket", "websockets", "h2c", ",websocket,", "web socket"]);
            self.headers.push(("upgrade".to_owned(), upgrade.to_owned()));
            return;
        }
        let place = choices.below(self.headers.len());
        match choices.below(5) {
            0 => drop(self.headers.remove(place)),
            1 | 2 => self.headers[place].0 = respelled(&self.headers[place].0, choices),
            3 => self.headers[place].1 = choices.one(VALUE_GLOBS).replace('*', "z"),
            _ => self.headers[place].1 = odd_value(&self.headers[place].1, choices),
        }
    }

    /// More headers than a request may have.
    pub(super) fn overload(&mut self, choices: &mut Choices<'_>) {
        // 131,072 bytes are allowed: with the name, one of these is exactly that, the other one more.
        let bytes = 131_072 - "x-large".len() + choices.below(2);
        self.headers = vec![("x-large".to_owned(), "x".repeat(bytes))];
    }

    /// Another time.
    pub(super) fn twist_time(&mut self, choices: &mut Choices<'_>) {
        self.now = choices.one(&[NOW + 12 * 60 * 60 - 1, NOW + 12 * 60 * 60, NOW + 40 * DAY, 0, -1, 4_102_444_800]);
    }
}

/// A header's name in another spelling, which may be another header.
fn respelled(name: &str, choices: &mut Choices<'_>) -> String {
    match choices.below(4) {
        0 => name.to_owned(),
        1 => name.to_ascii_uppercase(),
        2 => name.replace('-', "_"),
        _ => name.replace('_', "-"),
    }
}

fn odd_value(value: &str, choices: &mut Choices<'_>) -> String {
    match choices.below(4) {
        0 => value.to_ascii_uppercase(),
        1 => format!("{value}x"),
        2 => format!("x{value}"),
        _ => value.chars().skip(1).collect(),
    }
}

/// Variables, each name once.
fn some_vars(choices: &mut Choices<'_>) -> Vec<(String, String)> {
    let vars = choices.some(VARS, 2).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    vars.collect::<BTreeMap<_, _>>().into_iter().collect()
}
