//! Which rules a decision looks at: those that the table's rule index has for the request's host, tags and customer.
//!
//! What is not found is certainly false; `tidegate_table` has the proof beside the layout. What is found is bounded by the
//! size of the index, also where the table was tampered with.

use tidegate_table::{Customer, Fault, Posting, SecondKey, Table};

use crate::bits::BitSet;
use crate::decide::{Scratch, Subject, prepare};
use crate::explain::Unexplained;
use crate::policy::Policy;
use crate::request::RequestView;

/// Pairs of keys that a decision looks up at most. A request has a few sets, tags and a customer; a table that was tampered with
/// can give it as many as it has bytes.
const MAX_LOOKUPS: u32 = 1 << 20;

/// The rules that a decision on the request looks at.
pub(crate) fn candidates<'s>(
    policy: &Policy<'_>,
    request: &RequestView<'_>,
    scratch: &'s mut Scratch,
) -> Result<impl Iterator<Item = u32> + use<'s>, Unexplained> {
    scratch.make_ready(&policy.table).map_err(Unexplained::Fault)?;
    let subject = prepare(policy, request, scratch).map_err(Unexplained::Fault)?.map_err(Unexplained::Unjudged)?;
    gather(policy, &subject, scratch).map_err(Unexplained::Fault)?;
    Ok(scratch.candidates.iter())
}

/// Gathers the rules that can match.
pub(crate) fn gather(policy: &Policy<'_>, subject: &Subject<'_, '_>, scratch: &mut Scratch) -> Result<(), Fault> {
    let table = &policy.table;
    let Scratch { sets, tags, candidates, .. } = scratch;
    let customer = subject.known.as_ref().map(Customer::number);
    let prefix = subject.customer.map_or(Ok(None), |name| table.prefix_of(name))?;
    let mut gathering = Gathering {
        candidates,
        // No two keys share a posting but customers, of which a request has one: more than twice what there is cannot be found.
        room: table.postings_room().saturating_mul(2),
        lookups: MAX_LOOKUPS,
    };
    gathering.add(&table.posting_of_all()?)?;
    for set in sets.iter() {
        let Some(posting) = table.posting_of_set(set)? else { continue };
        gathering.add(&posting)?;
        gathering.add_pairs_of_customer(table, &posting, customer, prefix)?;
        gathering.add_pairs(&posting, tags.iter().map(SecondKey::Tag))?;
    }
    for tag in tags.iter() {
        let Some(posting) = table.posting_of_tag(tag)? else { continue };
        gathering.add(&posting)?;
        gathering.add_pairs_of_customer(table, &posting, customer, prefix)?;
    }
    if let Some(posting) = subject.known.as_ref().map_or(Ok(None), Customer::posting)? {
        gathering.add(&posting)?;
    }
    let mut next = prefix;
    while let Some(prefix) = next {
        if let Some(posting) = table.posting_of_prefix(prefix)? {
            gathering.add(&posting)?;
        }
        next = table.prefix_above(prefix)?;
    }
    Ok(())
}

/// What is found in the rule index.
struct Gathering<'s> {
    candidates: &'s mut BitSet,
    /// Rules that may yet be found.
    room: usize,
    /// Pairs that may yet be looked up.
    lookups: u32,
}

impl Gathering<'_> {
    fn add(&mut self, posting: &Posting<'_>) -> Result<(), Fault> {
        for rule in posting.rules() {
            self.room = self.room.checked_sub(1).ok_or(Fault("more rules are filed than there is room for"))?;
            self.candidates.insert(rule)?;
        }
        Ok(())
    }

    fn add_pairs(&mut self, posting: &Posting<'_>, keys: impl Iterator<Item = SecondKey>) -> Result<(), Fault> {
        if !posting.has_pairs() {
            return Ok(());
        }
        for key in keys {
            self.lookups = self.lookups.checked_sub(1).ok_or(Fault("more keys than a request can have"))?;
            if let Some(pair) = posting.with(key)? {
                self.add(&pair)?;
            }
        }
        Ok(())
    }

    /// The pairs of a posting's key and the customer, by name and by what it begins with.
    fn add_pairs_of_customer(
        &mut self,
        table: &Table<'_>,
        posting: &Posting<'_>,
        customer: Option<u32>,
        prefix: Option<u32>,
    ) -> Result<(), Fault> {
        if !posting.has_pairs() {
            return Ok(());
        }
        self.add_pairs(posting, customer.map(SecondKey::Customer).into_iter())?;
        let mut next = prefix;
        while let Some(prefix) = next {
            self.add_pairs(posting, std::iter::once(SecondKey::Prefix(prefix)))?;
            next = table.prefix_above(prefix)?;
        }
        Ok(())
    }
}
