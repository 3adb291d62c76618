"""Rehome's face: Qt only, no I/O."""
