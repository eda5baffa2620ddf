#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::header::SectionKind;
use crate::write::{
    Algorithm, ConditionSpec, CustomerPatternsSpec, CustomersSpec, Effect, EnforceForSpec, HostPatternsSpec, HostsSpec,
    IdentitySpec, JwtSpec, KeySpec, PartSpec, PolicySpec, RuleSpec, StateSpec, automaton, seal, write,
};
use crate::{Condition, FORMAT_VERSION, Fault, Posting, Reach, Rule, SecondKey, Table, TableError, TemplatePart};

/// Enough names for a parent, a model and more than one block of buckets.
static SPECIMEN_NAMES: LazyLock<Vec<String>> = LazyLock::new(|| (0..40).map(|n| format!("host-{n}.example")).collect());

/// A policy with something in every section.
fn specimen() -> PolicySpec<'static> {
    let text = |text: &str| text.to_owned();
    let patterns = CustomerPatternsSpec { automaton: 0, prefixes: vec![text("beta-"), text("be")] };
    let dimension = CustomersSpec { exact: vec![text("globex"), text("acme")], patterns: Some(patterns) };
    let condition = ConditionSpec {
        customers: Some(dimension.clone()),
        tags: Some(vec![text("paid")]),
        hosts: Some(HostsSpec {
            sets: vec![0, 1],
            patterns: Some(HostPatternsSpec { automaton: 1, within: Some(vec![1]) }),
        }),
        schemes: Some((false, true)),
        ports: Some(vec![443, 8443]),
        methods: Some(vec![text("GET")]),
        paths: Some(1),
        headers: vec![(text("x-env"), 0)],
    };
    let rule = RuleSpec {
        id: text("billing"),
        effect: Effect::Allow,
        report: true,
        websocket: true,
        literal: true,
        expires: Some(-1),
        reason: Some(text("billing")),
        condition: condition.clone(),
        except: vec![condition, ConditionSpec::default()],
        remove: vec![text("x-debug")],
        keep: vec![text("cookie")],
        set: vec![(
            text("x-tenant"),
            vec![
                PartSpec::Literal(text("t-")),
                PartSpec::Customer,
                PartSpec::Var(text("plan")),
                PartSpec::Secret(text("KEY")),
            ],
        )],
        jwt: Some(JwtSpec {
            key: 0,
            audience: text("https://a.example"),
            ttl: 300,
            header: text("authorization"),
            scheme: text("Bearer"),
            claims: vec![(text("plan"), vec![PartSpec::Var(text("plan"))])],
        }),
    };
    let plain = RuleSpec {
        id: text("deny-all"),
        effect: Effect::Deny,
        report: false,
        websocket: false,
        literal: false,
        expires: None,
        reason: None,
        condition: ConditionSpec::default(),
        except: Vec::new(),
        remove: Vec::new(),
        keep: Vec::new(),
        set: Vec::new(),
        jwt: None,
    };
    PolicySpec {
        default: Effect::Allow,
        report: true,
        identity: Some(IdentitySpec {
            customer: vec![text("who"), text("name")],
            tags: Some(vec![text("tags")]),
            vars: Some(vec![text("who"), text("vars")]),
        }),
        enforce_for: vec![EnforceForSpec {
            customers: Some(dimension),
            tags: Some(vec![text("canary")]),
            percent: Some(500),
        }],
        customers: BTreeMap::from([
            (text("acme"), (vec![text("paid")], BTreeMap::from([(text("plan"), text("gold"))]))),
            (text("globex"), (Vec::new(), BTreeMap::new())),
        ]),
        keys: vec![KeySpec {
            id: text("platform"),
            alg: Algorithm::Es256,
            secret: text("TIDEGATE_KEY"),
            kid: text("2026-11"),
            issuer: Some(text("https://platform.example")),
        }],
        sets: vec![
            SPECIMEN_NAMES.iter().map(|name| (name.as_str(), Reach::DOMAIN)).collect(),
            vec![("host-7.example", Reach::EXACT), ("[::1]", Reach::EXACT)],
        ],
        automata: vec![
            automaton(&[StateSpec { accepts: false, next: vec![(b'a', b'z', 0)] }]).unwrap(),
            automaton(&[StateSpec { accepts: true, next: vec![(b'a', b'a', 0)] }]).unwrap(),
        ],
        rules: vec![rule, plain],
    }
}

/// A policy of these sets.
pub(crate) fn with_sets(sets: Vec<Vec<(&str, Reach)>>) -> PolicySpec<'_> {
    PolicySpec { sets, ..specimen() }
}

/// Reads everything that a table offers.
fn read_all(table: &Table<'_>) -> Result<(), Fault> {
    let policy = table.policy()?;
    policy.default_effect()?;
    for path in [policy.customer_path()?, policy.tags_path()?, policy.vars_path()?].into_iter().flatten() {
        path.collect::<Result<Vec<_>, _>>()?;
    }
    for alternative in policy.enforce_for()? {
        let alternative = alternative?;
        alternative.customers()?.map(|customers| customers.exact.contains_sorted(1));
        alternative.tags()?.map(Iterator::count);
        alternative.percent()?;
    }
    for index in 0..table.automaton_count().min(100) {
        table.automaton(index)?.accepts("beta-1")?;
    }
    for index in 0..table.rule_count() {
        read_rule(&table.rule(index)?)?;
    }
    for name in ["acme", "globex", "nobody"] {
        if let Some(customer) = table.customer(name)? {
            customer.tags()?.count();
            customer.var("plan")?;
            customer.posting()?.map(|posting| read_posting(&posting)).transpose()?;
        }
    }
    for name in ["paid", "canary", "none"] {
        if let Some(tag) = table.tag(name)? {
            table.posting_of_tag(tag)?.map(|posting| read_posting(&posting)).transpose()?;
        }
    }
    read_posting(&table.posting_of_all()?)?;
    for set in 0..policy.set_count()?.min(100) {
        table.posting_of_set(set)?.map(|posting| read_posting(&posting)).transpose()?;
    }
    let mut prefix = table.prefix_of("beta-1")?;
    while let Some(number) = prefix {
        table.posting_of_prefix(number)?.map(|posting| read_posting(&posting)).transpose()?;
        prefix = table.prefix_above(number)?;
    }
    for host in ["host-7.example", "a.b.host-39.example", "[::1]", "nowhere.test", ""] {
        table.sets_of_host(host, |_, _| {})?;
    }
    Ok(())
}

fn read_posting(posting: &Posting<'_>) -> Result<(), Fault> {
    posting.rules().count();
    for reserved in posting.reserved() {
        let reserved = reserved?;
        reserved.place()?;
        reserved.header()?;
        reserved.automaton()?;
    }
    for key in [SecondKey::Customer(0), SecondKey::Prefix(1), SecondKey::Tag(1)] {
        if let Some(pair) = posting.with(key)? {
            pair.rules().count();
        }
    }
    Ok(())
}

fn read_rule(rule: &Rule<'_>) -> Result<(), Fault> {
    rule.id()?;
    rule.effect()?;
    rule.reason()?;
    rule.expires()?;
    read_condition(&rule.condition()?)?;
    for exception in rule.exceptions()?.take(100) {
        read_condition(&exception?)?;
    }
    for name in rule.remove()?.chain(rule.keep()?) {
        name?;
    }
    for header in rule.set()? {
        let header = header?;
        header.name()?;
        header.value()?.parts().collect::<Result<Vec<_>, _>>()?;
    }
    if let Some(jwt) = rule.jwt()? {
        let key = jwt.key()?;
        for text in [key.id()?, key.secret()?, key.kid()?, jwt.audience()?, jwt.header()?, jwt.scheme()?] {
            std::hint::black_box(text);
        }
        key.alg()?;
        key.issuer()?;
        jwt.ttl()?;
        jwt.claims()?.collect::<Result<Vec<_>, _>>()?;
    }
    Ok(())
}

fn read_condition(condition: &Condition<'_>) -> Result<(), Fault> {
    condition.customers()?.map(|customers| customers.exact.contains_sorted(1));
    condition.tags()?.map(Iterator::count);
    condition.hosts()?.map(|hosts| hosts.sets.count());
    condition.schemes()?;
    condition.ports()?.map(Iterator::count);
    condition.methods()?.map(Iterator::collect::<Result<Vec<_>, _>>).transpose()?;
    condition.paths()?;
    condition.headers()?.collect::<Result<Vec<_>, _>>()?;
    Ok(())
}

fn sets_of(table: &Table<'_>, host: &str) -> BTreeSet<(u32, bool)> {
    let mut sets = BTreeSet::new();
    table.sets_of_host(host, |set, exact| _ = sets.insert((set, exact))).unwrap();
    sets
}

#[test]
fn what_was_written_is_read() {
    let bytes = write(&specimen()).unwrap();
    let table = Table::from_bytes(&bytes).unwrap();
    read_all(&table).unwrap();

    let rule = table.rule(0).unwrap();
    assert_eq!((rule.id(), rule.reason(), rule.expires()), (Ok("billing"), Ok(Some("billing")), Ok(Some(-1))));
    let parts: Vec<_> =
        rule.set().unwrap().next().unwrap().unwrap().value().unwrap().parts().map(Result::unwrap).collect();
    assert_eq!(
        parts,
        [TemplatePart::Literal("t-"), TemplatePart::Customer, TemplatePart::Var("plan"), TemplatePart::Secret("KEY")]
    );
    let jwt = rule.jwt().unwrap().unwrap();
    assert_eq!(jwt.key().unwrap().kid(), Ok("2026-11"));
    assert_eq!(jwt.ttl(), Ok(300));
    assert_eq!(rule.exceptions().unwrap().count(), 2);
    assert_eq!(rule.condition().unwrap().ports().unwrap().unwrap().collect::<Vec<_>>(), [443, 8443]);
    assert!(table.rule(1).unwrap().condition().unwrap().hosts().unwrap().is_none());
    assert_eq!(table.rule(1).unwrap().reason(), Ok(None));
    assert_eq!(table.rule(2).unwrap_err(), Fault("span out of bounds"));
    assert_eq!(table.customer("acme").unwrap().unwrap().var("plan"), Ok(Some("gold")));
    assert!(table.customer("acm").unwrap().is_none());
    assert_eq!(table.automaton(1).unwrap().accepts("aa"), Ok(true));
    assert!(table.automaton(2).is_err());
    assert_eq!(table.policy().unwrap().enforce_for().unwrap().next().unwrap().unwrap().percent(), Ok(Some(500)));
}

#[test]
fn the_same_policy_gives_the_same_bytes() {
    assert_eq!(write(&specimen()), write(&specimen()));
}

#[test]
fn a_table_with_any_bit_flipped_is_refused() {
    let bytes = write(&specimen()).unwrap();
    assert!(SectionKind::ALL.iter().all(|&kind| !Table::from_bytes(&bytes).unwrap().section(kind).is_empty()));
    let mut damaged = bytes.clone();
    for bit in 0..bytes.len() * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Table::from_bytes(&damaged).is_err(), "bit {bit}");
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(Table::from_bytes(&damaged).is_ok());
}

#[test]
fn a_table_that_was_cut_or_glued_is_refused() {
    let bytes = write(&specimen()).unwrap();
    for length in 0..bytes.len() {
        assert!(Table::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    let glued = [bytes.as_slice(), &[0]].concat();
    assert_eq!(
        Table::from_bytes(&glued).unwrap_err(),
        TableError::Length { expected: bytes.len() as u64, found: bytes.len() + 1 }
    );
}

#[test]
fn a_table_of_another_version_is_refused_by_name() {
    let mut bytes = write(&specimen()).unwrap();
    bytes[8] = 99;
    seal(&mut bytes);
    assert_eq!(Table::from_bytes(&bytes).unwrap_err(), TableError::Version { found: 99 });
    assert!(TableError::Version { found: 99 }.to_string().contains(&format!("reads {FORMAT_VERSION}")));
}

#[test]
fn a_table_that_lies_and_is_sealed_again_is_read_without_a_panic() {
    let bytes = write(&specimen()).unwrap();
    let mut faults = 0;
    for at in 0..bytes.len() {
        for lie in [0, 1, 0x7f, 0xff] {
            let mut lying = bytes.clone();
            lying[at] = lie;
            seal(&mut lying);
            if let Ok(table) = Table::from_bytes(&lying) {
                faults += u32::from(read_all(&table).is_err());
            }
        }
    }
    assert!(faults > 100, "only {faults} lies were noticed: does this test read what it changes?");
}

#[test]
fn a_host_is_found_in_the_sets_that_hold_it_or_a_name_above_it() {
    let bytes = write(&specimen()).unwrap();
    let table = Table::from_bytes(&bytes).unwrap();
    assert_eq!(sets_of(&table, "host-7.example"), BTreeSet::from([(0, false), (1, true)]));
    assert_eq!(sets_of(&table, "a.b.host-7.example"), BTreeSet::from([(0, false)]));
    // Neither a longer first label nor a longer last letter makes a name of one below it.
    assert_eq!(sets_of(&table, "xhost-7.example"), BTreeSet::new());
    assert_eq!(sets_of(&table, "host-7x.example"), BTreeSet::new());
    assert_eq!(sets_of(&table, "a.host-7x.example"), BTreeSet::new());
    assert_eq!(sets_of(&table, "example"), BTreeSet::new());
    assert_eq!(sets_of(&table, "[::1]"), BTreeSet::from([(1, true)]));
}

#[test]
fn the_host_index_agrees_with_a_plain_search_whatever_the_number_of_sets() {
    // Names that share much, names that are prefixes of others, and enough sets for every width of a payload.
    for set_count in [1, 2, 300, 70_000] {
        let sets: Vec<Vec<_>> = (0..set_count)
            .map(|set| {
                let name =
                    |n: usize| if n.is_multiple_of(3) { format!("n{n}.example") } else { format!("a.n{n}.example") };
                let names = BTreeSet::from([set, set / 2, set * 7 % set_count].map(name));
                names
                    .into_iter()
                    .map(|name| (name, if set.is_multiple_of(2) { Reach::DOMAIN } else { Reach::EXACT }))
                    .collect()
            })
            .collect();
        let borrowed = sets.iter().map(|names| names.iter().map(|(name, reach)| (name.as_str(), *reach)).collect());
        let bytes = write(&PolicySpec { sets: borrowed.collect(), ..specimen() }).unwrap();
        let table = Table::from_bytes(&bytes).unwrap();
        for n in (0..set_count).step_by(1 + set_count / 12) {
            for host in [
                format!("n{n}.example"),
                format!("a.n{n}.example"),
                format!("b.a.n{n}.example"),
                format!("n{n}.example.b"),
            ] {
                let expected: BTreeSet<_> = (0..)
                    .zip(&sets)
                    .flat_map(|(set, names)| names.iter().map(move |(name, reach)| (set, name, *reach)))
                    .filter_map(|(set, name, reach)| match reach {
                        Reach::EXACT => (*name == host).then_some((set, true)),
                        _ => (*name == host || host.ends_with(&format!(".{name}"))).then_some((set, false)),
                    })
                    .collect();
                assert_eq!(sets_of(&table, &host), expected, "{host} among {set_count} sets");
            }
        }
    }
}

#[test]
fn every_error_says_what_is_wrong_with_the_bytes_and_the_way_out() {
    let said = [
        (TableError::Checksum, "compile the policy again"),
        (TableError::Directory, "compile the policy again"),
        (TableError::Length { expected: 9, found: 8 }, "8"),
        (TableError::Magic, "`tidegate compile` makes one"),
        (TableError::Version { found: 2 }, "compile the policy and build the Worker with one version"),
    ];
    for (error, way_out) in said {
        let text = error.to_string();
        assert!(text.contains(way_out) && !text.ends_with('.'), "{text}");
    }
    assert_eq!(Fault("no such rule").to_string(), "the policy table is inconsistent: no such rule");
}

#[test]
fn sections_and_algorithms_have_names_of_their_own() {
    let names: BTreeSet<&str> = SectionKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), SectionKind::ALL.len());
    // RFC 7518 §3.1, RFC 8037 §3.1.
    let algorithms = [crate::Algorithm::EdDsa, crate::Algorithm::Es256, crate::Algorithm::Hs256];
    assert_eq!(algorithms.map(crate::Algorithm::as_str), ["EdDSA", "ES256", "HS256"]);
}
