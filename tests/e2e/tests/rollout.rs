//! A policy is turned on step by step, on a platform that keeps running: first it only reports, then it is enforced for
//! those who agreed to be first, then for a share of all customers, then for everybody. Nothing else of it changes on the way.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tidegate_e2e::{Captured, Chain, Customer, Fetch, OutboundWorker};

/// The rules, the same in each step. What is between `policy` and `[identity]` says for whom they hold.
const RULES: &str = r#"
[identity]
tags = "customer_tags"
vars = "customer_vars"

[customers.globex]
vars = { plan = "free", region = "eu" }

[[rule]]
id     = "billing"
effect = "allow"
hosts  = ["billing.example.com"]
set    = { x-tenant = "{customer}", x-plan = "{vars.plan}", x-region = "{vars.region}" }

[[rule]]
id      = "no-tracking"
effect  = "deny"
domains = ["tracking.example"]
reason  = "tracking is off"
"#;

/// Each step's settings, and whose requests are enforced in it. Of all customers, `hooli` comes in the last tenth (its name's
/// place among 10,000 is 9,083), `globex` before the 70th percentile (6,599), `acme` after it (9,872).
const STEPS: &[(&str, &str, &[&str])] = &[
    ("report", "mode = \"report\"", &[]),
    ("canary", "mode = \"report\"\nenforce-for = [{ tags = [\"canary\"] }]", &["acme"]),
    ("share", "mode = \"report\"\nenforce-for = [{ tags = [\"canary\"] }, { percent = 70 }]", &["acme", "globex"]),
    ("enforce", "mode = \"enforce\"", &["acme", "globex", "hooli"]),
];

const TRACKING: &str = "https://a.tracking.example/pixel";
const UNLISTED: &str = "https://elsewhere.example/";
const BILLING: &str = "https://billing.example.com/v1";

fn worker(settings: &str) -> Result<OutboundWorker> {
    OutboundWorker::with_policy(&format!("policy = 1\n{settings}\n{RULES}"))
}

#[tokio::test]
async fn a_policy_is_enforced_step_by_step_and_its_records_say_what_comes_next() -> Result<()> {
    let customer = |name: &str, tags: Value, vars: Value| {
        let parameters = json!({ "customer_name": name, "customer_tags": tags, "customer_vars": vars });
        Customer::new(name).parameters(Some(parameters))
    };
    let (_, first, _) = STEPS[0];
    let chain = Chain::around(worker(first)?)
        .customer(customer("acme", json!(["canary"]), json!({ "plan": "platinum", "region": "us" })))
        .customer(customer("globex", json!([]), json!({ "region": "ch" })))
        .customer(customer("hooli", json!("beta,eu"), json!({ "plan": "gold", "region": "eu", "seats": "12" })))
        .customer(customer("nobody", json!([]), json!({ "plan": 7 })))
        .start()
        .await?;

    for (number, &(name, settings, enforced)) in STEPS.iter().enumerate() {
        if number > 0 {
            chain.deploy_again(worker(settings)?).await?;
        }
        chain.take_decisions();
        for customer in ["acme", "globex", "hooli"] {
            step(&chain, name, customer, enforced.contains(&customer)).await.context(name).context(customer)?;
        }
        // Report mode is for what rules say, not for requests of whom nobody knows.
        let outcome = chain.fetch("nobody", Fetch::get(BILLING)).await?;
        ensure!(outcome.refusal().as_deref() == Some("unknown-customer"), "{name}: {outcome:?}");
        ensure!(chain.upstream().take().is_empty(), "{name}: nothing may arrive of nobody's");
    }
    Ok(())
}

/// One customer's requests in one step.
async fn step(chain: &Chain, name: &str, customer: &str, is_enforced: bool) -> Result<()> {
    let mode = if name == "enforce" { "enforce" } else { "report" };
    for (url, rules) in [(TRACKING, &["no-tracking"][..]), (UNLISTED, &[])] {
        let outcome = chain.fetch(customer, Fetch::get(url).header("x-plan", "forged")).await?;
        let arrived = chain.upstream().take();
        let record = record(chain, customer, url).await?;
        ensure!(record["mode"] == mode, "{record}");
        if is_enforced {
            let reason = if rules.is_empty() { "default" } else { "rule" };
            ensure!(outcome.refusal().as_deref() == Some(reason), "{url}: {outcome:?}");
            ensure!(arrived.is_empty(), "{url} was refused, and yet there arrived {arrived:?}");
            ensure!(says(&record) == json!(["deny", reason, rules, true, []]), "{record}");
        } else {
            ensure!(outcome.status == Some(200) && arrived.len() == 1, "{url}: {outcome:?}, {arrived:?}");
            ensure!(says(&record) == json!(["allow", "default", [], false, rules]), "{record}");
        }
    }

    // What rules allow is the same throughout: report mode takes no obligation off a request that it does not wave through.
    let outcome = chain.fetch(customer, Fetch::get(BILLING).header("x-plan", "forged")).await?;
    ensure!(outcome.status == Some(200), "{outcome:?}");
    let arrived = chain.upstream().take();
    let record = record(chain, customer, BILLING).await?;
    ensure!(says(&record) == json!(["allow", "rule", ["billing"], true, []]), "{record}");
    let stamped = |arrived: &Captured| ["x-tenant", "x-plan", "x-region"].map(|name| arrived.header(name));
    let expected = match customer {
        // The request's own variables, where it brings any.
        "acme" => ["acme", "platinum", "us"],
        // One from the request, one from the policy: the request goes first.
        "globex" => ["globex", "free", "ch"],
        _ => ["hooli", "gold", "eu"],
    };
    let stamps: Vec<_> = arrived.iter().map(stamped).collect();
    ensure!(stamps == [expected.map(|value| Some(value.to_owned()))], "{stamps:?}");
    Ok(())
}

/// What a record says of the decision.
fn says(record: &Value) -> Value {
    json!([record["effect"], record["reason"], record["rules"], record["enforced"], record["would_deny"]])
}

/// The record of the one request that was just made.
async fn record(chain: &Chain, customer: &str, url: &str) -> Result<Value> {
    let records = chain.decisions_when(|records| !records.is_empty()).await?;
    chain.take_decisions();
    ensure!(records.len() == 1, "one request, and {} records", records.len());
    let record = records.into_iter().next().context("no record")?;
    ensure!(record["customer"] == customer, "{record}");
    ensure!(url.contains(record["host"].as_str().unwrap_or("no host")), "{record}");
    Ok(record)
}
