//! Where lists are kept that were read before: beside what else is built in the project, never in what is committed.
//!
//! ```text
//!   TIDEGATE_CACHE_DIR=DIR       there; empty: nowhere
//!   a project of Cargo           target/tidegate/lists
//!   another project              .tidegate-cache
//!   no project at all            nowhere
//! ```
//!
//! A project is the nearest folder at or above the policy's that has one of [`MARKS`]. What the files there look like, and why nobody
//! else's are believed, `tidegate_compiler::cache` says; the secret for that is made once, in the user's own folder for state:
//! `$XDG_STATE_HOME/tidegate` or `~/.local/state/tidegate`, on macOS `~/Library/Application Support/tidegate`, on Windows
//! `%LOCALAPPDATA%\tidegate`.

use std::env;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use tidegate_compiler::Options;
use tidegate_compiler::cache::Cache;

use crate::files::{self, Access};

/// Names the folder.
const VARIABLE: &str = "TIDEGATE_CACHE_DIR";

/// What a project's own folder has.
const MARKS: [&str; 6] = ["Cargo.lock", ".git", "package.json", "wrangler.jsonc", "wrangler.toml", "wrangler.json"];

/// How the policy in a file is compiled.
pub(crate) fn options(policy: &Path) -> Options {
    Options { cache: of(policy), ..Options::default() }
}

/// The cache for the lists of a policy.
pub(crate) fn of(policy: &Path) -> Option<Cache> {
    let folder = match env::var_os(VARIABLE) {
        Some(folder) if folder.is_empty() => return None,
        Some(folder) => PathBuf::from(folder),
        None => folder_for(policy)?,
    };
    Some(Cache::new(folder, secret))
}

fn folder_for(policy: &Path) -> Option<PathBuf> {
    let policy = fs::canonicalize(policy).ok()?;
    let project = policy.ancestors().skip(1).find(|folder| MARKS.iter().any(|mark| folder.join(mark).exists()))?;
    // Not `.tidegate`, where data lies that only its owner may read.
    let built = if project.join("Cargo.lock").exists() { "target/tidegate/lists" } else { ".tidegate-cache" };
    Some(project.join(built))
}

/// The user's secret, made when it is first asked for. Without a home there is none.
fn secret() -> Option<[u8; 32]> {
    secret_in(&user_folder()?)
}

/// Where programs keep what is of this machine. Folders of caches travel: CI restores them, with whatever was put in.
fn user_folder() -> Option<PathBuf> {
    user_folder_by(|variable| env::var_os(variable))
}

fn user_folder_by(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let named = |name| variable(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let beneath_home = |folder| Some(named("HOME")?.join(folder));
    let states = if cfg!(windows) {
        named("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        named("XDG_STATE_HOME").or_else(|| beneath_home("Library/Application Support"))
    } else {
        named("XDG_STATE_HOME").or_else(|| beneath_home(".local/state"))
    };
    Some(states?.join("tidegate"))
}

/// What lies there, or what is laid there. It is believed only if nobody else can have made or seen it: folders of users are named
/// by the environment, and some are shared.
fn secret_in(folder: &Path) -> Option<[u8; 32]> {
    let path = folder.join("lists.key");
    let read = || {
        let file = files::open(&path).ok()?;
        if !is_own(&file.metadata().ok()?) {
            return None;
        }
        let mut secret = Vec::new();
        file.take(33).read_to_end(&mut secret).ok()?;
        secret.try_into().ok()
    };
    read().or_else(|| {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).ok()?;
        fs::create_dir_all(folder).ok()?;
        // Of two runs that make one at the same time, both take that of the first; and one that is not believed stays.
        let _ = files::write_new(&path, &secret, Access::Owner);
        read()
    })
}

/// Whether a file is this user's, and nobody else's to read or write.
#[cfg(unix)]
fn is_own(file: &Metadata) -> bool {
    is_private_to(rustix::process::geteuid().as_raw(), file)
}

#[cfg(unix)]
fn is_private_to(user: u32, file: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    const OTHERS: u32 = 0o077;
    file.is_file() && file.uid() == user && file.mode() & OTHERS == 0
}

/// The folder is the user's own, and files take their rights from it.
#[cfg(not(unix))]
fn is_own(file: &Metadata) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_kept_where_the_project_builds() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let policy = root.join("shop/policies/policy.toml");
        fs::create_dir_all(policy.parent().unwrap()).unwrap();
        fs::write(&policy, "").unwrap();
        assert_eq!(folder_for(&policy).filter(|folder| folder.starts_with(&root)), None, "no project");
        fs::write(root.join("shop/package.json"), "").unwrap();
        assert_eq!(folder_for(&policy), Some(root.join("shop/.tidegate-cache")));
        fs::write(root.join("shop/Cargo.lock"), "").unwrap();
        assert_eq!(folder_for(&policy), Some(root.join("shop/target/tidegate/lists")));
        assert_eq!(folder_for(&root.join("nowhere.toml")), None);
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn the_secret_lies_with_state_that_stays_on_the_machine_not_with_caches() {
        let folder = |set: &[(&str, &str)]| {
            let value = |name: &str| set.iter().find(|(it, _)| *it == name).map(|(_, value)| OsString::from(value));
            user_folder_by(value)
        };
        let home = ("HOME", "/home/a");
        assert_eq!(folder(&[home, ("XDG_CACHE_HOME", "/c")]), Some("/home/a/.local/state/tidegate".into()));
        assert_eq!(folder(&[home, ("XDG_STATE_HOME", "/s")]), Some("/s/tidegate".into()));
        assert_eq!(folder(&[home, ("XDG_STATE_HOME", "s")]), Some("/home/a/.local/state/tidegate".into()));
        assert_eq!(folder(&[("HOME", "")]), None);
        assert_eq!(folder(&[]), None);
    }

    #[test]
    fn the_secret_is_made_once_and_is_the_owners_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/tidegate");
        let first = secret_in(&folder).unwrap();
        assert_ne!(first, [0; 32]);
        assert_eq!(secret_in(&folder), Some(first));
        assert_ne!(secret_in(root.path()), Some(first));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(folder.join("lists.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        // One that is cut short makes no secret, and is not replaced: somebody may want to know.
        fs::write(folder.join("lists.key"), "short").unwrap();
        assert_eq!(secret_in(&folder), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_made_or_may_read_is_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("lists.key");
        let first = secret_in(root.path()).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(secret_in(root.path()), None, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(secret_in(root.path()), Some(first));
        let metadata = fs::metadata(&path).unwrap();
        let me = rustix::process::geteuid().as_raw();
        assert!(is_private_to(me, &metadata));
        assert!(!is_private_to(me + 1, &metadata), "another user's");
        assert!(!is_private_to(me, &fs::metadata(root.path()).unwrap()), "a folder");
    }
}
