//! A table that was tampered with and sealed again is refused, or it answers every request: without a panic, by rules
//! that exist, and with a denial wherever something in it cannot be read.

use allocation_counter::measure;
use tidegate_engine::{Policy, Reason, Target, Unexplained};
use tidegate_table::write::seal;
use tidegate_table::{SectionKind, Table};

use crate::judgement::{assert_decided, assert_well_formed};
use crate::policies;
use crate::request::{AnySecret, request, view};

/// Each leads to other places of the tables.
const REQUESTS: [&str; 8] = [
    "GET https://api.example.com/v1/x\nacme\npaid\nx-env:prod-1\naccept:a/json\ncookie:c\nconnection:x-a, x-b",
    "OPTIONS https://a.svc.example.com/users/me/keys\nbeta-1\nnew\nx-env:test\naccept:json",
    "HEAD https://a.b.bad.test/ok/%2f\nacme\n",
    "GET https://registry.example.com/@a%2fb\nbeta-2\ncanary",
    "GET http://stream-1.example.net:8443/\nacme\n\nupgrade:websocket",
    "POST https://partner.example.org/\nnobody\nblocked",
    "GET http://10.0.3.4/\nacme\n-",
    "GET https://xn--mnchen-3ya.example/secret/a\nzoe\n",
];

/// The first byte chooses the table, every eight that follow are an [`Edit`].
///
/// # Panics
/// Where the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some((&choice, edits)) = bytes.split_first() else { return };
    let known = policies::known();
    let table = tampered(&known[usize::from(choice) % known.len()].compiled.table, edits);
    let Ok(policy) = Policy::from_bytes(&table) else { return };
    let table = Table::from_bytes(&table).expect("a policy is a table");
    let mut scratch = policy.scratch();
    for text in REQUESTS {
        let request = request(text.as_bytes());
        let target = Target::parse(&request.url);
        let view = view(&request, &target);
        let mut fault = None;
        let allocated = measure(|| fault = policy.decide(&view, &mut scratch).fault);
        assert_eq!(allocated.count_total, 0, "deciding allocates");
        let decision = policy.decide(&view, &mut scratch);
        assert_decided(&decision);
        assert_eq!(decision.fault, fault, "the same request is decided in the same way");
        let reason = decision.reason;
        let mut unreadable = false;
        let gathered = policy.candidates(&view, &mut scratch, |rule| unreadable |= !is_readable(&table, rule));
        let is_judged = !matches!(gathered, Err(Unexplained::Unjudged(_)));
        if is_judged && (gathered.is_err() || unreadable) {
            assert_eq!(reason, Reason::EvaluationFault, "a rule that cannot be read denies what it might match");
        }
        let judgement = policy.judge(&view, &mut scratch, &AnySecret);
        assert_well_formed(&judgement, &table);
        assert!(fault.is_none() || judgement.fault == fault, "a fault that was found is told");
    }
}

/// Whether a rule is there, and what every decision reads of it.
fn is_readable(table: &Table<'_>, rule: u32) -> bool {
    table.rule(rule).is_ok_and(|rule| rule.condition().is_ok())
}

/// What is done to one section: what, which section, where, and a value. Little-endian, as the table itself.
struct Edit {
    what: u8,
    section: usize,
    at: usize,
    value: u32,
}

impl Edit {
    fn new([what, section, low, high, value @ ..]: [u8; 8]) -> Self {
        Self {
            what,
            section: usize::from(section) % SectionKind::ALL.len(),
            at: usize::from(u16::from_le_bytes([low, high])),
            value: u32::from_le_bytes(value),
        }
    }

    fn apply(&self, sections: &mut [Vec<u8>]) {
        let section = &mut sections[self.section];
        if section.len() < 4 {
            section.resize(4, 0);
        }
        let word_at = |number: usize, section: &[u8]| number % (section.len() / 4) * 4;
        let word = word_at(self.at, section);
        let known = section[word..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let byte = self.at % section.len();
        let number = usize::try_from(self.value).unwrap_or(usize::MAX);
        let [low, ..] = self.value.to_le_bytes();
        match self.what % 8 {
            0 | 1 => section[word..word + 4].copy_from_slice(&self.value.to_le_bytes()),
            2 => section[word..word + 4].copy_from_slice(&known.wrapping_add(self.value).to_le_bytes()),
            3 => section[byte] = low,
            4 => section[byte] ^= 1 << (low % 8),
            5 => {
                let from = word_at(number, section);
                section.copy_within(from..from + 4, word);
            }
            6 => section.resize(number % (section.len() + 64), low),
            _ => {
                let again = section[word..].to_vec();
                section.extend(again.iter().take(256));
            }
        }
    }
}

/// The table with all edits made, a directory that fits its sections, and a checksum that fits it all.
fn tampered(honest: &[u8], edits: &[u8]) -> Vec<u8> {
    const HEADER: usize = 64;
    const ENTRY: usize = 12;
    const ALIGN: usize = 8;
    let table = Table::from_bytes(honest).expect("an honest table");
    let mut sections = SectionKind::ALL.map(|kind| table.section(kind).to_vec());
    for edit in edits.as_chunks().0.iter().take(64) {
        Edit::new(*edit).apply(&mut sections);
    }
    let directory_end = HEADER + ENTRY * sections.len();
    let mut table = honest[..directory_end].to_vec();
    for (place, section) in sections.iter().enumerate() {
        table.resize(table.len().next_multiple_of(ALIGN), 0);
        let (offset, length) = (table.len().to_le_bytes(), section.len().to_le_bytes());
        let entry = HEADER + ENTRY * place;
        table[entry + 4..entry + 8].copy_from_slice(&offset[..4]);
        table[entry + 8..entry + 12].copy_from_slice(&length[..4]);
        table.extend_from_slice(section);
    }
    table.resize(table.len().next_multiple_of(ALIGN), 0);
    let length = table.len().to_le_bytes();
    table[16..24].copy_from_slice(&length);
    seal(&mut table);
    table
}
