"""SQLite: job events with full sync, traffic in batches."""
