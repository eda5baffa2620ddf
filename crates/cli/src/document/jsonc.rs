//! JSON with comments and trailing commas, as wrangler reads it.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use tidegate_compiler::source::{FileId, Spanned};

use super::{Member, Node, Unparsable, Value, object, span};

/// What wrangler's parser takes beyond JSON, and nothing else: a looser reader would judge another file than wrangler deploys.
const DIALECT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Parses a file.
pub(crate) fn parse(file: FileId, text: &str) -> Result<Node, Unparsable> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &DIALECT).map_err(|error| Unparsable {
        span: span(file, error.range().start, error.range().end),
        message: lower(&error.kind().to_string()),
    })?;
    match &parsed.value {
        Some(value) => node(file, value),
        None => Err(Unparsable { span: span(file, 0, 0), message: "the file is empty".to_owned() }),
    }
}

/// The parser bounds the depth.
fn node(file: FileId, value: &ast::Value<'_>) -> Result<Node, Unparsable> {
    let range = value.range();
    let value = match value {
        ast::Value::Array(array) => {
            Value::Array(array.elements.iter().map(|element| node(file, element)).collect::<Result<_, _>>()?)
        }
        ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::NumberLit(_) => Value::Number,
        ast::Value::Object(found) => {
            let members = found.properties.iter().map(|property| {
                let place = property.name.range();
                let key = property.name.as_str().to_owned();
                let key = Spanned { value: key, span: span(file, place.start, place.end) };
                Ok(Member { key, node: node(file, &property.value)? })
            });
            object(members.collect::<Result<_, _>>()?)?
        }
        ast::Value::StringLit(literal) => Value::Text(literal.value.clone().into_owned()),
    };
    Ok(Node { span: span(file, range.start, range.end), value })
}

fn lower(message: &str) -> String {
    let mut characters = message.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}
