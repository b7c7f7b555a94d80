"""TIFF: one directory of the tags that a decoder needs, and the mark; not a byte that belongs to none of them."""

from collections.abc import Iterator

from falco_core.photos.containers import Malformed
from falco_core.photos.tiff import ORIENTATION, Directory, Tiff
from falco_core.release.mark import MARK

SUBFILE, STRIPS, STRIP_SIZES, TILES, TILE_SIZES, XMP = 254, 273, 279, 324, 325, 700
NEEDED = frozenset((256, 257, 258, 259, 262, 266, 277, 278, 284, 317, 320, 338, 339, 322, 323, 529, 530, 531, 532))
"""Size, bits, compression, photometric, fill order, samples, rows, planes, predictor, palette, alpha, format, tiles,
YCbCr.
"""
PLACES = frozenset((STRIPS, STRIP_SIZES, TILES, TILE_SIZES))
RESOLUTION = frozenset((282, 283, 296))
NAMED = {
    270: "a description",
    271: "the camera's maker",
    272: "the camera's model",
    305: "the name of a program",
    306: "a time",
    315: "an author",
    330: "more pictures",
    513: "a thumbnail",
    33432: "a copyright line",
    33723: "IPTC metadata",
    34377: "Photoshop metadata",
    34665: "EXIF metadata",
    34675: "a colour profile",
    34853: "GPS metadata",
}
ALIGNMENT = 16
"""Zero bytes that may lie between two parts."""


def findings(data: bytes) -> Iterator[str]:
    """What the file holds besides its picture and the mark; raises Malformed."""
    tiff = Tiff(data)
    if len(tiff.directories) != 1:
        yield f"{len(tiff.directories)} pages"
    for page in tiff.directories:
        for tag, entry in page.entries.items():
            plain = tag in NEEDED | PLACES | RESOLUTION
            upright = tag in (SUBFILE, ORIENTATION) and tiff.number(page, tag) == (1 if tag == ORIENTATION else 0)
            marked = tag == XMP and data[entry.start : entry.end] == MARK
            if not (plain or upright or marked):
                yield NAMED.get(tag, f"a tag that no viewer needs ({tag})")
    yield from _uncovered(data, tiff)


def _uncovered(data: bytes, tiff: Tiff) -> Iterator[str]:
    """Whether something lies between or behind the parts of the file."""
    parts = [(0, tiff.header)]
    for page in tiff.directories:
        parts += [(page.start, page.end), *((entry.start, entry.end) for entry in page.entries.values())]
        parts += _pictures(tiff, page)
    at = 0
    for start, end in sorted(parts):
        if start > at and (start - at > ALIGNMENT or any(data[at:start])):
            yield "bytes that belong to no part of the picture"
            return
        at = max(at, end)
    if at > len(data):
        raise Malformed("its picture lies outside of the file")
    if len(data) - at > ALIGNMENT or any(data[at:]):
        yield "bytes behind its end"


def _pictures(tiff: Tiff, page: Directory) -> list[tuple[int, int]]:
    found = []
    for places, sizes in ((STRIPS, STRIP_SIZES), (TILES, TILE_SIZES)):
        pairs = zip(tiff.numbers(page, places), tiff.numbers(page, sizes), strict=False)
        found += [(place, place + size) for place, size in pairs]
    return found
