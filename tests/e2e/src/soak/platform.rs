//! What is soaked: a chain with a policy that has something of everything, and an upstream with moods.

use std::collections::{BTreeMap, HashMap};
use std::io::Error;
use std::time::Duration;

use anyhow::Result;
use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use tidegate_differential::Compiled;
use tidegate_e2e::jwt::{Algorithm, SigningKey, VerifyingKeys};
use tidegate_e2e::observed::COOKIE;
use tidegate_e2e::{Captured, Chain, OutboundWorker, Reply};

use crate::books::{Books, Oracle};
use crate::traffic::{DESTINATIONS, customers, number_of, numbered};

const POLICY: &str = include_str!("policy.toml");

/// Secrets that are no keys. One that the policy wants is not among them.
pub(crate) const SECRETS: [(&str, &str); 2] = [("GEOCODER_KEY", "geo-4711-s3cret"), ("SEAL", "seal+of/the=ledger")];

const LEDGER_KEY: &str = "a shared key for the ledger, which is long enough";

/// Bytes of a long body, in each direction.
pub(crate) const STREAMED: u64 = 512 * 1024;

/// What is said over a WebSocket.
pub(crate) const MESSAGE: &str = "hello";

/// How long the upstream thinks where it is slow.
const THINKS: Duration = Duration::from_millis(150);

/// How long it takes to break off in the middle: what it said until then has left.
const BREAKS_OFF: Duration = Duration::from_millis(20);

/// Starts the chain; with it come who knows its policy, and the books that know its keys.
pub(crate) async fn start() -> Result<(Chain, Oracle, Books)> {
    let list = (0..2000).map(|number| format!("bad-{number}.example")).collect::<Vec<_>>().join("\n");
    let policy = Compiled::new(POLICY, &BTreeMap::from([("lists/malware.txt".to_owned(), list)]))?;
    let billing = SigningKey::new(Algorithm::Es256, "billing-1")?;
    let partner = SigningKey::new(Algorithm::EdDsa, "partner-1")?;
    let verifying = VerifyingKeys::default().public(&billing).public(&partner).shared("ledger-1", LEDGER_KEY);
    let mut secrets: HashMap<&str, String> = SECRETS.map(|(name, value)| (name, value.to_owned())).into();
    secrets.insert("KEY_BILLING", billing.private_pem);
    secrets.insert("KEY_PARTNER", partner.private_pem);
    secrets.insert("KEY_LEDGER", LEDGER_KEY.to_owned());

    let mut builder = Chain::around(OutboundWorker::with_table(&policy.table)?);
    for (name, value) in &secrets {
        builder = builder.secret(name, value);
    }
    for customer in customers() {
        builder = builder.customer(customer);
    }
    let chain = builder.start().await?;
    chain.upstream().otherwise(answer);
    Ok((chain, Oracle::new(policy, secrets), Books::new(verifying)))
}

/// The upstream's answer, by the path's first segment.
fn answer(request: &Captured) -> Reply {
    let number = number_of(&request.path).unwrap_or_default();
    let mut segments = request.path.split('/').skip(1);
    let reply = match segments.next() {
        Some("broken") => Reply::text(broken_body()),
        // Nothing of it leaves, not even the head.
        Some("silent") => Reply::text(Body::from_stream(stream::once(async { Err::<&str, _>(breaks_off()) }))),
        Some("hop") => {
            let destination = segments.next().and_then(|destination| destination.parse::<usize>().ok());
            let to = destination.and_then(|destination| DESTINATIONS.get(destination)).unwrap_or(&"/");
            Reply::redirect(302, &numbered(to, number))
        }
        Some("large") => Reply::text(long_body()),
        Some("slow") => Reply::text(greeting(number)).delayed(THINKS),
        _ if request.length == STREAMED => Reply::text(long_body()),
        _ => Reply::text(greeting(number)),
    };
    let credentials =
        ["authorization", "x-partner-token", "x-api-key"].map(|name| request.header(name).unwrap_or_default());
    reply.header("set-cookie", COOKIE).header("x-echo", &credentials.join(";"))
}

pub(crate) fn is_large(path: &str) -> bool {
    path.starts_with("/large/")
}

pub(crate) fn is_silent(path: &str) -> bool {
    path.starts_with("/silent/")
}

/// A body of which a part leaves.
fn broken_body() -> Body {
    let broken = async {
        tokio::time::sleep(BREAKS_OFF).await;
        Err(breaks_off())
    };
    Body::from_stream(stream::once(async { Ok("half of") }).chain(stream::once(broken)))
}

fn breaks_off() -> Error {
    Error::other("the upstream breaks off")
}

/// What the upstream says when it has nothing to say.
pub(crate) fn greeting(number: u64) -> String {
    format!("hello n{number}")
}

/// A long body that comes in pieces.
pub(crate) fn long_body() -> Body {
    const PIECE: usize = 16 * 1024;
    let piece = Bytes::from_static(&[b'.'; PIECE]);
    let pieces = usize::try_from(STREAMED).unwrap_or_default() / PIECE;
    Body::from_stream(stream::iter(std::iter::repeat_n(piece, pieces).map(Ok::<_, Error>)))
}
