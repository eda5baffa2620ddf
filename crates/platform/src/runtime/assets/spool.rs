//! Large files on their way out.
//!
//! A client takes as long as it likes for a file, and the store waits for nobody: by the time that the last byte is
//! asked for, the version may be gone, and its files with it. So a large file is copied out of the store in one go, to a
//! file that has no name and goes with the last of those who read it. All who ask for it at the time share one: a file
//! is on the disk once more at most, and never in memory as a whole.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::body::{Body, Bytes};

use super::ServeError;
use crate::assets;
use crate::store::Store;

/// What is read from the store at once, and sent without a copy if it is all that is asked for.
pub(super) const PIECE: u64 = 1 << 20;
/// What is read from the copy at once.
const SENT: u64 = 256 << 10;

/// Copies by version and path.
#[derive(Clone, Default)]
pub(super) struct Spools(Arc<Mutex<Known>>);

type Known = HashMap<(String, String), Weak<Spool>>;

/// A copy of a file.
pub(super) struct Spool(Mutex<Option<Arc<File>>>);

impl Spools {
    /// A copy of a whole file of a version, made now or shared.
    pub(super) fn of(&self, store: &Store, version: &str, file: &assets::File) -> Result<Arc<Spool>, ServeError> {
        let spool = self.find(version, &file.path);
        // Who comes while it is made waits for it.
        let mut copy = lock(&spool.0);
        if copy.is_none() {
            *copy = Some(Arc::new(copied(store, version, file)?));
        }
        drop(copy);
        Ok(spool)
    }

    fn find(&self, version: &str, path: &str) -> Arc<Spool> {
        let mut spools = lock(&self.0);
        let key = (version.to_owned(), path.to_owned());
        if let Some(spool) = spools.get(&key).and_then(Weak::upgrade) {
            return spool;
        }
        spools.retain(|_, spool| spool.strong_count() > 0);
        let spool = Arc::new(Spool(Mutex::new(None)));
        spools.insert(key, Arc::downgrade(&spool));
        spool
    }
}

impl Spool {
    /// Bytes of it, as a client takes them. The copy lives as long.
    pub(super) fn stream(self: Arc<Self>, range: Range<u64>) -> Body {
        Body::from_stream(futures_util::stream::try_unfold((self, range), |(spool, left)| async move {
            if left.is_empty() {
                return Ok::<_, io::Error>(None);
            }
            let end = left.end.min(left.start.saturating_add(SENT));
            let (part, rest) = (left.start..end, end..left.end);
            let reader = Arc::clone(&spool);
            let bytes = tokio::task::spawn_blocking(move || reader.read(part)).await.map_err(io::Error::other)??;
            Ok(Some((bytes, (spool, rest))))
        }))
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let file = lock(&self.0).clone().ok_or(io::ErrorKind::NotFound)?;
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }
}

fn copied(store: &Store, version: &str, file: &assets::File) -> Result<File, ServeError> {
    let mut copy = tempfile::tempfile().map_err(ServeError::Copy)?;
    let mut start = 0;
    while start < file.size {
        let end = file.size.min(start.saturating_add(PIECE));
        copy.write_all(&store.asset_content(version, &file.path, Some(start..end))?).map_err(ServeError::Copy)?;
        start = end;
    }
    Ok(copy)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
