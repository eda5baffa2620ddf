//! `tidegate doctor`: ways around the outbound Worker, and into it.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_compiler::source::{SourceMap, Span};

use crate::cli::Format;
use crate::doctor::config::{Contents, Worker};
use crate::doctor::deployment::Role;
use crate::doctor::report::{self, FindingLine};
use crate::doctor::{self, Code, Deployment, Finding, Policy, Severity};
use crate::document::{self, Unparsable};
use crate::files::{self, MIB};
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{json, load, render};

/// Look for ways around the outbound Worker in a deployment
///
/// Reads wrangler configurations (`wrangler.toml`, `wrangler.json`, `wrangler.jsonc`), the metadata of uploads (JSON with
/// `main_module` and `bindings`), and namespaces as the API shows them. Of a folder, all configurations in it and beneath. Give
/// dispatch, outbound and user Workers together: they are judged together. A Worker with a dispatch namespace is a dispatch
/// Worker; one that a dispatch binding or `--outbound` names, one called `tidegate-outbound`, and one that `tidegate build`
/// makes is an outbound Worker; every other may be a customer's. Exits 1 if it finds anything, 3 if a file cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configurations, metadata, or folders.
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// The policy, to hold the parameters that it reads against those that are passed.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// An outbound Worker's name, if it is deployed from elsewhere or called otherwise; may be repeated.
    #[arg(long = "outbound", value_name = "NAME")]
    outbound: Vec<String>,
}

/// What wrangler calls its configurations.
const CONFIGURATIONS: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// Folders that hold no configurations of the operator's own.
const PASSED_OVER: [&str; 3] = ["build", "node_modules", "target"];

/// More entries than this are no project's.
const MOST_ENTRIES: usize = 100_000;

/// No configuration is longer.
const LONGEST: u64 = 4 * MIB;

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let policy = match &args.policy {
        Some(path) => Some(Policy::new(&load::compile(path, terminal)?.policy)),
        None => None,
    };
    let mut examined = Examined::default();
    for path in find(&args.paths)? {
        examined.read(&path);
    }
    let Examined { mut sources, workers, namespaces, mut findings, unreadable } = examined;
    let mut deployment = Deployment::new(workers, &args.outbound);
    deployment.namespaces = namespaces;
    deployment.policy = policy;
    for placed in deployment.workers.iter_mut().filter(|placed| placed.role == Role::Dispatch) {
        let Some(path) = code_of(&placed.worker, &sources) else { continue };
        // Code that is not there yet is built later, and not here to be read.
        placed.code = files::read_text(&path, LONGEST).ok().map(|text| sources.add(&path, text));
    }
    findings.extend(doctor::examine(&deployment, &sources));
    findings.sort_by_key(|finding| (finding.span, finding.code));
    for finding in &findings {
        match format {
            Format::Human => terminal.note_block(&report::block(&sources, finding)),
            Format::Json => json::write_line(terminal.data(), &FindingLine::new(&sources, finding))?,
        }
    }
    if format == Format::Human {
        for placed in &deployment.workers {
            terminal.note(looked_at(&placed.worker, placed.role, &sources));
        }
        for namespace in &deployment.namespaces {
            terminal.note(format!("namespace `{}`", namespace.name));
        }
        terminal.note(summary(&findings));
    }
    Ok(match (unreadable, findings.is_empty()) {
        (true, _) => Outcome::CouldNotWork,
        (false, true) => Outcome::Fine,
        (false, false) => Outcome::Found,
    })
}

/// What has been read so far.
#[derive(Default)]
struct Examined {
    sources: SourceMap,
    workers: Vec<Worker>,
    namespaces: Vec<doctor::config::Namespace>,
    findings: Vec<Finding>,
    unreadable: bool,
}

impl Examined {
    /// Reads one file. One that cannot be read is a finding, so that the others are looked at all the same.
    fn read(&mut self, path: &Path) {
        let text = match files::read_text(path, LONGEST) {
            Ok(text) => text,
            Err(error) => {
                let file = self.sources.add(path, String::new());
                return self.unreadable(Span { file, start: 0, end: 0 }, error.to_string());
            }
        };
        let file = self.sources.add(path, text.clone());
        let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        let tree = if is_toml { document::parse_toml(file, &text) } else { document::parse_jsonc(file, &text) };
        let root = match tree {
            Ok(root) => root,
            Err(Unparsable { span, message }) => return self.unreadable(span, message),
        };
        let is_wrangler =
            is_toml || path.file_name().is_some_and(|name| CONFIGURATIONS.iter().any(|known| name == *known));
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match Contents::read(&root, &name, is_wrangler) {
            Some(contents) => {
                self.workers.extend(contents.workers);
                self.namespaces.extend(contents.namespaces);
                self.findings.extend(contents.findings);
            }
            None => self.unreadable(
                Span { file, start: 0, end: 0 },
                "the file is neither a wrangler configuration, nor metadata of an upload, nor a namespace".to_owned(),
            ),
        }
    }

    fn unreadable(&mut self, span: Span, message: String) {
        self.unreadable = true;
        self.findings.push(Finding {
            code: Code::Unreadable,
            severity: Severity::Error,
            span,
            message,
            why: "what cannot be read cannot be judged".to_owned(),
            help: "correct it, or name other files".to_owned(),
        });
    }
}

/// The files behind the arguments.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        configurations(path, &mut found)?;
        if found.len() == before {
            return Err(Failure::new(
                format!("there is no wrangler configuration in `{}`", path.display()),
                "name files, or a folder with `wrangler.toml`, `wrangler.json` or `wrangler.jsonc` in it or beneath",
            ));
        }
    }
    Ok(found)
}

/// Every configuration in a folder and beneath, in order. Links to folders are not followed: they may lead round in circles.
fn configurations(root: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let mut folders = VecDeque::from([root.to_owned()]);
    let mut entries = 0;
    while let Some(folder) = folders.pop_front() {
        let mut here = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|error| files::read_error(&folder, error))? {
            let entry = entry.map_err(|error| files::read_error(&folder, error))?;
            let kind = entry.file_type().map_err(|error| files::read_error(&folder, error))?;
            entries += 1;
            if entries > MOST_ENTRIES {
                return Err(Failure::new(
                    format!("`{}` holds more than {MOST_ENTRIES} files", root.display()),
                    "name the configurations, or the folders that they are in",
                ));
            }
            here.push((entry.file_name(), kind.is_dir()));
        }
        here.sort();
        for (name, is_folder) in here {
            let path = if folder == Path::new(".") { PathBuf::from(&name) } else { folder.join(&name) };
            let name = name.to_string_lossy();
            if !is_folder && CONFIGURATIONS.contains(&name.as_ref()) {
                found.push(path);
            } else if is_folder && !name.starts_with('.') && !PASSED_OVER.contains(&name.as_ref()) {
                folders.push_back(path);
            }
        }
    }
    Ok(())
}

fn code_of(worker: &Worker, sources: &SourceMap) -> Option<PathBuf> {
    let main = worker.main.as_ref()?;
    let folder = files::parent(&sources.file(main.span.file).path);
    Some(if folder == Path::new(".") { PathBuf::from(&main.value) } else { folder.join(&main.value) })
}

fn looked_at(worker: &Worker, role: Role, sources: &SourceMap) -> String {
    let path = sources.file(worker.place.file).path.display();
    let environment = worker.environment.as_ref().map(|name| format!(", environment `{name}`")).unwrap_or_default();
    format!("{path}: {} `{}`{environment}", role.as_str(), worker.name)
}

fn summary(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let counts = [(errors, "error"), (findings.len() - errors, "warning")];
    let words: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, noun)| render::counted(*n, noun)).collect();
    if words.is_empty() { "no findings".to_owned() } else { words.join(", ") }
}
