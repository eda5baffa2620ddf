//! Static assets against a model: whatever is begun, uploaded, deployed, deleted and left to expire, in whatever order, all
//! that is needed is there, as it was uploaded first, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tidegate_platform::names::ScriptName;
use tidegate_platform::store::{Files, ManifestEntry, NewVersion, Store, StoreError};
use tidegate_platform::worker::{NamespaceId, Scope, ScriptKey};

use crate::assets::{NOW, content, with_files};
use crate::support::{TestStore, assert_sound, count, database, namespace_name, version};

const HOUR: i64 = 3600;
/// As many expired sessions go with a new one.
const SWEPT: usize = 8;

/// A step. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Begin { script: usize, hashes: Vec<u8> },
    Upload { session: usize, hashes: Vec<u8> },
    Complete { session: usize },
    Deploy { script: usize, session: usize },
    DeployKept { script: usize },
    DeployWithout { script: usize },
    DeleteScript { script: usize },
    ReplaceNamespace,
    Wait { seconds: i64 },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let hashes = || proptest::collection::vec(0..5_u8, 0..5);
    let session = 0..4_usize;
    let script = 0..4_usize;
    let step = prop_oneof![
        6 => (script.clone(), hashes()).prop_map(|(script, hashes)| Step::Begin { script, hashes }),
        6 => (session.clone(), hashes()).prop_map(|(session, hashes)| Step::Upload { session, hashes }),
        2 => session.clone().prop_map(|session| Step::Complete { session }),
        4 => (script.clone(), session).prop_map(|(script, session)| Step::Deploy { script, session }),
        1 => script.clone().prop_map(|script| Step::DeployKept { script }),
        1 => script.clone().prop_map(|script| Step::DeployWithout { script }),
        2 => script.prop_map(|script| Step::DeleteScript { script }),
        1 => Just(Step::ReplaceNamespace),
        2 => (1..2 * HOUR).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

type Hashes = BTreeSet<u8>;

struct Session {
    id: String,
    key: ScriptKey,
    hashes: Hashes,
    expires_on: i64,
}

/// What should be.
#[derive(Default)]
struct Model {
    now: i64,
    sessions: Vec<Session>,
    /// The versions with files that are kept, the newest last.
    versions: BTreeMap<String, (ScriptKey, Hashes)>,
    /// Which upload each content came with.
    contents: BTreeMap<(Scope, u8), String>,
}

impl Model {
    /// What nothing names any more is gone.
    fn collect(&mut self) {
        let sessions = self.sessions.iter().map(|session| (&session.key, &session.hashes));
        let versions = self.versions.values().map(|(key, hashes)| (key, hashes));
        let named: BTreeSet<(Scope, u8)> =
            sessions.chain(versions).flat_map(|(key, hashes)| hashes.iter().map(|hash| (key.scope, *hash))).collect();
        self.contents.retain(|place, _| named.contains(place));
    }

    fn is_complete(&self, session: &Session) -> bool {
        session.hashes.iter().all(|hash| self.contents.contains_key(&(session.key.scope, *hash)))
    }
}

fn name(hash: u8) -> String {
    format!("{hash:02x}")
}

/// Two uploads of one hash differ, and are of one length.
fn text(hash: u8, upload: usize) -> String {
    format!("{hash} in the upload {upload:03}").repeat(usize::from(hash))
}

/// Uploads know what is named by their number.
fn path(hash: u8) -> String {
    format!("/{hash}")
}

fn run(steps: &[Step]) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let mut namespace = store.create_namespace(&namespace_name("n")).unwrap().id;
    let mut model = Model { now: NOW, ..Model::default() };
    for (number, step) in steps.iter().enumerate() {
        // No two sessions expire at once.
        model.now += 1;
        let key = |script: usize, namespace: NamespaceId| ScriptKey {
            scope: if script.is_multiple_of(2) { Scope::Account } else { Scope::Namespace(namespace) },
            name: ScriptName::parse(if script < 2 { "one" } else { "two" }).unwrap(),
        };
        match step {
            Step::Begin { script, hashes } => begin(&store, &mut model, key(*script, namespace), hashes),
            Step::Upload { session, hashes } => upload(&store, &mut model, *session, hashes, number),
            Step::Complete { session } => complete(&store, &mut model, *session),
            Step::Deploy { script, session } => deploy(&store, &mut model, &key(*script, namespace), *session),
            Step::DeployKept { script } => {
                let key = key(*script, namespace);
                let Ok(loaded) = store.load(&key) else { continue };
                let Some((_, hashes)) = model.versions.get(&loaded.version).cloned() else { continue };
                let new = with_files(&number.to_string(), Files::Version(loaded.version.clone()));
                written(&store, &mut model, &key, &new, Some(hashes));
            }
            Step::DeployWithout { script } => {
                written(&store, &mut model, &key(*script, namespace), &version(&number.to_string()), None);
            }
            Step::DeleteScript { script } => {
                let key = key(*script, namespace);
                if store.delete_script(&key).is_ok() {
                    model.versions.retain(|_, (of, _)| *of != key);
                }
            }
            Step::ReplaceNamespace => {
                store.delete_namespace(&namespace_name("n")).unwrap();
                let gone = Scope::Namespace(namespace);
                model.sessions.retain(|session| session.key.scope != gone);
                model.versions.retain(|_, (key, _)| key.scope != gone);
                namespace = store.create_namespace(&namespace_name("n")).unwrap().id;
            }
            Step::Wait { seconds } => model.now += seconds,
            Step::Reopen => {
                drop(store);
                store = Store::open(folder.path()).unwrap();
            }
        }
        model.collect();
        compare(&store, &model, folder.path());
    }
}

fn begin(store: &Store, model: &mut Model, key: ScriptKey, hashes: &[u8]) {
    let hashes: Hashes = hashes.iter().copied().collect();
    let entry = |hash: &u8| ManifestEntry { path: path(*hash), hash: name(*hash), size: text(*hash, 0).len() as u64 };
    let manifest: Vec<_> = hashes.iter().map(entry).collect();
    let begun = store.create_asset_session(&key, &manifest, model.now).unwrap();
    let missing: Vec<_> = hashes
        .iter()
        .filter(|hash| !model.contents.contains_key(&(key.scope, **hash)))
        .map(|hash| name(*hash))
        .collect();
    assert_eq!(begun.missing.into_iter().map(|(hash, _)| hash).collect::<Vec<_>>(), missing);
    model.sessions.push(Session { id: begun.id, key, hashes, expires_on: begun.expires_on });
    model.sessions.sort_by_key(|session| session.expires_on);
    let expired = model.sessions.iter().take_while(|session| session.expires_on <= model.now).count();
    model.sessions.drain(..expired.min(SWEPT));
}

fn upload(store: &Store, model: &mut Model, session: usize, hashes: &[u8], number: usize) {
    let Some(session) = chosen(model, session) else { return };
    let uploads: Vec<_> = hashes.iter().map(|hash| content(&name(*hash), &text(*hash, number))).collect();
    let put = store.put_assets(&session.id, &uploads, model.now);
    if session.expires_on <= model.now {
        assert!(matches!(put, Err(StoreError::AssetSessionNotFound)), "{put:?}");
    } else if hashes.iter().all(|hash| session.hashes.contains(hash)) {
        put.unwrap();
        let scope = session.key.scope;
        for hash in hashes {
            model.contents.entry((scope, *hash)).or_insert_with(|| text(*hash, number));
        }
    } else {
        assert!(matches!(put, Err(StoreError::AssetNotWanted(_))), "{put:?}");
    }
}

fn complete(store: &Store, model: &mut Model, session: usize) {
    let Some(session) = chosen(model, session) else { return };
    let (id, complete) = (session.id.clone(), model.is_complete(session));
    let completed = store.complete_asset_session(&id, model.now);
    if session.expires_on <= model.now {
        assert!(matches!(completed, Err(StoreError::AssetSessionNotFound)), "{completed:?}");
        return;
    }
    assert_eq!(completed.unwrap(), complete.then_some(model.now + HOUR));
    if complete {
        let now = model.now;
        model
            .sessions
            .iter_mut()
            .filter(|session| session.id == id)
            .for_each(|session| session.expires_on = now + HOUR);
    }
}

fn deploy(store: &Store, model: &mut Model, key: &ScriptKey, session: usize) {
    let Some(session) = chosen(model, session) else { return };
    let new = with_files("deployed", Files::Session(session.id.clone()));
    let hashes = session.hashes.clone();
    let checked = store.check_asset_session(&session.id, key, model.now);
    if session.expires_on <= model.now {
        assert!(matches!(checked, Err(StoreError::AssetSessionNotFound)), "{checked:?}");
    } else if session.key != *key {
        assert!(matches!(checked, Err(StoreError::AssetSessionForeign)), "{checked:?}");
    } else if model.is_complete(session) {
        checked.unwrap();
        written(store, model, key, &new, Some(hashes));
    } else {
        assert!(matches!(checked, Err(StoreError::AssetSessionIncomplete)), "{checked:?}");
    }
}

/// Deploys, and forgets the versions that are not kept any more.
fn written(store: &Store, model: &mut Model, key: &ScriptKey, new: &NewVersion, hashes: Option<Hashes>) {
    let version = store.deploy(key, new).unwrap().0.version.id;
    if let Some(hashes) = hashes {
        model.versions.insert(version, (key.clone(), hashes));
    }
    let kept: BTreeSet<_> = store.versions(key).unwrap().into_iter().map(|version| version.id).collect();
    model.versions.retain(|id, (of, _)| of != key || kept.contains(id));
}

fn chosen(model: &Model, session: usize) -> Option<&Session> {
    // The newest ones are the likeliest to be live.
    model.sessions.len().checked_sub(1 + session).map(|place| &model.sessions[place])
}

fn compare(store: &Store, model: &Model, folder: &std::path::Path) {
    let sql = rusqlite::Connection::open(database(folder)).unwrap();
    assert_sound(&sql);
    assert_eq!(count(&sql, "asset_sessions"), i64::try_from(model.sessions.len()).unwrap());
    let kept = count(&sql, "asset_blobs WHERE size IS NOT NULL");
    assert_eq!(kept, i64::try_from(model.contents.len()).unwrap(), "contents that are kept");
    for (version, (key, hashes)) in &model.versions {
        for hash in 0..5 {
            let file = store.asset(version, &path(hash)).unwrap();
            assert_eq!(file.is_some(), hashes.contains(&hash), "{version} {hash}");
            if file.is_some() {
                let found = store.asset_content(version, &path(hash), None).unwrap();
                assert_eq!(found, model.contents[&(key.scope, hash)], "{version} {hash}");
            }
        }
    }
}

proptest! {
    // Each step is a change on the disk.
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_that_is_needed_is_kept_as_it_was_uploaded_first_and_nothing_else_is(steps in steps()) {
        run(&steps);
    }
}

/// What the steps above seldom come to: sessions that expire by the dozen.
#[test]
fn expired_sessions_go_a_few_at_a_time() {
    let store = TestStore::new();
    let key = ScriptKey { scope: Scope::Account, name: ScriptName::parse("worker").unwrap() };
    for number in 0..20 {
        let entry = ManifestEntry { path: "/a".to_owned(), hash: name(number), size: 1 };
        store.create_asset_session(&key, &[entry], NOW + i64::from(number)).unwrap();
    }
    for left in [20 - 8 + 1, 20 - 16 + 2, 3, 4] {
        store.create_asset_session(&key, &[], NOW + 2 * HOUR).unwrap();
        assert_eq!(count(&store.sql(), "asset_sessions"), left);
    }
    assert_eq!(count(&store.sql(), "asset_blobs"), 0);
    assert_sound(&store.sql());
}
