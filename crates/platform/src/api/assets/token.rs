//! The tokens of upload sessions: JWTs (RFC 7519), signed with HMAC-SHA256 by a key of the store's.
//!
//! They are issued here and read here, by nobody else. So there is one header that a token can have, byte for byte, and no
//! algorithm is ever chosen by who presents a token. The claims say what it is for (`aud`), of which session (`sub`) and
//! account (`iss`) it is, and until when it is good (`exp`); which script the session is for, the session says.
//!
//! A token may be shown again while it is good: clients try again when an answer gets lost. What it is good for is one
//! session, whose files go to one script.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::super::Api;

/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// To upload files of its session.
    #[serde(rename = "assets-upload")]
    Upload,
    /// To deploy them: the completion token.
    #[serde(rename = "assets-deployment")]
    Deployment,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    /// Of another store, changed, unsigned, or no token at all: there is no telling them apart.
    #[error("the token of the assets is none that this platform issued")]
    Foreign,
    /// Of another account.
    #[error("the token of the assets was issued for another account")]
    Account,
    /// A completion token where an upload token is needed.
    #[error(
        "the token is a completion token, which deploys assets: files are uploaded with the token that their upload \
         session was begun with"
    )]
    CompletionToken,
    /// An upload token where a completion token is needed.
    #[error(
        "the token of the assets is that of their upload: they are deployed with the completion token, which the upload \
         of the last file answers with"
    )]
    UploadToken,
    /// No longer good.
    #[error("the token of the assets has expired: begin another upload session")]
    Expired,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Purpose,
    iat: i64,
    exp: i64,
}

/// Signs a token for a session. Times are in seconds since 1970.
pub(super) fn issue(api: &Api, purpose: Purpose, session: &str, now: i64, expires_on: i64) -> String {
    let claims = Claims { iss: issuer(api), sub: session.to_owned(), aud: purpose, iat: now, exp: expires_on };
    let claims = serde_json::to_vec(&claims).unwrap_or_default();
    let signed = format!("{HEADER}.{}", Base64UrlUnpadded::encode_string(&claims));
    let signature = Base64UrlUnpadded::encode_string(&api.store.sign_asset_token(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// The session that a token is of, if it is good for a purpose.
pub(super) fn read(api: &Api, purpose: Purpose, token: &str, now: i64) -> Result<String, TokenError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Foreign)?;
    let claims = signed.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('.')).ok_or(TokenError::Foreign)?;
    let signature = Base64UrlUnpadded::decode_vec(signature).map_err(|_| TokenError::Foreign)?;
    if !bool::from(api.store.sign_asset_token(signed.as_bytes()).ct_eq(&signature)) {
        return Err(TokenError::Foreign);
    }
    let claims = Base64UrlUnpadded::decode_vec(claims).map_err(|_| TokenError::Foreign)?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| TokenError::Foreign)?;
    if claims.iss != issuer(api) {
        return Err(TokenError::Account);
    }
    match (purpose, claims.aud) {
        (Purpose::Upload, Purpose::Deployment) => return Err(TokenError::CompletionToken),
        (Purpose::Deployment, Purpose::Upload) => return Err(TokenError::UploadToken),
        _ => {}
    }
    if claims.exp <= now { Err(TokenError::Expired) } else { Ok(claims.sub) }
}

fn issuer(api: &Api) -> String {
    format!("tidegate/{}", api.account)
}
