"""What a dead backend never got: drained, archived, handed over."""
