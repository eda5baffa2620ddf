//! The policies in `policies/`, compiled once for each process.

use std::path::Path;
use std::sync::LazyLock;

use tidegate_differential::Compiled;
use tidegate_engine::Policy;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");

/// A policy in all its forms.
pub(crate) struct Known {
    pub(crate) compiled: &'static Compiled,
    pub(crate) policy: Policy<'static>,
}

/// Those that ask for something.
pub(crate) fn known() -> &'static [Known] {
    static KNOWN: LazyLock<Vec<Known>> =
        LazyLock::new(|| ["enforcing.toml", "reporting.toml", "anonymous.toml"].map(compile).into());
    &KNOWN
}

/// The policy that lets everything out: what it answers is what the URL is.
pub(crate) fn open() -> &'static Known {
    static OPEN: LazyLock<Known> = LazyLock::new(|| compile("open.toml"));
    &OPEN
}

fn compile(name: &str) -> Known {
    let compilation = tidegate_compiler::compile(&Path::new(FOLDER).join(name));
    let findings = compilation.diagnostics.clone();
    let compiled = Compiled::of(compilation).unwrap_or_else(|| panic!("{name} does not compile: {findings:#?}"));
    let compiled: &Compiled = Box::leak(Box::new(compiled));
    let policy = Policy::from_bytes(&compiled.table).unwrap_or_else(|error| panic!("{name} does not load: {error}"));
    Known { compiled, policy }
}
