//! Ends queries that run for too long, use too much memory, or whose database is deleted.
//!
//! SQLite asks between steps of its virtual machine. A step can itself be long: those functions that could make one take
//! hours are replaced ([`functions`](super::functions)) or refused; what is left ends within a minute or two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// As many steps of the virtual machine between two looks.
pub(crate) const STEPS: i32 = 1000;

/// The processor time of a call, all of its statements together.
const LONGEST: Duration = Duration::from_secs(30);

/// So much more memory than before may the process use: the query that runs then is the likeliest cause.
const MOST_MEMORY: u64 = 512 << 20;

/// Memory is looked at no oftener.
const BETWEEN: Duration = Duration::from_millis(1);

/// What may stop the queries of one connection.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Inner>);

struct Inner {
    stop: Arc<AtomicBool>,
    longest: AtomicU64,
    until: AtomicU64,
    memory: AtomicU64,
    why: AtomicU8,
}

const TIME: u8 = 1;
const MEMORY: u8 = 2;
const STOPPED: u8 = 3;

impl Watch {
    /// `stop` ends what runs and all that comes later.
    pub(crate) fn new(stop: Arc<AtomicBool>) -> Self {
        Self(Arc::new(Inner {
            stop,
            longest: AtomicU64::new(nanoseconds(LONGEST)),
            until: AtomicU64::new(u64::MAX),
            memory: AtomicU64::new(u64::MAX),
            why: AtomicU8::new(0),
        }))
    }

    /// Gives calls another time than the usual.
    #[cfg(test)]
    pub(super) fn set_longest(&self, longest: Duration) {
        self.0.longest.store(nanoseconds(longest), Ordering::Relaxed);
    }

    /// A call begins, on the thread that runs it to its end.
    pub(crate) fn begin(&self) {
        let inner = &self.0;
        inner.until.store(cpu_time().saturating_add(inner.longest.load(Ordering::Relaxed)), Ordering::Relaxed);
        inner.memory.store(memory().map_or(u64::MAX, |used| used.saturating_add(MOST_MEMORY)), Ordering::Relaxed);
        inner.why.store(0, Ordering::Relaxed);
    }

    /// Why the call was ended, if it was.
    pub(crate) fn ended(&self) -> Option<&'static str> {
        match self.0.why.load(Ordering::Relaxed) {
            TIME => Some("D1 DB exceeded its CPU time limit and was reset."),
            MEMORY => Some("D1 DB's isolate exceeded its memory limit and was reset."),
            STOPPED => Some("the database was deleted, or the platform is being stopped"),
            _ => None,
        }
    }

    /// What SQLite calls every so many [`STEPS`]; `true` ends the statement.
    pub(crate) fn handler(&self) -> impl FnMut() -> bool + Send + 'static {
        let inner = Arc::clone(&self.0);
        let mut looked = Instant::now();
        move || {
            let mut why = 0;
            if inner.stop.load(Ordering::Relaxed) {
                why = STOPPED;
            } else if looked.elapsed() >= BETWEEN {
                looked = Instant::now();
                if cpu_time() > inner.until.load(Ordering::Relaxed) {
                    why = TIME;
                } else if memory().is_some_and(|used| used > inner.memory.load(Ordering::Relaxed)) {
                    why = MEMORY;
                }
            }
            if why != 0 {
                inner.why.store(why, Ordering::Relaxed);
            }
            why != 0
        }
    }
}

/// The processor time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000) + u64::try_from(time.tv_nsec).unwrap_or(0)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The resident memory of the process, in bytes, where the system says so in a file.
fn memory() -> Option<u64> {
    // Pages: all, resident, shared …
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(4096)))
}
