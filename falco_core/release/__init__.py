"""The public folder: the one room that may write what leaves the house."""
