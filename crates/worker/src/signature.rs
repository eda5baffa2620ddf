//! The cryptography that `jsonwebtoken` signs with, and the claims that it signs.
//!
//! `jsonwebtoken` brings two providers, of which one needs C and the other RSA; both are over half of this Worker's size
//! budget. Ours has the three algorithms of the policy language and nothing else. It cannot verify: this Worker
//! accepts no token. ES256 is deterministic (RFC 6979), so no signature hangs on the quality of randomness.

use ed25519_dalek::Signer as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer};
use jsonwebtoken::{EncodingKey, Header};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use sha2::Sha256;
use tidegate_engine::Algorithm;

/// What a token says.
pub(crate) struct Claims<'a> {
    /// Claims that the policy renders, in order.
    pub(crate) rendered: &'a [(String, String)],
    /// When the token is issued, in seconds since 1970.
    pub(crate) issued: i64,
    /// When it ends to be valid, in seconds since 1970.
    pub(crate) expires: i64,
}

/// Makes a token.
pub(crate) fn sign(alg: Algorithm, kid: &str, claims: &Claims<'_>, key: &EncodingKey) -> Result<String, Error> {
    // Fails only where it was done before.
    let _ = PROVIDER.install_default();
    let mut header = Header::new(match alg {
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
    });
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, key)
}

impl Serialize for Claims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.rendered {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("iat", &self.issued)?;
        map.serialize_entry("exp", &self.expires)?;
        map.end()
    }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    key_utils: KeyUtils::new_unimplemented(),
};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "`CryptoProvider` says so")]
fn signer(alg: &jsonwebtoken::Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    match alg {
        jsonwebtoken::Algorithm::EdDSA => {
            let key = ed25519_dalek::SigningKey::try_from(key.as_bytes()).map_err(|_| ErrorKind::InvalidKeyFormat)?;
            Ok(Box::new(EdDsa(key)))
        }
        jsonwebtoken::Algorithm::ES256 => {
            let key = p256::ecdsa::SigningKey::from_slice(key.as_bytes()).map_err(|_| ErrorKind::InvalidEcdsaKey)?;
            Ok(Box::new(Es256(key)))
        }
        jsonwebtoken::Algorithm::HS256 => {
            let key = Hmac::new_from_slice(key.as_bytes()).map_err(|_| ErrorKind::InvalidKeyFormat)?;
            Ok(Box::new(Hs256(key)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct EdDsa(ed25519_dalek::SigningKey);
struct Es256(p256::ecdsa::SigningKey);
struct Hs256(Hmac<Sha256>);

impl Signer<Vec<u8>> for EdDsa {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        self.0.try_sign(message).map(|signature| signature.to_vec()).map_err(|_| signature::Error::new())
    }
}

impl Signer<Vec<u8>> for Es256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let signed: Result<p256::ecdsa::Signature, _> = self.0.try_sign(message);
        signed.map(|signature| signature.to_bytes().to_vec()).map_err(|_| signature::Error::new())
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for EdDsa {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        jsonwebtoken::Algorithm::EdDSA
    }
}

impl JwtSigner for Es256 {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        jsonwebtoken::Algorithm::ES256
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        jsonwebtoken::Algorithm::HS256
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use p256::ecdsa::signature::Verifier as _;
    use p256::pkcs8::{EncodePrivateKey as _, LineEnding};
    use serde_json::{Value, json};

    use super::*;
    use crate::key::{KeyRing, fingerprint};

    pub(crate) fn p256_pem() -> String {
        p256::SecretKey::from_slice(&[7; 32]).unwrap().to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    }

    pub(crate) fn ed25519_pem() -> String {
        ed25519_dalek::SigningKey::from_bytes(&[7; 32]).to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn token(alg: Algorithm, secret: &str) -> String {
        let rendered =
            [("iss".to_owned(), "https://platform.example".to_owned()), ("sub".to_owned(), "acme".to_owned())];
        let claims = Claims { rendered: &rendered, issued: 1000, expires: 1300 };
        let mut ring = KeyRing::default();
        sign(alg, "2026-11", &claims, ring.key(alg, secret, fingerprint(secret)).unwrap()).unwrap()
    }

    /// Header, claims, what is signed, and the signature.
    fn parts(token: &str) -> (Value, Value, &[u8], Vec<u8>) {
        let (message, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = message.split_once('.').unwrap();
        let bytes = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
        let json = |part: &str| serde_json::from_slice(&bytes(part)).unwrap();
        (json(header), json(claims), message.as_bytes(), bytes(signature))
    }

    #[test]
    fn a_token_says_who_signed_it_what_for_and_for_how_long() {
        let token = token(Algorithm::Es256, &p256_pem());
        let (header, claims, ..) = parts(&token);
        assert_eq!(header, json!({"typ": "JWT", "alg": "ES256", "kid": "2026-11"}));
        assert_eq!(claims, json!({"iss": "https://platform.example", "sub": "acme", "iat": 1000, "exp": 1300}));
    }

    #[test]
    fn es256_verifies_with_the_public_key() {
        let token = token(Algorithm::Es256, &p256_pem());
        let (_, _, message, signature) = parts(&token);
        let public = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let signature = p256::ecdsa::Signature::from_slice(&signature).unwrap();
        assert!(public.verifying_key().verify(message, &signature).is_ok());
        assert!(public.verifying_key().verify(b"another message", &signature).is_err());
    }

    #[test]
    fn eddsa_verifies_with_the_public_key() {
        let token = token(Algorithm::EdDsa, &ed25519_pem());
        let (header, _, message, signature) = parts(&token);
        let public = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
        let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
        assert_eq!(header["alg"], "EdDSA");
        assert!(public.verify_strict(message, &signature).is_ok());
    }

    #[test]
    fn hs256_verifies_with_the_secret() {
        let token = token(Algorithm::Hs256, SECRET);
        let (header, _, message, signature) = parts(&token);
        let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(message);
        assert_eq!(header["alg"], "HS256");
        assert!(mac.verify_slice(&signature).is_ok());
    }

    #[test]
    fn signatures_are_deterministic() {
        for (alg, secret) in
            [(Algorithm::Es256, &*p256_pem()), (Algorithm::EdDsa, &*ed25519_pem()), (Algorithm::Hs256, SECRET)]
        {
            assert_eq!(token(alg, secret), token(alg, secret));
        }
    }
}
