//! Customer names and header values: globs in which `*` is any run of characters, and a few plain sets.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::LazyLock;

use regex_syntax::ParserBuilder;
use tidegate_engine::bucket;

use super::strings::{Search, Work, find};
use crate::automaton::{Dfa, accepts, determinize, determinize_hir};
use crate::checked::AnyRunGlob;

/// Names that are tried where a share of all customers is asked for: a hundredth of a percent is found in far fewer.
const MAX_NAMES: u32 = 100_000;
/// Customers that examples are made of where they can be.
const CUSTOMERS: [&str; 3] = ["acme", "globex", "initech"];
/// Header values, for the same.
const VALUES: [&str; 3] = ["1", "yes", "a"];

/// A set of strings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ValueSet {
    /// Those that one of some globs meets.
    Globs(u32),
    /// These.
    Names(BTreeSet<String>),
    /// Customers of whom a stable hash says that they are in a rollout; in hundredths of a percent.
    Share(u32),
    /// Values of `Upgrade` that ask for a WebSocket.
    WebSocket,
}

/// The sets of strings that an analysis knows, by number.
#[derive(Default)]
pub(crate) struct Values {
    sets: Vec<ValueSet>,
    numbers: HashMap<ValueSet, u32>,
    globs: Vec<Globs>,
    globs_numbers: HashMap<Vec<String>, u32>,
    answers: HashMap<(Kind, Vec<u32>, Vec<u32>), Search<String>>,
    pub(crate) work: Work,
}

struct Globs {
    texts: Vec<String>,
    /// Those without a wildcard: a condition may name thousands of customers.
    plain: BTreeSet<String>,
    /// The others; `None` where they are too large to be asked.
    wild: Option<Rc<Dfa>>,
    has_wild: bool,
}

/// What strings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Names of customers: 1 to 256 bytes, no control characters.
    Customer,
    /// Values of headers: trimmed, no line breaks.
    Header,
}

/// An `Upgrade` header that has the token `websocket`, in any case.
static WEBSOCKET: LazyLock<Dfa> =
    LazyLock::new(|| fixed(r"(?:[^,]*,)*[ \t]*[wW][eE][bB][sS][oO][cC][kK][eE][tT][ \t]*(?:,[^,]*)*"));
/// What people can read.
static PRINTABLE_NAMES: LazyLock<Dfa> = LazyLock::new(|| fixed("[!-~]{1,256}"));
/// Every name that a customer can have, lengths aside.
static NAMES: LazyLock<Dfa> = LazyLock::new(|| unicode(r"[^\x00-\x1f\x7f-\u{9f}]+"));
/// What people can read, trimmed.
static PRINTABLE_VALUES: LazyLock<Dfa> = LazyLock::new(|| fixed("(?:[!-~](?:[ -~]*[!-~])?)?"));
/// Every value, trimmed.
static VALUES_OF_ANY_SORT: LazyLock<Dfa> =
    LazyLock::new(|| unicode(r"(?:[^\x00\r\n \t](?:[^\x00\r\n]*[^\x00\r\n \t])?)?"));

impl Values {
    /// The number of a set of globs.
    pub(crate) fn add_globs(&mut self, globs: &[AnyRunGlob]) -> u32 {
        let mut texts: Vec<String> = globs.iter().map(|glob| glob.0.text.clone()).collect();
        texts.sort_unstable();
        texts.dedup();
        let number = if let Some(&known) = self.globs_numbers.get(&texts) {
            known
        } else {
            let plain = globs.iter().filter_map(AnyRunGlob::literal).map(str::to_owned).collect();
            let wild: Vec<String> =
                globs.iter().filter(|glob| glob.literal().is_none()).map(AnyRunGlob::regex).collect();
            let has_wild = !wild.is_empty();
            let wild = if has_wild { determinize(&wild).ok().map(Rc::new) } else { None };
            self.globs.push(Globs { texts: texts.clone(), plain, wild, has_wild });
            let added = u32::try_from(self.globs.len() - 1).unwrap_or(u32::MAX);
            self.globs_numbers.insert(texts, added);
            added
        };
        self.add(ValueSet::Globs(number))
    }

    /// The number of a set.
    pub(crate) fn add(&mut self, set: ValueSet) -> u32 {
        if let Some(&known) = self.numbers.get(&set) {
            return known;
        }
        self.sets.push(set.clone());
        let added = u32::try_from(self.sets.len() - 1).unwrap_or(u32::MAX);
        self.numbers.insert(set, added);
        added
    }

    /// Whether a string is in a set.
    pub(crate) fn contains(&self, set: u32, text: &str) -> bool {
        match &self.sets[set as usize] {
            ValueSet::Globs(globs) => {
                let Globs { plain, wild, .. } = &self.globs[*globs as usize];
                plain.contains(text) || wild.as_ref().is_some_and(|dfa| accepts(dfa, text))
            }
            ValueSet::Names(names) => names.contains(text),
            ValueSet::Share(share) => bucket(text) < u64::from(*share),
            ValueSet::WebSocket => accepts(&WEBSOCKET, text),
        }
    }

    /// A string that is in each of `by` and in none of `not`.
    pub(crate) fn find(&mut self, kind: Kind, by: &[u32], not: &[u32]) -> Search<String> {
        let key = (kind, by.to_vec(), not.to_vec());
        if let Some(answer) = self.answers.get(&key) {
            return answer.clone();
        }
        let answer = self.search(kind, by, not);
        self.answers.insert(key, answer.clone());
        answer
    }

    fn search(&self, kind: Kind, by: &[u32], not: &[u32]) -> Search<String> {
        let fits = |text: &str| {
            is_of_kind(kind, text)
                && by.iter().all(|&set| self.contains(set, text))
                && !not.iter().any(|&set| self.contains(set, text))
        };
        // A set that cannot be asked must not pass for an empty one.
        let is_unknown = |set: &u32| match &self.sets[*set as usize] {
            ValueSet::Globs(globs) => {
                let globs = &self.globs[*globs as usize];
                globs.has_wild && globs.wild.is_none()
            }
            _ => false,
        };
        if by.iter().chain(not).any(is_unknown) {
            return Search::TooLong;
        }
        // A set whose members can be counted out answers by itself.
        for &set in by {
            let members: Vec<&String> = match &self.sets[set as usize] {
                ValueSet::Names(names) => names.iter().collect(),
                ValueSet::Globs(globs) if !self.globs[*globs as usize].has_wild => {
                    self.globs[*globs as usize].plain.iter().collect()
                }
                _ => continue,
            };
            let found = members.into_iter().find(|name| fits(name));
            return found.map_or(Search::Nothing, |name| Search::Found(name.clone()));
        }
        let usual_texts = match kind {
            Kind::Customer => CUSTOMERS,
            Kind::Header => VALUES,
        };
        if let Some(text) = usual_texts.into_iter().find(|text| fits(text)) {
            return Search::Found(text.to_owned());
        }
        if let Some(text) = self.written_out(by).find(|text| fits(text)) {
            return Search::Found(text);
        }
        // Names that a set of globs holds besides are tried one by one; what is left are the globs.
        for &set in by {
            if let ValueSet::Globs(globs) = &self.sets[set as usize]
                && let Some(name) = self.globs[*globs as usize].plain.iter().find(|name| fits(name))
            {
                return Search::Found(name.clone());
            }
        }
        let is_share = |set: &&u32| matches!(self.sets[**set as usize], ValueSet::Share(_));
        let has_share = by.iter().chain(not).any(|set| is_share(&set));
        let automata = |sets: &[u32]| -> Option<Vec<Rc<Dfa>>> {
            let has_one = |set: &&u32| match &self.sets[**set as usize] {
                ValueSet::Globs(globs) => self.globs[*globs as usize].has_wild,
                ValueSet::WebSocket => true,
                ValueSet::Names(_) | ValueSet::Share(_) => false,
            };
            let with_one = sets.iter().filter(has_one);
            with_one.map(|&set| self.automaton(set)).collect()
        };
        let (Some(by_automata), Some(not_automata)) = (automata(by), automata(not)) else { return Search::TooLong };
        let (printable, all): (&Dfa, &Dfa) = match kind {
            Kind::Customer => (&PRINTABLE_NAMES, &NAMES),
            Kind::Header => (&PRINTABLE_VALUES, &VALUES_OF_ANY_SORT),
        };
        let but_not: Vec<&Dfa> = not_automata.iter().map(Rc::as_ref).collect();
        for universe in [printable, all] {
            let by: Vec<&Dfa> = by_automata.iter().map(Rc::as_ref).chain([universe]).collect();
            match find(&by, &but_not, &self.work, |text| !fits(text)) {
                Search::Nothing => {}
                found @ Search::Found(_) => return found,
                Search::TooLong if has_share => return self.numbered(by_automata.is_empty(), fits),
                Search::TooLong => return Search::TooLong,
            }
        }
        Search::Nothing
    }

    /// Names with numbers, until one is in the share that is asked for.
    fn numbered(&self, is_any: bool, fits: impl Fn(&str) -> bool) -> Search<String> {
        if !is_any {
            let starts: BTreeSet<&str> =
                self.globs.iter().flat_map(|globs| &globs.texts).filter_map(|text| text.strip_suffix('*')).collect();
            let found = (0..MAX_NAMES / 10)
                .find_map(|number| starts.iter().map(|start| format!("{start}{number}")).find(|name| fits(name)));
            return found.map_or(Search::TooLong, Search::Found);
        }
        let found = (0..MAX_NAMES).map(|number| format!("customer-{number}")).find(|name| fits(name));
        found.map_or(Search::TooLong, Search::Found)
    }

    /// The globs of sets with something readable in the place of each wildcard.
    fn written_out<'s>(&'s self, by: &'s [u32]) -> impl Iterator<Item = String> + 's {
        let globs = by.iter().filter_map(|&set| match &self.sets[set as usize] {
            ValueSet::Globs(globs) => Some(&self.globs[*globs as usize].texts),
            _ => None,
        });
        globs.flatten().map(|text| text.replace('*', "a"))
    }

    fn automaton(&self, set: u32) -> Option<Rc<Dfa>> {
        match &self.sets[set as usize] {
            ValueSet::Globs(globs) => self.globs[*globs as usize].wild.clone(),
            ValueSet::WebSocket => Some(Rc::new(WEBSOCKET.clone())),
            ValueSet::Names(_) | ValueSet::Share(_) => None,
        }
    }
}

fn is_of_kind(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Customer => (1..=256).contains(&text.len()) && !text.chars().any(char::is_control),
        Kind::Header => !text.contains(['\0', '\r', '\n']) && text.trim_matches([' ', '\t']) == text,
    }
}

fn fixed(regex: &str) -> Dfa {
    match determinize(&[regex.to_owned()]) {
        Ok(dfa) => dfa,
        Err(_) => unreachable!("`{regex}` is small"),
    }
}

/// An automaton over characters rather than bytes.
fn unicode(regex: &str) -> Dfa {
    let hir = ParserBuilder::new().unicode(true).utf8(true).build().parse(regex);
    match hir.map(|hir| determinize_hir(vec![hir])) {
        Ok(Ok(dfa)) => dfa,
        _ => unreachable!("`{regex}` is small"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checked::Pattern;
    use crate::source::{FileId, Span};

    fn globs(texts: &[&str]) -> Vec<AnyRunGlob> {
        let span = Span { file: FileId(0), start: 0, end: 0 };
        texts.iter().map(|&text| AnyRunGlob(Pattern { text: text.to_owned(), span })).collect()
    }

    #[test]
    fn globs_meet_and_leave_each_other_out() {
        let mut values = Values::default();
        let any = values.add_globs(&globs(&["*"]));
        let beta = values.add_globs(&globs(&["beta-*", "gamma"]));
        let eu = values.add_globs(&globs(&["*-eu"]));
        let acme = values.add_globs(&globs(&["acme"]));
        let mut customer = |by: &[u32], not: &[u32]| values.find(Kind::Customer, by, not);
        assert_eq!(customer(&[], &[]), Search::Found("acme".to_owned()));
        assert_eq!(customer(&[], &[acme]), Search::Found("globex".to_owned()));
        assert_eq!(customer(&[beta, eu], &[]), Search::Found("beta-eu".to_owned()));
        assert_eq!(customer(&[beta], &[any]), Search::Nothing);
        assert_eq!(customer(&[acme, beta], &[]), Search::Nothing);
        assert_eq!(customer(&[], &[any]), Search::Nothing);
    }

    #[test]
    fn thousands_of_names_beside_a_glob_are_all_in_the_set() {
        let mut values = Values::default();
        let names: Vec<String> =
            (0..5_000).map(|n| format!("{n:032x}-customer")).chain(["beta-*".to_owned()]).collect();
        let many = values.add_globs(&globs(&names.iter().map(String::as_str).collect::<Vec<_>>()));
        let one = values.add_globs(&globs(&[names[4_999].as_str()]));
        let beta = values.add_globs(&globs(&["beta-*"]));
        assert!(values.contains(many, &names[1]) && !values.contains(many, "other"));
        assert_eq!(values.find(Kind::Customer, &[many, one], &[]), Search::Found(names[4_999].clone()));
        assert_eq!(values.find(Kind::Customer, &[many], &[beta]), Search::Found(names[0].clone()));
        assert_eq!(values.find(Kind::Customer, &[one], &[many]), Search::Nothing);
        assert_eq!(values.find(Kind::Customer, &[beta], &[many]), Search::Nothing);
    }

    #[test]
    fn a_share_of_customers_is_found_and_is_never_said_to_be_empty_for_want_of_luck() {
        let mut values = Values::default();
        let few = values.add(ValueSet::Share(10));
        let beta = values.add_globs(&globs(&["beta-*"]));
        for by in [vec![few], vec![beta, few]] {
            let Search::Found(name) = values.find(Kind::Customer, &by, &[]) else { panic!("there is one") };
            assert!(bucket(&name) < 10);
        }
    }

    #[test]
    fn an_upgrade_is_a_token_of_its_header() {
        let mut values = Values::default();
        let upgrade = values.add(ValueSet::WebSocket);
        for (value, is_upgrade) in [("websocket", true), ("h2c, WebSocket", true), ("websockets", false), ("", false)] {
            assert_eq!(values.contains(upgrade, value), is_upgrade, "{value}");
        }
    }
}
