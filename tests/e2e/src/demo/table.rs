//! The demo's table: a row for each decision.

use anyhow::Result;
use serde_json::Value;
use tidegate_e2e::Captured;
use tidegate_e2e::jwt::VerifyingKeys;

use crate::requests::Step;

/// Headers that the example policy sets.
const INJECTED: [&str; 3] = ["x-tenant", "x-plan", "x-api-key"];

const HEAD: [&str; 5] = ["customer", "request", "decision", "rule", "arrived upstream"];

/// What was decided about one request, and what arrived of it.
pub(crate) struct Row {
    shows: &'static str,
    cells: [String; 5],
    allowed: bool,
}

impl Row {
    /// `hop` counts the redirects that were followed.
    pub(crate) fn new(
        step: &Step,
        hop: usize,
        record: &Value,
        request: Option<&Captured>,
        keys: &VerifyingKeys,
    ) -> Result<Self> {
        let text = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
        let allowed = record["effect"] == "allow";
        let decision = if allowed { text("effect") } else { format!("{} ({})", text("effect"), text("reason")) };
        let cells = [
            step.customer.unwrap_or("-").to_owned(),
            match hop {
                0 => step.to_string(),
                _ => format!("… {} {}{}", text("method"), text("host"), text("path")),
            },
            decision,
            text("rule"),
            arrived(request, keys)?,
        ];
        Ok(Self { shows: step.shows, cells, allowed })
    }
}

/// What the upstream saw: the URL's scheme and the headers that are the platform's own, the token verified.
fn arrived(request: Option<&Captured>, keys: &VerifyingKeys) -> Result<String> {
    let Some(request) = request else { return Ok("nothing".to_owned()) };
    let mut seen: Vec<String> =
        INJECTED.iter().filter_map(|name| Some(format!("{name}: {}", request.header(name)?))).collect();
    if let Some(header) = request.header("authorization") {
        let token = keys.verify_header(Some(&header))?;
        let claim = |name: &str| token.claim(name).unwrap_or("-").to_owned();
        seen.push(format!("JWT verified: sub {}, plan {}", claim("sub"), claim("plan")));
    }
    if request.header("upgrade").is_some() {
        seen.push("upgrade: websocket".to_owned());
    }
    Ok(if seen.is_empty() { format!("{}, as it was sent", request.scheme) } else { seen.join(", ") })
}

/// Prints the table, with a line before each row that says what it shows.
pub(crate) fn print(rows: &[Row]) {
    let width = |column: usize| {
        rows.iter().map(|row| row.cells[column].chars().count()).chain([HEAD[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let cells: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    };
    line(&HEAD);
    println!("{}", "-".repeat(widths.iter().sum::<usize>() + 2 * (HEAD.len() - 1)));
    let mut shown = "";
    for row in rows {
        if row.shows != shown {
            println!("# {}", row.shows);
            shown = row.shows;
        }
        line(&row.cells.each_ref().map(String::as_str));
    }
}

/// Prints the counts.
pub(crate) fn print_summary(rows: &[Row]) {
    let allowed = rows.iter().filter(|row| row.allowed).count();
    println!(
        "{} decisions: {allowed} allowed and arrived, {} refused; nothing of those left the platform.",
        rows.len(),
        rows.len() - allowed
    );
}
