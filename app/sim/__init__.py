"""Simulated chargers on loopback: real servers with state and with faults."""
