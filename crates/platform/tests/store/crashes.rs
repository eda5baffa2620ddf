//! A store whose process is killed while it is being opened: made, brought to the newest version, cleaned up.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use bytes::Bytes;
use tidegate_platform::store::{KvEntry, Store};

use crate::support::{TestStore, account, assert_sound, count, database, secret, version};

/// How often a process is killed at each of them.
const KILLS: usize = 40;

/// Where the child that is to be killed has its store.
const FOLDER: &str = "TIDEGATE_TEST_OPENED_FOLDER";

/// Does nothing but as the child of the tests below.
#[test]
fn opens_a_store() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    Store::open(&folder).unwrap();
}

fn open(folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "crashes::opens_a_store"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the opening of a store again and again, at random points: `prepare` makes its folder, `judge` looks at what is
/// there after it was opened again.
fn kill_at_random(prepare: impl Fn(&Path), judge: impl Fn(&Store, &Path)) {
    let seed = env::var("TIDEGATE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("TIDEGATE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let undisturbed = tempfile::tempdir().unwrap();
    prepare(undisturbed.path());
    let started = Instant::now();
    assert!(open(undisturbed.path()).wait().unwrap().success());
    let whole = started.elapsed();
    let mut killed = 0;
    for _ in 0..KILLS {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let mut child = open(folder.path());
        sleep(whole.mul_f64(rng.f64()));
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        let store = Store::open(folder.path()).unwrap();
        judge(&store, folder.path());
        assert_sound(&rusqlite::Connection::open(database(folder.path())).unwrap());
    }
    assert!(killed > KILLS / 4, "only {killed} were killed before they were done");
}

#[test]
fn a_store_whose_making_was_killed_is_made_by_the_next_start() {
    kill_at_random(
        |_| (),
        |store, _| {
            let mut new = version("code");
            new.code.bindings = vec![secret("KEY", "value")];
            store.deploy(&account("worker"), &new).unwrap();
            assert_eq!(store.load(&account("worker")).unwrap().code.bindings, new.code.bindings);
        },
    );
}

#[test]
fn a_store_whose_cleaning_was_killed_has_all_that_had_not_expired() {
    const VALUES: usize = 400;
    let template = TestStore::new();
    let id = template.create_kv_namespace("values").unwrap().id;
    let entry = |expiration| KvEntry { value: Bytes::from(vec![b'x'; 10_000]), metadata: None, expiration };
    let expired: Vec<_> = (0..VALUES).map(|number| (format!("expired-{number}"), entry(None))).collect();
    template.put_kv_values(&id, &expired).unwrap();
    template.put_kv_values(&id, &[("kept".to_owned(), entry(None))]).unwrap();
    // As if they had been written long ago: what expires in the past would not be kept at all.
    template.sql().execute("UPDATE kv_entries SET expiration = 1 WHERE key <> 'kept'", ()).unwrap();
    let template = template.close();
    kill_at_random(
        |folder| {
            for file in fs::read_dir(template.path()).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), folder.join(file.file_name())).unwrap();
            }
        },
        |store, folder| {
            assert_eq!(store.kv_value(&id, "kept", 0).unwrap(), Some(entry(None)));
            assert_eq!(count(&rusqlite::Connection::open(database(folder)).unwrap(), "kv_entries"), 1);
        },
    );
}
