//! How a decision came about, in words: what was judged, which rules spoke, what was nearest, what goes out and what is said.
//!
//! What rules are to the request comes from the engine ([`Policy::explain`]), by the walk that decides. The checked policy lends
//! the words and places: what would have met a dimension, and where that is written.

mod text;
mod words;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;
use tidegate_compiler::Output;
use tidegate_compiler::alternatives;
use tidegate_compiler::checked::{CheckedPolicy, Condition, Effect, Rule};
use tidegate_compiler::source::{SourceMap, Span};
use tidegate_engine::{
    ConditionTrace, Dimension, Header, Judgement, Policy, PolicyError, Reason, RuleRef, RuleTrace, Scratch, Target,
    Unexplained,
};

use crate::coverage::Recorder;
use crate::decision::Decision;
use tidegate_engine::hygiene::fold;

use crate::engine::Placeholders;
use crate::instant::{self, Seconds};
use crate::request::Request;
use crate::spelling::{self, Change};

/// Nearest rules that are shown.
const NEAREST: usize = 3;
/// Alternatives of one dimension that are shown.
const EXPECTED: usize = 5;

/// A policy, ready to explain.
#[derive(Debug)]
pub struct Explainer<'p> {
    policy: Policy<'p>,
    scratch: Scratch,
    checked: &'p CheckedPolicy,
    sources: &'p SourceMap,
}

/// How one decision came about.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The request as it was asked about.
    pub(crate) request: Asked,
    /// What is judged; null where the URL is none that can be.
    pub(crate) canonical: Option<Canonical>,
    /// The decision, as `tidegate decide` writes it.
    pub decision: Decision,
    /// What the reason means here, in one sentence.
    pub(crate) because: String,
    /// The rules that decided, and those that would have but for report mode.
    pub(crate) rules: Vec<RuleNote>,
    /// Of a denial, the allow rules that come nearest, nearest first.
    pub(crate) nearest: Vec<RuleNote>,
    /// The given headers that do not go out, where the request does.
    pub(crate) dropped: Vec<DroppedHeader>,
    /// The headers that go out; a token is `<token>`, a secret `<secret:NAME>`.
    pub(crate) sent: Vec<Header>,
    /// What the tenant gets instead of an answer; null where the request goes out. `decision` is an id of its own each time.
    pub(crate) refusal: Option<RefusalBody>,
    /// The Worker's decision record, without its ids.
    pub(crate) record: Record,
}

/// A request, and when.
#[derive(Debug, Serialize)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) customer: Option<String>,
    /// Tags of the request and of the policy together; null where the request has none and the policy wants some.
    pub(crate) tags: Option<Vec<String>>,
    /// The day.
    pub(crate) at: String,
}

/// A URL as it is judged.
#[derive(Debug, Serialize)]
pub(crate) struct Canonical {
    pub(crate) url: String,
    pub(crate) scheme: &'static str,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As rules see it.
    pub(crate) path: String,
    /// What is different from the URL as received.
    pub(crate) changes: Vec<Change>,
    /// Why upstreams may read the path as another.
    pub(crate) ambiguous: Vec<String>,
    /// The host is one that only a rule which names it exactly opens.
    pub(crate) special: bool,
}

/// A rule, and what it is to the request.
#[derive(Debug, Serialize)]
pub(crate) struct RuleNote {
    pub(crate) id: String,
    pub(crate) effect: &'static str,
    pub(crate) mode: &'static str,
    #[serde(flatten)]
    pub(crate) place: Place,
    /// `true`, `false` or `unknown`.
    pub(crate) truth: &'static str,
    /// What its author says to the refusal's reader.
    pub(crate) reason: Option<String>,
    /// The dimensions that do not certainly hold.
    pub(crate) misses: Vec<Miss>,
    /// Its exceptions: of a rule that matches all, and why they do not apply; of one that does not those that do.
    pub(crate) exceptions: Vec<ExceptionNote>,
}

/// A rule's exception, and what it is to the request.
#[derive(Debug, Serialize)]
pub(crate) struct ExceptionNote {
    /// Its place among the rule's, from 1.
    pub(crate) number: usize,
    #[serde(flatten)]
    pub(crate) place: Place,
    /// `true`, `false` or `unknown`.
    pub(crate) truth: &'static str,
    pub(crate) misses: Vec<Miss>,
}

/// A dimension that does not certainly hold.
#[derive(Debug, Serialize)]
pub(crate) struct Miss {
    /// `customer`, `tag`, `host`, `scheme`, `port`, `method`, `path`, `header NAME`, `upgrade`, `expires`.
    pub(crate) dimension: String,
    /// `false` or `unknown`.
    pub(crate) truth: &'static str,
    /// What the request has there, and what is wrong with it.
    pub(crate) message: String,
    /// What would have met it: the first alternatives, nearest first.
    pub(crate) expected: Vec<Expected>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// An alternative, and where it is written.
#[derive(Debug, Serialize)]
pub(crate) struct Expected {
    /// The key that it stands under.
    pub(crate) key: &'static str,
    pub(crate) text: String,
    #[serde(flatten)]
    pub(crate) place: Place,
}

/// A place as people count: line and column from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as the operator would write it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Place {
    pub(crate) fn of(span: Span, sources: &SourceMap) -> Self {
        let at = sources.line_column(span.file, span.start);
        let file = sources.file(span.file).path.display().to_string();
        Self { file, line: at.line, column: at.column }
    }
}

/// A header that does not go out.
#[derive(Debug, Serialize)]
pub(crate) struct DroppedHeader {
    pub(crate) name: String,
    pub(crate) why: String,
}

/// The refusal's body (RFC 9457), its members in the Worker's order.
#[derive(Debug, Serialize)]
pub(crate) struct RefusalBody {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    reason: &'static str,
    rule: Option<String>,
    detail: Option<String>,
    decision: &'static str,
}

/// The decision record, its members in the Worker's order.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    event: &'static str,
    decision: &'static str,
    policy: String,
    mode: &'static str,
    customer: Option<String>,
    method: String,
    host: Option<String>,
    path: Option<String>,
    effect: &'static str,
    reason: &'static str,
    rule: Option<String>,
    rules: Vec<String>,
    enforced: bool,
    would_deny: Vec<String>,
    would_allow: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

/// What stands for an id that is another one each time.
const ID: &str = "<id>";

impl<'p> Explainer<'p> {
    /// Loads a policy's table.
    pub fn new(output: &'p Output, sources: &'p SourceMap) -> Result<Self, PolicyError> {
        let policy = Policy::from_bytes(&output.table)?;
        Ok(Self { scratch: policy.scratch(), policy, checked: &output.policy, sources })
    }

    /// Explains what becomes of a request.
    pub fn explain(&mut self, request: &Request, now: Seconds) -> Explanation {
        let target = Target::parse(&request.url);
        let view = request.view(&target, now);
        let traces = self.policy.explain(&view, &mut self.scratch);
        let judgement = self.policy.judge(&view, &mut self.scratch, &Placeholders);
        let decision = Decision::of_table(&judgement, target.as_ref().ok(), &self.policy);
        let tags = self.tags(request);
        let of_request = OfRequest { request, target: target.as_ref().ok(), tags: &tags };
        let (unjudged, traces) = match traces {
            Ok(traces) => (None, traces),
            Err(why) => (Some(why), Vec::new()),
        };
        let spoke = |index: u32| {
            let by_index = |rules: &[RuleRef<'_>]| rules.iter().any(|rule| rule.index == index);
            by_index(&judgement.rules) || by_index(&judgement.would_deny) || by_index(&judgement.would_allow)
        };
        let rules = traces.iter().filter(|trace| spoke(trace.rule.index));
        let rules = rules.filter_map(|trace| self.note(trace, &of_request)).collect();
        let nearest = match judgement.reason {
            Reason::Rule | Reason::Default | Reason::SpecialHost if decision.effect == "deny" => {
                self.nearest(&traces, &of_request, judgement.reason == Reason::Rule)
            }
            _ => Vec::new(),
        };
        Explanation {
            request: self.asked(request, &tags, now),
            canonical: target.as_ref().ok().map(|target| canonical(&request.url, target)),
            because: self.because(&judgement, unjudged, &of_request),
            dropped: dropped(&judgement, request),
            sent: sent(&judgement, request),
            refusal: refusal(&judgement),
            record: record(&decision, &judgement, &of_request),
            decision,
            rules,
            nearest,
        }
    }

    /// Decides on a request, and takes down what it tries of the policy.
    pub(crate) fn record(&mut self, request: &Request, now: Seconds, recorder: &mut Recorder<'_>) {
        let target = Target::parse(&request.url);
        let view = request.view(&target, now);
        let Ok(traces) = self.policy.explain(&view, &mut self.scratch) else { return };
        let judgement = self.policy.judge(&view, &mut self.scratch, &Placeholders);
        if let Ok(target) = &target {
            recorder.record(request, target, &self.tags(request), &traces, &judgement);
        }
    }

    fn asked(&self, request: &Request, tags: &[&str], now: Seconds) -> Asked {
        let declares_tags = self.checked.identity.as_ref().is_some_and(|identity| identity.tags.is_some());
        Asked {
            method: request.method.clone(),
            url: request.url.clone(),
            customer: request.customer.clone(),
            tags: (request.tags.is_some() || !declares_tags).then(|| tags.iter().map(|&tag| tag.to_owned()).collect()),
            at: instant::date(now.div_euclid(86_400)),
        }
    }

    /// The customer's tags as rules see them: those of the request and those of the policy.
    fn tags<'t>(&self, request: &'t Request) -> Vec<&'t str>
    where
        'p: 't,
    {
        let declared = self.checked.identity.as_ref().is_some_and(|identity| identity.tags.is_some());
        let own = request.tags.iter().flatten().filter(|_| declared);
        let known = request.customer.as_ref().and_then(|customer| self.checked.customers.get(customer));
        let known = known.into_iter().flat_map(|customer| &customer.tags);
        let tags: BTreeSet<&'t str> = own.chain(known).map(String::as_str).collect();
        tags.into_iter().collect()
    }

    fn because(&self, judgement: &Judgement<'_>, unjudged: Option<Unexplained>, of_request: &OfRequest<'_>) -> String {
        let rules = judgement.rules.iter().map(|rule| format!("`{}`", rule.id)).collect::<Vec<_>>().join(", ");
        let report = if judgement.enforced { "" } else { "; report mode lets it through all the same" };
        let said = match (judgement.reason, judgement.effect) {
            (Reason::Rule, tidegate_engine::Effect::Deny) => format!("{rules} matches, and deny wins"),
            (Reason::Rule, tidegate_engine::Effect::Allow) => {
                format!("{rules} matches, and no enforced deny rule does")
            }
            (Reason::Default, _) => match self.checked.default {
                Effect::Allow => "no rule decides, and the policy's default is allow".to_owned(),
                Effect::Deny => "no rule decides, and the policy's default is deny".to_owned(),
            },
            (Reason::SpecialHost, _) => {
                let host = of_request.target.map_or("", |target| target.host().as_str());
                format!("`{host}` is opened only by an allow rule with `hosts = [\"{host}\"]`, without wildcard")
            }
            (Reason::UnknownCustomer, _) => self.unknown_customer(of_request.request),
            (Reason::CredentialUnavailable, _) => {
                format!(
                    "{rules} asks for a header or token that cannot be made: a variable is missing, or a value cannot be sent"
                )
            }
            _ => match unjudged {
                Some(Unexplained::Unjudged(why)) => why.to_string(),
                Some(Unexplained::Fault(fault)) => fault.to_string(),
                None => judgement.fault.map(|fault| fault.to_string()).unwrap_or_default(),
            },
        };
        format!("{said}{report}")
    }

    /// What is missing or malformed about a request's identity.
    fn unknown_customer(&self, request: &Request) -> String {
        let Some(identity) = &self.checked.identity else { return String::new() };
        let customer = identity.customer.join(".");
        match (&request.customer, &identity.tags) {
            (None, _) => format!("the request names no customer (outbound parameter `{customer}`)"),
            (Some(_), Some(tags)) if request.tags.is_none() => {
                format!("the request has no tags (outbound parameter `{}`)", tags.join("."))
            }
            (Some(_), _) if request.vars.is_none() && identity.vars.is_some() => {
                let vars = identity.vars.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(".");
                format!("the request's variables are no object of strings (outbound parameter `{vars}`)")
            }
            _ => format!("`{customer}` is no customer's name: 1 to 256 bytes without control characters"),
        }
    }

    /// The allow rules that come nearest: fewest dimensions missed, then the host most alike, then most dimensions met. Where
    /// some meet the host, it is one of those that the author has in mind.
    fn nearest(&self, traces: &[RuleTrace<'_>], of_request: &OfRequest<'_>, denied_by_rule: bool) -> Vec<RuleNote> {
        let allows = traces.iter().filter(|trace| trace.effect == tidegate_engine::Effect::Allow && !trace.report);
        let mut ranked: Vec<_> = allows
            .filter_map(|trace| {
                let rule = self.rule(trace)?;
                let excepted = usize::from(trace.excepted_by().next().is_some());
                let misses = trace.condition.misses().count() + excepted;
                let met = trace.condition.dimensions.len() + excepted - misses;
                let likeness = of_request.target.map_or(0, |target| self.likeness(&rule.condition, target));
                Some(((misses, Reverse(likeness), Reverse(met), trace.rule.index), trace))
            })
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let misses_host = |trace: &RuleTrace<'_>| trace.condition.misses().any(|(miss, _)| miss == Dimension::Host);
        if ranked.iter().any(|(_, trace)| !misses_host(trace)) {
            ranked.retain(|(_, trace)| !misses_host(trace));
        }
        if denied_by_rule {
            // What other rules lack is of no interest where one would allow but for the denial.
            let fewest = ranked.first().map(|((misses, ..), _)| *misses);
            ranked.retain(|((misses, ..), _)| Some(*misses) == fewest);
        }
        ranked.into_iter().take(NEAREST).filter_map(|(_, trace)| self.note(trace, of_request)).collect()
    }

    /// How many labels, from the right, the request's host has in common with what a condition names.
    fn likeness(&self, condition: &Condition, target: &Target) -> usize {
        let alternatives = alternatives::of(condition, self.checked);
        let hosts = alternatives.iter().filter(|alternative| words::belongs(alternative, Dimension::Host));
        hosts.map(|alternative| words::labels_in_common(&alternative.text, target)).max().unwrap_or(0)
    }

    fn rule(&self, trace: &RuleTrace<'_>) -> Option<&'p Rule> {
        self.checked.rules.get(usize::try_from(trace.rule.index).ok()?)
    }

    fn note(&self, trace: &RuleTrace<'_>, of_request: &OfRequest<'_>) -> Option<RuleNote> {
        let rule = self.rule(trace)?;
        let applying: Vec<_> = trace.excepted_by().collect();
        let exceptions = trace.exceptions.iter().zip(&rule.except).enumerate();
        let exceptions = exceptions.filter(|(number, _)| trace.matches() || applying.contains(number));
        Some(RuleNote {
            id: rule.id.clone(),
            effect: trace.effect.as_str(),
            mode: if trace.report { "report" } else { "enforce" },
            place: self.place(rule.span),
            truth: trace.truth.as_str(),
            reason: rule.reason.clone(),
            misses: self.misses(&trace.condition, &rule.condition, rule, of_request),
            exceptions: exceptions
                .map(|(number, (trace, condition))| ExceptionNote {
                    number: number + 1,
                    place: self.place(self.first_place(condition).unwrap_or(rule.span)),
                    truth: trace.truth().as_str(),
                    misses: self.misses(trace, condition, rule, of_request),
                })
                .collect(),
        })
    }

    /// Where the first of a condition's values is written.
    fn first_place(&self, condition: &Condition) -> Option<Span> {
        alternatives::of(condition, self.checked).iter().filter_map(|alternative| alternative.span).min()
    }

    fn misses(
        &self,
        trace: &ConditionTrace<'_>,
        condition: &Condition,
        rule: &Rule,
        of_request: &OfRequest<'_>,
    ) -> Vec<Miss> {
        let Some(target) = of_request.target else { return Vec::new() };
        let all = alternatives::of(condition, self.checked);
        let misses = trace.misses().map(|(dimension, truth)| {
            let mut expected: Vec<_> =
                all.iter().filter(|alternative| words::belongs(alternative, dimension)).collect();
            if dimension == Dimension::Host {
                expected.sort_by_key(|alternative| Reverse(words::labels_in_common(&alternative.text, target)));
            }
            let more = expected.len().saturating_sub(EXPECTED);
            let shown = expected.into_iter().take(EXPECTED).map(|alternative| Expected {
                key: alternative.key.as_str(),
                text: alternative.text.clone(),
                place: self.place(alternative.span.unwrap_or(rule.span)),
            });
            Miss {
                dimension: words::dimension(dimension),
                truth: truth.as_str(),
                message: words::miss(dimension, truth, rule, of_request, target),
                expected: shown.collect(),
                more,
            }
        });
        misses.collect()
    }

    fn place(&self, span: Span) -> Place {
        Place::of(span, self.sources)
    }
}

/// A request with what follows from it.
struct OfRequest<'r> {
    request: &'r Request,
    target: Option<&'r Target>,
    tags: &'r [&'r str],
}

fn canonical(received: &str, target: &Target) -> Canonical {
    Canonical {
        url: target.url().to_owned(),
        scheme: words::scheme(target.scheme()),
        host: target.host().as_str().to_owned(),
        port: target.port(),
        path: target.path().to_owned(),
        changes: spelling::changes(received, target),
        ambiguous: target.path_doubts().map(|doubt| doubt.to_string()).collect(),
        special: target.host().is_special(),
    }
}

/// The given headers that do not go out, and why.
fn dropped(judgement: &Judgement<'_>, request: &Request) -> Vec<DroppedHeader> {
    let Some(forwarding) = &judgement.forwarding else { return Vec::new() };
    let ours = forwarding.set.iter().map(|header| &header.name).chain(forwarding.jwt.iter().map(|jwt| &jwt.header));
    let ours: Vec<_> = ours.map(|name| fold(name)).collect();
    let removed: Vec<_> = forwarding.remove.iter().map(|name| fold(name)).collect();
    let why = |name: &str| {
        let folded = fold(name);
        if ours.contains(&folded) {
            Some("a rule sets it".to_owned())
        } else if removed.contains(&folded) {
            Some("a rule removes it".to_owned())
        } else {
            forwarding.drops(name).map(|why| why.to_string())
        }
    };
    let names = request.headers.iter().map(|(name, _)| name);
    names.filter_map(|name| why(name).map(|why| DroppedHeader { name: name.clone(), why })).collect()
}

fn sent(judgement: &Judgement<'_>, request: &Request) -> Vec<Header> {
    let forwarding = judgement.forwarding.iter();
    forwarding.flat_map(|forwarding| forwarding.headers(&request.headers, Some("<token>"))).collect()
}

fn refusal(judgement: &Judgement<'_>) -> Option<RefusalBody> {
    if judgement.effect == tidegate_engine::Effect::Allow {
        return None;
    }
    let tidegate_engine::Refusal { title, status, reason, rule, detail } = judgement.refusal();
    let (rule, detail) = (rule.map(str::to_owned), detail.map(str::to_owned));
    Some(RefusalBody { kind: "about:blank", title, status, reason, rule, detail, decision: ID })
}

fn record(decision: &Decision, judgement: &Judgement<'_>, of_request: &OfRequest<'_>) -> Record {
    let OfRequest { request, target, .. } = of_request;
    let invalid = Target::parse(&request.url).err().map(|invalid| invalid.to_string());
    Record {
        event: "decision",
        decision: ID,
        policy: decision.policy.clone(),
        mode: decision.mode,
        customer: request.customer.clone(),
        method: request.method.clone(),
        host: target.map(|target| target.host().as_str().to_owned()),
        path: target.map(|target| target.path().to_owned()),
        effect: decision.effect,
        reason: decision.reason,
        rule: decision.rule.clone(),
        rules: decision.rules.clone(),
        enforced: decision.enforced,
        would_deny: decision.would_deny.clone(),
        would_allow: decision.would_allow.clone(),
        fault: invalid.or_else(|| judgement.fault.map(|fault| fault.to_string())),
    }
}
