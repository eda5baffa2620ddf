//! Logs of traffic: what was asked, and what was decided.
//!
//! A log is JSON, an object a line. Lines of all these kinds may stand in one file; each says by its members what it is:
//!
//! | line | from | told by |
//! |---|---|---|
//! | decision record | the outbound Worker's console | `"event":"decision"` |
//! | the same with `worker` | `tidegate dev --format json` | the same |
//! | records within `logs[].message[]` | `wrangler tail --format json` | `logs` |
//! | records within `Logs[].Message[]` | Logpush, dataset `workers_trace_events` | `Logs` |
//! | request line | whoever writes `tidegate decide --requests` | `url` |
//! | any other `event` | the outbound Worker, `tidegate dev` | `event`; passed over |
//!
//! `wrangler tail` breaks its objects over many lines: a line `{` opens one that ends with a line `}`.
//!
//! # Who may have written it
//! User Workers write to their own logs, which Logpush may put into the same file; they could write decision records there.
//! A trace event of a Worker in a dispatch namespace is therefore passed over, whatever it says; no outbound Worker lives in
//! one. [`Log::open`] can be told the outbound Worker's name besides. What a record says of hosts, paths and
//! customers was chosen by tenants in any case.

mod record;
mod trace;

use std::io::{self, BufRead};
use std::path::Path;

use serde_json::Value;
use tidegate_test::request::RequestLine;

pub(crate) use record::{Place, Record};

use crate::files::FileError;
use crate::lines::{self, InputReader, LONGEST, Line, Lines};

/// Reads a log, an entry after the other, in memory that does not grow.
#[derive(Debug)]
pub(crate) struct Log<R> {
    lines: Lines<R>,
    line: u64,
    /// An object that is broken over several lines.
    block: Vec<u8>,
    worker: Option<String>,
}

/// What a line says, or an object over several lines.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Decisions: of a trace event there may be several.
    Decisions(Vec<Record>),
    /// Nothing that was decided: another event, a Worker that is not the one.
    Other,
    /// A request without a decision.
    Request(Box<RequestLine>),
    /// Neither; why.
    Unreadable(String),
}

impl Log<InputReader> {
    /// Opens a log; `-` is stdin. Of lines that name the Worker that wrote them, only those of `worker` count, if it is given.
    pub(crate) fn open(path: &Path, worker: Option<&str>) -> Result<Self, FileError> {
        Ok(Self::new(lines::open(path)?, worker))
    }
}

impl<R: BufRead> Log<R> {
    fn new(lines: Lines<R>, worker: Option<&str>) -> Self {
        Self { lines, line: 0, block: Vec::new(), worker: worker.map(str::to_owned) }
    }

    /// Bytes read so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.lines.consumed()
    }

    /// The next entry and the number of its first line, from 1; `None` at the end. Empty lines are none.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, Entry)>> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            self.line += 1;
            let first = self.line;
            let bytes = match line {
                Line::Bytes(bytes) => bytes.trim_ascii(),
                Line::TooLong => return Ok(Some((first, Entry::Unreadable(lines::TOO_LONG.to_owned())))),
            };
            if bytes.is_empty() {
                continue;
            }
            let entry = if bytes == b"{" {
                match self.rest_of_object()? {
                    Ok(()) => entry(&self.block, self.worker.as_deref()),
                    Err(why) => Entry::Unreadable(why),
                }
            } else {
                entry(bytes, self.worker.as_deref())
            };
            return Ok(Some((first, entry)));
        }
    }

    /// Reads on to the line that closes an object.
    fn rest_of_object(&mut self) -> io::Result<Result<(), String>> {
        self.block.clear();
        self.block.push(b'{');
        let mut too_long = false;
        while let Some(line) = self.lines.next()? {
            self.line += 1;
            let Line::Bytes(bytes) = line else {
                too_long = true;
                continue;
            };
            too_long |= self.block.len() + bytes.len() > LONGEST;
            if !too_long {
                self.block.extend_from_slice(bytes);
                self.block.push(b'\n');
            }
            if bytes.trim_ascii_end() == b"}" {
                return Ok(if too_long { Err("the object is longer than 4 MiB".to_owned()) } else { Ok(()) });
            }
        }
        Ok(Err("the object that begins here does not end".to_owned()))
    }
}

fn entry(bytes: &[u8], worker: Option<&str>) -> Entry {
    read(bytes, worker).unwrap_or_else(Entry::Unreadable)
}

fn read(bytes: &[u8], worker: Option<&str>) -> Result<Entry, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("the line is not UTF-8: {error}"))?;
    if !text.starts_with('{') {
        return Err("the line is not a JSON object".to_owned());
    }
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let member = |name: &str| value.get(name);
    if let Some(event) = member("event").and_then(Value::as_str) {
        if event != "decision" || !is_of(worker, member("worker")) {
            return Ok(Entry::Other);
        }
        return Ok(Entry::Decisions(vec![Record::read(value, None)?]));
    }
    if let Some(trace) = trace::Trace::of(&value) {
        if trace.is_of_a_tenant() || !is_of(worker, trace.worker()) {
            return Ok(Entry::Other);
        }
        let records = trace.records()?;
        return Ok(if records.is_empty() { Entry::Other } else { Entry::Decisions(records) });
    }
    if member("url").is_some() {
        return Ok(Entry::Request(Box::new(RequestLine::parse(bytes)?)));
    }
    Err("neither a decision record, a trace event of `wrangler tail` or Logpush, nor a request line".to_owned())
}

/// Whether a line that may name its Worker is of the one that is asked for.
fn is_of(wanted: Option<&str>, named: Option<&Value>) -> bool {
    match (wanted, named.and_then(Value::as_str)) {
        (Some(wanted), Some(named)) => wanted == named,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(host: &str) -> Value {
        json!({"event": "decision", "at": 7, "customer": "acme", "tags": ["paid"], "method": "GET", "scheme": "https",
            "host": host, "port": 443, "path": "/v1", "effect": "allow", "reason": "default", "rule": null,
            "rules": [], "enforced": false, "would_deny": []})
    }

    /// Line numbers and what was read: hosts of decisions, `?url`, `-`, `! why`.
    fn read_all(text: impl AsRef<[u8]>, worker: Option<&str>) -> Vec<String> {
        let mut log = Log::new(Lines::new(text.as_ref()), worker);
        let mut read = Vec::new();
        while let Some((line, entry)) = log.next().unwrap() {
            let entry = match entry {
                Entry::Decisions(records) => {
                    let host = |record: &Record| record.place.as_ref().map_or("none", |place| &place.host).to_owned();
                    records.iter().map(host).collect::<Vec<_>>().join(" ")
                }
                Entry::Other => "-".to_owned(),
                Entry::Request(request) => format!("?{}", request.request.url),
                Entry::Unreadable(why) => format!("! {why}"),
            };
            read.push(format!("{line} {entry}"));
        }
        read
    }

    #[test]
    fn every_line_says_what_it_is() {
        let other = r#"{"event":"upstream-failed","decision":"x"}"#;
        let request = r#"{"id":1,"url":"https://b.example/"}"#;
        let log = format!("{}\n\n{other}\r\n{request}\n", record("a.example"));
        assert_eq!(read_all(log, None), ["1 a.example", "3 -", "4 ?https://b.example/"]);
    }

    #[test]
    fn trace_events_hold_records_as_text_or_as_objects() {
        let tail = json!({"outcome": "ok", "scriptName": "gate", "eventTimestamp": 1_000_000, "event": {"request": {}},
            "logs": [{"level": "log", "timestamp": 1, "message": ["hello", record("a.example").to_string()]},
                     {"level": "log", "timestamp": 1, "message": [record("b.example")]}]});
        let logpush = json!({"Event": {}, "EventTimestampMs": 1, "ScriptName": "gate", "DispatchNamespace": "",
            "Logs": [{"Level": "log", "TimestampMs": 1, "Message": [record("c.example").to_string()]}]});
        let log = format!("{tail}\n{logpush}\n{}\n", json!({"logs": [], "scriptName": "gate"}));
        assert_eq!(read_all(&log, None), ["1 a.example b.example", "2 c.example", "3 -"]);
        assert_eq!(read_all(&log, Some("gate")).len(), 3);
        assert_eq!(read_all(&log, Some("other")), ["1 -", "2 -", "3 -"]);
    }

    #[test]
    fn what_a_tenants_worker_writes_is_no_decision() {
        for namespace in ["dispatchNamespace", "DispatchNamespace"] {
            let forged = json!({namespace: "customers", "scriptName": "evil",
                "logs": [{"message": [record("evil.example").to_string()]}]});
            assert_eq!(read_all(forged.to_string(), None), ["1 -"]);
        }
    }

    #[test]
    fn an_object_may_be_broken_over_lines() {
        let tail = json!({"scriptName": "gate", "logs": [{"message": [record("a.example").to_string()]}]});
        let pretty = serde_json::to_string_pretty(&tail).unwrap();
        let lines = pretty.lines().count();
        let log = format!("{pretty}\n{}\n{pretty}\n{{\n  \"logs\": [\n", record("b.example"));
        let expected = [
            "1 a.example".to_owned(),
            format!("{} b.example", lines + 1),
            format!("{} a.example", lines + 2),
            format!("{} ! the object that begins here does not end", 2 * lines + 2),
        ];
        assert_eq!(read_all(log, None), expected);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over_and_said() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
        let longest = format!(r#"{{"url":"{}"}}"#, "x".repeat(LONGEST));
        let open = format!("{{\n\"a\":\"{}\"\n}}\n", "x".repeat(LONGEST - 6));
        for (line, why) in [
            (b"nonsense".as_slice(), "not a JSON object"),
            (b"{\"url\":\"\xff\"}", "not UTF-8"),
            (b"{\"url\":\"a\0\"}", "control character"),
            (b"{}", "neither a decision record"),
            (b"[]", "not a JSON object"),
            (deep.as_bytes(), "recursion limit"),
            (longest.as_bytes(), "longer than 4 MiB"),
            (open.as_bytes(), "longer than 4 MiB"),
            (br#"{"event":"decision","host":"a.example"}"#, "missing field"),
            (br#"{"url":"https://a.example/","custmer":"acme"}"#, "unknown field"),
            (br#"{"logs":[{"message":["{\"event\":\"decision\"}"]}]}"#, "missing field"),
        ] {
            let log = [line, b"\n", record("a.example").to_string().as_bytes()].concat();
            let read = read_all(&log, None);
            assert_eq!(read.len(), 2, "{read:?}");
            assert!(read[0].starts_with("1 !") && read[0].contains(why), "{why}: {}", read[0]);
            assert!(read[1].ends_with(" a.example"));
        }
    }
}
