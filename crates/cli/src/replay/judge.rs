//! A policy's verdict on what a log says was asked.

use std::cell::OnceCell;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use tidegate_compiler::Output;
use tidegate_compiler::checked::{CheckedPolicy, Rule, Template, TemplatePart};
use tidegate_engine::canonical::PathReading;
use tidegate_engine::{Reason, Target};
use tidegate_test::decision::Decision;
use tidegate_test::engine::Engine;
use tidegate_test::instant::Seconds;
use tidegate_test::request::Request;

use super::bounds::{self, Bound, Unknown};
use super::verdict::Verdict;
use crate::load;
use crate::log::Record;
use crate::outcome::Failure;

/// What was asked, as far as the log says.
#[expect(clippy::struct_excessive_bools, reason = "what a record may leave out is independent of the rest")]
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The request; what is unknown is absent.
    pub(crate) request: Request,
    /// What is unknown.
    unknown: Unknown,
    /// The URL as it was recorded, where another stands for it.
    recorded_url: Option<String>,
    /// Nobody noted who asked: the policy of that day knew no customers.
    unknown_customer: bool,
    /// A credential was not there that day; which ones were is not known.
    unknown_credentials: bool,
    /// Nobody noted the customer's variables.
    unknown_vars: bool,
    /// Nobody was known by this name, or by what came with it.
    was_nobody: bool,
}

/// What a policy says of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Judged {
    /// Whatever is unknown, this.
    Certain(Verdict),
    /// It depends on what is unknown; on what.
    Undecided(String),
}

/// A compiled policy, and those that bracket it, compiled when they are first needed.
pub(crate) struct Tables {
    output: Output,
    bounds: [OnceCell<[Output; 2]>; 8],
}

/// Judges by a policy.
pub(crate) struct Judge<'t> {
    tables: &'t Tables,
    exact: Engine<'t>,
    bounds: HashMap<Unknown, [Engine<'t>; 2]>,
    rules: HashMap<&'t str, &'t Rule>,
    digest: String,
}

impl Question {
    /// A request that is known in full.
    pub(crate) fn of_request(request: Request) -> Self {
        Self {
            request,
            unknown: Unknown::default(),
            recorded_url: None,
            unknown_customer: false,
            unknown_credentials: false,
            unknown_vars: false,
            was_nobody: false,
        }
    }

    /// What a record says was asked; `None` of a request that could not be read.
    pub(crate) fn of_record(record: &Record) -> Option<Self> {
        let place = record.place.as_ref()?;
        let upgrade = || vec![("upgrade".to_owned(), "websocket".to_owned())];
        Some(Self {
            request: Request {
                method: record.method.clone()?,
                url: place.url(),
                customer: record.customer.clone(),
                tags: record.tags.clone(),
                // Records do not hold them; see `Judge::credential`.
                vars: Some(Vec::new()),
                headers: if record.upgrade { upgrade() } else { Vec::new() },
            },
            unknown: Unknown { headers: true, tags: record.tags.is_none(), origin: place.origin.is_none() },
            recorded_url: Some(place.as_recorded()).filter(|_| place.reading == PathReading::Ambiguous),
            unknown_customer: record.customer.is_none() && record.reason != Reason::UnknownCustomer,
            unknown_credentials: record.reason == Reason::CredentialUnavailable,
            unknown_vars: true,
            was_nobody: record.reason == Reason::UnknownCustomer,
        })
    }

    /// What was asked for, as people read it: never the query, which may hold what is nobody's business.
    pub(crate) fn url(&self) -> String {
        if let Some(url) = &self.recorded_url {
            return url.clone();
        }
        Target::parse(&self.request.url).map_or_else(
            |_| "(a URL that cannot be read)".to_owned(),
            |target| target.url().split('?').next().unwrap_or_default().to_owned(),
        )
    }
}

impl Tables {
    /// Those of a policy.
    pub(crate) fn new(output: Output) -> Self {
        Self { output, bounds: Default::default() }
    }

    /// The policy.
    pub(crate) fn policy(&self) -> &CheckedPolicy {
        &self.output.policy
    }

    fn bounds(&self, unknown: Unknown) -> Result<&[Output; 2], Failure> {
        let Unknown { headers, tags, origin } = unknown;
        let cell = &self.bounds[usize::from(headers) + 2 * usize::from(tags) + 4 * usize::from(origin)];
        if let Some(bounds) = cell.get() {
            return Ok(bounds);
        }
        let compile = |end| {
            let policy = bounds::bound(self.policy(), unknown, end);
            let table = tidegate_compiler::table(&policy).map_err(|_| too_large())?;
            Ok::<_, Failure>(Output { policy, table })
        };
        let bounds = [compile(Bound::Strictest)?, compile(Bound::Laxest)?];
        Ok(cell.get_or_init(|| bounds))
    }
}

impl<'t> Judge<'t> {
    /// Loads the policy as the Worker would.
    pub(crate) fn new(tables: &'t Tables) -> Result<Self, Failure> {
        Ok(Self {
            tables,
            exact: Engine::table(&tables.output).map_err(load::unloadable)?,
            bounds: HashMap::new(),
            digest: load::digest(&tables.output.table)?,
            rules: tables.policy().rules.iter().map(|rule| (rule.id.as_str(), rule)).collect(),
        })
    }

    /// Whether a record is of a decision by this very policy, which it would make again: the same bytes say the same to the
    /// same request on the same day.
    pub(crate) fn decided(&self, record: &Record) -> bool {
        let knows_the_day = record.at.is_some() || self.rules.values().all(|rule| rule.expires.is_none());
        knows_the_day && record.policy.as_deref() == Some(&self.digest)
    }

    /// The verdict on a question.
    pub(crate) fn judge(&mut self, question: &Question, now: Seconds) -> Result<Judged, Failure> {
        let policy = self.tables.policy();
        if question.unknown_customer && policy.identity.is_some() {
            return Ok(Judged::Undecided("the policy asks who it is, which the record does not say".to_owned()));
        }
        let asks_for_vars = policy.identity.as_ref().is_some_and(|identity| identity.vars.is_some());
        if question.was_nobody && question.unknown_vars && asks_for_vars && question.request.customer.is_some() {
            let why = "the policy asks for variables, which the record does not hold, and the request may have been nobody's for them";
            return Ok(Judged::Undecided(why.to_owned()));
        }
        let asks_for_tags = policy.identity.as_ref().is_some_and(|identity| identity.tags.is_some());
        let unknown = Unknown { tags: question.unknown.tags && asks_for_tags, ..question.unknown };
        if !bounds::depends(policy, unknown) && !unknown.tags {
            let decision = self.exact.decide(&question.request, now);
            return Ok(match self.credential(question, &decision) {
                Some(why) => Judged::Undecided(why),
                None => Judged::Certain(Verdict::of_decision(&decision)),
            });
        }
        let [strictest, laxest] = match self.bounds.entry(unknown) {
            Entry::Occupied(engines) => engines.into_mut(),
            Entry::Vacant(place) => {
                let [strictest, laxest] = self.tables.bounds(unknown)?;
                let engine = |output| Engine::table(output).map_err(load::unloadable);
                place.insert([engine(strictest)?, engine(laxest)?])
            }
        };
        // If the tags are unknown they may be absent, too, and then the request is nobody's.
        let nobodys = unknown.tags.then(|| strictest.decide(&question.request, now));
        let tagged = || Request { tags: Some(Vec::new()), ..question.request.clone() };
        let request = if unknown.tags { &tagged() } else { &question.request };
        let (strictest, laxest) = (strictest.decide(request, now), laxest.decide(request, now));
        let verdict = Verdict::between(&strictest, &laxest).and_then(|verdict| match &nobodys {
            Some(nobodys) => verdict.or(Verdict::of_decision(nobodys)),
            None => Some(verdict),
        });
        let Some(verdict) = verdict else {
            return Ok(Judged::Undecided(self.why(unknown, &strictest, &laxest)));
        };
        Ok(self.credential(question, &laxest).map_or(Judged::Certain(verdict), Judged::Undecided))
    }

    /// Where a credential was missing when the request was made: which of the rules that allow it ask for one, if any does.
    fn credential(&self, question: &Question, decision: &Decision) -> Option<String> {
        let fills_in = |part: &TemplatePart| !matches!(part, TemplatePart::Literal(_));
        let asks = |rule: &&&Rule| {
            let obligations = &rule.obligations;
            obligations.jwt.is_some() || obligations.set.iter().any(|(_, template)| template.0.iter().any(fills_in))
        };
        let mut allowing = decision.rules.iter().filter_map(|id| self.rules.get(id.as_str()));
        let identity = self.tables.policy().identity.as_ref();
        if question.unknown_vars && identity.is_some_and(|identity| identity.vars.is_some()) {
            let has_var = |template: &Template| template.0.iter().any(|part| matches!(part, TemplatePart::Var(_)));
            let asks = |rule: &&&Rule| {
                let obligations = &rule.obligations;
                let mut claims = obligations.jwt.iter().flat_map(|jwt| &jwt.claims);
                obligations.set.iter().any(|(_, template)| has_var(template))
                    || claims.any(|(_, template)| has_var(template))
            };
            let is_obliged = decision.effect == "allow" || decision.reason == "credential-unavailable";
            if let Some(rule) = allowing.clone().find(asks).filter(|_| is_obliged) {
                return Some(format!("rule `{}` fills in variables, which the record does not hold", rule.id));
            }
        }
        let rule = allowing.find(asks).filter(|_| question.unknown_credentials && decision.effect == "allow")?;
        Some(format!("a credential was missing, and rule `{}` asks for one", rule.id))
    }

    /// On what a decision depends: what the rules look at that match in one bound only.
    fn why(&self, unknown: Unknown, strictest: &Decision, laxest: &Decision) -> String {
        let mut why = Vec::new();
        if unknown.origin {
            why.push("the record says neither scheme nor port: an older Worker wrote it".to_owned());
        }
        if unknown.tags {
            why.push("the policy asks for tags, which the record does not hold".to_owned());
        }
        let matching = |decision: &Decision| -> BTreeSet<String> {
            decision.rules.iter().chain(&decision.would_deny).cloned().collect()
        };
        for id in matching(strictest).symmetric_difference(&matching(laxest)) {
            let names: BTreeSet<&str> = self
                .rules
                .get(id.as_str())
                .into_iter()
                .flat_map(|rule| bounds::conditions(rule))
                .flat_map(|condition| &condition.headers)
                .map(|(name, _)| name.as_str())
                .collect();
            if unknown.headers && !names.is_empty() {
                let names = names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                why.push(format!("rule `{id}` looks at the header {names}, and records hold none"));
            }
        }
        if why.is_empty() {
            why.push("it depends on headers, and records hold none".to_owned());
        }
        why.join("; ")
    }
}

fn too_large() -> Failure {
    Failure::new(
        "the policy grows too large where part of a request is unknown",
        "this is a fault of Tidegate; please report it",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use tidegate_differential::generate::{self, Hints};
    use tidegate_differential::{Folder, Request as Generated};
    use tidegate_engine::canonical::{PathReading, Scheme};
    use tidegate_engine::{Effect, RequestView};

    use super::*;

    /// What the outbound Worker would write.
    fn record(request: &Generated, decision: &Decision) -> Value {
        let target = Target::parse(&request.url).unwrap();
        let scheme = if target.scheme() == Scheme::Http { "http" } else { "https" };
        let view = RequestView {
            method: &request.method,
            target: Ok(&target),
            headers: &request.headers,
            customer: None,
            tags: None,
            vars: None,
            now: request.now,
        };
        let loggable = |name: &&String| name.len() <= 256 && !name.chars().any(char::is_control);
        json!({"event": "decision", "at": request.now, "customer": request.identity.customer.as_ref().filter(loggable),
            "tags": request.identity.tags, "method": request.method, "scheme": scheme,
            "host": target.host().as_str(), "port": target.port(), "path": target.path(),
            "ambiguous": target.path_reading() == PathReading::Ambiguous, "upgrade": view.is_upgrade(),
            "effect": decision.effect, "reason": decision.reason, "rule": decision.rule, "rules": decision.rules,
            "enforced": decision.enforced, "would_deny": decision.would_deny})
    }

    /// Generated policies and requests: what a policy says to a record of a request is what it says to the request, or
    /// undecided. Records lose their tags, their scheme, or both.
    #[test]
    fn what_is_not_recorded_is_never_guessed() {
        let folder = Folder::new().unwrap();
        let (mut certain, mut undecided, mut policies) = (0, 0, 0);
        for number in 0..40 {
            let (policy, sketches) = generate::seeded(5, number);
            let compilation = folder.compile(&policy.text(), &policy.files()).unwrap();
            let Some(output) = compilation.output else { continue };
            policies += 1;
            let hints = Hints::of(&output.policy);
            let tables = Tables::new(output);
            let mut judge = Judge::new(&tables).unwrap();
            for (number, sketch) in sketches.take(60).enumerate() {
                let asked = sketch.request(&hints);
                let request = Request {
                    method: asked.method.clone(),
                    url: asked.url.clone(),
                    customer: asked.identity.customer.clone(),
                    tags: asked.identity.tags.clone(),
                    vars: asked.identity.vars.clone(),
                    headers: asked.headers.clone(),
                };
                let decision = judge.exact.decide(&request, asked.now);
                if decision.reason == "invalid-request" {
                    continue;
                }
                let mut object = record(&asked, &decision);
                let lost: &[&str] = match number % 6 {
                    0 => &["scheme", "port", "ambiguous", "upgrade"],
                    1 => &["tags"],
                    2 => &["scheme", "port", "ambiguous", "upgrade", "tags"],
                    _ => &[],
                };
                for name in lost {
                    object.as_object_mut().unwrap().remove(*name);
                }
                let record = crate::log::Record::read(object, None).unwrap();
                let recorded = Verdict::of_record(&record);
                assert!(recorded.may_equal(&Verdict::of_decision(&decision)));
                let question = Question::of_record(&record).unwrap();
                match judge.judge(&question, record.at.unwrap()).unwrap() {
                    Judged::Certain(verdict) => {
                        certain += 1;
                        assert!(
                            verdict.may_equal(&recorded),
                            "{verdict} is not {recorded}\n{asked:?}\n{record:?}\n{}",
                            policy.text()
                        );
                    }
                    Judged::Undecided(why) => {
                        undecided += 1;
                        let lost = number % 6 < 3 || asked.identity.tags.is_none();
                        assert!(
                            lost || why.contains("header") || why.contains("variables"),
                            "{why}\n{asked:?}\n{}",
                            policy.text()
                        );
                    }
                }
            }
        }
        assert!(policies > 15 && certain > 2 * undecided && undecided > 50, "{policies} {certain} {undecided}");
    }

    fn tables(text: &str) -> Tables {
        let compilation = Folder::new().unwrap().compile(text, &BTreeMap::default()).unwrap();
        Tables::new(compilation.output.unwrap_or_else(|| panic!("{:?}", compilation.diagnostics)))
    }

    fn judged(policy: &str, changes: &Value) -> String {
        let mut object = json!({"event": "decision", "at": 0, "customer": "acme", "tags": ["paid"], "method": "GET",
            "scheme": "https", "host": "api.example.com", "port": 443, "path": "/v1", "effect": "deny",
            "reason": "default", "rule": null, "rules": [], "enforced": true, "would_deny": []});
        object.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let record = crate::log::Record::read(object, None).unwrap();
        let tables = tables(&format!("policy = 1\n{policy}"));
        let question = Question::of_record(&record).unwrap();
        match Judge::new(&tables).unwrap().judge(&question, 0).unwrap() {
            Judged::Certain(verdict) if verdict.outcome == crate::replay::verdict::Outcome::Denied => {
                format!("{} {verdict}", Effect::Deny.as_str())
            }
            Judged::Certain(verdict) => format!("{} {verdict}", Effect::Allow.as_str()),
            Judged::Undecided(why) => why,
        }
    }

    const API: &str = "[[rule]]\nid = \"api\"\neffect = \"allow\"\nhosts = [\"api.example.com\"]\n";

    #[test]
    fn headers_count_only_where_they_can_make_a_difference() {
        let canary = format!("{API}[[rule]]\nid = \"canary\"\neffect = \"deny\"\nheaders = {{ x-env = \"canary\" }}\n");
        let why = "rule `canary` looks at the header `x-env`, and records hold none";
        assert_eq!(judged(&canary, &json!({})), why);
        // Denied anyway.
        assert!(judged(&canary, &json!({"host": "b.example"})).starts_with("deny default or rule canary"));
        let elsewhere = format!("{canary}hosts = [\"b.example\"]\n");
        assert_eq!(judged(&elsewhere, &json!({})), "allow rule api");
        let except = format!("{API}except = [{{ headers = {{ x-env = \"canary\" }} }}]\n");
        assert_eq!(judged(&except, &json!({})), why.replace("canary", "api"));
    }

    #[test]
    fn what_older_workers_did_not_record_is_not_assumed() {
        let old = json!({"scheme": null, "port": null});
        assert!(judged(API, &old).contains("neither scheme nor port"));
        assert_eq!(judged(API, &json!({"scheme": null, "port": null, "host": "b.example"})), "deny default");
        assert_eq!(judged("default = \"allow\"\n", &old), "allow default");
    }

    #[test]
    fn a_policy_that_asks_who_it_is_needs_records_that_say_so() {
        let tags = "[identity]\ncustomer = \"customer_name\"\ntags = \"customer_tags\"\n";
        assert_eq!(judged(&format!("{tags}{API}"), &json!({})), "allow rule api");
        assert!(judged(&format!("{tags}{API}"), &json!({"tags": null})).contains("asks for tags"));
        assert!(judged(API, &json!({"customer": null})).contains("asks who it is"));
        let nobody = json!({"customer": null, "reason": "unknown-customer"});
        assert_eq!(judged(API, &nobody), "deny unknown-customer");
        assert_eq!(judged(&format!("identity = \"none\"\n{API}"), &nobody), "allow rule api");
    }

    #[test]
    fn a_refusal_for_want_of_a_credential_says_nothing_of_another_credential() {
        let keyed = format!("{API}set = {{ x-key = \"{{secret.KEY}}\" }}\n");
        let refused = json!({"reason": "credential-unavailable", "rule": "api", "rules": ["api"]});
        assert_eq!(judged(&keyed, &refused), "a credential was missing, and rule `api` asks for one");
        assert_eq!(judged(API, &refused), "allow rule api");
    }
}
