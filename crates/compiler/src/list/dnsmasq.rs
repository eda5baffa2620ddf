//! `format = "dnsmasq"`: lines of dnsmasq's configuration; what makes a name and all beneath it resolve to nothing is an entry.
//!
//! `address=/x.example/ADDRESS` answers with an address of the list's own, with the null address (`#`), or that there is no
//! such name (nothing); which it is does not matter, as in hosts files. `local=/x.example/` and its other spelling
//! `server=/x.example/` ask nobody. With a server in it, `server=/x.example/192.0.2.1` (or `#`, the usual ones) takes names *out*
//! of a wider entry, for dnsmasq goes by the longest name. One line may name several: `local=/a.example/b.example/`.

use std::net::IpAddr;

use super::{Kind, Line, excerpt};

/// Settings that lists hold beside their entries, or that stand in the same file: those of names, servers, addresses.
const SETTINGS: [&str; 48] = [
    "addn-hosts",
    "alias",
    "all-servers",
    "bind-interfaces",
    "bogus-nxdomain",
    "bogus-priv",
    "cache-size",
    "cname",
    "conf-dir",
    "conf-file",
    "dns-forward-max",
    "dnssec",
    "domain",
    "domain-needed",
    "edns-packet-max",
    "except-interface",
    "expand-hosts",
    "filter-A",
    "filter-AAAA",
    "filterwin2k",
    "host-record",
    "ignore-address",
    "interface",
    "ipset",
    "listen-address",
    "local-service",
    "local-ttl",
    "localise-queries",
    "log-facility",
    "log-queries",
    "max-cache-ttl",
    "max-ttl",
    "min-cache-ttl",
    "neg-ttl",
    "nftset",
    "no-hosts",
    "no-negcache",
    "no-poll",
    "no-resolv",
    "port",
    "ptr-record",
    "rebind-domain-ok",
    "resolv-file",
    "rev-server",
    "stop-dns-rebind",
    "strict-order",
    "txt-record",
    "user",
];

pub(super) fn line(line: &str) -> Line<'_> {
    let setting = without_comment(line);
    if setting.is_empty() {
        return Line::Nothing;
    }
    let (key, value) = setting.split_once('=').map_or((setting, ""), |(key, value)| (key.trim(), value.trim()));
    let is_server = match key {
        "address" => false,
        "local" | "server" => true,
        _ if SETTINGS.contains(&key) => return Line::Skippable(Kind::Directive),
        _ => {
            let message = format!("`{}` is not a line of dnsmasq's that blocks names", excerpt(line));
            return Line::Unreadable(message, "such are `address=/NAME/`, `local=/NAME/` and `server=/NAME/`");
        }
    };
    let Some((names, target)) = value.strip_prefix('/').and_then(|value| value.rsplit_once('/')) else {
        if is_server && is_server_address(value) {
            return Line::Skippable(Kind::Directive); // a server for every name
        }
        let message = format!("`{}` names nothing between slashes", excerpt(line));
        return Line::Unreadable(message, "write `address=/NAME/`");
    };
    match (is_server, target) {
        (_, "") | (false, "#") => {}
        (false, address) if address.parse::<IpAddr>().is_ok() => {}
        (true, server) if server == "#" || is_server_address(server) => return Line::Skippable(Kind::Exception),
        _ => {
            let message = format!("`{}` ends with `{}`, which is no address", excerpt(line), excerpt(target));
            return Line::Unreadable(message, "an entry ends with a slash, or with an address behind it");
        }
    }
    // dnsmasq passes over a dot before a name.
    let names: Vec<&str> = names.split('/').map(|name| name.strip_prefix('.').unwrap_or(name)).collect();
    if names.iter().any(|name| ["", "#"].contains(name)) {
        let message = format!("`{}` is about names in general", excerpt(line));
        return Line::Unreadable(message, "what is refused unless a rule allows it, `default = \"deny\"` says");
    }
    let wild = names.iter().filter(|name| name.contains('*')).count();
    if wild == 0 {
        Line::Names(names)
    } else if wild == names.len() {
        Line::Skippable(Kind::Wildcard)
    } else {
        let message = format!("`{}` has both whole names and wildcards", excerpt(line));
        Line::Unreadable(message, "write the wildcards on a line of their own")
    }
}

/// The line without a comment: a `#` at its beginning or behind white space.
fn without_comment(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(begins).map_or(line, |(at, _)| line[..at].trim_end())
}

/// An address, with a port (`#5353`) and an interface (`@eth0`).
fn is_server_address(text: &str) -> bool {
    let address = text.split(['#', '@', '%']).next().unwrap_or_default();
    address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_resolves_to_nothing_is_an_entry() {
        for entry in [
            "address=/x.example/",
            "address=/x.example/#",
            "address=/x.example/0.0.0.0 # why",
            "address=/x.example/::",
            "address=/.x.example/192.0.2.7",
            "local=/x.example/",
            "server=/x.example/",
            "server = /x.example/",
        ] {
            assert_eq!(line(entry), Line::Names(vec!["x.example"]), "{entry}");
        }
        assert_eq!(line("local=/a.example/b.example/"), Line::Names(vec!["a.example", "b.example"]));
    }

    #[test]
    fn comments_say_nothing() {
        for nothing in ["", "# a list", "#address=/x.example/"] {
            assert_eq!(line(nothing), Line::Nothing, "{nothing}");
        }
    }

    #[test]
    fn what_blocks_no_whole_name_is_of_a_kind() {
        for (setting, kind) in [
            ("server=/x.example/#", Kind::Exception),
            ("server=/x.example/192.0.2.1#5353", Kind::Exception),
            ("local=/x.example/2001:db8::1@eth0", Kind::Exception),
            ("server=192.0.2.1", Kind::Directive),
            ("domain-needed", Kind::Directive),
            ("conf-file=/etc/more.conf", Kind::Directive),
            ("bogus-nxdomain=192.0.2.1", Kind::Directive),
            ("address=/*ads.example/", Kind::Wildcard),
            ("address=/*.ads.example/*.b.example/#", Kind::Wildcard),
        ] {
            assert_eq!(line(setting), Line::Skippable(kind), "{setting}");
        }
    }

    #[test]
    fn anything_else_cannot_be_read() {
        for unreadable in [
            "x.example",
            "adress=/x.example/",
            "address=x.example",
            "address=/x.example",
            "address=/x.example/nowhere",
            "address=/#/",
            "local=//",
            "address=/a.example/*b.example/",
            "0.0.0.0 x.example",
            "server=nowhere",
        ] {
            assert!(matches!(line(unreadable), Line::Unreadable(..)), "{unreadable}");
        }
    }
}
