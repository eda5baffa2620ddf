//! Hosts that were seen: exact names, and `*.x.example` where enough siblings stand beneath one name.
//!
//! Nothing is folded above a registrable domain (public suffix list, private section included): who rents `a.pages.example`
//! of a host that rents out names says nothing about `b.pages.example`. A fold takes one label, and never more.

use std::collections::BTreeMap;

use super::evidence::{Denials, Site};

/// What one host, or one fold of hosts, was asked for.
#[derive(Debug)]
pub(super) struct Proposal {
    /// Its `host` is an entry of `hosts`: a name or `*.name`.
    pub(super) site: Site,
    pub(super) denials: Denials,
    /// The hosts that a fold stands for; of a name, none.
    pub(super) folded: Vec<String>,
}

/// Folds siblings of `at_least` many distinct names, and sorts by registrable domain.
pub(super) fn fold(sites: BTreeMap<Site, Denials>, at_least: usize) -> Vec<Proposal> {
    let mut siblings = BTreeMap::<Site, Vec<Site>>::new();
    for site in sites.keys() {
        if let Some(parent) = parent(&site.host) {
            siblings.entry(Site { host: format!("*.{parent}"), ..site.clone() }).or_default().push(site.clone());
        }
    }
    siblings.retain(|_, sites| sites.len() >= at_least);

    let mut sites = sites;
    let mut proposals = Vec::new();
    for (site, folded) in siblings {
        let mut denials = Denials::default();
        for sibling in &folded {
            if let Some(own) = sites.remove(sibling) {
                denials.merge(own);
            }
        }
        proposals.push(Proposal { site, denials, folded: folded.into_iter().map(|site| site.host).collect() });
    }
    proposals.extend(sites.into_iter().map(|(site, denials)| Proposal { site, denials, folded: Vec::new() }));
    proposals.sort_by(|a, b| {
        let by = |proposal: &Proposal| (registrable_domain(&proposal.site.host).to_owned(), proposal.site.clone());
        by(a).cmp(&by(b))
    });
    proposals
}

/// The registrable domain of a host or of `*.host`; the host itself where there is none.
pub(super) fn registrable_domain(host: &str) -> &str {
    let name = host.strip_prefix("*.").unwrap_or(host);
    psl::domain(name.as_bytes()).and_then(|domain| std::str::from_utf8(domain.as_bytes()).ok()).unwrap_or(name)
}

/// The name beneath which a host may be folded with others: at or below a registrable domain.
fn parent(host: &str) -> Option<&str> {
    let (_, parent) = host.split_once('.')?;
    psl::domain(parent.as_bytes()).map(|_| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(hosts: &[&str], at_least: usize) -> Vec<String> {
        let site =
            |host: &&str| Site { host: (*host).to_owned(), is_http: false, port: 443, upgrade: false, encoded: false };
        let sites = hosts.iter().map(|host| (site(host), Denials::default())).collect();
        fold(sites, at_least).into_iter().map(|proposal| proposal.site.host).collect()
    }

    #[test]
    fn enough_siblings_are_one_and_others_stay_themselves() {
        let hosts = ["a.x.example", "b.x.example", "c.x.example", "x.example", "a.b.x.example", "z.example"];
        assert_eq!(folded(&hosts, 3), ["*.x.example", "a.b.x.example", "x.example", "z.example"]);
        assert_eq!(folded(&hosts, 4).len(), 6);
    }

    #[test]
    fn nothing_is_folded_above_a_registrable_domain() {
        for hosts in [
            ["a.com", "b.com", "c.com"],
            ["a.co.uk", "b.co.uk", "c.co.uk"],
            ["a.github.io", "b.github.io", "c.github.io"],
            ["a.workers.dev", "b.workers.dev", "c.workers.dev"],
        ] {
            assert_eq!(folded(&hosts, 2), hosts);
        }
        assert_eq!(folded(&["a.b.github.io", "b.b.github.io"], 2), ["*.b.github.io"]);
    }

    #[test]
    fn what_differs_in_scheme_or_port_is_not_folded() {
        let site =
            |host: &str, port| Site { host: host.to_owned(), is_http: false, port, upgrade: false, encoded: false };
        let sites = [site("a.x.example", 443), site("b.x.example", 8443)].map(|site| (site, Denials::default()));
        assert_eq!(fold(sites.into(), 2).len(), 2);
    }
}
