//! The policies that a test process asks, each compiled once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::engine::Engine;
use crate::explanation::Explainer;
use crate::render::plain_diagnostics;

/// A policy, ready to answer.
pub(crate) struct Loaded {
    engine: Mutex<Engine<'static>>,
    explainer: Mutex<Explainer<'static>>,
}

impl Loaded {
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
    })
}
