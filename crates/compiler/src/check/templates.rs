//! Templates: the values of `set` and of `jwt.claims`.
//!
//! ```text
//!   template = *( text | "{{" | "}}" | "{customer}" | "{vars." name "}" | "{secret." name "}" )
//!   name     = 1*( letter | digit | "_" | "-" )
//! ```

use crate::checked::{Template, TemplatePart};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Text;
use crate::tree::did_you_mean;

/// Parses a template.
pub(super) fn parse(text: &Text) -> Result<Template, Diagnostic> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text.value.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        literal.push_str(before);
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            literal.push_str(&from[..1]);
            rest = after;
            continue;
        }
        let Some((name, after)) = from.strip_prefix('{').and_then(|inside| inside.split_once('}')) else {
            let brace = &from[..1];
            let finding = Diagnostic::error(
                Code::InvalidValue,
                text.span,
                format!("a `{brace}` without its other half in the template `{}`", text.value),
            );
            return Err(finding.help(format!("for the character itself write `{brace}{brace}`")));
        };
        if !literal.is_empty() {
            parts.push(TemplatePart::Literal(std::mem::take(&mut literal)));
        }
        parts.push(part(name, text)?);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() || parts.is_empty() {
        parts.push(TemplatePart::Literal(literal));
    }
    Ok(Template(parts))
}

/// Whether a name can stand in `{vars.NAME}` or `{secret.NAME}`.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn part(name: &str, text: &Text) -> Result<TemplatePart, Diagnostic> {
    let unknown = || Diagnostic::error(Code::UnknownName, text.span, format!("there is no template `{{{name}}}`"));
    let all = "the templates are `{customer}`, `{vars.NAME}` and `{secret.NAME}`; a brace itself is `{{` or `}}`";
    if name == "customer" {
        return Ok(TemplatePart::Customer);
    }
    let Some((kind, key)) = name.split_once('.') else {
        return Err(match did_you_mean(name, ["customer"]) {
            Some(word) => unknown().help(format!("did you mean `{{{word}}}`?")),
            None => unknown().help(all),
        });
    };
    let part = match kind {
        "vars" => TemplatePart::Var(key.to_owned()),
        "secret" => TemplatePart::Secret(key.to_owned()),
        _ => {
            return Err(match did_you_mean(kind, ["vars", "secret"]) {
                Some(word) => unknown().help(format!("did you mean `{{{word}.{key}}}`?")),
                None => unknown().help(all),
            });
        }
    };
    if is_name(key) { Ok(part) } else { Err(unknown().help("a name is made of letters, digits, `_` and `-`")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span, Spanned};

    fn text(value: &str) -> Text {
        Spanned { value: value.to_owned(), span: Span { file: FileId(0), start: 0, end: 0 } }
    }

    fn parts(value: &str) -> Vec<TemplatePart> {
        parse(&text(value)).unwrap().0
    }

    #[test]
    fn a_template_is_text_with_places() {
        use TemplatePart::{Customer, Literal, Secret, Var};
        let literal = |text: &str| Literal(text.to_owned());
        assert_eq!(parts("plain"), [literal("plain")]);
        assert_eq!(parts(""), [literal("")]);
        assert_eq!(parts("{customer}"), [Customer]);
        assert_eq!(
            parts("a {vars.plan}{secret.API_KEY-2} b"),
            [literal("a "), Var("plan".to_owned()), Secret("API_KEY-2".to_owned()), literal(" b")]
        );
        assert_eq!(parts("{{customer}} {{{customer}}}"), [literal("{customer} {"), Customer, literal("}")]);
        assert_eq!(parts("é{{"), [literal("é{")]);
    }

    #[test]
    fn what_is_no_template_says_the_way_out() {
        for (value, code, help) in [
            ("{custmer}", Code::UnknownName, "did you mean `{customer}`?"),
            ("{var.plan}", Code::UnknownName, "did you mean `{vars.plan}`?"),
            ("{env.PLAN}", Code::UnknownName, "the templates are"),
            ("{vars.}", Code::UnknownName, "a name is made of"),
            ("{vars.a b}", Code::UnknownName, "a name is made of"),
            ("{}", Code::UnknownName, "the templates are"),
            ("{customer", Code::InvalidValue, "`{{`"),
            ("a}", Code::InvalidValue, "`}}`"),
            ("{{customer}", Code::InvalidValue, "`}}`"),
        ] {
            let finding = parse(&text(value)).unwrap_err();
            assert_eq!(finding.code, code, "{value}");
            assert!(finding.help[0].contains(help), "{value}: {:?}", finding.help);
        }
    }
}
