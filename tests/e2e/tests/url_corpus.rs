//! The corpus of hostile URLs, through the Worker. Natively it runs in `crates/engine/tests/url_corpus.rs`.

#[path = "../../corpus/url_cases.rs"]
mod url_cases;

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use tidegate_e2e::{Captured, Chain, Customer, Fetch, Outcome};
use url_cases::{Expected, HOST_POLICY, PATH_POLICY, UrlCase};

const OLD_DATE: &str = "2024-01-01";

/// Under an old compatibility date this backslash ends no host: what leaves is a request for `evil.test`.
const ANOTHER_HOST_WITH_OLD_DATE: &str = "userinfo-118";

#[tokio::test(flavor = "multi_thread")]
async fn every_url_of_the_corpus_is_judged_as_it_says_when_a_tenant_with_a_new_date_fetches_it() -> Result<()> {
    run("new").await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_url_of_the_corpus_is_judged_as_it_says_when_a_tenant_with_an_old_date_fetches_it() -> Result<()> {
    run("old").await
}

async fn run(tenant: &str) -> Result<()> {
    let (about_paths, about_hosts): (Vec<_>, Vec<_>) =
        url_cases::all().into_iter().partition(UrlCase::is_about_the_path);
    let mut wrong = judged(tenant, HOST_POLICY, &about_hosts).await?;
    wrong.extend(judged(tenant, PATH_POLICY, &about_paths).await?);
    let count = about_hosts.len() + about_paths.len();
    println!("{count} URLs, tenant with the {tenant} date: {} wrong", wrong.len());
    ensure!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

/// Fetches all URLs, each with its id in a header, and says what was wrong.
async fn judged(tenant: &str, policy: &str, cases: &[UrlCase]) -> Result<Vec<String>> {
    let chain = Chain::with_policy(policy)?
        .customer(Customer::new("new"))
        .customer(Customer::new("old").compatibility_date(OLD_DATE))
        .start()
        .await?;
    let fetches: Vec<Fetch> = cases.iter().map(|case| Fetch::get(&case.url).header("x-case", &case.id)).collect();
    let outcomes = chain.fetch_all(tenant, &fetches).await?;
    let captured = chain.upstream().captured();
    let arrived: BTreeSet<String> = captured.iter().filter_map(|request| request.header("x-case")).collect();
    let mut wrong: Vec<String> = cases
        .iter()
        .zip(&outcomes)
        .filter_map(|(case, outcome)| {
            let fault = fault(case, tenant == "old", outcome, arrived.contains(&case.id))?;
            Some(format!("{} {:?}: {fault}; the tenant saw {outcome:?}", case.id, case.url))
        })
        .collect();
    // Whatever arrived, it went where the policy lets requests go.
    let allowed: &[&str] = if cases.iter().any(UrlCase::is_about_the_path) {
        &["https://api.example.com/public/"]
    } else {
        &["https://api.example.com/", "https://a.svc.example.com/", "https://r3---sn.svc.example.com/"]
    };
    let strays = captured.iter().map(Captured::url).filter(|url| !allowed.iter().any(|prefix| url.starts_with(prefix)));
    wrong.extend(strays.map(|url| format!("{url} arrived")));
    Ok(wrong)
}

fn fault(case: &UrlCase, old: bool, outcome: &Outcome, arrived: bool) -> Option<&'static str> {
    let throws = if old { case.throws_with_old_date } else { case.throws };
    let allowed = case.expected == Expected::Allow && !throws && !(old && case.id == ANOTHER_HOST_WITH_OLD_DATE);
    match (allowed, arrived) {
        (true, false) => return Some("did not arrive"),
        (false, true) => return Some("arrived"),
        _ => {}
    }
    let fine = if throws {
        // Where the corpus was measured the tenant's `fetch` threw; here it may get as far as being refused.
        outcome.error.is_some() || outcome.refusal().is_some()
    } else if allowed {
        outcome.status == Some(200)
    } else {
        let reason = outcome.refusal();
        reason.is_some() && (case.expected != Expected::Invalid || reason.as_deref() == Some("invalid-request"))
    };
    (!fine).then_some("the tenant was told something else")
}
