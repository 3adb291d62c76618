-- What a trace keeps beside the frames: handshakes, knocks, endings, findings, human steps. Times as in traffic.
CREATE TABLE evidence (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    identity TEXT NOT NULL,
    connection INTEGER NOT NULL,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX evidence_at ON evidence (at);
