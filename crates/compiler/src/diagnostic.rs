//! Findings about a policy, as data. How they look is the command line's business.

use crate::source::Span;
use crate::tree::did_you_mean;

/// One finding: what is wrong, where, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable kebab-case code, such as `unknown-key`.
    pub code: Code,
    /// Whether it stops the policy from compiling.
    pub severity: Severity,
    /// Lower case, no full stop, input in backticks.
    pub message: String,
    /// The place.
    pub span: Span,
    /// Other places that matter, each with a word on why.
    pub labels: Vec<Label>,
    /// Ways out, one sentence each.
    pub help: Vec<String>,
}

/// A further place of a [`Diagnostic`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy does not compile.
    Error,
    /// It does, but somebody should look.
    Warning,
}

/// What becomes of a lint's findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// They are not shown, and not looked for.
    Allow,
    /// They are errors.
    Deny,
    /// They are warnings.
    Warn,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: plain(message), span, labels: Vec::new(), help: Vec::new() }
    }

    /// Makes a finding one that stops nothing.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(plain(help));
        self
    }

    /// Adds a further place.
    #[must_use]
    pub fn label(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: plain(message) });
        self
    }
}

/// Text that does no harm to a terminal or a log: findings quote what was written, and lists are written by others.
fn plain(text: impl Into<String>) -> String {
    const LONGEST: usize = 600;
    /// Characters that turn the direction of what follows (Unicode UAX #9).
    const BIDIRECTIONAL: [char; 9] =
        ['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];
    let text = text.into();
    let harmful = |c: char| c.is_control() || BIDIRECTIONAL.contains(&c);
    if text.len() <= LONGEST && !text.contains(harmful) {
        return text;
    }
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() >= LONGEST {
            shown.push('…');
            break;
        }
        if harmful(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

macro_rules! codes {
    ($(#[doc = $doc:literal] $name:ident = $text:literal $(lint $level:ident)?,)*) => {
        /// What a finding is about. The texts are API: scripts and editors hold them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $doc] $name,)* }

        impl Code {
            /// Every code, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means, in a sentence.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$name => $doc.trim(),)* }
            }

            /// Its page, in Markdown: what it means, why it matters, what to avoid and what to prefer.
            pub const fn page(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("../../../docs/diagnostics/", $text, ".md")),)* }
            }

            /// How a lint is treated unless somebody says otherwise; `None` for what is always an error.
            pub const fn default_level(self) -> Option<Level> {
                match self { $($(Self::$name => Some(Level::$level),)?)* _ => None }
            }
        }
    };
}

impl Code {
    /// Every lint, in alphabetical order.
    pub fn lints() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|code| code.is_lint())
    }

    /// Whether it has a level; all else is an error always.
    pub const fn is_lint(self) -> bool {
        self.default_level().is_some()
    }

    /// The code of this text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// The code that somebody may have meant who wrote this.
    pub fn similar(written: &str) -> Option<Self> {
        did_you_mean(written, Self::ALL.iter().map(|code| code.as_str())).and_then(Self::parse)
    }
}

codes! {
    /// An allow rule of which deny rules leave nothing.
    AllowDenied = "allow-denied" lint Warn,
    /// Two rules that can match one request give one header in two ways.
    Conflict = "conflict",
    /// A credential could reach a host that is not the operator's to name.
    CredentialHost = "credential-host",
    /// An id or name is declared twice.
    DuplicateId = "duplicate-id",
    /// An array that must hold something holds nothing.
    EmptyArray = "empty-array",
    /// A list file holds no name.
    EmptyList = "empty-list" lint Warn,
    /// An allow rule whose day has come.
    Expired = "expired" lint Warn,
    /// An allow rule whose day comes within two weeks.
    ExpiresSoon = "expires-soon" lint Warn,
    /// `extends` comes back to a file that it started from.
    ExtendsCycle = "extends-cycle",
    /// A file is larger than Tidegate reads.
    FileTooLarge = "file-too-large",
    /// A file cannot be read: missing, a directory, no permission.
    FileUnreadable = "file-unreadable",
    /// A header that this place may not name.
    HeaderNotAllowed = "header-not-allowed",
    /// A host, path or other pattern that the grammar does not know.
    InvalidPattern = "invalid-pattern",
    /// A value of the right type that the key does not take.
    InvalidValue = "invalid-value",
    /// A template would send a signing key to an upstream.
    KeySecret = "key-secret",
    /// An entry of a list that blocks a host which an allow rule names.
    ListBlocksHost = "list-blocks-host" lint Warn,
    /// A line of a list that is neither an entry, a comment nor known boilerplate.
    ListLine = "list-line",
    /// A key that needs another, or excludes another, in its table.
    MisplacedKey = "misplaced-key",
    /// A required key is absent.
    MissingKey = "missing-key",
    /// A host name that mixes scripts, as look-alikes do.
    MixedScript = "mixed-script" lint Warn,
    /// A deny rule whose `*` leaves what is deeper open.
    NarrowWildcard = "narrow-wildcard" lint Warn,
    /// A rule that no request can match.
    NeverMatches = "never-matches" lint Warn,
    /// A file is not UTF-8.
    NotUtf8 = "not-utf8",
    /// Two rules that set one header for one request, to the same value.
    OverlappingSet = "overlapping-set" lint Allow,
    /// A pattern's automaton is over the size limit.
    PatternTooLarge = "pattern-too-large",
    /// A rule without which every request would be decided and sent the same.
    ShadowedRule = "shadowed-rule" lint Warn,
    /// An HS256 key serves more than one audience.
    SharedKey = "shared-key",
    /// The file is not TOML.
    Syntax = "syntax",
    /// An allow rule that trusts a header which the tenant writes.
    TenantHeader = "tenant-header" lint Warn,
    /// A question about the policy that could not be answered within its budget.
    Undecided = "undecided" lint Warn,
    /// A key that its table does not have.
    UnknownKey = "unknown-key",
    /// A name that nothing declares: a list, a key, a template.
    UnknownName = "unknown-name",
    /// A pattern that no request can meet.
    UnmatchablePattern = "unmatchable-pattern",
    /// Facts about a customer that no rule asks for.
    UnusedCustomer = "unused-customer" lint Warn,
    /// A signing key that no rule signs with.
    UnusedKey = "unused-key" lint Warn,
    /// A list that no rule names.
    UnusedList = "unused-list" lint Warn,
    /// A deny rule whose `except` takes out all that it denies.
    VoidDeny = "void-deny" lint Warn,
    /// A value of another type than the key takes.
    WrongType = "wrong-type",
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn codes_are_kebab_case_and_alphabetical() {
        let texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(texts.is_sorted());
        assert!(
            texts.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b'8'))
        );
    }

    #[test]
    fn what_a_finding_quotes_cannot_steer_a_terminal() {
        let span = Span { file: FileId(0), start: 0, end: 0 };
        let finding = Diagnostic::error(Code::ListLine, span, "`\u{1b}[31m\u{202e}`").help("x".repeat(10_000));
        assert_eq!(finding.message, "`\\u{1b}[31m\\u{202e}`");
        assert!(finding.help[0].len() < 1_000);
    }
}
