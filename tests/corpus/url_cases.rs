//! Reads `url-cases.tsv`, for the native test and the one through the Worker.

/// Every category but `path` is judged by this one.
pub(crate) const HOST_POLICY: &str = r#"
policy   = 1
default  = "deny"
identity = "none"

[[rule]]
id     = "some-hosts"
effect = "allow"
hosts  = ["api.example.com", "pay.example.com", "**.svc.example.com"]
"#;

/// Category `path` is judged by this one.
pub(crate) const PATH_POLICY: &str = r#"
policy   = 1
default  = "deny"
identity = "none"

[[rule]]
id     = "public-paths"
effect = "allow"
hosts  = ["api.example.com"]
paths  = ["/public/**"]
"#;

/// One line of the corpus.
#[derive(Clone, Debug)]
pub(crate) struct UrlCase {
    /// Unique.
    pub(crate) id: String,
    /// The URL as a tenant would write it.
    pub(crate) url: String,
    /// What kind of trick it is.
    pub(crate) category: String,
    /// What must become of it.
    pub(crate) expected: Expected,
    /// Whether `fetch` throws for a tenant with a new compatibility date.
    pub(crate) throws: bool,
    /// Whether `fetch` throws for a tenant with an old compatibility date.
    pub(crate) throws_with_old_date: bool,
}

/// What must become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It goes out.
    Allow,
    /// It is refused, for whatever reason.
    Deny,
    /// It is refused as `invalid-request`.
    Invalid,
}

impl UrlCase {
    /// Whether [`PATH_POLICY`] judges it.
    pub(crate) fn is_about_the_path(&self) -> bool {
        self.category == "path"
    }
}

/// All lines of the corpus.
pub(crate) fn all() -> Vec<UrlCase> {
    let cases: Vec<UrlCase> = include_str!("url-cases.tsv").lines().skip(1).map(case).collect();
    assert!(cases.len() > 200, "the corpus has lost lines: only {} are left", cases.len());
    cases
}

fn case(line: &str) -> UrlCase {
    let columns: Vec<&str> = line.split('\t').collect();
    let [id, url, category, expected, _, seen, seen_with_old_date, ..] = columns[..] else {
        panic!("too few columns: {line}")
    };
    let url = serde_json::from_str(&format!("\"{url}\"")).unwrap_or_else(|error| panic!("{id}: {error}"));
    let expected = match expected {
        "allow" => Expected::Allow,
        "deny" => Expected::Deny,
        "invalid" => Expected::Invalid,
        other => panic!("{id}: what is `{other}`?"),
    };
    let throws = |seen: &str| seen == "throws";
    UrlCase {
        id: id.to_owned(),
        url,
        category: category.to_owned(),
        expected,
        throws: throws(seen),
        throws_with_old_date: throws(seen_with_old_date),
    }
}
