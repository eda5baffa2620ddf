use tidegate_platform::names::ScriptName;
use tidegate_platform::store::{NewVersion, Seed};
use tidegate_platform::worker::{Scope, ScriptKey};

use crate::support::{
    TestStore, account, assert_sound, count, in_namespace, namespace_name, owned, secret, text_of, version,
};

fn seed() -> Seed {
    let mut version = NewVersion { tags: Some(owned(&["seeded"])), ..version("from the seed") };
    version.code.bindings = vec![secret("KEY", "its value")];
    Seed {
        namespace: namespace_name("seeded"),
        namespace_id: "f174e90a-fafe-4643-bbbc-4a0ed4fc8415".to_owned(),
        script: ScriptName::parse("script").unwrap(),
        script_tag: "e8f70fdbc8b1fb0b8ddb1af166186758".to_owned(),
        version,
        made_on: "2017-01-01T00:00:00.000000Z".to_owned(),
    }
}

#[test]
fn a_reset_leaves_the_seed_and_nothing_else() {
    let store = TestStore::new();
    store.add_token("token").unwrap();
    let mut states = Vec::new();
    let mut last = 0;
    for _ in 0..2 {
        let namespace = store.make_namespace("production");
        let keys = [account("worker"), in_namespace(&namespace, "customer")];
        for key in &keys {
            let mut new = NewVersion { tags: Some(owned(&["tag"])), ..version("text") };
            new.code.bindings = vec![secret("KEY", "another value")];
            store.deploy(key, &new).unwrap();
        }
        store.create_kv_namespace("kv").unwrap();

        let changes = store.reset(Some(&seed())).unwrap();
        let seeded = store.namespace(&namespace_name("seeded")).unwrap();
        let key = ScriptKey { scope: Scope::Namespace(seeded.id), name: ScriptName::parse("script").unwrap() };
        let loaded = store.load(&key).unwrap();
        for key in &keys {
            let gone = changes.iter().find(|change| change.key == *key).unwrap();
            assert_eq!(gone.version, None, "the runtime is told that it is gone");
        }
        let served = changes.last().unwrap();
        assert_eq!((&served.key, served.version.as_ref()), (&key, Some(&loaded.version)));
        assert!(changes.iter().all(|change| change.serial > last), "{changes:?}");
        last = served.serial;
        assert_eq!(text_of(&loaded.code), "from the seed");
        assert_eq!(loaded.code.bindings, [secret("KEY", "its value")]);

        for (table, rows) in [
            ("namespaces", 1),
            ("scripts", 1),
            ("versions", 1),
            ("modules", 1),
            ("blobs", 1),
            ("bindings", 1),
            ("tags", 1),
            ("deployments", 0),
            ("kv_namespaces", 0),
        ] {
            assert_eq!(count(&store.sql(), table), rows, "{table}");
        }
        assert_sound(&store.sql());
        let script = store.script(&key).unwrap();
        states.push((seeded.uuid, seeded.created_on, script.tag, script.created_on, script.modified_on, script.tags));
    }
    assert_eq!(states[0], states[1], "it is the same each time");
    assert!(store.knows_token("token").unwrap());
}

#[test]
fn a_reset_to_nothing_leaves_nothing_in_any_table() {
    let store = TestStore::new();
    store.reset(Some(&seed())).unwrap();
    let [gone] = &store.reset(None).unwrap()[..] else { panic!("one script was there") };
    assert_eq!(gone.version, None);
    let sql = store.sql();
    let mut tables = sql.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables = tables.query_map((), |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap();
    for table in tables.iter().filter(|table| !["state", "sqlite_sequence"].contains(&table.as_str())) {
        assert_eq!(count(&sql, table), 0, "{table}");
    }
    assert_sound(&sql);
}
