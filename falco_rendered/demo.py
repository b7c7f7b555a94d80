"""The demo photos: rendered scenes, nobody real."""

from importlib.resources import files
from pathlib import Path


def demo_photos() -> Path:
    """The folder of demo photos that comes with the package."""
    return Path(str(files("falco_rendered"))) / "demo_photos"
