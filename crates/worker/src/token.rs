//! Tokens that are still good.
//!
//! A signature costs a good part of a millisecond in Wasm, and a busy customer asks for the same token over and over. A
//! token is used again until 30 seconds before it expires. What may share one is decided by comparing everything
//! that went into it, in full: the hash only finds the candidates, so no collision hands one
//! customer's token to another.

use std::collections::HashMap;

use tidegate_engine::{Algorithm, JwtSpec};

use crate::key::Fingerprint;

/// All that a token hangs on. The clock is the only thing that is not in here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenKey {
    /// The policy's digest.
    pub(crate) policy: String,
    /// The key's id in the policy.
    pub(crate) key: String,
    /// The key's id for verifiers.
    pub(crate) kid: String,
    /// The signature algorithm.
    pub(crate) alg: Algorithm,
    /// SHA-256 of the secret that holds the key.
    pub(crate) secret: Fingerprint,
    /// Lifetime in seconds.
    pub(crate) ttl: u32,
    /// The rendered claims; the customer is among them.
    pub(crate) claims: Vec<(String, String)>,
}

/// From when to when a token is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    /// `iat`.
    pub(crate) issued: i64,
    /// `exp`.
    pub(crate) expires: i64,
}

/// The tokens of one isolate: at most [`TokenCache::CAPACITY`], the least recently used one goes first.
#[derive(Default)]
pub(crate) struct TokenCache {
    entries: HashMap<TokenKey, Entry>,
    /// Counts uses, to tell which is the least recent.
    uses: u64,
}

struct Entry {
    token: String,
    validity: Validity,
    used: u64,
}

impl TokenKey {
    /// What a rule's token hangs on.
    pub(crate) fn new(spec: &JwtSpec, policy: &str, secret: Fingerprint) -> Self {
        Self {
            policy: policy.to_owned(),
            key: spec.key.clone(),
            kid: spec.kid.clone(),
            alg: spec.alg,
            secret,
            ttl: spec.ttl,
            claims: spec.claims.clone(),
        }
    }
}

impl Validity {
    /// How long before its end a token is no longer handed out, in seconds: requests take time, clocks differ.
    const MARGIN: i64 = 30;

    fn from(now: i64, ttl: u32) -> Self {
        Self { issued: now, expires: now.saturating_add(i64::from(ttl)) }
    }

    /// A clock that was set back must not send a token from the future.
    fn is_good(self, now: i64) -> bool {
        self.issued <= now && now < self.expires.saturating_sub(Self::MARGIN)
    }
}

impl TokenCache {
    /// How many tokens are kept.
    pub(crate) const CAPACITY: usize = 1024;

    /// The token for `key`: a kept one, or one that `sign` makes.
    pub(crate) fn token<E>(
        &mut self,
        key: TokenKey,
        now: i64,
        sign: impl FnOnce(&TokenKey, Validity) -> Result<String, E>,
    ) -> Result<String, E> {
        self.uses = self.uses.saturating_add(1);
        if let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.validity.is_good(now)) {
            entry.used = self.uses;
            return Ok(entry.token.clone());
        }
        let validity = Validity::from(now, key.ttl);
        let token = sign(&key, validity)?;
        self.make_room(now);
        self.entries.insert(key, Entry { token: token.clone(), validity, used: self.uses });
        Ok(token)
    }

    fn make_room(&mut self, now: i64) {
        if self.entries.len() < Self::CAPACITY {
            return;
        }
        self.entries.retain(|_, entry| entry.validity.is_good(now));
        while self.entries.len() >= Self::CAPACITY {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A cache whose signatures are numbered.
    #[derive(Default)]
    struct Numbered {
        cache: TokenCache,
        signed: u32,
    }

    impl Numbered {
        fn token(&mut self, key: &TokenKey, now: i64) -> u32 {
            let signed = &mut self.signed;
            let token = self.cache.token(key.clone(), now, |_, _| {
                *signed += 1;
                Ok::<_, Infallible>(signed.to_string())
            });
            token.unwrap().parse().unwrap()
        }
    }

    fn key() -> TokenKey {
        TokenKey {
            policy: "d1".into(),
            key: "platform".into(),
            kid: "2026-11".into(),
            alg: Algorithm::Es256,
            secret: [1; 32],
            ttl: 300,
            claims: vec![("sub".into(), "acme".into()), ("plan".into(), "gold".into())],
        }
    }

    #[test]
    fn changing_any_one_component_makes_another_token() {
        type Change = fn(&mut TokenKey);
        let changes: [(&str, Change); 9] = [
            ("policy", |key| key.policy = "d2".into()),
            ("key", |key| key.key = "other".into()),
            ("kid", |key| key.kid = "2026-12".into()),
            ("alg", |key| key.alg = Algorithm::EdDsa),
            ("secret", |key| key.secret[31] = 2),
            ("ttl", |key| key.ttl = 301),
            ("claim value", |key| key.claims[0].1 = "beta".into()),
            ("claim name", |key| key.claims[1].0 = "tier".into()),
            ("claim count", |key| key.claims.truncate(1)),
        ];
        let mut numbered = Numbered::default();
        let first = numbered.token(&key(), 0);
        for (what, change) in changes {
            let mut other = key();
            change(&mut other);
            assert_ne!(numbered.token(&other, 0), first, "{what}");
        }
        assert_eq!(numbered.token(&key(), 0), first);
    }

    #[test]
    fn a_token_is_used_again_until_30_seconds_before_it_expires() {
        let mut numbered = Numbered::default();
        let first = numbered.token(&key(), 1000);
        assert_eq!(numbered.token(&key(), 1269), first);
        let second = numbered.token(&key(), 1270);
        assert_ne!(second, first);
        assert_eq!(numbered.token(&key(), 1271), second);
    }

    #[test]
    fn a_clock_set_back_sends_no_token_from_the_future() {
        let mut numbered = Numbered::default();
        let first = numbered.token(&key(), 1000);
        assert_ne!(numbered.token(&key(), 999), first);
    }

    #[test]
    fn the_signer_is_told_when_the_token_begins_and_ends() {
        let mut seen = None;
        let signed: Result<_, Infallible> = TokenCache::default().token(key(), 1000, |_, validity| {
            seen = Some(validity);
            Ok(String::new())
        });
        assert!(signed.is_ok());
        assert_eq!(seen, Some(Validity { issued: 1000, expires: 1300 }));
    }

    #[test]
    fn what_cannot_be_signed_is_not_kept() {
        let mut cache = TokenCache::default();
        assert_eq!(cache.token(key(), 0, |_, _| Err("no key")), Err("no key"));
        assert_eq!(cache.token(key(), 0, |_, _| Ok::<_, &str>("t".into())), Ok("t".into()));
    }

    #[test]
    fn the_cache_is_bounded_and_lets_the_least_recently_used_token_go() {
        let mut numbered = Numbered::default();
        let customer = |number: usize| TokenKey { claims: vec![("sub".into(), number.to_string())], ..key() };
        let first: Vec<_> = (0..TokenCache::CAPACITY).map(|number| numbered.token(&customer(number), 0)).collect();
        assert_eq!(numbered.token(&customer(0), 0), first[0]);
        numbered.token(&customer(TokenCache::CAPACITY), 0);
        assert_eq!(numbered.cache.entries.len(), TokenCache::CAPACITY);
        assert_eq!(numbered.token(&customer(0), 0), first[0], "just used");
        assert_ne!(numbered.token(&customer(1), 0), first[1], "least recently used");
    }

    #[test]
    fn expired_tokens_make_room_before_good_ones() {
        let mut numbered = Numbered::default();
        let customer = |number: usize| TokenKey { claims: vec![("sub".into(), number.to_string())], ..key() };
        let good = numbered.token(&TokenKey { ttl: 86_400, ..customer(0) }, 0);
        for number in 1..TokenCache::CAPACITY {
            numbered.token(&customer(number), 0);
        }
        numbered.token(&customer(0), 1000);
        assert_eq!(numbered.cache.entries.len(), 2);
        assert_eq!(numbered.token(&TokenKey { ttl: 86_400, ..customer(0) }, 1000), good);
    }
}
