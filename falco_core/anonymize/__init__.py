"""Identity obfuscation and attribute preservation by direct optimization of W+ codes (FALCO)."""
