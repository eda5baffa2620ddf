//! How a script comes to have another version: a whole upload, or a change derived from the version that serves.
//!
//! What is derived from a version must find that version still serving when it is written; else another request came
//! between, and the change is made again on top of that one. An upload that keeps secrets is derived, too: from what it
//! keeps. So two clients that set two secrets at once, or one that sets a secret while another uploads, both succeed, and
//! nothing of either is lost.
//!
//! Changes of one script wait for each other ([`Turns`]): without that, each would start its code for nothing whenever
//! another was faster. What still comes between (a namespace that is deleted, a version that is deployed) is met by trying
//! again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Api;
use super::assets::{self, check_assets};
use super::bindings::{Before, Declared, resolve};
use super::error::Fault;
use super::upload::{self, Metadata, Part, Upload};
use crate::deploy::{DeployError, blocking, deploy, writing};
use crate::store::{Files, Loaded, NewVersion, Script, Started, StoreError};
use crate::worker::{Code, Entry, Module, ScriptKey};

/// How often a change is made again when others came between.
const TRIES: usize = 8;
/// What the runtime takes a Worker to be of that names no date (Cloudflare's documentation names it).
const DEFAULT_DATE: &str = "2021-11-02";
/// The types of bindings that an upload keeps which says nothing of it: secrets outlive deployments.
const KEPT: [&str; 2] = ["secret_key", "secret_text"];
/// The setting that remembers which client deployed: `wrangler` asks before it overwrites what others did.
pub(super) const DEPLOYED_FROM: &str = "last_deployed_from";

/// Whose turn it is to change a script.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<ScriptKey, Weak<tokio::sync::Mutex<()>>>>>);

impl Turns {
    /// Waits for all that came before with this script. The turn ends when what is returned is dropped.
    pub(super) async fn take(&self, key: &ScriptKey) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let turn = turns.get(key).and_then(Weak::upgrade).unwrap_or_default();
            turns.insert(key.clone(), Arc::downgrade(&turn));
            turn
        };
        turn.lock_owned().await
    }
}

/// Whether changed code is started before it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// What the last start found out is still so: only a secret's text changed, or what no runtime looks at.
    CarriedOver,
    /// It is.
    Started,
}

/// Changes the version that serves.
pub(super) async fn derive(
    api: &Api,
    key: &ScriptKey,
    check: Check,
    tags: Option<Vec<String>>,
    edit: impl Fn(&crate::store::Store, &mut Code) -> Result<(), Fault> + Clone + Send + 'static,
) -> Result<Script, Fault> {
    let _turn = api.turns.take(key).await;
    for _ in 0..TRIES {
        let (edit, loaded_key) = (edit.clone(), key.clone());
        let Loaded { version, code, .. } = blocking(&api.store, move |store| {
            let mut loaded = store.load(&loaded_key)?;
            // What was said of that version was not said of this one.
            loaded.code.settings.remove("annotations");
            edit(store, &mut loaded.code)?;
            check_assets(&loaded.code.entry, loaded.code.assets.as_ref(), &loaded.code.bindings)?;
            Ok::<_, Fault>(loaded)
        })
        .await?;
        // The files are the same, whatever else changes.
        let files = code.assets.is_some().then(|| Files::Version(version.clone()));
        let new =
            NewVersion { code, started: Started::default(), tags: tags.clone(), derived_from: Some(version), files };
        let written = match check {
            Check::Started => started(api, key.clone(), new).await?,
            Check::CarriedOver => carry_over(api, key.clone(), new).await,
        };
        match written {
            Err(DeployError::Store(StoreError::Conflict)) => {}
            other => return Ok(other?),
        }
    }
    Err(Fault::Busy)
}

/// Writes code without starting it apart.
async fn carry_over(api: &Api, key: ScriptKey, mut version: NewVersion) -> Result<Script, DeployError> {
    let (script, change) = writing(&api.store, move |store| {
        let current = store.script(&key)?.version;
        if version.derived_from != Some(current.id) {
            return Err(StoreError::Conflict);
        }
        version.started = current.started;
        store.deploy(&key, &version)
    })
    .await?;
    api.apply(&[change]).await;
    Ok(script)
}

/// Writes code that is started first, if there is any.
async fn started(api: &Api, key: ScriptKey, version: NewVersion) -> Result<Result<Script, DeployError>, Fault> {
    if version.code.entry != Entry::AssetsOnly {
        return Ok(deploy(&api.store, api.runtime()?, key, version).await);
    }
    match blocking(&api.store, move |store| store.deploy(&key, &version)).await {
        Ok((script, change)) => {
            api.apply(&[change]).await;
            Ok(Ok(script))
        }
        Err(error) => Ok(Err(error.into())),
    }
}

/// An upload that was read and judged, as far as that goes without the store.
#[derive(Clone)]
pub(super) struct Prepared {
    metadata: Arc<Metadata>,
    parts: Arc<[Part]>,
    entry: Entry,
    modules: Vec<Module>,
    strict: bool,
    deployed_from: &'static str,
}

/// Code made of an upload.
pub(super) struct Made {
    /// The code.
    pub(super) code: Code,
    /// The version that something of it was taken over from.
    pub(super) derived_from: Option<String>,
    /// Its static assets.
    pub(super) files: Option<Files>,
}

impl Prepared {
    /// Judges an upload. `strict` is of `inherit` bindings.
    pub(super) fn new(
        Upload { metadata, parts }: Upload,
        strict: bool,
        deployed_from: &'static str,
    ) -> Result<Self, Fault> {
        let entry = match &metadata.start {
            Some(start) => upload::entry(start, &parts)?,
            None if metadata.assets.are_named() && parts.is_empty() => Entry::AssetsOnly,
            None => return Err(upload::nothing_to_start()),
        };
        let modules = upload::modules(parts.clone(), &entry)?;
        Ok(Self { metadata: metadata.into(), parts: parts.into(), entry, modules, strict, deployed_from })
    }

    /// The tags that it gives the script.
    pub(super) fn tags(&self) -> Option<Vec<String>> {
        self.metadata.tags.clone()
    }

    /// The name of the module that it starts with.
    pub(super) fn entry_point(&self) -> Option<&str> {
        self.entry.name()
    }

    /// Looks up what its bindings name, and takes over what they inherit.
    pub(super) async fn make(&self, api: &Api, key: &ScriptKey) -> Result<Made, Fault> {
        let (upload, key) = (self.clone(), key.clone());
        let session = self.metadata.assets.session(api)?;
        blocking(&api.store, move |store| {
            let before = match store.load(&key) {
                Ok(loaded) => Some(loaded),
                Err(StoreError::ScriptNotFound) => None,
                Err(error) => return Err(error.into()),
            };
            let Self { metadata, parts, entry, modules, strict, deployed_from } = upload;
            let declared: &[Declared] = metadata.bindings.as_deref().unwrap_or_default();
            let keep: Vec<&str> = match &metadata.keep_bindings {
                Some(keep) => keep.iter().map(String::as_str).collect(),
                None => KEPT.to_vec(),
            };
            let resolution = resolve(
                store,
                declared,
                &Before {
                    key: &key,
                    code: before.as_ref().map(|loaded| &loaded.code),
                    module: &|part| upload::module_called(part, &parts),
                    keep: &keep,
                    strict,
                },
            )?;
            let (assets, files) = assets::resolve(store, &key, &metadata.assets, session, before.as_ref())?;
            check_assets(&entry, assets.as_ref(), &resolution.bindings)?;
            let mut settings = metadata.settings.clone();
            settings.retain(|_, setting| !setting.is_null());
            settings.insert(DEPLOYED_FROM.to_owned(), deployed_from.into());
            let code = Code {
                entry,
                modules,
                bindings: resolution.bindings,
                compatibility_date: metadata.compatibility_date.clone().unwrap_or_else(|| DEFAULT_DATE.to_owned()),
                compatibility_flags: metadata.compatibility_flags.clone().unwrap_or_default(),
                settings,
                assets,
            };
            // Even when nothing was there to be kept: by the time of writing there may be.
            let keeps = resolution.inherited || !keep.is_empty() || matches!(files, Some(Files::Version(_)));
            let derived_from = before.filter(|_| keeps).map(|loaded| loaded.version);
            Ok(Made { code, derived_from, files })
        })
        .await
    }

    /// Makes it the version that serves.
    pub(super) async fn deploy(&self, api: &Api, key: &ScriptKey) -> Result<Script, Fault> {
        let _turn = api.turns.take(key).await;
        for _ in 0..TRIES {
            let Made { code, derived_from, files } = self.make(api, key).await?;
            let new = NewVersion { code, started: Started::default(), tags: self.tags(), derived_from, files };
            match started(api, key.clone(), new).await? {
                // Deleted since: then there is nothing to keep.
                Err(DeployError::Store(StoreError::Conflict | StoreError::ScriptNotFound)) => {}
                other => return Ok(other?),
            }
        }
        Err(Fault::Busy)
    }
}
