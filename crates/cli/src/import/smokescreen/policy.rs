//! From an access list to the text of a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::acl::{Acl, Action, Glob, Mitm, Role};
use crate::files::FileError;
use crate::import::trial::{self, Refused};
use crate::import::{array, comment, id, quoted};

/// What every policy that comes from an access list opens with.
const OPENING: [&str; 6] = [
    "A service is a customer here: the dispatch Worker passes its name as `customer_name`.",
    "Smokescreen decides by host alone. Here an allow rule means https on port 443, unless it says `schemes = [\"http\", \"https\"]` or `ports = [8443]`: add \
     those where they are needed.",
    "Smokescreen looks at the addresses that names lead to, by its flags `--deny-range` and `--allow-range`. A Worker does not see them. IP addresses, single labels \
     and internal names are closed here, unless a rule names them exactly in `hosts`; ranges do not exist.",
    "No rule here opens WebSockets, which pass a proxy unseen: add `websocket = true` where they are needed.",
    "A service's own list beats the global deny list there. Here deny wins; where both name a host, the deny rule has an `except`. Remove \
     it, and deny wins here, too.",
    "Headers that a rule sets on a host are the platform's there, for every customer: nobody else can send them to that host.",
];

/// Writes the policy, with comments on what is different here and on what could not be carried over.
pub(crate) fn write(acl: &Acl, from: &str) -> Result<String, FileError> {
    let hosts: BTreeSet<String> = globs(acl).map(Glob::host).collect();
    let headers: BTreeMap<&str, String> =
        mitms(acl).flat_map(|mitm| &mitm.headers).map(|(name, value)| (name.as_str(), template(value))).collect();
    let refused_hosts = trial::hosts(hosts.iter().map(String::as_str))?;
    let refused_headers = trial::headers(headers)?;
    let mut writer =
        Writer { acl, refused_hosts, refused_headers, ids: BTreeSet::new(), rules: String::new(), notes: Vec::new() };
    writer.rules();
    let mut text = comment(&format!("Imported from {from}, an access list of smokescreen."));
    text.push_str("#\n");
    for note in OPENING {
        text.push_str(&comment(&format!("- {note}")));
    }
    if !writer.notes.is_empty() {
        text.push_str("#\n# What could not be carried over:\n");
        for note in &writer.notes {
            text.push_str(&comment(&format!("- {note}")));
        }
    }
    text.push_str("\npolicy  = 1\ndefault = \"deny\"\n\n[identity]\ncustomer = \"customer_name\"\n");
    text.push_str(&writer.rules);
    Ok(text)
}

/// Every host that is named, but for proxies.
fn globs(acl: &Acl) -> impl Iterator<Item = &Glob> {
    let roles = roles(acl).flat_map(|role| &role.allowed);
    acl.deny.iter().chain(&acl.allow).chain(roles)
}

fn roles(acl: &Acl) -> impl Iterator<Item = &Role> {
    acl.services.iter().map(|service| &service.role).chain(&acl.default)
}

fn mitms(acl: &Acl) -> impl Iterator<Item = &Mitm> {
    roles(acl).flat_map(|role| &role.mitm)
}

/// A header's value, in which braces stand for themselves.
fn template(value: &str) -> String {
    value.replace('{', "{{").replace('}', "}}")
}

/// Whom a rule is for.
#[derive(Clone, Copy)]
enum Whom<'a> {
    /// Everybody.
    All,
    /// Those with an entry.
    Listed,
    /// One of them.
    One(&'a str),
    /// Those without.
    Others,
}

struct Writer<'a> {
    acl: &'a Acl,
    refused_hosts: Refused,
    refused_headers: Refused,
    ids: BTreeSet<String>,
    rules: String,
    notes: Vec<String>,
}

impl Writer<'_> {
    fn rules(&mut self) {
        let acl = self.acl;
        for (host, why) in &self.refused_hosts {
            self.notes.push(format!("`{}`: {why}", host.replacen("**.", "*.", 1)));
        }
        self.global_deny();
        // Without a default, a service that has no entry reaches nothing.
        let whom = if acl.default.is_some() { Whom::All } else { Whom::Listed };
        let hosts = self.hosts(&acl.allow);
        if !hosts.is_empty() && self.is_anybody(whom) {
            self.rule("global-allow", "The global allow list.", "allow", whom, &hosts, &[], "");
        }
        for service in &acl.services {
            self.role(&service.name, Whom::One(&service.name), &service.role);
        }
        if let Some(role) = &acl.default {
            self.role("default", Whom::Others, role);
        }
    }

    /// The deny list, except where a service's own list allows.
    fn global_deny(&mut self) {
        let acl = self.acl;
        let hosts = self.hosts(&acl.deny);
        if hosts.is_empty() {
            return;
        }
        let beaten = |allowed: &[Glob]| {
            let overlapping: Vec<Glob> =
                allowed.iter().filter(|glob| acl.deny.iter().any(|denied| denied.overlaps(glob))).cloned().collect();
            self.hosts(&overlapping)
        };
        let own: Vec<String> = acl
            .services
            .iter()
            .filter_map(|service| {
                let hosts = beaten(&service.role.allowed);
                let customers = array(&[&service.name]);
                (!hosts.is_empty()).then(|| format!("{{ customers = {customers}, hosts = {} }}", inline(&hosts)))
            })
            .collect();
        let others = acl.default.as_ref().map(|role| beaten(&role.allowed)).unwrap_or_default();
        let why = "The global deny list.";
        if others.is_empty() {
            self.rule("global-deny", why, "deny", Whom::All, &hosts, &own, "");
            return;
        }
        // An exception cannot say "all but these"; so those with an entry have a rule, and those without.
        if !acl.services.is_empty() {
            self.rule("global-deny-listed", why, "deny", Whom::Listed, &hosts, &own, "");
        }
        let except = format!("{{ hosts = {} }}", inline(&others));
        self.rule("global-deny", why, "deny", Whom::Others, &hosts, &[except], "");
    }

    fn role(&mut self, name: &str, whom: Whom<'_>, role: &Role) {
        let project = role.project.as_ref().map(|project| format!(" Project: {project}.")).unwrap_or_default();
        let title = match whom {
            Whom::One(_) => format!("The service `{name}`.{project}"),
            _ => format!("Services without an entry.{project}"),
        };
        let hosts = self.hosts(&role.allowed);
        if !hosts.is_empty() {
            self.rule(name, &title, "allow", whom, &hosts, &[], "");
        }
        self.mitm(name, whom, role);
        match role.action {
            Action::Enforce => {}
            Action::Open => {
                let why = format!("{title} Its action is `open`: it reaches every public host.");
                self.rule(&format!("{name} open"), &why, "allow", whom, &everything(), &[], "");
            }
            Action::Report => {
                let why = format!("{title} Its action is `report`: what its lists do not name passes,");
                self.rule(&format!("{name} report"), &why, "allow", whom, &everything(), &[], "");
                let named: Vec<Glob> = role.allowed.iter().chain(&self.acl.allow).cloned().collect();
                let named = self.hosts(&named);
                let except: Vec<String> =
                    (!named.is_empty()).then(|| format!("{{ hosts = {} }}", inline(&named))).into_iter().collect();
                let why = "and is recorded (`would_deny`). To enforce, delete this rule and the one above.";
                self.rule(&format!("{name} would deny"), why, "deny", whom, &[], &except, "mode = \"report\"\n");
            }
        }
        if !role.proxies.is_empty() {
            self.notes.push(format!("`allowed_external_proxies` of `{name}`: there is no proxy behind a Worker"));
        }
    }

    /// Requests that smokescreen takes apart, to add headers. The first entry that matches is the one that counts.
    fn mitm(&mut self, name: &str, whom: Whom<'_>, role: &Role) {
        for (at, mitm) in role.mitm.iter().enumerate() {
            let host = mitm.domain.host();
            if mitm.logs {
                self.notes.push(format!(
                    "`detailed_http_logs` of `{host}` for `{name}`: records here hold host and path, never headers"
                ));
            }
            let mut set = Vec::new();
            for (header, value) in &mitm.headers {
                match self.refused_headers.get(header) {
                    Some(why) => self.notes.push(format!("the header `{header}` of `{host}` for `{name}`: {why}")),
                    None => {
                        set.push(format!("{} = {}", quoted(&header.to_ascii_lowercase()), quoted(&template(value))));
                    }
                }
            }
            if set.is_empty() || self.refused_hosts.contains_key(&host) {
                continue;
            }
            let earlier: Vec<Glob> = role.mitm[..at]
                .iter()
                .map(|earlier| earlier.domain.clone())
                .filter(|earlier| earlier.overlaps(&mitm.domain))
                .collect();
            if earlier.contains(&mitm.domain) {
                continue;
            }
            let earlier = self.hosts(&earlier);
            let except: Vec<String> =
                (!earlier.is_empty()).then(|| format!("{{ hosts = {} }}", inline(&earlier))).into_iter().collect();
            let more = format!("set = {{ {} }}\n", set.join(", "));
            self.rule(
                &format!("{name} headers"),
                "Headers that smokescreen adds.",
                "allow",
                whom,
                &[host],
                &except,
                &more,
            );
        }
    }

    /// Hosts as a rule writes them, each once, without those that the language refuses.
    fn hosts(&self, globs: &[Glob]) -> Vec<String> {
        let mut hosts = Vec::new();
        for host in globs.iter().map(Glob::host) {
            if !hosts.contains(&host) && !self.refused_hosts.contains_key(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    fn is_anybody(&self, whom: Whom<'_>) -> bool {
        !matches!(whom, Whom::Listed) || !self.acl.services.is_empty()
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a rule, in their order")]
    fn rule(
        &mut self,
        name: &str,
        why: &str,
        effect: &str,
        whom: Whom<'_>,
        hosts: &[String],
        except: &[String],
        more: &str,
    ) {
        let listed: Vec<&str> = self.acl.services.iter().map(|service| service.name.as_str()).collect();
        let mut except = except.to_vec();
        let customers = match whom {
            Whom::All => None,
            Whom::Listed => Some(array(&listed)),
            Whom::One(customer) => Some(array(&[customer])),
            Whom::Others => {
                if !listed.is_empty() {
                    except.insert(0, format!("{{ customers = {} }}", inline(&listed)));
                }
                None
            }
        };
        let id = id(name, &mut self.ids);
        let rules = &mut self.rules;
        // Writing into a string never fails.
        let _ = write!(rules, "\n{}[[rule]]\nid = {}\neffect = {}\n", comment(why), quoted(&id), quoted(effect));
        if let Some(customers) = customers {
            let _ = writeln!(rules, "customers = {customers}");
        }
        if !hosts.is_empty() {
            let _ = writeln!(rules, "hosts = {}", array(hosts));
        }
        if !except.is_empty() {
            let _ = writeln!(rules, "except = [\n  {},\n]", except.join(",\n  "));
        }
        rules.push_str(more);
    }
}

/// What `open` opens: every host, but for those that have to be named exactly.
fn everything() -> Vec<String> {
    vec!["**".to_owned()]
}

/// An array within a table that stands on one line.
fn inline<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use tidegate_test::engine::Engine;
    use tidegate_test::request::Request;

    use super::*;
    use crate::import::smokescreen::acl::Service;

    /// What smokescreen decides (`ACL.Decide`), and whether it reports.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Verdict {
        allow: bool,
        reported: bool,
    }

    fn smokescreen(acl: &Acl, service: &str, host: &str) -> Verdict {
        let matches = |globs: &[Glob]| {
            globs
                .iter()
                .any(|glob| if glob.beneath { host.ends_with(&format!(".{}", glob.name)) } else { host == glob.name })
        };
        let entry = acl.services.iter().find(|entry| entry.name == service).map(|entry| &entry.role);
        let Some(role) = entry.or(acl.default.as_ref()) else { return Verdict { allow: false, reported: false } };
        let allow = if matches(&role.allowed) {
            true
        } else if matches(&acl.deny) {
            false
        } else if matches(&acl.allow) {
            true
        } else {
            let reported = role.action == Action::Report;
            return Verdict { allow: role.action != Action::Enforce, reported };
        };
        Verdict { allow, reported: false }
    }

    const NAMES: [&str; 5] = ["a.example", "b.a.example", "c.b.a.example", "d.example", "ba.example"];
    const HOSTS: [&str; 8] = [
        "a.example",
        "b.a.example",
        "c.b.a.example",
        "x.c.b.a.example",
        "d.example",
        "x.d.example",
        "ba.example",
        "elsewhere.example",
    ];
    const SERVICES: [&str; 3] = ["web", "web hooks", "Web-Hooks"];

    fn any_globs() -> impl Strategy<Value = Vec<Glob>> {
        let glob = (any::<bool>(), prop::sample::select(&NAMES[..]))
            .prop_map(|(beneath, name)| Glob { beneath, name: name.to_owned() });
        prop::collection::vec(glob, 0..4)
    }

    fn any_role() -> impl Strategy<Value = Role> {
        let action = prop::sample::select(&[Action::Enforce, Action::Open, Action::Report][..]);
        let headers = prop::sample::subsequence(&["x-one", "x-two"][..], 0..=2);
        (action, any_globs(), headers).prop_map(|(action, allowed, headers)| {
            let headers =
                |glob: &Glob| headers.iter().map(|name| ((*name).to_owned(), format!("{{{}", glob.host()))).collect();
            let mitm =
                allowed.iter().map(|glob| Mitm { domain: glob.clone(), headers: headers(glob), logs: false }).collect();
            Role { project: Some("p".to_owned()), action, allowed, mitm, proxies: Vec::new() }
        })
    }

    fn any_acl() -> impl Strategy<Value = Acl> {
        let names = prop::sample::subsequence(&SERVICES[..], 0..=2);
        let roles = prop::collection::vec(any_role(), SERVICES.len());
        (names, roles, prop::option::of(any_role()), any_globs(), any_globs()).prop_map(
            |(names, roles, default, deny, allow)| {
                let services = names.iter().zip(roles).map(|(name, role)| Service { name: (*name).to_owned(), role });
                Acl { services: services.collect(), default, deny, allow }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_imported_policy_decides_as_smokescreen_does(acl in any_acl()) {
            let text = write(&acl, "acl.yaml").unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("policy.toml");
            std::fs::write(&path, &text).unwrap();
            let compilation = tidegate_compiler::compile(&path);
            let output = compilation.output.unwrap_or_else(|| panic!("{:#?}\n{text}", compilation.diagnostics));
            let mut engine = Engine::table(&output).unwrap();
            for service in SERVICES.iter().copied().chain(["nobody's"]) {
                for host in HOSTS {
                    let request = Request {
                        method: "GET".to_owned(),
                        url: format!("https://{host}/"),
                        customer: Some(service.to_owned()),
                        tags: Some(Vec::new()),
                        vars: Some(Vec::new()),
                        headers: Vec::new(),
                    };
                    let decision = engine.decide(&request, 0);
                    let recorded = serde_json::to_value(&decision).unwrap();
                    let allow = decision.effect == "allow";
                    let reported = allow && recorded["would_deny"] != serde_json::json!([]);
                    let found = Verdict { allow, reported };
                    prop_assert_eq!(found, smokescreen(&acl, service, host), "{} {}\n{}", service, host, text);
                }
            }
        }
    }

    #[test]
    fn globs_overlap_where_a_host_matches_both() {
        let globs: Vec<Glob> = NAMES
            .iter()
            .flat_map(|name| [false, true].map(|beneath| Glob { beneath, name: (*name).to_owned() }))
            .collect();
        let matches = |glob: &Glob, host: &str| {
            if glob.beneath { host.ends_with(&format!(".{}", glob.name)) } else { host == glob.name }
        };
        let mut hosts: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
        hosts.extend(NAMES.iter().map(|name| format!("x.{name}")));
        let mut seen = BTreeMap::new();
        for one in &globs {
            for other in &globs {
                let both = hosts.iter().any(|host| matches(one, host) && matches(other, host));
                assert_eq!(one.overlaps(other), both, "{one:?} {other:?}");
                *seen.entry(both).or_insert(0) += 1;
            }
        }
        assert!(seen.values().all(|&n| n > 20), "{seen:?}");
    }
}
