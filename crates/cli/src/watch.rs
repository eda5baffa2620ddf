//! Watches files for changes, by the folders that they are in.
//!
//! Editors write a new file and rename it over the old one; `git checkout` removes and makes files; a mounted configuration is a
//! link that is pointed elsewhere. A watch on the file itself would stay with the old one, so it is folders that are watched,
//! and a watch says no more than that something there may be different: whoever reads the files sees whether it is.
//!
//! No change may fall between reading and watching. Whoever reads calls [`Watch::follow`] before, with the files that he knows
//! of, and [`Watch::follow_read`] after, with those that he has read: a folder that is in both stays watched all the while, and in
//! one that is new, files that changed meanwhile are found by their times.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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

/// File systems stamp files by a clock that may be so far behind the one that we read: some milliseconds where the kernel looks
/// at its clock at each tick, two seconds on FAT.
const CLOCKS_APART: Duration = Duration::from_secs(2);

/// A watch over files.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    /// One message in waiting says all that many would.
    change: mpsc::Sender<()>,
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
        let (change, changes) = mpsc::channel(1);
        let sender = change.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| may_change_a_file(&event)) {
                let _ = sender.try_send(());
            }
        });
        Ok(Self { watcher: watcher.map_err(WatchError::None)?, folders: BTreeSet::new(), change, changes })
    }

    /// Watches these files, and no others, before they are read. To be called after each change: a folder that was removed and
    /// made anew is another folder.
    pub(crate) fn follow<'p>(&mut self, files: impl IntoIterator<Item = &'p Path>) -> Result<(), WatchError> {
        self.watch(files).map(drop)
    }

    /// Watches these files, and no others, now that they were read at `begun` or later. What changed since then in folders that
    /// were not watched is a change that [`Self::changed`] sees.
    pub(crate) fn follow_read<'p>(
        &mut self,
        files: impl IntoIterator<Item = &'p Path>,
        begun: SystemTime,
    ) -> Result<(), WatchError> {
        let files: Vec<&Path> = files.into_iter().collect();
        let new = self.watch(files.iter().copied())?;
        let in_new = files.into_iter().filter(|file| folders_of(file).iter().any(|folder| new.contains(folder)));
        // A folder's own time says that a file was made in it, or is gone.
        if in_new.chain(new.iter().map(PathBuf::as_path)).any(|path| changed_since(path, begun)) {
            self.changed_unseen();
        }
        Ok(())
    }

    /// Watches the folders of these files; answers those that were not watched.
    fn watch<'p>(&mut self, files: impl IntoIterator<Item = &'p Path>) -> Result<BTreeSet<PathBuf>, WatchError> {
        let wanted: BTreeSet<PathBuf> = files.into_iter().flat_map(folders_of).collect();
        for folder in self.folders.difference(&wanted) {
            // The folder may be gone, and its watch with it.
            let _ = self.watcher.unwatch(folder);
        }
        // Those that are watched, too: their watch may have gone with a folder that was there before. To end a watch first would
        // lose what it has seen and not yet said.
        for folder in &wanted {
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                Err(error) if is_gone(&error) => self.changed_unseen(),
                Err(source) => {
                    self.folders.clear();
                    return Err(WatchError::Folder { folder: folder.clone(), source });
                }
            }
        }
        let watched = std::mem::replace(&mut self.folders, wanted);
        Ok(self.folders.difference(&watched).cloned().collect())
    }

    /// Something changed that the watcher could not see.
    fn changed_unseen(&self) {
        let _ = self.change.try_send(());
    }

    /// Waits for a change, and for the end of the burst that it came in.
    pub(crate) async fn changed(&mut self) {
        // Never none: a sender is part of `self`.
        self.changes.recv().await;
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

fn changed_since(path: &Path, begun: SystemTime) -> bool {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    // Some file systems keep times to which nothing can be added.
    modified.is_ok_and(|modified| modified.checked_add(CLOCKS_APART).is_none_or(|latest| latest > begun))
}

/// A folder that was there a moment ago.
fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
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

    #[tokio::test]
    async fn what_changed_while_files_were_read_whose_folder_was_not_watched_yet_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.txt");
        fs::write(&list, "0").unwrap();
        let mut watch = Watch::new().unwrap();
        let begun = SystemTime::now();
        fs::write(&list, "1").unwrap();
        watch.follow_read([list.as_path()], begun).unwrap();
        assert!(sees_a_change(&mut watch).await, "written");
    }

    #[tokio::test]
    async fn a_file_made_while_others_were_read_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let (read, made) = (folder.path().join("policy.toml"), folder.path().join("more.test.toml"));
        fs::write(&read, "0").unwrap();
        let long_ago = fs::FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        fs::File::options().write(true).open(&read).unwrap().set_times(long_ago).unwrap();
        let mut watch = Watch::new().unwrap();
        let begun = SystemTime::now();
        fs::write(&made, "").unwrap();
        watch.follow_read([read.as_path()], begun).unwrap();
        assert!(sees_a_change(&mut watch).await);
    }

    /// The folder stays watched while the watch is told of it again: nothing is lost in between, however often.
    #[tokio::test]
    async fn what_changes_while_the_same_files_are_followed_again_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        fs::write(&file, "0").unwrap();
        let mut watch = Watch::new().unwrap();
        for round in 0..20 {
            watch.follow([file.as_path()]).unwrap();
            fs::write(&file, round.to_string()).unwrap();
            for _ in 0..10 {
                watch.follow_read([file.as_path()], SystemTime::now()).unwrap();
            }
            assert!(sees_a_change(&mut watch).await, "{round}");
        }
    }

    #[tokio::test]
    async fn a_folder_where_nothing_changed_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        fs::write(&file, "0").unwrap();
        let mut watch = Watch::new().unwrap();
        watch.follow_read([file.as_path()], SystemTime::now() + 2 * CLOCKS_APART).unwrap();
        assert!(watch.changes.try_recv().is_err());
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
