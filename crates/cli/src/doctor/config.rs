//! What a configuration says of a Worker, whichever way it is written.
//!
//! A wrangler configuration is one Worker and one more for each `[env.NAME]`. Of the keys of the top level an environment inherits those that
//! are no bindings; bindings it has to name itself.

use tidegate_compiler::source::{Span, Spanned, Text};

use super::bindings::{self, Kind, Reach};
use super::{Code, Finding, Severity};
use crate::document::{Node, Value};

/// A Worker as it is deployed from a file.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    /// Its name, with the environment's if wrangler adds that; the file's where none is said.
    pub(crate) name: String,
    /// The environment of a wrangler configuration.
    pub(crate) environment: Option<String>,
    /// Where it is named.
    pub(crate) place: Span,
    /// `YYYY-MM-DD`.
    pub(crate) compatibility_date: Option<Text>,
    /// Flags of the runtime.
    pub(crate) compatibility_flags: Vec<Text>,
    /// What it can do beside computing, but for dispatch namespaces.
    pub(crate) bindings: Vec<Binding>,
    /// Dispatch namespaces.
    pub(crate) dispatches: Vec<Dispatch>,
    /// Where it can be called from outside: what gives it the address, and where that stands.
    pub(crate) addresses: Vec<Text>,
    /// Keys that wrangler does not have.
    pub(crate) unknown_keys: Vec<Text>,
    /// Where its code begins.
    pub(crate) main: Option<Text>,
    /// The command that builds it.
    pub(crate) build: Option<String>,
}

/// One binding.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    /// Its name in `env`, as far as one is said.
    pub(crate) name: Text,
    /// Its kind; `None` for one that has not been looked at.
    pub(crate) kind: Option<&'static Kind>,
    /// The kind as it was written.
    pub(crate) written: String,
}

/// A dispatch namespace binding.
#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    /// Its name in `env`.
    pub(crate) name: String,
    /// The namespace.
    pub(crate) namespace: String,
    /// Where it stands.
    pub(crate) span: Span,
    /// What stands behind it.
    pub(crate) outbound: Option<Outbound>,
}

/// Where requests of a namespace's Workers go.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    /// The Worker's name.
    pub(crate) service: Text,
    /// Its environment.
    pub(crate) environment: Option<String>,
    /// What of it is called, if not its default export.
    pub(crate) entrypoint: Option<Text>,
    /// What is passed to it.
    pub(crate) parameters: Vec<Text>,
}

/// A dispatch namespace as the API shows it.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    /// Its name.
    pub(crate) name: String,
    /// Where `trusted_workers` is true.
    pub(crate) trusted: Option<Span>,
}

/// What one file holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Workers: of a wrangler configuration the one at the top level first, then those of its environments.
    pub(crate) workers: Vec<Worker>,
    /// Namespaces.
    pub(crate) namespaces: Vec<Namespace>,
    /// What could not be understood.
    pub(crate) findings: Vec<Finding>,
}

impl Contents {
    /// Reads a file's tree. `name` is the file's own, for a Worker that has no other; `is_wrangler` says that the file's
    /// name is one of wrangler's. `None` for what is neither a configuration, nor metadata, nor a namespace.
    pub(crate) fn read(root: &Node, name: &str, is_wrangler: bool) -> Option<Self> {
        let mut contents = Self::default();
        if root.get("main_module").or(root.get("body_part")).is_some() || is_bindings(root.get("bindings")) {
            contents.metadata(root, name);
        } else if let Some(namespaces) = namespaces(root) {
            contents.namespaces = namespaces;
        } else if is_wrangler || (root.get("name").is_some() && root.get("compatibility_date").is_some()) {
            contents.wrangler(root, name);
        } else {
            return None;
        }
        Some(contents)
    }

    fn wrangler(&mut self, root: &Node, file: &str) {
        let base = root.text("name").map_or_else(|| file.to_owned(), |name| name.value);
        let worker = self.environment(root, None, &base, None);
        self.workers.push(worker);
        for member in root.get("env").map(Node::members).unwrap_or_default() {
            let name = &member.key.value;
            let full = member.node.text("name").map_or_else(|| format!("{base}-{name}"), |name| name.value);
            let worker = self.environment(&member.node, Some(root), &full, Some(&member.key));
            self.workers.push(worker);
        }
        if let Some(previews) = root.get("previews") {
            let key = Spanned { value: "previews".to_owned(), span: previews.span };
            let worker = self.environment(previews, Some(root), &base, Some(&key));
            self.workers.push(worker);
        }
    }

    /// One environment; `top` is what it inherits from, if it is not the top level itself.
    fn environment(&mut self, own: &Node, top: Option<&Node>, name: &str, key: Option<&Text>) -> Worker {
        let inherited = |key: &str| own.get(key).or_else(|| top.and_then(|top| top.get(key)));
        self.table(own, "the environment");
        let mut worker = Worker {
            name: name.to_owned(),
            environment: key.map(|key| key.value.clone()),
            place: key.map(|key| key.span).or(own.get("name").map(|name| name.span)).unwrap_or(start_of(own)),
            compatibility_date: inherited("compatibility_date").and_then(Node::as_text),
            compatibility_flags: self.texts(inherited("compatibility_flags"), "compatibility_flags"),
            bindings: Vec::new(),
            dispatches: Vec::new(),
            addresses: addresses(inherited),
            unknown_keys: Vec::new(),
            main: inherited("main").and_then(Node::as_text),
            build: inherited("build").and_then(|build| build.text("command")).map(|command| command.value),
        };
        for member in own.members() {
            let key = member.key.value.as_str();
            match bindings::by_key(key) {
                Some(kind) if kind.reach == Reach::Dispatch => {
                    for item in self.items(&member.node, key) {
                        worker.dispatches.push(self.dispatch(item));
                    }
                }
                Some(kind) => bound(&member.key, &member.node, kind, &mut worker.bindings),
                None if key == "unsafe" => unsafe_bindings(&member.node, &mut worker.bindings),
                None if bindings::SETTINGS.contains(&key) => {}
                None => worker.unknown_keys.push(member.key.clone()),
            }
        }
        worker
    }

    fn dispatch(&mut self, item: &Node) -> Dispatch {
        self.table(item, "`dispatch_namespaces`");
        let text = |key: &str| item.text(key).map(|text| text.value).unwrap_or_default();
        let outbound = item.get("outbound").map(|outbound| {
            // Metadata says `worker: {service, …}` and `params: [{name}]`, wrangler `service` and `parameters`.
            let worker = outbound.get("worker").unwrap_or(outbound);
            self.table(worker, "`outbound`");
            let service = worker.text("service");
            if service.is_none() && !matches!(worker.value, Value::Text(_)) {
                self.malformed(outbound.span, "`outbound` names no `service`");
            }
            Outbound {
                service: service
                    .or_else(|| worker.as_text())
                    .unwrap_or(Spanned { value: String::new(), span: outbound.span }),
                environment: worker.text("environment").map(|text| text.value),
                entrypoint: worker.text("entrypoint"),
                parameters: self.parameters(outbound.get("parameters").or_else(|| outbound.get("params"))),
            }
        });
        let name = [text("binding"), text("name")].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        Dispatch { name, namespace: text("namespace"), span: item.span, outbound }
    }

    fn parameters(&mut self, node: Option<&Node>) -> Vec<Text> {
        let Some(node) = node else { return Vec::new() };
        let mut parameters = Vec::new();
        for item in self.items(node, "parameters") {
            match item.as_text().or_else(|| item.text("name")) {
                Some(name) => parameters.push(name),
                None => self.malformed(item.span, "a parameter is a name"),
            }
        }
        parameters
    }

    fn metadata(&mut self, root: &Node, name: &str) {
        let mut worker = Worker {
            name: name.to_owned(),
            environment: None,
            place: start_of(root),
            compatibility_date: root.text("compatibility_date"),
            compatibility_flags: self.texts(root.get("compatibility_flags"), "compatibility_flags"),
            bindings: Vec::new(),
            dispatches: Vec::new(),
            addresses: Vec::new(),
            unknown_keys: Vec::new(),
            main: None,
            build: None,
        };
        for item in root.get("bindings").map(|node| self.items(node, "bindings")).unwrap_or_default() {
            let Some(written) = item.text("type") else {
                self.malformed(item.span, "a binding has no `type`");
                continue;
            };
            let kind = bindings::by_metadata(&written.value);
            if kind.is_some_and(|kind| kind.reach == Reach::Dispatch) {
                worker.dispatches.push(self.dispatch(item));
                continue;
            }
            let name = item.text("name").unwrap_or_else(|| Spanned { value: String::new(), span: item.span });
            worker.bindings.push(Binding { name, kind, written: written.value });
        }
        if let Some(migrations) = root.get("migrations")
            && let Some(kind) = bindings::by_key("migrations")
        {
            let key = Spanned { value: "migrations".to_owned(), span: migrations.span };
            bound(&key, migrations, kind, &mut worker.bindings);
        }
        self.workers.push(worker);
    }

    fn texts(&mut self, node: Option<&Node>, key: &str) -> Vec<Text> {
        let Some(node) = node else { return Vec::new() };
        let texts: Vec<Text> = self.items(node, key).iter().filter_map(Node::as_text).collect();
        if texts.len() != node.items().len() {
            self.malformed(node.span, &format!("`{key}` must hold strings"));
        }
        texts
    }

    fn items<'n>(&mut self, node: &'n Node, key: &str) -> &'n [Node] {
        if !matches!(node.value, Value::Array(_)) {
            self.malformed(node.span, &format!("`{key}` must be an array, not {}", node.kind()));
        }
        node.items()
    }

    fn table(&mut self, node: &Node, what: &str) {
        if !matches!(node.value, Value::Object(_)) {
            self.malformed(node.span, &format!("{what} must be a table, not {}", node.kind()));
        }
    }

    fn malformed(&mut self, span: Span, message: &str) {
        self.findings.push(Finding {
            code: Code::Malformed,
            severity: Severity::Error,
            span,
            message: message.to_owned(),
            why: "what cannot be read cannot be judged".to_owned(),
            help: "write it as wrangler's configuration schema and the API say".to_owned(),
        });
    }
}

/// The bindings under a key: wrangler writes one, several, several under a further key, or names and values.
fn bound(key: &Text, node: &Node, kind: &'static Kind, found: &mut Vec<Binding>) {
    let mut add = |name: Text| found.push(Binding { name, kind: Some(kind), written: key.value.clone() });
    match kind.key {
        "vars" | "wasm_modules" | "text_blobs" | "data_blobs" => {
            node.members().iter().for_each(|member| add(member.key.clone()));
        }
        "secrets" => {
            node.get("required").map(Node::items).unwrap_or_default().iter().filter_map(Node::as_text).for_each(add);
        }
        "migrations" => {
            for (class, span) in classes(node) {
                add(Spanned { value: class, span });
            }
        }
        _ => {
            let mut nested = Vec::new();
            for inner in ["bindings", "producers", "consumers"] {
                nested.extend(node.get(inner).map(Node::items).unwrap_or_default());
            }
            let several = if nested.is_empty() { node.items().iter().collect() } else { nested };
            let all = if several.is_empty() && !node.members().is_empty() { vec![node] } else { several };
            for item in all {
                let name = ["binding", "name", "queue", "class_name"].into_iter().find_map(|name| item.text(name));
                add(name.unwrap_or_else(|| key.clone()));
            }
        }
    }
}

/// Classes that migrations make. Wrangler has a list of migrations, metadata one object with steps.
fn classes(node: &Node) -> Vec<(String, Span)> {
    let steps = node.get("steps").map_or_else(|| node.items(), Node::items);
    let all = steps.iter().chain(std::iter::once(node));
    let named = all.flat_map(|step| ["new_classes", "new_sqlite_classes"].into_iter().filter_map(|key| step.get(key)));
    named.flat_map(Node::items).filter_map(Node::as_text).map(|class| (class.value, class.span)).collect()
}

/// `[unsafe]`: bindings whose kind wrangler does not look at.
fn unsafe_bindings(node: &Node, found: &mut Vec<Binding>) {
    for item in node.get("bindings").map(Node::items).unwrap_or_default() {
        let name = item.text("name").unwrap_or_else(|| Spanned { value: String::new(), span: item.span });
        let written = item.text("type").map_or_else(|| "unsafe".to_owned(), |kind| kind.value);
        found.push(Binding { name, kind: bindings::by_metadata(&written), written });
    }
}

/// What gives a Worker an address. Without `workers_dev`, wrangler gives it one unless it has routes.
fn addresses<'n>(inherited: impl Fn(&str) -> Option<&'n Node>) -> Vec<Text> {
    let mut addresses = Vec::new();
    for key in ["route", "routes"] {
        if let Some(node) = inherited(key)
            && !matches!(&node.value, Value::Array(items) if items.is_empty())
        {
            addresses.push(Spanned { value: format!("`{key}`"), span: node.span });
        }
    }
    match inherited("workers_dev") {
        Some(node) if node.as_bool() == Some(false) => {}
        Some(node) => addresses.push(Spanned { value: "`workers_dev`".to_owned(), span: node.span }),
        None if addresses.is_empty() => {
            let span = inherited("name").map(|name| name.span);
            addresses.extend(
                span.map(|span| Spanned { value: "`workers_dev`, which is on unless it is `false`,".to_owned(), span }),
            );
        }
        None => {}
    }
    if let Some(node) = inherited("preview_urls").filter(|node| node.as_bool() != Some(false)) {
        addresses.push(Spanned { value: "`preview_urls`".to_owned(), span: node.span });
    }
    addresses
}

/// A namespace, or an answer of the API that holds one or several.
fn namespaces(root: &Node) -> Option<Vec<Namespace>> {
    let root = root.get("result").unwrap_or(root);
    let several = root.items();
    let all = if several.is_empty() { std::slice::from_ref(root) } else { several };
    let read = |node: &Node| {
        let trusted = node.get("trusted_workers")?;
        let name = node.text("namespace_name").or_else(|| node.text("name")).map(|name| name.value);
        // Anything but a plain `false` counts.
        let span = (trusted.as_bool() != Some(false)).then_some(trusted.span);
        Some(Namespace { name: name.unwrap_or_default(), trusted: span })
    };
    all.iter().map(read).collect()
}

fn is_bindings(node: Option<&Node>) -> bool {
    node.is_some_and(|node| matches!(node.value, Value::Array(_)))
}

fn start_of(node: &Node) -> Span {
    Span { end: node.span.start, ..node.span }
}
