//! What programs read: one JSON object a line.

use std::io::Write;
use std::net::SocketAddr;

use serde::Serialize;
use serde_json::Value;
use tidegate_compiler::diagnostic::Severity;
use tidegate_platform::runtime::Event;

use super::{Deployed, Report};
use crate::dev::ApiAccess;
use crate::json::{self, DiagnosticLine};
use crate::outcome::Failure;
use crate::terminal::StdoutError;

/// Every event but a decision, which is written as the outbound Worker wrote it. The names are API.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line<'r> {
    Deployed(DeployedLine<'r>),
    Diagnostics {
        policy: &'r str,
        errors: usize,
        warnings: usize,
        serving: Option<&'r str>,
        diagnostics: Vec<DiagnosticLine<'r>>,
    },
    Down {
        reason: &'r str,
        seconds: f64,
    },
    Hung {
        pid: u32,
        invocations: &'r [String],
    },
    Log {
        worker: Option<&'r str>,
        line: &'r str,
    },
    Lost {
        events: u64,
    },
    NotDeployed {
        #[serde(flatten)]
        failure: FailureLine<'r>,
        serving: Option<&'r str>,
    },
    NotWatched(FailureLine<'r>),
    Quarantined {
        script: &'r str,
    },
    Ready {
        workers: String,
        api: String,
        account: &'r str,
        auth: &'static str,
        token: Option<&'r str>,
        data: Option<&'r str>,
        policy: Option<DeployedLine<'r>>,
        seeded: bool,
        upstream: Option<SocketAddr>,
        workerd: WorkerdLine<'r>,
    },
    Restarted {
        pid: u32,
        reason: &'r str,
        invocations: &'r [String],
    },
    Stopping,
    UnknownRoute {
        request: &'r str,
    },
    Unchanged {
        digest: &'r str,
    },
}

#[derive(Debug, Serialize)]
struct DeployedLine<'r> {
    policy: &'r str,
    worker: &'r str,
    digest: &'r str,
    version: &'r str,
    missing_secrets: &'r [String],
    milliseconds: u128,
}

#[derive(Debug, Serialize)]
struct FailureLine<'r> {
    message: &'r str,
    help: Option<&'r str>,
}

#[derive(Debug, Serialize)]
struct WorkerdLine<'r> {
    path: &'r str,
    pids: &'r [u32],
}

/// Writes a report.
pub(super) fn write(report: &Report, out: &mut impl Write) -> Result<(), StdoutError> {
    match report {
        Report::Happened(Event::Decision { worker, record }) => match serde_json::from_str::<Value>(record) {
            Ok(Value::Object(mut record)) => {
                record.insert("worker".to_owned(), worker.as_str().into());
                json::write_line(out, &record)
            }
            _ => json::write_line(out, &Line::Log { worker: Some(worker), line: record }),
        },
        report => json::write_line(out, &line(report)),
    }
}

fn line(report: &Report) -> Line<'_> {
    match report {
        Report::Deployed(deployed) => Line::Deployed(deployed.into()),
        Report::Findings(findings) => {
            let count = |severity| findings.diagnostics.iter().filter(|found| found.severity == severity).count();
            let lines = findings.diagnostics.iter().map(|found| DiagnosticLine::new(&findings.sources, found));
            Line::Diagnostics {
                policy: &findings.policy,
                errors: count(Severity::Error),
                warnings: count(Severity::Warning),
                serving: findings.serving.as_deref(),
                diagnostics: lines.collect(),
            }
        }
        Report::Happened(Event::Decision { worker, record }) => Line::Log { worker: Some(worker), line: record },
        Report::Happened(Event::Line { worker, text }) => Line::Log { worker: worker.as_deref(), line: text },
        Report::Happened(Event::Down { reason, pause }) => Line::Down { reason, seconds: pause.as_secs_f64() },
        Report::Happened(Event::Hung { pid, invocations }) => Line::Hung { pid: *pid, invocations },
        Report::Happened(Event::Quarantined(script)) => Line::Quarantined { script },
        Report::Happened(Event::Restarted { pid, reason, invocations }) => {
            Line::Restarted { pid: *pid, reason, invocations }
        }
        Report::Lost { events } => Line::Lost { events: *events },
        Report::NotDeployed { failure, serving } => {
            Line::NotDeployed { failure: failure.into(), serving: serving.as_deref() }
        }
        Report::NotWatched(failure) => Line::NotWatched(failure.into()),
        Report::Ready(ready) => {
            let (auth, token) = match &ready.access {
                ApiAccess::Given(_) => ("given", None),
                ApiAccess::Kept => ("kept", None),
                ApiAccess::New(token) => ("new", Some(token.as_str())),
                ApiAccess::Open => ("none", None),
            };
            Line::Ready {
                workers: ready.workers_url(),
                api: ready.api_url(),
                account: &ready.account,
                auth,
                token,
                data: ready.data.as_deref(),
                policy: ready.policy.as_ref().map(DeployedLine::from),
                seeded: ready.seeded,
                upstream: ready.upstream,
                workerd: WorkerdLine { path: &ready.workerd, pids: &ready.pids },
            }
        }
        Report::Stopping => Line::Stopping,
        Report::UnknownRoute { request } => Line::UnknownRoute { request },
        Report::Unchanged { digest } => Line::Unchanged { digest },
    }
}

impl<'r> From<&'r Deployed> for DeployedLine<'r> {
    fn from(deployed: &'r Deployed) -> Self {
        Self {
            policy: &deployed.policy,
            worker: &deployed.worker,
            digest: &deployed.digest,
            version: &deployed.version,
            missing_secrets: &deployed.missing_secrets,
            milliseconds: deployed.took.as_millis(),
        }
    }
}

impl<'r> From<&'r Failure> for FailureLine<'r> {
    fn from(failure: &'r Failure) -> Self {
        Self { message: &failure.message, help: failure.help.as_deref() }
    }
}
