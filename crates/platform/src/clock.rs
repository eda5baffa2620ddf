//! What time it is. Everything that asks for the time of day asks here, so that a test build can turn the clock.
//!
//! Clocks jump: they are set, a laptop sleeps, a virtual machine is moved. Nothing is ordered by the time of day (changes
//! have serials, versions and deployments have numbers), and how long something takes is measured with
//! [`Instant`](std::time::Instant), which never jumps. What the clock decides is what expires, and what `created_on` and
//! `modified_on` say.

use jiff::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    #[cfg(feature = "faults")]
    let now = now + jiff::SignedDuration::from_secs(turned::SECONDS.load(std::sync::atomic::Ordering::Relaxed));
    now
}

#[cfg(feature = "faults")]
mod turned {
    use std::sync::atomic::{AtomicI64, Ordering};

    pub(super) static SECONDS: AtomicI64 = AtomicI64::new(0);

    /// From now on the clock of this process says so many seconds more, or less, than it would.
    pub fn turn_clock(seconds: i64) {
        SECONDS.store(seconds, Ordering::Relaxed);
    }
}

#[cfg(feature = "faults")]
pub use turned::turn_clock;
