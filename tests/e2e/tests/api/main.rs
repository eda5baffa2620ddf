//! The REST API where it starts code: uploads that are refused, changes of what serves, and the real `wrangler`.

mod uploads;
mod wrangler;
