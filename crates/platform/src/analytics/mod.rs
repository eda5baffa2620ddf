//! The Analytics Engine: data points that Workers write, kept as rows that one can read back.
//!
//! ```text
//!   DATA/analytics.sqlite     one table of all points, made with the first
//! ```
//!
//! Points are the tenants', and so are their number and their size: they are in a file of their own, in which the newest
//! of each dataset stay, and which grows to a limit. Whoever has the account reads them with SQL, on a connection that
//! cannot write, under what guards [D1](crate::d1) too. Each dataset is a view there.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter, types::Value as Sql};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clock;
use crate::d1::{self, D1Error};
use crate::store::private;

/// Blobs and doubles of a point.
const COLUMNS: usize = 20;

/// The bytes of a point's blobs, all together.
const LARGEST_BLOBS: usize = 16 * 1024;

/// The bytes of a point's index.
const LARGEST_INDEX: usize = 96;

/// Points of a dataset; beyond them the oldest go.
const MOST_POINTS: i64 = 100_000;

/// How long points are kept, as SQLite says it.
const KEPT: &str = "-3 months";

/// The largest file, in bytes.
const LARGEST_FILE: i64 = 1 << 30;

/// Points are counted once for so many that are written.
const BETWEEN_COUNTS: u32 = 1000;

/// How long SQLite waits for another connection.
const BUSY: Duration = Duration::from_secs(5);

/// A point, as a Worker writes it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct DataPoint {
    #[serde(default)]
    blobs: Vec<Option<String>>,
    #[serde(default)]
    doubles: Vec<Option<f64>>,
    #[serde(default)]
    indexes: Vec<Option<String>>,
}

/// What cannot be written, or asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnalyticsError {
    /// A point that is larger than points are.
    #[error("{0}")]
    Point(&'static str),
    /// A query.
    #[error("{0}")]
    Query(String),
    /// It cannot be made.
    #[error("cannot open {}: {error}", .path.display())]
    Folder {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The platform is being stopped.
    #[error("the data points are closed")]
    Closed,
    /// The file.
    #[error("the data points cannot be kept: {0}")]
    File(#[from] rusqlite::Error),
}

/// The points of a data folder. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct Analytics(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Mutex<Option<Writer>>,
    turn: Semaphore,
    closed: AtomicBool,
}

struct Writer {
    connection: Connection,
    uncounted: u32,
}

impl Analytics {
    /// Those in a file, which need not be there yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(Arc::new(Inner {
            path,
            writer: Mutex::default(),
            turn: Semaphore::new(1),
            closed: AtomicBool::new(false),
        }))
    }

    /// Waits for a turn to write, on a thread that need not block: Workers write points faster than a disk takes them.
    pub(crate) async fn turn_to_write(&self) -> Option<SemaphorePermit<'_>> {
        self.0.turn.acquire().await.ok()
    }

    /// Keeps a point. Blocks.
    pub(crate) fn write(&self, dataset: &str, point: &DataPoint) -> Result<(), AnalyticsError> {
        check(point)?;
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.closed.load(Ordering::Relaxed) {
            return Err(AnalyticsError::Closed);
        }
        let writer = match &mut *writer {
            Some(writer) => writer,
            none => none.insert(Writer { connection: create(&self.0.path)?, uncounted: BETWEEN_COUNTS }),
        };
        match writer.insert(dataset, point) {
            // Of the file, that is; a disk that is full has no room for more of others' points either.
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == ErrorCode::DiskFull && writer.is_full()? =>
            {
                // The oldest tenth of all makes room.
                let sql = "DELETE FROM points WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 10 FROM points)";
                writer.connection.execute(sql, ())?;
                Ok(writer.insert(dataset, point)?)
            }
            done => Ok(done?),
        }
    }

    /// Answers a query, as Cloudflare does: `{meta, data, rows}`. Blocks.
    pub(crate) fn query(&self, sql: &str) -> Result<Value, AnalyticsError> {
        let sql = statement(sql)?;
        if self.0.closed.load(Ordering::Relaxed) {
            return Err(AnalyticsError::Closed);
        }
        if !self.0.path.exists() {
            create(&self.0.path)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.0.path, flags)?;
        connection.busy_timeout(BUSY)?;
        let datasets: Vec<String> = connection
            .prepare("SELECT DISTINCT lower(dataset) FROM points")?
            .query_map((), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        // SQLite tells no names apart by their case.
        for dataset in datasets.iter().filter(|name| is_dataset(name)) {
            let columns = columns().join(", ");
            connection.execute_batch(&format!(
                r#"CREATE TEMP VIEW "{dataset}" AS SELECT timestamp, dataset, _sample_interval, {columns} FROM main.points
                   WHERE lower(dataset) = '{dataset}'"#
            ))?;
        }
        let sql = if sql.eq_ignore_ascii_case("show tables") {
            "SELECT DISTINCT dataset, 'dataset' AS type FROM points"
        } else {
            sql
        };
        let outcome = d1::read(connection, sql, Arc::new(AtomicBool::new(false)));
        let outcome = outcome.map_err(|error: D1Error| AnalyticsError::Query(error.to_string()))?;
        let rows: Value = serde_json::from_str(&outcome.results).unwrap_or_default();
        Ok(answer(&rows))
    }

    /// Closes the file; what was written is in it. What comes later is refused.
    pub(crate) fn close(&self) {
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.closed.store(true, Ordering::Relaxed);
        writer.take();
    }
}

impl Writer {
    /// Whether the file is as large as it may be.
    fn is_full(&self) -> rusqlite::Result<bool> {
        let number = |pragma: &str| self.connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        Ok(number("page_count")? >= number("max_page_count")?)
    }

    fn insert(&mut self, dataset: &str, point: &DataPoint) -> rusqlite::Result<()> {
        let mut values = vec![Sql::Text(stamp()), Sql::Text(dataset.to_owned())];
        let text = |text: Option<&Option<String>>| Sql::Text(text.cloned().flatten().unwrap_or_default());
        values.push(text(point.indexes.first()));
        values.extend((0..COLUMNS).map(|at| text(point.blobs.get(at))));
        let number = |at: usize| Sql::Real(point.doubles.get(at).copied().flatten().unwrap_or_default());
        values.extend((0..COLUMNS).map(number));
        let marks = vec!["?"; values.len()].join(", ");
        let sql = format!("INSERT INTO points (timestamp, dataset, {}) VALUES ({marks})", columns().join(", "));
        self.connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
        self.uncounted += 1;
        if self.uncounted >= BETWEEN_COUNTS {
            self.uncounted = 0;
            self.connection.execute("DELETE FROM points WHERE timestamp < datetime(?1, ?2)", (stamp(), KEPT))?;
            let oldest = "DELETE FROM points WHERE dataset = ?1 AND id <= \
                          (SELECT id FROM points WHERE dataset = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
            self.connection.execute(oldest, (dataset, MOST_POINTS))?;
        }
        Ok(())
    }
}

/// Now, as SQLite writes it.
fn stamp() -> String {
    clock::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Whether something can be the name of a dataset: it is that of a table, too.
pub(crate) fn is_dataset(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=100).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.to_ascii_lowercase().starts_with("sqlite_")
        && !name.eq_ignore_ascii_case("points")
}

fn check(point: &DataPoint) -> Result<(), AnalyticsError> {
    let size = |texts: &[Option<String>]| texts.iter().flatten().map(String::len).sum::<usize>();
    if point.blobs.len() > COLUMNS || point.doubles.len() > COLUMNS || point.indexes.len() > 1 {
        return Err(AnalyticsError::Point("a data point has at most 20 blobs, 20 doubles and one index"));
    }
    if size(&point.blobs) > LARGEST_BLOBS || size(&point.indexes) > LARGEST_INDEX {
        return Err(AnalyticsError::Point("a data point has at most 16 KB of blobs and an index of 96 bytes"));
    }
    Ok(())
}

/// `index1`, `blob1` … `double20`.
fn columns() -> Vec<String> {
    let numbered = |kind: &'static str| (1..=COLUMNS).map(move |number| format!("{kind}{number}"));
    std::iter::once("index1".to_owned()).chain(numbered("blob")).chain(numbered("double")).collect()
}

fn create(path: &Path) -> Result<Connection, AnalyticsError> {
    private(path).map_err(|error| AnalyticsError::Folder { path: path.to_owned(), error })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // A loss of power may cost the last points, and nothing else.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    connection.pragma_update_and_check(None, "max_page_count", LARGEST_FILE / page.max(512), |_| Ok(()))?;
    let kind = |column: &String| {
        let kind = if column.starts_with("double") { "REAL" } else { "TEXT" };
        format!("{column} {kind} NOT NULL")
    };
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS points (
             id INTEGER PRIMARY KEY,
             timestamp TEXT NOT NULL,
             dataset TEXT NOT NULL,
             _sample_interval INTEGER NOT NULL DEFAULT 1,
             {}
         ) STRICT;
         CREATE INDEX IF NOT EXISTS points_by_dataset ON points (dataset);",
        columns().iter().map(kind).collect::<Vec<_>>().join(", ")
    ))?;
    Ok(connection)
}

/// One statement, without what Cloudflare's has beyond SQLite's: that is refused by name, or means nothing.
fn statement(sql: &str) -> Result<&str, AnalyticsError> {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    let clause = sql.rsplit_once(|character: char| character.is_ascii_whitespace()).and_then(|(rest, format)| {
        let rest = rest.trim_end();
        let (before, word) = rest.split_at_checked(rest.len().checked_sub("format".len())?)?;
        word.eq_ignore_ascii_case("format").then_some((before.trim_end(), format))
    });
    let (sql, format) = clause.map_or((sql, None), |(sql, format)| (sql, Some(format)));
    match format {
        None => {}
        Some(json) if json.eq_ignore_ascii_case("json") => {}
        Some(other) => return Err(AnalyticsError::Query(format!("`FORMAT {other}` is not offered: answers are JSON"))),
    }
    for word in unquoted(sql) {
        // What SQLite cannot read at all; other functions it refuses by name itself.
        let lower = word.to_ascii_lowercase();
        if lower == "interval" {
            let instead = "`INTERVAL` is not offered: write `timestamp > datetime('now', '-1 day')`";
            return Err(AnalyticsError::Query(instead.to_owned()));
        }
        if lower.starts_with("quantile") || lower.starts_with("topk") {
            return Err(AnalyticsError::Query(format!("the function `{word}` is not offered")));
        }
    }
    Ok(sql)
}

/// The words of a statement outside of quotes.
fn unquoted(sql: &str) -> impl Iterator<Item = &str> {
    let outside = sql.split(['\'', '"', '`']).step_by(2);
    outside.flat_map(|text| text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_'))
}

/// Rows as Cloudflare answers them.
fn answer(rows: &Value) -> Value {
    let empty = Vec::new();
    let names = rows["columns"].as_array().unwrap_or(&empty);
    let rows = rows["rows"].as_array().unwrap_or(&empty);
    let kind = |at: usize, name: &Value| match rows.iter().map(|row| &row[at]).find(|value| !value.is_null()) {
        _ if name == "timestamp" => "DateTime",
        Some(Value::Number(number)) if number.is_f64() => "Float64",
        Some(Value::Number(_)) => "Int64",
        _ => "String",
    };
    let meta: Vec<Value> =
        names.iter().enumerate().map(|(at, name)| json!({ "name": name, "type": kind(at, name) })).collect();
    let row = |row: &Value| -> Value {
        let cells = names.iter().enumerate();
        cells
            .map(|(at, name)| (name.as_str().unwrap_or_default().to_owned(), row[at].clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let data: Vec<Value> = rows.iter().map(row).collect();
    json!({ "meta": meta, "rows": data.len(), "rows_before_limit_at_least": data.len(), "data": data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(blob: &str, double: f64) -> DataPoint {
        DataPoint {
            blobs: vec![Some(blob.to_owned()), None],
            doubles: vec![Some(double)],
            indexes: vec![Some("acme".to_owned())],
        }
    }

    #[test]
    fn points_are_read_back_by_dataset_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let analytics = Analytics::new(folder.path().join("analytics.sqlite"));
        assert_eq!(analytics.query("SHOW TABLES").unwrap()["rows"], 0);
        analytics.write("visits", &point("a", 1.5)).unwrap();
        analytics.write("visits", &point("b", 2.0)).unwrap();
        analytics.write("others", &point("c", 4.0)).unwrap();
        let rows = analytics
            .query("SELECT blob1, index1, SUM(_sample_interval * double1) AS total FROM visits GROUP BY blob1 ORDER BY 1 FORMAT JSON;")
            .unwrap();
        assert_eq!(
            rows["data"],
            json!([{ "blob1": "a", "index1": "acme", "total": 1.5 }, { "blob1": "b", "index1": "acme", "total": 2.0 }])
        );
        assert_eq!((&rows["rows"], &rows["meta"][2]), (&json!(2), &json!({ "name": "total", "type": "Float64" })));
        let recent = "SELECT count(*) AS n, typeof(max(timestamp)) AS t FROM visits WHERE timestamp > datetime('now', '-1 day') AND blob2 = ''";
        assert_eq!(analytics.query(recent).unwrap()["data"], json!([{ "n": 2, "t": "text" }]));
        assert_eq!(analytics.query("SHOW TABLES").unwrap()["rows"], 2);
        analytics.close();
        let again = Analytics::new(folder.path().join("analytics.sqlite"));
        assert_eq!(again.query("SELECT 1 AS one FROM visits").unwrap()["rows"], 2);
        for (bad, why) in [
            ("DELETE FROM points", "not authorized"),
            ("INSERT INTO visits VALUES (1)", "SQLITE"),
            ("DROP VIEW visits", "not authorized"),
            ("CREATE TABLE t (a)", "not authorized"),
            ("ATTACH 'x' AS y", "not authorized"),
            ("PRAGMA table_info(points)", "not authorized"),
            ("SELECT load_extension('x')", "not authorized"),
            ("BEGIN", "not authorized"),
            ("SELECT 1; SELECT 2", "only one statement"),
            ("SELECT * FROM nowhere", "no such table: nowhere"),
            ("SELECT quantileExactWeighted(0.5)(double1, 1) FROM visits", "quantileExactWeighted"),
            ("SELECT toStartOfHour(timestamp) FROM visits", "toStartOfHour"),
            ("SELECT 1 FROM visits WHERE timestamp > NOW() - INTERVAL '1' DAY", "`INTERVAL` is not offered"),
            ("SELECT 1 FROM visits FORMAT TabSeparated", "`FORMAT TabSeparated` is not offered"),
            ("", "No SQL statements"),
        ] {
            let said = again.query(bad).unwrap_err().to_string();
            assert!(said.contains(why), "{bad}: {said}");
        }
        assert_eq!(again.query("SELECT 'an interval of' AS t FROM others").unwrap()["rows"], 1);
    }

    #[test]
    fn points_that_are_too_large_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let analytics = Analytics::new(folder.path().join("analytics.sqlite"));
        let text = |length: usize| Some("x".repeat(length));
        for bad in [
            DataPoint { blobs: vec![None; 21], ..DataPoint::default() },
            DataPoint { doubles: vec![None; 21], ..DataPoint::default() },
            DataPoint { indexes: vec![None; 2], ..DataPoint::default() },
            DataPoint { indexes: vec![text(97)], ..DataPoint::default() },
            DataPoint { blobs: vec![text(8192), text(8193)], ..DataPoint::default() },
        ] {
            assert!(matches!(analytics.write("d", &bad), Err(AnalyticsError::Point(_))), "{bad:?}");
        }
        analytics
            .write(
                "d",
                &DataPoint { blobs: vec![text(819); 20], indexes: vec![text(96)], doubles: vec![Some(1.0); 20] },
            )
            .unwrap();
        for bad in ["", "1a", "a-b", "a b", "points", "sqlite_master", "a\"", &"x".repeat(101)] {
            assert!(!is_dataset(bad), "{bad}");
        }
    }
}
