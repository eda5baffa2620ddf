//! Every key that a policy may have, and what it means: the one list behind the reader, the schema and the reference.

use super::ListFormat;
use crate::checked::{Algorithm, Effect, Mode, Scheme};
use crate::diagnostic::{Code, Level};
use crate::tree::keys::{Key, Takes, join};

pub(super) const EFFECTS: &[(&str, Effect)] = &[("allow", Effect::Allow), ("deny", Effect::Deny)];
pub(super) const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("report", Mode::Report)];
pub(super) const SCHEMES: &[(&str, Scheme)] = &[("http", Scheme::Http), ("https", Scheme::Https)];
pub(super) const ENCODED: &[(&str, ())] = &[("literal", ())];
pub(super) const ALGORITHMS: &[(&str, Algorithm)] =
    &[("HS256", Algorithm::Hs256), ("ES256", Algorithm::Es256), ("EdDSA", Algorithm::EdDsa)];
pub(super) const FORMATS: &[(&str, ListFormat)] = &[
    ("domains", ListFormat::Domains),
    ("hosts", ListFormat::Hosts),
    ("adblock", ListFormat::Adblock),
    ("dnsmasq", ListFormat::Dnsmasq),
    ("rpz", ListFormat::Rpz),
];
pub(crate) const LEVELS: &[(&str, Level)] = &[("allow", Level::Allow), ("warn", Level::Warn), ("deny", Level::Deny)];

/// A whole policy.
pub(crate) const POLICY: &[Key] = &[
    Key::required(
        "policy",
        Takes::Integer(1, 1),
        "version of the policy language; files that another one extends may leave it out",
    ),
    Key::optional("default", Takes::Choice(&EFFECTS), "what happens where no rule decides").or("\"deny\""),
    Key::optional(
        "mode",
        Takes::Choice(&MODES),
        "`\"report\"` records what rules and the default would deny, and lets it through without obligations",
    )
    .or("\"enforce\""),
    Key::optional(
        "extends",
        Takes::Texts,
        "files whose rules, lists, keys, customers and tenant domains are added; relative to this file",
    ),
    Key::optional(
        "tenant-domains",
        Takes::Texts,
        "the platform's own suffixes where tenants live: no credential ever goes there",
    ),
    Key::optional(
        "enforce-for",
        Takes::Tables(ENFORCE_FOR),
        "under `mode = \"report\"`: whose requests are enforced already; tables are alternatives, all that one names must hold",
    ),
    Key::optional(
        "identity",
        Takes::WordOrTable("none", IDENTITY),
        "outbound parameters that say whose a request is; `\"none\"` for policies that do not ask",
    )
    .or("{ customer = \"customer_name\" }"),
    Key::optional(
        "customers",
        Takes::Named { ids: false, keys: CUSTOMER },
        "what the policy itself knows of customers, by name",
    ),
    Key::optional("lists", Takes::Named { ids: true, keys: LIST }, "lists of domains that are kept in files, by id"),
    Key::optional(
        "keys",
        Takes::Named { ids: true, keys: KEY },
        "signing keys, by id; the keys themselves are Worker secrets and never in a policy",
    ),
    Key::optional("rule", Takes::Tables(RULE), "the rules; their order never changes what is decided"),
    Key::optional("lints", Takes::Levels, "what becomes of findings that are no errors, by their codes"),
];

/// `[identity]`.
pub(crate) const IDENTITY: &[Key] = &[
    Key::optional(
        "customer",
        Takes::Text,
        "the parameter with the customer's name; `\"params.customer\"` reaches into an object",
    )
    .or("\"customer_name\""),
    Key::optional(
        "tags",
        Takes::Text,
        "the parameter with the customer's tags, an array of strings or one comma-separated string",
    )
    .or("requests bring no tags"),
    Key::optional("vars", Takes::Text, "the parameter with the customer's variables, an object of strings")
        .or("requests bring no variables"),
];

/// `[customers.NAME]`.
pub(crate) const CUSTOMER: &[Key] = &[
    Key::optional("tags", Takes::Texts, "tags, united with those that the request brings"),
    Key::optional("vars", Takes::TextTable { may_be_empty: true }, "values for `{vars.NAME}`"),
];

/// `[lists.ID]`.
pub(crate) const LIST: &[Key] = &[
    Key::required("file", Takes::Text, "the file, relative to this one"),
    Key::required("format", Takes::Choice(&FORMATS), "how the file is written"),
    Key::optional("skip", Takes::Texts, "kinds of line to pass over, counted; nothing else is passed over"),
];

/// `[keys.ID]`.
pub(crate) const KEY: &[Key] = &[
    Key::required("alg", Takes::Choice(&ALGORITHMS), "how it signs"),
    Key::required("secret", Takes::Text, "the Worker secret that holds the key"),
    Key::required("kid", Takes::Text, "the key's name for those who verify"),
    Key::optional("issuer", Takes::Text, "`iss` of its tokens").or("no `iss`"),
];

/// A table of `enforce-for`.
pub(crate) const ENFORCE_FOR: &[Key] = &[
    Key::optional("tags", Takes::Texts, "customers with any of these tags"),
    Key::optional("customers", Takes::Texts, "customers with these names, or globs (`*` is any run)"),
    Key::optional(
        "percent",
        Takes::Number(0, 100),
        "so many of all customers, by a stable hash of their names; at most two decimals",
    ),
];

/// `[[rule]]`, dimensions aside.
const OWN: &[Key] = &[
    Key::required("id", Takes::Id, "the rule's name in decisions, logs and tests; unique over all files"),
    Key::required("effect", Takes::Choice(&EFFECTS), "what becomes of requests that match; a deny rule always wins"),
    Key::optional("mode", Takes::Choice(&MODES), "`\"report\"` records that the rule matched, and changes nothing")
        .or("\"enforce\""),
    Key::optional("expires", Takes::Date, "from this day, 00:00 UTC, the rule no longer matches (allow rules)"),
    Key::optional("reason", Takes::Text, "text for the refusal"),
    Key::optional("websocket", Takes::Boolean, "the rule meets WebSocket upgrades, too (allow rules)").or("false"),
    Key::optional("encoded", Takes::Choice(&ENCODED), "`%2F` and `%25` in paths are taken as they stand (allow rules)")
        .or("the path is ambiguous, and the rule does not match"),
    Key::optional(
        "except",
        Takes::TableOrTables(CONDITION),
        "what the rule does not mean; each table is a condition of its own",
    ),
    Key::optional("remove", Takes::Texts, "headers to drop (allow rules)"),
    Key::optional("keep", Takes::Texts, "headers to let through that hygiene would drop (allow rules)"),
    Key::optional(
        "set",
        Takes::TextTable { may_be_empty: false },
        "headers to set, with `{customer}`, `{vars.NAME}` and `{secret.NAME}` in their values (allow rules)",
    ),
    Key::optional("jwt", Takes::Table(JWT), "a signed token to send (allow rules)"),
];

/// What a rule or an `except` matches: each key is a dimension or part of one, and all dimensions that are named must match.
pub(crate) const CONDITION: &[Key] = &[
    Key::optional("customers", Takes::Texts, "names of customers, or globs (`*` is any run)").or("any"),
    Key::optional("tags", Takes::Texts, "any of these tags").or("any"),
    Key::optional("domains", Takes::Texts, "host: these names and everything beneath them").or("any"),
    Key::optional(
        "hosts",
        Takes::Texts,
        "host: these names alone; `*` is any run within a label, `**` one or more labels",
    )
    .or("any"),
    Key::optional("host-regex", Takes::TextOrTexts, "host: regexes of whole names").or("any"),
    Key::optional("lists", Takes::Texts, "host: names in these `[lists]` and everything beneath them").or("any"),
    Key::optional("schemes", Takes::Choices(&SCHEMES), "schemes; `ws` and `wss` are judged as `http` and `https`")
        .or("allow rules: `https`; else any"),
    Key::optional("ports", Takes::Integers(1, 65_535), "ports").or("allow rules: the scheme's own; else any"),
    Key::optional("methods", Takes::Texts, "methods").or("any"),
    Key::optional(
        "paths",
        Takes::Texts,
        "path: globs from `/`; `*` is any run within a segment, `**` any number of segments, at the end one or more",
    )
    .or("any"),
    Key::optional("path-regex", Takes::TextOrTexts, "path: regexes of whole paths").or("any"),
    Key::optional(
        "headers",
        Takes::TextsTable,
        "headers of the request, each with globs for its value (`*` is any run)",
    )
    .or("any"),
];

/// `[[rule]]`.
pub(crate) const RULE: &[Key] = &join::<{ OWN.len() + CONDITION.len() }>(OWN, CONDITION);

/// A rule's `jwt`.
pub(crate) const JWT: &[Key] = &[
    Key::required("key", Takes::Text, "one of the policy's `[keys]`"),
    Key::required("audience", Takes::Text, "`aud`"),
    Key::required("ttl", Takes::Text, "how long a token lives, `\"60s\"` to `\"24h\"`"),
    Key::optional(
        "claims",
        Takes::TextTable { may_be_empty: true },
        "further claims, with templates; `sub` is the customer",
    ),
    Key::optional("header", Takes::Text, "the header that carries the token").or("\"authorization\""),
    Key::optional("scheme", Takes::Text, "what stands before the token").or("\"Bearer\""),
];

/// What only an allow rule may say, and why.
pub(crate) const ALLOW_ONLY: &[(&str, &str)] = &[
    ("expires", "nothing opens by itself: a rule that denies stays until somebody takes it out"),
    ("websocket", "a deny rule meets WebSocket upgrades anyway"),
    ("encoded", "a deny rule applies to doubtful paths anyway"),
    ("remove", "a refused request is not forwarded; put it on the rule that allows"),
    ("keep", "a refused request is not forwarded; put it on the rule that allows"),
    ("set", "a refused request is not forwarded; put it on the rule that allows"),
    ("jwt", "a refused request is not forwarded; put it on the rule that allows"),
];

/// The table that has a key, for those who put it into another one.
pub(super) fn home_of(key: &str) -> Option<&'static str> {
    let homes: [(&[Key], &str); 7] = [
        (RULE, "`[[rule]]`"),
        (JWT, "a rule's `jwt`"),
        (KEY, "`[keys.ID]`"),
        (LIST, "`[lists.ID]`"),
        (IDENTITY, "`[identity]`"),
        (ENFORCE_FOR, "`enforce-for`"),
        (POLICY, "the policy itself, before the first table"),
    ];
    let home = homes.into_iter().find(|(keys, _)| keys.iter().any(|known| known.name == key)).map(|(_, home)| home);
    home.or_else(|| Code::parse(key).is_some_and(Code::is_lint).then_some("`[lints]`"))
}
