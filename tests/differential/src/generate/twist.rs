//! What is odd about a request: the spellings, neighbours and traps in which a rule is nearly hit or nearly missed.

use super::choices::Choices;
use super::request::Draft;
use super::words::{METHODS, SPECIAL_HOSTS};

/// Makes one thing about a request odd.
pub(super) fn twist(draft: &mut Draft<'_>, choices: &mut Choices<'_>) {
    match choices.below(100) {
        0..30 => draft.host = host(draft, choices),
        30..56 => draft.path = path(&draft.path, choices),
        56..68 => endpoint(draft, choices),
        68..76 => draft.method = method(&draft.method, choices),
        76..86 => draft.twist_headers(choices),
        86..91 => draft.twist_customer(choices),
        91..94 => draft.twist_tags(choices),
        94 => draft.twist_vars(choices),
        95..97 => draft.twist_time(choices),
        // What costs more than it shows, seldom.
        97 if choices.percent(5) => draft.overload(choices),
        98 if choices.percent(15) => draft.path = long(draft, choices),
        _ => query(draft, choices),
    }
}

/// A host beside the one that is meant, or the same in another spelling.
fn host(draft: &Draft<'_>, choices: &mut Choices<'_>) -> String {
    let host = draft.host.as_str();
    let (first, rest) = host.split_once('.').unwrap_or((host, "example"));
    match choices.below(30) {
        // One label more, one less, others.
        0 | 1 => format!("x.{host}"),
        2 | 3 => rest.to_owned(),
        4 => format!("x.y.{host}"),
        5 => format!("zz.{rest}"),
        6 | 7 => draft.another_host(choices),
        // A letter off, at the dot above all.
        8 | 9 => format!("x{host}"),
        10 => format!("{first}x{rest}"),
        11 => format!("{first}-{rest}"),
        12 => format!("{host}x"),
        13 => host.chars().skip(1).collect(),
        14 => format!("{host}.evil.test"),
        // The same host.
        15 => host.to_ascii_uppercase(),
        16 => format!("{host}."),
        17 => host.replacen('.', "。", 1),
        18 => escaped_first(host),
        19 => host.replace('a', "ａ"),
        20 => host.replacen('e', "e\u{ad}", 1),
        21 => host.replace("xn--mnchen-3ya", "MÜNCHEN"),
        // None.
        22 => format!("{host}.."),
        23 => host.replacen('.', "..", 1),
        24 => choices.one(&["", "a b", "a!b.example", "a%00b.example", "[::1", "1.2.3.256", "xn--a"]).to_owned(),
        25 => format!("{}.{host}", "l".repeat(63 + choices.below(2))),
        26 => {
            // 253 octets with the host, or one more.
            let room = (253 + choices.below(2)).saturating_sub(host.len());
            format!("{}{}{host}", "l".repeat(room % 2), "l.".repeat(room / 2))
        }
        // Special ones, and such as look it.
        27 | 28 => choices.one(SPECIAL_HOSTS).to_owned(),
        _ => {
            let odd = [
                "2130706433",
                "[::ffff:127.0.0.1]",
                "localhost.",
                "LOCALHOST",
                "sub.localhost",
                "notlocalhost.example",
                "a.home.arpa",
                "xhome.arpa",
                "internal",
                "mylocal",
                "a.b.onion",
                "127.0.0.1.example.com",
                "api",
                "169.254.169.254",
            ];
            choices.one(&odd).to_owned()
        }
    }
}

/// The host with its first byte escaped.
fn escaped_first(host: &str) -> String {
    host.chars()
        .next()
        .filter(char::is_ascii)
        .map_or_else(String::new, |first| format!("%{:02x}{}", u32::from(first), &host[1..]))
}

/// A path beside the one that is meant, the same in another spelling, or one that can be read in two ways.
fn path(path: &str, choices: &mut Choices<'_>) -> String {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    match choices.below(36) {
        // One segment more, one less, others.
        0 => format!("{}/x", path.trim_end_matches('/')),
        1 => format!("{path}/"),
        2 => path.trim_end_matches('/').to_owned(),
        3 => parent.to_owned(),
        4 => format!("/x{path}"),
        5 => format!("{path}x"),
        6 => "/".to_owned(),
        7 => String::new(),
        8 => path.to_ascii_uppercase(),
        // The same path, resolved and decoded.
        9 => format!("/.{path}"),
        10 => format!("/x/..{path}"),
        11 => format!("/x/%2e%2E{path}"),
        12 => format!("{path}/."),
        13 => format!("{path}/.."),
        14 => path.replacen('s', "%73", 1),
        15 => path.replacen('~', "%7e", 1),
        16 => path.replacen('/', "\\", 1),
        17 => path.to_ascii_lowercase(),
        // Not quite the same: reserved characters keep their escapes.
        18 => path.replacen("%21", "!", 1),
        19 => format!("{path}%3b"),
        20 => format!("{path}é^[|]"),
        // Ambiguous.
        21 => path_with(path, "%2f"),
        22 => path_with(path, "%2F"),
        23 => path_with(path, "%25"),
        24 => path_with(path, "%5c"),
        25 => path_with(path, "%00"),
        26 => path_with(path, "%0A"),
        27 => path_with(path, "%"),
        28 => path_with(path, "%zz"),
        29 => path_with(path, "%ff"),
        30 => path_with(path, "%c2%85"),
        31 => format!("/{path}"),
        32 => path.replacen('/', "/..;/", 1),
        33 => format!("{path}/.;x"),
        34 => format!("{path}//"),
        _ => format!("{path}/..%3B/x"),
    }
}

/// Puts something before the last character.
fn path_with(path: &str, piece: &str) -> String {
    let last = path.char_indices().next_back().map_or(0, |(at, _)| at).max(1).min(path.len());
    format!("{}{piece}{}", &path[..last], &path[last..])
}

/// A path with which the URL is just as long as it may be, or too long: as it is received, or as it is forwarded.
fn long(draft: &Draft<'_>, choices: &mut Choices<'_>) -> String {
    let before: usize = [&draft.scheme, "://", &draft.userinfo, &draft.host, &draft.port, &draft.path]
        .iter()
        .map(|part| part.len())
        .sum();
    let room = (16_382 + choices.below(5)).saturating_sub(before);
    // Two bytes become six.
    let letters = if choices.percent(50) { 100.min(room / 6) } else { 0 };
    format!("{}{}{}", draft.path, "é".repeat(letters), "x".repeat(room - 6 * letters))
}

/// Another scheme or port.
fn endpoint(draft: &mut Draft<'_>, choices: &mut Choices<'_>) {
    match choices.below(20) {
        0..3 => "http".clone_into(&mut draft.scheme),
        3 => "https".clone_into(&mut draft.scheme),
        4 | 5 => "wss".clone_into(&mut draft.scheme),
        6 => "ws".clone_into(&mut draft.scheme),
        7 => "HtTpS".clone_into(&mut draft.scheme),
        8 => choices.one(&["ftp", "file", "tidegate", "javascript"]).clone_into(&mut draft.scheme),
        9..12 => draft.port.clear(),
        12 => ":443".clone_into(&mut draft.port),
        13 => ":80".clone_into(&mut draft.port),
        14 | 15 => ":8443".clone_into(&mut draft.port),
        16 => choices.one(&[":0", ":65536", ":65535", ":00443", ":", ":x"]).clone_into(&mut draft.port),
        17 => "user:pass@".clone_into(&mut draft.userinfo),
        18 => draft.userinfo = format!("{}@", draft.another_host(choices)),
        _ => "a%2Fb:@".clone_into(&mut draft.userinfo),
    }
}

/// The method in another case, another one, or none.
fn method(method: &str, choices: &mut Choices<'_>) -> String {
    match choices.below(8) {
        0 => method.to_ascii_lowercase(),
        1 => method.chars().enumerate().map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c }).collect(),
        2 | 3 => "OPTIONS".to_owned(),
        4 => choices
            .one(&["TRACE", "trace", "", "G ET", "GÉT", "GET\n", "G(T", "M-SEARCH", "x!#$%&'*+.^_`|~"])
            .to_owned(),
        _ => choices.one(METHODS).to_owned(),
    }
}

fn query(draft: &mut Draft<'_>, choices: &mut Choices<'_>) {
    let queries = ["?", "?a=1", "#top", "?x=%2F..//%00#y", "?#", "?a?b=^|`'<>\"é ", "?q=\u{1f600}", "\t\n"];
    choices.one(&queries).clone_into(&mut draft.query);
}
