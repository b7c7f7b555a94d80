"""Reading folders of photos, and writing the release."""
