//! Bindings as the API speaks of them: read from metadata ([`Declared`]), resolved against what there is
//! ([`resolve`]), shown without secrets ([`show`]).

mod declared;
mod described;
mod resolve;
mod show;

use axum::extract::State;

pub(super) use declared::{Declared, Material, secret, with_value};
pub(super) use described::{NewBinding, NewKey};
pub(super) use resolve::{Before, check_count, resolve};
pub(super) use show::{OutboundParameter, ShownBinding, show_all};

use super::Api;
use super::envelope::{List, ok};
use super::error::Reply;
use super::path::Target;
use crate::deploy::blocking;

/// Lists the bindings of a script.
#[utoipa::path(get, path = "/bindings", tag = "Settings")]
pub(super) async fn list(State(api): State<Api>, target: Target) -> Reply<List<ShownBinding>> {
    let bindings =
        blocking(&api.store, move |store| store.load(&target.key).map(|loaded| show_all(store, &loaded.code.bindings)))
            .await?;
    ok(List(bindings))
}
