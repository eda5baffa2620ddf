//! Static assets: files of a Worker that are served without running it.
//!
//! A version of a Worker has a set of files, found by path, and a [`Config`] that says how paths are answered. The bytes
//! of a file are kept once for a namespace, however many Workers have it.
//!
//! A [`Site`] is a configuration, compiled: it says what a request is answered, and reads no file. What it does is what
//! Cloudflare's router and asset Workers do, which are public; where it does otherwise, `docs/differences.md` says so.

mod conditional;
mod headers;
mod html;
mod path;
mod pattern;
mod redirects;
mod routing;
mod rules;
mod site;

pub use self::rules::{Fault, InvalidRules, Rules};
pub use self::site::{Answer, Asked, Body, LONGEST_PATH, Request, Response, Site};

use serde::{Deserialize, Serialize};

/// How the paths of requests are answered: `assets.config` of the metadata, with the defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Which of `/page`, `/page/` and `/page.html` a page is at.
    pub html_handling: HtmlHandling,
    /// What answers a path that no file is at.
    pub not_found_handling: NotFoundHandling,
    /// Which requests go to the Worker's code before the assets.
    pub run_worker_first: RunWorkerFirst,
    /// The text of `_headers`.
    #[serde(rename = "_headers", skip_serializing_if = "Option::is_none")]
    pub headers: Option<String>,
    /// The text of `_redirects`.
    #[serde(rename = "_redirects", skip_serializing_if = "Option::is_none")]
    pub redirects: Option<String>,
}

impl Config {
    /// Refuses rules that cannot be, each with its line.
    pub fn check(&self) -> Result<(), InvalidRules> {
        Site::compile(self, "", &[]).map(drop)
    }
}

/// `html_handling`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HtmlHandling {
    /// `/page.html` is at `/page`, `/page/index.html` at `/page/`.
    #[default]
    AutoTrailingSlash,
    /// Both are at `/page/`.
    ForceTrailingSlash,
    /// Both are at `/page`.
    DropTrailingSlash,
    /// Each file is at its own path alone.
    None,
}

/// `not_found_handling`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotFoundHandling {
    /// The Worker's code, or 404 without a body.
    #[default]
    None,
    /// The nearest `404.html`, with status 404.
    #[serde(rename = "404-page")]
    NotFoundPage,
    /// `/index.html`, with status 200.
    SinglePageApplication,
}

/// `run_worker_first`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RunWorkerFirst {
    /// All requests, or none.
    All(bool),
    /// Those whose path a rule meets and none that begins with `!` does.
    Some(Vec<String>),
}

impl Default for RunWorkerFirst {
    fn default() -> Self {
        Self::All(false)
    }
}

/// A file of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Begins with `/`; percent-decoded.
    pub path: String,
    /// As the client named it: 32 hexadecimal digits, opaque. The file's `etag`.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// What it is served as; none for a file that was uploaded as `application/null`.
    pub content_type: Option<String>,
}
