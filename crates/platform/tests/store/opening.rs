use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tidegate_platform::store::{Store, StoreError};

use crate::support::{TestStore, account, count, database};

#[test]
fn everything_is_there_when_the_store_is_opened_again() {
    let store = TestStore::new();
    store.make_namespace("production");
    store.deploy_text("worker", "text");
    let before = store.delete_script(&account("worker")).unwrap().serial;
    store.deploy_text("worker", "text");
    let folder = store.close();

    let store = Store::open(folder.path()).unwrap();

    assert_eq!(store.namespaces().unwrap().len(), 1);
    let loaded = store.load(&account("worker")).unwrap();
    assert_eq!(loaded.code.modules[0].content, "text");
    assert!(loaded.serial > before);
    assert!(store.delete_script(&account("worker")).unwrap().serial > loaded.serial);
}

#[test]
fn a_folder_that_another_store_uses_is_refused_until_that_one_is_closed() {
    let store = TestStore::new();
    let handle = (*store).clone();

    let refused = Store::open(store.folder()).unwrap_err();

    assert!(matches!(&refused, StoreError::InUse(folder) if folder == store.folder()));
    assert!(refused.to_string().ends_with("stop it, or choose another folder with `--data`"), "{refused}");
    let folder = store.close();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::InUse(_))), "a handle is left");
    drop(handle);
    Store::open(folder.path()).unwrap();
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let store = TestStore::new();
    store.deploy_text("worker", "text");
    let folder = store.close();
    let path = database(folder.path());
    let sql = Connection::open(&path).unwrap();
    sql.pragma_update(None, "user_version", 99).unwrap();
    sql.execute_batch("CREATE TABLE from_the_future (x)").unwrap();
    drop(sql);
    let before = fs::read(&path).unwrap();

    let refused = Store::open(folder.path()).unwrap_err();

    assert!(matches!(&refused, StoreError::Newer { found: 99, newest: 1.., path: named } if *named == path));
    assert!(refused.to_string().contains("version 99"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
    let others = |path: &Path| Connection::open(path).unwrap().execute_batch("CREATE TABLE bookmarks (url)").unwrap();
    let text = |path: &Path| fs::write(path, "not a database, but longer than the header of one ".repeat(10)).unwrap();
    for write in [others as fn(&Path), text] {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path());
        write(&path);
        let before = fs::read(&path).unwrap();

        let refused = Store::open(folder.path()).unwrap_err();

        assert!(matches!(&refused, StoreError::NotAStore(named) if *named == path), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), before);
        assert!(!folder.path().join("tidegate.key").exists());
    }
}

#[test]
fn a_folder_that_cannot_be_made_or_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    // Nobody writes there, root neither.
    for bad in [file.clone(), file.join("below"), PathBuf::from("/proc/self/fdinfo")] {
        let refused = Store::open(&bad).unwrap_err();
        assert!(matches!(&refused, StoreError::Folder { folder, .. } if *folder == bad), "{refused}");
        assert!(refused.to_string().contains("with `--data`"), "{refused}");
    }
}

#[test]
fn a_folder_is_made_with_all_above_it_and_for_its_owner_alone() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("a/b");

    let store = Store::open(&folder).unwrap();
    store.create_kv_namespace("a write, so that all files are there").unwrap();

    assert_eq!(store.folder(), folder);
    #[cfg(unix)]
    for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).chain([folder.clone()]) {
        use std::os::unix::fs::PermissionsExt as _;

        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path == folder { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

#[test]
fn what_is_deleted_gives_its_room_back_and_what_expired_goes_when_the_store_is_opened() {
    let store = TestStore::new();
    let megabytes = "not to be kept for ever, ".repeat(200_000);
    store.deploy_text("large", &megabytes);
    let id = store.create_kv_namespace("kv").unwrap().id;
    let sql = store.sql();
    store.delete_script(&account("large")).unwrap();
    sql.execute("INSERT INTO kv_entries (namespace, key, expiration, value) VALUES (1, 'old', 1, x'00')", ()).unwrap();
    drop(sql);
    let folder = store.close();
    assert!(fs::metadata(database(folder.path())).unwrap().len() > 4_000_000);

    let store = Store::open(folder.path()).unwrap();

    assert_eq!(store.kv_value(&id, "old", 0).unwrap(), None);
    drop(store);
    assert!(fs::metadata(database(folder.path())).unwrap().len() < 1_000_000);
    assert_eq!(count(&Connection::open(database(folder.path())).unwrap(), "kv_entries"), 0);
}
