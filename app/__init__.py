"""Rehome's core: finds, diagnoses, repoints and proves EV chargers. Knows no Qt."""

__version__ = "0.1.0"
