"""EXIF blocks as cameras write them, with the things that must not get into a release: place, time, thumbnail."""

import struct
from io import BytesIO

from PIL import Image

_SHORT, _LONG, _ASCII, _RATIONAL = 3, 4, 2, 5


def exif_block(picture: Image.Image, *, orientation: int = 1, place: bool = True) -> bytes:
    """An EXIF block (little endian) with camera, time, orientation, GPS position and a JPEG thumbnail.

    Pillow writes no thumbnails, so the block is put together here; tag numbers are those of EXIF 2.3. The position
    is a point in the open Atlantic.
    """
    stored = BytesIO()
    small = picture.copy()
    small.thumbnail((160, 120))
    small.convert("RGB").save(stored, "JPEG", quality=70)
    thumbnail = stored.getvalue()
    first = [
        _entry(0x010F, _ASCII, b"Falco demo\0"),
        _entry(0x0110, _ASCII, b"Rendered scene\0"),
        _entry(0x0112, _SHORT, struct.pack("<H", orientation)),
        _entry(0x0132, _ASCII, b"2020:06:15 14:30:00\0"),
    ]
    where = [
        _entry(0x0001, _ASCII, b"N\0"),
        _entry(0x0002, _RATIONAL, struct.pack("<6I", 43, 1, 17, 1, 3120, 100)),
        _entry(0x0003, _ASCII, b"W\0"),
        _entry(0x0004, _RATIONAL, struct.pack("<6I", 38, 1, 42, 1, 550, 100)),
    ]
    start = 8
    if place:
        first.append(_entry(0x8825, _LONG, struct.pack("<I", 0)))
        first[-1] = _entry(0x8825, _LONG, struct.pack("<I", start + _length(first)))
    head = _directory(first, start, follow=start + _length(first) + (_length(where) if place else 0))
    body = _directory(where, start + len(head), follow=0) if place else b""
    at = start + len(head) + len(body)
    last = [
        _entry(0x0103, _SHORT, struct.pack("<H", 6)),
        _entry(0x0201, _LONG, struct.pack("<I", 0)),
        _entry(0x0202, _LONG, struct.pack("<I", len(thumbnail))),
    ]
    last[1] = _entry(0x0201, _LONG, struct.pack("<I", at + _length(last)))
    tail = _directory(last, at, follow=0)
    return b"Exif\0\0" + b"II*\0" + struct.pack("<I", start) + head + body + tail + thumbnail


_Entry = tuple[int, int, int, bytes]


def _entry(tag: int, kind: int, data: bytes) -> _Entry:
    size = {_SHORT: 2, _LONG: 4, _ASCII: 1, _RATIONAL: 8}[kind]
    return tag, kind, len(data) // size, data


def _length(entries: list[_Entry]) -> int:
    """Bytes of a directory with the data that does not fit into its entries."""
    return 2 + 12 * len(entries) + 4 + sum(len(data) for *_, data in entries if len(data) > 4)


def _directory(entries: list[_Entry], start: int, *, follow: int) -> bytes:
    """One image file directory that begins at `start`; `follow` is where the next one begins, or 0."""
    head, data = struct.pack("<H", len(entries)), b""
    free = start + 2 + 12 * len(entries) + 4
    for tag, kind, count, content in entries:
        head += struct.pack("<HHI", tag, kind, count)
        if len(content) > 4:
            head += struct.pack("<I", free + len(data))
            data += content
        else:
            head += content.ljust(4, b"\0")
    return head + struct.pack("<I", follow) + data
