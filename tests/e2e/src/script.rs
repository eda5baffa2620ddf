//! A Worker of a few lines on a platform of its own: says what the runtime itself makes of something.

use anyhow::Result;
use axum::body::Body;
use hyper::Request;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tidegate_platform::runtime::WORKERS_DOMAIN;

use crate::api::Part;
use crate::client;
use crate::local::LocalPlatform;
use crate::outbound::Compatibility;
use crate::upstream::Upstream;

/// A running Worker. It is stopped when this is dropped.
pub struct Script {
    platform: LocalPlatform,
    _upstream: Upstream,
}

impl Script {
    /// Starts a Worker of one module, with the compatibility date of the outbound Worker.
    pub async fn start(module: &str) -> Result<Self> {
        let upstream = Upstream::start().await?;
        let platform = LocalPlatform::start(upstream.address()).await?;
        let Compatibility { date, flags } = Compatibility::of_wrangler()?;
        let metadata = json!({ "main_module": "script.js", "compatibility_date": date, "compatibility_flags": flags });
        let parts = [Part::module("script.js", module)];
        platform.api().upload("workers/scripts/script", &metadata, &parts).await?.result()?;
        platform.give_host("script").await?;
        Ok(Self { platform, _upstream: upstream })
    }

    /// Sends it something, and gives what it answers.
    pub async fn ask<T: DeserializeOwned>(&self, question: &impl Serialize) -> Result<T> {
        let body = Body::from(serde_json::to_vec(question)?);
        let request = Request::post("/").header("host", format!("script.{WORKERS_DOMAIN}")).body(body)?;
        client::send_for_json(self.platform.address(), request).await
    }
}
