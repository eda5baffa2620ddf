//! `run_worker_first`: which requests the Worker's code sees before the assets.
//!
//! A rule is a path in which `*` is anything. One that begins with `!` keeps a path for the assets, whichever others
//! meet it. Code that comes first is all that answers; so are assets that are kept for.

use super::RunWorkerFirst;
use super::rules::{Fault, Rules, shown};

/// The most rules.
const MOST_RULES: usize = 100;
/// The longest rule, in characters.
const LONGEST_RULE: usize = 100;

/// The rules, compiled.
#[derive(Debug)]
pub(super) enum Routing {
    /// All requests, or none.
    All(bool),
    /// By path.
    Rules { worker: Vec<Glob>, assets: Vec<Glob> },
}

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Assets, whether there is a file or not.
    Assets,
    /// Assets if there is a file, else the code.
    Either,
    /// The code.
    Worker,
}

/// Texts between `*`.
#[derive(Debug)]
pub(super) struct Glob {
    first: String,
    /// What follows each `*`; the last of them ends the path.
    rest: Vec<String>,
}

impl Routing {
    pub(super) fn compile(first: &RunWorkerFirst, faults: &mut Vec<Fault>) -> Self {
        let rules = match first {
            RunWorkerFirst::All(all) => return Self::All(*all),
            RunWorkerFirst::Some(rules) => rules,
        };
        let mut fault = |line: usize, why: String| faults.push(Fault { rules: Rules::RunWorkerFirst, line, why });
        if rules.len() > MOST_RULES {
            fault(MOST_RULES + 1, format!("there are at most {MOST_RULES} rules, and these are {}", rules.len()));
        }
        let (mut worker, mut assets) = (Vec::new(), Vec::new());
        for (index, (line, rule)) in (1..).zip(rules).take(MOST_RULES).enumerate() {
            let (kept, path) = match rule.strip_prefix('!') {
                Some(path) => (true, path),
                None => (false, rule.as_str()),
            };
            if !path.starts_with('/') {
                fault(line, format!("`{}` must begin with `/` or `!/`", shown(rule)));
            } else if rule.chars().count() > LONGEST_RULE {
                fault(line, format!("`{}` is too long: a rule has at most {LONGEST_RULE} characters", shown(rule)));
            } else if let Some(twice) = rules.iter().take(index).find(|other| *other == rule) {
                fault(line, format!("`{}` is said twice", shown(twice)));
            } else if let Some(wider) = rules.iter().find(|other| *other != rule && includes(other, rule)) {
                fault(line, format!("`{}` says nothing that `{}` does not", shown(rule), shown(wider)));
            } else if kept {
                assets.push(Glob::new(path));
            } else {
                worker.push(Glob::new(path));
            }
        }
        if rules.iter().all(|rule| rule.starts_with('!')) {
            fault(1, "there must be a rule that does not begin with `!`".to_owned());
        }
        Self::Rules { worker, assets }
    }

    /// Whether rules were given: then what is not found is the assets' affair too.
    pub(super) fn has_rules(&self) -> bool {
        matches!(self, Self::Rules { .. })
    }

    /// Who answers a request for a path, as its URL writes it.
    pub(super) fn route(&self, path: &str) -> Route {
        match self {
            Self::All(true) => Route::Worker,
            Self::Rules { assets, .. } if assets.iter().any(|glob| glob.matches(path)) => Route::Assets,
            Self::Rules { worker, .. } if worker.iter().any(|glob| glob.matches(path)) => Route::Worker,
            Self::All(false) | Self::Rules { .. } => Route::Either,
        }
    }
}

/// Whether a rule that ends with `*` begins as another does.
fn includes(wider: &str, rule: &str) -> bool {
    wider.strip_suffix('*').is_some_and(|beginning| rule.starts_with(beginning))
}

impl Glob {
    fn new(text: &str) -> Self {
        let mut parts = text.split('*').map(str::to_owned);
        Self { first: parts.next().unwrap_or_default(), rest: parts.collect() }
    }

    /// Each text is looked for behind the one before, as early as it is found: nothing is tried twice.
    fn matches(&self, path: &str) -> bool {
        let Some(mut left) = path.strip_prefix(self.first.as_str()) else { return false };
        let Some((last, between)) = self.rest.split_last() else { return left.is_empty() };
        for part in between {
            let Some((_, after)) = left.split_once(part.as_str()) else { return false };
            left = after;
        }
        left.ends_with(last.as_str())
    }
}
