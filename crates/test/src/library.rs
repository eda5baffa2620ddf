//! The policies that a test process asks, each compiled once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tidegate_compiler::Output;
use tidegate_compiler::source::SourceMap;

use crate::claims::ClaimCase;
use crate::engine::Engine;
use crate::explanation::Explainer;
use crate::plain::plain;
use crate::render::plain_diagnostics;

/// A policy, ready to answer.
pub(crate) struct Loaded {
    engine: Mutex<Engine<'static>>,
    explainer: Mutex<Explainer<'static>>,
    output: &'static Output,
}

impl Loaded {
    /// Decides on a claim, which is written in `sources`. What speaks against it is said in words for people.
    pub(crate) fn prove(&self, claim: &ClaimCase, sources: &SourceMap) -> Result<(), String> {
        let mut findings = Vec::new();
        let Some(resolved) = claim.resolve(self.output, &mut findings) else {
            return Err(plain_diagnostics(sources, &findings));
        };
        let report = resolved.prove(self.output, &mut self.explainer()).map_err(|error| error.to_string())?;
        if report.passed() {
            return Ok(());
        }
        let mut lines: Vec<_> = report.mismatches.iter().map(|mismatch| plain(&mismatch.to_string())).collect();
        lines.extend(report.explanation.into_iter().flat_map(|explanation| [String::new(), explanation]));
        Err(lines.join("\n"))
    }

    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine<'static>> {
        locked(&self.engine)
    }

    pub(crate) fn explainer(&self) -> MutexGuard<'_, Explainer<'static>> {
        locked(&self.explainer)
    }
}

/// A test that panicked with the policy in hand has not changed it: decisions leave nothing behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Outcome = Result<Loaded, String>;

/// The policy in a file; or what is wrong with it, in words for people.
///
/// It stays until the process ends: tests ask for it as long as there are any.
pub(crate) fn load(path: &Path) -> Result<&'static Loaded, &'static str> {
    static POLICIES: Mutex<BTreeMap<PathBuf, &'static OnceLock<Outcome>>> = Mutex::new(BTreeMap::new());
    let place = *locked(&POLICIES).entry(path.to_owned()).or_insert_with(|| Box::leak(Box::default()));
    place.get_or_init(|| compile(path)).as_ref().map_err(String::as_str)
}

fn compile(path: &Path) -> Outcome {
    let compilation = Box::leak(Box::new(tidegate_compiler::compile(path)));
    let Some(output) = &compilation.output else {
        let findings = plain_diagnostics(&compilation.sources, &compilation.diagnostics);
        return Err(format!("the policy `{}` has errors\n\n{findings}", path.display()));
    };
    let unloadable = |error| format!("the table of `{}` does not load: {error}", path.display());
    Ok(Loaded {
        engine: Mutex::new(Engine::table(output).map_err(unloadable)?),
        explainer: Mutex::new(Explainer::new(output, &compilation.sources).map_err(unloadable)?),
        output,
    })
}
