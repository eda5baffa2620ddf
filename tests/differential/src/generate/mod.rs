//! Policies and requests that nobody thought of.
//!
//! # Policies
//! [`policy`] uses every part of the language that compiles: all dimensions and `except`, lists in files, `extends`, both
//! modes and rollouts, expiry, every template and obligation, keys of each algorithm, customers with tags and variables, a policy
//! without identity. Names come from a few words, so that rules meet each other; what rules say about one header is
//! settled for the whole policy, so that they seldom contradict. Some policies do not compile all the same; they are
//! passed over.
//!
//! # Requests
//! A [`RequestSketch`] can be put to any policy. It picks a rule, or one of its exceptions, and takes from [`Hints`] values
//! that the rule's conditions hold of; then it twists some: the apex of a domain, a letter off at the dot, a segment more, an
//! escape that can be read in two ways, a port, a header under an alias. What comes out nearly hits or nearly misses.
//!
//! # How it is driven
//! Every decision is one byte; zeros choose the plainest, and so do bytes that are missing. So one generator serves three:
//!
//! ```text
//!   proptest        policy(), request()       strategies that shrink
//!   the long run    seeded(seed, number)      the same numbers, the same policies and requests
//!   a fuzzer        from_bytes(&[u8])         a policy and sketches of requests
//!
//!   let (policy, sketches) = generate::from_bytes(data);
//!   let compilation = folder.compile(&policy.text(), &policy.files())?;         // `Folder`: made once
//!   let Some(compiled) = Compiled::of(compilation) else { return };              // one in forty is none
//!   let hints = Hints::of(&compiled.policy);
//!   let requests = sketches.iter().map(|sketch| sketch.request(&hints));
//! ```
//!
//! A policy takes about 250 bytes, few over 500, a large one 5,000; what is left are requests, 48 bytes each. Policies shrink
//! as trees of TOML do (see [`PolicyText`]), requests by turning to the plainest.

mod choices;
mod hints;
mod policy;
mod request;
mod rule;
mod twist;
mod words;

pub use hints::Hints;
pub use request::RequestSketch;

use choices::Choices;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::NewTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::text::{PolicyText, Smaller};

/// Bytes for a policy; hardly any takes more.
const POLICY: usize = 8_192;

/// Policies.
pub fn policy() -> impl Strategy<Value = PolicyText> {
    Policies
}

/// Requests for any policy.
pub fn request() -> impl Strategy<Value = RequestSketch> {
    vec(any::<u8>(), request::SKETCH).prop_map(RequestSketch)
}

/// What a fuzzer's bytes stand for: a policy, and at least one request.
pub fn from_bytes(bytes: &[u8]) -> (PolicyText, Vec<RequestSketch>) {
    let mut choices = Choices::new(bytes);
    let policy = policy::policy(&mut choices);
    let mut requests: Vec<_> =
        choices.rest().chunks(request::SKETCH).map(|chunk| RequestSketch(chunk.to_vec())).collect();
    if requests.is_empty() {
        requests.push(RequestSketch(Vec::new()));
    }
    (policy, requests)
}

/// A policy of a numbered series, and the source of the requests that are put to it.
pub fn seeded(seed: u64, number: u64) -> (PolicyText, Sketches) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    (policy_from(&mut rng), Sketches(rng))
}

/// Sketches of requests without end.
pub struct Sketches(TestRng);

impl Iterator for Sketches {
    type Item = RequestSketch;

    fn next(&mut self) -> Option<RequestSketch> {
        let mut sketch = vec![0; request::SKETCH];
        self.0.fill_bytes(&mut sketch);
        Some(RequestSketch(sketch))
    }
}

fn policy_from(rng: &mut TestRng) -> PolicyText {
    let mut bytes = [0; POLICY];
    rng.fill_bytes(&mut bytes);
    policy::policy(&mut Choices::new(&bytes))
}

#[derive(Debug)]
struct Policies;

impl Strategy for Policies {
    type Tree = Smaller;
    type Value = PolicyText;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(Smaller::new(policy_from(runner.rng())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Compiled;

    #[test]
    fn policies_use_every_part_of_the_language() {
        let mut texts = String::new();
        for number in 0..300 {
            let (policy, _) = seeded(1, number);
            texts.push_str(&policy.text());
            texts.extend(policy.files().into_values());
        }
        for part in [
            "default = \"allow\"",
            "default = \"deny\"",
            "mode = \"report\"",
            "extends = [\"parts/base.toml\", \"parts/deep.toml\"]",
            "extends = [\"deep.toml\"]",
            "tenant-domains = ",
            "identity = \"none\"",
            "customer = \"params.customer\"",
            "tags = \"params.tags\"",
            "vars = \"params.vars\"",
            "enforce-for = ",
            "percent = 12.34",
            "[customers.acme]",
            "vars = ",
            "format = \"hosts\"",
            "format = \"domains\"",
            "format = \"adblock\"",
            "format = \"dnsmasq\"",
            "format = \"rpz\"",
            "*.api.example.com CNAME .",
            "CNAME rpz-passthru.",
            "skip = ",
            "##.banner",
            "127.0.0.1 localhost",
            "alg = \"ES256\"",
            "alg = \"HS256\"",
            "alg = \"EdDSA\"",
            "issuer = ",
            "effect = \"deny\"",
            "reason = ",
            "expires = ",
            "websocket = true",
            "encoded = \"literal\"",
            "except = [{ ",
            "customers = ",
            "tags = [",
            "domains = ",
            "hosts = ",
            "host-regex = ",
            "lists = ",
            "schemes = [\"http\"]",
            "ports = ",
            "methods = ",
            "paths = ",
            "path-regex = ",
            "headers = ",
            "remove = ",
            "keep = ",
            "set = ",
            "{customer}",
            "{vars.plan}",
            "{secret.API_KEY}",
            "{{",
            "jwt = ",
            "audience = ",
            "ttl = ",
            "header = ",
            "scheme = ",
            "claims = ",
        ] {
            assert!(texts.contains(part), "no policy says `{part}`");
        }
    }

    #[test]
    fn a_number_stands_for_one_policy_and_one_row_of_requests() {
        let (first, of_first) = seeded(7, 3);
        let (again, of_again) = seeded(7, 3);
        assert_eq!(first, again);
        assert!(of_first.take(5).eq(of_again.take(5)));
        assert_ne!(first, seeded(7, 4).0);
        assert_ne!(first, seeded(8, 3).0);
    }

    #[test]
    fn any_bytes_stand_for_a_policy_and_at_least_one_request() {
        let lengths = [0, 1, 20, 300, 5_000];
        for bytes in lengths.map(|length| (0..length).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect::<Vec<_>>())
        {
            let (policy, requests) = from_bytes(&bytes);
            assert!(!policy.text().is_empty() && !requests.is_empty());
        }
        let (plainest, _) = from_bytes(&[]);
        assert!(Compiled::new(&plainest.text(), &plainest.files()).is_ok(), "{}", plainest.text());
    }
}
