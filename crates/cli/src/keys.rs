//! Key pairs for signing tokens, and the JWKS that upstreams verify them with.
//!
//! The private half is PKCS#8 PEM (RFC 5958), what the Worker's secret holds. The public half is a JWK (RFC 7517; RFC 7518
//! §6.2 for P-256, RFC 8037 for Ed25519). Without a name of the operator's choice a key is named by its thumbprint
//! (RFC 7638), so that the same key always gets the same `kid`.

use std::path::PathBuf;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use clap::ValueEnum;
use ed25519_dalek::pkcs8::KeypairBytes;
use p256::elliptic_curve::sec1::{FromSec1Point as _, ToSec1Point as _};
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, LineEnding};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::outcome::{Explained, Outcome};

/// Algorithms that have a public half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    #[value(name = "EdDSA")]
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    #[value(name = "ES256")]
    Es256,
}

/// A public key as upstreams read it. The order of the fields is that of the output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Jwk {
    kty: String,
    crv: String,
    x: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(rename = "use")]
    usage: String,
    alg: String,
    /// The name that tokens carry in their header.
    pub kid: String,
}

/// The public keys of one issuer.
#[derive(Debug, Serialize)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

/// A new pair.
pub struct KeyPair {
    /// PKCS#8 PEM; wiped from memory when it is dropped.
    pub private_pem: Zeroizing<String>,
    /// The public half.
    pub public: Jwk,
}

/// Why there is no key, or no set.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Two keys of one name.
    #[error("two different keys are named `{0}`")]
    DuplicateKid(String),
    /// The key cannot be written down.
    #[error("the key cannot be encoded")]
    Encode,
    /// Neither PEM nor JSON of a known kind.
    #[error("`{}` holds no key that can be published: {why}", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is the matter.
        why: String,
    },
    /// The system has none.
    #[error("the system gives no randomness: {0}")]
    Randomness(getrandom::Error),
}

impl Explained for KeyError {
    fn help(&self) -> Option<String> {
        match self {
            Self::DuplicateKid(_) => {
                Some("upstreams choose a key by its name: give one of them another with `NAME=FILE`".to_owned())
            }
            Self::NotAKey { .. } => {
                Some("name PKCS#8 or public PEM files, or JWK and JWKS files with public keys".to_owned())
            }
            Self::Encode | Self::Randomness(_) => None,
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::DuplicateKid(_) | Self::NotAKey { .. } => Outcome::Found,
            Self::Encode | Self::Randomness(_) => Outcome::CouldNotWork,
        }
    }
}

impl KeyPair {
    /// Makes a pair from the system's randomness.
    pub fn new(algorithm: Algorithm, kid: Option<&str>) -> Result<Self, KeyError> {
        let (private_pem, public) = match algorithm {
            Algorithm::Es256 => {
                let key = new_p256_key()?;
                (key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Encode)?, p256_jwk(&key.public_key()))
            }
            Algorithm::EdDsa => {
                let mut seed = Zeroizing::new([0; 32]);
                getrandom::fill(&mut *seed).map_err(KeyError::Randomness)?;
                let key = ed25519_dalek::SigningKey::from_bytes(&seed);
                // Without the public half beside it: many readers know version 1 of PKCS#8 only.
                let bytes = KeypairBytes { secret_key: *seed, public_key: None };
                (bytes.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Encode)?, ed25519_jwk(&key.verifying_key()))
            }
        };
        Ok(Self { private_pem, public: public.named(kid) })
    }
}

fn new_p256_key() -> Result<p256::SecretKey, KeyError> {
    loop {
        let mut scalar = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *scalar).map_err(KeyError::Randomness)?;
        // One in 2³² is no scalar of the curve; drawing again keeps the choice uniform.
        if let Ok(key) = p256::SecretKey::from_slice(&*scalar) {
            return Ok(key);
        }
    }
}

impl Jwk {
    /// The same key under another name, if there is one.
    #[must_use]
    pub fn named(mut self, kid: Option<&str>) -> Self {
        if let Some(kid) = kid {
            kid.clone_into(&mut self.kid);
        }
        self
    }

    /// Whether it is the same key, whatever its name.
    pub fn is_same_key(&self, other: &Self) -> bool {
        (&self.crv, &self.x, &self.y) == (&other.crv, &other.x, &other.y)
    }

    fn new(crv: &str, kty: &str, alg: &str, x: &[u8], y: Option<&[u8]>) -> Self {
        let x = Base64UrlUnpadded::encode_string(x);
        let y = y.map(Base64UrlUnpadded::encode_string);
        // The members that make the key, in lexicographic order, without spaces (RFC 7638 §3).
        let members = match &y {
            Some(y) => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#),
            None => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"}}"#),
        };
        let kid = Base64UrlUnpadded::encode_string(&Sha256::digest(members));
        Self { kty: kty.to_owned(), crv: crv.to_owned(), x, y, usage: "sig".to_owned(), alg: alg.to_owned(), kid }
    }
}

fn p256_jwk(key: &p256::PublicKey) -> Jwk {
    let point = key.to_sec1_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| bytes.map(|bytes| bytes.to_vec()).unwrap_or_default();
    Jwk::new("P-256", "EC", "ES256", &coordinate(point.x()), Some(&coordinate(point.y())))
}

fn ed25519_jwk(key: &ed25519_dalek::VerifyingKey) -> Jwk {
    Jwk::new("Ed25519", "OKP", "EdDSA", key.as_bytes(), None)
}

impl Jwks {
    /// Puts keys into one set, the same key once.
    pub fn new(keys: impl IntoIterator<Item = Jwk>) -> Result<Self, KeyError> {
        let mut set = Vec::<Jwk>::new();
        for key in keys {
            match set.iter().find(|other| other.kid == key.kid) {
                None => set.push(key),
                Some(other) if other.is_same_key(&key) => {}
                Some(_) => return Err(KeyError::DuplicateKid(key.kid)),
            }
        }
        Ok(Self { keys: set })
    }
}

/// The public keys in a file's text: PEM of a private or a public key, a JWK, or a JWKS. What is wrong is said in words
/// that hold nothing of the file: it may be a secret.
pub fn public_keys(text: &str) -> Result<Vec<Jwk>, String> {
    let text = text.trim();
    if text.starts_with('{') {
        let value: Value = serde_json::from_str(text).map_err(|_| "it is not JSON".to_owned())?;
        return match value.get("keys") {
            Some(Value::Array(keys)) => keys.iter().map(public_jwk).collect(),
            Some(_) => Err("its `keys` is not an array".to_owned()),
            None => Ok(vec![public_jwk(&value)?]),
        };
    }
    public_pem(text).map(|key| vec![key])
}

fn public_pem(text: &str) -> Result<Jwk, String> {
    if text.contains("-----BEGIN PRIVATE KEY-----") {
        if let Ok(key) = p256::SecretKey::from_pkcs8_pem(text) {
            return Ok(p256_jwk(&key.public_key()));
        }
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(text) {
            return Ok(ed25519_jwk(&key.verifying_key()));
        }
        return Err("it is a PKCS#8 key, but of neither P-256 nor Ed25519".to_owned());
    }
    if text.contains("-----BEGIN PUBLIC KEY-----") {
        if let Ok(key) = p256::PublicKey::from_public_key_pem(text) {
            return Ok(p256_jwk(&key));
        }
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(text) {
            return Ok(ed25519_jwk(&key));
        }
        return Err("it is a public key, but of neither P-256 nor Ed25519".to_owned());
    }
    if text.contains("-----BEGIN EC PRIVATE KEY-----") {
        return Err("it is a SEC 1 key; `openssl pkcs8 -topk8 -nocrypt` makes PKCS#8 of it".to_owned());
    }
    Err("it is neither PEM nor a JWK".to_owned())
}

/// A JWK that somebody wrote: read, checked to be a point of its curve, and written anew.
fn public_jwk(value: &Value) -> Result<Jwk, String> {
    let member = |name: &str| value.get(name).and_then(Value::as_str);
    if value.get("d").is_some() || value.get("k").is_some() {
        return Err("it holds a private or symmetric key".to_owned());
    }
    let bytes = |name: &str| -> Result<[u8; 32], String> {
        let mut bytes = [0; 32];
        let decoded = member(name).and_then(|text| Base64UrlUnpadded::decode(text, &mut bytes).ok());
        match decoded.map(<[u8]>::len) {
            Some(32) => Ok(bytes),
            _ => Err(format!("`{name}` is not 32 bytes in base64url")),
        }
    };
    let key = match (member("kty"), member("crv")) {
        (Some("EC"), Some("P-256")) => {
            let point = p256::Sec1Point::from_affine_coordinates(&bytes("x")?.into(), &bytes("y")?.into(), false);
            let key = Option::from(p256::PublicKey::from_sec1_point(&point));
            p256_jwk(&key.ok_or_else(|| "it is not a point of P-256".to_owned())?)
        }
        (Some("OKP"), Some("Ed25519")) => {
            let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes("x")?);
            ed25519_jwk(&key.map_err(|_| "it is not a point of Ed25519".to_owned())?)
        }
        _ => return Err("it is neither a P-256 nor an Ed25519 key".to_owned()),
    };
    if member("alg").is_some_and(|alg| alg != key.alg) {
        return Err(format!("its `alg` is not `{}`, which its curve is for", key.alg));
    }
    Ok(key.named(member("kid")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Es256];

    #[test]
    fn the_public_half_can_be_had_from_the_private_one() {
        for algorithm in BOTH {
            let pair = KeyPair::new(algorithm, None).unwrap();
            assert_eq!(public_keys(&pair.private_pem), Ok(vec![pair.public]));
        }
    }

    #[test]
    fn a_public_key_survives_being_written_and_read() {
        for algorithm in BOTH {
            let pair = KeyPair::new(algorithm, Some("2026-11")).unwrap();
            let text = serde_json::to_string(&pair.public).unwrap();
            assert_eq!(public_keys(&text), Ok(vec![pair.public.clone()]));
            let set = serde_json::to_string(&Jwks::new([pair.public.clone()]).unwrap()).unwrap();
            assert_eq!(public_keys(&set), Ok(vec![pair.public]));
        }
    }

    #[test]
    fn two_pairs_are_two_keys() {
        for algorithm in BOTH {
            let [one, other] = [(); 2].map(|()| KeyPair::new(algorithm, None).unwrap().public);
            assert!(!one.is_same_key(&other));
            assert_ne!(one.kid, other.kid);
        }
    }

    /// RFC 8037, appendices A.2 and A.3.
    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        let written = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let keys = public_keys(written).unwrap();
        assert_eq!(keys[0].kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn no_private_or_symmetric_key_is_published() {
        for written in [
            r#"{"kty":"oct","k":"c2VjcmV0"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        ] {
            let why = public_keys(written).unwrap_err();
            assert!(why.contains("private or symmetric"), "{why}");
        }
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let one = Base64UrlUnpadded::encode_string(&[1; 32]);
        let written = format!(r#"{{"kty":"EC","crv":"P-256","x":"{one}","y":"{one}"}}"#);
        assert!(public_keys(&written).unwrap_err().contains("not a point"));
    }

    #[test]
    fn one_name_for_two_keys_is_refused_and_one_key_twice_is_one() {
        let [one, other] = [(); 2].map(|()| KeyPair::new(Algorithm::Es256, Some("a")).unwrap().public);
        assert_eq!(Jwks::new([one.clone(), one.clone()]).unwrap().keys.len(), 1);
        assert!(matches!(Jwks::new([one, other]), Err(KeyError::DuplicateKid(_))));
    }
}
