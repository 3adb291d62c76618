"""Experiments that tell apart causes which look alike."""
