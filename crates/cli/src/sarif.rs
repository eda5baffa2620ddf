//! Findings as one SARIF 2.1.0 document (OASIS Standard, "Static Analysis Results Interchange Format"), for code scanning.
//!
//! Every finding is a *result*; its further places are related locations, and its ways out stand in its message, for viewers
//! show nothing else beside the place. Every code that occurs is a *rule* with its page as help. Columns count characters, and the
//! document says so (`unicodeCodePoints`).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde_json::{Value, json};
use tidegate_compiler::diagnostic::{Code, Diagnostic, Level, Severity};
use tidegate_compiler::source::{SourceMap, Span};

use crate::markdown;

/// What stands in a path as it is: the unreserved characters of RFC 3986 §2.3.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A document in the making.
#[derive(Debug, Default)]
pub(crate) struct Document {
    rules: BTreeSet<Code>,
    results: Vec<Value>,
}

impl Document {
    /// Adds the findings of one file that was checked.
    pub(crate) fn add(&mut self, sources: &SourceMap, diagnostics: &[Diagnostic]) {
        self.rules.extend(diagnostics.iter().map(|diagnostic| diagnostic.code));
        self.results.extend(diagnostics.iter().map(|diagnostic| result(sources, diagnostic)));
    }

    /// The whole document.
    pub(crate) fn finish(self) -> Value {
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {
                    "driver": {
                        "name": "tidegate",
                        "semanticVersion": env!("CARGO_PKG_VERSION"),
                        "rules": self.rules.iter().map(|&code| rule(code)).collect::<Vec<_>>(),
                    },
                },
                "columnKind": "unicodeCodePoints",
                "results": self.results,
            }],
        })
    }
}

fn rule(code: Code) -> Value {
    let (enabled, level) = match code.default_level() {
        Some(Level::Allow) => (false, "warning"),
        Some(Level::Warn) => (true, "warning"),
        Some(Level::Deny) | None => (true, "error"),
    };
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.summary() },
        "help": { "text": markdown::plain(code.page()), "markdown": code.page() },
        "defaultConfiguration": { "enabled": enabled, "level": level },
    })
}

fn result(sources: &SourceMap, diagnostic: &Diagnostic) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    let lines: Vec<String> = [diagnostic.message.clone()].into_iter().chain(help).collect();
    let mut result = json!({
        "ruleId": diagnostic.code.as_str(),
        "level": level,
        "message": {
            "text": lines.join("\n"),
            // Backticks are Markdown already.
            "markdown": lines.join("\n\n"),
        },
        "locations": [{ "physicalLocation": physical(sources, diagnostic.span) }],
    });
    if !diagnostic.labels.is_empty() {
        let related = diagnostic.labels.iter().enumerate().map(|(index, label)| {
            json!({
                "id": index,
                "physicalLocation": physical(sources, label.span),
                "message": { "text": label.message },
            })
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn physical(sources: &SourceMap, span: Span) -> Value {
    let file = sources.file(span.file);
    let mut physical = json!({ "artifactLocation": { "uri": uri(&file.path) } });
    // A file that could not be read has no places.
    if !file.text.is_empty() {
        let (start, end) = (sources.line_column(span.file, span.start), sources.line_column(span.file, span.end));
        physical["region"] = json!({
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        });
    }
    physical
}

/// A path as a URI: relative ones stay relative, for consumers find them from the root of the repository.
fn uri(path: &Path) -> String {
    let encoded = |name: &OsStr| percent_encode(name.as_encoded_bytes(), PATH).to_string();
    let steps = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(encoded(name)),
        Component::ParentDir => Some("..".to_owned()),
        Component::Prefix(prefix) => Some(encoded(prefix.as_os_str())),
        Component::CurDir | Component::RootDir => None,
    });
    let steps = steps.collect::<Vec<_>>().join("/");
    if path.has_root() { format!("file:///{steps}") } else { steps }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris_whatever_is_in_them() {
        assert_eq!(uri(Path::new("./policies/größe 1%.toml")), "policies/gr%C3%B6%C3%9Fe%201%25.toml");
        assert_eq!(uri(Path::new("../a:b?#.toml")), "../a%3Ab%3F%23.toml");
        assert_eq!(uri(Path::new("/srv/a b.toml")), "file:///srv/a%20b.toml");
    }
}
