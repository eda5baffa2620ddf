//! How far a long run has come, on stderr: only where stderr is a terminal, not beside data for programs (`--format json`), only after a second, and gone
//! at the end.
//!
//! ```text
//!   replaying policies/prod.toml   [=========>           ] 1.21 GiB/3.00 GiB, 12 s left
//!   comparing                      [====>                ] 120/1,000, 3 s left
//!   checking                       4 s
//! ```
//!
//! Nothing else may write to the terminal while a bar is there. Dropping takes it away.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A run that ends sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the bar is drawn at least, so that people see that something is alive.
const TICK: Duration = Duration::from_millis(200);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// Bytes, out of so many where that is known.
    Bytes(Option<u64>),
    /// Things, out of so many.
    Steps(u64),
    /// Nothing: only the time goes by.
    Time,
}

/// The progress of one piece of work.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    shown_later: Option<ShownLater>,
}

/// A thread that shows the bar, unless the work ends first.
#[derive(Debug)]
struct ShownLater {
    ends: Sender<()>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Work that begins now. `doing` is its name, in the form `replaying a.toml`.
    pub(crate) fn begin(doing: &str, of: Of, is_watched: bool) -> Self {
        let bar = bar(of);
        bar.set_message(tidegate_test::plain::plain(doing));
        let shown_later = is_watched.then(|| {
            let (ends, ended) = mpsc::channel();
            let bar = bar.clone();
            let thread = thread::spawn(move || {
                if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(TICK);
                }
            });
            ShownLater { ends, thread }
        });
        Self { bar, shown_later }
    }

    /// So much is done.
    pub(crate) fn at(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// So much more is done.
    pub(crate) fn advance(&self, by: u64) {
        self.bar.inc(by);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(ShownLater { ends, thread }) = self.shown_later.take() {
            drop(ends);
            // The thread only waits and draws: it has nothing to tell.
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

/// A bar that nobody sees yet.
fn bar(of: Of) -> ProgressBar {
    let (length, template) = match of {
        Of::Bytes(Some(length)) => (Some(length), "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes}, {eta} left"),
        Of::Bytes(None) => (None, "{msg} {binary_bytes}, {elapsed}"),
        Of::Steps(length) => (Some(length), "{msg} [{wide_bar}] {human_pos}/{human_len}, {eta} left"),
        Of::Time => (None, "{msg} {elapsed}"),
    };
    // The templates are fixed text; a test reads them all.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden()).with_style(style.progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, TermLike as _};

    use super::*;

    /// What stands on a terminal of 70 columns after so much work.
    fn drawn(of: Of, done: u64) -> String {
        let terminal = InMemoryTerm::new(5, 70);
        let bar = bar(of);
        bar.set_message("replaying a.toml");
        bar.inc(done);
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        bar.tick();
        terminal.flush().unwrap();
        terminal.contents()
    }

    #[test]
    fn every_kind_of_work_says_how_far_it_has_come() {
        assert!(drawn(Of::Bytes(Some(3 << 30)), 1 << 30).contains("1.00 GiB/3.00 GiB"));
        assert!(drawn(Of::Bytes(None), 5 << 20).contains("5.00 MiB"));
        assert!(drawn(Of::Steps(12_000), 1_200).contains("1,200/12,000"));
        assert!(drawn(Of::Time, 0).starts_with("replaying a.toml 0s"), "{}", drawn(Of::Time, 0));
    }

    #[test]
    fn a_finished_bar_leaves_nothing_behind() {
        let terminal = InMemoryTerm::new(5, 70);
        let bar = bar(Of::Steps(10));
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        bar.tick();
        assert_ne!(terminal.contents(), "");
        drop(Progress { bar, shown_later: None });
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn nothing_is_shown_where_nobody_waits_that_long() {
        let progress = Progress::begin("replaying a.toml", Of::Bytes(None), true);
        progress.advance(1);
        assert!(progress.bar.is_hidden());
    }
}
