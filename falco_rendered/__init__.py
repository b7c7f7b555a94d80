"""Procedural portraits: parameters in, picture with exact landmarks and coverage out."""
