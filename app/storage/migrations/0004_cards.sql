-- The authorisation list of this computer's own endpoint, what becomes of cards that are not in it, and the local list
-- each charger took last. Card numbers are personal data: they stand nowhere else in this file but in traffic.
CREATE TABLE cards (
    seq INTEGER PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    card TEXT NOT NULL
) STRICT;

CREATE TABLE card_mode (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    mode TEXT NOT NULL
) STRICT;

CREATE TABLE local_lists (
    identity TEXT PRIMARY KEY,
    list TEXT NOT NULL
) STRICT;
