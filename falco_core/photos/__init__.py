"""Photos as they come in: folders of them, codec, colour."""
