//! The engine and the reference interpreter, each with a parser of its own, take the same strings for URLs and read them alike; and
//! what is taken is in canonical form: of the shape that is promised, and brought into that form once and for all.

use tidegate_differential::{Identity, Request, Table, compare};
use tidegate_engine::canonical::{Host, HostKind, MAX_URL, PathReading, Scheme, Target, host, path_text};

use crate::policies;

/// The bytes are a URL.
///
/// # Panics
/// Where the property does not hold.
pub fn check(bytes: &[u8]) {
    let received = String::from_utf8_lossy(bytes);
    let compiled = policies::open().compiled;
    let mut table = Table::load(&compiled.table).expect("it is loaded");
    let request = Request {
        method: "GET".to_owned(),
        url: received.clone().into_owned(),
        headers: Vec::new(),
        identity: Identity::default(),
        now: 0,
    };
    let difference = compare(compiled, &mut table, &request, &|_| None).err();
    assert!(difference.is_none(), "{received:?}: {difference:#?}");

    let Ok(target) = Target::parse(&received) else { return };
    assert_eq!(Target::parse(target.url()).as_ref(), Ok(&target), "a canonical URL stays as it is");
    assert_shape(&target);
    assert_host(target.host());
    assert_path(&target);
}

/// `scheme://host[:port]/path[?query]`: no userinfo, no fragment, no port that goes without saying.
fn assert_shape(target: &Target) {
    let url = target.url();
    assert!(url.len() <= MAX_URL && url.bytes().all(|byte| byte.is_ascii_graphic()), "{url:?}");
    assert!(!url.contains('#'), "{url:?}");
    let scheme = match target.scheme() {
        Scheme::Http => "http://",
        Scheme::Https => "https://",
    };
    let host = target.host().as_str();
    let rest = url.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(host));
    let rest = rest.unwrap_or_else(|| panic!("{url:?} begins with {scheme}{host}"));
    let (port, rest) = rest.split_at(rest.find('/').unwrap_or_else(|| panic!("{url:?} has a path")));
    let said =
        if target.port() == target.scheme().default_port() { String::new() } else { format!(":{}", target.port()) };
    assert_eq!(port, said, "{url:?}");
    let path = rest.split('?').next().unwrap_or_default();
    assert!(!path.contains(['^', '"', '<', '>', '`', '{', '}', '\\']), "{url:?}");
    for segment in path.split('/') {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        assert!(dots != "." && dots != "..", "{url:?} has a dot segment");
    }
}

fn assert_host(canonical: &Host) {
    let text = canonical.as_str();
    assert_eq!(host(text).as_ref(), Ok(canonical), "a canonical host stays as it is");
    match canonical.kind() {
        HostKind::Ipv4 => assert!(text.parse::<std::net::Ipv4Addr>().is_ok(), "{text:?}"),
        HostKind::Ipv6 => {
            let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
            assert!(address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()), "{text:?}");
        }
        HostKind::Name => {
            assert!(text.len() <= 253, "{text:?}");
            for label in text.split('.') {
                let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
                assert!((1..=63).contains(&label.len()) && label.bytes().all(plain), "{text:?}");
            }
            // What ends in a number is an address or nothing (WHATWG URL, "ends in a number checker").
            let last = text.rsplit('.').next().unwrap_or_default();
            assert!(!last.bytes().all(|byte| byte.is_ascii_digit()), "{text:?}");
        }
    }
    assert!(canonical.kind() == HostKind::Name || canonical.is_special(), "{text:?}");
}

/// The matched path is one spelling of the forwarded one.
fn assert_path(target: &Target) {
    let path = target.path();
    assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
    if target.path_reading() == PathReading::Ambiguous {
        return;
    }
    assert_eq!(path_text(path), (path.to_owned(), target.path_reading()), "a matched path stays as it is");
    let other = Target::parse(&format!("https://{}{path}", target.host().as_str()));
    let other = other.unwrap_or_else(|invalid| panic!("{path:?} is a path: {invalid}"));
    assert_eq!((other.path(), other.path_reading()), (path, target.path_reading()), "both spellings are matched alike");
}
