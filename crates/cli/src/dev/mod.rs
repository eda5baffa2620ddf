//! A session of `tidegate dev`: the platform, a policy that is kept deployed on it, and what is told about both.
//!
//! ```text
//!   policy, its files ─► watch ─► keeper: compile ─► deploy ──┐
//!                                                             ├─► reports ─► one place that prints
//!   workerd ─────────────────────────────────────► events ────┘
//! ```
//!
//! Only this thread prints. Everything else says what happened in a [`Report`], which is data; what it looks like, for people
//! and for programs, is in [`report`].
//!
//! # What this module does not do
//! It knows neither HTTP nor SQL: it starts the platform, and deploys through the same door as an upload does.

mod outbound;
mod report;
mod secrets;
mod stop;

use std::time::Duration;

use tidegate_platform::runtime::Event;
use tidegate_platform::{Auth, Options, Platform, PlatformError};
use tokio::runtime;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

pub(crate) use outbound::OutboundOptions;
pub(crate) use secrets::Secrets;

use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

use outbound::Keeper;
use report::{Ready, Report};
use stop::Stop;

/// What a session is started with: arguments that go together.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The platform; its `auth` is taken from `access`.
    pub(crate) platform: Options,
    /// Who may use the API.
    pub(crate) access: ApiAccess,
    /// The policy to deploy, if any.
    pub(crate) outbound: Option<OutboundOptions>,
}

/// Who may use the API.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum ApiAccess {
    /// Who has this token.
    Given(String),
    /// Who has a token of before; where there is none, a new one is made.
    Kept,
    /// Who has this token, which was made just now.
    New(String),
    /// Everybody who reaches it.
    Open,
}

impl std::fmt::Debug for ApiAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given",
            Self::Kept => "Kept",
            Self::New(_) => "New",
            Self::Open => "Open",
        })
    }
}

/// A new API token: 160 random bits, as long as Cloudflare's.
pub(crate) fn new_token() -> Result<String, Failure> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(format!("the system gives no randomness: {error}"), "give a token with `--token`")
    })?;
    Ok(bytes.iter().fold(String::with_capacity(40), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    }))
}

/// Runs the platform until somebody ends it.
pub(crate) fn run(plan: Plan, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start threads: {error}"), "end other programs and try again"))?;
    let outcome = runtime.block_on(async {
        // From here on a signal ends the session in order, however far the start has come.
        let mut stop =
            Stop::listen().map_err(|error| Failure::new(format!("cannot listen for signals: {error}"), "try again"))?;
        let session = tokio::select! {
            session = Session::start(plan, format, terminal) => session?,
            () = stop.asked() => return Ok(Outcome::Fine),
        };
        session.run(&mut stop, format, terminal).await
    });
    // A policy that is being compiled is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// A running platform and what is told of it.
struct Session {
    platform: Platform,
    events: broadcast::Receiver<Event>,
    /// Requests to the API that meet no route.
    unknown_routes: broadcast::Receiver<String>,
    /// Keeps the policy deployed; ends when it is dropped.
    keeper: JoinSet<()>,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Session {
    /// Compiles the policy, starts the platform, deploys, and says what runs where. On an error nothing is left running.
    async fn start(plan: Plan, format: Format, terminal: &mut Terminal) -> Result<Self, Failure> {
        let Plan { platform: options, access, outbound } = plan;
        // A policy with errors is said before anything is started.
        let mut keeper = match outbound {
            Some(outbound) => Some(Keeper::new(outbound, |report| report::print(&report, format, terminal)).await?),
            None => None,
        };
        let (platform, access) = start_platform(&options, access).await?;
        let (events, unknown_routes) = (platform.runtime().events(), platform.unknown_routes());
        let policy = match &mut keeper {
            None => None,
            Some(keeper) => match keeper.deploy(platform.store(), platform.runtime()).await {
                Ok(policy) => Some(policy),
                Err(failure) => {
                    platform.stop().await;
                    return Err(failure);
                }
            },
        };
        report::print(&Report::Ready(Box::new(Ready::new(&platform, options, access, policy))), format, terminal)?;
        let (sender, reports) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        if let Some(keeper) = keeper {
            tasks.spawn(keeper.keep(platform.store().clone(), platform.runtime().clone(), sender));
        }
        Ok(Self { platform, events, unknown_routes, keeper: tasks, reports })
    }

    /// Tells what happens until a signal comes, and ends the platform.
    async fn run(self, stop: &mut Stop, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
        let Self { platform, mut events, mut unknown_routes, keeper, mut reports } = self;
        let told = loop {
            let report = tokio::select! {
                () = stop.asked() => break Ok(()),
                Some(report) = reports.recv() => report,
                event = events.recv() => match event {
                    Ok(event) => Report::Happened(event),
                    Err(RecvError::Lagged(events)) => Report::Lost { events },
                    Err(RecvError::Closed) => break Err(Failure::new("workerd has ended", "start `tidegate dev` again")),
                },
                // A client that asks without end is told of now and then.
                Ok(request) = unknown_routes.recv() => Report::UnknownRoute { request },
            };
            if let Err(failure) = report::print(&report, format, terminal) {
                break Err(failure.into());
            }
        };
        drop(keeper);
        let told = told.and_then(|()| Ok(report::print(&Report::Stopping, format, terminal)?));
        tokio::select! {
            () = platform.stop() => {}
            // Who asks twice does not want to wait.
            () = stop.asked() => {}
        }
        told.map(|()| Outcome::Fine)
    }
}

/// Starts the platform; makes a token where the store turns out to know none.
async fn start_platform(options: &Options, access: ApiAccess) -> Result<(Platform, ApiAccess), Failure> {
    let auth = match &access {
        ApiAccess::Given(token) | ApiAccess::New(token) => Auth::Token(token.clone()),
        ApiAccess::Kept => Auth::Kept,
        ApiAccess::Open => Auth::Nobody,
    };
    match Platform::start(Options { auth, ..options.clone() }).await {
        Ok(platform) => Ok((platform, access)),
        Err(PlatformError::NoToken) if access == ApiAccess::Kept => {
            let token = new_token()?;
            let options = Options { auth: Auth::Token(token.clone()), ..options.clone() };
            let platform = Platform::start(options).await.map_err(|error| not_started(&error))?;
            Ok((platform, ApiAccess::New(token)))
        }
        Err(error) => Err(not_started(&error)),
    }
}

/// Most of the platform's errors name the way out themselves.
fn not_started(error: &PlatformError) -> Failure {
    let help = matches!(error, PlatformError::Io { .. })
        .then(|| "choose a folder that can be written: with `--data`, or with TMPDIR for a temporary one".to_owned());
    Failure { outcome: Outcome::CouldNotWork, message: error.to_string(), help }
}
