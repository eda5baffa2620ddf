//! What holds for every policy and every request, tried on generated ones.
//!
//! The numbers are the same in every run: a test that fails today failed yesterday. New ground is covered by the long run
//! (`cargo xtask differential`) and by the fuzzers. Nothing is kept in `proptest-regressions`: what fails is printed as a case
//! of the corpus, and that is where it goes (`tests/conformance/regressions.toml`), for every engine to answer.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngSeed, TestError, TestRunner};
use tidegate_compiler::diagnostic::{Code, Severity};
use tidegate_differential::generate::{self, Hints, RequestSketch};
use tidegate_differential::run::{Settings, run};
use tidegate_differential::{Compiled, Folder, PolicyText, Request, Table, compare, smallest_case};
use tidegate_engine::{InvalidTarget, Judgement, Policy, RequestView, Secrets, Target};
use tidegate_reference::Reason;
use tidegate_table::write::seal;

#[test]
fn a_fixed_series_of_policies_and_requests_shows_no_difference_and_every_reason() {
    let tally = run(Settings { policies: 300, requests_per_policy: 200, seed: 1, jobs: 2 }).unwrap();
    assert!(
        tally.differences.is_empty(),
        "the engines differ; here is a case for the corpus:\n\n{}",
        tally.differences[0]
    );
    // Else it would show little.
    assert!(tally.distinct_policies() >= 270, "{tally}");
    assert!(
        tally.rejected.keys().all(|&code| code == Code::Conflict),
        "generated policies are valid one by one\n{tally}"
    );
    let by_default = tally.for_reason(Reason::Default);
    assert!(by_default * 2 < tally.pairs(), "{tally}");
    for reason in [
        Reason::CredentialUnavailable,
        Reason::Default,
        Reason::InvalidRequest,
        Reason::Rule,
        Reason::SpecialHost,
        Reason::UnknownCustomer,
    ] {
        assert!(tally.for_reason(reason) * 100 > tally.pairs(), "seldom `{}`:\n{tally}", reason.as_str());
    }
}

#[test]
fn the_table_says_what_the_reference_interpreter_says() {
    let folder = Folder::new().unwrap();
    let asked = (generate::policy(), vec(generate::request(), 1..40));
    let result = TestRunner::new(cases(40)).run(&asked, |(policy, sketches)| {
        let Some(compiled) = compile(&folder, &policy) else { return Ok(()) };
        let differs = first_difference(&policy, &compiled, &sketches).is_some();
        prop_assert!(!differs, "the engines differ");
        Ok(())
    });
    if let Err(TestError::Fail(_, (policy, sketches))) = &result {
        let compiled = compile(&folder, policy).unwrap();
        let request = first_difference(policy, &compiled, sketches).unwrap();
        let case = smallest_case(policy, &request).unwrap();
        panic!("the engines differ; here is a case for the corpus:\n\n{case}");
    }
    result.unwrap();
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn one_policy_compiles_to_the_same_bytes_wherever_it_lies(policy in generate::policy()) {
        let (here, there) = (Folder::new().unwrap(), Folder::new().unwrap());
        let bytes = |folder: &Folder| compile(folder, &policy).map(|compiled| compiled.table);
        let first = bytes(&here);
        prop_assert_eq!(&first, &bytes(&here));
        prop_assert_eq!(&first, &bytes(&there));
    }

    #[test]
    fn deciding_allocates_nothing_with_a_used_scratch(
        policy in generate::policy(),
        sketches in vec(generate::request(), 20),
    ) {
        let Some(compiled) = compile(&Folder::new().unwrap(), &policy) else { return Ok(()) };
        let table = Policy::from_bytes(&compiled.table).unwrap();
        let mut scratch = table.scratch();
        let requests = requests(&compiled, &sketches);
        for request in &requests {
            let target = Target::parse(&request.url);
            table.decide(&view(request, &target), &mut scratch);
        }
        for request in &requests {
            let target = Target::parse(&request.url);
            let view = view(request, &target);
            let counted = allocation_counter::measure(|| {
                table.decide(&view, &mut scratch);
            });
            prop_assert_eq!(counted.count_total, 0, "{:?}", request);
        }
    }

    #[test]
    fn a_damaged_table_is_refused_and_a_forged_one_never_panics(
        policy in generate::policy(),
        sketches in vec(generate::request(), 8),
        damage in vec(vec((any::<Index>(), any::<u8>()), 1..4), 40),
    ) {
        let Some(compiled) = compile(&Folder::new().unwrap(), &policy) else { return Ok(()) };
        let requests = requests(&compiled, &sketches);
        for damage in damage {
            let mut table = compiled.table.clone();
            for (at, byte) in damage {
                let at = at.index(table.len());
                table[at] = byte;
            }
            if table != compiled.table {
                prop_assert!(Policy::from_bytes(&table).is_err(), "a damaged table is loaded");
            }
            seal(&mut table);
            if let Ok(forged) = Policy::from_bytes(&table) {
                ask_everything(&forged, &requests);
            }
        }
    }

    #[test]
    fn no_line_of_a_list_is_lost(
        format in select(FORMATS),
        skips in any::<bool>(),
        lines in vec(list_line(), 1..12),
    ) {
        let list = List { format, skips };
        let whole = list.read(&lines)?;
        let mut expected = Fate::default();
        for (number, line) in lines.iter().enumerate() {
            let fate = list.read(std::slice::from_ref(line))?;
            let says_nothing = fate == Fate::default();
            prop_assert!(!says_nothing || list.may_say_nothing(line), "`{}` is lost", line);
            expected.unreadable.extend(fate.unreadable.iter().map(|_| number));
            expected.themselves.extend(fate.themselves);
            expected.beneath.extend(fate.beneath);
            expected.skipped += fate.skipped;
        }
        if !expected.unreadable.is_empty() {
            // A list with an unreadable line is no list.
            expected = Fate { unreadable: expected.unreadable, ..Fate::default() };
        }
        prop_assert_eq!(whole, expected);
    }
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() }
}

fn compile(folder: &Folder, policy: &PolicyText) -> Option<Compiled> {
    Compiled::of(folder.compile(&policy.text(), &policy.files()).unwrap())
}

fn requests(compiled: &Compiled, sketches: &[RequestSketch]) -> Vec<Request> {
    let hints = Hints::of(&compiled.policy);
    sketches.iter().map(|sketch| sketch.request(&hints)).collect()
}

/// The first request to which the engines say different things.
fn first_difference(policy: &PolicyText, compiled: &Compiled, sketches: &[RequestSketch]) -> Option<Request> {
    let mut table = Table::load(&compiled.table).unwrap();
    let secret = |name: &str| policy.secret(name);
    let mut requests = requests(compiled, sketches).into_iter();
    requests.find(|request| compare(compiled, &mut table, request, &secret).is_err())
}

fn view<'r>(request: &'r Request, target: &'r Result<Target, InvalidTarget>) -> RequestView<'r> {
    RequestView {
        method: &request.method,
        target: target.as_ref().map_err(|invalid| *invalid),
        headers: &request.headers,
        customer: request.identity.customer.as_deref(),
        tags: request.identity.tags.as_deref(),
        vars: request.identity.vars.as_deref(),
        now: request.now,
    }
}

struct Known;

impl Secrets for Known {
    fn secret(&self, _: &str) -> Option<String> {
        Some("k3y".to_owned())
    }
}

/// Asks for every answer that a table gives. What it says does not matter; that it says something does.
fn ask_everything(policy: &Policy<'_>, requests: &[Request]) {
    let mut scratch = policy.scratch();
    for request in requests {
        let target = Target::parse(&request.url);
        let view = view(request, &target);
        let Judgement { forwarding, .. } = policy.judge(&view, &mut scratch, &Known);
        if let Some(forwarding) = forwarding {
            forwarding.headers(&request.headers, Some("token"));
            forwarding.answer_passes("set-cookie");
        }
    }
}

/// Lines that lists have, and lines that they should not have.
const LIST_LINES: &[&str] = &[
    "a.example",
    "  B.Example.  ",
    "münchen.example # why",
    "a.example b.example",
    "0.0.0.0 a.example",
    "::1\tb.example c.example#both",
    "127.0.0.1 localhost",
    "::1 ip6-localhost IP6-Loopback # boilerplate",
    "0.0.0.0 ip6-tracker.example",
    "0.0.0.0 0.0.0.0",
    "fe80::1%lo0 localhost",
    "192.0.2.1 localhost a.example",
    "",
    "   ",
    "# comment",
    "#",
    "## heading",
    "##.banner",
    "a.example##.banner",
    "a.example#@#.banner",
    "! comment",
    "; comment",
    "||a.example^",
    "*.a.example",
    ".a.example",
    "a..example",
    "https://a.example/",
    "a.example:443",
    "0.0.0.0",
    "0.0.0 a.example",
    "0.0.0.0 a!b.example c.example",
    "10.0.0.1",
    "\u{feff}a.example",
    "a.example\r",
    "||a.example^$all",
    "||b.example^$third-party",
    "||b.example/path",
    "||b-*.example^",
    "@@||a.example^",
    "/regex/",
    "[Adblock Plus 2.0]",
    "!#include more.txt",
    "address=/a.example/0.0.0.0",
    "local=/a.example/b.example/ # why",
    "server=/a.example/#",
    "address=/*a.example/",
    "cache-size=1",
    "a.example CNAME . ; why",
    "*.a.example 60 IN CNAME *.",
    "b.example A 0.0.0.0",
    "a.example CNAME rpz-passthru.",
    "a.example. CNAME .",
    "@ IN SOA a. b. (1 2h 3 4 5)",
    "  NS a.",
    "  1h ; refresh",
    "32.1.2.0.192.rpz-ip CNAME .",
    "$TTL 2h",
];

/// Formats, with the kinds of line that `skip` can name.
const FORMATS: &[(&str, &str)] = &[
    ("adblock", r#""cosmetic", "directive", "exception", "invalid", "option", "path", "regex", "wildcard""#),
    ("dnsmasq", r#""directive", "exception", "invalid", "wildcard""#),
    ("domains", r#""cosmetic", "invalid""#),
    ("hosts", r#""cosmetic", "invalid""#),
    ("rpz", r#""exception", "invalid", "rewrite", "tcp-only", "trigger""#),
];

fn list_line() -> impl Strategy<Value = String> {
    let usual = select(LIST_LINES).prop_map(str::to_owned);
    prop_oneof![3 => usual, 1 => "\\PC{0,20}", 1 => "[a-z.# 0-9:%*^|!]{0,16}"]
}

/// How a list is declared.
struct List {
    format: (&'static str, &'static str),
    skips: bool,
}

/// What became of a list's lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fate {
    /// Names that stand for themselves, and names that stand for what is beneath them.
    themselves: BTreeSet<String>,
    beneath: BTreeSet<String>,
    skipped: usize,
    /// Numbers of the lines that errors name, from 0.
    unreadable: BTreeSet<usize>,
}

impl List {
    /// Reads lines as a list.
    fn read(&self, lines: &[String]) -> Result<Fate, TestCaseError> {
        self.compile(lines).map_err(|error| TestCaseError::fail(format!("{error:#}")))
    }

    fn compile(&self, lines: &[String]) -> Result<Fate> {
        let (format, kinds) = self.format;
        let skip = if self.skips { format!("skip = [{kinds}]") } else { String::new() };
        let policy = format!("policy = 1\n[lists.l]\nfile = \"l.txt\"\nformat = \"{format}\"\n{skip}\n");
        // A line before them, for the first one of a file may begin with a byte order mark.
        let comment = if format == "rpz" { ";" } else { "#" };
        let text = format!("{comment} list\n{}\n", lines.join("\n"));
        let compilation = Folder::new()?.compile(&policy, &BTreeMap::from([("l.txt".to_owned(), text)]))?;
        let mut fate = Fate::default();
        for finding in compilation.diagnostics.iter().filter(|finding| finding.severity == Severity::Error) {
            let file = &compilation.sources.file(finding.span.file).path;
            anyhow::ensure!(file.ends_with("l.txt"), "an error beside the list: {finding:?}");
            let line = compilation.sources.line_column(finding.span.file, finding.span.start).line;
            fate.unreadable.insert(line.checked_sub(2).context("the comment is an error")?);
        }
        for list in compilation.output.iter().flat_map(|output| &output.policy.lists) {
            fate.themselves.extend(list.entries().filter(|(_, itself, _)| *itself).map(|(name, ..)| name.to_owned()));
            fate.beneath.extend(list.entries().filter(|(.., beneath)| *beneath).map(|(name, ..)| name.to_owned()));
            fate.skipped += list.skipped.iter().map(|(_, count)| count).sum::<usize>();
        }
        Ok(fate)
    }

    /// Whether a line is one that says nothing: a comment, or what every hosts file begins with.
    fn may_say_nothing(&self, line: &str) -> bool {
        const BOILERPLATE: [&str; 5] = ["localhost", "localhost.localdomain", "local", "broadcasthost", "0.0.0.0"];
        match self.format.0 {
            "adblock" => return line.trim().is_empty() || line.trim().starts_with(['!', '#', '[']),
            "rpz" => {
                let record = line.split(';').next().unwrap_or_default().to_ascii_uppercase();
                let mut words = record.split_whitespace();
                return record.starts_with("$TTL ")
                    || words
                        .clone()
                        .all(|word| word.trim_matches(['(', ')']).bytes().all(|b| b.is_ascii_alphanumeric()))
                        && !record.contains(['C', 'X'])
                    || words.any(|word| word == "SOA" || word == "NS");
            }
            _ => {}
        }
        let entry = line.split('#').next().unwrap_or_default().trim();
        let mut names = entry.split_whitespace().skip(1).map(str::to_ascii_lowercase).peekable();
        let is_boilerplate = self.format.0 == "hosts"
            && names.peek().is_some()
            && names
                .all(|name| BOILERPLATE.contains(&name.as_str()) || name.starts_with("ip6-") && !name.contains('.'));
        entry.is_empty() || is_boilerplate
    }
}
