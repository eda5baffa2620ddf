//! A policy's table in a Wasm module: the custom section [`SECTION`].
//!
//! A module is a header of 8 bytes and a run of sections, each a kind, a length and that many bytes (WebAssembly core
//! specification §5.5). Custom sections may stand anywhere and mean nothing to the machine, so that a table can be put at the
//! end of a module that was built long before.
//!
//! ```text
//!   \0asm 1 │ type │ import │ … │ code │ data │ custom "name" │ custom "tidegate.policy" ‹table›
//! ```

use wasmparser::{Encoding, Parser, Payload};

/// The section's name; the Worker looks for it in its own module.
pub const SECTION: &str = "tidegate.policy";

/// Why a module cannot take, or does not hold, a table.
#[derive(Debug, thiserror::Error)]
pub enum WasmError {
    /// A component, which Workers cannot be.
    #[error("it is a WebAssembly component, not a module")]
    Component,
    /// Not Wasm, or damaged.
    #[error("it is no WebAssembly module: {0}")]
    NotWasm(String),
    /// No table in it.
    #[error("the module has no section `{SECTION}`")]
    NoTable,
    /// More than one table in it.
    #[error("the module has {0} sections `{SECTION}`")]
    SeveralTables(usize),
    /// The table is longer than a section can be.
    #[error("the table is too large for a section")]
    TableTooLarge,
}

/// The module with `table` as its only section of that name; everything else byte for byte as it was.
pub fn embed(module: &[u8], table: &[u8]) -> Result<Vec<u8>, WasmError> {
    let name_length = leb128(SECTION.len())?;
    let content = leb128(name_length.len() + SECTION.len() + table.len())?;
    let mut out = Vec::with_capacity(module.len() + table.len() + 32);
    let mut kept = 0;
    for section in sections(module)? {
        if section.table.is_some() {
            out.extend_from_slice(&module[kept..section.start]);
            kept = section.end;
        }
    }
    out.extend_from_slice(&module[kept..]);
    out.push(0);
    out.extend(content);
    out.extend(name_length);
    out.extend_from_slice(SECTION.as_bytes());
    out.extend_from_slice(table);
    Ok(out)
}

/// The table in a module.
pub fn extract(module: &[u8]) -> Result<&[u8], WasmError> {
    let tables: Vec<_> = sections(module)?.into_iter().filter_map(|section| section.table).collect();
    match tables.as_slice() {
        [] => Err(WasmError::NoTable),
        [table] => Ok(table),
        several => Err(WasmError::SeveralTables(several.len())),
    }
}

/// Whether bytes begin as a module does.
pub fn is_wasm(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm")
}

struct Section<'m> {
    /// First byte, that of the section's kind.
    start: usize,
    end: usize,
    /// Its contents, if it is a table's.
    table: Option<&'m [u8]>,
}

fn sections(module: &[u8]) -> Result<Vec<Section<'_>>, WasmError> {
    let mut sections = Vec::new();
    let mut start = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|error| WasmError::NotWasm(error.to_string()))?;
        if let Payload::Version { encoding, range, .. } = &payload {
            if *encoding == Encoding::Component {
                return Err(WasmError::Component);
            }
            start = place(range.end)?;
        }
        let Some((_, range)) = payload.as_section() else { continue };
        let end = place(range.end)?;
        let table = match &payload {
            Payload::CustomSection(section) if section.name() == SECTION => Some(section.data()),
            _ => None,
        };
        sections.push(Section { start, end, table });
        start = end;
    }
    Ok(sections)
}

fn place(offset: u64) -> Result<usize, WasmError> {
    usize::try_from(offset).map_err(|_| WasmError::NotWasm("it is too large for this machine".to_owned()))
}

/// A length as Wasm writes it: unsigned LEB128, at most 32 bits.
fn leb128(length: usize) -> Result<Vec<u8>, WasmError> {
    let mut rest = u32::try_from(length).map_err(|_| WasmError::TableTooLarge)?;
    let mut bytes = Vec::with_capacity(5);
    loop {
        let [low, ..] = (rest & 0x7f).to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            bytes.push(low);
            return Ok(bytes);
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type section and an empty custom section.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\0\x05\x04name";

    #[test]
    fn a_table_goes_in_and_comes_out() {
        let table = vec![7; 300];
        let module = embed(MODULE, &table).unwrap();
        assert!(module.starts_with(MODULE), "what was there stays");
        assert_eq!(extract(&module).unwrap(), table);
    }

    #[test]
    fn an_existing_table_is_replaced_wherever_it_stands() {
        let once = embed(MODULE, b"old").unwrap();
        let mut in_the_middle = once.clone();
        in_the_middle.extend_from_slice(b"\0\x03\x02xy");
        let again = embed(&in_the_middle, b"new").unwrap();
        assert_eq!(extract(&again).unwrap(), b"new");
        assert!(again.windows(5).any(|window| window == b"\0\x03\x02xy"), "the section behind it stays");
        assert_eq!(embed(&once, b"new").unwrap(), embed(MODULE, b"new").unwrap());
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for bytes in [&b""[..], b"#!/bin/sh", b"\0asm", b"\0asm\x02\0\0\0", &MODULE[..MODULE.len() - 1]] {
            assert!(matches!(embed(bytes, b"table"), Err(WasmError::NotWasm(_))), "{bytes:?}");
        }
        assert!(embed(b"\0asm\x0d\0\x01\0", b"table").is_err(), "a component");
    }

    #[test]
    fn a_module_without_exactly_one_table_has_none() {
        assert!(matches!(extract(MODULE), Err(WasmError::NoTable)));
        let mut twice = embed(MODULE, b"one").unwrap();
        twice.extend_from_slice(b"\0\x11\x0ftidegate.policyx");
        assert!(matches!(extract(&twice), Err(WasmError::SeveralTables(2))));
    }
}
