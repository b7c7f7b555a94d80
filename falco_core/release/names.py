"""Names in the release: photos keep theirs as far as any file system can hold them, or get opaque ones.

A name can be identity: of a person, a place, a date. `release.names: opaque` replaces names of files and folders by
digests under a secret of the project, so that nobody without it can try names; the tree's shape stays.
"""

import hashlib
import hmac
import os
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from falco_core.errors import ProjectError
from falco_core.photos.codec import output_name
from falco_core.photos.opening import SUFFIXES

LONGEST = 200
"""Bytes of a file's or folder's name in UTF-8: most file systems hold 255, and copies are given longer names."""
SECRET_BYTES = 32
DIGITS = 24
"""Hexadecimal digits of an opaque name: 96 bits."""
SHORT_DIGITS = 8
"""Of what tells a shortened or colliding name from others."""


def kept_names(formats: Mapping[str, str], photos: Iterable[str]) -> dict[str, str]:
    """The released name of each photo (path): its own, or one as near to it as can be.

    formats: released photo -> format of its file; photos: all photos, whose names are taken by nobody else. No two
    released names are the same to a file system that does not tell case or Unicode forms apart, none is another one's
    folder, no part of one is longer than LONGEST bytes. Whoever can keep its name comes first.
    """
    wanted = {photo: _shortened(output_name(photo, each)) for photo, each in formats.items()}
    folders = {_same(str(folder)) for name in wanted.values() for folder in PurePosixPath(name).parents}
    own = {_same(photo) for photo in photos}
    taken: set[str] = set()
    names: dict[str, str] = {}
    for photo, name in sorted(wanted.items(), key=lambda each: (each[0] != each[1], each[0])):
        chosen, number = name, 0
        while _same(chosen) in taken or _same(chosen) in folders or (chosen != photo and _same(chosen) in own):
            chosen = _told_apart(name, f"{photo}{number or ''}")
            number += 1
        taken.add(_same(chosen))
        names[photo] = chosen
    return names


def opaque_name(photo: str, released: str, secret: bytes) -> str:
    """The opaque name of a photo (path) that would be released as `released`: a digest for each part of its path.

    Photos of one folder stay together; the suffix is that of the format, in small letters.
    """
    parts = PurePosixPath(photo).parts
    hidden = [_digest("/".join(parts[: number + 1]), secret) for number in range(len(parts))]
    suffix = PurePosixPath(released).suffix.lower()
    return "/".join(hidden) + next((each[0] for each in SUFFIXES.values() if suffix in each), suffix)


def project_secret(path: Path) -> bytes:
    """The secret of the project's opaque names; made when there is none, readable by its owner alone.

    Raises ProjectError if the file holds something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        secret = path.read_bytes()
        if len(secret) != SECRET_BYTES:
            raise ProjectError(
                f"{path} is not the secret of opaque names: delete it, and all of these change"
            ) from None
        return secret
    with os.fdopen(descriptor, "wb") as file:
        secret = secrets.token_bytes(SECRET_BYTES)
        file.write(secret)
    return secret


def _same(name: str) -> str:
    """What file systems that tell neither case nor Unicode forms apart take a name for."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _digest(text: str, secret: bytes) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:DIGITS]


def _shortened(name: str) -> str:
    """A path of which no part is too long."""
    *folders, file = PurePosixPath(name).parts
    return "/".join([*(_short(folder, "") for folder in folders), _short(file, PurePosixPath(file).suffix)])


def _short(part: str, suffix: str) -> str:
    if len(part.encode()) <= LONGEST:
        return part
    suffix = suffix if len(suffix.encode()) <= 8 else ""
    tail = f"-{hashlib.sha256(part.encode()).hexdigest()[:SHORT_DIGITS]}{suffix}"
    return part.encode()[: LONGEST - len(tail.encode())].decode("utf-8", "ignore") + tail


def _told_apart(name: str, photo: str) -> str:
    """Another name like `name`, with a digest of the photo's path."""
    path = PurePosixPath(name)
    digits = hashlib.sha256(photo.encode()).hexdigest()[:SHORT_DIGITS]
    return _shortened(str(path.with_name(f"{path.stem}-{digits}{path.suffix}")))
