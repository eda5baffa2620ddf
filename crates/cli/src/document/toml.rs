//! TOML.

use tidegate_compiler::source::{FileId, Spanned};
use toml::Spanned as TomlSpanned;
use toml::de::{DeTable, DeValue};

use super::{Member, Node, Unparsable, Value, object, span};

/// Parses a file.
pub(crate) fn parse(file: FileId, text: &str) -> Result<Node, Unparsable> {
    let table = DeTable::parse(text).map_err(|error| {
        let place = error.span().unwrap_or(0..0);
        Unparsable { span: span(file, place.start, place.end), message: error.message().to_owned() }
    })?;
    let place = table.span();
    Ok(Node { span: span(file, place.start, place.end), value: members(file, table.get_ref())? })
}

/// The parser bounds the depth, and takes no key twice.
fn node(file: FileId, spanned: &TomlSpanned<DeValue<'_>>) -> Result<Node, Unparsable> {
    let value = match spanned.get_ref() {
        DeValue::Array(items) => Value::Array(items.iter().map(|item| node(file, item)).collect::<Result<_, _>>()?),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(_) | DeValue::Float(_) | DeValue::Integer(_) => Value::Number,
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Table(table) => members(file, table)?,
    };
    let place = spanned.span();
    Ok(Node { span: span(file, place.start, place.end), value })
}

fn members(file: FileId, table: &DeTable<'_>) -> Result<Value, Unparsable> {
    let members = table.iter().map(|(key, value)| {
        let place = key.span();
        let key = Spanned { value: key.get_ref().to_string(), span: span(file, place.start, place.end) };
        Ok(Member { key, node: node(file, value)? })
    });
    let mut members = members.collect::<Result<Vec<_>, _>>()?;
    members.sort_by_key(|member| member.key.span.start);
    object(members)
}
