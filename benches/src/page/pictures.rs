//! What is drawn.

use tidegate_chart::{Bar, Bars, Chart, Group, Line, Panel, Scale};

use crate::Results;
use crate::domains::{Comparison, Row};
use crate::measure::count;

/// Names of files, and what goes into them.
pub(super) fn all(run: &Results) -> Vec<(&'static str, String)> {
    let mut pictures = Vec::new();
    if let Some(largest) = run.lookups.last() {
        pictures.push(("lookups.svg", lookups(largest)));
    }
    if !run.decisions.is_empty() {
        pictures.push(("decisions.svg", decisions(run)));
    }
    if !run.names.is_empty() {
        pictures.push(("growth-names.svg", names(&run.names)));
    }
    if !run.customers.is_empty() {
        pictures.push(("growth-rules.svg", rules_and_customers(run)));
    }
    pictures
}

/// What a bar shows, with the least and the most of it.
type Value = (f64, Option<(f64, f64)>);

fn lookups(comparison: &Comparison) -> String {
    let group = |title: &str, value: fn(&Row) -> Value| {
        let mut rows: Vec<&Row> = comparison.rows.iter().filter(|row| value(row).0 > 0.0).collect();
        rows.sort_by(|one, other| value(one).0.total_cmp(&value(other).0));
        let bar = |row: &Row| {
            let (value, range) = value(row);
            Bar { name: row.structure.replace('`', ""), value, range, ours: row.structure == "Tidegate" }
        };
        Group { title: title.to_owned(), bars: rows.into_iter().map(bar).collect() }
    };
    let groups = vec![
        group("time of a lookup, ns (nine in ten miss; line: least to most of the rounds)", |row| {
            (row.mix.median, Some((row.mix.least, row.mix.most)))
        }),
        group("bytes a name, where it is looked up", |row| (row.bytes.unwrap_or_default(), None)),
        group("from what is deployed to the first lookup, ms", |row| (row.start.median, None)),
    ];
    Bars { title: format!("{} names, looked up", super::thousands(comparison.names)), groups }.draw()
}

fn decisions(run: &Results) -> String {
    let engines = run.decisions.first().map_or(0, |first| first.rows.len());
    let line = |engine: usize| {
        let rows = run.decisions.iter().filter_map(|comparison| Some((comparison.rules, comparison.rows.get(engine)?)));
        let points = rows.clone().map(|(rules, row)| (count(rules), row.decision.median / 1e3)).collect();
        Line::new(&rows.clone().next().map(|(_, row)| row.engine.clone()).unwrap_or_default(), points)
    };
    let panel = Panel {
        title: "time of a decision, µs".to_owned(),
        along: "rules".to_owned(),
        height: 320.0,
        x: Scale::Logarithmic,
        y: Scale::Logarithmic,
        lines: (0..engines).map(line).collect(),
    };
    Chart { title: "Decisions under a growing number of rules".to_owned(), panels: vec![panel] }.draw()
}

fn names(comparisons: &[Comparison]) -> String {
    let structures = comparisons.first().map_or(0, |first| first.rows.len());
    let lines = |value: fn(&Row) -> f64| -> Vec<Line> {
        let line = |structure: usize| {
            let rows =
                comparisons.iter().filter_map(|comparison| Some((comparison.names, comparison.rows.get(structure)?)));
            let points = rows.clone().map(|(names, row)| (count(names), value(row))).collect();
            Line::new(&rows.clone().next().map(|(_, row)| row.structure.clone()).unwrap_or_default(), points)
        };
        (0..structures).map(line).collect()
    };
    let panel = |title: &str, y: Scale, lines: Vec<Line>| Panel {
        title: title.to_owned(),
        along: "names".to_owned(),
        height: 240.0,
        x: Scale::Logarithmic,
        y,
        lines,
    };
    let panels = vec![
        panel("time of a lookup, ns", Scale::Logarithmic, lines(|row| row.mix.median)),
        panel("bytes a name", Scale::Logarithmic, lines(|row| row.bytes.unwrap_or_default())),
    ];
    Chart { title: "Lists of a growing number of names".to_owned(), panels }.draw()
}

fn rules_and_customers(run: &Results) -> String {
    let panel = |title: &str, along: &str, y: Scale, points: Vec<(f64, f64)>| Panel {
        title: title.to_owned(),
        along: along.to_owned(),
        height: 160.0,
        x: Scale::Logarithmic,
        y,
        lines: vec![Line::new("Tidegate", points)],
    };
    let ours =
        |comparison: &crate::decisions::Comparison| Some((count(comparison.rules), comparison.rows.first()?.clone()));
    let rules: Vec<_> = run.decisions.iter().filter_map(ours).collect();
    let by_rules = rules.iter().map(|(rules, row)| (*rules, row.decision.median)).collect();
    let bytes_by_rules = rules.iter().filter_map(|(rules, row)| Some((*rules, count(row.bytes?) / rules))).collect();
    let by_customers = run.customers.iter().map(|row| (count(row.customers), row.decision.median)).collect();
    let megabytes = run.customers.iter().map(|row| (count(row.customers), count(row.bytes) / 1e6)).collect();
    let panels = vec![
        panel("time of a decision, ns", "rules", Scale::Linear, by_rules),
        panel("bytes of the table a rule", "rules", Scale::Linear, bytes_by_rules),
        panel("time of a decision, ns", "customers", Scale::Linear, by_customers),
        panel("table, MB", "customers", Scale::Logarithmic, megabytes),
    ];
    Chart { title: "Tidegate: growth with rules and with customers".to_owned(), panels }.draw()
}
