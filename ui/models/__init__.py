"""Qt models: batches in, rows out."""
