"""The networks in inference form. Images are RGB in [-1, 1]; each crops, resizes and normalizes them itself."""
