-- What the bridge owes its backends. One row per charge point; Wh metered are those of sessions that have ended.
CREATE TABLE stations (
    station INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    delivered INTEGER NOT NULL,
    metered_wh INTEGER NOT NULL,
    dropped INTEGER NOT NULL
) STRICT;

-- Messages in the order in which they must go out.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    station INTEGER NOT NULL,
    uid TEXT NOT NULL,
    action TEXT NOT NULL,
    at TEXT NOT NULL,
    session TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    payload TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_of ON outbox (station, seq);

-- Sessions that run, or whose messages (the last of which is last_seq) still wait.
CREATE TABLE sessions (
    number TEXT PRIMARY KEY,
    station INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    session TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_open ON sessions (station) WHERE is_open = 1;

CREATE TABLE memory (
    station INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (station, key)
) STRICT, WITHOUT ROWID;
