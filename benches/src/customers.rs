//! A growing number of customers under the same thousand rules.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use tidegate_engine::{Effect, RequestView, Target};

use crate::decisions::tidegate;
use crate::measure::{self, Asked, Spread};

/// Plans that customers have, each with rules of its own.
const PLANS: usize = 100;
/// Rules of each.
const RULES: usize = 10;
/// How many requests are judged.
const REQUESTS: usize = 4_000;

/// One number of customers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) customers: usize,
    /// Nanoseconds a decision.
    pub(crate) decision: Spread,
    /// Bytes of the table.
    pub(crate) bytes: usize,
    /// Seconds from the policy's text to the loaded policy.
    pub(crate) build: f64,
}

/// Measures with 10 to 100,000 customers, each of whom has a tag and a variable in the policy.
pub(crate) fn grow(folder: &Path, rounds: usize, most: usize) -> Result<Vec<Row>> {
    [10, 100, 1_000, 10_000, 100_000]
        .into_iter()
        .filter(|count| *count <= most)
        .map(|count| row(count, folder, rounds))
        .collect()
}

fn row(customers: usize, folder: &Path, rounds: usize) -> Result<Row> {
    eprintln!("growth: {customers} customers");
    let started = Instant::now();
    let (policy, bytes) = tidegate::policy(&toml(customers), folder)?;
    let build = started.elapsed().as_secs_f64();
    let mut random = Rng::with_seed(7);
    let requests: Vec<(String, Target)> = (0..REQUESTS)
        .filter_map(|_| {
            let number = random.usize(..customers);
            // Every other host is of the customer's plan.
            let plan = if random.bool() { number % PLANS } else { random.usize(..PLANS.min(customers)) };
            let url = format!("https://api.svc-{}.plan-{plan}.example/", random.usize(..RULES));
            Some((format!("customer-{number}"), Target::parse(&url).ok()?))
        })
        .collect();
    let mut scratch = policy.scratch();
    let mut decide = |number: usize| {
        let (customer, target) = &requests[number];
        let view = RequestView {
            method: "GET",
            target: Ok(target),
            headers: &[],
            customer: Some(customer),
            tags: Some(&[]),
            vars: Some(&[]),
            now: tidegate::NOW,
        };
        policy.decide(&view, &mut scratch).effect == Effect::Allow
    };
    let allowed = (0..requests.len()).filter(|number| decide(*number)).count();
    if !(REQUESTS / 2..=REQUESTS * 2 / 3).contains(&allowed) {
        bail!("{allowed} of {REQUESTS} requests are allowed, and half of them should be");
    }
    let mut asked: Vec<Asked<'_>> = vec![Box::new(|range: std::ops::Range<usize>| {
        range.filter(|number| decide(std::hint::black_box(*number))).count()
    })];
    let decision = measure::in_turn(&mut asked, REQUESTS, rounds)[0];
    Ok(Row { customers, decision, bytes, build })
}

fn toml(customers: usize) -> String {
    let mut toml = "policy = 1\n\n[identity]\ncustomer = \"customer_name\"\n".to_owned();
    for number in 0..customers {
        let _ = write!(
            toml,
            "\n[customers.customer-{number}]\ntags = [\"plan-{}\"]\nvars = {{ account = \"{number:08}\" }}\n",
            number % PLANS
        );
    }
    // A plan that nobody has would be a finding.
    for plan in 0..PLANS.min(customers) {
        for service in 0..RULES {
            let _ = write!(
                toml,
                "\n[[rule]]\nid = \"plan-{plan}-{service}\"\neffect = \"allow\"\ntags = [\"plan-{plan}\"]\n\
                 domains = [\"svc-{service}.plan-{plan}.example\"]\nset = {{ x-account = \"{{vars.account}}\" }}\n"
            );
        }
    }
    toml
}
