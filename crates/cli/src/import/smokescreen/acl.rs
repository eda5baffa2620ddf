//! Reading an access list, as strictly as it deserves: a key that smokescreen passes over may be one that was meant to close something.

use tidegate_compiler::diagnostic::{Code, Diagnostic};
use tidegate_compiler::source::{Span, Text};

use crate::document::{Node, Value};

/// An access list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acl {
    /// Entries, each for one service.
    pub(super) services: Vec<Service>,
    /// For services without an entry.
    pub(super) default: Option<Role>,
    /// Denied for every service, unless its entry allows it.
    pub(super) deny: Vec<Glob>,
    /// Allowed for every service that has an entry, or for all if there is a default.
    pub(super) allow: Vec<Glob>,
}

/// The entry of a service.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) role: Role,
}

/// What an entry says.
#[derive(Clone, Debug)]
pub(super) struct Role {
    /// Who owns the service.
    pub(super) project: Option<String>,
    pub(super) action: Action,
    pub(super) allowed: Vec<Glob>,
    /// Hosts whose requests are taken apart.
    pub(super) mitm: Vec<Mitm>,
    /// Proxies that may be chained behind.
    pub(super) proxies: Vec<Glob>,
}

/// What becomes of a host that no list names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Enforce,
    Open,
    Report,
}

/// `mitm_domains`.
#[derive(Clone, Debug)]
pub(super) struct Mitm {
    pub(super) domain: Glob,
    /// Headers to add.
    pub(super) headers: Vec<(String, String)>,
    /// It asks for logs.
    pub(super) logs: bool,
}

/// A name, or all names beneath one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Glob {
    /// `*.name`.
    pub(super) beneath: bool,
    pub(super) name: String,
}

impl Glob {
    /// As `hosts` writes it.
    pub(super) fn host(&self) -> String {
        if self.beneath { format!("**.{}", self.name) } else { self.name.clone() }
    }

    /// Whether a host can match both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let within = |inner: &Self, outer: &Self| {
            outer.beneath && inner.name.strip_suffix(&outer.name).is_some_and(|rest| rest.ends_with('.'))
        };
        match (self.beneath, other.beneath) {
            (false, false) | (true, true) if self.name == other.name => true,
            _ => within(self, other) || within(other, self),
        }
    }
}

/// Reads an access list. `None` if anything is wrong with it.
pub(crate) fn read(root: &Node, findings: &mut Vec<Diagnostic>) -> Option<Acl> {
    let before = findings.len();
    let mut reader = Reader { findings };
    let acl = reader.acl(root);
    (findings.len() == before).then_some(acl)
}

struct Reader<'f> {
    findings: &'f mut Vec<Diagnostic>,
}

const ROLE: [&str; 6] = ["name", "project", "action", "allowed_domains", "mitm_domains", "allowed_external_proxies"];

impl Reader<'_> {
    fn acl(&mut self, root: &Node) -> Acl {
        self.table(
            root,
            "an access list",
            &["version", "services", "default", "global_allow_list", "global_deny_list"],
        );
        match root.text("version") {
            Some(version) if version.value == "v1" => {}
            Some(version) => self.report(
                Code::InvalidValue,
                version.span,
                format!("`{}` is not a version that is known here: `v1` is", version.value),
            ),
            None => self.report(Code::MissingKey, start(root), "an access list needs `version: v1`"),
        }
        let Some(services) = root.get("services") else {
            self.report(Code::MissingKey, start(root), "an access list needs `services`; smokescreen refuses it, too");
            return Acl::default();
        };
        let mut acl = Acl {
            deny: self.globs(root, "global_deny_list"),
            allow: self.globs(root, "global_allow_list"),
            ..Acl::default()
        };
        for item in self.items(services, "services") {
            self.table(item, "a service", &ROLE);
            let name = self.required(item, "name", "a service");
            let role = self.role(item, "a service");
            let (Some(name), Some(role)) = (name, role) else { continue };
            if acl.services.iter().any(|known| known.name == name.value) {
                self.report(Code::DuplicateId, name.span, format!("the service `{}` stands twice", name.value));
            }
            if name.value.is_empty()
                || name.value.len() > 256
                || name.value.contains(|c: char| c.is_control() || c == '*')
            {
                let message = "a service whose name is empty, longer than 256 bytes, or holds control characters or `*` cannot be a customer";
                self.report(Code::InvalidValue, name.span, message);
            }
            acl.services.push(Service { name: name.value, role });
        }
        if let Some(default) = root.get("default").filter(|node| !matches!(node.value, Value::Null)) {
            self.table(default, "`default`", &ROLE);
            acl.default = self.role(default, "`default`");
        }
        acl
    }

    fn role(&mut self, node: &Node, what: &str) -> Option<Role> {
        let action = self.required(node, "action", what);
        let action = match action.as_ref().map(|action| action.value.as_str()) {
            Some("enforce") => Some(Action::Enforce),
            Some("open") => Some(Action::Open),
            Some("report") => Some(Action::Report),
            _ => None,
        }
        .or_else(|| {
            let action = action?;
            self.report(
                Code::InvalidValue,
                action.span,
                format!("`{}` is no action: `enforce`, `report` and `open` are", action.value),
            );
            None
        });
        let role = Role {
            project: self.optional(node, "project"),
            action: action.unwrap_or(Action::Enforce),
            allowed: self.globs(node, "allowed_domains"),
            mitm: self.mitm(node),
            proxies: self.globs(node, "allowed_external_proxies"),
        };
        for mitm in role.mitm.iter().filter(|mitm| !role.allowed.contains(&mitm.domain)) {
            let message = format!(
                "`{}` is in `mitm_domains` and not in `allowed_domains`; smokescreen refuses it, too",
                mitm.domain.host()
            );
            self.report(Code::InvalidValue, node.get("mitm_domains").map_or(node.span, |node| node.span), message);
        }
        action.map(|_| role)
    }

    fn mitm(&mut self, node: &Node) -> Vec<Mitm> {
        let mut all = Vec::new();
        for item in self.list(node, "mitm_domains") {
            let keys = ["domain", "add_headers", "detailed_http_logs", "detailed_http_logs_full_headers"];
            self.table(item, "an entry of `mitm_domains`", &keys);
            let domain =
                self.required(item, "domain", "an entry of `mitm_domains`").and_then(|domain| self.glob(&domain));
            let mut headers = Vec::new();
            for member in item.get("add_headers").map(Node::members).unwrap_or_default() {
                match member.node.as_text() {
                    Some(value) => headers.push((member.key.value.clone(), value.value)),
                    None => self.wrong_type(&member.node, &member.key.value, "a string"),
                }
            }
            let asked = |key: &str| item.get(key).is_some_and(|node| node.as_bool() != Some(false));
            let logs = asked("detailed_http_logs") || asked("detailed_http_logs_full_headers");
            all.extend(domain.map(|domain| Mitm { domain, headers, logs }));
        }
        all
    }

    fn globs(&mut self, node: &Node, key: &str) -> Vec<Glob> {
        let mut globs = Vec::new();
        for item in self.list(node, key) {
            match item.as_text() {
                Some(text) => globs.extend(self.glob(&text)),
                None => self.wrong_type(item, key, "strings"),
            }
        }
        globs
    }

    /// Smokescreen's own rule: a wildcard stands for whole labels at the beginning, and not for everything.
    fn glob(&mut self, text: &Text) -> Option<Glob> {
        let (beneath, name) = match text.value.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text.value.as_str()),
        };
        if name.is_empty() || name.contains('*') {
            let message = format!("`{}` is no name and no `*.name`; smokescreen refuses it, too", text.value);
            self.report(Code::InvalidPattern, text.span, message);
            return None;
        }
        // Both compare without case and without the dot at the end.
        Some(Glob { beneath, name: name.trim_end_matches('.').to_lowercase() })
    }

    /// The elements under a key that may be missing, or have nothing behind it.
    fn list<'n>(&mut self, node: &'n Node, key: &str) -> &'n [Node] {
        match node.get(key) {
            Some(node) if !matches!(node.value, Value::Null) => self.items(node, key),
            _ => &[],
        }
    }

    fn items<'n>(&mut self, node: &'n Node, key: &str) -> &'n [Node] {
        if !matches!(node.value, Value::Array(_)) {
            self.wrong_type(node, key, "a list");
        }
        node.items()
    }

    fn required(&mut self, node: &Node, key: &str, what: &str) -> Option<Text> {
        let Some(value) = node.get(key) else {
            self.report(Code::MissingKey, start(node), format!("{what} needs `{key}`"));
            return None;
        };
        if value.as_text().is_none() {
            self.wrong_type(value, key, "a string");
        }
        value.as_text()
    }

    fn optional(&mut self, node: &Node, key: &str) -> Option<String> {
        let value = node.get(key).filter(|value| !matches!(value.value, Value::Null))?;
        if value.as_text().is_none() {
            self.wrong_type(value, key, "a string");
        }
        value.as_text().map(|text| text.value)
    }

    fn table(&mut self, node: &Node, what: &str, keys: &[&str]) {
        if !matches!(node.value, Value::Object(_)) {
            self.report(Code::WrongType, node.span, format!("{what} is a mapping, not {}", node.kind()));
        }
        for member in node.members() {
            if !keys.contains(&member.key.value.as_str()) {
                let message = format!("{what} has no key `{}`", member.key.value);
                let finding = Diagnostic::error(Code::UnknownKey, member.key.span, message);
                self.findings.push(finding.help("smokescreen passes over it; correct it, or take it out"));
            }
        }
    }

    fn wrong_type(&mut self, node: &Node, key: &str, wanted: &str) {
        self.report(Code::WrongType, node.span, format!("`{key}` takes {wanted}, not {}", node.kind()));
    }

    fn report(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.findings.push(Diagnostic::error(code, span, message));
    }
}

fn start(node: &Node) -> Span {
    Span { end: node.span.start, ..node.span }
}
