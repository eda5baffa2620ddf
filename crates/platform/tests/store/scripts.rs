use bytes::Bytes;
use serde_json::json;
use tidegate_platform::names::ScriptName;
use tidegate_platform::store::{Change, NewVersion, Started, StoreError, TagFilter};
use tidegate_platform::worker::{Binding, BindingValue, Code, Entry, Module, ModuleKind, NamespaceId, Outbound, Scope};

use crate::support::{
    TestStore, account, assert_sound, count, in_namespace, module, namespace_name, secret, tagged, version,
};

#[test]
fn what_was_deployed_is_what_is_loaded() {
    let store = TestStore::new();
    let binding = |name: &str, value| Binding { name: name.to_owned(), value };
    let kinds = [
        ModuleKind::CommonJs,
        ModuleKind::Data,
        ModuleKind::EsModule,
        ModuleKind::Json,
        ModuleKind::SourceMap,
        ModuleKind::Text,
        ModuleKind::Wasm,
    ];
    let modules = kinds.iter().enumerate().map(|(number, &kind)| Module {
        name: format!("module {number}/é"),
        kind,
        content_type: format!("type/{number}; charset=x"),
        content: Bytes::from(vec![0, 255, u8::try_from(number).unwrap()]),
    });
    let outbound = Outbound {
        service: "outbound".to_owned(),
        environment: Some("production".to_owned()),
        entrypoint: None,
        parameters: vec!["customer".to_owned()],
    };
    let code = Code {
        entry: Entry::BodyPart("module 0/é".to_owned()),
        modules: modules.collect(),
        bindings: vec![
            binding("z_blob", BindingValue::DataBlob { part: "a".to_owned() }),
            binding("assets", BindingValue::Assets),
            binding(
                "dispatch",
                BindingValue::DispatchNamespace { namespace: NamespaceId(7), outbound: Some(outbound) },
            ),
            binding("plain_dispatch", BindingValue::DispatchNamespace { namespace: NamespaceId(8), outbound: None }),
            binding("json", BindingValue::Json { json: json!({"a": [1, -2, 0.1, null, "x", u64::MAX]}) }),
            binding("null", BindingValue::Json { json: json!(null) }),
            binding("kv", BindingValue::KvNamespace { namespace_id: "0".repeat(32) }),
            binding("text", BindingValue::PlainText { text: "two\nlines \u{1f30a}".to_owned() }),
            secret("secret", "hush \u{1f910}"),
            secret("empty", ""),
            binding(
                "service",
                BindingValue::Service {
                    service: ScriptName::parse("other").unwrap(),
                    entrypoint: Some("Admin".to_owned()),
                    environment: None,
                },
            ),
            binding("a_text_blob", BindingValue::TextBlob { part: "b".to_owned() }),
            binding("wasm", BindingValue::WasmModule { part: "c".to_owned() }),
        ],
        compatibility_date: "2026-04-01".to_owned(),
        compatibility_flags: vec!["nodejs_compat".to_owned(), "b".to_owned()],
        settings: json!({"limits": {"cpu_ms": 5, "subrequests": 3}, "logpush": false}).as_object().unwrap().clone(),
        assets: None,
    };
    let started = Started {
        startup_time_ms: 12,
        handlers: vec!["fetch".to_owned()],
        named_handlers: vec![("Admin".to_owned(), vec!["fetch".to_owned()])],
    };
    let new = NewVersion { code: code.clone(), started: started.clone(), tags: None, derived_from: None, files: None };

    let (script, change) = store.deploy(&account("worker"), &new).unwrap();

    let loaded = store.load(&account("worker")).unwrap();
    assert_eq!(loaded.code.entry, code.entry);
    assert_eq!(loaded.code.modules, code.modules);
    assert_eq!(loaded.code.bindings, code.bindings);
    assert_eq!(loaded.code.compatibility_date, code.compatibility_date);
    assert_eq!(loaded.code.compatibility_flags, code.compatibility_flags);
    assert_eq!(loaded.code.settings, code.settings);
    assert_eq!(loaded.version, script.version.id);
    assert_eq!(loaded.serial, change.serial);
    assert_eq!(script.version.started, started);
    assert!(!script.version.has_modules);
    assert_eq!(script.version.settings, code.settings);
    assert_eq!(script.tag.len(), 32);
    assert_eq!(script.version.etag.len(), 64);
    assert_eq!(change.version, Some(loaded.version));
}

#[test]
fn a_deleted_script_is_gone_and_its_blobs_with_it() {
    let store = TestStore::new();
    let namespace = store.make_namespace("production");
    let key = in_namespace(&namespace, "customer");
    let (_, deployed) = store.deploy(&key, &tagged(&["paid"])).unwrap();

    let deleted = store.delete_script(&key).unwrap();

    assert_eq!(deleted, Change { key: key.clone(), serial: deleted.serial, version: None });
    assert!(deleted.serial > deployed.serial);
    assert!(matches!(store.script(&key), Err(StoreError::ScriptNotFound)));
    assert!(matches!(store.load(&key), Err(StoreError::ScriptNotFound)));
    assert!(matches!(store.delete_script(&key), Err(StoreError::ScriptNotFound)));
    let sql = store.sql();
    for table in ["scripts", "versions", "modules", "bindings", "tags", "blobs", "deployments"] {
        assert_eq!(count(&sql, table), 0, "{table}");
    }
    assert_sound(&sql);
}

#[test]
fn blobs_are_kept_once_until_the_last_module_that_holds_them_goes() {
    let store = TestStore::new();
    let mut twice = version("shared");
    twice.code.modules.push(module("other.js", "shared"));
    store.deploy(&account("one"), &twice).unwrap();
    store.deploy(&account("two"), &version("shared")).unwrap();
    let blobs = || count(&store.sql(), "blobs");
    assert_eq!(blobs(), 1);

    store.delete_script(&account("one")).unwrap();
    assert_eq!(blobs(), 1);
    assert_eq!(store.served(&account("two")), "shared");

    store.delete_script(&account("two")).unwrap();
    assert_eq!(blobs(), 0);
}

#[test]
fn a_user_worker_keeps_the_version_that_serves_alone() {
    let store = TestStore::new();
    let key = in_namespace(&store.make_namespace("production"), "customer");
    for text in ["one", "two", "three"] {
        store.deploy(&key, &version(text)).unwrap();
    }

    assert_eq!(store.served(&key), "three");
    assert_eq!(store.versions(&key).unwrap().len(), 1);
    assert_eq!(store.versions(&key).unwrap()[0].number, 3);
    assert_eq!(count(&store.sql(), "blobs"), 1);
    assert_sound(&store.sql());
}

#[test]
fn names_are_unique_within_their_scope_alone() {
    let store = TestStore::new();
    let keys = [
        account("same"),
        in_namespace(&store.make_namespace("a"), "same"),
        in_namespace(&store.make_namespace("b"), "same"),
    ];
    for (number, key) in keys.iter().enumerate() {
        store.deploy(key, &version(&number.to_string())).unwrap();
        store.deploy(key, &version(&number.to_string())).unwrap();
    }

    for (number, key) in keys.iter().enumerate() {
        assert_eq!(store.served(key), number.to_string());
    }
    assert_eq!(store.scripts(Scope::Account, &TagFilter::default(), 10, None).unwrap().items.len(), 1);
}

#[test]
fn a_deleted_namespace_takes_its_scripts_and_its_id_with_it() {
    let store = TestStore::new();
    let name = namespace_name("production");
    let first = store.make_namespace("production");
    store.deploy_text("stays", "stays");
    for script in ["b", "a"] {
        store.deploy(&in_namespace(&first, script), &version(script)).unwrap();
    }
    assert_eq!(store.namespace(&name).unwrap().scripts, 2);

    let changes = store.delete_namespace(&name).unwrap();

    let gone: Vec<_> = changes.iter().map(|change| (change.key.clone(), change.version.clone())).collect();
    assert_eq!(gone, [(in_namespace(&first, "a"), None), (in_namespace(&first, "b"), None)]);
    assert!(changes[0].serial < changes[1].serial);
    assert!(matches!(store.namespace(&name), Err(StoreError::NamespaceNotFound)));
    assert!(matches!(
        store.deploy(&in_namespace(&first, "late"), &version("late")),
        Err(StoreError::NamespaceNotFound)
    ));
    let second = store.make_namespace("production");
    assert_ne!(second.id, first.id);
    assert_eq!(second.scripts, 0);
    assert_eq!(count(&store.sql(), "scripts"), 1);
    assert_sound(&store.sql());
}
