-- One row per setting written by hand; on disk, as "intended", before the value is sent.
CREATE TABLE edits (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    unit_id TEXT NOT NULL,
    at TEXT NOT NULL,
    key TEXT NOT NULL,
    before TEXT,
    after TEXT NOT NULL,
    is_secret INTEGER NOT NULL,
    undo_limit TEXT NOT NULL,
    driver_id TEXT NOT NULL,
    claims TEXT NOT NULL,
    state TEXT NOT NULL,
    read_back TEXT,
    note TEXT NOT NULL
) STRICT;

CREATE INDEX edits_by_unit ON edits (unit_id, seq);
