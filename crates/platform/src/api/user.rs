//! Who is asking: one user with one account, whatever the token.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::envelope::{Page, ok};
use super::error::{Paged, Reply};
use super::query::{Numbered, Query, paged};

/// The address of the one user. `.invalid` is nobody's (RFC 6761 §6.4).
pub(super) const EMAIL: &str = "developer@tidegate.invalid";
/// When the account was made, as far as anybody asks.
const CREATED: &str = "2026-01-01T00:00:00Z";

/// A token.
#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    id: String,
    /// `active`: one that is not does not come as far as this.
    status: &'static str,
}

/// The user.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    id: String,
    email: &'static str,
    username: &'static str,
    #[schema(format = DateTime)]
    created_on: &'static str,
}

/// The account.
#[derive(Serialize, ToSchema)]
pub(super) struct Account {
    id: String,
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(format = DateTime)]
    created_on: &'static str,
}

/// That the user belongs to the account.
#[derive(Serialize, ToSchema)]
pub(super) struct Membership {
    id: String,
    status: &'static str,
    account: Account,
    roles: [&'static str; 1],
}

/// Says whether the token is good.
#[utoipa::path(get, path = "/user/tokens/verify", tag = "User")]
pub(super) async fn verify_token(State(api): State<Api>) -> Reply<Token> {
    ok(Token { id: api.account, status: "active" })
}

/// Shows the user.
#[utoipa::path(get, path = "/user", tag = "User")]
pub(super) async fn user(State(api): State<Api>) -> Reply<User> {
    ok(User { id: api.account, email: EMAIL, username: "developer", created_on: CREATED })
}

/// Lists the accounts: one.
#[utoipa::path(get, path = "/accounts", tag = "User", params(Numbered))]
pub(super) async fn accounts(State(api): State<Api>, query: Query) -> Paged<Account> {
    one(account_of(&api), &query)
}

/// Shows the account.
#[utoipa::path(get, path = "/", tag = "User")]
pub(super) async fn account(State(api): State<Api>) -> Reply<Account> {
    ok(account_of(&api))
}

/// Lists the memberships: one.
#[utoipa::path(get, path = "/memberships", tag = "User", params(Numbered))]
pub(super) async fn memberships(State(api): State<Api>, query: Query) -> Paged<Membership> {
    let account = account_of(&api);
    one(Membership { id: api.account, status: "accepted", account, roles: ["Administrator"] }, &query)
}

fn one<T>(item: T, query: &Query) -> Paged<T> {
    let (number, per_page) = query.page(20, 1000)?;
    let (result, info) = paged(vec![item], number, per_page);
    Ok(Page { result, info })
}

fn account_of(api: &Api) -> Account {
    Account { id: api.account.clone(), name: "Tidegate", kind: "standard", created_on: CREATED }
}
