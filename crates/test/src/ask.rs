//! Questions to a policy, and what their answers must be, in one sentence of Rust.

use std::env;
use std::path::{Path, PathBuf};

use crate::explanation::Explanation;
use crate::file::{TestFile, parse_text};
use crate::instant::{self, Seconds};
use crate::library;
use crate::render::plain_diagnostics;
use crate::request::{Request, checked_header, join};

/// Asks the policy in a file. A relative path begins where the `Cargo.toml` of the crate under test is.
///
/// The compiled table answers, as it would in the Worker. A policy is compiled once in a process, however often it is asked.
///
/// ```rust
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("prod.toml");
/// # std::fs::write(&path, r#"
/// # policy = 1
/// # [identity]
/// # customer = "customer_name"
/// # tags = "customer_tags"
/// # [[rule]]
/// # id = "billing-api"
/// # effect = "allow"
/// # tags = ["paid"]
/// # hosts = ["api.billing.example"]
/// # set = { x-tenant = "{customer}" }
/// # "#).unwrap();
/// # let path_of_policy = path.to_str().unwrap();
/// use tidegate_test::policy;
///
/// # /*
/// let prod = policy("policies/prod.toml");
/// # */
/// # let prod = policy(path_of_policy);
/// let acme = prod.customer("acme").tag("paid").at("2026-12-01");
/// acme.get("https://api.billing.example/v1").assert_allow().rule("billing-api").header("x-tenant", "acme");
/// acme.get("https://elsewhere.example/").assert_deny().reason("default");
/// ```
pub fn policy(path: impl AsRef<Path>) -> PolicyUnderTest {
    let root = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    // Tests run there; then paths are shown as they are written.
    let root = if env::current_dir().is_ok_and(|here| here == root) { PathBuf::new() } else { root };
    let tenant = Request {
        method: String::new(),
        url: String::new(),
        customer: None,
        tags: None,
        vars: Some(Vec::new()),
        headers: Vec::new(),
    };
    PolicyUnderTest { path: root.join(path), tenant, now: None }
}

/// A policy, and who asks it when. Each step makes another one, so that one tenant can ask many times.
#[derive(Clone, Debug)]
#[must_use = "nothing is asked yet"]
pub struct PolicyUnderTest {
    path: PathBuf,
    /// Who asks; the rest is filled in by the question.
    tenant: Request,
    now: Option<Seconds>,
}

impl PolicyUnderTest {
    /// The customer who asks: one without tags, unless [`tag`](Self::tag) gives it some. Without this, requests name nobody.
    pub fn customer(&self, name: &str) -> Self {
        let mut asker = self.clone();
        asker.tenant.customer = Some(name.to_owned());
        asker.tenant.tags.get_or_insert_default();
        asker
    }

    /// One more of the customer's tags.
    pub fn tag(&self, tag: &str) -> Self {
        let mut asker = self.clone();
        asker.tenant.tags.get_or_insert_default().push(tag.to_owned());
        asker
    }

    /// One more of the customer's variables, or another value for one.
    pub fn var(&self, name: &str, value: &str) -> Self {
        let mut asker = self.clone();
        let vars = asker.tenant.vars.get_or_insert_default();
        vars.retain(|(known, _)| known != name);
        vars.push((name.to_owned(), value.to_owned()));
        asker
    }

    /// When the question is asked, `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`; otherwise it is asked now.
    ///
    /// # Panics
    /// If it is no such date.
    #[track_caller]
    pub fn at(&self, instant: &str) -> Self {
        match instant::parse(instant) {
            Ok(now) => Self { now: Some(now), ..self.clone() },
            Err(why) => panic!("{why}"),
        }
    }

    /// Holds that no request of a condition is allowed, whoever asks: `hosts = ["admin.example"]`, with the keys of `[[never]]`.
    ///
    /// # Panics
    /// If there is such a request; or if that cannot be told, or the condition cannot be read.
    #[track_caller]
    pub fn never(&self, condition: &str) {
        self.claim("never", condition);
    }

    /// Holds that every request of a condition is allowed, whoever asks, with the keys of `[[always]]`.
    ///
    /// # Panics
    /// If there is one that is not; or if that cannot be told, or the condition cannot be read.
    #[track_caller]
    pub fn always(&self, condition: &str) {
        self.claim("always", condition);
    }

    #[track_caller]
    fn claim(&self, kind: &str, condition: &str) {
        let text = format!("[[{kind}]]\nname = \"{kind}\"\n{condition}\n");
        let parsed = parse_text(Path::new(kind), text);
        let proved = match parsed.file {
            Some(TestFile { mut claims, .. }) if claims.len() == 1 => {
                let mut claim = claims.remove(0);
                claim.at = self.now.or(claim.at);
                library::load(&self.path)
                    .map_err(str::to_owned)
                    .and_then(|policy| policy.prove(&claim, &parsed.sources))
            }
            _ => Err(plain_diagnostics(&parsed.sources, &parsed.diagnostics)),
        };
        if let Err(why) = proved {
            panic!("{why}");
        }
    }

    /// Asks about a request.
    pub fn request(&self, method: &str, url: &str) -> Question {
        let mut request = self.tenant.clone();
        method.clone_into(&mut request.method);
        url.clone_into(&mut request.url);
        Question { path: self.path.clone(), request, now: self.now }
    }

    /// Asks about a GET.
    pub fn get(&self, url: &str) -> Question {
        self.request("GET", url)
    }

    /// Asks about a HEAD.
    pub fn head(&self, url: &str) -> Question {
        self.request("HEAD", url)
    }

    /// Asks about an OPTIONS.
    pub fn options(&self, url: &str) -> Question {
        self.request("OPTIONS", url)
    }

    /// Asks about a POST.
    pub fn post(&self, url: &str) -> Question {
        self.request("POST", url)
    }

    /// Asks about a PUT.
    pub fn put(&self, url: &str) -> Question {
        self.request("PUT", url)
    }

    /// Asks about a PATCH.
    pub fn patch(&self, url: &str) -> Question {
        self.request("PATCH", url)
    }

    /// Asks about a DELETE.
    pub fn delete(&self, url: &str) -> Question {
        self.request("DELETE", url)
    }
}

/// A request to a policy.
#[derive(Clone, Debug)]
#[must_use = "nothing is asserted yet"]
pub struct Question {
    path: PathBuf,
    request: Request,
    now: Option<Seconds>,
}

impl Question {
    /// A header of the request, as the tenant sends it.
    ///
    /// # Panics
    /// If no request can carry it.
    #[track_caller]
    pub fn request_header(mut self, name: &str, value: &str) -> Self {
        match checked_header(name.to_owned(), value.to_owned()) {
            Ok(header) => self.request.headers = join(self.request.headers.into_iter().chain([header])),
            Err(why) => panic!("{why}"),
        }
        self
    }

    /// The request goes out.
    ///
    /// # Panics
    /// If it does not, or the policy has errors.
    #[track_caller]
    pub fn assert_allow(self) -> Answer {
        self.assert_effect("allow")
    }

    /// The request is refused.
    ///
    /// # Panics
    /// If it is not, or the policy has errors.
    #[track_caller]
    pub fn assert_deny(self) -> Answer {
        self.assert_effect("deny")
    }

    #[track_caller]
    fn assert_effect(self, effect: &str) -> Answer {
        let policy = library::load(&self.path).unwrap_or_else(|why| panic!("{why}"));
        let now = self.now.unwrap_or_else(instant::now);
        let explanation = policy.explainer().explain(&self.request, now);
        let answer = Answer { explanation, request: self.request };
        answer.expect("effect", effect, answer.explanation.decision.effect);
        answer
    }
}

/// A policy's answer, of which more can be asserted. All panic, in the words of `tidegate explain`, if it is not so.
#[derive(Debug)]
pub struct Answer {
    explanation: Explanation,
    request: Request,
}

impl Answer {
    /// The rule that decided is this one.
    #[track_caller]
    pub fn rule(&self, id: &str) -> &Self {
        self.expect("rule", id, self.explanation.decision.rule.as_deref().unwrap_or("none"));
        self
    }

    /// The rules that decided are these, in file order.
    #[track_caller]
    pub fn rules(&self, ids: &[&str]) -> &Self {
        self.expect("rules", &ids.join(", "), &self.explanation.decision.rules.join(", "));
        self
    }

    /// The reason's code is this one: `rule`, `default`, `special-host`, ….
    #[track_caller]
    pub fn reason(&self, code: &str) -> &Self {
        self.expect("reason", code, self.explanation.decision.reason);
        self
    }

    /// The canonical URL, which is judged and forwarded, is this one.
    #[track_caller]
    pub fn url(&self, url: &str) -> &Self {
        self.expect("url", url, self.explanation.decision.url.as_deref().unwrap_or("none"));
        self
    }

    /// The request goes out with this header, set by a rule or sent by the tenant and let through. In values, a secret is
    /// `<secret:NAME>` and a token `<token>`.
    #[track_caller]
    pub fn header(&self, name: &str, value: &str) -> &Self {
        self.expect(&format!("header {name}"), value, self.sent(name).unwrap_or("none"));
        self
    }

    /// The request goes out without this header, or not at all.
    #[track_caller]
    pub fn no_header(&self, name: &str) -> &Self {
        self.expect(&format!("header {name}"), "none", self.sent(name).unwrap_or("none"));
        self
    }

    /// The request goes out with a token that has this claim.
    #[track_caller]
    pub fn jwt_claim(&self, name: &str, value: &str) -> &Self {
        let claims = self.explanation.decision.jwt.iter().flat_map(|jwt| &jwt.claims);
        let found = claims.filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).next();
        self.expect(&format!("claim {name}"), value, found.unwrap_or("none"));
        self
    }

    /// The request goes out without a token, or not at all.
    #[track_caller]
    pub fn no_jwt(&self) -> &Self {
        let found = self.explanation.decision.jwt.as_ref().map_or("none", |jwt| jwt.key.as_str());
        self.expect("jwt", "none", found);
        self
    }

    /// This deny rule matched, and report mode waived it.
    #[track_caller]
    pub fn would_deny(&self, id: &str) -> &Self {
        let waived = &self.explanation.decision.would_deny;
        let found = if waived.iter().any(|own| own == id) { id.to_owned() } else { waived.join(", ") };
        self.expect("would_deny", id, if found.is_empty() { "none" } else { &found });
        self
    }

    /// The explanation, as `tidegate explain` writes it.
    pub fn explanation(&self) -> &Explanation {
        &self.explanation
    }

    fn sent(&self, name: &str) -> Option<&str> {
        let sent = self.explanation.sent.iter();
        sent.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).next()
    }

    #[track_caller]
    fn expect(&self, what: &str, expected: &str, found: &str) {
        assert!(
            expected == found,
            "{what}: expected `{expected}`, found `{found}`\n\n{}",
            self.explanation.reasons(&self.request)
        );
    }
}
