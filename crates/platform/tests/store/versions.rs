use serde_json::{Map, json};
use tidegate_platform::store::{NewVersion, StoreError};

use crate::support::{
    TestStore, account, assert_sound, count, in_namespace, namespace_name, owned, secret, tagged, text_of, version,
};

#[test]
fn an_account_worker_keeps_its_newest_ten_versions() {
    let store = TestStore::new();
    for number in 1..=12 {
        store.deploy_text("worker", &number.to_string());
    }

    let numbers: Vec<_> = store.versions(&account("worker")).unwrap().iter().map(|kept| kept.number).collect();
    assert_eq!(numbers, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    assert_eq!(count(&store.sql(), "blobs"), 10);
    assert_eq!(store.deployments(&account("worker")).unwrap().len(), 10);
    assert_sound(&store.sql());
}

#[test]
fn the_version_that_serves_is_kept_however_old_it_is() {
    let store = TestStore::new();
    let key = account("worker");
    let (script, _) = store.deploy(&key, &version("serves")).unwrap();
    for number in 0..20 {
        store.add_version(&key, &version(&number.to_string())).unwrap();
    }

    assert_eq!(store.served(&key), "serves");
    let versions = store.versions(&key).unwrap();
    assert_eq!(versions.len(), 10);
    assert_eq!(versions[0].number, 21);
    assert_eq!(versions[9].id, script.version.id);
    assert_eq!(store.script(&key).unwrap().version.id, script.version.id);
}

#[test]
fn a_version_serves_from_its_deployment_on_and_may_be_rolled_back() {
    let store = TestStore::new();
    let key = account("worker");
    let (old, first) = store.deploy(&key, &tagged(&["a"])).unwrap();
    let new = store.add_version(&key, &NewVersion { tags: Some(owned(&["b"])), ..version("new") }).unwrap();
    assert_eq!(store.served(&key), "tagged");
    assert_eq!(text_of(&store.load_version(&key, &new.id).unwrap().code), "new");
    assert_eq!(store.tags(&key).unwrap(), ["a"]);

    let settings = Map::from_iter([("annotations".to_owned(), json!({ "workers/message": "better" }))]);
    let (deployment, second) = store.deploy_version(&key, &new.id, &settings).unwrap();
    assert_eq!((&deployment.version, &deployment.settings), (&new.id, &settings));
    assert_eq!(second.version, Some(new.id.clone()));
    assert_eq!(store.served(&key), "new");
    assert_eq!(store.load(&key).unwrap().serial, second.serial);

    let (_, third) = store.deploy_version(&key, &old.version.id, &Map::new()).unwrap();
    assert_eq!(store.served(&key), "tagged");
    assert!(first.serial < second.serial && second.serial < third.serial);
    let history: Vec<_> = store.deployments(&key).unwrap().into_iter().map(|deployment| deployment.version).collect();
    assert_eq!(history, [old.version.id.clone(), new.id, old.version.id]);
    // One that came with its version has what was said of that.
    assert_eq!(store.deployments(&key).unwrap()[2].settings, old.version.settings);
}

#[test]
fn a_version_of_another_script_is_not_deployed() {
    let store = TestStore::new();
    let (other, _) = store.deploy(&account("other"), &version("other")).unwrap();
    store.deploy_text("worker", "worker");

    let refused = store.deploy_version(&account("worker"), &other.version.id, &Map::new());

    assert!(matches!(refused, Err(StoreError::VersionNotFound)));
    assert!(matches!(store.load_version(&account("worker"), &other.version.id), Err(StoreError::VersionNotFound)));
    assert_eq!(store.served(&account("worker")), "worker");
}

#[test]
fn a_change_that_was_derived_from_another_version_is_a_conflict() {
    let store = TestStore::new();
    let key = account("worker");
    let derived = |from: &str, text: &str| NewVersion { derived_from: Some(from.to_owned()), ..version(text) };
    let (first, _) = store.deploy(&key, &version("first")).unwrap();
    let (second, _) = store.deploy(&key, &derived(&first.version.id, "second")).unwrap();

    assert!(matches!(store.deploy(&key, &derived(&first.version.id, "late")), Err(StoreError::Conflict)));
    assert!(matches!(store.add_version(&key, &derived(&first.version.id, "late")), Err(StoreError::Conflict)));
    assert_eq!(store.served(&key), "second");
    assert_eq!(store.versions(&key).unwrap().len(), 2);

    store.deploy(&key, &version("upload")).unwrap();
    assert_eq!(store.served(&key), "upload");
    assert!(matches!(store.deploy(&key, &derived(&second.version.id, "late")), Err(StoreError::Conflict)));

    store.delete_script(&key).unwrap();
    assert!(matches!(store.deploy(&key, &derived(&second.version.id, "late")), Err(StoreError::ScriptNotFound)));
    assert_eq!(count(&store.sql(), "scripts"), 0);
}

#[test]
fn trust_is_taken_up_at_the_next_deployment() {
    let store = TestStore::new();
    let name = namespace_name("production");
    let namespace = store.make_namespace("production");
    let key = in_namespace(&namespace, "customer");
    let trusted = || store.load(&key).unwrap().trusted;
    store.deploy(&key, &version("same")).unwrap();
    assert!(!namespace.trusted && !trusted());

    assert!(store.update_namespace(&name, None, Some(true)).unwrap().trusted);
    assert!(!trusted());

    store.deploy(&key, &version("same")).unwrap();
    assert!(trusted());

    store.update_namespace(&name, None, Some(false)).unwrap();
    assert!(trusted());
    store.deploy_text("account", "account");
    assert!(store.load(&account("account")).unwrap().trusted);
}

#[test]
fn the_etag_tells_contents_names_and_kinds_apart_and_nothing_else() {
    let store = TestStore::new();
    let etag = |new: NewVersion| store.deploy(&account("worker"), &new).unwrap().0.version.etag;
    let base = etag(version("text"));

    let mut same = version("text");
    same.code.bindings = vec![secret("KEY", "value")];
    same.code.compatibility_date = "2025-01-01".to_owned();
    assert_eq!(etag(same), base);
    assert_ne!(etag(version("texu")), base);
    let mut renamed = version("text");
    renamed.code.modules[0].name = "main.jt".to_owned();
    assert_ne!(etag(renamed), base);
    let mut kind = version("text");
    kind.code.modules[0].kind = tidegate_platform::worker::ModuleKind::Text;
    assert_ne!(etag(kind), base);
}

#[test]
fn a_script_keeps_its_tag_and_its_birthday_over_deployments() {
    let store = TestStore::new();
    let (first, _) = store.deploy(&account("worker"), &tagged(&["b", "a", "b"])).unwrap();
    let (second, _) = store.deploy(&account("worker"), &version("second")).unwrap();

    assert_eq!(first.tags, ["a", "b"]);
    assert_eq!(second.tags, ["a", "b"]);
    assert_eq!((second.tag, second.created_on), (first.tag.clone(), first.created_on));
    assert!(second.modified_on > first.modified_on);
    assert_eq!(second.version.number, 2);

    store.delete_script(&account("worker")).unwrap();
    let (third, _) = store.deploy(&account("worker"), &version("third")).unwrap();
    assert_ne!(third.tag, first.tag);
    assert!(third.tags.is_empty());
    assert_eq!(third.version.number, 1);
}

#[test]
fn user_workers_have_no_versions_and_no_host_of_their_own() {
    let store = TestStore::new();
    let key = in_namespace(&store.make_namespace("production"), "customer");
    let (script, _) = store.deploy(&key, &version("serves")).unwrap();

    assert!(matches!(store.add_version(&key, &version("new")), Err(StoreError::AccountWorkersOnly)));
    assert!(matches!(store.deploy_version(&key, &script.version.id, &Map::new()), Err(StoreError::AccountWorkersOnly)));
    assert!(matches!(store.set_subdomain(&key, true, true), Err(StoreError::AccountWorkersOnly)));
    assert_eq!(store.deployments(&key).unwrap(), []);
    assert_eq!(store.served(&key), "serves");
}

#[test]
fn whether_an_account_worker_has_a_host_outlasts_its_deployments() {
    let store = TestStore::new();
    store.deploy_text("worker", "one");
    assert_eq!(store.script(&account("worker")).unwrap().subdomain, (false, false));

    store.set_subdomain(&account("worker"), true, false).unwrap();
    store.deploy_text("worker", "two");

    assert_eq!(store.script(&account("worker")).unwrap().subdomain, (true, false));
    assert!(matches!(store.set_subdomain(&account("other"), true, true), Err(StoreError::ScriptNotFound)));
}
