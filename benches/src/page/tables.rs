//! What stands in the places of the template.

use std::fmt::Write as _;

use super::{Workerd, shown, spread, thousands};
use crate::Results;
use crate::compile::Compilation;
use crate::domains::{self, Row};
use crate::machine::Machine;
use crate::measure::{Spread, count};
use crate::{decisions, queries};

/// In place of figures that the run has not.
const NOT_MEASURED: &str = "*Not measured in this run.*";

pub(super) fn machine(machine: &Machine) -> String {
    let versions: Vec<String> = machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "{}, {} cores, {} GiB; {}; {}, Tidegate at {}. {}.",
        machine.processor,
        machine.cores,
        machine.memory,
        machine.system,
        machine.day,
        machine.commit,
        versions.join(", ")
    )
}

pub(super) fn queries() -> String {
    format!(
        "Each structure is asked for {} hosts: nine in ten are on no list (well-known sites, 30 % as they are, half with a common label in front, the rest with a \
         random one or two), one in ten is an entry, half of these with a label in front. *hit* and *miss* are the two apart.",
        thousands(queries::HOSTS)
    )
}

pub(super) fn lookups(comparisons: &[domains::Comparison]) -> String {
    if comparisons.is_empty() {
        return NOT_MEASURED.to_owned();
    }
    let mut text = String::new();
    for comparison in comparisons {
        let _ = write!(
            text,
            "### {} names: {}\n\nThe list itself has {} bytes a name.\n\n\
             | structure | bytes | gzip | ns, mix | ns, hit | ns, miss | build, s | start, ms | checked |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
            thousands(comparison.names),
            comparison.list,
            shown(comparison.text),
        );
        for row in &comparison.rows {
            let _ = writeln!(text, "{}", lookup(row));
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

fn lookup(row: &Row) -> String {
    format!(
        "| {} | {}{} | {} | {} | {} | {} | {} | {} | {} |",
        if row.structure == "Tidegate" { "**Tidegate**" } else { &row.structure },
        row.bytes.map_or("not told".to_owned(), shown),
        if row.in_place || row.bytes.is_none() { "" } else { "*" },
        shown(row.gzip),
        spread(row.mix),
        shown(row.hit.median),
        shown(row.miss.median),
        shown(row.build),
        shown(row.start.median),
        if row.exact { thousands(row.checked) } else { "wrong by design".to_owned() },
    )
}

pub(super) fn requests(comparisons: &[decisions::Comparison]) -> String {
    let Some(last) = comparisons.last() else { return String::new() };
    format!(
        "There are {} requests, half of them of a kind that some rule speaks of; under {} rules {} are allowed.",
        thousands(last.requests),
        thousands(last.rules),
        thousands(last.allowed)
    )
}

pub(super) fn decisions(comparisons: &[decisions::Comparison]) -> String {
    let Some(first) = comparisons.first() else { return NOT_MEASURED.to_owned() };
    let mut text = "| ns a decision |".to_owned();
    for comparison in comparisons {
        let _ = write!(text, " {} rules |", thousands(comparison.rules));
    }
    text.push_str(" build, s |\n|---|");
    text.push_str(&"---:|".repeat(comparisons.len() + 1));
    for (at, engine) in first.rows.iter().enumerate() {
        let _ = write!(text, "\n| {} |", if engine.engine == "Tidegate" { "**Tidegate**" } else { &engine.engine });
        for comparison in comparisons {
            let _ = write!(text, " {} |", comparison.rows.get(at).map(|row| spread(row.decision)).unwrap_or_default());
        }
        let largest = comparisons.last().and_then(|comparison| comparison.rows.get(at));
        let _ = write!(text, " {} |", largest.map(|row| shown(row.build)).unwrap_or_default());
    }
    if let Some((rules, bytes)) = comparisons.last().and_then(|last| Some((last.rules, last.rows.first()?.bytes?))) {
        let _ = write!(
            text,
            "\n\n*build* is under {} rules, from their text. Our table of them has {} bytes.",
            thousands(rules),
            thousands(bytes)
        );
    }
    text
}

pub(super) fn workerd(workerd: Option<&Workerd>) -> String {
    let Some(workerd) = workerd else { return NOT_MEASURED.to_owned() };
    let facts: Vec<String> = workerd.machine.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let mut text = format!(
        "The same request through chains of a user Worker, an outbound Worker and an upstream, each wired statically in a workerd of its own; all run at once and are \
         loaded in turn. CPU is workerd's, user and kernel mode. ({})\n\n\
         | chain | | requests/s | p50, ms | p99, ms | CPU, µs a request | CPU against the same job | against the pass-through |\n|---|---|---:|---:|---:|---:|---:|---:|\n",
        facts.join("; ")
    );
    for chain in &workerd.rows {
        let figure = |rounds: &[f64]| spread(Spread::of(rounds.to_vec()));
        let against =
            |other| workerd.cpu_against(&chain.name, other).map_or(String::new(), |ratio| format!("{ratio:.2}×"));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            chain.name,
            chain.what,
            figure(&chain.requests_per_second),
            figure(&chain.p50_ms),
            figure(&chain.p99_ms),
            figure(&chain.cpu_us_per_request),
            against("js-same-job"),
            against("js-pass-through"),
        );
    }
    if let Some(lookup) = &workerd.lookup {
        let _ = write!(
            text,
            "\nA lookup in a table of {} made names takes {} ns in Wasm in workerd, and natively {} ns: the same function, the same hosts.\n",
            thousands(lookup.names),
            shown(lookup.wasm_ns),
            shown(lookup.native_ns)
        );
    }
    if !workerd.start.is_empty() {
        text.push_str("\n| names in the table | bytes | first request, ms | second, ms |\n|---:|---:|---:|---:|\n");
    }
    for start in &workerd.start {
        let figure = |rounds: &[f64]| spread(Spread::of(rounds.to_vec()));
        let (first, second) = (figure(&start.first_request_ms), figure(&start.second_request_ms));
        let (names, bytes) = (thousands(start.names), thousands(start.table_bytes));
        let _ = writeln!(text, "| {names} | {bytes} | {first} | {second} |");
    }
    text.trim_end().to_owned()
}

pub(super) fn compilation(compilation: Option<&Compilation>) -> String {
    let Some(run) = compilation else { return NOT_MEASURED.to_owned() };
    format!(
        "`tidegate compile`, a process of its own, of a policy with one rule on a list of {} names: read, checked, written as a table of {} bytes. *unchanged* is the same once \
         more. Memory is the most that was resident. *load* is `Policy::from_bytes`, which reads all bytes once for their checksum and copies none; beside it what a copy of the bytes costs.\n\n\
         | | |\n|---|---:|\n\
         | compile, s | {} |\n| compile, unchanged, s | {} |\n| memory, MiB | {} |\n| memory, unchanged, MiB | {} |\n| load, ms | {} |\n| load, ms a MB | {} |\n| copy of the bytes, ms | {} |",
        thousands(run.names),
        thousands(run.table),
        spread(run.cold),
        spread(run.warm),
        shown(run.cold_memory),
        shown(run.warm_memory),
        spread(run.load),
        shown(run.load.median / (count(run.table) / 1e6)),
        spread(run.copy),
    )
}

pub(super) fn growth(run: &Results) -> String {
    if run.names.is_empty() && run.customers.is_empty() {
        return NOT_MEASURED.to_owned();
    }
    let mut text =
        "Names of `pkg1m`, at equal distances, looked up with the mix; ns a lookup, and bytes a name.\n\n| names |"
            .to_owned();
    if let Some(first) = run.names.first() {
        for row in &first.rows {
            let _ = write!(text, " {}, ns | bytes |", row.structure);
        }
        let _ = write!(text, "\n|---:|{}", "---:|---:|".repeat(first.rows.len()));
    }
    for comparison in &run.names {
        let _ = write!(text, "\n| {} |", thousands(comparison.names));
        for row in &comparison.rows {
            let _ = write!(text, " {} | {} |", shown(row.mix.median), row.bytes.map(shown).unwrap_or_default());
        }
    }
    text.push_str(
        "\n\nCustomers, each with a tag and a variable that the policy holds, under a thousand rules by tag and name (with fewer than a hundred customers, \
         ten for each).\n\n| customers | ns a decision | bytes of the table | bytes a customer more | text to policy, s |\n|---:|---:|---:|---:|---:|",
    );
    let mut before: Option<&crate::customers::Row> = None;
    for row in &run.customers {
        // The rules are the same from a hundred customers on.
        let more = before.filter(|before| before.customers >= 100).map(|before| {
            shown(count(row.bytes.saturating_sub(before.bytes)) / count(row.customers - before.customers))
        });
        let _ = write!(
            text,
            "\n| {} | {} | {} | {} | {} |",
            thousands(row.customers),
            spread(row.decision),
            thousands(row.bytes),
            more.unwrap_or_default(),
            shown(row.build)
        );
        before = Some(row);
    }
    text
}

pub(super) fn lists(comparisons: &[domains::Comparison]) -> String {
    if comparisons.is_empty() {
        return NOT_MEASURED.to_owned();
    }
    let mut text = "| list | names | SHA-256 of its sorted text, a name a line |\n|---|---:|---|".to_owned();
    for comparison in comparisons {
        let _ = write!(text, "\n| {} | {} | `{}` |", comparison.list, thousands(comparison.names), comparison.sha256);
    }
    text
}
