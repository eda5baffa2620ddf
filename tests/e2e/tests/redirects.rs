//! Redirects: every hop is a request of its own, judged and stamped on its own.

use anyhow::Result;
use tidegate_e2e::{Captured, Chain, Customer, Fetch, Reply};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
set    = { x-api-key = "{secret.API_KEY}", x-tenant = "{customer}" }

[[rule]]
id      = "api-in-clear"
effect  = "allow"
hosts   = ["api.example.com"]
schemes = ["http"]

[[rule]]
id     = "files"
effect = "allow"
hosts  = ["files.example.com"]
"#;

const KEY: &str = "k3y-of-the-platform";

async fn chain() -> Result<Chain> {
    let chain = Chain::with_policy(POLICY)?.customer(Customer::new("acme")).secret("API_KEY", KEY).start().await?;
    let redirect = |from: &str, status: u16, to: &'static str| {
        chain.upstream().on(from, move |_| Reply::redirect(status, to));
    };
    redirect("https://api.example.com/to-files", 302, "https://files.example.com/a");
    redirect("https://files.example.com/a", 302, "https://evil.test/steal");
    redirect("https://api.example.com/to-evil", 307, "https://evil.test/steal");
    redirect("https://api.example.com/in-clear", 302, "http://api.example.com/plain");
    redirect("https://api.example.com/metadata", 302, "http://169.254.169.254/latest/meta-data/");
    redirect("https://api.example.com/no-scheme", 302, "//evil.test/");
    redirect("https://api.example.com/no-slashes", 302, "https:evil.test");
    redirect("https://api.example.com/backslashes", 302, "\\\\evil.test\\x");
    Ok(chain)
}

fn urls(captured: &[Captured]) -> Vec<String> {
    captured.iter().map(Captured::url).collect()
}

#[tokio::test]
async fn a_chain_of_redirects_stops_at_the_blocked_hop_and_no_injected_header_gets_there() -> Result<()> {
    let chain = chain().await?;
    let outcome = chain.fetch("acme", Fetch::get("https://api.example.com/to-files")).await?;
    assert_eq!(outcome.refusal().as_deref(), Some("default"));

    let captured = chain.upstream().captured();
    assert_eq!(urls(&captured), ["https://api.example.com/to-files", "https://files.example.com/a"]);
    assert_eq!(captured[0].header("x-api-key").as_deref(), Some(KEY));
    assert_eq!(captured[0].header("x-tenant").as_deref(), Some("acme"));
    assert_eq!(captured[1].header("x-api-key"), None, "the key is for the first host");
    assert_eq!(captured[1].header("x-tenant"), None, "so is the customer's name");
    Ok(())
}

#[tokio::test]
async fn a_body_is_not_sent_again_to_a_blocked_host() -> Result<()> {
    let chain = chain().await?;
    let outcome = chain.fetch("acme", Fetch::new("POST", "https://api.example.com/to-evil").body("private")).await?;
    assert_eq!(outcome.refusal().as_deref(), Some("default"));
    assert_eq!(urls(&chain.upstream().captured()), ["https://api.example.com/to-evil"]);
    Ok(())
}

#[tokio::test]
async fn from_https_to_http_on_one_host_the_credential_is_lost() -> Result<()> {
    let chain = chain().await?;
    let outcome = chain.fetch("acme", Fetch::get("https://api.example.com/in-clear")).await?;
    assert_eq!(outcome.status, Some(200));

    let captured = chain.upstream().captured();
    assert_eq!(urls(&captured), ["https://api.example.com/in-clear", "http://api.example.com/plain"]);
    assert_eq!(captured[0].header("x-api-key").as_deref(), Some(KEY));
    assert_eq!(captured[1].header("x-api-key"), None);
    Ok(())
}

#[tokio::test]
async fn no_spelling_of_a_location_leads_past_the_policy() -> Result<()> {
    let chain = chain().await?;
    for path in ["metadata", "no-scheme", "backslashes"] {
        let url = format!("https://api.example.com/{path}");
        let outcome = chain.fetch("acme", Fetch::get(&url)).await?;
        assert!(outcome.refusal().is_some(), "{path}: {outcome:?}");
        assert_eq!(urls(&chain.upstream().take()), [url], "{path}");
    }
    // Without slashes it is a path of the same host, by the URL standard.
    chain.fetch("acme", Fetch::get("https://api.example.com/no-slashes")).await?;
    let expected = ["https://api.example.com/no-slashes", "https://api.example.com/evil.test"];
    assert_eq!(urls(&chain.upstream().take()), expected);
    Ok(())
}

#[tokio::test]
async fn a_tenant_that_follows_redirects_itself_sees_them_and_is_judged_on_each() -> Result<()> {
    let chain = chain().await?;
    let outcome = chain.fetch("acme", Fetch::get("https://api.example.com/to-evil").redirect("manual")).await?;
    assert_eq!((outcome.status, outcome.header("location")), (Some(307), Some("https://evil.test/steal")));
    assert_eq!(urls(&chain.upstream().captured()), ["https://api.example.com/to-evil"]);
    Ok(())
}
