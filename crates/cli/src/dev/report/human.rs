//! What people see. Decisions, and what runs where, go to stdout; everything else goes to stderr.

use std::time::Duration;

use serde_json::{Map, Value};
use tidegate_platform::runtime::{Event, REST};
use tidegate_test::plain::plain;

use super::{Deployed, Ready, Report};
use crate::dev::ApiAccess;
use crate::outcome::Failure;
use crate::render;
use crate::terminal::{StdoutError, Terminal};

/// Shows a report.
pub(super) fn print(report: &Report, terminal: &mut Terminal) -> Result<(), StdoutError> {
    if let Report::Findings(findings) = report {
        terminal.findings(&findings.sources, &findings.diagnostics);
    }
    let Text { data, notes } = text(report);
    for line in data {
        terminal.line(line)?;
    }
    for note in notes {
        terminal.note(note);
    }
    Ok(())
}

/// A report as lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    /// For stdout.
    pub(super) data: Vec<String>,
    /// For stderr.
    pub(super) notes: Vec<String>,
}

impl Text {
    fn note(text: impl Into<String>) -> Self {
        Self { data: Vec::new(), notes: vec![text.into()] }
    }
}

/// A report as lines that a terminal takes for text: much in them was written by tenants.
pub(super) fn text(report: &Report) -> Text {
    let Text { data, notes } = untrusted_text(report);
    let plain = |lines: Vec<String>| lines.iter().map(|line| plain(line)).collect();
    Text { data: plain(data), notes: plain(notes) }
}

fn untrusted_text(report: &Report) -> Text {
    match report {
        Report::Deployed(deployed) => {
            let Deployed { policy, worker, digest, took, .. } = deployed;
            let mut notes = vec![format!("{policy}: policy {digest} serves as `{worker}`, after {}", shown(*took))];
            notes.extend(missing_secrets(deployed));
            Text { data: Vec::new(), notes }
        }
        Report::Findings(findings) => match (&findings.serving, findings.compiles) {
            // The error that ends the command follows.
            (None, false) => Text::default(),
            (Some(digest), false) => Text::note(format!(
                "{}: {}; policy {digest} goes on serving",
                findings.policy,
                render::summary(&findings.diagnostics)
            )),
            (_, true) => Text::note(format!("{}: {}", findings.policy, render::summary(&findings.diagnostics))),
        },
        Report::Happened(event) => happened(event),
        Report::Lost { events } => Text::note(format!(
            "warning: {} came faster than they could be shown",
            render::counted(usize::try_from(*events).unwrap_or(usize::MAX), "event")
        )),
        Report::NotDeployed { failure, serving } => {
            let serving = match serving {
                Some(digest) => format!("policy {digest} goes on serving"),
                None => "no policy serves".to_owned(),
            };
            Text::note(format!("error: {}; {serving}", with_help(failure)))
        }
        Report::NotWatched(failure) => Text::note(format!("warning: changes may go unseen: {}", with_help(failure))),
        Report::Ready(ready) => ready_text(ready),
        Report::Stopping => Text::note("stopping"),
        Report::UnknownRoute { request } => Text::note(format!("api | the platform does not know {request}")),
        Report::Unchanged { digest } => Text::note(format!("the policy is the same: {digest} goes on serving")),
    }
}

fn happened(event: &Event) -> Text {
    match event {
        Event::Decision { worker, record } => match serde_json::from_str::<Value>(record) {
            Ok(Value::Object(record)) if record.get("event").is_some_and(|event| event == "decision") => {
                Text { data: vec![decision(&record)], notes: Vec::new() }
            }
            _ => Text::note(format!("{worker} | {record}")),
        },
        Event::Hung { pid, invocations } => Text::note(format!(
            "error: workerd (pid {pid}) did not answer and was started again; {}",
            culprits(invocations)
        )),
        Event::Line { worker, text } => {
            // User Workers and workerd itself cannot be told apart.
            let worker = worker.as_deref().unwrap_or("workers");
            Text { data: Vec::new(), notes: text.lines().map(|line| format!("{worker} | {line}")).collect() }
        }
        Event::Down { reason, pause } => Text::note(format!(
            "error: workerd does not run, and is started again in {:.1} s: {reason}",
            pause.as_secs_f64()
        )),
        Event::Quarantined(script) => Text::note(format!(
            "error: {script} hung or ended workerd three times and rests for {} s: until then it is answered for with 503; \
             deploy it anew to end that",
            REST.as_secs()
        )),
        Event::Restarted { pid, reason, invocations } => Text::note(format!(
            "error: workerd (pid {pid}) ended and was started again: {reason}; {}",
            culprits(invocations)
        )),
    }
}

/// The user Workers that may have ended workerd.
fn culprits(invocations: &[String]) -> String {
    match invocations {
        [] => "no user Worker was known to run".to_owned(),
        [one] => format!("it was running {one}"),
        [first, others @ ..] => format!("the likeliest culprit is {first}; also running: {}", others.join(", ")),
    }
}

/// `acme         GET     api.example.com/v1/x  deny (rule no-admin)`.
fn decision(record: &Map<String, Value>) -> String {
    let part = |name: &str| record.get(name).and_then(Value::as_str);
    let names = |name: &str| -> Vec<&str> {
        record.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let customer = part("customer").unwrap_or("-");
    let method = part("method").unwrap_or("-");
    // Neither is known of a request that cannot be read.
    let place = [part("host").unwrap_or("-"), part("path").unwrap_or_default()].concat();
    let effect = part("effect").unwrap_or("?");
    let why = match (part("reason").unwrap_or("?"), part("rule")) {
        ("rule", Some(rule)) => format!("rule {rule}"),
        (reason, Some(rule)) => format!("{reason}, rule {rule}"),
        (reason, None) => reason.to_owned(),
    };
    let mut parts = vec![format!("{customer:<12} {method:<7} {place}  {effect} ({why})")];
    if record.get("enforced").is_some_and(|enforced| enforced == false) {
        parts.push("(report mode: would be denied)".to_owned());
    }
    for (name, words) in [("would_deny", "would deny"), ("would_allow", "would allow")] {
        let rules = names(name);
        if !rules.is_empty() {
            parts.push(format!("({words}: {})", rules.join(", ")));
        }
    }
    if let Some(fault) = part("fault") {
        parts.push(format!("({fault})"));
    }
    parts.join(" ")
}

fn ready_text(ready: &Ready) -> Text {
    let workers = ready.workers_url();
    let port = ready.workers.port();
    let mut data = vec![
        format!("Workers    {workers}, and http://NAME.workers.localhost:{port} for the account Worker NAME"),
        format!("API        {}", ready.api_url()),
        format!("account    {}", ready.account),
        match &ready.data {
            _ if ready.seeded => {
                "data       the SDK suites' own state, put back before each request; nothing is kept".to_owned()
            }
            Some(folder) => format!("data       {folder}"),
            None => "data       a temporary folder; `--data DIR` keeps it".to_owned(),
        },
        match &ready.policy {
            Some(policy) => format!("policy     {}, in the outbound Worker `{}`", policy.policy, policy.worker),
            None if ready.seeded => "policy     none".to_owned(),
            None => {
                "policy     none; `--policy FILE` deploys one as the outbound Worker `tidegate-outbound`".to_owned()
            }
        },
    ];
    data.extend(ready.policy.iter().map(|policy| format!("digest     {}", policy.digest)));
    data.push(match ready.upstream {
        Some(address) => format!("egress     {address}, whatever the host"),
        None => "egress     the internet; private addresses are refused".to_owned(),
    });
    let pids = ready.pids.iter().map(u32::to_string).collect::<Vec<_>>();
    let pids = if pids.is_empty() { "-".to_owned() } else { pids.join(" ") };
    data.push(format!("workerd    pid {pids}, {}", ready.workerd));
    data.push(String::new());
    data.push(format!("export CLOUDFLARE_API_BASE_URL={}", ready.api_url()));
    data.push(format!("export CLOUDFLARE_ACCOUNT_ID={}", ready.account));
    let mut notes = Vec::new();
    if ready.seeded {
        data.push(format!("export TEST_API_BASE_URL={}", ready.api_url()));
        notes.push(
            "warning: seeded: what a request to the API changes is gone before the next one, and no token is asked for"
                .to_owned(),
        );
    }
    data.push(match &ready.access {
        ApiAccess::New(token) => {
            notes.push("the token is new, and shown this once".to_owned());
            format!("export CLOUDFLARE_API_TOKEN={token}")
        }
        ApiAccess::Given(_) => "export CLOUDFLARE_API_TOKEN=…   # the token that you gave".to_owned(),
        ApiAccess::Kept => "export CLOUDFLARE_API_TOKEN=…   # a token of before; `--token` adds another".to_owned(),
        ApiAccess::Open => "export CLOUDFLARE_API_TOKEN=none   # any will do: nobody is asked for one".to_owned(),
    });
    data.push(String::new());
    for address in [ready.workers, ready.api].iter().filter(|address| !address.ip().is_loopback()) {
        notes.push(format!("warning: other machines can reach {address}"));
    }
    notes.extend(ready.policy.iter().flat_map(missing_secrets));
    Text { data, notes }
}

fn missing_secrets(deployed: &Deployed) -> Vec<String> {
    let note = |name: &String| {
        format!(
            "warning: the policy speaks of the secret `{name}`, which `{}` has not: requests that need it are refused; give it \
             with `--secrets FILE`, or with `wrangler secret put {name} --name {}`",
            deployed.worker, deployed.worker
        )
    };
    deployed.missing_secrets.iter().map(note).collect()
}

fn with_help(failure: &Failure) -> String {
    match &failure.help {
        Some(help) => format!("{} ({help})", failure.message),
        None => failure.message.clone(),
    }
}

/// `85 ms`, `1.2 s`.
fn shown(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}
