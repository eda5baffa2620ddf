//! Room in memory for what clients send.
//!
//! A body is read whole before it is judged, so each that is under way is held in memory, up to some hundred mebibytes.
//! Who would send a large one waits until there is room for all of it, in the order of arrival, and takes nothing before:
//! so no two wait for each other. Small ones do not wait: as many of them as there may be connections fit in any case.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bodies up to this length need no room, in bytes.
const SMALL: u64 = 64 << 10;

/// Room is counted in these, in bytes.
const UNIT: u64 = 1 << 10;

/// Room for bodies.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    total: u32,
    patience: Duration,
}

/// What a body takes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    _units: Option<OwnedSemaphorePermit>,
}

/// There was no room within the time that one may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// How much there is for all together, in bytes.
    pub(crate) total: u64,
}

impl Room {
    /// So much for all together, in bytes; who waits for longer than `patience` gets none.
    pub(crate) fn new(bytes: u64, patience: Duration) -> Self {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let total = u32::try_from(bytes / UNIT).unwrap_or(most).clamp(1, most);
        Self { units: Arc::new(Semaphore::new(total as usize)), total, patience }
    }

    /// Waits for room for a body of so many bytes. One that is larger than all the room gets all of it.
    pub(crate) async fn take(&self, bytes: u64) -> Result<Taken, Full> {
        if bytes <= SMALL {
            return Ok(Taken { _units: None });
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.total);
        let waiting = Arc::clone(&self.units).acquire_many_owned(units);
        match timeout(self.patience, waiting).await {
            Ok(Ok(units)) => Ok(Taken { _units: Some(units) }),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Full { total: u64::from(self.total) * UNIT }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn a_large_body_waits_for_its_turn_and_not_for_ever() {
        let room = Room::new(10 * MIB, Duration::from_secs(30));
        let first = room.take(6 * MIB).await.unwrap();
        assert_eq!(room.take(6 * MIB).await.unwrap_err(), Full { total: 10 * MIB });
        room.take(SMALL).await.unwrap();
        let waiting = tokio::spawn({
            let room = room.clone();
            async move { room.take(6 * MIB).await.map(drop) }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        room.take(100 * MIB).await.expect("it is alone");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_not_overtaken_by_who_wants_less() {
        let room = Room::new(10 * MIB, Duration::from_secs(30));
        let first = room.take(6 * MIB).await.unwrap();
        let second = tokio::spawn({
            let room = room.clone();
            async move { room.take(8 * MIB).await }
        });
        tokio::task::yield_now().await;
        let third = tokio::spawn({
            let room = room.clone();
            async move { room.take(2 * MIB).await }
        });
        tokio::task::yield_now().await;
        assert!(!third.is_finished(), "there would be room for it");
        drop(first);
        assert!(second.await.unwrap().is_ok());
    }
}
