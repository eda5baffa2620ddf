//! The one way in which code comes to serve: start it apart, write it, tell the runtime.

use crate::runtime::{Runtime, StartError};
use crate::store::{NewVersion, Script, Store, StoreError};
use crate::worker::ScriptKey;

/// Code was not deployed; what served before goes on serving.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// It does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Deploys a version; what it is `started` with is found out here. When this comes back, new requests run it.
pub async fn deploy(
    store: &Store,
    runtime: &Runtime,
    key: ScriptKey,
    mut version: NewVersion,
) -> Result<Script, DeployError> {
    version.started = runtime.check(&version.code).await?;
    let (script, change) = writing(store, move |store| store.deploy(&key, &version)).await?;
    runtime.apply(&[change]).await;
    Ok(script)
}

/// Runs what writes to the store on a thread for what blocks. There is one writer: who waits for it, on a slow disk, takes no
/// thread from those who read.
pub(crate) async fn writing<T: Send + 'static>(store: &Store, work: impl FnOnce(&Store) -> T + Send + 'static) -> T {
    let _turn = store.turn_to_write().await;
    blocking(store, work).await
}

/// Runs what blocks on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(store: &Store, work: impl FnOnce(&Store) -> T + Send + 'static) -> T {
    let store = store.clone();
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(done) => done,
        Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
    }
}
