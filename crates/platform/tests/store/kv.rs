use bytes::Bytes;
use serde_json::json;
use tidegate_platform::store::{KvEntry, KvKey, StoreError};

use crate::support::{TestStore, count};

/// Seconds since 1970, far behind what any clock says while this is tested.
const FUTURE: i64 = 1 << 40;

#[test]
fn a_kv_namespace_is_made_renamed_and_deleted_with_its_values() {
    let store = TestStore::new();
    let second = store.create_kv_namespace("b").unwrap();
    let first = store.create_kv_namespace("A title, with spaces").unwrap();
    assert_eq!(first.id.len(), 32);
    assert_eq!(store.kv_namespaces().unwrap(), [first.clone(), second.clone()]);
    assert!(matches!(store.create_kv_namespace("b"), Err(StoreError::KvNamespaceExists)));
    assert!(matches!(store.rename_kv_namespace(&first.id, "b"), Err(StoreError::KvNamespaceExists)));

    assert_eq!(store.rename_kv_namespace(&first.id, "c").unwrap().title, "c");
    assert_eq!(store.kv_namespace(&first.id).unwrap().title, "c");
    store.put_kv_value(&first.id, "key", &entry("first")).unwrap();
    store.put_kv_value(&second.id, "key", &entry("second")).unwrap();
    store.delete_kv_namespace(&first.id).unwrap();

    assert_eq!(store.kv_value(&second.id, "key", 0).unwrap(), Some(entry("second")));
    assert_eq!(count(&store.sql(), "kv_entries"), 1);
    for refused in [
        store.kv_namespace(&first.id).err(),
        store.rename_kv_namespace(&first.id, "d").err(),
        store.delete_kv_namespace(&first.id).err(),
        store.kv_value(&first.id, "key", 0).err(),
        store.put_kv_value(&first.id, "key", &entry("late")).err(),
        store.put_kv_values(&first.id, &[]).err(),
        store.delete_kv_value(&first.id, "key").err(),
        store.delete_kv_values(&first.id, &[]).err(),
        store.kv_keys(&first.id, "", 10, None, 0).err(),
    ] {
        assert!(matches!(refused, Some(StoreError::KvNamespaceNotFound)), "{refused:?}");
    }
}

#[test]
fn values_come_back_as_they_were_put() {
    let store = TestStore::new();
    let id = store.create_kv_namespace("kv").unwrap().id;
    let full = KvEntry {
        value: Bytes::from_static(&[0, 1, 255, 0]),
        metadata: Some(json!({"a": [null, 1.5, "x"]})),
        expiration: Some(FUTURE),
    };
    for key in ["key", "a/b c%2f", "é\u{1f30a}", "..", "with\0nul"] {
        store.put_kv_value(&id, key, &full).unwrap();
        assert_eq!(store.kv_value(&id, key, 0).unwrap().as_ref(), Some(&full), "{key:?}");
    }

    store.put_kv_value(&id, "key", &entry("")).unwrap();
    assert_eq!(
        store.kv_value(&id, "key", 0).unwrap(),
        Some(entry("")),
        "metadata and expiration go with the old value"
    );
    store.put_kv_value(&id, "key", &KvEntry { metadata: Some(json!(null)), ..entry("x") }).unwrap();
    assert_eq!(store.kv_value(&id, "key", 0).unwrap().unwrap().metadata, Some(json!(null)));

    store.delete_kv_value(&id, "key").unwrap();
    store.delete_kv_value(&id, "key").unwrap();
    assert_eq!(store.kv_value(&id, "key", 0).unwrap(), None);
}

#[test]
fn expired_values_are_neither_read_nor_listed() {
    let store = TestStore::new();
    let id = store.create_kv_namespace("kv").unwrap().id;
    store.put_kv_value(&id, "a", &KvEntry { expiration: Some(FUTURE), ..entry("a") }).unwrap();
    store.put_kv_value(&id, "b", &entry("b")).unwrap();
    store.put_kv_value(&id, "c", &KvEntry { expiration: Some(FUTURE + 10), ..entry("c") }).unwrap();
    let listed = |now| {
        let keys = store.kv_keys(&id, "", 10, None, now).unwrap().items;
        keys.into_iter().map(|key| key.name).collect::<String>()
    };

    assert_eq!(listed(FUTURE - 1), "abc");
    assert_eq!(store.kv_value(&id, "a", FUTURE - 1).unwrap().unwrap().value, "a");
    assert_eq!(listed(FUTURE), "bc");
    assert_eq!(store.kv_value(&id, "a", FUTURE).unwrap(), None);
    assert_eq!(listed(i64::MAX), "b");
    let page = store.kv_keys(&id, "", 1, None, FUTURE).unwrap();
    assert_eq!(page.items[0].name, "b");
    assert!(page.cursor.is_some());
}

#[test]
fn what_has_expired_is_deleted_by_the_writes_that_follow() {
    let store = TestStore::new();
    let id = store.create_kv_namespace("kv").unwrap().id;
    let rows = || count(&store.sql(), "kv_entries");
    let past: Vec<_> =
        (0..250).map(|number| (number.to_string(), KvEntry { expiration: Some(number), ..entry("x") })).collect();
    store.put_kv_values(&id, &past).unwrap();
    assert_eq!(rows(), 150);

    store.put_kv_value(&id, "stays", &KvEntry { expiration: Some(FUTURE), ..entry("x") }).unwrap();
    assert_eq!(rows(), 51);
    store.delete_kv_value(&id, "never there").unwrap();
    assert_eq!(rows(), 1);
}

#[test]
fn keys_are_listed_by_their_bytes_and_once_over_all_pages() {
    let store = TestStore::new();
    let id = store.create_kv_namespace("kv").unwrap().id;
    let mut keys = ["a", "a/", "a/b", "a/é", "a0", "A", "Z", "b", "\u{ffff}", "\u{10000}", "é", "~", "aa", "%", "_"];
    let metadata = Some(json!({"n": 1}));
    for key in keys {
        store.put_kv_value(&id, key, &KvEntry { metadata: metadata.clone(), ..entry("x") }).unwrap();
    }
    keys.sort_unstable_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    for prefix in ["", "a", "a/", "%", "_", "b", "nothing", "\u{ffff}"] {
        let expected: Vec<_> = keys.iter().filter(|key| key.starts_with(prefix)).map(|&key| key.to_owned()).collect();
        for limit in [1, 2, 3, 15, 1000] {
            let mut found = Vec::new();
            let mut cursor: Option<String> = None;
            loop {
                let page = store.kv_keys(&id, prefix, limit, cursor.as_deref(), 0).unwrap();
                assert!(page.items.len() <= limit);
                found.extend(page.items.into_iter().map(|key| key.name));
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "prefix {prefix:?}, limit {limit}");
        }
    }
    let one = store.kv_keys(&id, "Z", 10, None, 0).unwrap().items;
    assert_eq!(one, [KvKey { name: "Z".to_owned(), metadata, expiration: None }]);
    assert!(matches!(store.kv_keys(&id, "", 10, Some("!"), 0), Err(StoreError::Cursor)));
}

#[test]
fn values_are_put_and_deleted_together() {
    let store = TestStore::new();
    let id = store.create_kv_namespace("kv").unwrap().id;
    let entries = ["a", "b", "a"].map(|key| (key.to_owned(), entry(key)));
    store.put_kv_values(&id, &entries).unwrap();
    assert_eq!(count(&store.sql(), "kv_entries"), 2);

    store.delete_kv_values(&id, &["a".to_owned(), "never there".to_owned()]).unwrap();

    assert_eq!(store.kv_value(&id, "a", 0).unwrap(), None);
    assert_eq!(store.kv_value(&id, "b", 0).unwrap(), Some(entry("b")));
}

fn entry(text: &'static str) -> KvEntry {
    KvEntry { value: Bytes::from_static(text.as_bytes()), metadata: None, expiration: None }
}
