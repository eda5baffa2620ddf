-- One row: what the whole store shares.
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    serial INTEGER NOT NULL,
    -- A keyed hash that only the right key file gives; none before the first key.
    key_check BLOB
) STRICT;
INSERT INTO state (id, serial) VALUES (0, 0);

CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    created_on TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: an id is never given again, so a binding to a deleted namespace meets no other one.
CREATE TABLE namespaces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    trusted INTEGER NOT NULL,
    created_on TEXT NOT NULL,
    modified_on TEXT NOT NULL
) STRICT;

-- `scope` is what scripts are found by: the namespace, or 0 for the account. A UNIQUE over `namespace` would let
-- account Workers share names, since NULLs are distinct. `current` is set before the transaction ends.
CREATE TABLE scripts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace INTEGER REFERENCES namespaces (id),
    scope INTEGER NOT NULL GENERATED ALWAYS AS (ifnull(namespace, 0)) VIRTUAL,
    name TEXT NOT NULL,
    tag TEXT NOT NULL UNIQUE,
    current INTEGER NOT NULL REFERENCES versions (id) DEFERRABLE INITIALLY DEFERRED,
    serial INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    enabled INTEGER NOT NULL DEFAULT 0,
    previews_enabled INTEGER NOT NULL DEFAULT 0,
    created_on TEXT NOT NULL,
    modified_on TEXT NOT NULL,
    UNIQUE (scope, name)
) STRICT;
CREATE INDEX scripts_by_current ON scripts (current);

CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    script INTEGER NOT NULL REFERENCES scripts (id) ON DELETE CASCADE,
    uuid TEXT NOT NULL UNIQUE,
    number INTEGER NOT NULL,
    entry TEXT NOT NULL,
    compatibility_date TEXT NOT NULL,
    compatibility_flags TEXT NOT NULL,
    settings TEXT NOT NULL,
    started TEXT NOT NULL,
    etag TEXT NOT NULL,
    trusted INTEGER NOT NULL,
    created_on TEXT NOT NULL,
    UNIQUE (script, number)
) STRICT;

-- What modules hold, once for all that hold the same.
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    content BLOB NOT NULL
) STRICT;

CREATE TABLE modules (
    version INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    content_type TEXT NOT NULL,
    blob INTEGER NOT NULL REFERENCES blobs (id),
    PRIMARY KEY (version, position),
    UNIQUE (version, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX modules_by_blob ON modules (blob);

-- A blob goes with the last module that holds it, in the same transaction, whichever way that module went.
CREATE TRIGGER blobs_are_collected AFTER DELETE ON modules
WHEN NOT EXISTS (SELECT 1 FROM modules WHERE blob = OLD.blob)
BEGIN
    DELETE FROM blobs WHERE id = OLD.blob;
END;

-- Exactly one of `json` and `secret` is there.
CREATE TABLE bindings (
    version INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    json TEXT,
    secret BLOB,
    PRIMARY KEY (version, position),
    UNIQUE (version, name),
    CHECK ((json IS NULL) <> (secret IS NULL))
) STRICT, WITHOUT ROWID;

-- `scope` and `name` are the script's, which never change: with them a page of the scripts that have a tag is one
-- walk along `tags_by_name`.
CREATE TABLE tags (
    script INTEGER NOT NULL REFERENCES scripts (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    scope INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (script, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_name ON tags (scope, tag, name);

CREATE TABLE deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    script INTEGER NOT NULL REFERENCES scripts (id) ON DELETE CASCADE,
    version INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    -- NULL where it came with its version, which has them.
    settings TEXT,
    created_on TEXT NOT NULL
) STRICT;
CREATE INDEX deployments_by_script ON deployments (script);
CREATE INDEX deployments_by_version ON deployments (version);

CREATE TABLE kv_namespaces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL UNIQUE
) STRICT;

-- `value` is last: what a list reads stands before the pages that a long value spills to.
CREATE TABLE kv_entries (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES kv_namespaces (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    expiration INTEGER,
    metadata TEXT,
    value BLOB NOT NULL,
    UNIQUE (namespace, key)
) STRICT;
CREATE INDEX kv_entries_by_expiration ON kv_entries (expiration) WHERE expiration IS NOT NULL;
