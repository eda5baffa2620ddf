use std::collections::HashMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _, stdout};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bytes::Bytes;
use tidegate_platform::store::{KvEntry, NewVersion, Store, StoreError};
use tidegate_platform::worker::ModuleKind;

use crate::support::{
    TestStore, account, assert_sound, count, in_namespace, module, namespace_name, owned, secret, text_of, version,
};

#[test]
fn a_full_disk_leaves_what_was_there_and_nothing_else() {
    let store = TestStore::new();
    let namespace = store.make_namespace("production");
    let keys = [account("worker"), in_namespace(&namespace, "customer")];
    for key in &keys {
        store.deploy(key, &NewVersion { tags: Some(owned(&["old"])), ..version("old") }).unwrap();
    }
    let id = store.create_kv_namespace("kv").unwrap().id;
    let tables = ["scripts", "versions", "modules", "bindings", "blobs", "tags", "deployments", "kv_entries"];
    let rows = || tables.map(|table| count(&store.sql(), table));
    let before = rows();
    let changes = store.load(&keys[1]).unwrap().serial;

    store.limit_size(Some(0)).unwrap();
    for key in &keys {
        // Some rows fit into pages that are there; the large one does not.
        let mut new = NewVersion { tags: Some(owned(&["new", "newer"])), ..version("new") };
        new.code.bindings = vec![secret("KEY", "value")];
        new.code.modules.push(module("large.js", &"large ".repeat(100_000)));
        let refused = store.deploy(key, &new).unwrap_err();
        assert!(matches!(refused, StoreError::Full(_)), "{refused}");
        assert!(refused.to_string().contains("make room"), "{refused}");
        assert_eq!(store.served(key), "old");
        assert_eq!(store.tags(key).unwrap(), ["old"]);
    }
    let entry = KvEntry { value: Bytes::from(vec![1; 1_000_000]), metadata: None, expiration: None };
    let entries = [("small".to_owned(), KvEntry { value: Bytes::new(), ..entry.clone() }), ("large".to_owned(), entry)];
    assert!(matches!(store.put_kv_values(&id, &entries), Err(StoreError::Full(_))));
    assert_eq!(rows(), before);
    assert_sound(&store.sql());

    store.limit_size(None).unwrap();
    let (_, change) = store.deploy(&keys[1], &version("new")).unwrap();
    assert_eq!(change.serial, changes + 1, "failed changes took no serial");
    assert_eq!(store.served(&keys[1]), "new");
    store.put_kv_values(&id, &entries).unwrap();
    assert_sound(&store.sql());
}

#[test]
fn deleting_makes_room_on_a_full_disk() {
    let store = TestStore::new();
    store.deploy_text("large", &"large ".repeat(100_000));
    store.limit_size(Some(0)).unwrap();
    let again = version(&"other ".repeat(90_000));
    assert!(matches!(store.deploy(&account("next"), &again), Err(StoreError::Full(_))));

    store.delete_script(&account("large")).unwrap();

    store.deploy(&account("next"), &again).unwrap();
    assert_sound(&store.sql());
}

#[test]
fn code_that_changed_on_the_disk_is_not_loaded() {
    let store = TestStore::new();
    store.deploy_text("worker", "fetch()");
    store.sql().execute("UPDATE blobs SET content = CAST('evil()' AS BLOB)", ()).unwrap();

    let refused = store.load(&account("worker")).unwrap_err();

    assert!(matches!(&refused, StoreError::Damaged(what) if what.contains("`main.js`")), "{refused}");
}

#[cfg(unix)]
#[test]
fn a_file_system_that_refuses_a_write_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    // 1 MiB in blocks of 512 bytes; the signal that would come first is ignored.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ && ulimit -f 2048 && exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "faults::writes_until_it_is_refused", "--nocapture"])
        .env(LIMITED_FOLDER, folder.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let acknowledged = printed.lines().filter(|line| line.contains("acknowledged")).count();
    assert!(acknowledged > 1, "{printed}");

    let store = Store::open(folder.path()).unwrap();
    for number in 0..acknowledged {
        let loaded = store.load(&account(&format!("worker-{number}"))).unwrap();
        assert!(text_of(&loaded.code).starts_with(&format!("{number} ")));
    }
    let sql = rusqlite::Connection::open(crate::support::database(folder.path())).unwrap();
    assert_eq!(count(&sql, "scripts"), i64::try_from(acknowledged).unwrap(), "nothing that was refused is there");
    assert_sound(&sql);
}

/// Where the child whose files have a limit keeps its store.
const LIMITED_FOLDER: &str = "TIDEGATE_TEST_LIMITED_FOLDER";

/// Does nothing but as the child of the test above.
#[test]
fn writes_until_it_is_refused() {
    let Some(folder) = env::var_os(LIMITED_FOLDER).map(PathBuf::from) else { return };
    let store = Store::open(&folder).unwrap();
    let deploy = |number: usize| {
        let text = format!("{number} {}", number.to_string().repeat(50_000));
        store.deploy(&account(&format!("worker-{number}")), &version(&text))
    };
    for number in 0..1000 {
        match deploy(number) {
            Ok(_) => println!("acknowledged {number}"),
            Err(StoreError::Full(_)) => {
                assert!(text_of(&store.load(&account("worker-0")).unwrap().code).starts_with("0 "));
                assert!(matches!(deploy(number), Err(StoreError::Full(_))), "and again");
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("nothing was refused");
}

/// Where the child that is to be killed keeps its store.
const FOLDER: &str = "TIDEGATE_TEST_WRITER_FOLDER";

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: HashMap<String, String> = HashMap::new();
    let mut highest = 0;
    for round in 0..5 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "faults::writes_until_it_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let wanted = 20 + 7 * round;
        let mut seen = 0;
        for line in lines.by_ref() {
            if record(&line, &mut acknowledged, &mut highest) {
                seen += 1;
                if seen == wanted {
                    break;
                }
            }
        }
        assert_eq!(seen, wanted, "the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still acknowledged counts; a line that was cut off does not end in `.`.
        for line in lines {
            record(&line, &mut acknowledged, &mut highest);
        }

        let store = Store::open(folder.path()).unwrap();
        let namespace = store.namespace(&namespace_name("production")).unwrap();
        for (script, acknowledged) in &acknowledged {
            let loaded = store.load(&in_namespace(&namespace, script)).unwrap();
            let number = |text: &str| text.parse::<u64>().unwrap();
            // One more may have been kept than was said.
            assert!(number(&text_of(&loaded.code)) >= number(acknowledged), "{script} of round {round}");
            assert_eq!(loaded.code.modules.len(), 2);
            assert_eq!(loaded.code.modules[1].kind, ModuleKind::EsModule);
        }
        let (_, change) = store.deploy(&account("probe"), &version("probe")).unwrap();
        assert!(change.serial > highest, "a serial came back after round {round}");
        highest = change.serial;
        let sql = rusqlite::Connection::open(crate::support::database(folder.path())).unwrap();
        assert_sound(&sql);
    }
    assert_eq!(acknowledged.len(), 4);
}

/// Reads `script text serial .` as the child prints it.
fn record(line: &str, acknowledged: &mut HashMap<String, String>, highest: &mut u64) -> bool {
    let Some((_, line)) = line.split_once("acknowledged ") else { return false };
    let parts: Vec<_> = line.split(' ').collect();
    let [script, text, serial, "."] = parts[..] else { return false };
    acknowledged.insert(script.to_owned(), text.to_owned());
    let serial = serial.parse().unwrap();
    assert!(serial > *highest);
    *highest = serial;
    true
}

/// Does nothing but as the child of the test above.
#[test]
fn writes_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let store = Store::open(&folder).unwrap();
    let namespace = match store.create_namespace(&namespace_name("production")) {
        Err(StoreError::NamespaceExists) => store.namespace(&namespace_name("production")),
        made => made,
    }
    .unwrap();
    let mut number = store.load(&account("probe")).map_or(0, |loaded| loaded.serial * 1000);
    loop {
        number += 1;
        let script = format!("customer-{}", number % 4);
        let mut new = NewVersion { tags: Some(vec![number.to_string()]), ..version(&number.to_string()) };
        new.code.modules.push(module("large.js", &number.to_string().repeat(10_000)));
        let (_, change) = store.deploy(&in_namespace(&namespace, &script), &new).unwrap();
        let mut out = stdout().lock();
        // A process without its reader is at its end anyway.
        if writeln!(out, "acknowledged {script} {number} {} .", change.serial).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

#[test]
fn a_closed_store_lets_go_of_its_folder_and_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let closed = Store::open(folder.path()).unwrap();
    closed.close();
    let open = Store::open(folder.path()).unwrap();
    assert!(matches!(closed.create_kv_namespace("late"), Err(StoreError::Closed)));
    assert_eq!(open.kv_namespaces().unwrap(), []);
}
