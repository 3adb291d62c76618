"""Scripted proofs of a charger: cases, verdicts, prompts."""
