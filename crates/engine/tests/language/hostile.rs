//! Tables that no policy compiles to, under a checksum that fits: they load as nothing or fail request by request, and never
//! take the process along.

use std::collections::BTreeMap;

use crate::support::{get, said, table};
use tidegate_engine::{Policy, PolicyError};
use tidegate_table::write::{Effect, IdentitySpec, PolicySpec, seal, write};

const POLICY: &str = r#"
    [identity]
    customer = "params.customer"
    tags = "params.tags"
    [customers.acme]
    tags = ["paid"]
    vars = { plan = "gold" }
    [keys.k]
    alg = "ES256"
    secret = "KEY"
    kid = "k"
    [[rule]]
    id = "no-evil"
    effect = "deny"
    hosts = ["*.evil.example"]
    [[rule]]
    id = "api"
    effect = "allow"
    customers = ["acme", "beta-*"]
    hosts = ["api.example.com"]
    methods = ["GET"]
    paths = ["/v1/**"]
    headers = { accept = "*" }
    except = { tags = ["free"] }
    remove = ["x-debug"]
    keep = ["via"]
    set = { x-plan = "{vars.plan}", x-key = "{secret.A}" }
    jwt = { key = "k", audience = "a", ttl = "5m", claims = { who = "{customer}" } }
"#;

#[test]
fn any_word_may_lie() {
    let honest = table(POLICY);
    let request = get("https://api.example.com/v1/x").tags(&[]).header("accept", "text/html");
    assert_eq!(said(&request.judge(&Policy::from_bytes(&honest).unwrap())), "allow rule api");
    let mut loaded = 0;
    // Past the directory everything is words or text.
    for at in (64..honest.len() - 4).step_by(4) {
        for lie in [0, 0x7fff_ffff, u32::MAX] {
            let mut hostile = honest.clone();
            hostile[at..at + 4].copy_from_slice(&lie.to_le_bytes());
            seal(&mut hostile);
            if let Ok(policy) = Policy::from_bytes(&hostile) {
                loaded += 1;
                let _ = request.judge(&policy);
                let _ = get("https://a.evil.example/").judge(&policy);
            }
        }
    }
    assert!(loaded > 0, "most lies are found only where they are read");
}

#[test]
fn a_parameter_path_cannot_be_larger_than_its_table() {
    let bytes = write(&PolicySpec {
        default: Effect::Deny,
        report: false,
        identity: Some(IdentitySpec { customer: vec!["x".repeat(32 << 10); 1_000], tags: None, vars: None }),
        enforce_for: Vec::new(),
        customers: BTreeMap::default(),
        keys: Vec::new(),
        sets: Vec::new(),
        automata: Vec::new(),
        rules: Vec::new(),
    })
    .unwrap();
    assert!(bytes.len() < 64 << 10, "each distinct text is stored once");
    assert!(matches!(Policy::from_bytes(&bytes), Err(PolicyError::Fault(_))));
}
