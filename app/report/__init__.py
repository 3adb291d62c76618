"""A job's events as HTML and JSON."""
