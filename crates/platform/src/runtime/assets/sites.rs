//! Rules are compiled once, and kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::assets::Site;
use crate::store::{AssetConfig, Store, StoreError};

/// As much text of rules is kept compiled, in bytes. What is compiled takes some times as much.
const MOST_TEXT: usize = 8 << 20;
/// What a site without any rules counts for.
const LEAST: usize = 1 << 10;

/// Sites by the version they are of.
#[derive(Clone, Default)]
pub(super) struct Sites(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    sites: HashMap<String, Arc<Site>>,
    text: usize,
}

impl Sites {
    /// How the assets of a version are served; `None` if it is gone, or has none.
    pub(super) fn of(&self, store: &Store, version: &str) -> Result<Option<Arc<Site>>, StoreError> {
        if let Some(site) = self.kept().sites.get(version) {
            return Ok(Some(Arc::clone(site)));
        }
        let Some(AssetConfig { config, compatibility_date, compatibility_flags }) = store.asset_config(version)? else {
            return Ok(None);
        };
        let site = Site::compile(&config, &compatibility_date, &compatibility_flags);
        let site = site.map_err(|error| StoreError::Damaged(error.to_string()))?;
        let site = Arc::new(site);
        let text = LEAST + [&config.headers, &config.redirects].into_iter().flatten().map(String::len).sum::<usize>();
        let mut kept = self.kept();
        // Nobody asks for most versions again.
        if kept.text.saturating_add(text) > MOST_TEXT {
            *kept = Kept::default();
        }
        if kept.sites.insert(version.to_owned(), Arc::clone(&site)).is_none() {
            kept.text += text;
        }
        Ok(Some(site))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
