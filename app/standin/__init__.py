"""What a garage without internet lacks: files, and the peers of units."""
