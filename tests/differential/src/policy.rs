//! Policies that are given as text.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tidegate_compiler::Compilation;
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
        let compilation = Folder::new()?.compile(text, files)?;
        let findings = compilation.diagnostics;
        let output = compilation.output.with_context(|| format!("the policy does not compile: {findings:#?}"))?;
        Ok(Self { policy: output.policy, table: output.table })
    }

    /// What a compilation came to, if that is a policy.
    pub fn of(compilation: Compilation) -> Option<Self> {
        compilation.output.map(|output| Self { policy: output.policy, table: output.table })
    }
}

/// A temporary folder in which one policy after the other is compiled.
pub struct Folder {
    folder: TempDir,
    /// What lies beside the last policy.
    beside: RefCell<BTreeSet<String>>,
}

impl Folder {
    /// Makes one; it goes when this is dropped.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        Ok(Self { folder, beside: RefCell::default() })
    }

    /// Compiles a policy given as text. `files` lie beside it, and nothing else does.
    pub fn compile(&self, text: &str, files: &BTreeMap<String, String>) -> Result<Compilation> {
        let names = files.keys().cloned().collect();
        for left in self.beside.replace(names).difference(&self.beside.borrow()) {
            fs::remove_file(self.folder.path().join(left)).context("cannot clear the folder")?;
        }
        for (name, text) in files {
            let file = self.folder.path().join(name);
            let parent = file.parent().context("a file of no folder")?;
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&file, text))
                .context("cannot write beside the policy")?;
        }
        let policy = self.folder.path().join("policy.toml");
        fs::write(&policy, text).context("cannot write the policy")?;
        Ok(tidegate_compiler::compile(&policy))
    }
}
