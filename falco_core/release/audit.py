"""The audit: every released file is opened again as bytes, and may hold its picture and the mark, nothing else.

    for finding in audit_folder(Path("release")): ...

A file is walked part by part (`release.formats`) against a list of what may be there, so what nobody has thought of is
a finding, too. What is hidden in the picture itself (steganography) it cannot see.
"""

import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from pydantic import ValidationError

from falco_core.errors import ProjectError, UnreadablePhoto
from falco_core.photos.codec import hidden_pixels
from falco_core.photos.containers import Malformed
from falco_core.photos.opening import SUFFIXES
from falco_core.release.formats import avif, bmp, jpeg, png, tiff, webp
from falco_core.release.manifest import MANIFEST, Manifest

MAGIC: tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], Iterator[str]]], ...] = (
    ("JPEG", lambda data: data[:3] == b"\xff\xd8\xff", jpeg.findings),
    ("PNG", lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", png.findings),
    ("WEBP", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", webp.findings),
    ("TIFF", lambda data: data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), tiff.findings),
    ("BMP", lambda data: data[:2] == b"BM", bmp.findings),
    ("AVIF", lambda data: data[4:12] in (b"ftypavif", b"ftypavis"), avif.findings),
)
"""The formats that falco releases: name, how a file of it begins, what it may hold."""
LOSSY = ("WEBP", "AVIF")
"""Formats that blur what is visible into what is not."""
BLUR = 16
"""Pixels around visible ones that a lossy encoder may colour: the side of its blocks."""
FAINT = 24
"""Levels by which hidden pixels of a lossy picture may differ."""


@dataclass(frozen=True)
class Finding:
    """Something in a folder that should not be handed on: which file (relative path), and what it holds."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def audit_file(data: bytes, *, name: str = "", max_pixels: int = 10**9) -> list[str]:
    """What a released photo holds besides its picture and the mark, in words; empty if nothing.

    name: its file name, whose suffix must be of its format; empty: not looked at. Larger pictures than max_pixels are
    not decoded.
    """
    known = next(((kind, walk) for kind, begins, walk in MAGIC if begins(data)), None)
    if known is None:
        return ["no picture of a format that falco releases"]
    kind, walk = known
    found = []
    if name and Path(name).suffix.lower() not in SUFFIXES[kind]:
        found.append(f"a name that is not of its format ({kind})")
    try:
        found += dict.fromkeys(walk(data))
    except Malformed as error:
        return [*found, f"damaged: {error}"]
    if not found:
        found += _hidden_colours(data, kind, max_pixels)
    return found


def audit_folder(folder: Path) -> Iterator[Finding]:
    """Everything in a folder tree that is no photo with nothing but its picture and the mark, and no manifest of falco.

    Raises ProjectError if there is no such folder.
    """
    if not folder.is_dir():
        raise ProjectError(f"{folder} is not a folder: name the folder that is to be handed on")
    for root, folders, files in os.walk(folder):
        for name in sorted(files + [each for each in folders if (Path(root) / each).is_symlink()]):
            path = Path(root) / name
            said = path.relative_to(folder).as_posix().encode("utf-8", "replace").decode()
            yield from (Finding(said, what) for what in _audit_path(path, said))
        folders.sort()


def _audit_path(path: Path, name: str) -> list[str]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return ["a link"]
    if not stat.S_ISREG(mode):
        return ["no file"]
    if path.name.startswith("."):
        return ["a hidden file"]
    try:
        data = path.read_bytes()
    except OSError as error:
        return [f"cannot be opened: {error.strerror}"]
    if name == MANIFEST:
        return _audit_manifest(data)
    return audit_file(data, name=name)


def _audit_manifest(data: bytes) -> list[str]:
    """Whether it is a manifest to the letter: a second value of a key would be lost on whoever reads it."""
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError:
        return ["no manifest of this version of falco"]
    same = json.loads(data) == manifest.model_dump(mode="json") and data == manifest.text().encode()
    return [] if same else ["more than a manifest holds"]


def _hidden_colours(data: bytes, kind: str, max_pixels: int) -> list[str]:
    try:
        channels = hidden_pixels(data, max_pixels=max_pixels)
    except UnreadablePhoto as error:
        return [f"cannot be decoded: {error.detail}"]
    if channels is None:
        return []
    pixels, alpha = channels
    hidden = alpha == 0
    if kind in LOSSY:
        around = np.ones((2 * BLUR + 1, 2 * BLUR + 1), dtype=np.uint8)
        hidden = cv2.erode(hidden.astype(np.uint8), around, borderValue=1) > 0
    values = pixels[hidden]
    spread = int((values.max(axis=0).astype(int) - values.min(axis=0)).max()) if len(values) else 0
    return ["colours where it is transparent"] if spread > (FAINT if kind in LOSSY else 0) else []
