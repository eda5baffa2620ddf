//! `tidegate test --target wasm`: cases of test files, asked of the Worker in workerd.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tidegate_e2e::repository;

const POLICY: &str = r#"
policy = 1

[identity]
customer = "params.customer"
tags     = "params.tags"

[customers.acme]
vars = { plan = "gold" }

[keys.es256]
alg    = "ES256"
secret = "KEY_ES256"
kid    = "one"

[keys.hs256]
alg    = "HS256"
secret = "KEY_HS256"
kid    = "two"

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
jwt    = { key = "es256", audience = "https://api.billing.example", ttl = "5m", claims = { plan = "{vars.plan}" } }

[[rule]]
id     = "other"
effect = "allow"
hosts  = ["other.billing.example"]
jwt    = { key = "hs256", audience = "other", ttl = "5m", header = "x-token", scheme = "" }

[[rule]]
id     = "watched"
effect = "deny"
mode   = "report"
hosts  = ["other.billing.example"]
"#;

const PASSING: &str = r#"
[[case]]
name     = "headers and token arrive"
method   = "POST"
url      = "HTTPS://api.billing.example.:443/v1/./x?q=1"
customer = "acme"
tags     = ["paid"]
headers  = { x-debug = "1", accept = "a" }
[case.expect]
effect = "allow"
rule   = "billing-api"
url    = "https://api.billing.example/v1/x?q=1"
set    = { x-tenant = "acme", x-key = "<secret:BILLING>" }
remove = ["x-debug"]
jwt    = { key = "es256", kid = "one", alg = "ES256", header = "authorization", scheme = "Bearer", claims = { sub = "acme", aud = "https://api.billing.example", plan = "gold" } }

[[case]]
name     = "another header, another algorithm, a watching rule"
url      = "https://other.billing.example/"
customer = "acme"
tags     = []
expect   = { effect = "allow", enforced = false, would_deny = ["watched"], jwt = { key = "hs256", header = "x-token", scheme = "" } }

[[case]]
name     = "a deny rule"
url      = "https://api.billing.example/admin/x"
customer = "acme"
tags     = ["paid"]
expect   = { effect = "deny", reason = "rule", rules = ["no-admin"] }

[[case]]
name   = "nobody asks"
url    = "https://api.billing.example/"
expect = { effect = "deny", reason = "unknown-customer", rules = [] }
"#;

const OTHERS: &str = r#"
[[case]]
name     = "another day cannot be asked for"
url      = "https://api.billing.example/"
at       = 2020-01-01
expect   = { effect = "allow" }

[[case]]
name     = "what arrives is looked at"
url      = "https://api.billing.example/v1"
customer = "acme"
tags     = ["paid"]
expect   = { effect = "allow", set = { x-tenant = "globex" }, jwt = { kid = "two" } }

[[case]]
name     = "and what is decided"
url      = "https://api.billing.example/v1"
customer = "acme"
tags     = []
expect   = { effect = "allow" }
"#;

/// Runs the tests in a folder against the Worker: exit code, stdout, stderr.
fn test(folder: &Path, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
    let workerd = tidegate_platform::runtime::installed_workerd(&repository()).context("workerd is not installed")?;
    let mut tidegate = Command::new(env!("CARGO_BIN_EXE_tidegate-under-test"));
    tidegate.current_dir(folder).args(["test", "--target", "wasm"]).args(arguments).env("NO_COLOR", "1");
    tidegate.arg("--worker").arg(repository().join("build/worker")).arg("--workerd").arg(workerd);
    let output = tidegate.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

#[test]
fn cases_are_asked_of_the_worker_and_what_can_be_seen_is_compared() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("policies"))?;
    fs::write(folder.path().join("policies/p.toml"), POLICY)?;
    fs::write(folder.path().join("policies/p.test.toml"), PASSING)?;
    let (code, said, also) = test(folder.path(), &[])?;
    ensure!(said == "4 passed, 0 failed\n", "{said}{also}");
    ensure!(code == Some(0), "{code:?}");

    fs::write(folder.path().join("policies/p.test.toml"), format!("{PASSING}{OTHERS}"))?;
    let (code, said, also) = test(folder.path(), &[])?;
    let lines: Vec<_> = said.lines().collect();
    ensure!(
        lines
            == [
                "FAIL policies/p.test.toml: what arrives is looked at: jwt.kid: expected \"two\", found \"one\"; \
                 set: expected {\"x-tenant\":\"globex\"}, found {\"x-tenant\":\"acme\"} \
                 [allow GET https://api.billing.example/v1 (rule billing-api)]",
                "FAIL policies/p.test.toml: and what is decided: effect: expected \"allow\", found \"deny\" \
                 [deny GET https://api.billing.example/v1 (default)]",
                "4 passed, 2 failed",
            ],
        "{said}{also}"
    );
    ensure!(code == Some(1), "{code:?}");
    ensure!(also.contains("SKIP policies/p.test.toml: another day cannot be asked for: "), "{also}");
    ensure!(also.contains("1 case skipped"), "{also}");
    Ok(())
}

#[test]
fn the_worker_passes_the_tests_of_this_repositorys_policies() -> Result<()> {
    let (code, said, also) = test(&repository(), &["policies"])?;
    ensure!(said.ends_with(" passed, 0 failed\n") && !said.starts_with("0 passed"), "{said}{also}");
    ensure!(code == Some(0), "{code:?}");
    Ok(())
}
