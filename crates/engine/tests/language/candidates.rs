//! A decision looks at the rules that can match its request, however many others there are.

use std::fmt::Write as _;

use crate::support::{Request, get, table};
use tidegate_engine::{Policy, Scratch, Target};

/// The ids of the rules that are looked at.
fn candidates(policy: &Policy<'_>, request: &Request<'_>) -> Vec<String> {
    let target = Target::parse(request.url);
    let mut scratch = policy.scratch();
    let mut found = Vec::new();
    policy.candidates(&request.view(&target), &mut scratch, |rule| found.push(rule)).unwrap();
    let traces = policy.explain(&request.view(&target), &mut scratch).unwrap();
    found.into_iter().map(|rule| traces[usize::try_from(rule).unwrap()].rule.id.to_owned()).collect()
}

const HEAD: &str = "[identity]\ncustomer = \"customer_name\"\ntags = \"customer_tags\"\n\
                    [customers.acme]\ntags = [\"gold\"]\n";

fn rule(id: &str, dimensions: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\neffect = \"deny\"\n{dimensions}\n")
}

fn customer<'a>(name: &'a str, url: &'a str) -> Request<'a> {
    Request { customer: Some(name), ..get(url) }
}

#[test]
fn a_rule_is_found_by_its_most_selective_dimension() {
    let rules = [
        // Two on each host and tag, one for each customer.
        rule("acme-a", "customers = [\"acme\"]\nhosts = [\"a.example\"]"),
        rule("beta-a", "customers = [\"beta\"]\nhosts = [\"a.example\"]"),
        rule("gold-b", "tags = [\"gold\"]\ndomains = [\"b.example\"]"),
        rule("paid-b", "tags = [\"paid\"]\ndomains = [\"b.example\"]"),
        rule("team", "customers = [\"team-*\"]\nmethods = [\"GET\"]"),
        rule("team-1", "customers = [\"team-1*\", \"other\"]"),
        rule("shards", "hosts = [\"*.c.example\", \"d.example\"]\nmethods = [\"POST\"]"),
        rule("regex", "host-regex = '[a-z]+[.](e|f)[.]example'"),
        rule("paths", "paths = [\"/x/**\"]"),
        rule("suffix", "customers = [\"*-prod\"]"),
    ];
    let bytes = table(&(HEAD.to_owned() + &rules.concat()));
    let policy = Policy::from_bytes(&bytes).unwrap();
    // Of these any request is one that could match.
    let always = ["paths", "suffix"];
    let cases: &[(Request<'_>, &[&str])] = &[
        // The policy itself gives acme a tag.
        (customer("acme", "https://a.example/"), &["acme-a", "gold-b"]),
        (customer("acme", "https://z.example/"), &["acme-a", "gold-b"]),
        (customer("beta", "https://z.example/"), &["beta-a"]),
        (customer("acme", "https://x.b.example/"), &["acme-a", "gold-b"]),
        (customer("zoe", "https://x.b.example/").tags(&["paid", "none"]), &["paid-b"]),
        (customer("zoe", "https://x.b.example/"), &[]),
        (customer("team-12", "https://z.example/"), &["team", "team-1"]),
        (customer("team-", "https://z.example/"), &["team"]),
        (customer("team", "https://z.example/"), &[]),
        (customer("other", "https://z.example/"), &["team-1"]),
        (customer("zoe", "https://x.y.c.example/"), &["shards"]),
        (customer("zoe", "https://c.example/"), &[]),
        (customer("zoe", "https://d.example/"), &["shards"]),
        (customer("zoe", "https://x.d.example/"), &[]),
        (customer("zoe", "https://x1.f.example/"), &["regex"]),
        (customer("zoe", "https://x.g.example/"), &[]),
    ];
    for (request, expected) in cases {
        let expected: Vec<_> = [expected, &always[..]].concat();
        assert_eq!(candidates(&policy, request), expected, "{:?} {:?} {}", request.customer, request.tags, request.url);
    }
}

#[test]
fn rules_that_share_every_customer_tag_and_host_with_many_are_found_by_pairs() {
    // Twenty customers (every other one by what its name begins with) and a tag, each with a rule for each of twenty hosts.
    let mut text = HEAD.to_owned();
    for who in 0..20 {
        for host in 0..20 {
            let customers = if who % 2 == 0 { format!("c{who}.") } else { format!("c{who}.*") };
            write!(
                text,
                "{}",
                rule(
                    &format!("c{who}-h{host}"),
                    &format!("customers = [\"{customers}\"]\nhosts = [\"h{host}.example\"]")
                )
            )
            .unwrap();
            write!(
                text,
                "{}",
                rule(&format!("t{who}-h{host}"), &format!("tags = [\"t{who}\"]\nhosts = [\"*.h{host}.example\"]"))
            )
            .unwrap();
            write!(
                text,
                "{}",
                rule(&format!("c{who}-t{host}"), &format!("tags = [\"u{host}\"]\ncustomers = [\"d{who}\"]"))
            )
            .unwrap();
        }
    }
    let bytes = table(&text);
    let policy = Policy::from_bytes(&bytes).unwrap();
    for (request, expected) in [
        (customer("c4.", "https://h7.example/"), &["c4-h7"][..]),
        (customer("c5.x", "https://h7.example/"), &["c5-h7"]),
        (customer("c5", "https://h7.example/"), &[]),
        (customer("c4.", "https://nowhere.example/"), &[]),
        (customer("x", "https://a.h3.example/").tags(&["t9", "t11", "t99"]), &["t9-h3", "t11-h3"]),
        (customer("c4.", "https://a.h3.example/").tags(&["t9"]), &["t9-h3"]),
        (customer("d6", "https://nowhere.example/").tags(&["u1", "t9"]), &["c6-t1"]),
    ] {
        assert_eq!(
            candidates(&policy, &request),
            expected,
            "{:?} {:?} {}",
            request.customer,
            request.tags,
            request.url
        );
    }
}

#[test]
fn a_pair_is_not_taken_where_one_dimension_alone_leaves_fewer() {
    // All rules share a customer and a tag. Each names seventy hosts, too many for pairs with them, and each host stands in
    // five rules, no two of them in the same five.
    let mut hosts = vec![Vec::new(); 100];
    for start in 0..hosts.len() {
        for step in 1..=14 {
            for place in 0..5 {
                let rule = (start + step * place) % hosts.len();
                hosts[rule].push(format!("\"a{start}-{step}.example\""));
            }
        }
    }
    let rules = hosts.iter().enumerate().map(|(number, hosts)| {
        assert_eq!(hosts.len(), 70);
        let hosts = hosts.join(", ");
        rule(&format!("r{number}"), &format!("customers = [\"acme\"]\ntags = [\"paid\"]\nhosts = [{hosts}]"))
    });
    let bytes = table(&(HEAD.to_owned() + &rules.collect::<String>()));
    let policy = Policy::from_bytes(&bytes).unwrap();
    let request = customer("acme", "https://a10-3.example/").tags(&["paid"]);
    assert_eq!(candidates(&policy, &request), ["r10", "r13", "r16", "r19", "r22"]);
}

#[test]
fn what_a_policy_and_its_scratch_hold_beside_the_table_does_not_grow_with_rules_but_for_bits() {
    let bytes_of = |rules: usize| {
        let mut text = HEAD.to_owned();
        for number in 0..rules {
            let dimensions = format!("customers = [\"c{number}\", \"d{number}-*\"]\nhosts = [\"*.h{number}.example\"]");
            text.push_str(&rule(&format!("r{number}"), &dimensions));
        }
        table(&text)
    };
    let [few, many] = [10, 1_000].map(|rules| {
        let bytes = bytes_of(rules);
        let policy = allocation_counter::measure(|| drop(Policy::from_bytes(&bytes).unwrap()));
        let loaded = Policy::from_bytes(&bytes).unwrap();
        let scratch = allocation_counter::measure(|| drop(loaded.scratch()));
        (policy.bytes_max, scratch.bytes_max)
    });
    assert_eq!(few.0, many.0, "the digest, and how requests name their tenant");
    // Five bits a rule, two for each of its sets; and a word for each 64 words.
    assert!(many.1 < few.1 + 1_500, "{few:?} {many:?}");
}

#[test]
fn a_scratch_made_for_another_policy_serves_all_the_same() {
    let (small, large) = (table("[[rule]]\nid = \"a\"\neffect = \"allow\"\n"), {
        let rules = (0..200).map(|number| rule(&format!("r{number}"), &format!("hosts = [\"h{number}.example\"]")));
        table(&rules.collect::<String>())
    });
    let [small, large] = [&small, &large].map(|bytes| Policy::from_bytes(bytes).unwrap());
    let request = get("https://h199.example/");
    let target = Target::parse(request.url);
    for mut scratch in [Scratch::default(), small.scratch(), large.scratch()] {
        for _ in 0..2 {
            assert_eq!(large.decide(&request.view(&target), &mut scratch).rules().collect::<Vec<_>>(), [199]);
            assert_eq!(small.decide(&request.view(&target), &mut scratch).rules().collect::<Vec<_>>(), [0]);
        }
    }
}
