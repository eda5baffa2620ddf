//! What a session tells, as data; [`human`] and [`program`] say what it looks like: for people, for programs, and never a control character from a tenant.
//!
//! People read decisions, and what runs where, on stdout; everything else on stderr. Programs read everything on stdout, one
//! JSON object a line, told apart by `event`:
//!
//! | `event` | says |
//! |---|---|
//! | `ready` | both servers listen and the policy is deployed: where, and with which token |
//! | `decision` | the outbound Worker's record of one request, as it wrote it, and the `worker` |
//! | `diagnostics` | what the compiler finds in the policy after a change; `serving` is the digest that goes on serving |
//! | `deployed` | another policy serves |
//! | `unchanged` | the files changed, the policy did not |
//! | `not-deployed`, `not-watched` | why, and the way out |
//! | `unknown-route` | a request to the API that it does not know: the client is newer, or asks for what is missing here |
//! | `log` | a line that a Worker or workerd printed |
//! | `hung` | the workerd `pid` was stuck, was killed and started again; the Workers that ran, the likeliest culprit first |
//! | `restarted` | the workerd `pid` ended by itself and was started again |
//! | `lost` | so many events came faster than they could be told |
//! | `stopping` | the session ends |

mod human;
mod program;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tidegate_compiler::diagnostic::Diagnostic;
use tidegate_compiler::source::SourceMap;
use tidegate_platform::runtime::{Egress, Event};
use tidegate_platform::{Options, Platform};

use super::ApiAccess;
use crate::cli::Format;
use crate::outcome::Failure;
use crate::terminal::{StdoutError, Terminal};

/// Something to tell.
#[derive(Debug)]
pub(crate) enum Report {
    /// Another policy serves.
    Deployed(Deployed),
    /// What the compiler finds.
    Findings(Findings),
    /// Something happened in the runtime.
    Happened(Event),
    /// Events came faster than they could be told.
    Lost {
        /// How many are gone.
        events: u64,
    },
    /// The policy compiles and was not deployed.
    NotDeployed {
        /// Why.
        failure: Failure,
        /// The digest that serves.
        serving: Option<String>,
    },
    /// Changes of the policy may go unseen.
    NotWatched(Failure),
    /// All is there.
    Ready(Box<Ready>),
    /// The session ends.
    Stopping,
    /// A client of the API asked for what the platform does not have.
    UnknownRoute {
        /// Method and path.
        request: String,
    },
    /// Files changed, their meaning did not.
    Unchanged {
        /// The digest that serves.
        digest: String,
    },
}

/// A policy that serves.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    /// The policy's file.
    pub(crate) policy: String,
    /// The Worker's name.
    pub(crate) worker: String,
    /// The policy's digest.
    pub(crate) digest: String,
    /// The version's id.
    pub(crate) version: String,
    /// Secrets that the policy speaks of and the Worker has not.
    pub(crate) missing_secrets: Vec<String>,
    /// From the change to serving.
    pub(crate) took: Duration,
}

/// Findings of one compilation.
#[derive(Debug)]
pub(crate) struct Findings {
    /// The policy's file.
    pub(crate) policy: String,
    /// What was read.
    pub(crate) sources: Arc<SourceMap>,
    /// What was found.
    pub(crate) diagnostics: Arc<Vec<Diagnostic>>,
    /// Whether there is a policy all the same: only warnings.
    pub(crate) compiles: bool,
    /// The digest that serves.
    pub(crate) serving: Option<String>,
}

/// What runs where.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Where Workers are reached.
    pub(crate) workers: SocketAddr,
    /// Where the API is reached.
    pub(crate) api: SocketAddr,
    /// The account's id.
    pub(crate) account: String,
    /// Where everything is kept.
    pub(crate) data: Option<String>,
    /// Who may use the API.
    pub(crate) access: ApiAccess,
    /// The policy.
    pub(crate) policy: Option<Deployed>,
    /// Whether it forgets everything before each request.
    pub(crate) seeded: bool,
    /// In place of the internet.
    pub(crate) upstream: Option<SocketAddr>,
    /// The binary.
    pub(crate) workerd: String,
    /// Its processes that serve.
    pub(crate) pids: Vec<u32>,
}

impl Ready {
    /// What a platform that has just been started is.
    pub(crate) fn new(platform: &Platform, options: Options, access: ApiAccess, policy: Option<Deployed>) -> Self {
        Self {
            workers: platform.address(),
            api: platform.api_address(),
            account: options.account,
            data: options.data.map(|folder| folder.display().to_string()),
            access,
            policy,
            seeded: options.seeded,
            upstream: match options.egress {
                Egress::Public => None,
                Egress::Upstream(address) => Some(address),
            },
            workerd: options.workerd.display().to_string(),
            pids: platform.runtime().pids(),
        }
    }

    fn api_url(&self) -> String {
        format!("http://{}/client/v4", reachable(self.api))
    }

    fn workers_url(&self) -> String {
        format!("http://{}", reachable(self.workers))
    }
}

/// Tells a report, at once.
pub(crate) fn print(report: &Report, format: Format, terminal: &mut Terminal) -> Result<(), StdoutError> {
    match format {
        Format::Human => human::print(report, terminal)?,
        Format::Json => program::write(report, terminal.data())?,
    }
    terminal.flush()
}

/// Where this machine reaches a server that listens on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    fn deployed(missing_secrets: &[&str]) -> Deployed {
        Deployed {
            policy: "policies/policy.toml".to_owned(),
            worker: "tidegate-outbound".to_owned(),
            digest: "9f86d081".to_owned(),
            version: "0b9a3c0e".to_owned(),
            missing_secrets: missing_secrets.iter().map(|&name| name.to_owned()).collect(),
            took: Duration::from_millis(85),
        }
    }

    fn findings(serving: Option<&str>) -> Report {
        let compilation = tidegate_compiler::compile(Path::new("no/such/policy.toml"));
        Report::Findings(Findings {
            policy: "no/such/policy.toml".to_owned(),
            sources: Arc::new(compilation.sources),
            diagnostics: Arc::new(compilation.diagnostics),
            compiles: false,
            serving: serving.map(str::to_owned),
        })
    }

    fn ready(access: ApiAccess) -> Ready {
        Ready {
            workers: "127.0.0.1:8787".parse().unwrap(),
            api: "127.0.0.1:8788".parse().unwrap(),
            account: "00000000000000000000000000000001".to_owned(),
            data: None,
            access,
            policy: None,
            seeded: false,
            upstream: None,
            workerd: "node_modules/workerd".to_owned(),
            pids: vec![4711],
        }
    }

    fn decision(fields: &str) -> Report {
        recorded(&format!(
            r#"{{"event":"decision","customer":"acme","method":"GET","host":"api.example.com","path":"/v1/x",{fields}}}"#
        ))
    }

    fn recorded(record: &str) -> Report {
        Report::Happened(Event::Decision { worker: "tidegate-outbound".to_owned(), record: record.to_owned() })
    }

    fn printed(worker: Option<&str>, text: &str) -> Report {
        Report::Happened(Event::Line { worker: worker.map(str::to_owned), text: text.to_owned() })
    }

    fn hung(invocations: &[&str]) -> Report {
        let invocations = invocations.iter().map(|invocation| (*invocation).to_owned()).collect();
        Report::Happened(Event::Hung { pid: 4711, invocations })
    }

    /// Stdout as `> …`, stderr as `! …`, then the line for programs.
    fn shown(reports: &[Report]) -> String {
        let mut shown = String::new();
        for report in reports {
            let human::Text { data, notes } = human::text(report);
            let lines = data.iter().map(|line| ('>', line)).chain(notes.iter().map(|line| ('!', line)));
            for (stream, line) in lines {
                writeln!(shown, "{stream} {line}").unwrap();
            }
            let mut json = Vec::new();
            program::write(report, &mut json).unwrap();
            writeln!(shown, "{}", String::from_utf8(json).unwrap()).unwrap();
        }
        shown
    }

    #[test]
    fn the_beginning_says_what_runs_where() {
        let kept = Ready {
            workers: "0.0.0.0:80".parse().unwrap(),
            api: "[::]:8788".parse().unwrap(),
            data: Some("data".to_owned()),
            pids: vec![4711, 4712],
            policy: Some(deployed(&["GEOCODER_KEY"])),
            upstream: Some("127.0.0.1:9000".parse().unwrap()),
            ..ready(ApiAccess::Kept)
        };
        insta::assert_snapshot!(shown(&[
            Report::Ready(Box::new(ready(ApiAccess::New("5e0c1f3a".to_owned())))),
            Report::Ready(Box::new(kept)),
            Report::Ready(Box::new(ready(ApiAccess::Given("hush".to_owned())))),
            Report::Ready(Box::new(ready(ApiAccess::Open))),
            Report::Ready(Box::new(Ready { seeded: true, ..ready(ApiAccess::Open) })),
        ]));
    }

    #[test]
    fn a_decision_is_one_line() {
        insta::assert_snapshot!(shown(&[
            decision(r#""effect":"allow","reason":"rule","rule":"api","enforced":true"#),
            decision(
                r#""effect":"deny","reason":"default","rule":null,"rules":[],"enforced":true,"would_allow":["new"]"#
            ),
            decision(r#""effect":"deny","reason":"credential-unavailable","rule":"api","fault":"no secret""#),
            decision(r#""effect":"allow","reason":"default","rule":null,"enforced":false,"would_deny":["a","b"]"#),
            recorded(r#"{"event":"decision","method":"GET","host":null,"effect":"deny","reason":"invalid-request"}"#),
            recorded(r#"["no record"]"#),
            recorded("no JSON"),
        ]));
    }

    #[test]
    fn changes_of_the_policy_are_told_with_what_serves() {
        let failure = || Failure::new("the Worker does not start", "build it again");
        insta::assert_snapshot!(shown(&[
            Report::Deployed(deployed(&[])),
            Report::Deployed(Deployed { took: Duration::from_millis(1234), ..deployed(&["A", "B"]) }),
            findings(Some("9f86d081")),
            findings(None),
            Report::Unchanged { digest: "9f86d081".to_owned() },
            Report::NotDeployed { failure: failure(), serving: Some("9f86d081".to_owned()) },
            Report::NotDeployed { failure: failure(), serving: None },
            Report::NotWatched(failure()),
        ]));
    }

    #[test]
    fn what_happens_in_the_runtime_is_told() {
        insta::assert_snapshot!(shown(&[
            printed(None, "one\ntwo"),
            printed(Some("tidegate-outbound"), r#"{"event":"upstream-failed","decision":"1","error":"refused"}"#),
            hung(&["production/acme", "production/globex"]),
            hung(&[]),
            Report::Happened(Event::Restarted {
                pid: 4711,
                reason: "signal 9".to_owned(),
                invocations: vec!["production/acme".to_owned()]
            }),
            Report::Happened(Event::Down {
                reason: "it ended at once: exit status: 1".to_owned(),
                pause: Duration::from_millis(200)
            }),
            Report::Happened(Event::Quarantined("production/acme".to_owned())),
            Report::UnknownRoute { request: "GET /client/v4/zones".to_owned() },
            Report::Lost { events: 7 },
            Report::Stopping,
        ]));
    }

    #[test]
    fn a_tenant_cannot_write_to_the_operators_terminal() {
        let evil = "\u{1b}]0;owned\u{7} \u{9b}31m \u{202e} \r> acme allow";
        let in_json = serde_json::to_string(evil).unwrap();
        for report in [
            printed(None, evil),
            printed(Some(evil), evil),
            hung(&[evil, evil]),
            Report::Happened(Event::Restarted { pid: 1, reason: evil.to_owned(), invocations: vec![evil.to_owned()] }),
            Report::Happened(Event::Down { reason: evil.to_owned(), pause: Duration::ZERO }),
            Report::Happened(Event::Quarantined(evil.to_owned())),
            Report::UnknownRoute { request: evil.to_owned() },
            recorded(evil),
            recorded(&format!(r#"{{"event":"decision","customer":{in_json},"path":{in_json}}}"#)),
        ] {
            let human::Text { data, notes } = human::text(&report);
            assert!(!data.is_empty() || !notes.is_empty());
            for line in data.iter().chain(&notes) {
                assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
            }
        }
    }
}
