//! `[lists]`: declarations; the files' contents are the business of [`crate::list`].

use super::Names;
use crate::cache::Cache;
use crate::checked::List;
use crate::diagnostic::{Code, Diagnostic};
use crate::list::{self, Contents, Kind};
use crate::load::{LoadedFile, MAX_LIST, read_text};
use crate::source::{FileId, SourceMap};
use crate::syntax::{ListEntry, ListFormat};
use crate::tree::{did_you_mean, one_of};

/// `[lists]` of one file, added to those of the others.
pub(super) fn lists<'f>(
    file: &'f LoadedFile,
    cache: Option<&Cache>,
    lists: &mut Vec<List>,
    names: &mut Names<'f>,
    sources: &mut SourceMap,
    findings: &mut Vec<Diagnostic>,
) {
    for entry in &file.policy.lists {
        super::id(&entry.id, "list", findings);
        if !names.lists.declare(&entry.id, "list", findings) {
            continue;
        }
        let (source, contents) =
            read(entry, file, cache, sources, findings).unwrap_or_else(|| (entry.id.span.file, Contents::default()));
        lists.push(List {
            id: entry.id.value.clone(),
            names: contents.names,
            alone: contents.alone,
            beneath: contents.beneath,
            skipped: contents.skipped,
            file: source,
            format: entry.format.as_ref().map_or(ListFormat::Domains, |format| format.value),
            span: entry.id.span,
        });
    }
}

fn read(
    entry: &ListEntry,
    file: &LoadedFile,
    cache: Option<&Cache>,
    sources: &mut SourceMap,
    findings: &mut Vec<Diagnostic>,
) -> Option<(FileId, Contents)> {
    // Whatever the format, a file that is not there is a finding.
    let path = entry.file.as_ref().map(|named| file.directory.join(&named.value));
    let text = entry.file.as_ref().zip(path.as_ref()).and_then(|(named, path)| {
        let text = read_text(path, MAX_LIST).map_err(|fault| {
            sources.add_unread(path);
            findings.push(fault.at(named.span));
        });
        text.ok()
    });
    let format = entry.format.as_ref()?;
    let skip = skip(entry, format.value, findings);
    let (named, path, text) = (entry.file.as_ref()?, path?, text?);
    let before = findings.len();
    let id = sources.add(&path, text);
    let text = &sources.file(id).text;
    let mut read = || {
        let contents = list::read(format.value, &skip, id, text, findings);
        (contents, findings.len() == before)
    };
    let contents = match cache {
        Some(cache) => cache.contents(format.value, &skip, text, read),
        None => read().0,
    };
    if contents.is_empty() && findings.len() == before {
        let message = format!("the list `{}` holds no name", entry.id.value);
        let finding = Diagnostic::error(Code::EmptyList, named.span, message).warning();
        findings.push(finding.help("rules with this list meet nothing by it; was the file fetched as a whole?"));
    }
    Some((id, contents))
}

fn skip(entry: &ListEntry, format: ListFormat, findings: &mut Vec<Diagnostic>) -> Vec<Kind> {
    let known = Kind::of(format);
    let mut kinds = Vec::new();
    for text in entry.skip.iter().flat_map(|texts| &texts.value) {
        if let Some(&kind) = known.iter().find(|kind| kind.name() == text.value) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
            continue;
        }
        let names = || known.iter().map(|kind| kind.name());
        let message = format!("there is no kind of line called `{}` in this format", text.value);
        let finding = Diagnostic::error(Code::UnknownName, text.span, message);
        findings.push(match did_you_mean(&text.value, names()) {
            Some(name) => finding.help(format!("did you mean `{name}`?")),
            None => finding.help(format!("what can be passed over is {}", one_of(names()))),
        });
    }
    kinds
}
