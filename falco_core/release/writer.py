"""The release folder: composed photos and a manifest, swapped in as a whole."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from falco_core.errors import ProjectError
from falco_core.release.audit import audit_file
from falco_core.release.manifest import MANIFEST, Manifest

PHOTOS_FOLDER = "photos"
WRITTEN = 315532800
"""Time of every released photo: 1980-01-01, the earliest that archives can hold."""
OF_THE_NAME = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ)
"""What file systems answer when they cannot hold a name: one photo's trouble, not the release's."""


@dataclass(frozen=True)
class ReleaseFile:
    """A finished photo: its name in the release, the digest that it was judged with, its bytes; the photo that it was
    made of, and the digest of that.
    """

    name: str
    sha256: str
    data: bytes
    photo: str = ""
    original: str = ""


@dataclass(frozen=True)
class Written:
    """A file of the release, and what the audit found in it: with any finding it was not released."""

    file: ReleaseFile
    findings: tuple[str, ...]


def write_release(
    files: Iterable[ReleaseFile], target: Path, manifest: Callable[[Sequence[Written]], Manifest]
) -> list[Written]:
    """Write those `files` to `target` in which the audit finds nothing, replacing an earlier release.

    manifest: of what was written. Returns every file, without its bytes. Raises ProjectError if `target` holds
    something that is not a falco release, or if a file is not the judged one.
    """
    if not _may_be_replaced(target):
        raise ProjectError(f"{target} is not a falco release: move it away or choose another project folder")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / PHOTOS_FOLDER).mkdir(parents=True)
    written = [_write(file, partial / PHOTOS_FOLDER) for file in files]
    (partial / MANIFEST).write_text(manifest(written).text(), encoding="utf-8")
    # Two renames: whatever interrupts this, `target` is a whole release or none, never a half of each.
    before = target.with_name(f".{target.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if target.exists():
        target.replace(before)
    partial.replace(target)
    shutil.rmtree(before, ignore_errors=True)
    return written


def _write(file: ReleaseFile, folder: Path) -> Written:
    if hashlib.sha256(file.data).hexdigest() != file.sha256:
        raise ProjectError(f"{file.photo} is not the file that was judged: run `dvc repro --force compose`")
    path = folder / file.name
    try:
        findings = tuple(_findings(file, path, folder))
        if not findings:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
            # The times of files must not tell the order that they were written in, which is that of the originals.
            os.utime(path, (WRITTEN, WRITTEN))
    except OSError as error:
        if error.errno not in OF_THE_NAME:
            raise
        findings = (f"a name that cannot be written here ({error.strerror})",)
    return Written(replace(file, data=b""), findings)


def _findings(file: ReleaseFile, path: Path, folder: Path) -> Iterator[str]:
    """Why a file may not be released."""
    if Path(os.path.normpath(path)) != path or not path.is_relative_to(folder) or path == folder:
        yield "a name that leads out of the release"
    elif path.exists():
        yield "a name that another photo has"
    elif file.original and file.sha256 == file.original:
        yield "the original itself"
    yield from audit_file(file.data, name=file.name)


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
