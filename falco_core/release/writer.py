"""The release folder: composed photos and a manifest, swapped in as a whole."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

from falco_core.errors import ProjectError
from falco_core.judges.metrics import Faces, IdentityRecord, Judged, Mean, Photos, Rate

MANIFEST = "manifest.json"
PHOTOS_FOLDER = "photos"
WRITTEN = 315532800
"""Time of every released photo: 1980-01-01, the earliest that archives can hold."""


class Manifest(BaseModel):
    """manifest.json: how the release was made; nothing in it is derived from a single original."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    falco: str
    bundle: str
    params: str
    """Digest of the parameters that change results."""
    margin: float
    """Wanted cosine similarity to the original under the recogniser that was optimized against."""
    photos: Photos
    faces: Faces
    judges: Judged
    identity: tuple[IdentityRecord, ...]
    """How often each judge takes a released face for its original: protocol (network and threshold), n, interval."""
    first_attempts_recognised: Rate
    attribute_similarity: Mean


@dataclass(frozen=True)
class ReleaseFile:
    """A finished photo: its name in the release, the digest that it was judged with, its bytes."""

    name: str
    sha256: str
    data: bytes


def write_release(files: Iterable[ReleaseFile], target: Path, manifest: Manifest) -> None:
    """Write `files` to `target`, replacing an earlier release.

    Raises ProjectError if `target` holds something that is not a falco release, or if a file is not the judged one.
    """
    if not _may_be_replaced(target):
        raise ProjectError(f"{target} is not a falco release: move it away or choose another project folder")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / PHOTOS_FOLDER).mkdir(parents=True)
    for file in files:
        if hashlib.sha256(file.data).hexdigest() != file.sha256:
            raise ProjectError(f"{file.name} is not the file that was judged: run `dvc repro --force compose`")
        path = partial / PHOTOS_FOLDER / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        # The times of files must not tell the order that they were written in, which is that of the originals.
        os.utime(path, (WRITTEN, WRITTEN))
    text = json.dumps(manifest.model_dump(mode="json"), indent=2)
    (partial / MANIFEST).write_text(text + "\n", encoding="utf-8")
    # Two renames: whatever interrupts this, `target` is a whole release or none, never a half of each.
    before = target.with_name(f".{target.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if target.exists():
        target.replace(before)
    partial.replace(target)
    shutil.rmtree(before, ignore_errors=True)


def opaque_name(file: str) -> str:
    """A random name with the suffix of `file`: it says nothing of the original."""
    return secrets.token_hex(12) + PurePosixPath(file).suffix.lower()


def _may_be_replaced(target: Path) -> bool:
    """Whether nothing is there, an empty folder, or a release: other programs write a manifest.json as well."""
    if target.is_symlink() or not target.is_dir():
        return not (target.is_symlink() or target.exists())
    if not any(target.iterdir()):
        return True
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and "falco" in manifest
