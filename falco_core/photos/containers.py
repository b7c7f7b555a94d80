"""The containers that photos come in, as their parts: what a file holds besides its picture."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

JPEG_ALONE = frozenset((0x01, 0xD8, 0xD9, *range(0xD0, 0xD8)))
"""Markers without a payload: TEM, SOI, EOI, RST0 to RST7."""
MOST_PARTS = 200_000
"""Parts of a file that are looked at: no photo has nearly as many (JPEG scans and PNG's IDAT chunks included)."""


class Malformed(ValueError):
    """A file does not keep to its container's rules; the message says where."""


@dataclass(frozen=True)
class Part:
    """A part of a file: its kind (see the walkers), and where its payload lies, in bytes from the file's start."""

    kind: str
    start: int
    end: int

    def of(self, data: bytes) -> bytes:
        """The payload."""
        return data[self.start : self.end]


def jpeg_parts(data: bytes) -> Iterator[Part]:
    """The parts of a JPEG file: markers by their code (`E1`), `scan` (entropy-coded data), `filler` and `trailing`.

    filler: bytes between two parts that belong to none; trailing: whatever follows the end marker. Raises Malformed.
    """
    at = 0
    for _ in range(MOST_PARTS):
        marker = _marker_from(data, at)
        if marker is None:
            if at < len(data):
                yield Part("filler", at, len(data))
            return
        if marker > at:
            yield Part("filler", at, marker)
        code, at = data[marker + 1], marker + 2
        if code in JPEG_ALONE:
            yield Part(f"{code:02X}", at, at)
            if code == 0xD9:
                break
            continue
        if at + 2 > len(data):
            raise Malformed("a segment is cut off")
        (length,) = struct.unpack_from(">H", data, at)
        if length < 2 or at + length > len(data):
            raise Malformed("a segment is longer than the file")
        yield Part(f"{code:02X}", at + 2, at + length)
        at += length
        if code == 0xDA:
            end = _scan_end(data, at)
            yield Part("scan", at, end)
            at = end
    else:
        raise Malformed("more parts than a photo has")
    if at < len(data):
        yield Part("trailing", at, len(data))


def png_chunks(data: bytes) -> Iterator[Part]:
    """The chunks of a PNG file by their names, then `trailing` bytes; raises Malformed."""
    at = 8
    for _ in range(MOST_PARTS):
        if at + 12 > len(data):
            raise Malformed("the end chunk is missing")
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise Malformed("a chunk is longer than the file")
        kind = name.decode("latin-1")
        yield Part(kind, at + 8, at + 8 + length)
        at += 12 + length
        if kind == "IEND":
            break
    else:
        raise Malformed("more parts than a photo has")
    if at < len(data):
        yield Part("trailing", at, len(data))


def riff_chunks(data: bytes) -> Iterator[Part]:
    """The chunks of a RIFF file (WebP) by their names, then `trailing` bytes; raises Malformed."""
    if len(data) < 12:
        raise Malformed("the file is cut off")
    (size,) = struct.unpack_from("<I", data, 4)
    end, at = 8 + size, 12
    if end > len(data):
        raise Malformed("the file is cut off")
    for _ in range(MOST_PARTS):
        if at + 8 > end:
            break
        name, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise Malformed("a chunk is longer than the file")
        yield Part(name.decode("latin-1"), at + 8, at + 8 + length)
        at += 8 + length + length % 2
    else:
        raise Malformed("more parts than a photo has")
    if min(at, end) < len(data):
        yield Part("trailing", min(at, end), len(data))


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Part]:
    """The boxes (ISO base media: AVIF, HEIC) that lie in `data[start:end]`, by their types; raises Malformed."""
    at, stop = start, len(data) if end is None else end
    for _ in range(MOST_PARTS):
        if at == stop:
            return
        if at + 8 > stop:
            raise Malformed("a box is cut off")
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= stop:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        elif size == 0:
            size = stop - at
        if size < head or at + size > stop:
            raise Malformed("a box is longer than the file")
        yield Part(name.decode("latin-1"), at + head, at + size)
        at += size
    raise Malformed("more parts than a photo has")


def _marker_from(data: bytes, at: int) -> int | None:
    """Where the next marker begins; fill bytes (FF) before it are no part of it."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return None
        if data[at + 1] not in (0x00, 0xFF):
            return at
        at += 1


def _scan_end(data: bytes, at: int) -> int:
    """Where entropy-coded data ends: at the next marker that is no restart, or with the file."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return len(data)
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
