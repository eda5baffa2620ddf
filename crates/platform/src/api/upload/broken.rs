//! Uploads that cannot be read, and whose sender is known: versions 7.0 to 7.3 of the npm package `cloudflare`.
//!
//! ```text
//!   PUT …/scripts/NAME            Content-Type: application/javascript       though a form follows
//!   --BOUNDARY
//!   Content-Disposition: form-data; name="metadata[main_module]"             the metadata in pieces
//!   …
//!   Content-Disposition: form-data; name="files[]"; filename="worker.mjs"
//! ```
//!
//! Read as a script, that is a syntax error in its first line, which helps nobody; and pieces such as
//! `metadata[bindings][][type]` do not say which of them belong together. So it is refused, with the way out.

use serde_json::Value;

use super::super::error::{Fault, shown};

/// What a script would have to begin with to be a form: nothing that JavaScript could begin with.
const FORM: &str = "content-disposition: form-data";

/// Refuses a script that is a form, or its metadata.
pub(super) fn refuse_form_in_script(script: &[u8]) -> Result<(), Fault> {
    let Some(first) = script.iter().find(|byte| !byte.is_ascii_whitespace()) else { return Ok(()) };
    let is_broken = match first {
        b'-' => is_form(script),
        b'{' => serde_json::from_slice::<Value>(script).is_ok_and(|value| value.get("metadata").is_some()),
        _ => false,
    };
    if is_broken { Err(refused("a form is called a script by its Content-Type")) } else { Ok(()) }
}

/// Refuses a field of a form that is a piece of what must be one part: `metadata[main_module]`.
pub(super) fn refuse_piece(field: &str, part: &str) -> Result<(), Fault> {
    if field.strip_prefix(part).is_some_and(|rest| rest.starts_with('[')) {
        Err(refused(&format!("`{part}` came in pieces, such as `{}`", shown(field))))
    } else {
        Ok(())
    }
}

/// Whether the first line is a boundary and the second says that this is a part of a form.
fn is_form(body: &[u8]) -> bool {
    let mut lines = body.split(|byte| *byte == b'\n');
    let boundary = lines.next().is_some_and(|line| line.starts_with(b"--"));
    let header = lines.next().unwrap_or_default();
    boundary && header.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM.as_bytes()))
}

fn refused(what: &str) -> Fault {
    Fault::Invalid(format!(
        "{what}, as version 7 of the npm package `cloudflare` sends uploads; use its version 6.5.0, or send \
         `multipart/form-data` whose part `metadata` (of settings: `settings`) is one JSON object"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_in_a_script_is_recognised_and_a_script_is_not_taken_for_one() {
        let broken = [
            "------formdata-undici-077524382479\r\nContent-Disposition: form-data; name=\"metadata[main_module]\"\r\n\r\n",
            "--b\ncontent-disposition: FORM-DATA; name=\"files[]\"\n",
            "{\"metadata\":{\"main_module\":\"worker.mjs\"}}",
        ];
        for body in broken {
            let refused = refuse_form_in_script(body.as_bytes()).unwrap_err();
            assert!(matches!(&refused, Fault::Invalid(why) if why.contains("6.5.0")), "{body}: {refused:?}");
        }
        for script in [
            "",
            "--count;\naddEventListener('fetch', () => {});",
            "// --b\n// Content-Disposition: form-data",
            "{ let metadata = 1; }",
            "{\"use strict\"}",
            "--b",
        ] {
            assert_eq!(refuse_form_in_script(script.as_bytes()), Ok(()), "{script}");
        }
    }

    #[test]
    fn a_piece_of_the_metadata_is_refused_by_its_name() {
        for field in ["metadata[main_module]", "metadata[bindings][][type]", "metadata[]"] {
            let refused = refuse_piece(field, "metadata").unwrap_err();
            assert!(matches!(&refused, Fault::Invalid(why) if why.contains(field)), "{refused:?}");
        }
        for field in ["metadata", "metadata.js", "files[]", "a[metadata[", "my-metadata[a]"] {
            assert_eq!(refuse_piece(field, "metadata"), Ok(()), "{field}");
        }
    }
}
