-- One row per job event; written with synchronous=FULL before anything is touched.
CREATE TABLE job_events (
    job_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    step TEXT,
    data TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE backups (
    job_id TEXT PRIMARY KEY,
    taken_at TEXT NOT NULL,
    snapshot TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE units (
    unit_id TEXT PRIMARY KEY,
    seen_at TEXT NOT NULL,
    unit TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Times are microseconds since 1970 UTC.
CREATE TABLE traffic (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    identity TEXT NOT NULL,
    connection INTEGER NOT NULL,
    direction TEXT NOT NULL,
    kind TEXT NOT NULL,
    uid TEXT NOT NULL,
    action TEXT NOT NULL,
    text TEXT NOT NULL,
    raw BLOB,
    notes TEXT NOT NULL
) STRICT;
CREATE INDEX traffic_identity ON traffic (identity, seq);
CREATE INDEX traffic_action ON traffic (action, seq);
CREATE INDEX traffic_kind ON traffic (kind, seq);
CREATE INDEX traffic_at ON traffic (at);

CREATE TABLE readings (
    unit_id TEXT NOT NULL,
    measurand TEXT NOT NULL,
    at INTEGER NOT NULL,
    connector INTEGER NOT NULL,
    phase TEXT NOT NULL,
    value REAL NOT NULL
) STRICT;
CREATE INDEX readings_series ON readings (unit_id, measurand, at);

CREATE TABLE states (
    unit_id TEXT NOT NULL,
    connector INTEGER NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    error TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX states_series ON states (unit_id, at);
