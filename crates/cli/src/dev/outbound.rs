//! Keeps a policy deployed: compiles it, puts it into the built Worker, deploys that, and does so again whenever a file of
//! the policy changes.
//!
//! What serves is never touched by a policy that does not compile or a Worker that does not start. Secrets that were put
//! into the Worker by other ways (`wrangler secret put`) stay in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use serde_json::Map;
use tidegate_compiler::checked::CheckedPolicy;
use tidegate_compiler::diagnostic::{Diagnostic, Severity};
use tidegate_compiler::source::SourceMap;
use tidegate_compiler::{Compilation, Output};
use tidegate_platform::deploy::{self, DeployError};
use tidegate_platform::names::ScriptName;
use tidegate_platform::runtime::Runtime;
use tidegate_platform::store::{NewVersion, Store, StoreError};
use tidegate_platform::worker::{Binding, BindingValue, Code, Entry, Module, ModuleKind, Scope, ScriptKey};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::report::{Deployed, Findings, Report};
use super::secrets::Secrets;
use crate::bundle::{Bundle, find};
use crate::cache;
use crate::load;
use crate::outcome::{Failure, Outcome};
use crate::render;
use crate::terminal::StdoutError;
use crate::watch::{Watch, WatchError};

/// As in `wrangler.toml`: what is seen here is what will be seen there.
const COMPATIBILITY_DATE: &str = "2026-04-01";

/// Somebody else may change the Worker between looking and deploying; then it is looked at again, so many times.
const ATTEMPTS: usize = 5;

/// What is to be deployed, and as what.
#[derive(Clone, Debug)]
pub(crate) struct OutboundOptions {
    /// The policy.
    pub(crate) policy: PathBuf,
    /// The built Worker.
    pub(crate) worker: Option<PathBuf>,
    /// The name of the account Worker.
    pub(crate) name: ScriptName,
    /// Secrets of that Worker; they win over those that it has.
    pub(crate) secrets: Secrets,
}

/// Keeps one policy deployed.
pub(crate) struct Keeper {
    options: Arc<OutboundOptions>,
    watch: Watch,
    last: Reading,
    /// The digest that serves.
    serving: Option<String>,
}

/// What reading the policy came to.
struct Reading {
    sources: Arc<SourceMap>,
    diagnostics: Arc<Vec<Diagnostic>>,
    /// None where there are errors.
    candidate: Option<Candidate>,
}

/// A policy in a Worker, ready to be deployed.
struct Candidate {
    digest: String,
    /// Without secrets.
    modules: Vec<Module>,
    /// Names of the secrets that the policy speaks of.
    needs: Vec<String>,
}

impl Keeper {
    /// Reads the policy for the first time; one with errors is refused.
    pub(crate) async fn new(
        options: OutboundOptions,
        mut tell: impl FnMut(Report) -> Result<(), StdoutError>,
    ) -> Result<Self, Failure> {
        let options = Arc::new(options);
        let mut watch = Watch::new()?;
        watch.follow([options.policy.as_path()])?;
        let begun = SystemTime::now();
        let last = Reading::new(&options).await?;
        watch.follow_read(last.paths(), begun)?;
        let keeper = Self { options, watch, last, serving: None };
        if !keeper.last.diagnostics.is_empty() {
            tell(keeper.findings())?;
        }
        if keeper.last.candidate.is_none() {
            let errors = keeper.last.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
            return Err(Failure {
                outcome: Outcome::Found,
                message: format!(
                    "`{}` does not compile: {}",
                    keeper.options.policy.display(),
                    render::counted(errors, "error")
                ),
                help: None,
            });
        }
        Ok(keeper)
    }

    /// Deploys what was read. Where that is what the Worker is already, nothing is done.
    pub(crate) async fn deploy(&mut self, store: &Store, runtime: &Runtime) -> Result<Deployed, Failure> {
        let begun = Instant::now();
        let Some(candidate) = &self.last.candidate else {
            // Whoever calls has seen that there is one.
            return Err(Failure::new("there is no policy to deploy", "this is a fault of Tidegate; please report it"));
        };
        let placed = place(&self.options, candidate, store, runtime).await.map_err(|error| {
            Failure::new(
                format!("the outbound Worker `{}` was not deployed: {error}", self.options.name),
                "build the Worker again, or name another with `--worker`",
            )
        })?;
        self.serving = Some(candidate.digest.clone());
        Ok(Deployed {
            policy: self.options.policy.display().to_string(),
            worker: self.options.name.to_string(),
            digest: candidate.digest.clone(),
            version: placed.version,
            missing_secrets: placed.missing_secrets,
            took: begun.elapsed(),
        })
    }

    /// Deploys the policy again after each change, for ever.
    pub(crate) async fn keep(mut self, store: Store, runtime: Runtime, reports: mpsc::UnboundedSender<Report>) {
        loop {
            self.watch.changed().await;
            let begun = Instant::now();
            for report in self.look(&store, &runtime, begun).await {
                if reports.send(report).is_err() {
                    return;
                }
            }
        }
    }

    /// Reads the policy again if one of its files is another, and deploys it if it is another policy.
    async fn look(&mut self, store: &Store, runtime: &Runtime, begun: Instant) -> Vec<Report> {
        let mut reports = Vec::new();
        let mut followed = self.watch.follow(self.last.paths());
        let read_from = SystemTime::now();
        let sources = Arc::clone(&self.last.sources);
        if spawn_blocking(move || is_as_read(&sources)).await.unwrap_or(false) {
            reports.extend(followed.err().map(not_watched));
            return reports;
        }
        self.last = match Reading::new(&self.options).await {
            Ok(reading) => reading,
            Err(failure) => {
                reports.extend(followed.err().map(not_watched));
                reports.push(Report::NotDeployed { failure, serving: self.serving.clone() });
                return reports;
            }
        };
        followed = followed.and_then(|()| self.watch.follow_read(self.last.paths(), read_from));
        reports.extend(followed.err().map(not_watched));
        if !self.last.diagnostics.is_empty() {
            reports.push(self.findings());
        }
        match &self.last.candidate {
            None => {}
            Some(candidate) if self.serving.as_ref() == Some(&candidate.digest) => {
                reports.push(Report::Unchanged { digest: candidate.digest.clone() });
            }
            Some(_) => reports.push(match self.deploy(store, runtime).await {
                Ok(deployed) => Report::Deployed(Deployed { took: begun.elapsed(), ..deployed }),
                Err(failure) => Report::NotDeployed { failure, serving: self.serving.clone() },
            }),
        }
        reports
    }

    fn findings(&self) -> Report {
        Report::Findings(Findings {
            policy: self.options.policy.display().to_string(),
            sources: Arc::clone(&self.last.sources),
            diagnostics: Arc::clone(&self.last.diagnostics),
            compiles: self.last.candidate.is_some(),
            serving: self.serving.clone(),
        })
    }
}

fn not_watched(error: WatchError) -> Report {
    Report::NotWatched(error.into())
}

impl Reading {
    /// Reads, compiles, and puts the table into the built Worker.
    async fn new(options: &Arc<OutboundOptions>) -> Result<Self, Failure> {
        let options = Arc::clone(options);
        let reading = spawn_blocking(move || {
            let Compilation { sources, diagnostics, output } =
                tidegate_compiler::compile_with(&options.policy, &cache::options(&options.policy));
            let candidate = output.map(|output| Candidate::new(options.worker.as_deref(), &output)).transpose()?;
            Ok(Self { sources: Arc::new(sources), diagnostics: Arc::new(diagnostics), candidate })
        });
        reading.await.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))
    }

    /// Every file that the policy is made of, and those that are missing.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.sources.files().map(|file| file.path.as_path()).chain(self.sources.unread())
    }
}

impl Candidate {
    fn new(worker: Option<&Path>, output: &Output) -> Result<Self, Failure> {
        let digest = load::digest(&output.table)?;
        let bundle = Bundle::new(&find::worker(worker)?, &output.table)?;
        Ok(Self { digest, modules: modules(&bundle), needs: secrets_of(&output.policy) })
    }

    fn code(&self, bindings: Vec<Binding>) -> Code {
        code(self.modules.clone(), Bundle::ENTRY, bindings)
    }
}

/// The modules of a Worker that holds a policy.
pub(crate) fn modules(bundle: &Bundle) -> Vec<Module> {
    let module = |(name, content): (&str, &[u8])| match Path::new(name).extension().and_then(|it| it.to_str()) {
        Some("wasm") => Module {
            name: name.to_owned(),
            kind: ModuleKind::Wasm,
            content_type: "application/wasm".to_owned(),
            content: Bytes::copy_from_slice(content),
        },
        _ => es_module(name, content),
    };
    bundle.modules().map(module).into()
}

/// A module in JavaScript.
pub(crate) fn es_module(name: &str, content: &[u8]) -> Module {
    Module {
        name: name.to_owned(),
        kind: ModuleKind::EsModule,
        content_type: "application/javascript+module".to_owned(),
        content: Bytes::copy_from_slice(content),
    }
}

/// The code of a Worker made of modules, under the date that ours are deployed with.
pub(crate) fn code(modules: Vec<Module>, entry: &str, bindings: Vec<Binding>) -> Code {
    Code {
        entry: Entry::MainModule(entry.to_owned()),
        modules,
        bindings,
        compatibility_date: COMPATIBILITY_DATE.to_owned(),
        compatibility_flags: Vec::new(),
        settings: Map::new(),
        assets: None,
    }
}

/// How a candidate got into its place.
struct Placed {
    /// The version's id.
    version: String,
    /// Secrets that the policy speaks of and the Worker has not.
    missing_secrets: Vec<String>,
}

/// Makes the candidate the Worker that serves, with the secrets that it has and those that were given.
async fn place(
    options: &Arc<OutboundOptions>,
    candidate: &Candidate,
    store: &Store,
    runtime: &Runtime,
) -> Result<Placed, DeployError> {
    let key = ScriptKey { scope: Scope::Account, name: options.name.clone() };
    let mut attempts = 0;
    loop {
        attempts += 1;
        let current = {
            let (store, key) = (store.clone(), key.clone());
            let loading = spawn_blocking(move || store.load(&key));
            match loading.await.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic())) {
                Ok(loaded) => Some(loaded),
                Err(StoreError::ScriptNotFound) => None,
                Err(error) => return Err(error.into()),
            }
        };
        let bindings = bindings(current.as_ref().map_or(&[], |loaded| &loaded.code.bindings), &options.secrets);
        let has = |name: &str| bindings.iter().any(|binding| binding.name == name);
        let missing_secrets = candidate.needs.iter().filter(|name| !has(name)).cloned().collect();
        let code = candidate.code(bindings);
        if let Some(current) = &current
            && is_same(&current.code, &code)
        {
            return Ok(Placed { version: current.version.clone(), missing_secrets });
        }
        let derived_from = current.map(|loaded| loaded.version);
        match deploy::deploy(store, runtime, key.clone(), NewVersion { derived_from, ..code.into() }).await {
            Ok(script) => return Ok(Placed { version: script.version.id, missing_secrets }),
            Err(DeployError::Store(StoreError::Conflict)) if attempts < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
}

/// The secrets of the Worker as it is, and over them those that were given; by name.
fn bindings(current: &[Binding], given: &Secrets) -> Vec<Binding> {
    let kept = current.iter().filter(|binding| matches!(binding.value, BindingValue::SecretText { .. }));
    let given_ones = given.iter().map(|(name, secret)| Binding {
        name: name.to_owned(),
        value: BindingValue::SecretText { text: secret.clone() },
    });
    let mut bindings: Vec<_> =
        kept.filter(|binding| !given.contains(&binding.name)).cloned().chain(given_ones).collect();
    bindings.sort_by(|one, other| one.name.cmp(&other.name));
    bindings
}

/// Whether a Worker is what it is to become. The order of bindings means nothing.
fn is_same(current: &Code, wanted: &Code) -> bool {
    let by_name = |code: &Code| {
        let mut bindings = code.bindings.clone();
        bindings.sort_by(|one, other| one.name.cmp(&other.name));
        bindings
    };
    current.entry == wanted.entry
        && current.modules == wanted.modules
        && current.compatibility_date == wanted.compatibility_date
        && current.compatibility_flags == wanted.compatibility_flags
        && by_name(current) == by_name(wanted)
}

/// The Worker secrets that a policy speaks of, by name.
pub(crate) fn secrets_of(policy: &CheckedPolicy) -> Vec<String> {
    let mut names: Vec<String> = policy.keys.iter().map(|key| key.secret.clone()).collect();
    for rule in &policy.rules {
        let claims = rule.obligations.jwt.iter().flat_map(|jwt| &jwt.claims);
        let templates = rule.obligations.set.iter().chain(claims).map(|(_, template)| template);
        names.extend(templates.flat_map(|template| template.secrets().map(str::to_owned).collect::<Vec<_>>()));
    }
    names.sort();
    names.dedup();
    names
}

/// Whether every file still says what it said. Reading them costs less than compiling, and nothing is shown again that was
/// shown before.
fn is_as_read(sources: &SourceMap) -> bool {
    let is_unread = |path: &Path| sources.unread().any(|unread| unread == path);
    sources.unread().all(|path| std::fs::read_to_string(path).is_err())
        && sources.files().all(|file| {
            is_unread(&file.path) || std::fs::read_to_string(&file.path).is_ok_and(|text| text == file.text)
        })
}

#[cfg(test)]
mod tests {
    use tidegate_platform::worker::Secret;

    use super::*;

    fn secret(name: &str, text: &str) -> Binding {
        Binding { name: name.to_owned(), value: BindingValue::SecretText { text: Secret::new(text.to_owned()) } }
    }

    #[test]
    fn secrets_of_the_worker_stay_and_given_ones_win() {
        let variable = Binding { name: "V".to_owned(), value: BindingValue::PlainText { text: "v".to_owned() } };
        let current = [secret("PUT", "kept"), variable, secret("BOTH", "old")];
        let mut given = Secrets::default();
        given.add("BOTH=new").unwrap();
        given.add("ADDED=a").unwrap();
        assert_eq!(
            bindings(&current, &given),
            [secret("ADDED", "a"), secret("BOTH", "new"), secret("PUT", "kept")],
            "what is no secret is of the code before"
        );
    }

    #[test]
    fn a_policy_speaks_of_the_secrets_of_its_keys_and_templates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        let policy = "policy = 1\n[keys.k]\nalg = \"ES256\"\nsecret = \"KEY\"\nkid = \"1\"\n\
                      [[rule]]\nid = \"r\"\neffect = \"allow\"\nhosts = [\"api.example.com\"]\n\
                      set = { x-b = \"{secret.B}\", x-a = \"{customer} {secret.A} {secret.B}\" }\n\
                      jwt = { key = \"k\", audience = \"a\", ttl = \"5m\" }\n";
        std::fs::write(&path, policy).unwrap();
        let compilation = tidegate_compiler::compile(&path);
        assert_eq!(secrets_of(&compilation.output.unwrap().policy), ["A", "B", "KEY"]);
    }

    #[test]
    fn the_worker_runs_here_under_the_date_that_it_is_deployed_with() {
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wrangler.toml");
        let config: toml::Table = std::fs::read_to_string(config).unwrap().parse().unwrap();
        assert_eq!(config["compatibility_date"].as_str(), Some(COMPATIBILITY_DATE));
    }

    #[test]
    fn sources_are_as_read_until_one_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (policy, missing) = (folder.path().join("policy.toml"), folder.path().join("list.txt"));
        let named = "policy = 1\n[lists.l]\nfile = \"list.txt\"\nformat = \"domains\"\n";
        std::fs::write(&policy, named).unwrap();
        let sources = tidegate_compiler::compile(&policy).sources;
        assert!(is_as_read(&sources));
        std::fs::write(&policy, format!("{named}#")).unwrap();
        assert!(!is_as_read(&sources), "another text");
        std::fs::write(&policy, named).unwrap();
        std::fs::write(&missing, "").unwrap();
        assert!(!is_as_read(&sources), "a file that was missing");
        std::fs::remove_file(&missing).unwrap();
        std::fs::remove_file(&policy).unwrap();
        assert!(!is_as_read(&sources), "a file that is missing");
    }
}
