"""Measurements, each a command whose output is kept beside it."""
