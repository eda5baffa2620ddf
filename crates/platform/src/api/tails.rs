//! Tails: what `wrangler tail` follows a Worker with.
//!
//! ```text
//!   POST …/scripts/{script}/tails   {"filters": […]} ─► {id, url, expires_at}
//!   GET  url, as a WebSocket of the protocol `trace-v1` ─► one JSON object for each invocation
//!   DELETE …/scripts/{script}/tails/{id}
//! ```
//!
//! `wrangler` shows no token when it connects: the id in the URL, 122 random bits, is what lets it in. It knows no
//! dispatch namespaces either, but puts the name that it is given into the path as it stands: `wrangler tail
//! production/acme` follows the user Worker `acme`.

use axum::body::Body;
use axum::extract::ws::{Message, WebSocket};
use axum::extract::{Path, State, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use super::envelope::{List, Nothing, done, ok};
use super::error::{Fault, Reply, TooMany};
use super::path::{Captures, Target};
use super::{Api, body};
use crate::clock;
use crate::deploy::blocking;
use crate::store::{Store, StoreError};
use crate::tails::{self, filter};
use crate::worker::{BindingValue, Scope, ScriptKey};

/// What `wrangler` asks the WebSocket to speak.
const PROTOCOL: &str = "trace-v1";

/// A tail: how to follow a Worker.
#[derive(Serialize, ToSchema)]
pub(super) struct Tail {
    id: String,
    /// What to connect to, as a WebSocket.
    #[schema(format = "uri")]
    url: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// A tail that is to be made.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what a body is read as by hand")]
struct NewTail {
    /// All must let an event pass. Each has one field: `header`, `method`, `outcome`, `query`, `sampling_rate` or
    /// `scriptVersion`.
    filters: Option<Vec<Map<String, Value>>>,
}

/// Makes a tail of a script.
#[utoipa::path(post, path = "/tails", tag = "Tails", request_body = Option<NewTail>, responses(TooMany))]
pub(super) async fn create(State(api): State<Api>, target: Target, headers: HeaderMap, body: Body) -> Reply<Tail> {
    let body = body::read(body, body::LARGEST_JSON).await?;
    let asked: Value = if body.is_empty() { Value::Null } else { body::parse(&body)? };
    let filters = filter::read(&asked["filters"]).map_err(Fault::Query)?;
    let key = target.key;
    let followed = key.clone();
    if blocking(&api.store, move |store| dispatches(store, &followed)).await? {
        return Err(Fault::Query(
            "a Worker with a dispatch namespace binding cannot be followed here, nor one that calls such a Worker; what \
             it logs is in the output of `tidegate dev`"
                .to_owned(),
        ));
    }
    let tail = api.runtime()?.tails().add(key.clone(), filters, clock::now());
    let tail = tail.map_err(|many| Fault::TooManyTails(many.to_string()))?;
    tell(&api, &key).await?;
    ok(show(&tail, &headers))
}

/// Lists the tails of a script.
#[utoipa::path(get, path = "/tails", tag = "Tails")]
pub(super) async fn list(State(api): State<Api>, target: Target, headers: HeaderMap) -> Reply<List<Tail>> {
    let key = target.key;
    let followed = key.clone();
    blocking(&api.store, move |store| store.current(&followed)).await?;
    ok(api.runtime()?.tails().of(&key, clock::now()).iter().map(|tail| show(tail, &headers)).collect())
}

/// Ends a tail.
#[utoipa::path(delete, path = "/tails/{id}", tag = "Tails")]
pub(super) async fn delete(State(api): State<Api>, target: Target, captures: Captures) -> Reply<Nothing> {
    if !api.runtime()?.tails().remove(&target.key, captures.one("id")) {
        return Err(Fault::TailMissing);
    }
    tell(&api, &target.key).await?;
    done()
}

/// Follows one.
pub(super) async fn connect(State(api): State<Api>, Path(id): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    let connected = api.runtime.as_ref().and_then(|runtime| runtime.tails().connect(&id, clock::now()));
    let Some((tail, events)) = connected else { return Fault::TailMissing.into_response() };
    // `wrangler` leaves the mask away that RFC 6455 §5.3 asks for.
    upgrade.protocols([PROTOCOL]).accept_unmasked_frames(true).on_upgrade(move |socket| async move {
        follow(socket, &tail, events).await;
        // Who comes back asks for another one.
        if let Ok(runtime) = api.runtime() {
            runtime.tails().remove(&tail.key, &tail.id);
        }
        // If it fails, the script is gone, or its Worker goes on telling what nobody follows until it changes.
        let _ = tell(&api, &tail.key).await;
    })
}

/// Whether an account Worker has a dispatch binding, or calls one that has. Who is followed is traced, and all that it calls
/// belongs to the same trace, which holds one invocation of a user Worker.
fn dispatches(store: &Store, key: &ScriptKey) -> Result<bool, StoreError> {
    let mut seen = vec![key.clone()];
    let mut next = 0;
    while let Some(key) = seen.get(next).cloned() {
        next += 1;
        let bindings = match store.load(&key) {
            Ok(loaded) => loaded.code.bindings,
            // What is called was deleted since.
            Err(StoreError::ScriptNotFound) if next > 1 => continue,
            Err(error) => return Err(error),
        };
        for binding in bindings {
            match binding.value {
                // Behind the gate it leads nowhere.
                BindingValue::DispatchNamespace { .. } if key.scope == Scope::Account => return Ok(true),
                BindingValue::Service { service, .. } if key.scope == Scope::Account => {
                    let called = ScriptKey { scope: Scope::Account, name: service };
                    if !seen.contains(&called) {
                        seen.push(called);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(false)
}

/// Has the runtime ask again whether a script is followed.
async fn tell(api: &Api, key: &ScriptKey) -> Result<(), Fault> {
    let _turn = api.turns.take(key).await;
    let key = key.clone();
    let change = blocking(&api.store, move |store| store.current(&key)).await?;
    api.runtime()?.refresh(&[change]).await;
    Ok(())
}

/// Sends events until the tail ends or whoever follows goes away. What it says is of no interest.
async fn follow(
    mut socket: WebSocket,
    tail: &tails::Tail,
    mut events: tokio::sync::broadcast::Receiver<std::sync::Arc<str>>,
) {
    let left = tail.expires_at.duration_since(clock::now());
    let over = tokio::time::sleep(left.try_into().unwrap_or_default());
    tokio::pin!(over);
    loop {
        let text = tokio::select! {
            () = &mut over => break,
            // Pings are answered by the library, as long as it is read.
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
            event = events.recv() => match event {
                Ok(event) => event.as_ref().to_owned(),
                Err(RecvError::Lagged(missed)) => overload(missed).to_string(),
                Err(RecvError::Closed) => break,
            },
        };
        if socket.send(Message::Text(text.into())).await.is_err() {
            return;
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

/// Said in place of what could not be sent in time.
fn overload(missed: u64) -> Value {
    let message = format!("{missed} events came too fast and were left out; ask for fewer with `--sampling-rate`");
    json!({
        "outcome": "unknown", "scriptName": null, "logs": [], "exceptions": [], "eventTimestamp": null,
        "event": { "type": "overload", "message": message },
    })
}

fn show(tail: &tails::Tail, headers: &HeaderMap) -> Tail {
    // Where the client found this API, it finds the tail.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let id = tail.id.clone();
    Tail { url: format!("ws://{host}/tails/{id}"), id, expires_at: tail.expires_at.to_string() }
}
