use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tidegate_platform::store::{NewVersion, Store, StoreError};
use tidegate_platform::worker::{Binding, BindingValue, KeyFormat, Secret, SecretKey};

use crate::support::{TestStore, account, database, secret, version};

const MARKER: &str = "a marker that stands nowhere else";

#[test]
fn secrets_and_tokens_stand_in_clear_in_no_file() {
    let store = TestStore::new();
    let mut new = with_secrets(&[("KEY", MARKER)]);
    let key = SecretKey {
        algorithm: serde_json::json!({ "name": "HMAC", "hash": "SHA-256" }),
        format: KeyFormat::Raw,
        usages: vec!["sign".to_owned()],
        data: Secret::new(MARKER.to_owned()),
    };
    let binding = Binding { name: "CRYPTO".to_owned(), value: BindingValue::SecretKey(key) };
    new.code.bindings.push(binding.clone());
    store.deploy(&account("worker"), &new).unwrap();
    store.add_token(MARKER).unwrap();
    // What is in clear is found, so that the search is one.
    store.deploy_text("plain", "a text in clear");
    let found = |needle: &str| {
        let files = fs::read_dir(store.folder()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(needle.len()).any(|window| window == needle.as_bytes())).count()
    };

    assert_eq!(found(MARKER), 0);
    assert!(found("a text in clear") > 0);
    let checkpoint: String = "PRAGMA wal_checkpoint(TRUNCATE)".to_owned();
    store.sql().query_row(&checkpoint, (), |_| Ok(())).unwrap();
    assert_eq!(found(MARKER), 0);
    assert!(found("a text in clear") > 0);
    assert_eq!(secret_of(&store, "worker", "KEY").unwrap(), MARKER);
    assert_eq!(store.load(&account("worker")).unwrap().code.bindings[1], binding);
}

#[test]
fn debug_output_shows_no_secret() {
    let store = TestStore::new();
    let new = with_secrets(&[("KEY", MARKER)]);
    let (script, _) = store.deploy(&account("worker"), &new).unwrap();
    let loaded = store.load(&account("worker")).unwrap();

    for text in [format!("{new:?}"), format!("{loaded:#?}"), format!("{script:?}"), format!("{:?}", *store)] {
        assert!(!text.contains(MARKER), "{text}");
    }
    assert!(format!("{new:?}").contains("KEY"));
}

#[test]
fn a_ciphertext_that_was_moved_or_changed_is_refused() {
    let from = "(SELECT secret FROM bindings JOIN versions ON versions.id = version WHERE ";
    for (change, wanted) in [
        (format!("{from} script = 1 AND bindings.name = 'B')"), "another binding's"),
        (format!("{from} script = 2 AND bindings.name = 'A')"), "another script's"),
        (format!("{from} script = 3 AND bindings.name = 'A' AND number = 1)"), "an older version's"),
        ("x'00'".to_owned(), "too short"),
        ("CAST(substr(secret, 1, length(secret) - 1) || x'00' AS BLOB)".to_owned(), "another tag"),
        ("CAST(x'00' || substr(secret, 2) AS BLOB)".to_owned(), "another nonce"),
    ] {
        let store = TestStore::new();
        store.deploy(&account("one"), &with_secrets(&[("A", "a"), ("B", "b")])).unwrap();
        store.deploy(&account("two"), &with_secrets(&[("A", "of two")])).unwrap();
        for text in ["old", "new"] {
            store.deploy(&account("three"), &with_secrets(&[("A", text)])).unwrap();
        }
        let name = if wanted.starts_with("an older") { "three" } else { "one" };
        let changed = store
            .sql()
            .execute(
                &format!(
                    "UPDATE bindings SET secret = {change} WHERE name = 'A'
                     AND version = (SELECT current FROM scripts WHERE name = ?1)"
                ),
                [name],
            )
            .unwrap();
        assert_eq!(changed, 1);

        let refused = store.load(&account(name)).unwrap_err();

        assert!(matches!(&refused, StoreError::Sealed(binding) if binding == "A"), "{wanted}: {refused}");
        assert_eq!(secret_of(&store, "two", "A").unwrap(), "of two");
    }
}

#[test]
fn a_version_that_was_moved_to_another_script_keeps_its_secrets_shut() {
    let store = TestStore::new();
    store.deploy(&account("one"), &version("one")).unwrap();
    store.deploy(&account("two"), &with_secrets(&[("A", "of two")])).unwrap();
    let moved = "UPDATE versions SET script = 1, number = 99 WHERE script = 2;
        UPDATE scripts SET current = (SELECT id FROM versions WHERE number = 99) WHERE id = 1;";
    store.sql().execute_batch(moved).unwrap();

    let refused = store.load(&account("one")).unwrap_err();

    assert!(matches!(&refused, StoreError::Sealed(binding) if binding == "A"), "{refused}");
}

#[test]
fn the_same_secret_never_has_the_same_ciphertext() {
    let store = TestStore::new();
    for _ in 0..3 {
        store.deploy(&account("worker"), &with_secrets(&[("A", "same"), ("B", "same")])).unwrap();
    }
    let sql = store.sql();
    let kept: i64 =
        sql.query_row("SELECT count(DISTINCT substr(secret, 1, 24)) FROM bindings", (), |row| row.get(0)).unwrap();
    assert_eq!(kept, 6);
}

#[test]
fn a_missing_key_file_is_refused_if_something_was_encrypted_with_it() {
    let with_a_secret = |store: &Store| {
        store.deploy(&account("worker"), &with_secrets(&[("KEY", "value")])).unwrap();
    };
    let with_a_token = |store: &Store| store.add_token("token").unwrap();
    for fill in [&with_a_secret as &dyn Fn(&Store), &with_a_token] {
        let store = TestStore::new();
        fill(&store);
        let folder = store.close();
        let key = key_file(folder.path());
        let moved = folder.path().join("moved");
        fs::rename(&key, &moved).unwrap();

        let refused = Store::open(folder.path()).unwrap_err();
        assert!(matches!(&refused, StoreError::KeyMissing(path) if *path == key), "{refused}");
        assert!(!key.exists(), "no other one is made");

        fs::rename(&moved, &key).unwrap();
        Store::open(folder.path()).unwrap();
    }
}

#[test]
fn a_missing_key_file_is_made_anew_if_nothing_needs_it() {
    let store = TestStore::new();
    store.deploy_text("worker", "text");
    let folder = store.close();
    fs::remove_file(key_file(folder.path())).unwrap();

    let store = Store::open(folder.path()).unwrap();
    store.deploy(&account("worker"), &with_secrets(&[("KEY", "value")])).unwrap();
    drop(store);

    let store = Store::open(folder.path()).unwrap();
    assert_eq!(secret_of(&store, "worker", "KEY").unwrap(), "value");
}

#[test]
fn another_key_file_is_refused() {
    let store = TestStore::new();
    store.deploy(&account("worker"), &with_secrets(&[("KEY", "value")])).unwrap();
    let folder = store.close();
    let other = TestStore::new().close();
    fs::copy(key_file(other.path()), key_file(folder.path())).unwrap();

    let refused = Store::open(folder.path()).unwrap_err();

    assert!(matches!(&refused, StoreError::KeyWrong(path) if *path == key_file(folder.path())), "{refused}");
}

#[test]
fn a_key_file_that_cannot_be_one_is_refused() {
    for length in [0_usize, 31, 33, 64] {
        let folder = TestStore::new().close();
        fs::write(key_file(folder.path()), vec![7; length]).unwrap();
        let refused = Store::open(folder.path()).unwrap_err();
        assert!(matches!(&refused, StoreError::KeyLength { found, .. } if *found == length), "{refused}");
    }
    let folder = TestStore::new().close();
    fs::remove_file(key_file(folder.path())).unwrap();
    fs::create_dir(key_file(folder.path())).unwrap();
    let refused = Store::open(folder.path()).unwrap_err();
    assert!(matches!(&refused, StoreError::KeyFile { path, .. } if *path == key_file(folder.path())), "{refused}");
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TestStore::new().close();
    let key = key_file(folder.path());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o7777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o777] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let refused = Store::open(folder.path()).unwrap_err();
        assert!(matches!(&refused, StoreError::KeyOpen { mode: found, .. } if *found == mode), "{refused}");
        assert!(refused.to_string().contains(&format!("mode {mode:04o}")), "{refused}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    Store::open(folder.path()).unwrap();
}

#[test]
fn tokens_are_known_once_they_were_added() {
    let store = TestStore::new();
    assert!(!store.has_tokens().unwrap());
    assert!(!store.knows_token("").unwrap());

    store.add_token("one").unwrap();
    store.add_token("two").unwrap();
    store.add_token("one").unwrap();

    assert!(store.has_tokens().unwrap());
    for (token, known) in [("one", true), ("two", true), ("three", false), ("", false), ("on", false), ("one ", false)]
    {
        assert_eq!(store.knows_token(token).unwrap(), known, "{token:?}");
    }
    let folder = store.close();
    let store = Store::open(folder.path()).unwrap();
    assert!(store.knows_token("two").unwrap());
    let hash: Vec<u8> = Connection::open(database(folder.path()))
        .unwrap()
        .query_row("SELECT hash FROM tokens LIMIT 1", (), |row| row.get(0))
        .unwrap();
    assert_eq!(hash.len(), 32);
}

fn key_file(folder: &Path) -> std::path::PathBuf {
    folder.join("tidegate.key")
}

fn with_secrets(secrets: &[(&str, &str)]) -> NewVersion {
    let mut new = version("secrets");
    new.code.bindings = secrets.iter().map(|(name, text)| secret(name, text)).collect();
    new
}

fn secret_of(store: &Store, script: &str, binding: &str) -> Option<String> {
    let code = store.load(&account(script)).unwrap().code;
    code.bindings.into_iter().find_map(|Binding { name, value }| match value {
        BindingValue::SecretText { text } if name == binding => Some(text.expose().to_owned()),
        _ => None,
    })
}
