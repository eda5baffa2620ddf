//! `tidegate dev`: Workers for Platforms on this machine.

use std::env;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use tidegate_platform::names::ScriptName;
use tidegate_platform::runtime::{Egress, ISOLATES, installed_workerd};
use tidegate_platform::{Auth, Options, seed};

use crate::cli::Format;
use crate::dev::{self, ApiAccess, OutboundOptions, Plan, Secrets};
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// The account's id where none is asked for: any will do, as long as it stays the same.
const ACCOUNT: &str = "00000000000000000000000000000001";

/// More than the cores of most machines; each takes 60 MB with nothing in it.
const MOST_PROCESSES: usize = 64;

/// Linux gives a process 65,530 memory maps as a rule, and an isolate takes some eleven.
const MOST_ISOLATES: usize = 5000;

/// Run Workers for Platforms on this machine
///
/// Dispatch namespaces, user Workers and outbound Workers run in workerd, behind Cloudflare's own REST API: `wrangler` and
/// curl work as they do with Cloudflare. What to point them at is printed at the start, and after that a line for each
/// decision of the outbound Worker. Ends with Ctrl-C.
///
/// With --policy the policy goes into the built Worker, which is deployed as the account Worker that dispatch Workers name
/// as their outbound Worker. The policy and all files that it reads are watched: a change is compiled and deployed at once,
/// and a policy with errors leaves the one before in place.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where Workers are reached; 0 takes a free port.
    #[arg(long, value_name = "PORT", default_value_t = 8787)]
    port: u16,

    /// Where the REST API is reached; 0 takes a free port.
    #[arg(long, value_name = "PORT", default_value_t = 8788)]
    api_port: u16,

    /// The address that both listen on. Others than loopback can be reached by other machines.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    host: IpAddr,

    /// Where everything is kept; without it a temporary folder, which goes away at the end.
    #[arg(long, value_name = "DIR", env = "TIDEGATE_DATA")]
    data: Option<PathBuf>,

    /// The policy of the outbound Worker, which is built, deployed, and watched.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_POLICY")]
    policy: Option<PathBuf>,

    /// The built Worker that the policy goes into, as `worker-build` writes it [default: `build/worker`, or that of the npm
    /// package `tidegate-worker` in `node_modules`]
    #[arg(long, value_name = "DIR", env = "TIDEGATE_WORKER")]
    worker: Option<PathBuf>,

    /// The name of the outbound Worker that the policy is deployed as.
    #[arg(long, value_name = "NAME", default_value = "tidegate-outbound", requires = "policy", value_parser = ScriptName::parse)]
    outbound: ScriptName,

    /// A secret of the outbound Worker. Other users of this machine may see it: --secrets keeps it from them.
    #[arg(long, value_name = "NAME=VALUE", requires = "policy")]
    secret: Vec<String>,

    /// A file with secrets of the outbound Worker, NAME=VALUE a line, as wrangler's `.dev.vars`.
    #[arg(long, value_name = "FILE", requires = "policy")]
    secrets: Option<PathBuf>,

    /// The API token to be used; it is let in from now on. Without it a new one is made where none is known.
    #[arg(long, value_name = "TOKEN", env = "TIDEGATE_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Ask for no token. On loopback alone.
    #[arg(long, conflicts_with = "token")]
    no_auth: bool,

    /// The account's id: at most 32 letters, digits, `-` and `_`.
    #[arg(long, value_name = "ID", env = "TIDEGATE_ACCOUNT", default_value = ACCOUNT, value_parser = parse_account)]
    account: String,

    /// The account Worker that answers hosts which name none; the only one with a dispatch namespace by default.
    #[arg(long, value_name = "NAME", value_parser = ScriptName::parse)]
    dispatcher: Option<ScriptName>,

    /// As many workerds serve, all on the one port: each runs JavaScript on one thread. At most 64.
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_processes)]
    processes: NonZeroUsize,

    /// As many isolates each workerd keeps; those least recently used go. Each takes 1.5 MB and more.
    #[arg(long, value_name = "N", default_value_t = ISOLATES, value_parser = parse_isolates)]
    isolates: NonZeroUsize,

    /// Send everything that leaves to this server instead of the internet: an IP address and a port.
    #[arg(long, value_name = "ADDR")]
    upstream: Option<SocketAddr>,

    /// Before each request to the API, forget everything but the state that the official SDKs' own test suites assume. For
    /// running those: requests are answered one after another, and no token is asked for. On loopback alone.
    #[arg(
        long,
        conflicts_with_all = ["account", "data", "dispatcher", "outbound", "policy", "token", "upstream", "worker"]
    )]
    seeded: bool,

    /// The workerd binary; by default the one that npm installed in this folder or one above it.
    #[arg(long, value_name = "PATH", env = "TIDEGATE_WORKERD")]
    workerd: Option<PathBuf>,
}

pub(crate) fn run(args: Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    dev::run(args.plan()?, format, terminal)
}

/// The workerd binary that was named, or the one that npm installed.
pub(super) fn workerd(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let installed = || env::current_dir().ok().and_then(|folder| installed_workerd(&folder));
    named.or_else(installed).ok_or_else(|| {
        Failure::new(
            "there is no workerd in `node_modules`, in this folder or one above it",
            "run `npm install workerd`, or say where it is with `--workerd`",
        )
    })
}

impl Args {
    /// Holds the rules between arguments, and reads what they name.
    fn plan(self) -> Result<Plan, Failure> {
        if self.port == self.api_port && self.port != 0 {
            return Err(Failure::usage(
                format!("the Workers and the API cannot both have port {}", self.port),
                "choose another with `--port` or `--api-port`; `tidegate dev --help` says more",
            ));
        }
        if self.seeded && !self.host.is_loopback() {
            return Err(Failure::usage(
                format!("a seeded platform listens on loopback alone, and {} is not loopback", self.host),
                "leave out `--host`; `tidegate dev --help` says more",
            ));
        }
        // Read here and not by clap, which repeats what it refuses: tokens and secrets are not for the screen.
        let access = match self.token {
            Some(token) if is_token(&token) => ApiAccess::Given(token),
            Some(_) => {
                return Err(Failure::usage(
                    "a token is made of ASCII letters, digits and signs, without spaces",
                    "give another with `--token`, or none: then one is made; `tidegate dev --help` says more",
                ));
            }
            None if self.no_auth && !self.host.is_loopback() => {
                return Err(Failure::usage(
                    format!("without tokens the API on {} would be open to everybody who reaches it", self.host),
                    "leave out `--no-auth`, or listen on loopback; `tidegate dev --help` says more",
                ));
            }
            // Suites show a key of their own.
            None if self.no_auth || self.seeded => ApiAccess::Open,
            // A temporary store knows no token.
            None if self.data.is_none() => ApiAccess::New(dev::new_token()?),
            None => ApiAccess::Kept,
        };
        let outbound = match self.policy {
            None => None,
            Some(policy) => {
                let mut secrets = match self.secrets {
                    Some(file) => Secrets::read(&file)?,
                    None => Secrets::default(),
                };
                for secret in &self.secret {
                    secrets.add(secret).map_err(|fault| {
                        Failure::usage(
                            format!("a secret cannot be read: {fault}"),
                            "write `--secret NAME=VALUE`; `tidegate dev --help` says more",
                        )
                    })?;
                }
                Some(OutboundOptions { policy, worker: self.worker, name: self.outbound, secrets })
            }
        };
        let workerd = workerd(self.workerd)?;
        let platform = Options {
            data: self.data,
            address: SocketAddr::new(self.host, self.port),
            api: SocketAddr::new(self.host, self.api_port),
            account: if self.seeded { seed::ACCOUNT.to_owned() } else { self.account },
            auth: Auth::Kept,
            workerd,
            egress: self.upstream.map_or(Egress::Public, Egress::Upstream),
            processes: self.processes,
            isolates: self.isolates,
            dispatcher: self.dispatcher.map(|name| name.as_str().to_owned()),
            seeded: self.seeded,
        };
        Ok(Plan { platform, access, outbound })
    }
}

/// A token travels in a header, after `Bearer `.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn parse_account(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=32).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("an account's id has 1 to 32 letters, digits, `-` and `_`".to_owned())
    }
}

fn parse_processes(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MOST_PROCESSES);
    number.ok_or_else(|| format!("the number of processes is one from 1 to {MOST_PROCESSES}"))
}

fn parse_isolates(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MOST_ISOLATES);
    number.ok_or_else(|| format!("the number of isolates is one from 1 to {MOST_ISOLATES}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn plan(args: &[&str]) -> Result<Plan, Failure> {
        let Command::Dev(args) = Cli::try_parse_from([&["tidegate", "dev", "--workerd", "workerd"], args].concat())
            .unwrap_or_else(|error| panic!("{error}"))
            .command
        else {
            panic!("another command")
        };
        args.plan()
    }

    fn refused(args: &[&str]) -> String {
        match Cli::try_parse_from([&["tidegate", "dev", "--workerd", "workerd"], args].concat()) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{args:?} were taken"),
        }
    }

    #[test]
    fn by_default_both_servers_are_on_loopback_and_ask_for_a_new_token() {
        let plan = plan(&[]).unwrap();
        assert_eq!(plan.platform.address, "127.0.0.1:8787".parse().unwrap());
        assert_eq!(plan.platform.api, "127.0.0.1:8788".parse().unwrap());
        assert_eq!(plan.platform.egress, Egress::Public);
        assert_eq!(plan.platform.processes.get(), 1);
        let ApiAccess::New(token) = &plan.access else { panic!("{:?}", plan.access) };
        assert!(token.len() == 40 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
        assert!(plan.outbound.is_none());
    }

    #[test]
    fn a_folder_that_is_kept_may_know_tokens_and_a_given_one_is_taken() {
        assert!(matches!(plan(&["--data", "d"]).unwrap().access, ApiAccess::Kept));
        let given = plan(&["--data", "d", "--token", "s3cret"]).unwrap().access;
        assert!(matches!(given, ApiAccess::Given(token) if token == "s3cret"));
    }

    #[test]
    fn the_api_is_open_on_loopback_alone() {
        for host in ["127.0.0.1", "127.9.9.9", "::1"] {
            assert!(matches!(plan(&["--no-auth", "--host", host]).unwrap().access, ApiAccess::Open), "{host}");
        }
        for host in ["0.0.0.0", "::", "192.0.2.1", "::ffff:127.0.0.1"] {
            let failure = plan(&["--no-auth", "--host", host]).unwrap_err();
            assert_eq!(failure.outcome, Outcome::Usage, "{host}");
            assert!(matches!(plan(&["--host", host]).unwrap().access, ApiAccess::New(_)), "{host}");
        }
        assert!(refused(&["--no-auth", "--token", "s3cret"]).contains("cannot be used with"));
    }

    #[test]
    fn a_seeded_platform_is_the_suites_account_without_tokens_on_loopback_and_nothing_else() {
        let seeded = plan(&["--seeded"]).unwrap();
        assert!(seeded.platform.seeded && matches!(seeded.access, ApiAccess::Open));
        assert_eq!((seeded.platform.account.as_str(), &seeded.platform.data), (seed::ACCOUNT, &None));
        assert!(plan(&["--seeded", "--no-auth", "--host", "::1", "--port", "0"]).is_ok());
        assert!(!plan(&[]).unwrap().platform.seeded);
        assert_eq!(plan(&["--seeded", "--host", "0.0.0.0"]).unwrap_err().outcome, Outcome::Usage);
        for other in [
            &["--account", "a"][..],
            &["--data", "d"],
            &["--dispatcher", "d"],
            &["--policy", "p.toml"],
            &["--token", "s3cret"],
            &["--upstream", "127.0.0.1:1"],
            &["--worker", "w"],
        ] {
            assert!(refused(&[&["--seeded"], other].concat()).contains("cannot be used with"), "{other:?}");
        }
    }

    #[test]
    fn the_two_ports_differ_or_are_both_free_ones() {
        assert_eq!(plan(&["--port", "8788"]).unwrap_err().outcome, Outcome::Usage);
        assert!(plan(&["--port", "0", "--api-port", "0"]).is_ok());
    }

    #[test]
    fn what_belongs_to_the_outbound_worker_needs_a_policy() {
        for args in [&["--outbound", "o"][..], &["--secret", "A=b"], &["--secrets", ".dev.vars"]] {
            assert!(refused(args).contains("--policy"), "{args:?}");
        }
        let outbound = plan(&["--policy", "p.toml", "--secret", "A=b=c"]).unwrap().outbound.unwrap();
        assert_eq!(outbound.name.as_str(), "tidegate-outbound");
        assert_eq!(outbound.secrets.get("A").unwrap(), "b=c");
    }

    #[test]
    fn bad_values_are_refused_and_secret_ones_not_repeated() {
        let long = "a".repeat(33);
        for args in [
            &["--account", "a/b"][..],
            &["--account", ""],
            &["--account", &long],
            &["--dispatcher", "A B"],
            &["--policy", "p", "--outbound", "../x"],
            &["--host", "localhost"],
            &["--upstream", "example.com"],
            &["--processes", "0"],
            &["--processes", "65"],
            &["--processes", "two"],
            &["--isolates", "0"],
            &["--isolates", "5001"],
        ] {
            refused(args);
        }
        for args in [
            &["--token", "hush hush"][..],
            &["--policy", "p", "--secret", "hush"],
            &["--policy", "p", "--secret", "1A=hush"],
        ] {
            let failure = plan(args).unwrap_err();
            assert_eq!(failure.outcome, Outcome::Usage, "{args:?}");
            assert!(!format!("{failure:?}").contains("hush"), "{failure:?}");
        }
    }
}
