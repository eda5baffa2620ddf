//! `tidegate decide`: what a policy says about requests.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use tidegate_engine::Header;
use tidegate_test::decision::Answered;
use tidegate_test::engine::Engine;
use tidegate_test::instant::{self, Seconds};
use tidegate_test::plain::plain;
use tidegate_test::request::{Request, RequestLine, join, last_of_each, parse_header};

use crate::cli::Format;
use crate::lines::{self, Line};
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{files, json, load};

/// Ask a policy about one request, or about many
///
/// The policy is compiled, and the compiled table answers, as it would in the Worker (`--engine reference`
/// asks the other reader of policies instead). One request is given as METHOD and
/// URL; many as a file with one JSON object a line, answered by one JSON object a line in the same order. A policy with errors
/// exits 1.
#[derive(Debug, clap::Args)]
#[command(after_long_help = REQUEST_LINES)]
pub(crate) struct Args {
    /// The policy.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,

    /// Requests, one JSON object a line; `-` is stdin.
    #[arg(long, value_name = "IN.jsonl", conflicts_with_all = ["method", "url", "customer", "tags", "headers", "vars"])]
    requests: Option<PathBuf>,

    /// The customer who asks.
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,

    /// One of the customer's tags; may be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// One of the customer's variables; may be repeated.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = parse_var)]
    vars: Vec<(String, String)>,

    /// A header of the request; may be repeated.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<Header>,

    /// When it is: `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`; now by default.
    #[arg(long, value_name = "DATE", value_parser = instant::parse)]
    at: Option<Seconds>,

    /// Exit 1 unless this is what happens, to every request.
    #[arg(long, value_enum)]
    expect: Option<ExpectedEffect>,

    /// What answers.
    #[arg(long, value_enum, default_value = "table")]
    engine: EngineName,

    /// The request's method.
    #[arg(required_unless_present = "requests")]
    method: Option<String>,

    /// The request's URL.
    #[arg(required_unless_present = "requests")]
    url: Option<String>,
}

const REQUEST_LINES: &str = r#"Request lines:
  {"id":"1","method":"GET","url":"https://api.example/","customer":"acme","tags":["paid"],"vars":{"plan":"gold"},"headers":{"k":"v"}}

  Only "url" is required. Without "customer", or without "tags" where the policy declares them, the request names nobody.
  A line that cannot be read is answered by {"id":null,"error":"…"}, and the command exits 3 at the end."#;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExpectedEffect {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EngineName {
    /// The compiled table, as in the Worker.
    Table,
    /// The reference interpreter: slow, obvious, and shares no code with the table.
    Reference,
}

pub(super) fn parse_var(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not `NAME=VALUE`"))?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn run(args: &Args, format: Option<Format>, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let output = load::compile(&args.policy, terminal)?;
    let engine = match args.engine {
        EngineName::Reference => Engine::reference(&output),
        EngineName::Table => Engine::table(&output),
    };
    let mut judge = Judge {
        engine: engine.map_err(load::unloadable)?,
        now: args.at.unwrap_or_else(instant::now),
        expect: args.expect.map(|expected| match expected {
            ExpectedEffect::Allow => "allow",
            ExpectedEffect::Deny => "deny",
        }),
        missed: 0,
    };
    match &args.requests {
        Some(path) => judge.many(path, format.unwrap_or(Format::Json), terminal),
        None => judge.one(&args.request(), format.unwrap_or(Format::Human), terminal),
    }
}

impl Args {
    fn request(&self) -> Request {
        Request {
            // The parser holds that both are here where `--requests` is not.
            method: self.method.clone().unwrap_or_default(),
            url: self.url.clone().unwrap_or_default(),
            customer: self.customer.clone(),
            // Who names a customer and no tag says that it has none.
            tags: (self.customer.is_some() || !self.tags.is_empty()).then(|| self.tags.clone()),
            vars: Some(last_of_each(&self.vars)),
            headers: join(self.headers.clone()),
        }
    }
}

/// A policy, ready to answer.
struct Judge<'p> {
    engine: Engine<'p>,
    now: Seconds,
    /// The effect that every answer should have.
    expect: Option<&'static str>,
    /// How many answers were not the expected one.
    missed: usize,
}

/// What stands in the place of an answer.
#[derive(Debug, Serialize)]
struct Unreadable<'e> {
    id: (),
    error: &'e str,
}

impl Judge<'_> {
    fn one(&mut self, request: &Request, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
        self.answer(&Value::Null, request, terminal, |decision, terminal| match format {
            Format::Json => json::write_line(terminal.data(), decision),
            Format::Human => terminal.line(decision.decision.text(request)),
        })?;
        if self.missed == 0 {
            return Ok(Outcome::Fine);
        }
        terminal.note(format!("expected `{}`", self.expect.unwrap_or_default()));
        Ok(Outcome::Found)
    }

    fn many(&mut self, path: &Path, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
        let mut lines = lines::open(path)?;
        let (mut answered, mut unreadable) = (0_usize, 0_usize);
        while let Some(line) = lines.next().map_err(|error| files::read_error(path, error))? {
            let parsed = match line {
                Line::Bytes(bytes) => RequestLine::parse(bytes),
                Line::TooLong => Err(lines::TOO_LONG.to_owned()),
            };
            match parsed {
                Ok(RequestLine { id, request }) => {
                    answered += 1;
                    self.answer(&id, &request, terminal, |decision, terminal| match format {
                        Format::Json => json::write_line(terminal.data(), decision),
                        Format::Human => terminal.line(decision.decision.headline(&request)),
                    })?;
                }
                Err(error) => {
                    unreadable += 1;
                    match format {
                        Format::Json => json::write_line(terminal.data(), &Unreadable { id: (), error: &error })?,
                        Format::Human => terminal.line(plain(&format!("error {error}")))?,
                    }
                }
            }
            // Whoever asks one request at a time waits for its answer before asking the next.
            if !lines.is_ready() {
                terminal.flush()?;
            }
            if terminal.is_closed() {
                break;
            }
        }
        if self.missed > 0 {
            let expected = self.expect.unwrap_or_default();
            terminal.note(format!("{} of {answered} decisions are not `{expected}`", self.missed));
        }
        if unreadable > 0 {
            return Err(Failure::new(
                format!("{unreadable} of {} lines in `{}` cannot be read", answered + unreadable, path.display()),
                "the answers say why, each in its line's place",
            ));
        }
        Ok(if self.missed > 0 { Outcome::Found } else { Outcome::Fine })
    }

    fn answer<T>(
        &mut self,
        id: &Value,
        request: &Request,
        terminal: &mut Terminal,
        write: impl FnOnce(&Answered<'_>, &mut Terminal) -> T,
    ) -> T {
        let decision = self.engine.decide(request, self.now);
        if self.expect.is_some_and(|expected| expected != decision.effect) {
            self.missed += 1;
        }
        write(&Answered { id, decision: &decision }, terminal)
    }
}
