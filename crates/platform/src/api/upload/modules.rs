//! The modules of an upload: their names, their types, the one that the Worker starts with.

use bytes::Bytes;

use super::super::body::essence;
use super::super::error::{Fault, shown};
use crate::worker::{Entry, Module, ModuleKind};

/// Names that begin so are the platform's own.
const RESERVED: &str = "__tidegate";
/// The longest name of a module, in bytes.
const LONGEST_NAME: usize = 1024;

/// A part of a form that is no metadata.
#[derive(Clone, Debug)]
pub(in super::super) struct Part {
    /// The name of its field.
    pub(in super::super) field: String,
    /// The name of its file, if it has one.
    pub(in super::super) file: Option<String>,
    /// Its `Content-Type`, if it has one.
    pub(in super::super) content_type: Option<String>,
    /// Its bytes.
    pub(in super::super) content: Bytes,
}

impl Part {
    /// What other modules import it as: clients that give files a name mean that.
    pub(in super::super) fn name(&self) -> &str {
        self.file.as_deref().filter(|file| !file.is_empty()).unwrap_or(&self.field)
    }

    /// Metadata calls a part by either name.
    fn is_called(&self, name: &str) -> bool {
        self.name() == name || self.field == name
    }
}

/// Where the metadata says that the Worker starts: by the name of a part's field or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Start {
    /// `main_module`.
    MainModule(String),
    /// `body_part`.
    BodyPart(String),
}

/// What is wrong with an upload that has neither code nor static assets.
pub(in super::super) fn nothing_to_start() -> Fault {
    Fault::Invalid(
        "the metadata names neither a `main_module` nor a `body_part`, so there is nothing to start".to_owned(),
    )
}

/// Finds the part that the Worker starts with. A part whose file has the name goes before one whose field has it.
pub(in super::super) fn entry(start: &Start, parts: &[Part]) -> Result<Entry, Fault> {
    let (key, name) = match start {
        Start::MainModule(name) => ("main_module", name),
        Start::BodyPart(name) => ("body_part", name),
    };
    let found =
        parts.iter().find(|part| part.name() == name).or_else(|| parts.iter().find(|part| part.is_called(name)));
    let Some(found) = found else {
        return Err(Fault::Invalid(format!(
            "No such module \"{}\": `{key}` of the metadata names a part that the upload does not have; its parts are {}",
            shown(name),
            listed(parts)
        )));
    };
    let name = found.name().to_owned();
    Ok(match start {
        Start::MainModule(_) => Entry::MainModule(name),
        Start::BodyPart(_) => Entry::BodyPart(name),
    })
}

/// The name of the module that a binding (`wasm_module`, `text_blob`, `data_blob`) calls by the name of a part.
pub(in super::super) fn module_called(name: &str, parts: &[Part]) -> Option<String> {
    parts.iter().find(|part| part.is_called(name)).map(|part| part.name().to_owned())
}

/// Makes modules of parts.
pub(in super::super) fn modules(parts: Vec<Part>, entry: &Entry) -> Result<Vec<Module>, Fault> {
    let mut seen = std::collections::HashSet::new();
    let mut modules = Vec::with_capacity(parts.len());
    for part in parts {
        let name = part.name().to_owned();
        check_name(&name)?;
        if !seen.insert(name.clone()) {
            return Err(Fault::Invalid(format!("the upload has two modules with the name `{}`", shown(&name))));
        }
        let kind = kind(&part, entry)?;
        if entry.name() == Some(&name) {
            check_start(entry, kind)?;
        }
        let content_type = part.content_type.unwrap_or_else(|| content_type(kind).to_owned());
        modules.push(Module { name, kind, content_type, content: part.content });
    }
    Ok(modules)
}

/// A Worker starts with an ES module, or with a classic script, as its metadata says.
fn check_start(entry: &Entry, kind: ModuleKind) -> Result<(), Fault> {
    let (key, wanted) = match entry {
        Entry::MainModule(_) if kind != ModuleKind::EsModule => ("main_module", ModuleKind::EsModule),
        Entry::BodyPart(_) if kind != ModuleKind::CommonJs => ("body_part", ModuleKind::CommonJs),
        _ => return Ok(()),
    };
    Err(Fault::Invalid(format!(
        "`{key}` names `{}`, which was uploaded as `{}` and must be `{}`",
        shown(entry.name().unwrap_or_default()),
        content_type(kind),
        content_type(wanted)
    )))
}

/// The `Content-Type` of a module that came without one.
fn content_type(kind: ModuleKind) -> &'static str {
    match kind {
        ModuleKind::CommonJs => "application/javascript",
        ModuleKind::Data => "application/octet-stream",
        ModuleKind::EsModule => "application/javascript+module",
        ModuleKind::Json => "application/json",
        ModuleKind::SourceMap => "application/source-map",
        ModuleKind::Text => "text/plain",
        ModuleKind::Wasm => "application/wasm",
    }
}

fn kind(part: &Part, entry: &Entry) -> Result<ModuleKind, Fault> {
    let Some(content_type) = &part.content_type else { return Ok(kind_without_type(part.name(), entry)) };
    Ok(match essence(content_type).as_str() {
        "application/javascript+module" | "text/javascript+module" => ModuleKind::EsModule,
        "application/javascript" | "text/javascript" | "application/x-javascript" => ModuleKind::CommonJs,
        "application/wasm" => ModuleKind::Wasm,
        "application/json" => ModuleKind::Json,
        "application/source-map" => ModuleKind::SourceMap,
        "text/plain" => ModuleKind::Text,
        "application/octet-stream" => ModuleKind::Data,
        python @ ("text/x-python" | "text/x-python-requirement") => {
            return Err(Fault::Invalid(format!(
                "module `{}` is `{python}`, and this platform runs no Python",
                shown(part.name())
            )));
        }
        unknown => {
            return Err(Fault::Invalid(format!(
                "module `{}` is of the type `{}`, which is none of those that modules can have: \
                 application/javascript+module, application/javascript, application/wasm, application/json, text/plain, \
                 application/octet-stream, application/source-map",
                shown(part.name()),
                shown(unknown)
            )));
        }
    })
}

fn kind_without_type(name: &str, entry: &Entry) -> ModuleKind {
    match entry {
        Entry::MainModule(main) if name == main => return ModuleKind::EsModule,
        Entry::BodyPart(script) if name == script => return ModuleKind::CommonJs,
        _ => {}
    }
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "mjs") => ModuleKind::EsModule,
        Some("cjs") => ModuleKind::CommonJs,
        Some("wasm") => ModuleKind::Wasm,
        Some("json") => ModuleKind::Json,
        Some("txt" | "html") => ModuleKind::Text,
        Some("map") => ModuleKind::SourceMap,
        _ => ModuleKind::Data,
    }
}

/// A name must stay within the bundle, and out of the platform's part of it.
fn check_name(name: &str) -> Result<(), Fault> {
    let refused = |why: &str| Err(Fault::Invalid(format!("`{}` cannot be the name of a module: {why}", shown(name))));
    if name.is_empty() || name.len() > LONGEST_NAME {
        return refused("a name has 1 to 1024 bytes");
    }
    if name.chars().any(char::is_control) {
        return refused("it holds a control character");
    }
    if name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|segment| segment == "..") {
        return refused("it would lie outside of the bundle; give a path within it");
    }
    let plain = name.split(['/', '\\']).find(|segment| !matches!(*segment, "" | ".")).unwrap_or_default();
    if plain.starts_with(RESERVED) {
        return refused("names that begin with `__tidegate` are the platform's own; rename it");
    }
    Ok(())
}

fn listed(parts: &[Part]) -> String {
    const MOST: usize = 10;
    if parts.is_empty() {
        return "none".to_owned();
    }
    let mut names: Vec<String> = parts.iter().take(MOST).map(|part| format!("`{}`", shown(part.name()))).collect();
    if parts.len() > MOST {
        names.push(format!("and {} more", parts.len() - MOST));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(field: &str, file: Option<&str>, content_type: Option<&str>) -> Part {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Part {
            field: field.to_owned(),
            file: owned(file),
            content_type: owned(content_type),
            content: Bytes::from_static(b"x"),
        }
    }

    #[test]
    fn the_main_module_is_found_by_field_or_file_as_each_client_names_it() {
        let module = |name: &str| Start::MainModule(name.to_owned());
        let cases: &[(&str, Start, Part, &str)] = &[
            ("wrangler: both are the name", module("w.js"), part("w.js", Some("w.js"), None), "w.js"),
            ("Cloudflare's example: the file", module("n.mjs"), part("script", Some("n.mjs"), None), "n.mjs"),
            ("SDKs: the file, in a field `files`", module("a.mjs"), part("files", Some("a.mjs"), None), "a.mjs"),
            (
                "curl -F script=@script.js",
                Start::BodyPart("script".into()),
                part("script", Some("script.js"), None),
                "script.js",
            ),
            ("a field without a file", module("w.js"), part("w.js", None, None), "w.js"),
        ];
        for (case, start, part, name) in cases {
            assert_eq!(entry(start, std::slice::from_ref(part)).unwrap().name(), Some(*name), "{case}");
        }
        let refused = entry(&module("x.js"), &[part("w.js", None, None)]).unwrap_err();
        let Fault::Invalid(message) = refused else { panic!("{refused:?}") };
        assert!(message.starts_with("No such module \"x.js\"") && message.contains("`w.js`"), "{message}");
    }

    #[test]
    fn a_module_is_what_its_type_says_and_without_one_what_its_name_says() {
        let entry = Entry::MainModule("main".to_owned());
        let cases = [
            (Some("application/javascript+module"), "a", ModuleKind::EsModule),
            (Some("text/javascript+module; charset=utf-8"), "a", ModuleKind::EsModule),
            (Some("application/javascript"), "a.mjs", ModuleKind::CommonJs),
            (Some("APPLICATION/WASM"), "a", ModuleKind::Wasm),
            (Some("text/plain;charset=utf-8"), "a", ModuleKind::Text),
            (Some("application/octet-stream"), "a", ModuleKind::Data),
            (Some("application/json"), "a", ModuleKind::Json),
            (Some("application/source-map"), "a", ModuleKind::SourceMap),
            (None, "main", ModuleKind::EsModule),
            (None, "b.js", ModuleKind::EsModule),
            (None, "b.wasm", ModuleKind::Wasm),
            (None, "b", ModuleKind::Data),
        ];
        for (content_type, name, expected) in cases {
            assert_eq!(kind(&part(name, None, content_type), &entry), Ok(expected), "{content_type:?} {name}");
        }
        for bad in ["text/x-python", "text/x-python-requirement", "text/html", "image/png", ""] {
            let refused = kind(&part("m", None, Some(bad)), &entry).unwrap_err();
            assert!(matches!(&refused, Fault::Invalid(why) if why.contains("`m`") && why.contains(bad)), "{refused:?}");
        }
    }

    #[test]
    fn names_that_leave_the_bundle_or_enter_the_platforms_part_of_it_are_refused() {
        for good in ["worker.js", "./a.wasm", "a/b.js", "..a", "a..b", "é.js", "node_modules/x/i.js"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "a\\..\\b",
            "..",
            "a\0b",
            "\\a",
            "__tidegate.js",
            "./__tidegate/x.js",
            "a\nb",
        ] {
            assert!(matches!(check_name(bad), Err(Fault::Invalid(_))), "{bad:?}");
        }
    }

    #[test]
    fn two_modules_of_one_name_are_refused_whatever_their_fields() {
        let entry = Entry::MainModule("a.js".to_owned());
        let parts = vec![part("files", Some("a.js"), None), part("a.js", None, None)];
        let refused = modules(parts, &entry).unwrap_err();
        assert!(matches!(&refused, Fault::Invalid(why) if why.contains("two modules") && why.contains("`a.js`")));
    }

    #[test]
    fn a_worker_starts_with_what_its_metadata_says() {
        let cases = [
            (Entry::MainModule("s".to_owned()), "application/javascript+module", true),
            (Entry::MainModule("s".to_owned()), "application/javascript", false),
            (Entry::MainModule("s".to_owned()), "application/octet-stream", false),
            (Entry::BodyPart("s".to_owned()), "application/javascript", true),
            (Entry::BodyPart("s".to_owned()), "application/javascript+module", false),
            (Entry::BodyPart("s".to_owned()), "text/plain", false),
        ];
        for (entry, content_type, starts) in cases {
            let made = modules(vec![part("s", None, Some(content_type))], &entry);
            assert_eq!(made.is_ok(), starts, "{entry:?} as {content_type}: {made:?}");
            assert!(modules(vec![part("s", None, None)], &entry).is_ok(), "{entry:?} without a type");
        }
    }
}
