//! Limits: requests, patterns and tables that are meant to be too much. Each is refused or decided, nothing of it
//! arrives, and the next request is served.

use anyhow::{Context, Result};
use tidegate_e2e::{Chain, Customer, Fetch, OutboundWorker, compile};

use crate::{ACME, OLD, arrives, is_refused, new_and_old};

const POLICY: &str = r#"
policy  = 1
default = "deny"

[[rule]]
id     = "api"
effect = "allow"
hosts  = ["api.example.com"]
set    = { x-tenant = "{customer}" }
"#;

const API: &str = "https://api.example.com/";

const KIB: usize = 1024;

async fn chain() -> Result<Chain> {
    new_and_old(POLICY)?.start().await
}

#[tokio::test]
async fn h064_too_many_headers_are_refused() -> Result<()> {
    let chain = chain().await?;
    let many = |count: usize, size: usize| {
        (0..count).fold(Fetch::get(API), |fetch, number| fetch.header(&format!("x-{number:05}"), "v".repeat(size - 7)))
    };
    for (what, fetch) in [
        ("1 MiB in one header", Fetch::get(API).header("x-heavy", "v".repeat(1024 * KIB))),
        ("1 MiB in 16 headers", many(16, 64 * KIB)),
        ("1 MiB in 8192 headers", many(8192, 128)),
        ("one byte over 128 KiB", many(16, 8 * KIB).header("y", "")),
    ] {
        is_refused(&chain, ACME, fetch, "invalid-request").await.context(what)?;
        arrives(&chain, ACME, Fetch::get(API)).await?;
    }
    let request = arrives(&chain, ACME, many(16, 8 * KIB)).await?;
    assert_eq!(request.headers.iter().filter(|(name, _)| name.starts_with("x-0")).count(), 16, "128 KiB are allowed");
    Ok(())
}

#[tokio::test]
async fn h064_a_url_that_is_too_long_is_refused() -> Result<()> {
    let chain = chain().await?;
    let long = |length: usize| format!("{API}{}", "p".repeat(length - API.len()));
    let parameters: Vec<_> = (0..10_000).map(|number| format!("p{number}={number}")).collect();
    for (tenant, url) in [
        (ACME, long(16 * KIB + 1)),
        (ACME, long(64 * KIB)),
        (ACME, long(1024 * KIB)),
        (ACME, format!("{API}?{}", parameters.join("&"))),
        (ACME, format!("https://{}example.com/", "a.".repeat(64 * KIB))),
        // Short enough as it would leave, if somebody resolved it; this tenant's runtime does not.
        (OLD, format!("{API}{}", "%2e%2e/".repeat(64 * KIB))),
        // Short enough as it is received, three times as long as it would leave.
        (OLD, format!("{API}{}", "^".repeat(8 * KIB))),
    ] {
        is_refused(&chain, tenant, Fetch::get(url), "invalid-request").await?;
        arrives(&chain, tenant, Fetch::get(API)).await?;
    }
    let longest = arrives(&chain, ACME, Fetch::get(long(16 * KIB))).await?;
    assert_eq!(longest.url().len(), 16 * KIB, "16 KiB are allowed");
    let few = arrives(&chain, ACME, Fetch::get(format!("{API}?{}", parameters[..1000].join("&")))).await?;
    assert!(few.path.ends_with("&p999=999"), "and so are a thousand parameters");
    Ok(())
}

/// Patterns that take backtracking engines exponential time. Here each octet of the request is looked at once, or the
/// policy does not compile.
#[tokio::test]
async fn h065_nested_quantifiers_run_in_linear_time() -> Result<()> {
    let chain = Chain::with_policy(
        r#"
        policy  = 1
        default = "deny"
        [[rule]]
        id         = "path"
        effect     = "allow"
        hosts      = ["path.example.com"]
        path-regex = ["/(a+)+", "/(a|aa)+b", "/(.*)*c", "/((a?){20}a{20})+d"]
        [[rule]]
        id         = "host"
        effect     = "allow"
        host-regex = ["(a+)+\\.regex\\.example\\.com", "((a|b)*)*\\.two\\.example\\.com"]
        "#,
    )?
    .customer(Customer::new(ACME))
    .start()
    .await?;
    let many = "a".repeat(15 * KIB);
    arrives(&chain, ACME, Fetch::get(format!("https://path.example.com/{many}"))).await?;
    arrives(&chain, ACME, Fetch::get(format!("https://path.example.com/{many}b"))).await?;
    is_refused(&chain, ACME, Fetch::get(format!("https://path.example.com/{many}!")), "default").await?;
    let label = "a".repeat(60);
    arrives(&chain, ACME, Fetch::get(format!("https://{label}.regex.example.com/"))).await?;
    is_refused(&chain, ACME, Fetch::get(format!("https://{label}b.regex.example.com/")), "default").await?;
    is_refused(&chain, ACME, Fetch::get(format!("https://{label}c.two.example.com/")), "default").await?;
    Ok(())
}

#[test]
fn h065_a_pattern_that_needs_too_large_an_automaton_does_not_compile() {
    for pattern in ["/((a{100}){100}){100}", "/(.*a.{1000})+"] {
        let refused = compile(&format!("{POLICY}path-regex = ['{pattern}']"));
        assert!(refused.is_err_and(|error| error.to_string().contains("PatternTooLarge")), "{pattern}");
    }
}

#[tokio::test]
async fn h066_a_table_that_is_not_whole_refuses_everything() -> Result<()> {
    let table = compile(POLICY)?;
    let flipped = |at: usize| {
        let mut table = table.clone();
        table[at] ^= 1;
        table
    };
    let own = table[8];
    let of_version = |version: u8| {
        let mut table = table.clone();
        table[8] = version;
        table
    };
    let [older, newer] = [own - 1, own + 1].map(|version| format!("format version {version}"));
    let workers = [
        ("no section", OutboundWorker::without_policy()?, "no section"),
        ("an empty section", OutboundWorker::with_table(&[])?, "no policy table"),
        ("half a table", OutboundWorker::with_table(&table[..table.len() / 2])?, "cut or glued"),
        ("all but the last byte", OutboundWorker::with_table(&table[..table.len() - 1])?, "cut or glued"),
        ("one byte more", OutboundWorker::with_table(&[table.as_slice(), &[0]].concat())?, "cut or glued"),
        ("another magic", OutboundWorker::with_table(&flipped(0))?, "no policy table"),
        ("an older version", OutboundWorker::with_table(&of_version(own - 1))?, older.as_str()),
        ("a newer version", OutboundWorker::with_table(&of_version(own + 1))?, newer.as_str()),
        ("a flipped bit in the checksum", OutboundWorker::with_table(&flipped(24))?, "checksum"),
        ("a flipped bit in the digest", OutboundWorker::with_table(&flipped(32))?, "checksum"),
        ("a flipped bit in the middle", OutboundWorker::with_table(&flipped(table.len() / 2))?, "checksum"),
        ("a flipped bit at the end", OutboundWorker::with_table(&flipped(table.len() - 1))?, "checksum"),
    ];
    for (name, worker, says) in workers {
        let chain = Chain::around(worker).customer(Customer::new(ACME)).start().await?;
        is_refused(&chain, ACME, Fetch::get(API), "policy-unavailable").await.context(name)?;
        let records = chain.decisions_when(|records| !records.is_empty()).await?;
        let fault = records[0]["fault"].as_str().unwrap_or_default();
        assert!(fault.contains(says), "{name}: the log says `{fault}`, and nothing of `{says}`");
    }
    Ok(())
}
