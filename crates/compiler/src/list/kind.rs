//! Kinds of line that are neither entries nor comments, and that `skip` can name.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ListFormat;

/// A kind of line that says something, but not of whole names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Hides or changes parts of pages: `x.example##.banner`.
    Cosmetic,
    /// Changes what other lines mean, or sets something else: `!#include more.txt`, `cache-size=1000`.
    Directive,
    /// Takes names out again: `@@||x.example^`, `server=/x.example/#`, `x.example CNAME rpz-passthru.`.
    Exception,
    /// Has a name that no host can have, so that no request can ask for it: `||xn--api-hn0a.example^`.
    Invalid,
    /// Holds for some of a host's requests only, or does something else than block: `||x.example^$third-party`.
    Option,
    /// Is about a part of a host's addresses: `||x.example/ads/`, `/banner.gif`.
    Path,
    /// Is a regex: `/^ads[0-9]/`.
    Regex,
    /// Answers with other data: `x.example CNAME walled.example.`.
    Rewrite,
    /// Lets clients ask again by TCP: `x.example CNAME rpz-tcp-only.`.
    TcpOnly,
    /// Is triggered by something else than the name asked for: `32.1.2.0.192.rpz-ip CNAME .`.
    Trigger,
    /// Is no whole name: `||ads-*.example^`, `||ads.`, `address=/*ads.example/`.
    Wildcard,
}

impl Kind {
    /// The kinds that files of a format may hold.
    pub(crate) const fn of(format: ListFormat) -> &'static [Self] {
        match format {
            ListFormat::Adblock => &[
                Self::Cosmetic,
                Self::Directive,
                Self::Exception,
                Self::Invalid,
                Self::Option,
                Self::Path,
                Self::Regex,
                Self::Wildcard,
            ],
            ListFormat::Dnsmasq => &[Self::Directive, Self::Exception, Self::Invalid, Self::Wildcard],
            ListFormat::Domains | ListFormat::Hosts => &[Self::Cosmetic, Self::Invalid],
            ListFormat::Rpz => &[Self::Exception, Self::Invalid, Self::Rewrite, Self::TcpOnly, Self::Trigger],
        }
    }

    /// What `skip` calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cosmetic => "cosmetic",
            Self::Directive => "directive",
            Self::Exception => "exception",
            Self::Invalid => "invalid",
            Self::Option => "option",
            Self::Path => "path",
            Self::Regex => "regex",
            Self::Rewrite => "rewrite",
            Self::TcpOnly => "tcp-only",
            Self::Trigger => "trigger",
            Self::Wildcard => "wildcard",
        }
    }

    /// A line of this kind that the policy does not say to pass over.
    pub(super) fn finding(self, span: Span, line: &str) -> Diagnostic {
        let why = match self {
            Self::Cosmetic => "is a cosmetic rule, which says nothing of domains",
            Self::Directive => "is a directive, which may change what other lines mean",
            Self::Exception => "takes names out again, which a list cannot do",
            Self::Invalid => "has a name that no host can have",
            Self::Option => "holds for some requests only, or does something else than block",
            Self::Path => "is about a part of a host's addresses, not about the host",
            Self::Regex => "is a regex, not a name",
            Self::Rewrite => "answers with other data, which blocks nothing",
            Self::TcpOnly => "asks for TCP, which blocks nothing",
            Self::Trigger => "is triggered by something else than the name that is asked for",
            Self::Wildcard => "is a wildcard or a piece of a name, not a whole one",
        };
        let finding = Diagnostic::error(Code::ListLine, span, format!("`{line}` {why}"));
        let finding = match self {
            Self::Exception => finding.help("say it in the rule that uses the list: `except = [{ domains = […] }]`"),
            Self::Regex => finding.help("say it in the rule that uses the list: `host-regex = […]`"),
            Self::Wildcard => finding.help("say it in the rule that uses the list: `hosts = […]`"),
            _ => finding,
        };
        finding.help(format!("pass such lines over with `skip = [\"{}\"]`", self.name()))
    }
}
