//! Who is asking: one user with one account, whatever the token.

use axum::extract::State;
use serde_json::{Value, json};

use super::Api;
use super::envelope::{ok, page};
use super::error::Reply;
use super::query::{Query, paged};

/// The address of the one user. `.invalid` is nobody's (RFC 6761 §6.4).
pub(super) const EMAIL: &str = "developer@tidegate.invalid";
/// When the account was made, as far as anybody asks.
const CREATED: &str = "2026-01-01T00:00:00Z";

/// Whether the token is good. A bad one does not come as far as this.
pub(super) async fn verify_token(State(api): State<Api>) -> Reply {
    ok(json!({ "id": api.account, "status": "active" }))
}

/// The user.
pub(super) async fn user(State(api): State<Api>) -> Reply {
    ok(json!({ "id": api.account, "email": EMAIL, "username": "developer", "created_on": CREATED }))
}

/// The accounts: one.
pub(super) async fn accounts(State(api): State<Api>, query: Query) -> Reply {
    one(account_of(&api), &query)
}

/// The account.
pub(super) async fn account(State(api): State<Api>) -> Reply {
    ok(account_of(&api))
}

/// The memberships: one.
pub(super) async fn memberships(State(api): State<Api>, query: Query) -> Reply {
    let membership = json!({
        "id": api.account,
        "status": "accepted",
        "account": account_of(&api),
        "roles": ["Administrator"],
    });
    one(membership, &query)
}

fn one(item: Value, query: &Query) -> Reply {
    let (number, per_page) = query.page(20, 1000)?;
    let (items, info) = paged(vec![item], number, per_page);
    page(items, info)
}

fn account_of(api: &Api) -> Value {
    json!({ "id": api.account, "name": "Tidegate", "type": "standard", "created_on": CREATED })
}
