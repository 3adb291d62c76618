"""Verdicts before anything is written: whether and how each charger of a site can be saved."""
