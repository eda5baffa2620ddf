//! `identity`, `customers`, `enforce-for`: who requests are of.

use std::collections::BTreeMap;

use super::Names;
use super::templates::is_name;
use crate::checked::{AnyRunGlob, Customer, EnforceFor, Identity, Mode, Pattern};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Text};
use crate::syntax::{CustomerEntry, EnforceForEntry, IdentityEntry};
use crate::tree::{Entry, Texts};

/// The longest name of a customer, in bytes.
const MAX_CUSTOMER: usize = 256;

/// How requests name their tenant; `None` for `identity = "none"`.
pub(super) fn identity(entry: Option<&IdentityEntry>, findings: &mut Vec<Diagnostic>) -> Option<Identity> {
    let (customer, tags, vars) = match entry {
        Some(IdentityEntry::None) => return None,
        Some(IdentityEntry::Parameters { customer, tags, vars }) => (customer.as_ref(), tags.as_ref(), vars.as_ref()),
        None => (None, None, None),
    };
    let customer = customer.map_or_else(|| vec!["customer_name".to_owned()], |path| property_path(path, findings));
    Some(Identity {
        customer,
        tags: tags.map(|path| property_path(path, findings)),
        vars: vars.map(|path| property_path(path, findings)),
    })
}

/// `[customers]` of one file, added to those of the others.
pub(super) fn customers<'f>(
    entries: &'f [CustomerEntry],
    customers: &mut BTreeMap<String, Customer>,
    names: &mut Names<'f>,
    findings: &mut Vec<Diagnostic>,
) {
    for entry in entries {
        if let Err(why) = customer_name(&entry.name.value) {
            let message = format!("`{}` is not the name of a customer: {why}", entry.name.value);
            findings.push(Diagnostic::error(Code::InvalidValue, entry.name.span, message));
        }
        if !names.customers.declare(&entry.name, "customer", findings) {
            continue;
        }
        for (name, _) in &entry.vars {
            if !is_name(&name.value) {
                let message = format!("`{}` is not a name that `{{vars.NAME}}` can have", name.value);
                findings.push(
                    Diagnostic::error(Code::InvalidValue, name.span, message)
                        .help("a name is made of letters, digits, `_` and `-`"),
                );
            }
        }
        let tags = entry.tags.as_ref().map(|tags| self::tags(tags, findings)).unwrap_or_default();
        let vars = entry.vars.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect();
        customers.insert(
            entry.name.value.clone(),
            Customer { tags: tags.into_iter().collect(), vars, span: Some(entry.name.span) },
        );
    }
}

/// `enforce-for`, which only a policy in report mode has.
pub(super) fn enforce_for(
    entry: Option<&Entry<Vec<EnforceForEntry>>>,
    mode: Mode,
    names: &Names<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Vec<EnforceFor> {
    let Some(entry) = entry else { return Vec::new() };
    if mode == Mode::Enforce {
        let finding = Diagnostic::error(
            Code::MisplacedKey,
            entry.key,
            "`enforce-for` without `mode = \"report\"`: everybody is enforced already",
        );
        findings.push(finding.help("set `mode = \"report\"`, or leave `enforce-for` out"));
    }
    if !names.has_identity {
        findings.push(needs_identity(entry.key, "`enforce-for`"));
    }
    entry
        .value
        .iter()
        .map(|entry| EnforceFor {
            tags: entry.tags.as_ref().map(|it| tags_of_requests(it, names, findings)),
            customers: entry.customers.as_ref().map(|it| customer_globs(it, findings)),
            percent: entry.percent,
        })
        .collect()
}

/// Customer names and globs in a condition.
pub(super) fn customer_globs(texts: &Texts, findings: &mut Vec<Diagnostic>) -> Vec<AnyRunGlob> {
    let mut globs = Vec::new();
    for text in &texts.value {
        match customer_name(&text.value) {
            Ok(()) => globs.push(AnyRunGlob(Pattern { text: text.value.clone(), span: text.span })),
            Err(why) => {
                let message = format!("no customer is called `{}`: {why}", text.value);
                findings.push(Diagnostic::error(Code::UnmatchablePattern, text.span, message));
            }
        }
    }
    globs
}

/// Tags in a condition: such as a request can have.
pub(super) fn tags_of_requests(texts: &Texts, names: &Names<'_>, findings: &mut Vec<Diagnostic>) -> Vec<String> {
    if let Some(known) = &names.tags {
        for tag in texts.value.iter().filter(|tag| !tag.value.is_empty() && !known.contains(&tag.value)) {
            let message = format!("no request has the tag `{}`", tag.value);
            findings.push(
                Diagnostic::error(Code::UnmatchablePattern, tag.span, message)
                    .help("let requests bring their tags: `[identity]` with `tags = \"customer_tags\"`")
                    .help(format!(
                        "or give it to customers here: `[customers.NAME]` with `tags = [\"{}\"]`",
                        tag.value
                    )),
            );
        }
    }
    tags(texts, findings)
}

/// Tags, compared exactly.
fn tags(texts: &Texts, findings: &mut Vec<Diagnostic>) -> Vec<String> {
    for tag in &texts.value {
        if tag.value.is_empty() {
            findings.push(Diagnostic::error(Code::InvalidValue, tag.span, "a tag is not empty"));
        }
    }
    texts.value.iter().map(|tag| tag.value.clone()).collect()
}

/// What is wrong with something that only requests with a customer can have.
pub(super) fn needs_identity(span: Span, what: &str) -> Diagnostic {
    let message = format!("{what} needs to know the customer, and `identity = \"none\"` says that nobody does");
    Diagnostic::error(Code::MisplacedKey, span, message)
        .help("name the parameter that tells the customer: `[identity]` with `customer = \"customer_name\"`")
}

fn customer_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("a name has at least one byte")
    } else if name.bytes().filter(|&byte| byte != b'*').count() > MAX_CUSTOMER {
        Err("a name has at most 256 bytes")
    } else if name.chars().any(char::is_control) {
        Err("a name has no control characters")
    } else {
        Ok(())
    }
}

/// `params_object.customer_name` → its steps.
fn property_path(path: &Text, findings: &mut Vec<Diagnostic>) -> Vec<String> {
    let steps: Vec<String> = path.value.split('.').map(str::to_owned).collect();
    if steps.iter().any(String::is_empty) {
        let message = format!("`{}` does not name an outbound parameter", path.value);
        findings.push(
            Diagnostic::error(Code::InvalidValue, path.span, message).help(
                "write a name, or names with dots between to reach into an object: `params_object.customer_name`",
            ),
        );
    }
    steps
}
