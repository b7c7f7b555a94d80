"""Finding faces, cropping them, and putting new ones back."""
