//! Any request to any of a few policies with every dimension is decided: without a panic, without an allocation, as the
//! reference interpreter decides, and what goes out is clean.

use allocation_counter::measure;
use tidegate_differential::{Table, compare};
use tidegate_engine::{Decision, Effect, Reason, Target};

use crate::judgement::{assert_decided, assert_headers, assert_well_formed};
use crate::policies::{self, Known};
use crate::request::{AnySecret, NoSecret, request, view};

/// The bytes are a request, as text.
///
/// # Panics
/// Where the property does not hold.
pub fn check(bytes: &[u8]) {
    let request = request(bytes);
    let target = Target::parse(&request.url);
    let view = view(&request, &target);
    for Known { compiled, policy } in policies::known() {
        // Made anew, and yet wide enough for every decision.
        let mut scratch = policy.scratch();
        let mut said = None;
        let allocated = measure(|| said = Some(summary(&policy.decide(&view, &mut scratch))));
        assert_eq!(allocated.count_total, 0, "deciding allocates");
        let decision = policy.decide(&view, &mut scratch);
        assert_decided(&decision);
        assert_eq!(decision.fault, None, "the table is what the compiler made");
        assert_eq!(said, Some(summary(&decision)), "the same request is decided in the same way");

        let table = tidegate_table::Table::from_bytes(&compiled.table).expect("it is loaded");
        for judgement in [policy.judge(&view, &mut scratch, &AnySecret), policy.judge(&view, &mut scratch, &NoSecret)] {
            assert_well_formed(&judgement, &table);
            if let Some(forwarding) = &judgement.forwarding {
                assert_headers(forwarding, &request.headers);
            }
        }
        let mut table = Table::load(&compiled.table).expect("it is loaded");
        for has_secrets in [true, false] {
            let secret = |name: &str| has_secrets.then(|| format!("<secret:{name}>"));
            let difference = compare(compiled, &mut table, &request, &secret).err();
            assert!(difference.is_none(), "{request:?}: {difference:#?}");
        }
    }
}

/// What can be told of a decision without allocating.
fn summary(decision: &Decision<'_>) -> (Effect, Reason, bool, [usize; 3]) {
    let counts = [decision.rules().count(), decision.would_deny().count(), decision.would_allow().count()];
    (decision.effect, decision.reason, decision.enforced, counts)
}
