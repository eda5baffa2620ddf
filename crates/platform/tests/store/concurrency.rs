use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

use tidegate_platform::store::{Change, NewVersion, StoreError};

use crate::support::{TestStore, account, assert_sound, in_namespace, tagged, version};

#[test]
fn puts_and_deletes_of_one_script_end_in_the_state_of_the_highest_serial() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 25;
    let store = TestStore::new();
    let key = in_namespace(&store.make_namespace("production"), "contended");
    let start = Barrier::new(THREADS);

    let changes: Vec<Change> = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (store, key, start) = (&store, &key, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut changes = Vec::new();
                    for round in 0..ROUNDS {
                        if thread % 2 == 0 {
                            let new = NewVersion {
                                tags: Some(vec!["t".to_owned()]),
                                ..version(&format!("{thread} {round}"))
                            };
                            changes.push(store.deploy(key, &new).unwrap().1);
                        } else {
                            match store.delete_script(key) {
                                Ok(change) => changes.push(change),
                                Err(StoreError::ScriptNotFound) => {}
                                Err(other) => panic!("{other}"),
                            }
                        }
                        // Whatever is there is whole.
                        match store.load(key) {
                            Ok(loaded) => assert_eq!(loaded.code.modules.len(), 1),
                            Err(StoreError::ScriptNotFound) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                    assert!(changes.is_sorted_by(|one, next| one.serial < next.serial));
                    changes
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });

    let serials: HashSet<_> = changes.iter().map(|change| change.serial).collect();
    assert_eq!(serials.len(), changes.len(), "no serial is given twice");
    let last = changes.iter().max_by_key(|change| change.serial).unwrap();
    match &last.version {
        Some(served) => {
            let loaded = store.load(&key).unwrap();
            assert_eq!((&loaded.version, loaded.serial), (served, last.serial));
        }
        None => assert!(matches!(store.load(&key), Err(StoreError::ScriptNotFound))),
    }
    assert_sound(&store.sql());
}

#[test]
fn of_changes_derived_from_the_same_version_one_wins() {
    let store = TestStore::new();
    let key = account("worker");
    let (script, _) = store.deploy(&key, &version("base")).unwrap();
    let start = Barrier::new(4);

    let won: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|thread| {
                let new = NewVersion { derived_from: Some(script.version.id.clone()), ..version(&thread.to_string()) };
                let (store, key, start) = (&store, &key, &start);
                scope.spawn(move || {
                    start.wait();
                    match store.deploy(key, &new) {
                        Ok(_) => Some(thread.to_string()),
                        Err(StoreError::Conflict) => None,
                        Err(other) => panic!("{other}"),
                    }
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().unwrap()).collect()
    });

    assert_eq!(won, [store.served(&key)]);
}

#[test]
fn more_readers_than_connections_take_turns() {
    let store = TestStore::new();
    for name in ["a", "b", "c"] {
        store.deploy(&account(name), &tagged(&["t"])).unwrap();
    }
    let start = Barrier::new(40);
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..10 {
                    assert_eq!(store.served(&account("b")), "tagged");
                }
            });
        }
    });
}
