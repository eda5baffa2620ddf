//! `format = "adblock"`: filter lists of content blockers; what blocks a whole host is an entry.
//!
//! An entry is `||x.example^`: the name and everything beneath it. Options behind a `$` restrict a rule to some types
//! of request or to some pages, or make it do something else than block. Which of a Worker's requests would be a
//! "third-party" one, nobody can say, so that only those leave an entry which restrict nothing: `$all` and
//! `$important`.
//!
//! The syntax is that of Adblock Plus ("How to write filters"), with what `AdGuard` and `uBlock Origin` added.

use super::{Kind, Line, excerpt};

/// Options that leave a rule about all requests of a host.
const WHOLE: [&str; 2] = ["all", "important"];

pub(super) fn line(line: &str) -> Line<'_> {
    if line.is_empty() || is_header(line) {
        return Line::Nothing;
    }
    if let Some(comment) = line.strip_prefix('!') {
        return if is_directive(comment) { Line::Skippable(Kind::Directive) } else { Line::Nothing };
    }
    if line.starts_with('#') && line.trim_start_matches('#').chars().next().is_none_or(char::is_whitespace) {
        return Line::Nothing; // a comment, as in hosts files
    }
    if is_cosmetic(line) {
        return Line::Skippable(Kind::Cosmetic);
    }
    if line.starts_with('#') {
        return Line::Unreadable(format!("`{}` is no rule", excerpt(line)), "comments begin with `!`");
    }
    if line.starts_with("@@") || disables_another(line) {
        return Line::Skippable(Kind::Exception);
    }
    if is_regex(line) {
        return Line::Skippable(Kind::Regex);
    }
    let Some(anchored) = line.strip_prefix("||") else { return piece(line) };
    let end = name_end(anchored);
    let (name, rest) = anchored.split_at(end);
    match rest.strip_prefix('^') {
        Some("") if !name.is_empty() => Line::Names(vec![name]),
        Some(options) if !name.is_empty() && options.starts_with('$') => {
            if options[1..].split(',').all(|option| WHOLE.contains(&option)) {
                Line::Names(vec![name])
            } else {
                Line::Skippable(Kind::Option)
            }
        }
        _ => piece(anchored),
    }
}

/// `[Adblock Plus 2.0]`, which says in whose syntax a list is written.
fn is_header(line: &str) -> bool {
    const PRODUCTS: [&str; 5] = ["adblock plus", "adblock", "adguard", "ublock origin", "ublock"];
    let Some(products) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) else { return false };
    products.split(';').all(|product| {
        let product = product.trim().to_ascii_lowercase();
        PRODUCTS.iter().any(|name| {
            let version = product.strip_prefix(name).map(str::trim_start);
            version.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
        })
    })
}

/// What stands in a comment and yet means something: `!#include`, `!#if`, and `!+ PLATFORM(…)` for the rule that follows.
fn is_directive(comment: &str) -> bool {
    if let Some(directive) = comment.strip_prefix('#') {
        let word = directive.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        return ["if", "else", "endif", "include"].contains(&word);
    }
    comment.strip_prefix('+').is_some_and(|hints| hints.contains("PLATFORM"))
}

/// Marks between domains and what is to be done on their pages: `##`, `#@#`, `#?#`, `#$#`, `#$?#`, `#%#`; `$$` and `$@$`.
fn is_cosmetic(line: &str) -> bool {
    if line.starts_with("||") || line.starts_with("@@") {
        return false;
    }
    let does_something = |rest: &str| !rest.trim_matches(|c: char| c == '#' || c.is_whitespace()).is_empty();
    let by_number_signs = line.match_indices('#').any(|(at, _)| {
        let mark = line[at + 1..].trim_start_matches(['@', '?', '$', '%']);
        line.len() - at - mark.len() <= 4 && mark.strip_prefix('#').is_some_and(does_something)
    });
    let by_dollars = !line.starts_with('/')
        && ["$$", "$@$"].iter().any(|mark| {
            let tag = line.split_once(mark).map(|(_, tag)| tag);
            tag.is_some_and(|tag| tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '[' || c == '*'))
        });
    by_number_signs || by_dollars
}

/// `$badfilter`: takes out another rule.
fn disables_another(line: &str) -> bool {
    line.rsplit_once('$').is_some_and(|(_, options)| options.split(',').any(|option| option == "badfilter"))
}

/// `/regex/`, with or without options.
fn is_regex(line: &str) -> bool {
    let Some((regex, rest)) = line.strip_prefix('/').and_then(|line| line.rsplit_once('/')) else { return false };
    !regex.is_empty() && (rest.is_empty() || rest.starts_with('$'))
}

/// Where the name at a rule's beginning ends.
fn name_end(rule: &str) -> usize {
    if rule.starts_with('[') {
        return rule.find(']').map_or(0, |at| at + 1); // an IPv6 address
    }
    let is_of_name = |c: char| c.is_alphanumeric() || !c.is_ascii() || "-_.".contains(c);
    let end = rule.find(|c| !is_of_name(c)).unwrap_or(rule.len());
    // `||ads.^` is about names that begin so.
    if rule[..end].ends_with('.') { 0 } else { end }
}

/// A rule that blocks no whole name: one about addresses, or one whose name is cut off.
fn piece(rule: &str) -> Line<'_> {
    if rule.split('$').next().is_some_and(|pattern| pattern.contains(char::is_whitespace)) {
        let message = format!("`{}` has white space within, as no rule does", excerpt(rule));
        return Line::Unreadable(message, "where a line holds an address and names, the format is `hosts`");
    }
    let pattern = rule.split('$').next().unwrap_or_default();
    let has_end = pattern.split_once('^').is_some_and(|(_, after)| !after.is_empty() && after != "*");
    if has_end || pattern.contains(['/', '?', '=', '&', ':', '%']) {
        Line::Skippable(Kind::Path)
    } else {
        Line::Skippable(Kind::Wildcard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_about_all_of_a_host_is_an_entry() {
        for (rule, name) in [
            ("||x.example^", "x.example"),
            ("||x.example^$all", "x.example"),
            ("||x.example^$important,all", "x.example"),
            ("||192.0.2.1^", "192.0.2.1"),
            ("||[2001:db8::1]^$all", "[2001:db8::1]"),
            ("||münchen.example^", "münchen.example"),
        ] {
            assert_eq!(line(rule), Line::Names(vec![name]), "{rule}");
        }
    }

    #[test]
    fn comments_and_headers_say_nothing() {
        for nothing in [
            "",
            "! Title: a list",
            "!",
            "!##.ad",
            "!#safari_cb_affinity(general)",
            "!+ NOT_OPTIMIZED",
            "[Adblock Plus 2.0]",
            "[Adblock Plus 3.1; AdGuard]",
            "[uBlock Origin]",
            "# as in hosts files",
            "#",
            "##########",
            "## heading",
        ] {
            assert_eq!(line(nothing), Line::Nothing, "{nothing}");
        }
    }

    #[test]
    fn what_is_about_less_or_more_than_a_host_is_of_a_kind() {
        for (rule, kind) in [
            ("x.example##.banner", Kind::Cosmetic),
            ("##.banner", Kind::Cosmetic),
            ("###banner", Kind::Cosmetic),
            ("x.example,y.example#@#.banner", Kind::Cosmetic),
            ("x.example#$?#.a { remove: true; }", Kind::Cosmetic),
            ("[$path=/a]x.example#%#//scriptlet('b')", Kind::Cosmetic),
            ("x.example$$script[tag-content=\"b\"]", Kind::Cosmetic),
            ("x.example## .a", Kind::Cosmetic),
            ("!#include more.txt", Kind::Directive),
            ("!#if (adguard)", Kind::Directive),
            ("!#endif", Kind::Directive),
            ("!+ NOT_PLATFORM(windows)", Kind::Directive),
            ("@@||x.example^", Kind::Exception),
            ("@@||x.example^$generichide", Kind::Exception),
            ("||x.example^$badfilter", Kind::Exception),
            ("||x.example^$third-party,badfilter", Kind::Exception),
            ("||x.example^$third-party", Kind::Option),
            ("||x.example^$all,domain=y.example", Kind::Option),
            ("||x.example^$", Kind::Option),
            ("||x.example^$dnsrewrite=1.2.3.4", Kind::Option),
            ("||x.example/ads/", Kind::Path),
            ("||x.example^ads", Kind::Path),
            ("||x.example:8080^", Kind::Path),
            ("||x.example^|", Kind::Path),
            ("/banner.gif$image", Kind::Path),
            ("|https://x.example^", Kind::Path),
            ("/ads[0-9]+/", Kind::Regex),
            ("/^https:\\/\\/ads/$script,domain=x.example", Kind::Regex),
            ("||ads-*.example^", Kind::Wildcard),
            ("||*.x.example^", Kind::Wildcard),
            ("||x.example", Kind::Wildcard),
            ("||x.example$all", Kind::Wildcard),
            ("||ads.^", Kind::Wildcard),
            ("||^", Kind::Wildcard),
            ("x.example", Kind::Wildcard),
            ("_ad_content.", Kind::Wildcard),
            ("|load.sst.", Kind::Wildcard),
        ] {
            assert_eq!(line(rule), Line::Skippable(kind), "{rule}");
        }
    }

    #[test]
    fn lines_of_other_formats_cannot_be_read() {
        for unreadable in ["0.0.0.0 x.example", "#x.example", "some words"] {
            assert!(matches!(line(unreadable), Line::Unreadable(..)), "{unreadable}");
        }
    }
}
