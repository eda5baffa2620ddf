//! Views of what rules have done to requests: headers, tokens, and the keys that sign them. Every accessor is total.

use crate::header::SectionKind;
use crate::record::Record;
use crate::words::Fault;

pub(crate) const KEY_WORDS: usize = 9;
pub(crate) const JWT_WORDS: usize = 10;
pub(crate) const PAIR_WORDS: usize = 4;
pub(crate) const PART_WORDS: usize = 3;

/// A header to set.
#[derive(Clone, Copy, Debug)]
pub struct SetHeader<'t>(pub(crate) Record<'t>);

impl<'t> SetHeader<'t> {
    /// Lower-case name.
    pub fn name(&self) -> Result<&'t str, Fault> {
        self.0.text(0)
    }

    /// The value.
    pub fn value(&self) -> Result<Template<'t>, Fault> {
        Ok(Template(self.0.span(2)?))
    }
}

/// A value with places to fill in.
#[derive(Clone, Copy, Debug)]
pub struct Template<'t>(Record<'t>);

/// A piece of a [`Template`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplatePart<'t> {
    /// The customer's name.
    Customer,
    /// Text as it stands.
    Literal(&'t str),
    /// A Worker secret.
    Secret(&'t str),
    /// A customer's variable.
    Var(&'t str),
}

impl<'t> Template<'t> {
    /// Whether a secret goes into the value.
    pub fn uses_secret(&self) -> Result<bool, Fault> {
        for part in self.parts() {
            if matches!(part?, TemplatePart::Secret(_)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The pieces in order.
    pub fn parts(&self) -> impl Iterator<Item = Result<TemplatePart<'t>, Fault>> + use<'t> {
        self.0.parts(PART_WORDS).map(|part| {
            let part = part?;
            Ok(match part.word(0)? {
                0 => TemplatePart::Literal(part.text(1)?),
                1 => TemplatePart::Customer,
                2 => TemplatePart::Var(part.text(1)?),
                3 => TemplatePart::Secret(part.text(1)?),
                _ => return Err(Fault("unknown template part")),
            })
        })
    }
}

/// A token to attach.
#[derive(Clone, Copy, Debug)]
pub struct Jwt<'t>(pub(crate) Record<'t>);

/// A claim: name and value.
pub type Claim<'t> = (&'t str, Template<'t>);

impl<'t> Jwt<'t> {
    /// The key that signs it.
    pub fn key(&self) -> Result<Key<'t>, Fault> {
        Ok(Key(self.0.table.record(SectionKind::Keys, self.0.word(0)?, KEY_WORDS)?))
    }

    /// The `aud` claim.
    pub fn audience(&self) -> Result<&'t str, Fault> {
        self.0.text(1)
    }

    /// Lifetime in seconds.
    pub fn ttl(&self) -> Result<u32, Fault> {
        self.0.word(3)
    }

    /// Lower-case name of the header that carries it.
    pub fn header(&self) -> Result<&'t str, Fault> {
        self.0.text(4)
    }

    /// What stands before it; nothing if empty.
    pub fn scheme(&self) -> Result<&'t str, Fault> {
        self.0.text(6)
    }

    /// Private claims by name.
    pub fn claims(&self) -> Result<impl Iterator<Item = Result<Claim<'t>, Fault>> + use<'t>, Fault> {
        Ok(self.0.span(8)?.parts(PAIR_WORDS).map(|part| {
            let pair = SetHeader(part?);
            Ok((pair.name()?, pair.value()?))
        }))
    }
}

/// A signing key's description.
#[derive(Clone, Copy, Debug)]
pub struct Key<'t>(pub(crate) Record<'t>);

impl<'t> Key<'t> {
    /// The key's id in the policy.
    pub fn id(&self) -> Result<&'t str, Fault> {
        self.0.text(0)
    }

    /// Signature algorithm.
    pub fn alg(&self) -> Result<Algorithm, Fault> {
        Algorithm::from_number(self.0.word(2)?)
    }

    /// Name of the Worker secret that holds the key.
    pub fn secret(&self) -> Result<&'t str, Fault> {
        self.0.text(3)
    }

    /// Key id in the token's header.
    pub fn kid(&self) -> Result<&'t str, Fault> {
        self.0.text(5)
    }

    /// The `iss` claim.
    pub fn issuer(&self) -> Result<Option<&'t str>, Fault> {
        self.0.optional_text(7)
    }
}

/// JWT signature algorithms (RFC 7518 §3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// HMAC with SHA-256.
    Hs256,
}

impl Algorithm {
    /// The name in a token's header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
        }
    }

    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::EdDsa => 0,
            Self::Es256 => 1,
            Self::Hs256 => 2,
        }
    }

    fn from_number(number: u32) -> Result<Self, Fault> {
        [Self::EdDsa, Self::Es256, Self::Hs256]
            .into_iter()
            .find(|algorithm| algorithm.number() == number)
            .ok_or(Fault("unknown algorithm"))
    }
}
