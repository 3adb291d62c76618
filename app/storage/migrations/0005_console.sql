-- What was sent from the console and answered, newest last, and the requests kept as favourites. Secrets are masked.
CREATE TABLE exchanges (
    seq INTEGER PRIMARY KEY,
    identity TEXT NOT NULL,
    exchange TEXT NOT NULL
) STRICT;
CREATE INDEX exchanges_of ON exchanges (identity, seq);

CREATE TABLE favourites (
    seq INTEGER PRIMARY KEY,
    title TEXT NOT NULL UNIQUE,
    favourite TEXT NOT NULL
) STRICT;
