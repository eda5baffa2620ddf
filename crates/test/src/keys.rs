//! Every key that a test file, or a decision, may have, and what it means: the one list behind the reader, the schemas and the
//! reference.

use tidegate_compiler::claim;
use tidegate_compiler::schema::Document;
use tidegate_compiler::tree::keys::{Key, Takes, Words};
use tidegate_engine::Reason;

/// Test files: `policies/<name>.test.toml`.
pub const TESTS: Document = Document {
    name: "test",
    title: "Tests of a policy",
    about: "What `tidegate test` reads: requests and what must become of them.",
    keys: FILE,
};

/// Decisions: what `tidegate decide --format json` writes, an object a line.
pub const DECISIONS: Document = Document {
    name: "decision",
    title: "A decision",
    about: "What `tidegate decide --format json` writes of a request. A request line that cannot be read is answered by \
            `{\"id\":null,\"error\":\"…\"}` in its place.",
    keys: DECISION,
};

pub(crate) const EFFECTS: [&str; 2] = ["allow", "deny"];
const MODES: [&str; 2] = ["enforce", "report"];
const ALGORITHMS: [&str; 3] = ["HS256", "ES256", "EdDSA"];

/// The reasons of decisions.
struct Reasons;

impl Words for Reasons {
    fn words(&self) -> Vec<&'static str> {
        Reason::ALL.map(Reason::as_str).to_vec()
    }
}

/// A whole test file.
pub(crate) const FILE: &[Key] = &[
    Key::optional("policy", Takes::Text, "the policy that is asked, relative to this file")
        .or("this file's name without `.test`"),
    Key::optional("case", Takes::Tables(CASE), "requests, each with what must become of it"),
    Key::optional(
        "never",
        Takes::Tables(claim::KEYS),
        "conditions under which no request is allowed, decided by proof",
    ),
    Key::optional(
        "always",
        Takes::Tables(claim::KEYS),
        "conditions under which every request is allowed, decided by proof; secrets and variables are taken to be there",
    ),
];

/// `[[case]]`.
pub(crate) const CASE: &[Key] = &[
    Key::required("name", Takes::Text, "what must be so, in a sentence"),
    Key::optional("method", Takes::Text, "the request's method").or("\"GET\""),
    Key::required("url", Takes::Text, "what is fetched"),
    Key::optional("customer", Takes::Text, "who asks").or("nobody: `unknown-customer`, where the policy asks"),
    Key::optional("tags", Takes::TextsOrNone, "the customer's tags, where the policy declares them")
        .or("none are declared"),
    Key::optional(
        "vars",
        Takes::TextTable { may_be_empty: true },
        "the customer's variables, where the policy declares them",
    )
    .or("{}"),
    Key::optional("headers", Takes::TextTable { may_be_empty: true }, "the request's headers").or("{}"),
    Key::optional("at", Takes::Instant, "when it is, in UTC").or("now"),
    Key::required(
        "expect",
        Takes::Table(EXPECT),
        "members of the decision that must be exactly so; the others do not matter",
    ),
];

/// `expect`.
pub(crate) const EXPECT: &[Key] = &[
    Key::required("effect", Takes::Choice(&EFFECTS), "what happens"),
    Key::optional("reason", Takes::Choice(&Reasons), "why"),
    Key::optional("rule", Takes::Text, "the rule that decided, the first of them"),
    Key::optional("rules", Takes::TextsOrNone, "all rules that decided; `[]` says that none did"),
    Key::optional("url", Takes::Text, "the canonical URL"),
    Key::optional("enforced", Takes::Boolean, "`false` where only report mode lets the request through"),
    Key::optional("would_deny", Takes::TextsOrNone, "rules in report mode that would deny"),
    Key::optional("would_allow", Takes::TextsOrNone, "rules in report mode that would allow"),
    Key::optional("set", Takes::TextTable { may_be_empty: true }, "headers that are set, secrets as `<secret:NAME>`"),
    Key::optional("remove", Takes::TextsOrNone, "headers that rules drop, in any order"),
    Key::optional("jwt", Takes::FalseOrTable(JWT), "members of the token; `false` says that there is none"),
];

/// `jwt` in `expect`.
pub(crate) const JWT: &[Key] = &[
    Key::optional("key", Takes::Text, "the policy's name for the key"),
    Key::optional("kid", Takes::Text, "the key's name for those who verify"),
    Key::optional("alg", Takes::Text, "how it signs"),
    Key::optional("header", Takes::Text, "the header that carries the token"),
    Key::optional("scheme", Takes::Text, "what stands before the token"),
    Key::optional("claims", Takes::TextTable { may_be_empty: true }, "all claims but `iat` and `exp`"),
];

/// A decision.
const DECISION: &[Key] = &[
    Key::required("id", Takes::Any, "the asker's name for the request; null for a single one"),
    Key::required("effect", Takes::Choice(&EFFECTS), "what happens"),
    Key::required("reason", Takes::Choice(&Reasons), "why"),
    Key::required(
        "rule",
        Takes::Nullable(&Takes::Text),
        "the rule that decided, the first of them; null where none did",
    ),
    Key::required("rules", Takes::TextsOrNone, "all rules that decided"),
    Key::required("url", Takes::Nullable(&Takes::Text), "the canonical URL; null for every `invalid-request`"),
    Key::required("mode", Takes::Choice(&MODES), "the policy's mode"),
    Key::required(
        "enforced",
        Takes::Boolean,
        "`false` exactly when the effect is allow and would be deny without report mode",
    ),
    Key::required("would_deny", Takes::TextsOrNone, "rules in report mode that would deny"),
    Key::required("would_allow", Takes::TextsOrNone, "rules in report mode that would allow"),
    Key::required("set", Takes::TextTable { may_be_empty: true }, "headers that are set, secrets as `<secret:NAME>`"),
    Key::required("remove", Takes::TextsOrNone, "headers that rules drop, hygiene aside"),
    Key::required(
        "jwt",
        Takes::Nullable(&Takes::Table(TOKEN)),
        "the token, without `iat` and `exp`; null where there is none",
    ),
    Key::required("policy", Takes::Text, "the policy's digest"),
];

/// `jwt` in a decision.
const TOKEN: &[Key] = &[
    Key::required("key", Takes::Text, "the policy's name for the key"),
    Key::required("kid", Takes::Text, "the key's name for those who verify"),
    Key::required("alg", Takes::Choice(&ALGORITHMS), "how it signs"),
    Key::required("header", Takes::Text, "the header that carries the token"),
    Key::required("scheme", Takes::Text, "what stands before the token"),
    Key::required("claims", Takes::TextTable { may_be_empty: true }, "all claims but `iat` and `exp`"),
];

/// The table that has a key, for those who put it into another one.
pub(crate) fn home_of(key: &str) -> Option<&'static str> {
    let homes: [(&[Key], &str); 3] = [(CASE, "`[[case]]`"), (EXPECT, "a case's `expect`"), (JWT, "`jwt` in `expect`")];
    homes.into_iter().find(|(keys, _)| keys.iter().any(|known| known.name == key)).map(|(_, home)| home)
}
