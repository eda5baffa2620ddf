use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tidegate_platform::names::ScriptName;
use tidegate_platform::store::{Namespace, Script, Store, StoreError, TagFilter};
use tidegate_platform::worker::{Binding, BindingValue, Scope, Secret};

use crate::support::{TestStore, account, assert_sound, count, in_namespace, namespace_name, owned, tagged, version};

#[test]
fn namespaces_are_listed_by_name_with_how_many_scripts_they_have() {
    let store = TestStore::new();
    let second = store.make_namespace("b");
    store.make_namespace("a");
    store.deploy_text("customer", "of the account");
    store.deploy(&in_namespace(&second, "customer"), &version("of b")).unwrap();

    let listed: Vec<_> =
        store.namespaces().unwrap().into_iter().map(|one| (one.name.to_string(), one.scripts)).collect();
    assert_eq!(listed, [("a".to_owned(), 0), ("b".to_owned(), 1)]);
    assert_eq!(store.namespace_by_id(second.id).unwrap(), store.namespace(&namespace_name("b")).unwrap());

    let scripts = || store.namespace(&namespace_name("b")).unwrap().scripts;
    store.deploy(&in_namespace(&second, "customer"), &version("again")).unwrap();
    store.deploy(&in_namespace(&second, "other"), &version("of b")).unwrap();
    assert_eq!(scripts(), 2);
    store.delete_script(&in_namespace(&second, "customer")).unwrap();
    assert_eq!(scripts(), 1);
    store.delete_scripts(Scope::Namespace(second.id), &TagFilter::default(), 10).unwrap();
    assert_eq!(scripts(), 0);
}

#[test]
fn a_page_of_a_number_is_the_one_that_cursors_lead_to() {
    let store = TestStore::new();
    let namespace = store.make_namespace("production");
    for number in 0..23 {
        let tags: &[&str] = if number % 2 == 0 { &["even", "all"] } else { &["all"] };
        store.deploy(&in_namespace(&namespace, &format!("script-{number:02}")), &tagged(tags)).unwrap();
    }
    let scope = Scope::Namespace(namespace.id);
    let without = TagFilter { without: owned(&["even"]), ..TagFilter::default() };
    for filter in [TagFilter::default(), with(&["all"]), with(&["all", "even"]), without] {
        let mut cursor = None;
        for number in 1.. {
            let page = store.scripts(scope, &filter, 5, cursor.as_deref()).unwrap();
            let by_number = store.scripts_on_page(scope, &filter, number, 5).unwrap();
            let names = |scripts: &[Script]| scripts.iter().map(|script| script.key.clone()).collect::<Vec<_>>();
            assert!(!by_number.is_empty());
            assert_eq!(names(&by_number), names(&page.items), "page {number} of {filter:?}");
            cursor = page.cursor;
            if cursor.is_none() {
                assert!(store.scripts_on_page(scope, &filter, number + 1, 5).unwrap().is_empty());
                break;
            }
        }
        assert!(store.scripts_on_page(scope, &filter, usize::MAX, 1000).unwrap().is_empty());
    }
}

#[test]
fn what_account_workers_lead_to_is_told_of_the_versions_that_serve() {
    let store = TestStore::new();
    let namespace = store.make_namespace("production");
    let dispatch = BindingValue::DispatchNamespace { namespace: namespace.id, outbound: None };
    let service = |name: &str| BindingValue::Service {
        service: ScriptName::parse(name).unwrap(),
        entrypoint: None,
        environment: None,
    };
    let text = |text: &str| BindingValue::PlainText { text: text.to_owned() };
    let secret = BindingValue::SecretText { text: Secret::new("dispatch_namespace".to_owned()) };
    let deploy = |name: &str, values: Vec<BindingValue>| {
        let mut version = version(name);
        let binding = |(number, value)| Binding { name: format!("B{number}"), value };
        version.code.bindings = values.into_iter().enumerate().map(binding).collect();
        store.deploy(&account(name), &version).unwrap();
    };
    deploy("b", vec![text("dispatch_namespace"), dispatch.clone(), secret, service("a")]);
    deploy("a", vec![dispatch]);
    deploy("a", vec![service("b")]);
    deploy("c", Vec::new());

    let found = store.account_references().unwrap();
    let found: Vec<_> = found.iter().map(|(owner, binding)| (owner.as_str(), binding.name.as_str())).collect();
    assert_eq!(found, [("a", "B0"), ("b", "B1"), ("b", "B3")]);
}

#[test]
fn a_namespace_takes_no_name_that_another_one_has() {
    let store = TestStore::new();
    let first = store.make_namespace("a");
    store.make_namespace("b");
    let (a, b, c) = (namespace_name("a"), namespace_name("b"), namespace_name("c"));

    assert!(matches!(store.create_namespace(&a), Err(StoreError::NamespaceExists)));
    assert!(matches!(store.update_namespace(&a, Some(&b), Some(true)), Err(StoreError::NamespaceExists)));
    assert!(!store.namespace(&a).unwrap().trusted);
    assert!(matches!(store.update_namespace(&c, Some(&a), None), Err(StoreError::NamespaceNotFound)));
    assert_eq!(store.update_namespace(&a, Some(&a), None).unwrap().name, a);

    let renamed = store.update_namespace(&a, Some(&c), None).unwrap();
    assert_eq!((renamed.id, renamed.uuid, renamed.name), (first.id, first.uuid, c));
    assert!(matches!(store.namespace(&a), Err(StoreError::NamespaceNotFound)));
}

#[test]
fn pages_hold_every_script_once_while_others_come_and_go() {
    let store = TestStore::new();
    let namespace = store.make_namespace("production");
    let stays = |number: u32| in_namespace(&namespace, &format!("stays-{number:03}"));
    for number in 0..60 {
        store.deploy(&stays(number), &tagged(&["all"])).unwrap();
    }
    let done = AtomicBool::new(false);
    let filters = [TagFilter::default(), with(&["all"])];

    thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..u32::MAX).take_while(|_| !done.load(Ordering::Relaxed)) {
                let key = in_namespace(&namespace, &format!("stays-{:03}x", number % 60));
                store.deploy(&key, &tagged(&["all"])).unwrap();
                store.delete_script(&key).unwrap();
            }
        });
        for limit in [1, 7, 59, 60, 1000] {
            for filter in &filters {
                let names = all_names(&store, &namespace, filter, limit);
                let sorted: BTreeSet<_> = names.iter().cloned().collect();
                assert!(names.iter().eq(&sorted), "sorted, and none twice: {names:?}");
                let stayed: Vec<_> = names.iter().filter(|name| !name.ends_with('x')).collect();
                assert_eq!(stayed.len(), 60, "at limit {limit}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_last_page_has_no_cursor_also_when_it_is_full() {
    let store = TestStore::new();
    for name in ["a", "b", "c", "d"] {
        store.deploy_text(name, name);
    }
    let page =
        |limit, cursor: Option<&str>| store.scripts(Scope::Account, &TagFilter::default(), limit, cursor).unwrap();

    let first = page(2, None);
    let last = page(2, first.cursor.as_deref());

    assert_eq!((first.items.len(), last.items.len()), (2, 2));
    assert_eq!(last.cursor, None);
    assert_eq!(page(4, None).cursor, None);
    assert_eq!(page(usize::MAX, None).items.len(), 4);
    assert_eq!(page(0, None).items.len(), 1, "a page that held nothing would never end");
}

#[test]
fn a_cursor_that_no_list_gave_out_is_refused() {
    let store = TestStore::new();
    for cursor in ["!", "a b", "_w", "é"] {
        let refused = store.scripts(Scope::Account, &TagFilter::default(), 1, Some(cursor));
        assert!(matches!(refused, Err(StoreError::Cursor)), "{cursor:?}");
    }
}

#[test]
fn tag_filters_meet_what_has_all_of_these_and_none_of_those() {
    let store = TestStore::new();
    let namespace = store.make_namespace("production");
    for (name, tags) in [
        ("free", &["tier:free", "eu"][..]),
        ("none", &[]),
        ("odd", &["a,b", "c:d", "e&f", "100%", "it's", "\"q\"", "_", "é\u{1f30a}", "eu"]),
        ("paid", &["tier:paid", "eu", "beta"]),
        ("us", &["tier:paid"]),
    ] {
        store.deploy(&in_namespace(&namespace, name), &tagged(tags)).unwrap();
    }
    // Of another scope: never met.
    store.deploy(&account("eu"), &tagged(&["eu", "tier:paid", "a,b"])).unwrap();

    for (wanted, unwanted, expected) in [
        (&[][..], &[][..], &["free", "none", "odd", "paid", "us"][..]),
        (&["eu"], &[], &["free", "odd", "paid"]),
        (&["eu", "tier:paid"], &[], &["paid"]),
        (&["eu", "eu"], &[], &["free", "odd", "paid"]),
        (&["eu"], &["beta"], &["free", "odd"]),
        (&["eu"], &["beta", "tier:free"], &["odd"]),
        (&[], &["eu"], &["none", "us"]),
        (&[], &["eu", "tier:paid"], &["none"]),
        (&["eu"], &["eu"], &[]),
        (&["EU"], &[], &[]),
        (&["e"], &[], &[]),
        (&["e%"], &[], &[]),
        (&[""], &[], &[]),
        (&["a,b"], &[], &["odd"]),
        (&["c:d", "e&f", "100%", "it's", "\"q\"", "_", "é\u{1f30a}"], &[], &["odd"]),
        (&[], &["100%"], &["free", "none", "paid", "us"]),
        (&["a,b"], &["e&f"], &[]),
    ] {
        let filter = TagFilter { with: owned(wanted), without: owned(unwanted) };
        assert_eq!(all_names(&store, &namespace, &filter, 2), expected, "with {wanted:?} without {unwanted:?}");
    }
}

#[test]
fn scripts_are_deleted_by_tag_some_at_a_time() {
    let store = TestStore::new();
    let namespace = store.make_namespace("production");
    let scope = Scope::Namespace(namespace.id);
    for name in ["a", "b", "c", "d", "e"] {
        let tags: &[&str] = if name == "c" { &["keep"] } else { &["old"] };
        store.deploy(&in_namespace(&namespace, name), &tagged(tags)).unwrap();
    }
    store.deploy(&account("a"), &tagged(&["old"])).unwrap();
    let filter = with(&["old"]);
    let names = |limit| {
        let (changes, more) = store.delete_scripts(scope, &filter, limit).unwrap();
        assert!(changes.iter().all(|change| change.version.is_none() && change.key.scope == scope));
        assert!(changes.is_sorted_by_key(|change| change.serial));
        (changes.iter().map(|change| change.key.name.to_string()).collect::<String>(), more)
    };

    assert_eq!(names(0), (String::new(), true));
    assert_eq!(names(3), ("abd".to_owned(), true));
    assert_eq!(names(3), ("e".to_owned(), false));
    assert_eq!(names(3), (String::new(), false));
    assert_eq!(all_names(&store, &namespace, &TagFilter::default(), 10), ["c"]);
    assert_eq!(count(&store.sql(), "scripts"), 2);
    assert_sound(&store.sql());
}

#[test]
fn tags_are_replaced_added_and_removed() {
    let store = TestStore::new();
    let key = account("worker");
    let (script, before) = store.deploy(&key, &tagged(&["b"])).unwrap();

    assert_eq!(store.set_tags(&key, &owned(&["c", "a", "c"])).unwrap(), ["a", "c"]);
    assert!(store.add_tag(&key, "a", 0).unwrap(), "it is there already");
    assert!(!store.add_tag(&key, "b", 2).unwrap());
    assert!(store.add_tag(&key, "b", 3).unwrap());
    store.remove_tag(&key, "c").unwrap();
    store.remove_tag(&key, "never there").unwrap();

    assert_eq!(store.tags(&key).unwrap(), ["a", "b"]);
    let after = store.script(&key).unwrap();
    assert_eq!(after.tags, ["a", "b"]);
    assert!(after.modified_on > script.modified_on);
    assert_eq!(store.load(&key).unwrap().serial, before.serial, "tags change nothing that the runtime knows");
    for refused in [
        store.tags(&account("other")).err(),
        store.set_tags(&account("other"), &[]).err(),
        store.add_tag(&account("other"), "a", 1).err(),
        store.remove_tag(&account("other"), "a").err(),
    ] {
        assert!(matches!(refused, Some(StoreError::ScriptNotFound)));
    }
}

fn with(tags: &[&str]) -> TagFilter {
    TagFilter { with: owned(tags), without: Vec::new() }
}

/// The names of all scripts that a filter meets, page after page.
fn all_names(store: &Store, namespace: &Namespace, filter: &TagFilter, limit: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.scripts(Scope::Namespace(namespace.id), filter, limit, cursor.as_deref()).unwrap();
        assert!(page.items.len() <= limit);
        names.extend(page.items.iter().map(|script| script.key.name.to_string()));
        cursor = page.cursor;
        if cursor.is_none() {
            return names;
        }
    }
}
