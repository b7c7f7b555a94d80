"""JPEG: the segments that a decoder needs, and the mark."""

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from falco_core.photos.containers import Part, jpeg_parts
from falco_core.release.mark import MARK

XMP = b"http://ns.adobe.com/xap/1.0/\0"
PICTURE = {"D8", "D9", "DA", "DB", "C4", "CC", "DD", "scan", *(f"C{n:X}" for n in (0, 1, 2, 9, 10))}
"""Start, end, scans, quantization, Huffman and arithmetic tables, restart interval, frames that viewers know."""
SLACK = 16
"""Bytes at the end of a sequential picture that must draw something."""
_NOISE = bytes((97, 13, 201, 54, 160, 7, 119, 230, 88, 171, 5, 214, 66, 143, 250, 31))
NAMED = {
    "E0": "an extended JFIF header or thumbnail",
    "E1": "EXIF or XMP metadata",
    "E2": "a colour profile or a second picture (APP2)",
    "ED": "IPTC or Photoshop metadata",
    "FE": "a comment",
    "filler": "bytes between its segments",
    "trailing": "bytes behind its end",
}


def findings(data: bytes) -> Iterator[str]:
    """What the file holds besides its picture and the mark; raises Malformed."""
    parts = list(jpeg_parts(data))
    kinds = [part.kind for part in parts]
    plain = True
    for part in parts:
        if part.kind in PICTURE:
            if part.kind in ("DB", "C4") and not _whole_tables(part, data):
                yield "bytes behind its tables"
        elif not _allowed(part.kind, part.of(data)):
            plain = False
            yield NAMED.get(part.kind, f"a segment that no viewer needs (marker FF{part.kind})")
    if kinds[:1] != ["D8"] or kinds[-1:] not in (["D9"], ["trailing"]):
        yield "no start or no end marker"
    for kind, name in (("D8", "start"), ("E0", "JFIF header"), ("E1", "block of metadata"), ("EE", "Adobe header")):
        if kinds.count(kind) > 1:
            yield f"more than one {name}"
    if plain and kinds.count("scan") == 1:
        yield from _behind_scan(data, next(part for part in parts if part.kind == "scan"))


def _allowed(kind: str, payload: bytes) -> bool:
    match kind:
        case "E0":
            # Identifier, version, density, and a thumbnail of no size.
            return len(payload) == 14 and payload[:5] == b"JFIF\0" and payload[12:] == b"\0\0"
        case "EE":
            return len(payload) == 12 and payload[:5] == b"Adobe" and payload[7:11] == bytes(4)
        case "E1":
            return payload == XMP + MARK
    return False


def _whole_tables(part: Part, data: bytes) -> bool:
    """Whether quantization or Huffman tables fill their segment."""
    at = part.start
    while at < part.end:
        if part.kind == "DB":
            at += 1 + 64 * (1 + (data[at] >> 4))
        else:
            if at + 17 > part.end:
                return False
            at += 17 + sum(struct.unpack_from("16B", data, at + 1))
    return at == part.end


def _behind_scan(data: bytes, scan: Part) -> Iterator[str]:
    """Whether the scan goes on when its picture is complete: then its last bytes may be any, and nothing changes.

    Of a progressive file, which falco does not write, this cannot be said: what its last scans add may be too little.
    """
    start = max(scan.start, scan.end - SLACK)
    while start > scan.start and data[start - 1] == 0xFF:
        start -= 1  # the byte behind FF belongs to it
    noisy = data[:start] + (_NOISE * 2)[: scan.end - start] + data[scan.end :]
    shown, changed = _pixels(data), _pixels(noisy)
    if shown is not None and changed is not None and np.array_equal(changed, shown):
        yield "bytes behind its picture data"


def _pixels(data: bytes) -> np.ndarray | None:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return None
