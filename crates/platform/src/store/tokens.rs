//! Tokens of the API, as keyed hashes.

use subtle::{Choice, ConstantTimeEq as _};

use super::rows::now;
use super::{Result, Store};

impl Store {
    /// Lets a token in from now on. Only its keyed hash is kept.
    pub fn add_token(&self, token: &str) -> Result<()> {
        let hash = self.inner.vault.hash_token(token);
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO tokens (hash, created_on) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (&hash[..], now()),
            )?;
            Ok(())
        })
    }

    /// Whether a token was added. Takes the same time for all tokens of a length.
    pub fn knows_token(&self, token: &str) -> Result<bool> {
        let hash = self.inner.vault.hash_token(token);
        self.read(|transaction| {
            let mut statement = transaction.prepare_cached("SELECT hash FROM tokens")?;
            let mut rows = statement.query(())?;
            // Every hash is looked at, and each as a whole: how long that takes says nothing of any.
            let mut known = Choice::from(0);
            while let Some(row) = rows.next()? {
                let kept: Vec<u8> = row.get(0)?;
                known |= kept.ct_eq(&hash);
            }
            Ok(known.into())
        })
    }

    /// Whether any token was ever added.
    pub fn has_tokens(&self) -> Result<bool> {
        self.read(
            |transaction| Ok(transaction.query_row("SELECT EXISTS (SELECT 1 FROM tokens)", (), |row| row.get(0))?),
        )
    }
}
