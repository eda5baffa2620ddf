-- Static assets. A manifest says which file is at which path; it is written once, by an upload session, and then shared
-- by the session and every version that has these files. What nothing refers to any more goes in the same transaction:
--
--   versions ──┐
--              ├─► asset_manifests ◄── asset_files ──► asset_blobs ◄── asset_chunks
--   asset_sessions ┘
CREATE TABLE asset_manifests (
    id INTEGER PRIMARY KEY AUTOINCREMENT
) STRICT;

-- What files hold, once for each scope (the namespace, or 0 for the account), under the name that the client gave it.
-- That name, the `hash`, is opaque: whoever uploads something under it first decides what it is. `size` and
-- `content_type` are there as soon as the content is; a row without them waits for an upload.
CREATE TABLE asset_blobs (
    id INTEGER PRIMARY KEY,
    scope INTEGER NOT NULL,
    hash TEXT NOT NULL,
    size INTEGER,
    content_type TEXT,
    UNIQUE (scope, hash)
) STRICT;

-- The content, in pieces, each with its SHA-256: so a part of a large file is read, and checked, without the rest.
CREATE TABLE asset_chunks (
    id INTEGER PRIMARY KEY,
    blob INTEGER NOT NULL REFERENCES asset_blobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (blob, number)
) STRICT;

-- `size` is what the session's manifest says.
CREATE TABLE asset_files (
    manifest INTEGER NOT NULL REFERENCES asset_manifests (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    blob INTEGER NOT NULL REFERENCES asset_blobs (id),
    size INTEGER NOT NULL,
    PRIMARY KEY (manifest, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_files_by_blob ON asset_files (blob, manifest);

-- The script need not exist yet, so it is named. Until it expires, a session holds what its manifest names: what was
-- found to be there when it began is still there when its files are deployed.
CREATE TABLE asset_sessions (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    namespace INTEGER REFERENCES namespaces (id) ON DELETE CASCADE,
    script TEXT NOT NULL,
    manifest INTEGER NOT NULL REFERENCES asset_manifests (id),
    expires_on INTEGER NOT NULL
) STRICT;
CREATE INDEX asset_sessions_by_namespace ON asset_sessions (namespace);
CREATE INDEX asset_sessions_by_manifest ON asset_sessions (manifest);
CREATE INDEX asset_sessions_by_expiry ON asset_sessions (expires_on);

-- `assets` says how the files are served.
ALTER TABLE versions ADD COLUMN assets TEXT;
ALTER TABLE versions ADD COLUMN asset_manifest INTEGER REFERENCES asset_manifests (id)
    CHECK ((assets IS NULL) = (asset_manifest IS NULL));
CREATE INDEX versions_by_asset_manifest ON versions (asset_manifest) WHERE asset_manifest IS NOT NULL;

CREATE TRIGGER asset_manifests_go_with_their_last_version AFTER DELETE ON versions
WHEN OLD.asset_manifest IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM versions WHERE asset_manifest = OLD.asset_manifest)
    AND NOT EXISTS (SELECT 1 FROM asset_sessions WHERE manifest = OLD.asset_manifest)
BEGIN
    DELETE FROM asset_manifests WHERE id = OLD.asset_manifest;
END;

CREATE TRIGGER asset_manifests_go_with_their_session AFTER DELETE ON asset_sessions
WHEN NOT EXISTS (SELECT 1 FROM versions WHERE asset_manifest = OLD.manifest)
BEGIN
    DELETE FROM asset_manifests WHERE id = OLD.manifest;
END;

CREATE TRIGGER asset_blobs_are_collected AFTER DELETE ON asset_files
WHEN NOT EXISTS (SELECT 1 FROM asset_files WHERE blob = OLD.blob)
BEGIN
    DELETE FROM asset_blobs WHERE id = OLD.blob;
END;
