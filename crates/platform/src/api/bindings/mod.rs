//! Bindings as the API speaks of them: read from metadata ([`Declared`]), resolved against what there is
//! ([`resolve`]), shown without secrets ([`show`]).

mod declared;
mod resolve;
mod show;

use axum::extract::State;

pub(super) use declared::{Declared, Material, secret, with_value};
pub(super) use resolve::{Before, check_count, resolve};
pub(super) use show::{show, show_all};

use super::Api;
use super::envelope::ok;
use super::error::Reply;
use super::path::Target;
use crate::deploy::blocking;

/// Lists the bindings of a script.
pub(super) async fn list(State(api): State<Api>, target: Target) -> Reply {
    let bindings =
        blocking(&api.store, move |store| store.load(&target.key).map(|loaded| show_all(store, &loaded.code.bindings)))
            .await?;
    ok(bindings)
}
