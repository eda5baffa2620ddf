//! Policies that are given as text.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use tidegate_compiler::checked::CheckedPolicy;

/// A policy in both of its forms.
pub struct Compiled {
    /// For the reference interpreter, and for whoever wants to ask near-miss questions.
    pub policy: CheckedPolicy,
    /// For the engine.
    pub table: Vec<u8>,
}

impl Compiled {
    /// Compiles a policy given as text. `files` lie beside it, under their relative paths.
    pub fn new(text: &str, files: &BTreeMap<String, String>) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let policy = folder.path().join("policy.toml");
        fs::write(&policy, text).context("cannot write the policy")?;
        for (name, text) in files {
            let file = folder.path().join(name);
            let parent = file.parent().context("a file of no folder")?;
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&file, text))
                .context("cannot write beside the policy")?;
        }
        let compilation = tidegate_compiler::compile(&policy);
        let findings = compilation.diagnostics;
        let output = compilation.output.with_context(|| format!("the policy does not compile: {findings:#?}"))?;
        Ok(Self { policy: output.policy, table: output.table })
    }
}
