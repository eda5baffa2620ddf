//! What operators read in logs and answers.

use tidegate_engine::{Fault, Mode, Policy, PolicyError, Reason, Target, parse_tag_list};

use crate::support::{get, table};

#[test]
fn a_url_that_cannot_be_judged_says_why() {
    let label = "a".repeat(64);
    let long_name = ["a"; 128].join(".");
    let cases = [
        ("https://a b/", "not an absolute URL"),
        ("/relative", "not an absolute URL"),
        ("ftp://a.example/", "the scheme is not http, https, ws or wss"),
        ("https://a!b.example/", "the host has a character outside a-z, 0-9, `-` and `_`"),
        ("https://a..example/", "the host has an empty label"),
        (&format!("https://{label}.example/"), "the host has a label over 63 octets"),
        (&format!("https://{long_name}/"), "the host is over 253 octets"),
        (&format!("https://a.example/{}", "a".repeat(16 << 10)), "the URL is over 16 KiB"),
    ];
    for (url, why) in cases {
        let said = Target::parse(url).unwrap_err().to_string();
        assert_eq!(said, why, "{url}");
    }
    assert_eq!(
        tidegate_engine::canonical::host("[::1").unwrap_err().to_string(),
        "not a host name or address",
        "of a host in a policy"
    );
}

#[test]
fn a_table_that_does_not_load_says_what_to_do() {
    let said = [
        PolicyError::Fault(Fault("no policy record")).to_string(),
        Policy::from_bytes(b"hello").unwrap_err().to_string(),
    ];
    assert!(said[0].contains("no policy record"), "{}", said[0]);
    assert!(said.iter().all(|text| text.contains("compile")), "{said:?}");
}

#[test]
fn the_codes_of_reasons_and_modes_are_stable() {
    assert_eq!(
        Reason::ALL.map(Reason::as_str),
        [
            "policy-unavailable",
            "evaluation-fault",
            "invalid-request",
            "unknown-customer",
            "rule",
            "special-host",
            "default",
            "credential-unavailable"
        ]
    );
    assert_eq!([Mode::Enforce, Mode::Report].map(Mode::as_str), ["enforce", "report"]);
}

#[test]
fn a_policy_is_named_by_the_digest_of_its_table() {
    let bytes = table("");
    let policy = Policy::from_bytes(&bytes).unwrap();
    assert_eq!(policy.digest().len(), 64);
    assert!(policy.digest().bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
}

#[test]
fn tags_in_one_text_are_trimmed_and_empty_ones_dropped() {
    assert_eq!(parse_tag_list(" paid, ,eu,"), ["paid", "eu"]);
    assert!(parse_tag_list("").is_empty());
}

#[test]
fn a_token_that_cannot_be_signed_refuses_in_the_name_of_the_rules_that_asked_for_it() {
    let bytes = table(
        r#"
        [identity]
        customer = "customer_name"
        [keys.k]
        alg = "ES256"
        secret = "KEY"
        kid = "1"
        [[rule]]
        id = "plain"
        effect = "allow"
        hosts = ["a.example.com"]
        [[rule]]
        id = "token"
        effect = "allow"
        hosts = ["a.example.com"]
        jwt = { key = "k", audience = "a", ttl = "5m" }
        "#,
    );
    let policy = Policy::from_bytes(&bytes).unwrap();
    let allowed = get("https://a.example.com/").judge(&policy);
    assert_eq!(allowed.rules.len(), 2);
    let refused = allowed.without_token();
    assert_eq!(refused.reason, Reason::CredentialUnavailable);
    assert_eq!(refused.rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), ["token"]);
    assert!(refused.forwarding.is_none());
}
