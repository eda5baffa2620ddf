//! Redirects: every hop is a request of its own, judged and stamped on its own.

use anyhow::Result;
use tidegate_e2e::{Chain, Fetch, Reply};

use crate::{ACME, OLD, new_and_old, taken};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
set    = { authorization = "Bearer {secret.API_KEY}", x-api-key = "{secret.API_KEY}", x-tenant = "{customer}" }

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

/// It has characters that a URL encodes.
const KEY: &str = "k3y+of/the=platform";

/// What the rule `api` sets.
const INJECTED: [&str; 3] = ["authorization", "x-api-key", "x-tenant"];

/// Who follows: the tenant's own runtime does.
const TENANTS: [&str; 2] = [ACME, OLD];

async fn chain() -> Result<Chain> {
    new_and_old(POLICY)?.secret("API_KEY", KEY).start().await
}

fn redirect(chain: &Chain, from: &str, status: u16, to: &str) {
    let to = to.to_owned();
    chain.upstream().on(from, move |_| Reply::redirect(status, &to));
}

#[tokio::test]
async fn h001_a_redirect_to_a_denied_host_is_judged_and_denied() -> Result<()> {
    let chain = chain().await?;
    redirect(&chain, "https://api.example.com/a", 302, "https://evil.test/steal");
    let outcome = chain.fetch(ACME, Fetch::get("https://api.example.com/a")).await?;
    assert_eq!(outcome.refusal().as_deref(), Some("default"), "{outcome:?}");
    assert_eq!(taken(&chain), ["https://api.example.com/a"]);

    let records = chain.decisions_when(|records| records.len() >= 2).await?;
    let hops: Vec<_> = records.iter().map(|record| (&record["host"], &record["effect"])).collect();
    assert_eq!(hops, [(&"api.example.com".into(), &"allow".into()), (&"evil.test".into(), &"deny".into())]);
    Ok(())
}

#[tokio::test]
async fn h002_the_outbound_worker_follows_no_redirect_itself() -> Result<()> {
    let chain = chain().await?;
    redirect(&chain, "https://api.example.com/a", 302, "https://files.example.com/b");
    let fetch = Fetch::get("https://api.example.com/a");
    let outcome = chain.fetch(ACME, fetch.clone().redirect("manual")).await?;
    assert_eq!((outcome.status, outcome.header("location")), (Some(302), Some("https://files.example.com/b")));
    assert_eq!(taken(&chain), ["https://api.example.com/a"], "a tenant that follows by hand sees every hop");

    let outcome = chain.fetch(ACME, fetch).await?;
    assert_eq!((outcome.status, outcome.url.as_str()), (Some(200), "https://files.example.com/b"));
    assert_eq!(taken(&chain), ["https://api.example.com/a", "https://files.example.com/b"]);
    let records = chain.decisions_when(|records| records.len() >= 3).await?;
    assert_eq!(records.len(), 3, "a decision for each request that left: {records:?}");
    Ok(())
}

#[tokio::test]
async fn h003_an_injected_key_stays_with_its_host() -> Result<()> {
    let chain = chain().await?;
    redirect(&chain, "https://api.example.com/a", 302, "https://files.example.com/b");
    for tenant in TENANTS {
        chain.fetch(tenant, Fetch::get("https://api.example.com/a")).await?;
        let captured = chain.upstream().take();
        let keys: Vec<_> = captured.iter().map(|hop| (hop.host.as_str(), hop.header("x-api-key"))).collect();
        assert_eq!(keys, [("api.example.com", Some(KEY.to_owned())), ("files.example.com", None)], "{tenant}");
        assert_eq!(captured[1].header("x-tenant"), None, "nor does the customer's name go along");
    }
    Ok(())
}

/// Since 2025-09-01 a runtime that follows takes `authorization` off. Ours must not hang on that.
#[tokio::test]
async fn h004_an_injected_authorization_stays_with_its_host_whatever_the_date_of_the_outbound_worker() -> Result<()> {
    let before = new_and_old(POLICY)?.compatibility_date("2025-08-31").secret("API_KEY", KEY).start().await?;
    for chain in [before, chain().await?] {
        redirect(&chain, "https://api.example.com/a", 302, "https://files.example.com/b");
        redirect(&chain, "https://files.example.com/b", 302, "https://evil.test/steal");
        chain.fetch(OLD, Fetch::get("https://api.example.com/a")).await?;
        let captured = chain.upstream().take();
        let sent: Vec<_> = captured.iter().map(|hop| (hop.host.as_str(), hop.header("authorization"))).collect();
        assert_eq!(sent, [("api.example.com", Some(format!("Bearer {KEY}"))), ("files.example.com", None)]);
    }
    Ok(())
}

#[tokio::test]
async fn h005_from_https_to_http_on_one_host_the_credential_is_lost() -> Result<()> {
    let chain = chain().await?;
    redirect(&chain, "https://api.example.com/a", 302, "http://api.example.com/b");
    for tenant in TENANTS {
        let outcome = chain.fetch(tenant, Fetch::get("https://api.example.com/a")).await?;
        assert_eq!(outcome.status, Some(200), "{tenant}: {outcome:?}");
        let captured = chain.upstream().take();
        let keys: Vec<_> = captured.iter().map(|hop| (hop.url(), hop.header("x-api-key"))).collect();
        let expected = [
            ("https://api.example.com/a".to_owned(), Some(KEY.to_owned())),
            ("http://api.example.com/b".to_owned(), None),
        ];
        assert_eq!(keys, expected, "{tenant}");
        for name in INJECTED {
            assert_eq!(captured[1].header(name), None, "{tenant}: {name}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn h006_a_body_is_not_sent_again_to_a_denied_host() -> Result<()> {
    let chain = chain().await?;
    for status in [307, 308] {
        redirect(&chain, "https://api.example.com/a", status, "https://evil.test/steal");
        let outcome = chain.fetch(ACME, Fetch::new("POST", "https://api.example.com/a").body("private")).await?;
        assert_eq!(outcome.refusal().as_deref(), Some("default"), "{status}: {outcome:?}");
        let captured = chain.upstream().take();
        let bodies: Vec<_> = captured.iter().map(|hop| (hop.host.as_str(), hop.body.as_slice())).collect();
        assert_eq!(bodies, [("api.example.com", b"private".as_slice())], "{status}");
    }
    Ok(())
}

/// The runtime's own limit is 20 redirects: the last one that it follows is judged like the first.
#[tokio::test]
async fn h007_the_last_of_twenty_hops_is_judged_like_the_first() -> Result<()> {
    let chain = chain().await?;
    let hop = |number: u32| format!("https://files.example.com/{number}");
    for number in 0..19 {
        redirect(&chain, &hop(number), 302, &hop(number + 1));
    }
    redirect(&chain, &hop(19), 302, "https://evil.test/steal");
    let outcome = chain.fetch(ACME, Fetch::get(hop(0))).await?;
    assert_eq!(outcome.refusal().as_deref(), Some("default"), "{outcome:?}");
    assert_eq!(taken(&chain), (0..20).map(hop).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn h007_a_circle_of_redirects_ends() -> Result<()> {
    let chain = chain().await?;
    redirect(&chain, "https://files.example.com/", 302, "https://files.example.com/");
    let outcome = chain.fetch(ACME, Fetch::get("https://files.example.com/")).await?;
    assert!(outcome.error.is_some(), "{outcome:?}");
    assert_eq!(taken(&chain).len(), 21, "the request itself and twenty redirects");
    Ok(())
}

#[tokio::test]
async fn h007_a_chain_through_a_host_with_a_credential_carries_it_there_and_nowhere_else() -> Result<()> {
    let chain = chain().await?;
    let hops = [
        "https://files.example.com/1",
        "https://api.example.com/2",
        "https://files.example.com/3",
        "http://api.example.com/4",
        "https://api.example.com/5",
    ];
    for pair in hops.windows(2) {
        redirect(&chain, pair[0], 302, pair[1]);
    }
    redirect(&chain, hops[4], 302, "https://evil.test/steal");
    for tenant in TENANTS {
        let outcome = chain.fetch(tenant, Fetch::get(hops[0])).await?;
        assert_eq!(outcome.refusal().as_deref(), Some("default"), "{tenant}: {outcome:?}");
        let captured = chain.upstream().take();
        assert_eq!(captured.len(), hops.len(), "{tenant}");
        for (hop, url) in captured.iter().zip(hops) {
            assert_eq!(hop.url(), url, "{tenant}");
            for name in INJECTED {
                let injected = hop.header(name).is_some();
                assert_eq!(injected, url.starts_with("https://api."), "{tenant}: {name} at {url}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn h008_a_redirect_to_the_address_of_a_clouds_metadata_is_refused() -> Result<()> {
    let chain = chain().await?;
    for address in ["169.254.169.254", "2852039166", "0xa9.0xfe.0xa9.0xfe", "[::ffff:169.254.169.254]"] {
        let location = format!("http://{address}/latest/meta-data/");
        for tenant in TENANTS {
            assert_eq!(followed(&chain, tenant, &location).await?.as_deref(), Some("special-host"), "{address}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn h009_a_location_without_a_scheme_is_refused() -> Result<()> {
    let chain = chain().await?;
    for tenant in TENANTS {
        assert_eq!(followed(&chain, tenant, "//evil.test/").await?.as_deref(), Some("default"), "{tenant}");
    }
    Ok(())
}

/// By the URL standard `https:evil.test` is a path where the base is https, and a host where it is not.
#[tokio::test]
async fn h010_a_location_without_slashes_is_a_path_of_the_same_host() -> Result<()> {
    let chain = chain().await?;
    redirect(&chain, "http://api.example.com/a", 302, "https:evil.test");
    for tenant in TENANTS {
        assert_eq!(followed(&chain, tenant, "https:evil.test").await?, None, "{tenant}");
    }
    let outcome = chain.fetch(ACME, Fetch::get("http://api.example.com/a")).await?;
    assert_eq!(outcome.refusal().as_deref(), Some("default"), "{outcome:?}");
    assert_eq!(taken(&chain), ["http://api.example.com/a"]);
    Ok(())
}

/// An old date takes backslashes for a path.
#[tokio::test]
async fn h011_a_location_with_backslashes_leads_to_no_other_host() -> Result<()> {
    let chain = chain().await?;
    assert_eq!(followed(&chain, ACME, r"\\evil.test\x").await?.as_deref(), Some("default"));
    assert_eq!(followed(&chain, OLD, r"\\evil.test\x").await?, None);
    Ok(())
}

/// Follows a redirect from an allowed host to this `Location`. Gives the reason if it is refused; otherwise what it leads to must be
/// the same host.
async fn followed(chain: &Chain, tenant: &str, location: &str) -> Result<Option<String>> {
    redirect(chain, "https://api.example.com/a", 302, location);
    let outcome = chain.fetch(tenant, Fetch::get("https://api.example.com/a")).await?;
    let urls = taken(chain);
    let refusal = outcome.refusal();
    assert_eq!(urls.len(), if refusal.is_some() { 1 } else { 2 }, "{tenant} at {location}: {urls:?}, {outcome:?}");
    assert!(urls.iter().all(|url| url.starts_with("https://api.example.com/")), "{tenant} at {location}: {urls:?}");
    Ok(refusal)
}

#[tokio::test]
async fn h012_what_only_a_browser_follows_passes_untouched() -> Result<()> {
    const PAGE: &str =
        r#"<meta http-equiv="refresh" content="0;url=https://evil.test/"><script>location="//evil.test"</script>"#;
    let chain = chain().await?;
    chain.upstream().on("https://api.example.com/a", |_| {
        Reply::text(PAGE).header("content-type", "text/html").header("refresh", "0;url=https://evil.test/")
    });
    let outcome = chain.fetch(ACME, Fetch::get("https://api.example.com/a")).await?;
    assert_eq!((outcome.status, outcome.body.as_str()), (Some(200), PAGE));
    assert_eq!(outcome.header("refresh"), Some("0;url=https://evil.test/"));
    assert_eq!(taken(&chain), ["https://api.example.com/a"]);
    Ok(())
}

#[tokio::test]
async fn h013_a_location_that_repeats_a_secret_is_blanked_in_every_encoding() -> Result<()> {
    let chain = chain().await?;
    let location = "https://files.example.com/?plain=k3y+of/the=platform&encoded=k3y%2Bof%2fthe%3Dplatform&rest=1";
    redirect(&chain, "https://api.example.com/a", 302, location);
    let blanked = "https://files.example.com/?plain=***&encoded=***&rest=1";
    for tenant in TENANTS {
        let outcome = chain.fetch(tenant, Fetch::get("https://api.example.com/a").redirect("manual")).await?;
        assert_eq!((outcome.status, outcome.header("location")), (Some(302), Some(blanked)), "{tenant}");
        assert_eq!(taken(&chain), ["https://api.example.com/a"], "{tenant}");

        chain.fetch(tenant, Fetch::get("https://api.example.com/a")).await?;
        assert_eq!(taken(&chain), ["https://api.example.com/a", blanked], "{tenant}: who follows takes no key along");
    }
    Ok(())
}
