//! How the static assets of versions are served.

use rusqlite::OptionalExtension as _;

use super::rows::from_json;
use super::{AssetConfig, Result, Store};

impl Store {
    /// How the static assets of a version are served; none if it has none, or is gone.
    pub fn asset_config(&self, version: &str) -> Result<Option<AssetConfig>> {
        self.read(|transaction| {
            let row: Option<(String, String, String)> = transaction
                .prepare_cached(
                    "SELECT assets, compatibility_date, compatibility_flags FROM versions
                     WHERE uuid = ?1 AND assets IS NOT NULL",
                )?
                .query_row([version], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((config, compatibility_date, flags)) = row else { return Ok(None) };
            let (config, compatibility_flags) = (from_json(&config)?, from_json(&flags)?);
            Ok(Some(AssetConfig { config, compatibility_date, compatibility_flags }))
        })
    }
}
