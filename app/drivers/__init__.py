"""Vendor code and nothing else: one file per local protocol, none knows another."""
