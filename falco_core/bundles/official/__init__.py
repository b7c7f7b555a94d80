"""The published checkpoints: where they are, and how they become a bundle."""
