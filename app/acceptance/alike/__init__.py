"""What cases of every OCPP version do and judge alike; the versions' own words and clauses come from them."""
