//! Any bytes are refused as a policy, or loaded as one that answers every request.

use tidegate_engine::{Policy, Target};
use tidegate_table::Table;

use crate::judgement::assert_well_formed;
use crate::request::{AnySecret, request, view};

/// The bytes are taken for a table.
///
/// # Panics
/// Where the property does not hold.
pub fn check(bytes: &[u8]) {
    match Policy::from_bytes(bytes) {
        Ok(policy) => {
            let table = Table::from_bytes(bytes).expect("a policy is a table");
            let mut scratch = policy.scratch();
            for text in ["GET https://api.example.com/v1/x\nacme\npaid", "GET http://127.0.0.1/"] {
                let request = request(text.as_bytes());
                let target = Target::parse(&request.url);
                assert_well_formed(&policy.judge(&view(&request, &target), &mut scratch, &AnySecret), &table);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
