//! Signing keys, as operators put them into Worker secrets.
//!
//! | algorithm | secret |
//! |---|---|
//! | `ES256`, `EdDSA` | PKCS#8 PEM (`-----BEGIN PRIVATE KEY-----`), as `tidegate keys new` and OpenSSL write it |
//! | `HS256` | the bytes as they are, at least 32 (RFC 7518 §3.2) |
//!
//! What a key is parsed to is its shortest form: the scalar, the seed, the bytes. [`crate::signature`] takes it from there.

use std::collections::HashMap;
use std::fmt;

use jsonwebtoken::EncodingKey;
use p256::pkcs8::DecodePrivateKey as _;
use sha2::{Digest as _, Sha256};
use tidegate_engine::Algorithm;

/// SHA-256 of a secret: what it is known by where the secret itself need not be.
pub(crate) type Fingerprint = [u8; 32];

/// Why a secret is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyError {
    /// `EdDSA`, and the secret is not an Ed25519 key in PKCS#8 PEM.
    NotEd25519,
    /// `ES256`, and the secret is not a P-256 key in PKCS#8 PEM.
    NotP256,
    /// `HS256`, and the secret is under 32 bytes.
    TooShort,
}

/// The keys that this isolate has parsed. A secret changes only with a deployment, so there are few.
#[derive(Default)]
pub(crate) struct KeyRing {
    keys: HashMap<(Algorithm, Fingerprint), Result<EncodingKey, KeyError>>,
    /// Secrets that were seen lately, the oldest first: a hash of one costs more than comparing it with all of these.
    seen: Vec<(String, Fingerprint)>,
}

impl KeyRing {
    /// Far over what a policy names; it bounds what a runtime that changes secrets in place could make us hold.
    const CAPACITY: usize = 64;

    /// As few as one request may need, and some.
    const SEEN: usize = 8;

    /// What a secret is known by.
    pub(crate) fn fingerprint(&mut self, secret: &str) -> Fingerprint {
        if let Some((_, known)) = self.seen.iter().find(|(seen, _)| seen == secret) {
            return *known;
        }
        if self.seen.len() >= Self::SEEN {
            self.seen.remove(0);
        }
        let fingerprint = fingerprint(secret);
        self.seen.push((secret.to_owned(), fingerprint));
        fingerprint
    }

    /// The key that a secret holds.
    pub(crate) fn key(
        &mut self,
        alg: Algorithm,
        secret: &str,
        fingerprint: Fingerprint,
    ) -> Result<&EncodingKey, KeyError> {
        if self.keys.len() >= Self::CAPACITY && !self.keys.contains_key(&(alg, fingerprint)) {
            self.keys.clear();
        }
        let key = self.keys.entry((alg, fingerprint)).or_insert_with(|| parse(alg, secret));
        key.as_ref().map_err(|error| *error)
    }
}

/// What a secret is known by.
pub(crate) fn fingerprint(secret: &str) -> Fingerprint {
    Sha256::digest(secret).into()
}

fn parse(alg: Algorithm, secret: &str) -> Result<EncodingKey, KeyError> {
    match alg {
        Algorithm::EdDsa => ed25519_dalek::SigningKey::from_pkcs8_pem(secret)
            .map(|key| EncodingKey::from_ed_der(key.as_bytes()))
            .map_err(|_| KeyError::NotEd25519),
        Algorithm::Es256 => p256::SecretKey::from_pkcs8_pem(secret)
            .map(|key| EncodingKey::from_ec_der(&key.to_bytes()))
            .map_err(|_| KeyError::NotP256),
        Algorithm::Hs256 if secret.len() < 32 => Err(KeyError::TooShort),
        Algorithm::Hs256 => Ok(EncodingKey::from_secret(secret.as_bytes())),
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEd25519 => "is not an Ed25519 private key in PKCS#8 PEM; make one with `tidegate keys new`",
            Self::NotP256 => "is not a P-256 private key in PKCS#8 PEM; make one with `tidegate keys new`",
            Self::TooShort => "is under 32 bytes; HS256 needs at least that (RFC 7518 §3.2)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::tests::{ed25519_pem, p256_pem};

    #[test]
    fn a_key_of_the_wrong_kind_is_refused() {
        assert_eq!(parse(Algorithm::Es256, &ed25519_pem()).unwrap_err(), KeyError::NotP256);
        assert_eq!(parse(Algorithm::EdDsa, &p256_pem()).unwrap_err(), KeyError::NotEd25519);
        for garbage in ["", "secret", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(parse(Algorithm::Es256, garbage).unwrap_err(), KeyError::NotP256);
            assert_eq!(parse(Algorithm::EdDsa, garbage).unwrap_err(), KeyError::NotEd25519);
        }
    }

    #[test]
    fn an_hs256_secret_has_at_least_32_bytes() {
        assert_eq!(parse(Algorithm::Hs256, &"x".repeat(31)).unwrap_err(), KeyError::TooShort);
        assert!(parse(Algorithm::Hs256, &"x".repeat(32)).is_ok());
    }

    #[test]
    fn a_secret_that_changes_in_place_is_another_key() {
        let mut ring = KeyRing::default();
        let mut key =
            |secret: &str| ring.key(Algorithm::Hs256, secret, fingerprint(secret)).unwrap().as_bytes().to_vec();
        assert_ne!(key(&"a".repeat(32)), key(&"b".repeat(32)));
        assert_eq!(key(&"a".repeat(32)), "a".repeat(32).as_bytes());
    }

    #[test]
    fn the_ring_is_bounded() {
        let mut ring = KeyRing::default();
        for number in 0..KeyRing::CAPACITY * 3 {
            let secret = format!("{number:032}");
            assert!(ring.key(Algorithm::Hs256, &secret, fingerprint(&secret)).is_ok());
            assert_eq!(ring.fingerprint(&secret), fingerprint(&secret));
            assert!(ring.keys.len() <= KeyRing::CAPACITY && ring.seen.len() <= KeyRing::SEEN);
        }
    }
}
