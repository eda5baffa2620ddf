//! A Worker of a few lines in a workerd of its own: says what the runtime itself makes of something.

use std::fs;

use anyhow::{Context, Result};
use axum::body::Body;
use hyper::Request;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::chain::compatibility;
use crate::client;
use crate::config::{Compatibility, quoted};
use crate::paths::repository;
use crate::workerd::Workerd;

const SOCKET: &str = "script";

/// A running script of `tests/e2e/workers`. It is stopped when this is dropped.
pub struct Script {
    workerd: Workerd,
    _folder: TempDir,
}

impl Script {
    /// Starts it, with the compatibility date of the outbound Worker.
    pub fn start(name: &str) -> Result<Self> {
        let folder = TempDir::with_prefix("tidegate-e2e-").context("cannot make a temporary folder")?;
        let source = repository().join("tests/e2e/workers").join(name);
        fs::copy(&source, folder.path().join(name)).with_context(|| format!("cannot copy {}", source.display()))?;
        let file = folder.path().join("config.capnp");
        fs::write(&file, config(name, &compatibility()?))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let workerd = Workerd::start(&file, &[SOCKET])?;
        Ok(Self { workerd, _folder: folder })
    }

    /// Sends it something, and gives what it answers.
    pub async fn ask<T: DeserializeOwned>(&self, question: &impl Serialize) -> Result<T> {
        let body = Body::from(serde_json::to_vec(question)?);
        let request = Request::post("/").header("host", "script.example").body(body)?;
        client::send_for_json(self.workerd.socket(SOCKET)?, request).await
    }
}

/// It is reached through one socket, and reaches nothing.
fn config(module: &str, compatibility: &Compatibility) -> String {
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "internet", network = (allow = [])),
    (name = "script", worker = .script),
  ],
  sockets = [(name = "{SOCKET}", address = "127.0.0.1:0", http = (), service = "script")],
);

const script :Workerd.Worker = (
  modules = [(name = {module}, esModule = embed {module})],
  compatibilityDate = {date},
  compatibilityFlags = [{flags}],
);
"#,
        module = quoted(module),
        date = quoted(&compatibility.date),
        flags = compatibility.flags.iter().map(|flag| quoted(flag)).collect::<Vec<_>>().join(", "),
    )
}
