//! Running tests again whenever a file changes that has a part in them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Args, FOLDER, elsewhere, run_once, test_files};
use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::watch::Watch;

/// Runs until somebody ends the process, or its output has no reader any more.
pub(super) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot wait for changes: {error}"), "try again"))?;
    let mut watch = Watch::new()?;
    // What cannot be run at all is said at once; later it may be somebody who is just writing it.
    test_files(&args.files)?;
    let mut elsewhere = elsewhere(args)?;
    let named = || {
        let files: &[PathBuf] = if args.files.is_empty() { &[PathBuf::from(FOLDER)] } else { &args.files };
        files.iter().flat_map(|named| named_and_within(named)).collect::<Vec<_>>()
    };
    let mut files = named();
    loop {
        watch.follow(files.iter().map(PathBuf::as_path))?;
        let begun = SystemTime::now();
        match test_files(&args.files).and_then(|files| run_once(args, &files, &mut elsewhere, format, terminal)) {
            Ok(ran) => files = [named(), ran.files].concat(),
            Err(failure) => terminal.failure(&failure),
        }
        terminal.note("waiting for changes; Ctrl-C ends it");
        terminal.flush()?;
        watch.follow_read(files.iter().map(PathBuf::as_path), begun)?;
        runtime.block_on(watch.changed());
        if terminal.is_closed() {
            return Ok(Outcome::Fine);
        }
    }
}

/// A file; of a folder, one that is in it, for it is folders of files that are watched.
fn named_and_within(named: &Path) -> [PathBuf; 2] {
    [named.to_owned(), named.join("any.test.toml")]
}
