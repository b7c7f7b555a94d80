"""Places that params.yaml names by an fsspec URL: a store, photos."""

from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem

from falco_core.errors import ParamsError, first_line


def is_url(place: str) -> bool:
    """Whether a place is named by a URL, not by a path."""
    return "://" in place


def open_place(place: str, key: str) -> tuple[Any, str]:
    """The fsspec file system of a place and the path in it; raises ParamsError, which names the `key` of params.yaml.

    Credentials and endpoints are the environment's, as fsspec takes them: git takes params.yaml up.
    """
    if not is_url(place):
        return LocalFileSystem(), place
    try:
        if urlsplit(place).password:
            raise ParamsError(f"{key}: a password has no place in params.yaml: let the environment name it")
        files, root = fsspec.url_to_fs(place)
    except (ValueError, ImportError, OSError, TypeError) as error:
        raise ParamsError(f"{key}: {place} cannot be opened: {first_line(error)}") from None
    return files, root
