//! `tidegate explain`.

use crate::support::Folder;

#[test]
fn an_unknown_code_is_a_usage_error_with_the_one_that_was_meant() {
    let folder = Folder::new();
    for written in ["unknwon-key", "error[unknwon-key]", "UNKNOWN_KEY"] {
        folder.run(&["explain", written]).ends(2).says("there is no diagnostic code", "did you mean `unknown-key`?");
    }
    folder.run(&["explain", "weather"]).ends(2).says("there is no diagnostic code `weather`", "--policy");
}

#[test]
fn a_request_needs_a_policy_and_a_policy_needs_a_request() {
    let folder = Folder::with_policy();
    for args in [
        &["explain"][..],
        &["explain", "GET", "https://a.example/"],
        &["explain", "--policy", "policy.toml"],
        &["explain", "--policy", "policy.toml", "GET"],
        &["explain", "--customer", "acme", "unknown-key"],
    ] {
        let run = folder.run(args).ends(2);
        assert!(run.stderr.contains("Usage: tidegate explain CODE"), "{args:?}: {}", run.stderr);
    }
}

/// A policy whose rules each miss something else.
const EXPLAINED: &str = r#"
policy  = 1
default = "deny"

[identity]
customer = "params.customer"
tags     = "params.tags"

[customers.acme]
tags = ["paid"]
vars = { plan = "gold" }

[keys.platform]
alg    = "ES256"
secret = "TIDEGATE_KEY_PLATFORM"
kid    = "2026-11"

[lists.bad]
file   = "bad.txt"
format = "domains"

[[rule]]
id     = "no-bad-hosts"
effect = "deny"
lists  = ["bad"]
except = [{ customers = ["trusted-*"] }, { tags = ["staff"], methods = ["GET"] }]
reason = "known bad host"

[[rule]]
id      = "no-admin"
effect  = "deny"
domains = ["api.example.com"]
paths   = ["/**/admin"]

[[rule]]
id        = "api"
effect    = "allow"
customers = ["acme", "beta-*"]
tags      = ["paid", "trial"]
hosts     = ["api.example.com", "*.eu.example.com"]
methods   = ["GET", "POST"]
headers   = { x-env = ["prod-*"] }
paths     = ["/v1/**"]
remove    = ["x-debug"]
set       = { x-tenant = "{customer}", x-api-key = "{secret.API_KEY}" }
jwt       = { key = "platform", audience = "https://api.example.com", ttl = "5m", claims = { plan = "{vars.plan}" } }

[[rule]]
id        = "campaign"
effect    = "allow"
hosts     = ["campaign.example.com"]
websocket = true
expires   = 2026-12-31

[[rule]]
id      = "old"
effect  = "allow"
domains = ["old.example.net"]
except  = [{ paths = ["/private/**"] }]

[[rule]]
id     = "watched"
effect = "deny"
mode   = "report"
hosts  = ["campaign.example.com"]
"#;

fn explained(args: &[&str]) -> String {
    let folder = Folder::new();
    folder.write("policy.toml", EXPLAINED);
    folder.write("bad.txt", "bad.example\nworse.example\n");
    let args = [&["explain", "--policy", "policy.toml", "--at", "2026-11-22"], args].concat();
    let run = folder.run(&args).ends(0);
    assert_eq!(run.stderr, "");
    without_digest(&run.stdout)
}

/// The digest is another one with each version of the table.
fn without_digest(text: &str) -> String {
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split('"').map(|part| if is_hex(part) { "<digest>" } else { part }).collect::<Vec<_>>().join("\"")
}

#[test]
fn an_allowed_request_shows_what_is_judged_and_what_becomes_of_its_headers() {
    insta::assert_snapshot!(explained(&[
        "--customer",
        "acme",
        "--header",
        "X-Env: prod-1",
        "--header",
        "X-Debug: 1",
        "--header",
        "x_tenant: evil",
        "--header",
        "Authorization: Bearer mine",
        "--header",
        "CF-Ray: 1",
        "--header",
        "X-Forwarded-For: 1.2.3.4",
        "--header",
        "Cookie: a=b",
        "get",
        "HTTPS://me:s3cret@API.example.com.:443/x/../v1/%7einvoices?q=1#top",
    ]));
}

#[test]
fn a_denial_by_default_shows_the_nearest_rules_and_what_would_have_met_them() {
    insta::assert_snapshot!(explained(&[
        "--customer",
        "gamma",
        "--tag",
        "free",
        "PUT",
        "http://api.example.com:8080/v2",
    ]));
}

#[test]
fn a_denial_by_a_rule_shows_its_exceptions_and_what_it_overrules() {
    let by_list = explained(&["--customer", "acme", "--tag", "staff", "PUT", "https://x.bad.example/"]);
    insta::assert_snapshot!("denied_by_a_list", by_list);
    let ambiguous =
        explained(&["--customer", "acme", "--header", "x-env: prod-1", "GET", "https://api.example.com/v1/a%2fadmin"]);
    insta::assert_snapshot!("denied_for_a_doubtful_path", ambiguous);
}

#[test]
fn an_exception_that_keeps_a_rule_from_allowing_is_named() {
    insta::assert_snapshot!(explained(&["--customer", "acme", "GET", "https://old.example.net/private/x"]));
}

#[test]
fn what_report_mode_lets_through_is_shown() {
    insta::assert_snapshot!(explained(&["--customer", "acme", "GET", "https://campaign.example.com/"]));
}

#[test]
fn a_request_that_never_comes_to_the_rules_says_why() {
    let because = |args: &[&str]| explained(args).lines().take(2).map(str::to_owned).collect::<Vec<_>>().join("\n");
    let all = [
        because(&["GET", "https://api.example.com/"]),
        because(&["--customer", "", "GET", "https://api.example.com/"]),
        because(&["--customer", "acme", "GET", "https://a..b/"]),
        because(&["--customer", "acme", "GET", "ftp://a.example/"]),
        because(&["--customer", "acme", "TRACE", "https://a.example/"]),
        because(&["--customer", "acme", "G T", "https://a.example/"]),
        because(&["--customer", "acme", "GET", "http://127.1/"]),
        because(&["--customer", "acme", "GET", "https://a.example/\u{1b}[31m"]),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn programs_get_the_same_as_one_object() {
    let folder = Folder::new();
    folder.write("policy.toml", EXPLAINED);
    folder.write("bad.txt", "bad.example\n");
    let args = ["explain", "--policy", "policy.toml", "--format", "json", "--customer", "acme", "--at", "2026-11-22"];
    let run = folder.run(&[&args[..], &["GET", "https://api.example.com/v2"]].concat()).ends(0);
    insta::assert_snapshot!(without_digest(&serde_json::to_string_pretty(&run.json()[0]).expect("JSON")));
}

#[test]
fn a_policy_with_errors_explains_nothing() {
    let folder = Folder::new();
    folder.write("policy.toml", "policy = 2\n");
    let run = folder.run(&["explain", "--policy", "policy.toml", "GET", "https://a.example/"]).ends(1);
    run.says("does not compile", "error[");
}

#[test]
fn a_code_is_explained_by_its_page() {
    let folder = Folder::new();
    for written in ["list-line", "error[list-line]"] {
        insta::assert_snapshot!("page", folder.run(&["explain", written]).ends(0).stdout);
    }
    let explained = &folder.run(&["explain", "empty-list", "--format", "json"]).ends(0).json()[0];
    assert_eq!(explained["summary"], "A list file holds no name.");
    assert_eq!(explained["default_level"], "warn");
    assert!(explained["page"].as_str().is_some_and(|page| page.starts_with("# empty-list\n")));
}
