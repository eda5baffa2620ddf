//! Every line of a list is an entry, a comment, boilerplate or of a kind that is skipped; or there is a finding on it.
//!
//! Lines that have a finding are taken out; what is left must compile, to exactly the names that a second, slower reading of
//! those lines finds.

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use regex::Regex;
use tidegate_compiler::compile;
use tidegate_compiler::diagnostic::{Code, Severity};
use tidegate_engine::canonical;

/// The first byte chooses format and `skip`; the rest is the list.
///
/// # Panics
/// Where the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some((&choice, text)) = bytes.split_first() else { return };
    let format = match choice >> 2 & 3 {
        0 if choice & 1 == 0 => Format::Domains,
        0 => Format::Hosts,
        1 => Format::Adblock,
        2 => Format::Dnsmasq,
        _ => Format::Rpz,
    };
    let kind = Kind { format, skips: choice & 2 == 2 };
    let text = String::from_utf8_lossy(text);

    let (found, _) = read(kind, &text);
    let without: Vec<&str> =
        (1..).zip(text.split('\n')).filter(|(number, _)| !found.contains(number)).map(|(_, line)| line).collect();
    let (found, read) = read(kind, &without.join("\n"));
    assert_eq!(found, BTreeSet::new(), "a line is no better or worse for its neighbours");
    assert_eq!(Some(kind.slow_reading(&without)), read, "what was read is what is there");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Adblock,
    Dnsmasq,
    Domains,
    Hosts,
    Rpz,
}

#[derive(Clone, Copy)]
struct Kind {
    format: Format,
    /// Every kind of line that can be passed over is.
    skips: bool,
}

/// What a list holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    /// Names that stand for themselves, and names that stand for what is beneath them.
    themselves: BTreeSet<String>,
    beneath: BTreeSet<String>,
    /// How many lines were passed over.
    skipped: usize,
}

/// Numbers of the lines that have a finding; what was read, if there is none.
fn read(kind: Kind, list: &str) -> (BTreeSet<usize>, Option<Read>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (format, kinds) = match kind.format {
        Format::Adblock => {
            ("adblock", r#""cosmetic", "directive", "exception", "invalid", "option", "path", "regex", "wildcard""#)
        }
        Format::Dnsmasq => ("dnsmasq", r#""directive", "exception", "invalid", "wildcard""#),
        Format::Domains => ("domains", r#""cosmetic", "invalid""#),
        Format::Hosts => ("hosts", r#""cosmetic", "invalid""#),
        Format::Rpz => ("rpz", r#""exception", "invalid", "rewrite", "tcp-only", "trigger""#),
    };
    let skip = if kind.skips { format!("skip = [{kinds}]") } else { String::new() };
    let policy = format!("policy = 1\n[lists.l]\nfile = \"l.txt\"\nformat = \"{format}\"\n{skip}\n");
    let path = folder.path().join("policy.toml");
    fs::write(&path, policy)
        .and_then(|()| fs::write(folder.path().join("l.txt"), list))
        .expect("a policy and its list");

    let compilation = compile(&path);
    let mut found = BTreeSet::new();
    for finding in compilation.diagnostics.iter().filter(|finding| finding.severity == Severity::Error) {
        let source = compilation.sources.file(finding.span.file);
        assert_eq!((finding.code, source.text.as_str()), (Code::ListLine, list), "{finding:?}");
        assert!(!list[finding.span.start..finding.span.end].contains('\n'), "a finding is on one line: {finding:?}");
        found.insert(compilation.sources.line_column(finding.span.file, finding.span.start).line);
    }
    let read = compilation.output.map(|output| {
        let list = &output.policy.lists[0];
        let mut read = Read { skipped: list.skipped.iter().map(|(_, lines)| lines).sum(), ..Read::default() };
        for names in [&list.names, &list.alone, &list.beneath] {
            assert!(names.iter().is_sorted_by(|a, b| a < b), "sorted, without duplicates");
        }
        let mut seen = BTreeSet::new();
        for (name, itself, beneath) in list.entries() {
            assert!(seen.insert(name), "`{name}` is in two sets");
            assert!(list.place_of(name, &compilation.sources).is_some(), "`{name}` comes from nowhere");
            if itself {
                read.themselves.insert(name.to_owned());
            }
            if beneath {
                read.beneath.insert(name.to_owned());
            }
        }
        read
    });
    (found, read)
}

/// What a line is, for the slow reading.
enum Line<'l> {
    /// Names, whether they stand for themselves, and whether for what is beneath them.
    Names(Vec<&'l str>, bool, bool),
    Nothing,
    /// Must be of a kind that is passed over: there is no finding on it.
    Other,
}

impl Kind {
    fn slow_reading(self, lines: &[&str]) -> Read {
        let mut read = Read::default();
        let mut zone = String::new();
        for (index, line) in lines.iter().enumerate() {
            let line = if index == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
            assert!(!line.trim().contains('\r'), "{line:?}: some take this for two lines");
            let what = match self.format {
                Format::Adblock => adblock(line.trim()),
                Format::Dnsmasq => dnsmasq(line.trim()),
                Format::Domains => self.names(line.trim(), false),
                Format::Hosts => self.names(line.trim(), true),
                Format::Rpz => rpz(line, &mut zone),
            };
            let Line::Names(names, itself, beneath) = what else {
                if matches!(what, Line::Other) {
                    assert!(self.skips, "{line:?} is no entry");
                    read.skipped += 1;
                }
                continue;
            };
            let mut is_skipped = false;
            for name in names {
                let Ok(host) = canonical::host(name) else {
                    assert!(self.skips, "{name:?} was read");
                    is_skipped = true;
                    continue;
                };
                if itself {
                    read.themselves.insert(host.as_str().to_owned());
                }
                if beneath {
                    read.beneath.insert(host.as_str().to_owned());
                }
            }
            read.skipped += usize::from(is_skipped);
        }
        read
    }

    /// A line of `domains` or `hosts`.
    fn names(self, line: &str, is_hosts: bool) -> Line<'_> {
        if is_cosmetic(line) && (self.skips || !line.starts_with('#')) {
            return Line::Other;
        }
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        if is_hosts {
            words.next();
        }
        Line::Names(words.filter(|word| !(is_hosts && is_boilerplate(word))).collect(), true, true)
    }
}

fn regex(regex: &str) -> Regex {
    Regex::new(regex).expect("a regex of our own")
}

fn adblock(line: &str) -> Line<'_> {
    static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"^\|\|(\[[^\]]*\]|[\w.\-[^\x00-\x7f]]*[\w\-[^\x00-\x7f]])\^(\$(all|important)(,(all|important))*)?$")
    });
    static DIRECTIVE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^!(#(if|else|endif|include)([^a-zA-Z]|$)|\+.*PLATFORM)"));
    static HEADER: LazyLock<Regex> = LazyLock::new(|| {
        let product = r"\s*(?i-u:adblock plus|adblock|adguard|ublock origin|ublock)\s*[0-9.]*\s*";
        regex(&format!(r"^\[{product}(;{product})*\]$"))
    });
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| regex(r"^#+(\s.*)?$"));
    if let Some(entry) = ENTRY.captures(line).and_then(|found| found.get(1)) {
        return Line::Names(vec![entry.as_str()], true, true);
    }
    let says_nothing = line.is_empty()
        || line.starts_with('!') && !DIRECTIVE.is_match(line)
        || HEADER.is_match(line)
        || COMMENT.is_match(line);
    if says_nothing { Line::Nothing } else { Line::Other }
}

fn dnsmasq(line: &str) -> Line<'_> {
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| regex(r"(^|\s)#"));
    static ENTRY: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^(?:address\s*=\s*/([^*]+)/[0-9a-fA-F.:#]*|(?:local|server)\s*=\s*/([^*]+)/)$"));
    let line = COMMENT.find(line).map_or(line, |comment| &line[..comment.start()]).trim_end();
    if line.is_empty() {
        return Line::Nothing;
    }
    let Some(found) = ENTRY.captures(line) else { return Line::Other };
    let names = found.get(1).or_else(|| found.get(2)).map_or("", |names| names.as_str());
    Line::Names(names.split('/').map(|name| name.strip_prefix('.').unwrap_or(name)).collect(), true, true)
}

/// A line of a zone file; `zone` is the zone's name once it is known.
fn rpz<'l>(line: &'l str, zone: &mut String) -> Line<'l> {
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| regex(r#"^((?:[^";]|"[^"]*")*);"#));
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"^[()]*([0-9][0-9smhdwSMHDW]*[()]*)?$"));
    static RECORD: LazyLock<Regex> = LazyLock::new(|| {
        let clutter = r"(?:\s+(?i-u:in|[0-9][0-9smhdw]*))*";
        regex(&format!(r"^(\S*){clutter}\s+(?i-u:(cname|a|aaaa|soa|ns))(?:\s+(\S+).*)?$"))
    });
    let line = COMMENT.captures(line).and_then(|found| found.get(1)).map_or(line, |record| record.as_str());
    let mut words = line.split_whitespace();
    match words.next() {
        None => return Line::Nothing,
        Some(word) if word.starts_with('$') => {
            if word.eq_ignore_ascii_case("$ORIGIN") {
                words.next().unwrap_or_default().clone_into(zone);
            }
            return Line::Nothing;
        }
        Some(_) => {}
    }
    if line.split_whitespace().all(|word| NUMBER.is_match(word)) {
        return Line::Nothing;
    }
    let Some(record) = RECORD.captures(line.trim_end()) else { return Line::Other };
    let part = |number| record.get(number).map_or("", |part| part.as_str());
    let (owner, record_type, data) = (part(1), part(2).to_ascii_lowercase(), part(3).to_ascii_lowercase());
    if record_type == "soa" {
        if owner.ends_with('.') {
            owner.clone_into(zone);
        }
        return Line::Nothing;
    }
    if record_type == "ns" {
        return if owner.is_empty() || owner == "@" || owner.ends_with('.') { Line::Nothing } else { Line::Other };
    }
    let blocks = record_type != "cname" || [".", "*.", "rpz-drop."].contains(&data.as_str());
    let trigger = match owner.strip_suffix('.') {
        Some(absolute) if zone == "." => absolute,
        Some(absolute) => &absolute[..absolute.len() - zone.len()],
        None => owner,
    };
    let last = trigger.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    if !blocks || ["rpz-ip", "rpz-client-ip", "rpz-nsip", "rpz-nsdname"].contains(&last.as_str()) {
        return Line::Other;
    }
    match trigger.strip_prefix("*.") {
        Some(name) => Line::Names(vec![name], false, true),
        None => Line::Names(vec![trigger], true, false),
    }
}

/// `example.com##.banner` and its kin.
fn is_cosmetic(line: &str) -> bool {
    let Some(number_sign) = line.find('#') else { return false };
    let (before, rest) = line.split_at(number_sign);
    let selector = ["##", "#@#", "#?#", "#$#", "#%#"].iter().find_map(|mark| rest.strip_prefix(mark));
    !before.contains(char::is_whitespace)
        && selector.and_then(|selector| selector.chars().next()).is_some_and(|c| c != '#' && !c.is_whitespace())
}

fn is_boilerplate(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["localhost", "localhost.localdomain", "local", "broadcasthost", "0.0.0.0"].contains(&name.as_str())
        || (name.starts_with("ip6-") && !name.contains('.'))
}
