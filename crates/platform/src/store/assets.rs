//! Static assets: upload sessions, the files of versions, and what the files hold.
//!
//! # How files come in
//! A client names all files of a version first: path, hash, size. That manifest makes a *session*, which knows what of
//! it is missing. Contents come in under their hashes, in any order, again if need be. When none is missing, a version
//! of the session's script may be deployed with these files; the manifest is the version's from then on, too.
//!
//! # What a hash is
//! A name, chosen by the client. Nothing here computes it or believes it: within a namespace, whoever uploads something
//! under a hash first decides what it is, and between namespaces nothing is shared. What is kept has its own checksums.
//!
//! # What is kept, and for how long
//! A content is kept while some manifest names it, and a manifest while a version or a session has it. A session has it
//! from its beginning to its expiry, so nothing that was promised to be there goes in between, whatever is deleted
//! meanwhile. The triggers of the schema do the collecting, in the transaction that takes the last reference away;
//! expired sessions are deleted when the store is opened, and a few with each new session.

use std::collections::HashSet;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use rusqlite::{OptionalExtension as _, Transaction};

use super::blobs::{Hash, hash};
use super::rows::{namespace_number, new_uuid, scope_number, unsigned};
use super::{AssetSession, AssetUpload, Files, ManifestEntry, Result, Store, StoreError};
use crate::assets::File;
use crate::worker::{Scope, ScriptKey};

/// How long a session is open, in seconds, and how long its files may be deployed once they are all there.
const OPEN: i64 = 3600;
/// How many expired sessions go with each new one.
const SWEPT: usize = 8;
/// How much of a content is kept, and checked, in one piece.
const CHUNK: u64 = 1 << 20;

/// The content of the hash ?2 in scope ?1: its row, whether it is there, and how long it is to be by the manifest ?3, no two
/// of whose files say different things of one hash. None if it does not name it. Left to itself, SQLite would go through
/// the whole manifest for each file.
const NAMED: &str = "
    SELECT id, size IS NOT NULL, (
        SELECT size FROM asset_files INDEXED BY asset_files_by_blob
        WHERE blob = asset_blobs.id AND manifest = ?3 LIMIT 1)
    FROM asset_blobs WHERE scope = ?1 AND hash = ?2";

impl Store {
    /// Begins an upload of files for a script, which need not exist yet. Paths are unique. `now` is in seconds since 1970,
    /// here and below.
    pub fn create_asset_session(&self, key: &ScriptKey, manifest: &[ManifestEntry], now: i64) -> Result<AssetSession> {
        let session = AssetSession { id: new_uuid(), expires_on: now.saturating_add(OPEN), missing: Vec::new() };
        self.write(|transaction| {
            is_there(transaction, key.scope)?;
            let (row, missing) = insert_manifest(transaction, key.scope, manifest)?;
            transaction
                .prepare_cached(
                    "INSERT INTO asset_sessions (uuid, namespace, script, manifest, expires_on)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((&session.id, namespace_number(key.scope), key.name.as_str(), row, session.expires_on))?;
            // Only now: what they had uploaded, this one need not upload again.
            delete_expired(transaction, now, SWEPT)?;
            Ok(AssetSession { missing, ..session })
        })
    }

    /// Keeps contents, all or none. One that is there already stays as it is.
    pub fn put_assets(&self, session: &str, uploads: &[AssetUpload], now: i64) -> Result<()> {
        let chunked: Vec<Vec<Hash>> =
            uploads.iter().map(|upload| chunks(&upload.content).map(hash).collect()).collect();
        self.write(|transaction| {
            let session = find_session(transaction, session, Some(now))?;
            for (upload, checksums) in uploads.iter().zip(&chunked) {
                put(transaction, &session, upload, checksums)?;
            }
            Ok(())
        })
    }

    /// If no file is missing: until when the files of a session may be deployed. Else none.
    pub fn complete_asset_session(&self, session: &str, now: i64) -> Result<Option<i64>> {
        let complete = self.read(|transaction| {
            let Session { manifest, .. } = find_session(transaction, session, Some(now))?;
            is_complete(transaction, manifest)
        })?;
        if !complete {
            return Ok(None);
        }
        self.write(|transaction| {
            // What is complete stays so.
            transaction
                .prepare_cached(
                    "UPDATE asset_sessions SET expires_on = max(expires_on, ?2) WHERE uuid = ?1 AND expires_on > ?3
                     RETURNING expires_on",
                )?
                .query_row((session, now.saturating_add(OPEN), now), |row| row.get(0))
                .optional()?
                .map_or(Err(StoreError::AssetSessionNotFound), |expires_on| Ok(Some(expires_on)))
        })
    }

    /// The signature of a token that speaks for a session.
    pub(crate) fn sign_asset_token(&self, signed: &[u8]) -> [u8; 32] {
        self.inner.vault.sign_asset_token(signed)
    }

    /// Whether the files of a session may be deployed to a script now; the error says why not.
    pub fn check_asset_session(&self, session: &str, key: &ScriptKey, now: i64) -> Result<()> {
        self.read(|transaction| deployable(transaction, session, key, Some(now)).map(drop))
    }

    /// A file of a version, by its path as a client means it: percent-decoded, beginning with `/`.
    pub fn asset(&self, version: &str, path: &str) -> Result<Option<File>> {
        self.read(|transaction| Ok(find(transaction, version, path)?.map(|(_, file)| file)))
    }

    /// Bytes of a file of a version, all or those of a range; what of the range lies behind the end is not there.
    pub fn asset_content(&self, version: &str, path: &str, range: Option<Range<u64>>) -> Result<Bytes> {
        self.read(|transaction| {
            let (blob, file) = find(transaction, version, path)?.ok_or(StoreError::AssetNotFound)?;
            let range = range.unwrap_or(0..file.size);
            read(transaction, blob, &file, range.start..range.end.min(file.size))
        })
    }
}

/// Deletes at most so many sessions that have expired.
pub(super) fn delete_expired(transaction: &Transaction<'_>, now: i64, most: usize) -> Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM asset_sessions
             WHERE id IN (SELECT id FROM asset_sessions WHERE expires_on <= ?1 ORDER BY expires_on LIMIT ?2)",
        )?
        .execute((now, i64::try_from(most).unwrap_or(i64::MAX)))?;
    Ok(())
}

/// The row of the manifest whose files a new version of a script is to have.
pub(super) fn manifest_of(transaction: &Transaction<'_>, key: &ScriptKey, script: i64, files: &Files) -> Result<i64> {
    match files {
        // That the token had not expired was seen before the code was started, which takes its time.
        Files::Session(session) => deployable(transaction, session, key, None),
        // It was current when the new one was made of it.
        Files::Version(version) => transaction
            .prepare_cached("SELECT asset_manifest FROM versions WHERE script = ?1 AND uuid = ?2")?
            .query_row((script, version), |row| row.get::<_, Option<i64>>(0))
            .optional()?
            .flatten()
            .ok_or(StoreError::Conflict),
    }
}

/// Says so when there is no such namespace, before the schema does.
fn is_there(transaction: &Transaction<'_>, scope: Scope) -> Result<()> {
    let Some(namespace) = namespace_number(scope) else { return Ok(()) };
    let there: bool = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM namespaces WHERE id = ?1)")?
        .query_row([namespace], |row| row.get(0))?;
    if there { Ok(()) } else { Err(StoreError::NamespaceNotFound) }
}

/// Writes a manifest; answers with its row, and with the hashes whose contents are not there yet, each once.
fn insert_manifest(
    transaction: &Transaction<'_>,
    scope: Scope,
    manifest: &[ManifestEntry],
) -> Result<(i64, Vec<(String, u64)>)> {
    transaction.execute("INSERT INTO asset_manifests DEFAULT VALUES", ())?;
    let row = transaction.last_insert_rowid();
    let mut known = transaction.prepare_cached("SELECT id, size FROM asset_blobs WHERE scope = ?1 AND hash = ?2")?;
    let mut wanted = transaction.prepare_cached("INSERT INTO asset_blobs (scope, hash) VALUES (?1, ?2)")?;
    let mut named =
        transaction.prepare_cached("INSERT INTO asset_files (manifest, path, blob, size) VALUES (?1, ?2, ?3, ?4)")?;
    let scope = scope_number(scope);
    let (mut missing, mut seen) = (Vec::new(), HashSet::new());
    for ManifestEntry { path, hash, size } in manifest {
        let found: Option<(i64, Option<i64>)> =
            known.query_row((scope, hash), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (blob, kept) = match found {
            Some((blob, size)) => (blob, size.is_some()),
            None => (wanted.insert((scope, hash))?, false),
        };
        if !kept && seen.insert(hash) {
            missing.push((hash.clone(), *size));
        }
        named.execute((row, path, blob, signed(*size)?))?;
    }
    Ok((row, missing))
}

struct Session {
    namespace: Option<i64>,
    script: String,
    manifest: i64,
}

/// A session; one that has expired at `now` is none.
fn find_session(transaction: &Transaction<'_>, session: &str, now: Option<i64>) -> Result<Session> {
    transaction
        .prepare_cached(
            "SELECT namespace, script, manifest FROM asset_sessions WHERE uuid = ?1 AND (?2 IS NULL OR expires_on > ?2)",
        )?
        .query_row((session, now), |row| {
            Ok(Session { namespace: row.get(0)?, script: row.get(1)?, manifest: row.get(2)? })
        })
        .optional()?
        .ok_or(StoreError::AssetSessionNotFound)
}

/// The row of a session's manifest, if it is this script's and nothing is missing.
fn deployable(transaction: &Transaction<'_>, session: &str, key: &ScriptKey, now: Option<i64>) -> Result<i64> {
    let Session { namespace, script, manifest } = find_session(transaction, session, now)?;
    if namespace != namespace_number(key.scope) || script != key.name.as_str() {
        return Err(StoreError::AssetSessionForeign);
    }
    if !is_complete(transaction, manifest)? {
        return Err(StoreError::AssetSessionIncomplete);
    }
    Ok(manifest)
}

fn is_complete(transaction: &Transaction<'_>, manifest: i64) -> Result<bool> {
    let missing: bool = transaction
        .prepare_cached(
            "SELECT EXISTS (
                SELECT 1 FROM asset_files AS f JOIN asset_blobs AS b ON b.id = f.blob
                WHERE f.manifest = ?1 AND b.size IS NULL)",
        )?
        .query_row([manifest], |row| row.get(0))?;
    Ok(!missing)
}

/// Keeps a content that the manifest of a session names, unless there is one.
fn put(transaction: &Transaction<'_>, session: &Session, upload: &AssetUpload, checksums: &[Hash]) -> Result<()> {
    let AssetUpload { hash, content_type, content } = upload;
    let named: Option<(i64, bool, Option<i64>)> = transaction
        .prepare_cached(NAMED)?
        .query_row((session.namespace.unwrap_or(0), hash, session.manifest), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((blob, kept, Some(size))) = named else { return Err(StoreError::AssetNotWanted(hash.clone())) };
    let (found, expected) = (content.len() as u64, unsigned(size)?);
    if found != expected {
        return Err(StoreError::AssetSize { hash: hash.clone(), expected, found });
    }
    if kept {
        return Ok(());
    }
    let mut insert = transaction
        .prepare_cached("INSERT INTO asset_chunks (blob, number, checksum, content) VALUES (?1, ?2, ?3, ?4)")?;
    for (number, (chunk, checksum)) in (0_i64..).zip(chunks(content).zip(checksums)) {
        insert.execute((blob, number, &checksum[..], chunk))?;
    }
    transaction.prepare_cached("UPDATE asset_blobs SET size = ?2, content_type = ?3 WHERE id = ?1")?.execute((
        blob,
        size,
        content_type,
    ))?;
    Ok(())
}

/// The pieces of a content; none of an empty one.
fn chunks(content: &[u8]) -> std::slice::Chunks<'_, u8> {
    content.chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX))
}

/// A file of a version, and the row of its content.
fn find(transaction: &Transaction<'_>, version: &str, path: &str) -> Result<Option<(i64, File)>> {
    let found = transaction
        .prepare_cached(
            "SELECT b.id, b.hash, b.size, b.content_type FROM versions AS v
                JOIN asset_files AS f ON f.manifest = v.asset_manifest AND f.path = ?2
                JOIN asset_blobs AS b ON b.id = f.blob
             WHERE v.uuid = ?1",
        )?
        .query_row((version, path), |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<i64>>(2)?, row.get(3)?)))
        .optional()?;
    let Some((blob, hash, size, content_type)) = found else { return Ok(None) };
    let size = size.ok_or_else(|| StoreError::Damaged(format!("the content of asset `{path}` is missing")))?;
    Ok(Some((blob, File { path: path.to_owned(), hash, size: unsigned(size)?, content_type })))
}

/// Reads a range of a content. What changed on the disk is not served.
fn read(transaction: &Transaction<'_>, blob: i64, file: &File, range: Range<u64>) -> Result<Bytes> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let damaged = || StoreError::Damaged(format!("the content of asset `{}` is not what was uploaded", file.path));
    let (first, last) = (range.start / CHUNK, (range.end - 1) / CHUNK);
    let mut statement = transaction.prepare_cached(
        "SELECT number, checksum, content FROM asset_chunks WHERE blob = ?1 AND number BETWEEN ?2 AND ?3
         ORDER BY number",
    )?;
    let mut rows = statement.query((blob, signed(first)?, signed(last)?))?;
    let mut bytes = BytesMut::new();
    let mut expected = first;
    while let Some(row) = rows.next()? {
        let content = row.get_ref(2)?.as_blob().map_err(StoreError::damaged)?;
        let checksum = row.get_ref(1)?.as_blob().map_err(StoreError::damaged)?;
        let begin = expected * CHUNK;
        let length = (file.size - begin).min(CHUNK);
        if row.get::<_, i64>(0)? != signed(expected)? || content.len() as u64 != length || hash(content) != checksum {
            return Err(damaged());
        }
        let within = |place: u64| usize::try_from(place.clamp(begin, begin + length) - begin).unwrap_or(usize::MAX);
        bytes.extend_from_slice(content.get(within(range.start)..within(range.end)).ok_or_else(damaged)?);
        expected += 1;
    }
    if expected == last + 1 { Ok(bytes.freeze()) } else { Err(damaged()) }
}

fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(StoreError::damaged)
}
