use bytes::Bytes;
use tidegate_platform::assets::{Config, File};
use tidegate_platform::names::ScriptName;
use tidegate_platform::store::{AssetUpload, Files, ManifestEntry, NewVersion, Store, StoreError};
use tidegate_platform::worker::ScriptKey;

use crate::support::{TestStore, account, assert_sound, count, in_namespace, namespace_name, version};

/// Some time, in seconds since 1970; far from now, so that opening a store ends no session.
pub(crate) const NOW: i64 = 4_000_000_000;
const HOUR: i64 = 3600;

/// Files as `path hash content`.
type Listed<'a> = &'a [(&'a str, &'a str, &'a str)];

pub(crate) fn manifest(files: Listed<'_>) -> Vec<ManifestEntry> {
    let entry = |(path, hash, content): &(&str, &str, &str)| ManifestEntry {
        path: (*path).to_owned(),
        hash: (*hash).to_owned(),
        size: content.len() as u64,
    };
    files.iter().map(entry).collect()
}

pub(crate) fn content(hash: &str, content: &str) -> AssetUpload {
    AssetUpload {
        hash: hash.to_owned(),
        content_type: Some(format!("text/{hash}")),
        content: Bytes::copy_from_slice(content.as_bytes()),
    }
}

/// A version that has the files.
pub(crate) fn with_files(text: &str, files: Files) -> NewVersion {
    let mut new = version(text);
    new.code.assets = Some(Config::default());
    NewVersion { files: Some(files), ..new }
}

/// Begins a session and uploads what is missing.
fn uploaded(store: &Store, key: &ScriptKey, files: Listed<'_>) -> String {
    let session = store.create_asset_session(key, &manifest(files), NOW).unwrap();
    let wanted = |hash: &str| session.missing.iter().any(|(missing, _)| missing == hash);
    let uploads: Vec<_> =
        files.iter().filter(|(_, hash, _)| wanted(hash)).map(|(_, hash, text)| content(hash, text)).collect();
    store.put_assets(&session.id, &uploads, NOW).unwrap();
    assert!(store.complete_asset_session(&session.id, NOW).unwrap().is_some());
    session.id
}

/// Uploads files and deploys them; answers with the version.
fn deployed(store: &Store, key: &ScriptKey, files: Listed<'_>) -> String {
    let session = uploaded(store, key, files);
    store.deploy(key, &with_files("worker", Files::Session(session))).unwrap().0.version.id
}

fn missing(store: &Store, key: &ScriptKey, files: Listed<'_>) -> Vec<String> {
    let session = store.create_asset_session(key, &manifest(files), NOW).unwrap();
    session.missing.into_iter().map(|(hash, _)| hash).collect()
}

fn text(store: &Store, version: &str, path: &str) -> String {
    String::from_utf8(store.asset_content(version, path, None).unwrap().to_vec()).unwrap()
}

#[test]
fn a_version_has_the_files_of_the_session_that_it_was_deployed_with() {
    let store = TestStore::new();
    let key = in_namespace(&store.make_namespace("production"), "customer");
    let version =
        deployed(&store, &key, &[("/a.css", "0a", "body {}"), ("/b c/é", "0b", ""), ("/copy", "0a", "body {}")]);

    let file =
        File { path: "/a.css".to_owned(), hash: "0a".to_owned(), size: 7, content_type: Some("text/0a".to_owned()) };
    assert_eq!(store.asset(&version, "/a.css").unwrap(), Some(file.clone()));
    assert_eq!(store.asset(&version, "/copy").unwrap(), Some(File { path: "/copy".to_owned(), ..file }));
    assert_eq!(text(&store, &version, "/copy"), "body {}");
    assert_eq!(text(&store, &version, "/b c/é"), "");
    for absent in ["/", "/a", "a.css", "/A.css", ""] {
        assert_eq!(store.asset(&version, absent).unwrap(), None, "{absent}");
        assert!(matches!(store.asset_content(&version, absent, None), Err(StoreError::AssetNotFound)));
    }
    assert_eq!(store.asset("another version", "/a.css").unwrap(), None);
    let loaded = store.load(&key).unwrap();
    assert_eq!((loaded.version, loaded.code.assets), (version, Some(Config::default())));
    assert!(store.script(&key).unwrap().version.has_assets);
    assert_eq!(count(&store.sql(), "asset_blobs"), 2);
    assert_sound(&store.sql());
}

#[test]
fn how_files_are_served_is_kept_as_it_was_said() {
    let store = TestStore::new();
    let config: Config = serde_json::from_value(serde_json::json!({
        "html_handling": "drop-trailing-slash", "not_found_handling": "404-page",
        "run_worker_first": ["/api/*", "!/api/docs"], "_headers": "/*\n  X: y", "_redirects": "/a /b 301",
    }))
    .unwrap();
    let mut new = with_files("worker", Files::Session(uploaded(&store, &account("worker"), &[])));
    new.code.assets = Some(config.clone());
    store.deploy(&account("worker"), &new).unwrap();

    assert_eq!(store.load(&account("worker")).unwrap().code.assets, Some(config));
}

#[test]
fn ranges_of_a_file_of_many_pieces_are_its_bytes_there() {
    const MIB: usize = 1 << 20;
    let store = TestStore::new();
    let bytes: Vec<u8> = (0..2 * MIB + 5).map(|place| u8::try_from(place / 7 % 251).unwrap()).collect();
    let entry = ManifestEntry { path: "/large".to_owned(), hash: "0f".to_owned(), size: bytes.len() as u64 };
    let key = account("worker");
    let session = store.create_asset_session(&key, &[entry], NOW).unwrap().id;
    let upload = AssetUpload { hash: "0f".to_owned(), content_type: None, content: bytes.clone().into() };
    store.put_assets(&session, &[upload], NOW).unwrap();
    let version = store.deploy(&key, &with_files("worker", Files::Session(session))).unwrap().0.version.id;

    assert_eq!(store.asset_content(&version, "/large", None).unwrap(), bytes);
    let end = bytes.len();
    for (from, to) in
        [(0, 0), (0, 1), (5, 5), (MIB - 1, MIB), (MIB - 1, MIB + 1), (MIB, 2 * MIB), (3, end), (end - 1, end)]
    {
        let range = Some(from as u64..to as u64);
        assert_eq!(store.asset_content(&version, "/large", range).unwrap(), bytes[from..to], "{from}..{to}");
    }
    let part = |range| store.asset_content(&version, "/large", Some(range)).unwrap();
    assert_eq!(part(end as u64 - 2..u64::MAX), bytes[end - 2..], "what lies behind the end is not there");
    assert!(part(end as u64..u64::MAX).is_empty());
    assert!(part(u64::MAX - 1..u64::MAX).is_empty());
}

#[test]
fn within_a_namespace_whoever_uploads_a_hash_first_says_what_it_is_and_elsewhere_it_is_unknown() {
    let store = TestStore::new();
    let production = store.make_namespace("production");
    let (one, two) = (in_namespace(&production, "one"), in_namespace(&production, "two"));
    let file: Listed<'_> = &[("/f", "0f", "first")];
    let first = deployed(&store, &one, file);
    assert_eq!(missing(&store, &two, file), [""; 0], "the namespace has it");

    let others: Listed<'_> = &[("/f", "0f", "other")];
    let session = store.create_asset_session(&two, &manifest(others), NOW).unwrap();
    store.put_assets(&session.id, &[content("0f", "other")], NOW).unwrap();
    let shared = store.deploy(&two, &with_files("two", Files::Session(session.id))).unwrap().0.version.id;
    assert_eq!((text(&store, &first, "/f"), text(&store, &shared, "/f")), ("first".to_owned(), "first".to_owned()));

    let staging = in_namespace(&store.make_namespace("staging"), "one");
    for elsewhere in [&staging, &account("one")] {
        assert_eq!(missing(&store, elsewhere, others), ["0f"]);
        let version = deployed(&store, elsewhere, others);
        assert_eq!(text(&store, &version, "/f"), "other");
    }
    assert_eq!(text(&store, &first, "/f"), "first");
    assert_sound(&store.sql());
}

#[test]
fn what_a_session_was_promised_is_there_when_it_is_deployed() {
    let store = TestStore::new();
    let namespace = store.make_namespace("production");
    let (old, new) = (in_namespace(&namespace, "old"), in_namespace(&namespace, "new"));
    let files: Listed<'_> = &[("/a", "0a", "a"), ("/b", "0b", "b")];
    deployed(&store, &old, files);
    let session = store.create_asset_session(&new, &manifest(&files[..1]), NOW + 1).unwrap();
    assert!(session.missing.is_empty());

    store.delete_script(&old).unwrap();
    // What the first session holds goes with it, and with the next one to begin.
    store.create_asset_session(&old, &[], NOW + HOUR).unwrap();
    assert_eq!(count(&store.sql(), "asset_blobs"), 1, "`/b` is gone");

    let version = store.deploy(&new, &with_files("new", Files::Session(session.id))).unwrap().0.version.id;
    assert_eq!(text(&store, &version, "/a"), "a");
    assert_sound(&store.sql());
}

#[test]
fn files_are_deployed_to_the_script_that_they_were_uploaded_for_when_all_are_there() {
    let store = TestStore::new();
    let (one, two) = (store.make_namespace("one"), store.make_namespace("two"));
    let key = in_namespace(&one, "customer");
    let files: Listed<'_> = &[("/a", "0a", "a"), ("/b", "0b", "b")];
    let session = store.create_asset_session(&key, &manifest(files), NOW).unwrap().id;
    let check = |session: &str, key: &ScriptKey, now: i64| {
        let checked = store.check_asset_session(session, key, now);
        let deployed = store.deploy(key, &with_files("x", Files::Session(session.to_owned()))).map(drop);
        if now < NOW + HOUR {
            assert_eq!(format!("{checked:?}"), format!("{deployed:?}"), "the store refuses what the check does");
        }
        checked
    };
    store.put_assets(&session, &[content("0a", "a")], NOW).unwrap();
    assert_eq!(store.complete_asset_session(&session, NOW).unwrap(), None);
    assert!(matches!(check(&session, &key, NOW), Err(StoreError::AssetSessionIncomplete)));
    store.put_assets(&session, &[content("0b", "b"), content("0a", "a")], NOW).unwrap();
    assert_eq!(store.complete_asset_session(&session, NOW + 5).unwrap(), Some(NOW + 5 + HOUR));

    let others = [in_namespace(&one, "other"), in_namespace(&two, "customer"), account("customer")];
    for other in &others {
        assert!(matches!(check(&session, other, NOW), Err(StoreError::AssetSessionForeign)), "{other:?}");
    }
    assert!(matches!(check("no session", &key, NOW), Err(StoreError::AssetSessionNotFound)));
    assert_eq!(count(&store.sql(), "versions"), 0);
    check(&session, &key, NOW).unwrap();
    check(&session, &key, NOW).unwrap();
    let late = check(&session, &key, NOW + 5 + HOUR);
    assert!(matches!(late, Err(StoreError::AssetSessionNotFound)), "{late:?}");
    let gone = ScriptName::parse("late").map(|name| ScriptKey { name, ..key }).unwrap();
    store.delete_namespace(&namespace_name("one")).unwrap();
    assert!(matches!(store.create_asset_session(&gone, &[], NOW), Err(StoreError::NamespaceNotFound)));
    assert!(matches!(store.put_assets(&session, &[], NOW), Err(StoreError::AssetSessionNotFound)));
    assert_sound(&store.sql());
}

#[test]
fn uploads_that_the_manifest_does_not_name_are_refused_with_all_that_came_with_them() {
    let store = TestStore::new();
    let key = account("worker");
    let session = store.create_asset_session(&key, &manifest(&[("/a", "0a", "a"), ("/b", "0b", "b")]), NOW).unwrap().id;
    let put = |uploads: &[AssetUpload], now: i64| store.put_assets(&session, uploads, now).unwrap_err();

    let unknown = put(&[content("0a", "a"), content("ff", "b")], NOW);
    assert!(matches!(&unknown, StoreError::AssetNotWanted(hash) if hash == "ff"), "{unknown}");
    let longer = put(&[content("0a", "a"), content("0b", "bb")], NOW);
    assert!(matches!(&longer, StoreError::AssetSize { hash, expected: 1, found: 2 } if hash == "0b"), "{longer}");
    assert!(matches!(put(&[content("0a", "a")], NOW + HOUR), StoreError::AssetSessionNotFound));
    assert_eq!(count(&store.sql(), "asset_chunks"), 0);

    // Of another session of the same namespace.
    store.create_asset_session(&key, &manifest(&[("/c", "0c", "c")]), NOW).unwrap();
    assert!(matches!(put(&[content("0c", "c")], NOW), StoreError::AssetNotWanted(_)));
    store.put_assets(&session, &[content("0a", "a"), content("0a", "b"), content("0b", "b")], NOW).unwrap();
    let version = store.deploy(&key, &with_files("worker", Files::Session(session))).unwrap().0.version.id;
    assert_eq!(text(&store, &version, "/a"), "a", "the first one");
}

#[test]
fn a_version_made_of_another_has_its_files() {
    let store = TestStore::new();
    let key = in_namespace(&store.make_namespace("production"), "customer");
    let first = deployed(&store, &key, &[("/a", "0a", "a")]);
    let kept = |from: &str| NewVersion {
        derived_from: Some(from.to_owned()),
        ..with_files("changed", Files::Version(from.to_owned()))
    };
    let second = store.deploy(&key, &kept(&first)).unwrap().0.version.id;

    assert_eq!(text(&store, &second, "/a"), "a");
    assert_eq!(store.asset(&first, "/a").unwrap(), None, "that version is gone");
    assert_eq!(count(&store.sql(), "asset_manifests"), 1, "nothing is copied");
    let gone = NewVersion { derived_from: None, ..kept(&first) };
    assert!(matches!(store.deploy(&key, &gone), Err(StoreError::Conflict)));
    let others = with_files("other", Files::Version(second));
    assert!(matches!(store.deploy(&account("other"), &others), Err(StoreError::Conflict)));

    let (script, _) = store.deploy(&key, &version("without")).unwrap();
    assert!(!script.version.has_assets);
    assert_eq!(store.load(&key).unwrap().code.assets, None);
    let none = with_files("none", Files::Version(script.version.id));
    assert!(matches!(store.deploy(&key, &none), Err(StoreError::Conflict)));
    assert_sound(&store.sql());
}

#[test]
fn files_go_with_the_last_version_that_has_them() {
    let store = TestStore::new();
    let key = account("worker");
    let left = || count(&store.sql(), "asset_blobs");
    deployed(&store, &key, &[("/a", "0a", "a"), ("/b", "0b", "b")]);
    // Its session ends.
    store.create_asset_session(&key, &[], NOW + HOUR).unwrap();
    for number in 1..10 {
        store.deploy_text("worker", &number.to_string());
        assert_eq!(left(), 2, "an older version still has them");
    }
    store.deploy_text("worker", "ten");
    assert_eq!(left(), 0);
    assert_eq!(count(&store.sql(), "asset_chunks"), 0);
    assert_sound(&store.sql());
}

#[test]
fn a_namespace_takes_its_files_with_it_and_a_new_name_takes_none() {
    let store = TestStore::new();
    let namespace = store.make_namespace("production");
    let key = in_namespace(&namespace, "customer");
    let version = deployed(&store, &key, &[("/a", "0a", "a")]);
    let begun = store.create_asset_session(&key, &manifest(&[("/b", "0b", "b")]), NOW).unwrap().id;
    let account = deployed(&store, &account("worker"), &[("/a", "0a", "a")]);

    store.update_namespace(&namespace_name("production"), Some(&namespace_name("live")), None).unwrap();
    assert_eq!(text(&store, &version, "/a"), "a");
    store.put_assets(&begun, &[content("0b", "b")], NOW).unwrap();

    store.delete_namespace(&namespace_name("live")).unwrap();
    assert_eq!(count(&store.sql(), "asset_blobs WHERE scope <> 0"), 0);
    assert_eq!(count(&store.sql(), "asset_sessions WHERE namespace IS NOT NULL"), 0);
    assert_eq!(text(&store, &account, "/a"), "a");
    let again = in_namespace(&store.make_namespace("production"), "customer");
    assert_eq!(missing(&store, &again, &[("/a", "0a", "a")]), ["0a"]);
    assert_sound(&store.sql());
}

#[test]
fn a_session_outlives_a_restart_and_an_expired_one_does_not() {
    let store = TestStore::new();
    let key = account("worker");
    let files: Listed<'_> = &[("/a", "0a", "a"), ("/b", "0b", "b")];
    let live = store.create_asset_session(&key, &manifest(&files[..1]), NOW).unwrap().id;
    store.put_assets(&live, &[content("0a", "a")], NOW).unwrap();
    let expired = store.create_asset_session(&key, &manifest(files), 1000).unwrap().id;
    store.put_assets(&expired, &[content("0b", "b")], 1001).unwrap();

    let folder = store.close();
    let store = Store::open(folder.path()).unwrap();
    assert!(matches!(store.put_assets(&expired, &[], 1001), Err(StoreError::AssetSessionNotFound)));
    let sql = rusqlite::Connection::open(crate::support::database(folder.path())).unwrap();
    assert_eq!(count(&sql, "asset_blobs"), 1);
    assert!(store.complete_asset_session(&live, NOW).unwrap().is_some());
    store.deploy(&key, &with_files("worker", Files::Session(live))).unwrap();
    assert_sound(&sql);
}

#[test]
fn what_was_uploaded_by_a_session_that_expired_need_not_be_uploaded_by_the_next() {
    let store = TestStore::new();
    let key = account("worker");
    let files: Listed<'_> = &[("/a", "0a", "a"), ("/b", "0b", "b")];
    let slow = store.create_asset_session(&key, &manifest(files), NOW).unwrap().id;
    store.put_assets(&slow, &[content("0a", "a")], NOW).unwrap();

    let again = store.create_asset_session(&key, &manifest(files), NOW + HOUR).unwrap();
    assert_eq!(again.missing, [("0b".to_owned(), 1)]);
    assert_eq!(count(&store.sql(), "asset_sessions"), 1);
    assert_sound(&store.sql());
}

#[test]
fn content_that_changed_on_the_disk_is_not_served() {
    let store = TestStore::new();
    let version = deployed(&store, &account("worker"), &[("/a", "0a", "content")]);
    for damage in [
        "UPDATE asset_chunks SET content = CAST('evil!!!' AS BLOB)",
        "UPDATE asset_chunks SET content = CAST('conten' AS BLOB)",
        "UPDATE asset_chunks SET number = 1",
        "DELETE FROM asset_chunks",
    ] {
        store.sql().execute(damage, ()).unwrap();
        let refused = store.asset_content(&version, "/a", Some(0..1)).unwrap_err();
        assert!(matches!(&refused, StoreError::Damaged(what) if what.contains("`/a`")), "{damage}: {refused}");
    }
}

#[test]
fn a_full_disk_takes_a_file_whole_or_not_at_all() {
    let store = TestStore::new();
    let key = account("worker");
    let large = "large ".repeat(500_000);
    let files: Listed<'_> = &[("/small", "0a", "a"), ("/large", "0b", &large)];
    let session = store.create_asset_session(&key, &manifest(files), NOW).unwrap().id;
    let uploads = [content("0a", "a"), content("0b", &large)];
    store.limit_size(Some(0)).unwrap();

    assert!(matches!(store.put_assets(&session, &uploads, NOW), Err(StoreError::Full(_))));
    assert_eq!(count(&store.sql(), "asset_chunks"), 0);
    assert_sound(&store.sql());

    store.limit_size(None).unwrap();
    store.put_assets(&session, &uploads, NOW).unwrap();
    let version = store.deploy(&key, &with_files("worker", Files::Session(session))).unwrap().0.version.id;
    assert_eq!(text(&store, &version, "/large"), large);
    assert_sound(&store.sql());
}

#[test]
fn twenty_thousand_files_come_in_and_go() {
    let store = TestStore::new();
    let key = in_namespace(&store.make_namespace("production"), "customer");
    let named: Vec<(String, String)> =
        (0..20_000).map(|number| (format!("/assets/{number}.js"), format!("{number:032x}"))).collect();
    let entries: Vec<_> = named
        .iter()
        .map(|(path, hash)| ManifestEntry { path: path.clone(), hash: hash.clone(), size: hash.len() as u64 })
        .collect();
    let session = store.create_asset_session(&key, &entries, NOW).unwrap();
    assert_eq!(session.missing.len(), 20_000);
    for batch in named.chunks(1000) {
        let uploads: Vec<_> = batch.iter().map(|(_, hash)| content(hash, hash)).collect();
        store.put_assets(&session.id, &uploads, NOW).unwrap();
    }
    assert!(store.complete_asset_session(&session.id, NOW).unwrap().is_some());
    let new = with_files("worker", Files::Session(session.id));
    let version = store.deploy(&key, &new).unwrap().0.version.id;
    assert_eq!(text(&store, &version, "/assets/19999.js"), named[19_999].1);

    assert!(store.create_asset_session(&key, &entries, NOW + HOUR).unwrap().missing.is_empty());
    store.delete_script(&key).unwrap();
    store.create_asset_session(&key, &[], NOW + 2 * HOUR).unwrap();
    assert_eq!(count(&store.sql(), "asset_blobs"), 0);
    assert_sound(&store.sql());
}
