//! What tenants may try, and what becomes of it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::authorizer::{FUNCTIONS, REFUSED_FUNCTIONS};
use super::connection::Guarded;
use super::{Call, D1Error, Databases, Query, Shape, query};

const ID: &str = "6c6d1a5e-0c2b-4f6e-9f36-0b8f1f0a7e11";
const OTHER: &str = "0f0e0d0c-0c2b-4f6e-9f36-0b8f1f0a7e22";

struct Database {
    guarded: Guarded,
    folder: TempDir,
}

impl Database {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("database.sqlite");
        Self { guarded: Guarded::open(&path, Arc::new(AtomicBool::new(false))).unwrap(), folder }
    }

    /// With a few tables.
    fn furnished() -> Self {
        let database = Self::new();
        database.ok("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, age INTEGER CHECK (age >= 0));
             CREATE TABLE posts (id INTEGER PRIMARY KEY AUTOINCREMENT, author INTEGER REFERENCES users (id), text TEXT);
             INSERT INTO users VALUES (1, 'Ann', 30), (2, 'Bob', 40);");
        database
    }

    fn run(&self, sql: &str, params: &Value) -> Result<Vec<(Value, Value)>, String> {
        let params = (!params.is_null()).then(|| params.as_array().unwrap().clone());
        let queries = vec![Query { sql: sql.to_owned(), params }];
        let call = Call { queries, shape: Shape::Objects, several: true };
        let outcomes = query::run(&self.guarded, &call).map_err(|error| error.to_string())?;
        Ok(outcomes.into_iter().map(|one| (serde_json::from_str(&one.results).unwrap(), one.meta)).collect())
    }

    /// The rows of the last statement.
    #[track_caller]
    fn ok(&self, sql: &str) -> Value {
        let outcomes = self.run(sql, &Value::Null);
        outcomes.unwrap_or_else(|error| panic!("{sql}: {error}")).pop().unwrap().0
    }

    #[track_caller]
    fn refused(&self, sql: &str) -> String {
        match self.run(sql, &Value::Null) {
            Err(why) => why,
            Ok(rows) => panic!("{sql}: {rows:?}"),
        }
    }
}

#[test]
fn sql_that_leaves_its_database_is_refused_and_says_what_was() {
    let database = Database::furnished();
    let cases = [
        // Other files.
        ("ATTACH DATABASE '/etc/passwd' AS other", "ATTACH"),
        ("ATTACH ':memory:' AS other", "ATTACH"),
        ("attach 'file:../tidegate.db?mode=ro' as store", "ATTACH"),
        ("DETACH DATABASE main", "DETACH"),
        // Code.
        ("SELECT load_extension('/tmp/evil.so')", "load_extension"),
        ("SELECT LOAD_EXTENSION('/tmp/evil.so', 'init')", "load_extension"),
        ("SELECT fts3_tokenizer('simple', x'4141414141414141')", "fts3_tokenizer"),
        ("SELECT readfile('/etc/passwd')", "no such function"),
        ("SELECT writefile('/tmp/x', 'x')", "no such function"),
        ("SELECT edit('x')", "no such function"),
        ("SELECT sqlite_log(1, 'forged')", "sqlite_log"),
        ("CREATE VIRTUAL TABLE t USING csv(filename='/etc/passwd')", "csv"),
        ("CREATE VIRTUAL TABLE t USING dbstat(main)", "dbstat"),
        ("CREATE VIRTUAL TABLE t USING rtree(id, a, b)", "rtree"),
        ("CREATE VIRTUAL TABLE t USING fts3(a)", "fts3"),
        ("CREATE VIRTUAL TABLE t USING fts4(a)", "fts4"),
        ("SELECT * FROM dbstat", "dbstat"),
        // Settings.
        ("PRAGMA writable_schema = ON", "PRAGMA writable_schema"),
        ("PRAGMA main.writable_schema = RESET", "PRAGMA writable_schema"),
        ("PRAGMA trusted_schema = ON", "PRAGMA trusted_schema"),
        ("PRAGMA journal_mode = DELETE", "PRAGMA journal_mode"),
        ("PRAGMA journal_mode = OFF", "PRAGMA journal_mode"),
        ("PRAGMA synchronous = OFF", "PRAGMA synchronous"),
        ("PRAGMA max_page_count = 4294967294", "PRAGMA max_page_count"),
        ("PRAGMA page_size = 65536", "PRAGMA page_size"),
        ("PRAGMA cache_size = -100000000", "PRAGMA cache_size"),
        ("PRAGMA mmap_size = 1000000000000", "PRAGMA mmap_size"),
        ("PRAGMA temp_store = MEMORY", "PRAGMA temp_store"),
        ("PRAGMA temp_store_directory = '/tmp'", "PRAGMA temp_store_directory"),
        ("PRAGMA data_store_directory = '/tmp'", "PRAGMA data_store_directory"),
        ("PRAGMA locking_mode = EXCLUSIVE", "PRAGMA locking_mode"),
        ("PRAGMA hard_heap_limit = 1", "PRAGMA hard_heap_limit"),
        ("PRAGMA soft_heap_limit = 1", "PRAGMA soft_heap_limit"),
        ("PRAGMA threads = 8", "PRAGMA threads"),
        ("PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_checkpoint"),
        ("PRAGMA wal_autocheckpoint = 0", "PRAGMA wal_autocheckpoint"),
        ("PRAGMA busy_timeout = 100000000", "PRAGMA busy_timeout"),
        ("PRAGMA query_only = ON", "PRAGMA query_only"),
        ("PRAGMA user_version = 7", "PRAGMA user_version"),
        ("PRAGMA application_id = 7", "PRAGMA application_id"),
        ("PRAGMA schema_version = 7", "PRAGMA schema_version"),
        ("PRAGMA data_version = 7", "PRAGMA data_version"),
        ("PRAGMA secure_delete = OFF", "PRAGMA secure_delete"),
        ("PRAGMA cell_size_check = OFF", "PRAGMA cell_size_check"),
        ("PRAGMA database_list", "PRAGMA database_list"),
        ("PRAGMA compile_options", "PRAGMA compile_options"),
        ("PRAGMA function_list", "PRAGMA function_list"),
        ("SELECT * FROM pragma_database_list", "PRAGMA database_list"),
        ("SELECT file FROM pragma_database_list()", "PRAGMA database_list"),
        ("SELECT * FROM pragma_page_count", "PRAGMA page_count"),
        ("PRAGMA nonsense", "PRAGMA nonsense"),
        // Transactions.
        ("BEGIN", "BEGIN"),
        ("BEGIN EXCLUSIVE TRANSACTION", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("END", "COMMIT"),
        ("ROLLBACK", "ROLLBACK"),
        ("SAVEPOINT s", "SAVEPOINT"),
        ("INSERT INTO users VALUES (9, 'Eve', 1); COMMIT; SELECT 1", "COMMIT"),
        ("INSERT INTO users VALUES (9, 'Eve', 1); ROLLBACK", "ROLLBACK"),
        // What lasts as long as a connection.
        ("CREATE TEMP TABLE t (a)", "temporary"),
        ("CREATE TABLE temp.t (a)", "temporary"),
        ("CREATE TEMP VIEW v AS SELECT 1", "temporary"),
        ("CREATE TEMP TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END", "temporary"),
        // By way of others.
        ("CREATE VIEW v AS SELECT load_extension('x'); SELECT * FROM v", "load_extension"),
        (
            "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT load_extension('x'); END;
             INSERT INTO users VALUES (9, 'Eve', 1)",
            "load_extension",
        ),
        ("CREATE TABLE d (a DEFAULT (load_extension('x'))); INSERT INTO d DEFAULT VALUES", "load_extension"),
        ("CREATE INDEX i ON users (load_extension(name))", "load_extension"),
        ("EXPLAIN ATTACH 'x' AS y", "ATTACH"),
        ("/* */ PRAGMA/**/writable_schema=1", "PRAGMA writable_schema"),
        ("SELECT 1; ; -- and\nATTACH 'x' AS y", "ATTACH"),
    ];
    for (sql, what) in cases {
        let why = database.refused(sql);
        assert!(why.contains(what), "{sql}: {why}");
        // What a schema calls on its own is held to more.
        if !why.contains("no such function") && !why.contains("unsafe use") {
            assert!(why.starts_with("not authorized: ") && why.ends_with(": SQLITE_AUTH"), "{sql}: {why}");
        }
        assert!(database.guarded.connection.is_autocommit(), "{sql}: a transaction is left open");
    }
    assert_eq!(database.ok("SELECT count(*) AS n FROM users"), json!([{ "n": 2 }]), "nothing of what failed was kept");
    let mut files: Vec<_> = database.folder.path().read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["database.sqlite", "database.sqlite-shm", "database.sqlite-wal"]);
}

#[test]
fn the_schema_is_changed_by_its_statements_alone() {
    let database = Database::furnished();
    let cases = [
        "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (a)')",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE users (a)'",
        "DELETE FROM sqlite_master",
        "UPDATE sqlite_temp_master SET sql = ''",
        "DROP TABLE sqlite_master",
        "ALTER TABLE sqlite_master ADD COLUMN x",
        "CREATE TABLE sqlite_mine (a)",
        "CREATE TRIGGER t AFTER INSERT ON sqlite_master BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f_data VALUES (1, x'00')",
        "CREATE VIRTUAL TABLE g USING fts5(a); DROP TABLE g_content",
        "VACUUM",
        "VACUUM INTO '/tmp/tidegate-stolen.sqlite'",
    ];
    for sql in cases {
        let why = database.refused(sql);
        assert!(why.ends_with(": SQLITE_ERROR") || why.ends_with(": SQLITE_AUTH"), "{sql}: {why}");
    }
    assert_eq!(database.ok("PRAGMA quick_check"), json!([{ "quick_check": "ok" }]));
}

#[test]
fn what_is_documented_works() {
    let database = Database::furnished();
    for sql in [
        "PRAGMA table_list",
        "PRAGMA table_info(users)",
        "PRAGMA table_xinfo('users')",
        "SELECT name FROM pragma_table_info('users')",
        "PRAGMA index_list(users)",
        "PRAGMA index_info(sqlite_autoindex_users_1)",
        "PRAGMA index_xinfo(sqlite_autoindex_users_1)",
        "PRAGMA foreign_key_list(posts)",
        "PRAGMA foreign_key_check",
        "PRAGMA foreign_keys",
        "PRAGMA foreign_keys = off",
        "PRAGMA defer_foreign_keys = on",
        "PRAGMA case_sensitive_like = on",
        "PRAGMA ignore_check_constraints = on",
        "PRAGMA recursive_triggers = on",
        "PRAGMA reverse_unordered_selects = on",
        "PRAGMA legacy_alter_table = off",
        "PRAGMA optimize",
        "PRAGMA quick_check(users)",
        "SELECT * FROM sqlite_master",
        "ANALYZE",
        "REINDEX",
        "EXPLAIN QUERY PLAN SELECT * FROM users",
        "ALTER TABLE users RENAME TO people",
        "ALTER TABLE people RENAME TO users",
        "ALTER TABLE users RENAME COLUMN name TO nick",
        "ALTER TABLE users RENAME COLUMN nick TO name",
        "ALTER TABLE users ADD COLUMN extra TEXT DEFAULT 'x'",
        "ALTER TABLE users DROP COLUMN extra",
        "CREATE VIEW adults AS SELECT * FROM users WHERE age > 17",
        "CREATE TRIGGER grown AFTER UPDATE ON users BEGIN INSERT INTO posts (text) VALUES ('older'); END",
        "UPDATE users SET age = age + 1 RETURNING *",
        "DROP TRIGGER grown",
        "DELETE FROM sqlite_sequence",
        "CREATE VIRTUAL TABLE search USING fts5(text, tokenize = 'porter')",
        "INSERT INTO search VALUES ('running water'), ('still waters')",
        "INSERT INTO search (search) VALUES ('optimize')",
        "CREATE VIRTUAL TABLE words USING fts5vocab('search', 'row')",
        "SELECT * FROM words",
        "DROP TABLE words",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n",
        "SELECT json_extract('{\"a\": [1]}', '$.a[0]'), '{\"a\":1}' ->> 'a', json_group_array(name) FROM users",
        "SELECT row_number() OVER (ORDER BY age) FROM users",
        "SELECT value FROM json_each('[1,2]')",
        "SELECT strftime('%Y', 'now'), unixepoch(), round(1.5), printf('%05d', 3)",
        "CREATE TABLE generated (a TEXT, b TEXT AS (trim(a, 'x')) STORED, CHECK (length(trim(a, 'y')) > 0))",
    ] {
        database.ok(sql);
    }
    let found =
        database.ok("SELECT highlight(search, 0, '<', '>') AS hit, bm25(search) < 0 AS ranked FROM search('run')");
    assert_eq!(found, json!([{ "hit": "<running> water", "ranked": 1 }]));
}

#[test]
fn every_function_of_this_sqlite_is_either_offered_or_refused() {
    let connection = Connection::open_in_memory().unwrap();
    let mut statement = connection.prepare("SELECT DISTINCT name FROM pragma_function_list").unwrap();
    let names = statement.query_map((), |row| row.get::<_, String>(0)).unwrap();
    let undecided: Vec<String> = names
        .map(Result::unwrap)
        .filter(|name| !FUNCTIONS.contains(&name.as_str()) && !REFUSED_FUNCTIONS.contains(&name.as_str()))
        .collect();
    assert!(undecided.is_empty(), "{undecided:?}");
    assert!(FUNCTIONS.iter().all(|name| !REFUSED_FUNCTIONS.contains(name)));
}

#[test]
fn what_is_too_large_is_refused() {
    let database = Database::furnished();
    let columns = |count: usize| (0..count).map(|at| format!("c{at}")).collect::<Vec<_>>().join(",");
    let cases = [
        ("SELECT zeroblob(2000001)".to_owned(), "SQLITE_TOOBIG"),
        ("SELECT length(replace(hex(zeroblob(900000)), '0', 'xxx'))".to_owned(), "SQLITE_TOOBIG"),
        ("SELECT printf('%2000001d', 1)".to_owned(), "SQLITE_TOOBIG"),
        (format!("SELECT '{}'", "x".repeat(100_000)), "SQLITE_TOOBIG"),
        (format!("SELECT 1 {}; SELECT 2", " ".repeat(100_000)), "SQLITE_TOOBIG"),
        (format!("DELETE FROM users WHERE id = 1 /*{}*/ AND id = 2", "x".repeat(99_970)), "SQLITE_TOOBIG"),
        (format!("SELECT {}", "[".repeat(90_000)), "unrecognized token"),
        (format!("CREATE TABLE wide ({})", columns(101)), "too many columns"),
        (format!("SELECT {}", ["1"; 101].join(",")), "too many columns"),
        (format!("SELECT {}1{}", "abs(".repeat(200), ")".repeat(200)), "SQLITE_ERROR"),
        (format!("SELECT {}", ["1"; 150].join("+")), "too large"),
        (["SELECT 1"; 6].join(" UNION ALL "), "too many terms in compound SELECT"),
        (format!("SELECT max({})", ["1"; 33].join(",")), "too many arguments"),
        (format!("SELECT 'x' LIKE '{}'", "%x".repeat(26)), "pattern too complex"),
        (format!("SELECT 'x' GLOB '{}'", "*x".repeat(26)), "pattern too complex"),
        ("SELECT ?101".to_owned(), "variable number must be between ?1 and ?100"),
        ("SELECT json_pretty('[1]')".to_owned(), "json_pretty"),
    ];
    for (sql, expected) in cases {
        let why = database.refused(&sql);
        assert!(why.contains(expected) && why.len() < 1200, "{}: {why}", &sql[..sql.len().min(80)]);
    }
    let rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
                SELECT hex(zeroblob(400000)) FROM n";
    assert!(database.refused(rows).contains("the result is too large"));
    assert!(
        database
            .refused(
                "SELECT zeroblob(2000000) AS a, zeroblob(2000000) AS b, zeroblob(2000000) AS c,
        zeroblob(2000000) AS d, zeroblob(2000000) AS e, zeroblob(2000000) AS f, zeroblob(2000000) AS g,
        zeroblob(2000000) AS h, zeroblob(2000000) AS i"
            )
            .contains("the result is too large")
    );
}

#[test]
fn a_database_grows_to_its_largest_and_no_further() {
    let database = Database::furnished();
    // The limit itself is half a gigabyte.
    let set = |pages: i64| {
        database.guarded.authorizer.ours(|| {
            database.guarded.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        });
    };
    let limit: i64 = database
        .guarded
        .authorizer
        .ours(|| database.guarded.connection.pragma_query_value(None, "max_page_count", |row| row.get(0)).unwrap());
    assert_eq!(limit, 500_000_000 / 4096);
    set(100);
    database.ok("CREATE TABLE big (a)");
    let why = database.refused("INSERT INTO big VALUES (zeroblob(300000)), (zeroblob(300000))");
    assert_eq!(why, "Exceeded maximum DB size: SQLITE_FULL");
    assert_eq!(database.ok("SELECT count(*) AS n FROM big"), json!([{ "n": 0 }]));
    database.ok("INSERT INTO big VALUES (zeroblob(300000))");
}

#[test]
fn a_query_that_does_not_end_is_ended() {
    let database = Database::furnished();
    database.guarded.watch.set_longest(Duration::from_millis(200));
    let forever = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    for sql in [
        format!("{forever} SELECT count(*) FROM n"),
        format!("{forever} INSERT INTO posts (text) SELECT 'x' FROM n"),
        format!("INSERT INTO users VALUES (9, 'Eve', 1); {forever} SELECT max(i) FROM n"),
        "CREATE TABLE a (x); INSERT INTO a VALUES (1),(1),(1),(1),(1),(1),(1),(1),(1),(1);
         SELECT count(*) FROM a, a b, a c, a d, a e, a f, a g, a h, a i, a j, a k, a l, a m"
            .to_owned(),
        // A billion rows to sort.
        format!("{forever} SELECT i FROM n ORDER BY -i LIMIT 1"),
    ] {
        assert_eq!(database.refused(&sql), "D1 DB exceeded its CPU time limit and was reset.", "{sql}");
        assert_eq!(database.ok("SELECT count(*) AS n FROM users"), json!([{ "n": 2 }]), "{sql}");
        assert_eq!(database.ok("SELECT count(*) AS n FROM posts"), json!([{ "n": 0 }]), "{sql}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_query_that_takes_memory_without_end_is_ended() {
    let database = Database::furnished();
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
               SELECT length(json_group_array(hex(zeroblob(900000)))) FROM n";
    let why = database.refused(sql);
    assert!(why.contains("memory limit") || why.contains("SQLITE_TOOBIG"), "{why}");
}

#[test]
fn no_single_step_takes_for_ever() {
    // Each would take hours with SQLite's own function.
    let database = Database::new();
    let set = "WITH RECURSIVE s (i) AS (SELECT 256 UNION ALL SELECT i + 1 FROM s WHERE i < 55000),
               t (x, y) AS (SELECT replace(hex(zeroblob(400000)), '0', 'ab'), (SELECT group_concat(char(i), '') FROM s))";
    let trimmed = database
        .ok(&format!("{set} SELECT length(trim(x, y || 'ab')) AS both, length(rtrim(x, y || 'ba')) AS rest FROM t"));
    assert_eq!(trimmed, json!([{ "both": 0, "rest": 0 }]));
    let nothing = database.ok(&format!("{set} SELECT unhex(x, y) IS NULL AS no FROM t"));
    assert_eq!(nothing, json!([{ "no": 0 }]));
}

#[test]
fn functions_that_were_replaced_do_as_sqlite_does() {
    let plain = Connection::open_in_memory().unwrap();
    let database = Database::new();
    for expression in [
        "trim('xxaxbxx', 'x')",
        "ltrim('xyxa', 'yx')",
        "rtrim('10.5000', '0')",
        "rtrim(10.50, '0')",
        "rtrim(1e100, '0')",
        "trim(0.1 + 0.2, '0')",
        "trim(1200, 0)",
        "trim('a', '')",
        "trim('', 'a')",
        "trim(NULL, 'a')",
        "trim('a', NULL)",
        "trim('äöä', 'ä')",
        "typeof(trim(x'6161', 'a'))",
        "hex(unhex('41 42', ' '))",
        "hex(unhex('4 1', ' '))",
        "hex(unhex('41-42_43', '-_'))",
        "hex(unhex('4142x', ' '))",
        "hex(unhex('', ' '))",
        "hex(unhex('414', ''))",
        "hex(unhex('--', '-'))",
        "unhex(NULL, 'x')",
        "unhex('41', NULL)",
        "trim('  a ')",
        "hex(unhex('4142'))",
    ] {
        let expected: rusqlite::types::Value =
            plain.query_row(&format!("SELECT {expression}"), (), |row| row.get(0)).unwrap();
        let expected = match expected {
            rusqlite::types::Value::Null => Value::Null,
            rusqlite::types::Value::Text(text) => json!(text),
            other => panic!("{expression}: {other:?}"),
        };
        assert_eq!(database.ok(&format!("SELECT {expression} AS v")), json!([{ "v": expected }]), "{expression}");
    }
}

#[test]
fn what_a_call_switches_lasts_as_long_as_the_call() {
    let database = Database::furnished();
    assert!(database.guarded.is_clean());
    database.ok("PRAGMA case_sensitive_like = on");
    assert!(!database.guarded.is_clean(), "the connection is given up");
}

#[test]
fn errors_are_those_that_workers_know() {
    let database = Database::furnished();
    for (sql, params, expected) in [
        ("SELECT * FROM nowhere", json!(null), "no such table: nowhere: SQLITE_ERROR"),
        ("SELEC 1", json!(null), "near \"SELEC\": syntax error at offset 0: SQLITE_ERROR"),
        ("SELECT x FROM users", json!(null), "no such column: x at offset 7: SQLITE_ERROR"),
        (
            "INSERT INTO users VALUES (3, 'Ann', 1)",
            json!(null),
            "UNIQUE constraint failed: users.name: SQLITE_CONSTRAINT",
        ),
        (
            "INSERT INTO users VALUES (3, 'Cat', -1)",
            json!(null),
            "CHECK constraint failed: age >= 0: SQLITE_CONSTRAINT",
        ),
        ("INSERT INTO posts (author) VALUES (7)", json!(null), "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT"),
        (
            "PRAGMA defer_foreign_keys = on; INSERT INTO posts (author) VALUES (7)",
            json!(null),
            "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT",
        ),
        ("SELECT ?1", json!(null), "Wrong number of parameter bindings for SQL query."),
        ("SELECT ?1", json!([1, 2]), "Wrong number of parameter bindings for SQL query."),
        ("SELECT ?1; SELECT 2", json!([1]), "A prepared SQL statement must contain only one statement.: SQLITE_ERROR"),
        ("SELECT ?1", json!([{ "a": 1 }]), "an object cannot be a parameter: SQLITE_MISMATCH"),
        ("SELECT ?1", json!([[256]]), "an array that is a parameter holds bytes, from 0 to 255: SQLITE_MISMATCH"),
        ("", json!(null), "No SQL statements detected."),
        (" -- nothing\n /* at all */ ;; ", json!(null), "No SQL statements detected."),
        ("SELECT 1\0; ATTACH 'x' AS y", json!(null), "SQL holds no NUL: SQLITE_ERROR"),
    ] {
        assert_eq!(database.run(sql, &params).unwrap_err(), expected, "{sql}");
    }
}

#[test]
fn values_come_back_as_they_went_in() {
    let database = Database::new();
    for (value, kind, expected) in [
        (json!(null), "null", json!(null)),
        (json!(true), "integer", json!(1)),
        (json!(false), "integer", json!(0)),
        (json!(7), "integer", json!(7)),
        (json!(-9_007_199_254_740_991_i64), "integer", json!(-9_007_199_254_740_991_i64)),
        (json!(0.5), "real", json!(0.5)),
        (json!("é\"\n"), "text", json!("é\"\n")),
        (json!(""), "text", json!("")),
        (json!([]), "blob", json!([])),
        (json!([0, 1, 255]), "blob", json!([0, 1, 255])),
    ] {
        let rows = database.run("SELECT ?1 AS v, typeof(?1) AS t", &json!([value])).unwrap().pop().unwrap().0;
        assert_eq!(rows, json!([{ "v": expected, "t": kind }]), "{value}");
    }
    assert_eq!(database.ok("SELECT 9e999 AS a, -9e999 AS b"), json!([{ "a": null, "b": null }]));
    assert_eq!(database.ok("SELECT 1 AS a, 2 AS a"), json!([{ "a": 2 }]), "the last of a name counts");
    assert_eq!(database.ok("SELECT CAST(x'ff41' AS TEXT) AS t"), json!([{ "t": "\u{fffd}A" }]));
}

#[test]
fn meta_says_what_changed() {
    let database = Database::furnished();
    let meta = |sql: &str| database.run(sql, &Value::Null).unwrap().pop().unwrap().1;
    let inserted = meta("INSERT INTO users VALUES (7, 'Cat', 1), (8, 'Dan', 2)");
    assert_eq!((&inserted["changes"], &inserted["last_row_id"]), (&json!(2), &json!(8)));
    assert_eq!((&inserted["changed_db"], &inserted["rows_written"]), (&json!(true), &json!(2)));
    assert!(inserted["duration"].as_f64().unwrap() >= 0.0);
    assert!(inserted["size_after"].as_i64().unwrap() >= 4096);
    let read = meta("SELECT * FROM users");
    assert_eq!((&read["changes"], &read["changed_db"], &read["rows_read"]), (&json!(0), &json!(false), &json!(4)));
}

#[test]
fn a_script_is_longer_than_a_statement_may_be_and_done_whole_or_not_at_all() {
    let database = Database::furnished();
    let mut script = "-- a dump; with 'quotes'\n".to_owned();
    for number in 10..5000 {
        let _ = writeln!(script, "INSERT INTO users VALUES ({number}, 'it''s ; {number} é', 1); /* ; */");
    }
    assert!(script.len() > 200_000);
    let trigger =
        "CREATE TRIGGER t AFTER DELETE ON users BEGIN UPDATE users SET age = 1; DELETE FROM posts; END; SELECT 1";
    assert_eq!(database.run(&script, &Value::Null).unwrap().len(), 4990);
    assert_eq!(database.run(trigger, &Value::Null).unwrap().len(), 2);
    let why = database.refused("DELETE FROM users; INSERT INTO users VALUES (1, 'Ann', -1)");
    assert!(why.contains("CHECK"), "{why}");
    assert_eq!(database.ok("SELECT count(*) AS n FROM users"), json!([{ "n": 4992 }]));
}

// ---- several databases ----------------------------------------------------------------------------------------------

async fn ask(databases: &Databases, id: &str, sql: &str) -> Result<Value, D1Error> {
    let query = Query { sql: sql.to_owned(), params: None };
    let call = Call { queries: vec![query], shape: Shape::Objects, several: true };
    let outcomes = databases.call(id, call).await?;
    Ok(serde_json::from_str(&outcomes.last().unwrap().results).unwrap())
}

fn files(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> =
        folder.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

const FOREVER: &str =
    "CREATE TABLE t (a); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_does_not_end_delays_its_own_database_alone_and_ends_when_that_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let databases = Databases::new(folder.path().to_owned());
    let hostile = {
        let databases = databases.clone();
        tokio::spawn(async move { ask(&databases, ID, FOREVER).await })
    };
    while files(folder.path()).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for round in 0..20 {
        let sql = "CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (1); SELECT count(*) AS n FROM t";
        assert_eq!(ask(&databases, OTHER, sql).await.unwrap(), json!([{ "n": round + 1 }]));
    }
    assert!(!hostile.is_finished());
    let deleting = databases.clone();
    tokio::task::spawn_blocking(move || deleting.delete(ID)).await.unwrap();
    let ended = hostile.await.unwrap();
    assert!(matches!(&ended, Err(D1Error::Query(why)) if why.contains("deleted")), "{ended:?}");
    assert_eq!(ask(&databases, ID, "SELECT 1").await, Err(D1Error::NotFound));
    assert!(files(folder.path()).iter().all(|file| file.starts_with(OTHER)), "{:?}", files(folder.path()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_may_wait_for_one_database_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let databases = Databases::new(folder.path().to_owned());
    let waiting: Vec<_> = (0..super::QUEUE + 20)
        .map(|_| {
            let databases = databases.clone();
            tokio::spawn(async move { ask(&databases, ID, FOREVER).await })
        })
        .collect();
    // All are in the queue, or refused, once some have their answer.
    while waiting.iter().filter(|one| one.is_finished()).count() < 19 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(ask(&databases, ID, "SELECT 1").await, Err(D1Error::Overloaded));
    let closing = databases.clone();
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
    for one in waiting {
        assert!(one.await.unwrap().is_err());
    }
    assert_eq!(ask(&databases, OTHER, "SELECT 1").await, Err(D1Error::Closed));
}

#[tokio::test]
async fn what_was_answered_is_there_in_the_next_process_and_nothing_of_what_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let databases = Databases::new(folder.path().to_owned());
    ask(&databases, ID, "CREATE TABLE t (a); INSERT INTO t VALUES (1)").await.unwrap();
    ask(&databases, OTHER, "CREATE TABLE t (a)").await.unwrap();
    // A copy while it is open is what a crash leaves.
    let copy = tempfile::tempdir().unwrap();
    for file in files(folder.path()) {
        std::fs::copy(folder.path().join(&file), copy.path().join(&file)).unwrap();
    }
    let databases = Databases::new(copy.path().to_owned());
    assert_eq!(ask(&databases, ID, "SELECT a FROM t").await.unwrap(), json!([{ "a": 1 }]));
    databases.close();
    let databases = Databases::new(copy.path().to_owned());
    databases.delete_unknown(&HashSet::from([ID.to_owned()])).unwrap();
    assert_eq!(files(copy.path()), [format!("{ID}.sqlite")], "the one that nobody knows is gone");
}

#[tokio::test]
async fn an_id_is_never_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let databases = Databases::new(folder.path().join("d1"));
    for id in ["", "..", "../tidegate", "/etc/passwd", "a", &"x".repeat(36), &format!("../{}", &ID[3..])] {
        assert_eq!(ask(&databases, id, "SELECT 1").await, Err(D1Error::NotFound), "{id}");
        databases.delete(id);
    }
    assert!(!folder.path().join("d1").exists());
}
