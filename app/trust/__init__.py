"""Our own certificate authority, the certificates we show, and what others show us."""
