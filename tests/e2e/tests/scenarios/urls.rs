//! URLs: however a tenant spells one, and whatever its runtime makes of the spelling, one canonical form is judged, and
//! that form is what leaves. The corpus of single URLs runs in `../url_corpus.rs`.

use anyhow::{Context, Result};
use tidegate_e2e::{Chain, Fetch};

use crate::{ACME, OLD, arrives, is_refused, new_and_old};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
paths  = ["/", "/public/**", "/v1/*"]
set    = { x-api-key = "{secret.API_KEY}" }

[[rule]]
id      = "zone"
effect  = "allow"
domains = ["zone.example.com"]
"#;

async fn chain() -> Result<Chain> {
    new_and_old(POLICY)?.secret("API_KEY", "k3y-of-the-platform").start().await
}

/// Host and path that were judged, by the record of the so many-th decision.
async fn judged(chain: &Chain, number: usize) -> Result<(String, String)> {
    let records = chain.decisions_when(|records| records.len() >= number).await?;
    let record = &records[number - 1];
    let text = |name: &str| record[name].as_str().map(str::to_owned).with_context(|| format!("no {name}: {record}"));
    Ok((text("host")?, text("path")?))
}

#[tokio::test]
async fn h014_a_rule_that_names_no_scheme_is_about_https_alone() -> Result<()> {
    let chain = chain().await?;
    for tenant in [ACME, OLD] {
        for url in ["http://api.example.com/", "http://api.example.com:80/", "http://api.example.com:443/"] {
            is_refused(&chain, tenant, Fetch::get(url), "default").await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn h015_an_address_in_any_notation_is_judged_as_that_address() -> Result<()> {
    let chain = chain().await?;
    for url in ["http://2130706433/", "http://0x7f.1/", "http://127.0.0.1./", "https://017700000001/"] {
        is_refused(&chain, OLD, Fetch::get(url), "special-host").await?;
    }
    for number in 1..=4 {
        assert_eq!(judged(&chain, number).await?.0, "127.0.0.1");
    }
    Ok(())
}

#[tokio::test]
async fn h016_dot_segments_are_resolved_however_they_are_encoded() -> Result<()> {
    let chain = chain().await?;
    is_refused(&chain, OLD, Fetch::get("https://api.example.com/public/%2e%2e/secret"), "default").await?;
    assert_eq!(judged(&chain, 1).await?.1, "/secret");

    let request = arrives(&chain, OLD, Fetch::get("https://api.example.com/secret/%2E%2e/public/a")).await?;
    assert_eq!(request.url(), "https://api.example.com/public/a", "and what was judged is what leaves");
    Ok(())
}

#[tokio::test]
async fn h017_the_default_port_may_be_written_or_not() -> Result<()> {
    let chain = chain().await?;
    for url in ["https://api.example.com/", "https://api.example.com:443/", "https://api.example.com:/"] {
        let request = arrives(&chain, OLD, Fetch::get(url)).await?;
        assert_eq!(request.url(), "https://api.example.com/", "{url}");
    }
    is_refused(&chain, OLD, Fetch::get("https://api.example.com:8443/"), "default").await
}

#[tokio::test]
async fn h018_a_third_slash_hides_no_host() -> Result<()> {
    let chain = chain().await?;
    is_refused(&chain, OLD, Fetch::get("https:///evil.test/"), "default").await?;
    assert_eq!(judged(&chain, 1).await?.0, "evil.test");
    Ok(())
}

/// By the standard a backslash ends the host; for runtimes of old it belongs to the user's name. What counts is that judge
/// and dialler mean the same host.
#[tokio::test]
async fn h019_the_host_before_or_behind_a_backslash_is_judged_as_it_is_dialled() -> Result<()> {
    let chain = chain().await?;
    let evil_first = Fetch::get(r"https://evil.test\@zone.example.com/");
    let evil_last = Fetch::get(r"https://zone.example.com\@evil.test/");

    is_refused(&chain, ACME, evil_first.clone(), "default").await?;
    assert_eq!(judged(&chain, 1).await?.0, "evil.test");
    assert_eq!(arrives(&chain, OLD, evil_first).await?.url(), "https://zone.example.com/");
    assert_eq!(judged(&chain, 2).await?.0, "zone.example.com");

    assert_eq!(arrives(&chain, ACME, evil_last.clone()).await?.url(), "https://zone.example.com/@evil.test/");
    assert_eq!(judged(&chain, 3).await?.0, "zone.example.com");
    is_refused(&chain, OLD, evil_last, "default").await?;
    assert_eq!(judged(&chain, 4).await?.0, "evil.test");
    Ok(())
}

#[tokio::test]
async fn h021_the_url_that_leaves_is_the_one_that_was_judged() -> Result<()> {
    let chain = chain().await?;
    let spellings = [
        ("HTTPS://user:pass@API.Example.COM:443/v1/%7Euser?q=%7E#top", "https://api.example.com/v1/%7Euser?q=%7E"),
        ("https://api.example.com./v1/a^b", "https://api.example.com/v1/a%5Eb"),
        ("https://api.example.com/v1/x/../\u{e9}?", "https://api.example.com/v1/%C3%A9?"),
        ("https://a_b.ZONE.example.com/x/%2e\\y", "https://a_b.zone.example.com/x/y"),
    ];
    for (written, canonical) in spellings {
        for tenant in [ACME, OLD] {
            let request = arrives(&chain, tenant, Fetch::get(written)).await?;
            assert_eq!(request.url(), canonical, "{tenant}: {written}");
            assert_eq!(request.header("authorization"), None, "no credential is made of user and password");
        }
    }
    Ok(())
}

/// A published sample asks whether the host ends with `api.example.com`, and so lets `evilapi.example.com` pass.
#[tokio::test]
async fn h058_a_host_that_only_ends_like_an_allowed_one_is_refused() -> Result<()> {
    let chain = chain().await?;
    is_refused(&chain, ACME, Fetch::get("https://evilzone.example.com/"), "default").await?;
    is_refused(&chain, ACME, Fetch::get("https://zone.example.com.evil.test/"), "default").await?;
    let request = arrives(&chain, ACME, Fetch::get("https://v2.zone.example.com/")).await?;
    assert_eq!(request.url(), "https://v2.zone.example.com/");
    Ok(())
}
