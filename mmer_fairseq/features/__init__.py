"""Frozen encoders run once, and the store that their output lives in."""
