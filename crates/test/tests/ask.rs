//! Questions in Rust, and what they say when an answer is not as asserted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tidegate_test::{PolicyUnderTest, policy};

const POLICY: &str = r#"
policy = 1

[identity]
customer = "customer_name"
tags     = "customer_tags"

[customers.acme]
vars = { plan = "gold" }

[keys.platform]
alg    = "ES256"
secret = "TIDEGATE_KEY_PLATFORM"
kid    = "2026-11"

[[rule]]
id     = "no-admin"
effect = "deny"
hosts  = ["api.billing.example"]
paths  = ["/admin/**"]

[[rule]]
id     = "billing-api"
effect = "allow"
tags   = ["paid"]
hosts  = ["api.billing.example"]
remove = ["x-debug"]
set    = { x-tenant = "{customer}", x-key = "{secret.BILLING}" }
jwt    = { key = "platform", audience = "https://api.billing.example", ttl = "5m", claims = { plan = "{vars.plan}" } }

[[rule]]
id      = "campaign"
effect  = "allow"
hosts   = ["campaign.example"]
methods = ["POST"]
expires = 2026-12-31

[[rule]]
id     = "watched"
effect = "deny"
mode   = "report"
hosts  = ["campaign.example"]
"#;

/// The policy in a folder that goes away with the test.
fn prod() -> (tempfile::TempDir, PolicyUnderTest) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("prod.toml");
    std::fs::write(&path, POLICY).expect("a file");
    let policy = policy(&path);
    (folder, policy)
}

/// What a test says that fails.
fn failure(test: impl FnOnce()) -> String {
    let failed = catch_unwind(AssertUnwindSafe(test)).expect_err("the test fails");
    *failed.downcast::<String>().expect("with words")
}

#[test]
fn whatever_is_asserted_and_true_passes() {
    let (_folder, prod) = prod();
    let acme = prod.customer("acme").tag("paid").at("2026-12-01");
    acme.get("HTTPS://api.billing.example:443/v1")
        .request_header("X-Debug", "1")
        .request_header("accept", "a")
        .request_header("Accept", "b")
        .assert_allow()
        .rule("billing-api")
        .rules(&["billing-api"])
        .reason("rule")
        .url("https://api.billing.example/v1")
        .header("x-tenant", "acme")
        .header("X-Key", "<secret:BILLING>")
        .header("authorization", "Bearer <token>")
        .header("accept", "a, b")
        .no_header("x-debug")
        .jwt_claim("sub", "acme")
        .jwt_claim("plan", "gold");
    acme.put("https://api.billing.example/admin/x").assert_deny().rule("no-admin").no_jwt().no_header("x-tenant");
    acme.post("https://campaign.example/").assert_allow().would_deny("watched");
    acme.at("2026-12-31").post("https://campaign.example/").assert_deny().reason("default").rules(&[]);
    prod.get("https://api.billing.example/v1").assert_deny().reason("unknown-customer");
    for question in [acme.head(URL), acme.options(URL), acme.patch(URL), acme.delete(URL), acme.request("get", URL)] {
        question.assert_allow();
    }
}

const URL: &str = "https://api.billing.example/v1";

#[test]
fn a_tenant_is_asked_for_once_and_changes_nothing_for_others() {
    let (_folder, prod) = prod();
    let acme = prod.customer("acme");
    acme.tag("paid").get(URL).assert_allow();
    acme.get(URL).assert_deny();
}

#[test]
fn what_fails_says_what_was_expected_and_how_the_decision_came_about() {
    let (_folder, prod) = prod();
    let acme = prod.customer("acme").at("2026-12-01");
    let why = failure(|| {
        acme.get(URL).assert_allow();
    });
    assert!(
        why.starts_with(
            "effect: expected `allow`, found `deny`\n\ndeny GET https://api.billing.example/v1 (default)\n"
        )
    );
    assert!(why.contains("the customer has no tags; it would have to meet\n"), "{why}");
    for (what, why) in [
        ("rule: expected `campaign`, found `none`", failure(|| drop_ref(acme.get(URL).assert_deny().rule("campaign")))),
        (
            "header x-tenant: expected `a`, found `none`",
            failure(|| drop_ref(acme.get(URL).assert_deny().header("x-tenant", "a"))),
        ),
        (
            "claim sub: expected `acme`, found `none`",
            failure(|| drop_ref(acme.get(URL).assert_deny().jwt_claim("sub", "acme"))),
        ),
        (
            "would_deny: expected `watched`, found `none`",
            failure(|| drop_ref(acme.get(URL).assert_deny().would_deny("watched"))),
        ),
        (
            "header x-tenant: expected `none`, found `acme`",
            failure(|| drop_ref(acme.tag("paid").get(URL).assert_allow().no_header("x-tenant"))),
        ),
    ] {
        assert!(why.starts_with(&format!("{what}\n\n")), "{why}");
    }
}

/// Ends a chain of assertions inside a closure without a value.
fn drop_ref<T>(_: &T) {}

#[test]
fn a_policy_with_errors_and_a_date_that_is_none_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.toml");
    std::fs::write(&path, "policy = 1\nbogus = 1\n").expect("a file");
    let why = failure(|| {
        policy(&path).get(URL).assert_allow();
    });
    assert!(why.contains("has errors\n\nerror[unknown-key]"), "{why}");
    let why = failure(|| {
        let _ = policy(&path).at("tomorrow");
    });
    assert!(why.contains("`tomorrow` is not a point in time"), "{why}");
    let why = failure(|| {
        let _ = policy(&path).get(URL).request_header("a b", "1");
    });
    assert!(why.contains("`a b` is not a header name"), "{why}");
}
