//! Deciding allocates nothing once its scratch has been used, and judging no more for rules that do not match.

use crate::support::{Placeholders, Request, get, table};
use tidegate_engine::{Effect, Policy, Target};

const POLICY: &str = r#"
    mode = "report"
    enforce-for = [{ percent = 100 }]
    [identity]
    customer = "customer_name"
    tags = "customer_tags"
    [customers.acme]
    tags = ["gold"]
    [[rule]]
    id = "no"
    effect = "deny"
    domains = ["bad.example"]
    hosts = ["*.worse.example"]
    except = [{ hosts = ["good.bad.example"], paths = ["/ok/**"] }]
    [[rule]]
    id = "yes"
    effect = "allow"
    customers = ["acme", "beta-*"]
    tags = ["gold"]
    domains = ["example.com"]
    methods = ["GET"]
    headers = { x-env = "prod-*" }
    paths = ["/v1/**"]
"#;

#[test]
fn allowing_and_denying_allocate_nothing_with_a_used_scratch() {
    let bytes = table(POLICY);
    let policy = Policy::from_bytes(&bytes).unwrap();
    let mut scratch = policy.scratch();
    let cases = [
        (get("https://a.b.example.com/v1/x").header("x-env", "prod-1"), Effect::Allow),
        (get("https://a.b.example.com/v1/x%2f").header("x-env", "prod-1"), Effect::Deny),
        (get("https://x.bad.example/"), Effect::Deny),
        (get("https://x.worse.example/"), Effect::Deny),
        (get("https://nowhere.example/"), Effect::Deny),
        (get("http://127.0.0.1/"), Effect::Deny),
        (Request { customer: None, ..get("https://a.example/") }, Effect::Deny),
        (get("nonsense"), Effect::Deny),
    ];
    for (request, effect) in &cases {
        let target = Target::parse(request.url);
        policy.decide(&request.view(&target), &mut scratch);
        let counted = allocation_counter::measure(|| {
            assert_eq!(policy.decide(&request.view(&target), &mut scratch).effect, *effect, "{}", request.url);
        });
        assert_eq!(counted.count_total, 0, "{}", request.url);
    }
}

#[test]
fn a_header_that_many_rules_speak_with_is_read_once() {
    let allocated = |rules: usize, more: &str, url: &str| {
        let rule = |number| {
            format!(
                "[[rule]]\nid = \"r{number}\"\neffect = \"allow\"\ncustomers = [\"c{number}\"]\n\
                 hosts = [\"t{number}-*.apps.example\"]\nset = {{ x-tenant = \"{{customer}}\" }}\n"
            )
        };
        let head = "default = \"allow\"\n[identity]\ncustomer = \"customer_name\"\n".to_owned();
        let bytes = table(&(head + more + &(0..rules).map(rule).collect::<String>()));
        let policy = Policy::from_bytes(&bytes).unwrap();
        let (request, mut scratch) = (get(url), policy.scratch());
        let target = Target::parse(request.url);
        let table = tidegate_table::Table::from_bytes(&bytes).unwrap();
        let mut filed = 0;
        let mut count = |posting: tidegate_table::Posting<'_>| filed += posting.reserved().count();
        count(table.posting_of_all().unwrap());
        table
            .sets_of_host("t1-x.apps.example", |set, _| {
                table.posting_of_set(set).unwrap().into_iter().for_each(&mut count);
            })
            .unwrap();
        let allocations = allocation_counter::measure(|| {
            let judgement = policy.judge(&request.view(&target), &mut scratch, &Placeholders);
            assert_eq!(judgement.effect, Effect::Allow);
        });
        (allocations.count_total, filed)
    };
    for url in ["https://t1-x.apps.example/", "https://nobody.apps.example/"] {
        let [few, many] = [3, 300].map(|rules| allocated(rules, "", url).0);
        assert_eq!(few, many, "{url}");
    }
    // Where the header is reserved on every host, no automaton has to be asked.
    let everywhere =
        "[[rule]]\nid = \"all\"\neffect = \"allow\"\npaths = [\"/never\"]\nset = { x-tenant = \"{customer}\" }\n";
    assert_eq!(allocated(300, everywhere, "https://t1-x.apps.example/").1, 1);
}
