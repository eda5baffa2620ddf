//! KV: namespaces, and the values in them.

mod bulk;
mod namespaces;
mod values;

pub(super) use bulk::{delete as delete_many, get as get_many, put as put_many};
pub(super) use namespaces::{create, delete, get, list, rename};
pub(super) use values::{delete as delete_value, get as get_value, keys, metadata, put as put_value};

use super::error::{Fault, shown};

/// Reads a number of seconds of a query.
fn seconds(name: &str, text: Option<&str>) -> Result<Option<i64>, Fault> {
    text.map(|text| {
        text.parse().map_err(|_| Fault::KvExpiration(format!("Invalid {name} of `{}`: no integer.", shown(text))))
    })
    .transpose()
}
