//! Deciding allocates nothing once its scratch has been used.

use crate::support::{Request, get, table};
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
