//! Ways around the outbound Worker, and into it, found in what is deployed.
//!
//! A policy judges what the platform shows to the outbound Worker. What the platform does *not* show (a Durable Object's fetch, a
//! browser, a queue), and what makes the outbound Worker believe the wrong customer, is written in configurations: wrangler's, and
//! the metadata of uploads. This module reads those and names what it finds.
//!
//! ```text
//!   wrangler.toml, .json(c) ──┐            ┌─ checks/durable_object.rs
//!   upload metadata ──────────┼─► Deployment ─ checks/missing_parameter.rs ─► Finding ─► report
//!   policy: what it reads ────┘            └─ …
//! ```
//!
//! One file a check, named for its code. A check is given the whole deployment: whether an outbound Worker's variable does harm
//! depends on what the dispatch Worker passes.
//!
//! # What it cannot see
//! What is in no file: secrets and bindings that were set through the API or the dashboard, and code that was deployed otherwise.

pub(crate) mod bindings;
mod checks;
pub(crate) mod config;
pub(crate) mod deployment;
pub(crate) mod report;

use tidegate_compiler::source::{SourceMap, Span};

pub(crate) use deployment::{Deployment, Policy};

/// Something that somebody should change, or know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Which check found it.
    pub(crate) code: Code,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// Where.
    pub(crate) span: Span,
    /// What: lower case, no full stop, input in backticks.
    pub(crate) message: String,
    /// What may come of it.
    pub(crate) why: String,
    /// The way out.
    pub(crate) help: String,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Requests leave unjudged, or in somebody else's name; or none leave at all.
    Error,
    /// Depends on what is not in the files.
    Warning,
}

impl Severity {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a finding is about. The texts are API: scripts hold them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in alphabetical order.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The outbound Worker lets raw TCP through.
    ConnectPassThrough = "connect-pass-through",
    /// A dispatch namespace is bound without an outbound Worker.
    DispatchWithoutOutbound = "dispatch-without-outbound",
    /// A user Worker has a Durable Object.
    DurableObject = "durable-object",
    /// The dispatch Worker takes an identity from what the visitor sends.
    IdentityFromRequest = "identity-from-request",
    /// A key of a configuration is not of the form that its readers know.
    Malformed = "malformed",
    /// The dispatch Worker does not pass what the policy reads.
    MissingParameter = "missing-parameter",
    /// A user Worker has a client certificate.
    MtlsCertificate = "mtls-certificate",
    /// The outbound Worker runs under an old compatibility date, or with flags that undo newer ones.
    OutboundCompatibility = "outbound-compatibility",
    /// The dispatch binding calls another entrypoint than the gate's.
    OutboundEntrypoint = "outbound-entrypoint",
    /// The outbound Worker reaches its own zone's origin past Cloudflare.
    PrivateOrigin = "private-origin",
    /// The outbound Worker has an address of its own.
    PublicOutbound = "public-outbound",
    /// A user Worker has a binding that leaves by another way.
    ReachingBinding = "reaching-binding",
    /// A variable or secret stands where a parameter is read, or a parameter where a secret is.
    ShadowedParameter = "shadowed-parameter",
    /// User Workers of a namespace are trusted.
    TrustedNamespace = "trusted-namespace",
    /// A user Worker has a binding of a kind that nobody has looked at.
    UnknownBinding = "unknown-binding",
    /// A key that wrangler does not have.
    UnknownKey = "unknown-key",
    /// The outbound Worker is none of those that were given.
    UnknownOutbound = "unknown-outbound",
    /// A file cannot be read as what it should be.
    Unreadable = "unreadable",
}

/// Looks for everything there is to look for. In the order of files and places.
pub(crate) fn examine(deployment: &Deployment, sources: &SourceMap) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in checks::ALL {
        check(deployment, sources, &mut findings);
    }
    findings.sort_by(|one, other| (one.span, one.code, &one.help).cmp(&(other.span, other.code, &other.help)));
    // What an environment inherits is found again there, under another name of the Worker.
    findings.dedup_by(|later, first| (later.span, later.code, &later.help) == (first.span, first.code, &first.help));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_alphabetical() {
        let texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(texts.is_sorted());
        assert!(texts.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    }

    #[test]
    fn every_check_is_in_a_file_named_for_its_code() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor/checks");
        // These two are found where files are read.
        let elsewhere = ["malformed", "unreadable"];
        let checks = Code::ALL.iter().map(|code| code.as_str()).filter(|code| !elsewhere.contains(code));
        let mut wanted: Vec<String> = checks.map(|code| format!("{}.rs", code.replace('-', "_"))).collect();
        wanted.push("mod.rs".to_owned());
        let mut there: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        wanted.sort();
        there.sort();
        assert_eq!(there, wanted);
    }
}
