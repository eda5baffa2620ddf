//! What tenants' SQL may do: everything is refused that is not named here, while a statement is being prepared.
//!
//! SQLite asks for each action of each statement, those of triggers, views and of what FTS5 does on its own included. A
//! refusal is kept, so that the error can say what was refused: SQLite itself says `not authorized` alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Pragmas that read, and what they may be given.
const READING: [&str; 10] = [
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "optimize",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Pragmas that are switches of the connection.
const SWITCHES: [&str; 7] = [
    "case_sensitive_like",
    "defer_foreign_keys",
    "foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "recursive_triggers",
    "reverse_unordered_selects",
];

/// Modules of virtual tables.
const MODULES: [&str; 2] = ["fts5", "fts5vocab"];

/// Functions of SQLite that are refused: they load code, write to the platform's log, or use memory without a bound
/// (`json_pretty` may make gigabytes of two megabytes in one step, which nothing can stop).
#[cfg(test)]
pub(super) const REFUSED_FUNCTIONS: [&str; 9] = [
    "edit",
    "fts3_tokenizer",
    "json_pretty",
    "load_extension",
    "optimize",
    "rtreecheck",
    "rtreedepth",
    "rtreenode",
    "sqlite_log",
];

/// Functions that tenants may call, and those by which SQLite alters tables.
pub(super) const FUNCTIONS: &[&str] = &[
    // Scalars.
    "->",
    "->>",
    "abs",
    "changes",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "format",
    "glob",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "last_insert_rowid",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "ltrim",
    "max",
    "min",
    "nullif",
    "octet_length",
    "printf",
    "quote",
    "random",
    "randomblob",
    "replace",
    "round",
    "rtrim",
    "sign",
    "soundex",
    "sqlite_compileoption_get",
    "sqlite_compileoption_used",
    "sqlite_source_id",
    "sqlite_version",
    "substr",
    "substring",
    "subtype",
    "total_changes",
    "trim",
    "typeof",
    "unhex",
    "unicode",
    "unistr",
    "unistr_quote",
    "unlikely",
    "upper",
    "zeroblob",
    // Dates.
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "julianday",
    "strftime",
    "time",
    "timediff",
    "unixepoch",
    // Aggregates and windows.
    "avg",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "group_concat",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    "string_agg",
    "sum",
    "total",
    // JSON.
    "json",
    "json_array",
    "json_array_insert",
    "json_array_length",
    "json_each",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_patch",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_tree",
    "json_type",
    "json_valid",
    "jsonb",
    "jsonb_array",
    "jsonb_array_insert",
    "jsonb_extract",
    "jsonb_group_array",
    "jsonb_group_object",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_patch",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    // Full-text search.
    "bm25",
    "fts5",
    "fts5_get_locale",
    "fts5_insttoken",
    "fts5_locale",
    "fts5_source_id",
    "highlight",
    "match",
    "matchinfo",
    "offsets",
    "snippet",
    // Only SQLite's own statements can call these.
    "sqlite_add_constraint",
    "sqlite_drop_column",
    "sqlite_drop_constraint",
    "sqlite_fail",
    "sqlite_find_constraint",
    "sqlite_rename_column",
    "sqlite_rename_quotefix",
    "sqlite_rename_table",
    "sqlite_rename_test",
];

const TEMPORARY: &str = "temporary tables, views, indices and triggers";

/// Who runs statements on a connection, and what its tenant was refused last.
#[derive(Clone, Default)]
pub(crate) struct Authorizer(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// The platform itself: transactions are its own.
    ours: AtomicBool,
    /// Nothing may be changed.
    reading: AtomicBool,
    /// A switch of the connection was touched.
    switched: AtomicBool,
    refused: Mutex<Option<String>>,
}

impl Authorizer {
    /// One under which nothing can be written.
    pub(super) fn reading() -> Self {
        let authorizer = Self::default();
        authorizer.0.reading.store(true, Ordering::Relaxed);
        authorizer
    }

    /// Runs statements of the platform's own.
    pub(crate) fn ours<T>(&self, run: impl FnOnce() -> T) -> T {
        self.0.ours.store(true, Ordering::Relaxed);
        let done = run();
        self.0.ours.store(false, Ordering::Relaxed);
        done
    }

    /// What was refused since it was last asked.
    pub(crate) fn take_refusal(&self) -> Option<String> {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether a switch of the connection was touched: its next user must not find it so.
    pub(super) fn was_switched(&self) -> bool {
        self.0.switched.load(Ordering::Relaxed)
    }

    /// Judges an action.
    pub(crate) fn judge(&self, context: AuthContext<'_>) -> Authorization {
        if self.0.ours.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        let reads = self.0.reading.load(Ordering::Relaxed);
        match if reads { reading(&context) } else { self.read_write(&context) } {
            Ok(()) => Authorization::Allow,
            Err(why) => {
                // The first says more than what follows from it.
                self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
                Authorization::Deny
            }
        }
    }

    fn read_write(&self, context: &AuthContext<'_>) -> Result<(), String> {
        use AuthAction as A;
        match context.action {
            // Renaming a table looks for it there, too.
            A::Read { .. } => reading(context),
            A::Update { table_name, .. } if table_name.starts_with("sqlite_temp_") => Ok(()),
            // Tables of the connection alone would be there for some calls and not for others, beyond every bound.
            _ if context.database_name == Some("temp") => Err(TEMPORARY.to_owned()),
            A::Pragma { pragma_name, pragma_value } => {
                let name = pragma_name.to_ascii_lowercase();
                if SWITCHES.contains(&name.as_str()) {
                    self.0.switched.store(true, Ordering::Relaxed);
                    return Ok(());
                }
                pragma(&name, pragma_value)
            }
            A::CreateTempIndex { .. }
            | A::CreateTempTable { .. }
            | A::CreateTempTrigger { .. }
            | A::CreateTempView { .. } => Err(TEMPORARY.to_owned()),
            A::CreateVtable { module_name, .. } | A::DropVtable { module_name, .. }
                if !MODULES.contains(&module_name.to_ascii_lowercase().as_str()) =>
            {
                Err(format!("the module `{module_name}`: virtual tables are of `fts5` alone"))
            }
            A::AlterTable { .. }
            | A::Analyze { .. }
            | A::CreateIndex { .. }
            | A::CreateTable { .. }
            | A::CreateTrigger { .. }
            | A::CreateView { .. }
            | A::CreateVtable { .. }
            | A::Delete { .. }
            | A::DropIndex { .. }
            | A::DropTable { .. }
            | A::DropTrigger { .. }
            | A::DropView { .. }
            | A::DropVtable { .. }
            | A::Insert { .. }
            | A::Reindex { .. }
            | A::Update { .. } => Ok(()),
            _ => reading(context),
        }
    }
}

fn reading(context: &AuthContext<'_>) -> Result<(), String> {
    use AuthAction as A;
    match context.action {
        A::Read { table_name, .. } if table_name.eq_ignore_ascii_case("dbstat") => Err("the table `dbstat`".to_owned()),
        A::Read { .. } | A::Recursive | A::Select => Ok(()),
        A::Function { function_name } if FUNCTIONS.contains(&function_name.to_ascii_lowercase().as_str()) => Ok(()),
        A::Function { function_name } => Err(format!("the function `{function_name}`")),
        A::Attach { .. } | A::Detach { .. } => Err("ATTACH and DETACH".to_owned()),
        A::Savepoint { .. } | A::Transaction { .. } => {
            Err("BEGIN, COMMIT, ROLLBACK and SAVEPOINT; `batch()` is one transaction".to_owned())
        }
        A::Pragma { pragma_name, .. } => Err(format!("PRAGMA {pragma_name}")),
        _ => Err("this statement".to_owned()),
    }
}

fn pragma(name: &str, value: Option<&str>) -> Result<(), String> {
    // FTS5 asks for `data_version`.
    if READING.contains(&name) || (name == "data_version" && value.is_none()) {
        return Ok(());
    }
    Err(format!("PRAGMA {name}"))
}
