//! Every line of a list is an entry, a comment, boilerplate or of a kind that is skipped; or there is a finding on it.
//!
//! Lines that have a finding are taken out; what is left must compile, to exactly the names that a second, slower reading of
//! those lines finds.

use std::collections::BTreeSet;
use std::fs;

use tidegate_compiler::compile;
use tidegate_compiler::diagnostic::{Code, Severity};
use tidegate_engine::canonical;

/// The first byte chooses format and `skip`; the rest is the list.
///
/// # Panics
/// Where the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some((&choice, text)) = bytes.split_first() else { return };
    let kind = Kind { is_hosts: choice & 1 == 1, skips_cosmetic: choice & 2 == 2 };
    let text = String::from_utf8_lossy(text);

    let (found, _) = read(kind, &text);
    let without: Vec<&str> =
        (1..).zip(text.split('\n')).filter(|(number, _)| !found.contains(number)).map(|(_, line)| line).collect();
    let (found, read) = read(kind, &without.join("\n"));
    assert_eq!(found, BTreeSet::new(), "a line is no better or worse for its neighbours");
    assert_eq!(Some(kind.slow_reading(&without)), read, "what was read is what is there");
}

#[derive(Clone, Copy)]
struct Kind {
    is_hosts: bool,
    skips_cosmetic: bool,
}

/// Names, and how many lines were skipped.
type Read = (BTreeSet<String>, usize);

/// Numbers of the lines that have a finding; what was read, if there is none.
fn read(kind: Kind, list: &str) -> (BTreeSet<usize>, Option<Read>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let format = if kind.is_hosts { "hosts" } else { "domains" };
    let skip = if kind.skips_cosmetic { "skip = [\"cosmetic\"]" } else { "" };
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
        assert!(list.names.is_sorted_by(|a, b| a < b), "sorted, without duplicates");
        (list.names.iter().cloned().collect(), list.skipped.iter().map(|(_, count)| count).sum())
    });
    (found, read)
}

impl Kind {
    fn slow_reading(self, lines: &[&str]) -> Read {
        let (mut names, mut skipped) = (BTreeSet::new(), 0);
        for (index, line) in lines.iter().enumerate() {
            let line = if index == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line }.trim();
            assert!(!line.contains('\r'), "{line:?}: some take this for two lines");
            if is_cosmetic(line) && (self.skips_cosmetic || !line.starts_with('#')) {
                assert!(self.skips_cosmetic, "{line:?} is no entry");
                skipped += 1;
                continue;
            }
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            if self.is_hosts {
                words.next();
            }
            for word in words.filter(|word| !(self.is_hosts && is_boilerplate(word))) {
                let host = canonical::host(word).unwrap_or_else(|fault| panic!("{word:?} was read: {fault}"));
                names.insert(host.as_str().to_owned());
            }
        }
        (names, skipped)
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
        || name.starts_with("ip6-")
}
