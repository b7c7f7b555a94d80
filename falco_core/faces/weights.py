"""Files of the finder's networks, read only with their known digests."""

import hashlib
from pathlib import Path

from falco_core.errors import BundleError


def checked_weights(path: Path, sha256: str, *, package: str, otherwise: str) -> bytes:
    """The file's bytes; raises BundleError if it cannot be read, or is not the one with this digest.

    package: what to reinstall then; otherwise: what a file with another digest is.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"the face finder's network {path} cannot be read ({error.strerror}): reinstall {package}"
        ) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BundleError(f"the face finder's network {path} is {otherwise}: reinstall {package}")
    return data
