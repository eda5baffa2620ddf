//! What a replay found, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_test::plain::plain;

use super::tally::{Change, Group, Sample, Tally};
use super::verdict::Verdict;
use crate::json;
use crate::terminal::{StdoutError, Terminal};

/// Customers of a group that people see.
const SHOWN_CUSTOMERS: usize = 5;

/// Customers of a group that programs see.
const LISTED_CUSTOMERS: usize = 100;

/// Characters of a URL that people see.
const LONGEST_URL: usize = 160;

/// Lines that could not be read that are shown.
pub(crate) const SHOWN_UNREADABLE: usize = 5;

/// What was read, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// The counts.
    pub(crate) tally: Tally,
    /// Requests that say nowhere when they were made.
    pub(crate) without_time: u64,
    /// Entries that hold no decision and no request.
    pub(crate) other: u64,
    /// Entries that could not be read.
    pub(crate) unreadable: u64,
    /// The first of them: number of the line, and why.
    pub(crate) first_unreadable: Vec<(u64, String)>,
}

/// One group, for programs.
#[derive(Debug, Serialize)]
struct GroupLine<'g> {
    kind: &'static str,
    change: Change,
    count: u64,
    before: Option<&'g Verdict>,
    after: Option<&'g Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'g str>,
    customers: Vec<CustomerObject<'g>>,
    /// Requests of customers that are not listed.
    of_others: u64,
    samples: &'g [Sample],
}

#[derive(Debug, Serialize)]
struct CustomerObject<'g> {
    customer: Option<&'g str>,
    count: u64,
}

/// The sum, for programs.
#[derive(Debug, Serialize)]
struct SummaryLine<'r> {
    kind: &'static str,
    requests: u64,
    unchanged: u64,
    changes: BTreeMap<Change, u64>,
    /// Requests of a change whose groups were too many to keep apart.
    ungrouped: u64,
    without_time: u64,
    other_entries: u64,
    unreadable: u64,
    first_unreadable: Vec<UnreadableObject<'r>>,
}

#[derive(Debug, Serialize)]
struct UnreadableObject<'r> {
    line: u64,
    error: &'r str,
}

/// Writes one object a group, and the summary.
pub(crate) fn write(replay: &Replay, terminal: &mut Terminal) -> Result<(), StdoutError> {
    let tally = &replay.tally;
    for group in tally.groups() {
        let customers = group.customers();
        let unlisted: u64 = customers.iter().skip(LISTED_CUSTOMERS).map(|(_, count)| count).sum();
        let listed = customers.into_iter().take(LISTED_CUSTOMERS);
        let line = GroupLine {
            kind: "group",
            change: group.change,
            count: group.count,
            before: group.before.as_ref(),
            after: group.after.as_ref(),
            why: group.why.as_deref(),
            customers: listed.map(|(customer, count)| CustomerObject { customer, count }).collect(),
            of_others: unlisted + group.of_others,
            samples: &group.samples,
        };
        json::write_line(terminal.data(), &line)?;
    }
    let summary = SummaryLine {
        kind: "summary",
        requests: tally.total(),
        unchanged: tally.unchanged,
        changes: Change::ALL.into_iter().map(|change| (change, tally.count_of(change))).collect(),
        ungrouped: Change::ALL.into_iter().map(|change| tally.ungrouped_of(change)).sum(),
        without_time: replay.without_time,
        other_entries: replay.other,
        unreadable: replay.unreadable,
        first_unreadable: replay
            .first_unreadable
            .iter()
            .map(|(line, error)| UnreadableObject { line: *line, error })
            .collect(),
    };
    json::write_line(terminal.data(), &summary)
}

/// Tells people.
pub(crate) fn print(replay: &Replay, terminal: &mut Terminal) -> Result<(), StdoutError> {
    let tally = &replay.tally;
    for group in tally.groups() {
        terminal.line(headline(group))?;
        for Sample { customer, method, url } in &group.samples {
            let customer = customer.as_deref().unwrap_or("-");
            terminal.line(plain(&format!("    {customer:<12} {method:<7} {}", shortened(url))))?;
        }
    }
    for change in Change::ALL {
        let ungrouped = tally.ungrouped_of(change);
        if ungrouped > 0 {
            terminal.line(format_args!("{:<18} {ungrouped:>9}  by still other rules", change.words()))?;
        }
    }
    terminal.line(format_args!("{:<18} {:>9}", "unchanged", tally.unchanged))
}

/// `newly denied   12  rule api → default; customers acme (10), globex (2)`.
fn headline(group: &Group) -> String {
    let before = group.before.as_ref().map_or_else(|| "?".to_owned(), Verdict::to_string);
    let after = match (&group.after, &group.why) {
        (Some(after), _) => after.to_string(),
        (None, Some(why)) => format!("? ({why})"),
        (None, None) => "?".to_owned(),
    };
    let customers = group.customers();
    let mut names: Vec<_> = customers
        .iter()
        .take(SHOWN_CUSTOMERS)
        .map(|(customer, count)| match customer {
            Some(customer) => format!("{customer} ({count})"),
            None => format!("nobody named ({count})"),
        })
        .collect();
    let more = customers.len().saturating_sub(SHOWN_CUSTOMERS);
    if more > 0 || group.of_others > 0 {
        names.push(format!("and {}{more} more", if group.of_others > 0 { "at least " } else { "" }));
    }
    let noun = if customers.len() == 1 && group.of_others == 0 { "customer" } else { "customers" };
    let (words, count) = (group.change.words(), group.count);
    plain(&format!("{words:<18} {count:>9}  {before} → {after}; {noun} {}", names.join(", ")))
}

fn shortened(url: &str) -> String {
    match url.char_indices().nth(LONGEST_URL) {
        Some((end, _)) => format!("{}…", &url[..end]),
        None => url.to_owned(),
    }
}
