"""The directories of TIFF files, which EXIF data is, too: read within bounds, whatever they say."""

import struct
from dataclasses import dataclass

from falco_core.photos.containers import Malformed

MOST_DIRECTORIES, MOST_ENTRIES = 64, 512
"""Of a file, and of a directory: more than any camera, scanner or editor writes."""
MOST_NUMBERS = 10**6
"""Values of a tag that are read: strips of a photo are fewer."""
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value, by its type."""
WIDTH, HEIGHT, SUBFILE, BITS, ORIENTATION = 256, 257, 254, 258, 274
REDUCED = 1
"""Bit of the subfile type: a reduced copy of another picture of the file."""


@dataclass(frozen=True)
class Entry:
    """A tag's value: its type, its count, and where its bytes lie in the file."""

    type: int
    count: int
    start: int
    end: int


@dataclass(frozen=True)
class Directory:
    """A directory: its entries by their tags, and its own stretch of the file."""

    entries: dict[int, Entry]
    start: int
    end: int


class Tiff:
    """A TIFF file's directories, the first of which is the picture. Raises Malformed if there is more to it than a
    photo may have, or if it does not keep to the rules.
    """

    def __init__(self, data: bytes, *, lenient: bool = False) -> None:
        """lenient: only the first directory is read, without the values that cannot be."""
        if data[:4] in (b"II*\0", b"II+\0"):
            self._order = "<"
        elif data[:4] in (b"MM\0*", b"MM\0+"):
            self._order = ">"
        else:
            raise Malformed("no TIFF header")
        self._data = data
        self._big = data[2:4] in (b"+\0", b"\0+")
        self.header = 16 if self._big else 8
        self._lenient = lenient
        self.directories = self._all()

    def numbers(self, directory: Directory, tag: int) -> tuple[int, ...]:
        """The whole numbers that a tag holds; empty if it is not there or holds others."""
        entry = directory.entries.get(tag)
        code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}.get(entry.type) if entry else None
        if entry is None or code is None or entry.count > MOST_NUMBERS:
            return ()
        return struct.unpack_from(f"{self._order}{entry.count}{code}", self._data, entry.start)

    def number(self, directory: Directory, tag: int, default: int = 0) -> int:
        """The first whole number that a tag holds."""
        found = self.numbers(directory, tag)
        return found[0] if found else default

    def _all(self) -> tuple[Directory, ...]:
        at = self._offset(self.header - (8 if self._big else 4))
        found: list[Directory] = []
        while at:
            if len(found) == MOST_DIRECTORIES or any(at == known.start for known in found):
                raise Malformed(f"more than {MOST_DIRECTORIES} directories")
            directory = self._directory(at)
            found.append(directory)
            if self._lenient:
                break
            at = self._offset(directory.end - (8 if self._big else 4))
        return tuple(found)

    def _directory(self, at: int) -> Directory:
        (count,) = self._read("Q" if self._big else "H", at)
        if count > MOST_ENTRIES:
            raise Malformed(f"more than {MOST_ENTRIES} entries in a directory")
        first, size = at + (8 if self._big else 2), 20 if self._big else 12
        entries: dict[int, Entry] = {}
        for place in range(first, first + count * size, size):
            tag, kind, values = self._read("HHQ" if self._big else "HHI", place)
            try:
                entries.setdefault(tag, self._entry(kind, values, place + size - (8 if self._big else 4)))
            except Malformed:
                if not self._lenient:
                    raise
        return Directory(entries, at, first + count * size + (8 if self._big else 4))

    def _entry(self, kind: int, count: int, place: int) -> Entry:
        length = SIZES.get(kind, 1) * count
        start = place if length <= (8 if self._big else 4) else self._offset(place)
        if start + length > len(self._data):
            raise Malformed("a value lies outside of the file")
        return Entry(kind, count, start, start + length)

    def _offset(self, place: int) -> int:
        (found,) = self._read("Q" if self._big else "I", place)
        return int(found)

    def _read(self, form: str, place: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(f"{self._order}{form}", self._data, place)
        except struct.error:
            raise Malformed("a directory lies outside of the file") from None


def orientation_of(exif: bytes) -> int:
    """The orientation that EXIF data names, 1 to 8; 1 if it cannot be read, as viewers do."""
    try:
        tiff = Tiff(exif.removeprefix(b"Exif\0\0"), lenient=True)
    except Malformed:
        return 1
    named = tiff.number(tiff.directories[0], ORIENTATION, 1) if tiff.directories else 1
    return named if 1 <= named <= 8 else 1
