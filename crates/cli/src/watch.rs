//! Watches files for changes, by the folders that they are in.
//!
//! Editors write a new file and rename it over the old one; `git checkout` removes and makes files; a mounted configuration is a
//! link that is pointed elsewhere. A watch on the file itself would stay with the old one, so it is folders that are watched,
//! and a watch says no more than that something there may be different: whoever reads the files sees whether it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::files;
use crate::outcome::Explained;

/// Changes come in bursts: a burst is over when nothing comes for so long.
const QUIET: Duration = Duration::from_millis(100);

/// A folder in which something changes all the time is looked at as often as this.
const LONGEST: Duration = Duration::from_secs(1);

/// A watch over files.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    changes: mpsc::Receiver<()>,
}

/// Files cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// One folder.
    #[error("cannot watch the folder `{}`: {source}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: notify::Error,
    },
    /// None at all.
    #[error("cannot watch files: {0}")]
    None(notify::Error),
}

impl Explained for WatchError {
    fn help(&self) -> Option<String> {
        let (Self::Folder { source, .. } | Self::None(source)) = self;
        matches!(source.kind, notify::ErrorKind::MaxFilesWatch)
            .then(|| "raise `fs.inotify.max_user_watches`, or end what else watches files".to_owned())
    }
}

impl Watch {
    /// Watches nothing yet.
    pub(crate) fn new() -> Result<Self, WatchError> {
        // One message in waiting says all that many would.
        let (sender, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| may_change_a_file(&event)) {
                let _ = sender.try_send(());
            }
        });
        Ok(Self { watcher: watcher.map_err(WatchError::None)?, folders: BTreeSet::new(), changes })
    }

    /// Watches these files, and no others. To be called again after each change: a folder that was removed and made anew
    /// is another folder.
    pub(crate) fn follow<'p>(&mut self, files: impl IntoIterator<Item = &'p Path>) -> Result<(), WatchError> {
        let wanted: BTreeSet<PathBuf> = files.into_iter().flat_map(folders_of).collect();
        for folder in std::mem::take(&mut self.folders) {
            // The folder may be gone, and its watch with it.
            let _ = self.watcher.unwatch(&folder);
        }
        for folder in &wanted {
            self.watcher
                .watch(folder, RecursiveMode::NonRecursive)
                .map_err(|source| WatchError::Folder { folder: folder.clone(), source })?;
        }
        self.folders = wanted;
        Ok(())
    }

    /// Waits for a change, and for the end of the burst that it came in.
    pub(crate) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The watcher is part of `self` and holds the sender.
            return std::future::pending().await;
        }
        let longest = Instant::now() + LONGEST;
        while timeout_at(longest.min(Instant::now() + QUIET), self.changes.recv()).await.is_ok() {}
    }
}

/// Reading is no change: else every look at the files would ask for another.
fn may_change_a_file(event: &notify::Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// The folder that a file is in, and the one that it is truly in, where it is reached by a link. Where a folder is not there,
/// the nearest above it in which it may appear.
fn folders_of(file: &Path) -> Vec<PathBuf> {
    let mut folders = vec![nearest(files::parent(file))];
    if let Ok(truly) = file.canonicalize() {
        folders.push(files::parent(&truly).to_owned());
    }
    folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect()
}

fn nearest(folder: &Path) -> PathBuf {
    let here = |above: &Path| if above.as_os_str().is_empty() { PathBuf::from(".") } else { above.to_owned() };
    folder.ancestors().map(here).find(|above| above.is_dir()).unwrap_or_else(|| PathBuf::from("."))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Long enough for a machine under load: a change that is seen ends the wait at once.
    const PATIENCE: Duration = Duration::from_secs(30);

    async fn sees_a_change(watch: &mut Watch) -> bool {
        tokio::time::timeout(PATIENCE, watch.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn a_file_that_is_renamed_over_the_old_one_is_a_change_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let (file, beside) = (folder.path().join("policy.toml"), folder.path().join(".policy.toml.swp"));
        fs::write(&file, "0").unwrap();
        let mut watch = Watch::new().unwrap();
        watch.follow([file.as_path()]).unwrap();
        for text in ["1", "2"] {
            fs::write(&beside, text).unwrap();
            fs::rename(&beside, &file).unwrap();
            assert!(sees_a_change(&mut watch).await, "{text}");
            watch.follow([file.as_path()]).unwrap();
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_made_anew_is_watched_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("policies");
        let file = folder.join("policy.toml");
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "0").unwrap();
        let mut watch = Watch::new().unwrap();
        watch.follow([file.as_path()]).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(sees_a_change(&mut watch).await, "removed");
        watch.follow([file.as_path()]).unwrap();
        fs::create_dir(&folder).unwrap();
        assert!(sees_a_change(&mut watch).await, "made");
        watch.follow([file.as_path()]).unwrap();
        fs::write(&file, "1").unwrap();
        assert!(sees_a_change(&mut watch).await, "written");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_watched_where_it_is_and_where_it_leads() {
        let root = tempfile::tempdir().unwrap();
        let (here, there) = (root.path().join("here"), root.path().join("there"));
        for folder in [&here, &there] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(there.join("list.txt"), "").unwrap();
        std::os::unix::fs::symlink(there.join("list.txt"), here.join("list.txt")).unwrap();
        let expected = [&here, &there].map(|folder| folder.canonicalize().unwrap());
        assert_eq!(folders_of(&here.join("list.txt")), expected);
    }

    #[test]
    fn reading_is_no_change() {
        let read = notify::Event::new(EventKind::Access(AccessKind::Open(AccessMode::Read)));
        let written = notify::Event::new(EventKind::Access(AccessKind::Close(AccessMode::Write)));
        assert!(!may_change_a_file(&read));
        assert!(may_change_a_file(&written));
        assert!(may_change_a_file(&notify::Event::new(EventKind::Any)));
    }
}
