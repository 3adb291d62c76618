"""Recordings as files: kept whole, read from others, replayed and judged."""
