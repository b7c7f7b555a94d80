"""AVIF, as Pillow writes it: one picture, perhaps its alpha channel, and the mark."""

import struct
from collections.abc import Iterator

from falco_core.photos.containers import Malformed, boxes
from falco_core.release.mark import MARK

COLOUR, ALPHA, XMP = b"av01Color\0", b"av01Alpha\0", b"mimeXMP\0application/rdf+xml\0"
PROPERTIES = ("ispe", "pixi", "av1C", "colr", "auxC")
HANDLER = b"\0" * 8 + b"pict" + b"\0" * 13
"""Of pictures, without a name."""
IN_META = ("hdlr", "pitm", "iloc", "iinf", "iref", "iprp")
PICTURE_UNITS = frozenset((1, 2, 3, 4, 6, 7))
"""AV1's units of a picture: sequence header, delimiter, frame and tiles; 5 is metadata, 15 padding."""


def findings(data: bytes) -> Iterator[str]:
    """What the file holds besides its picture and the mark; raises Malformed."""
    try:
        yield from _findings(data)
    except (struct.error, IndexError):
        raise Malformed("a box is cut off") from None


def _findings(data: bytes) -> Iterator[str]:
    top = {box.kind: box for box in boxes(data)}
    if [box.kind for box in boxes(data)] != ["ftyp", "meta", "mdat"] or data[8:12] not in (b"avif", b"avis"):
        yield "boxes that no picture needs"
        return
    inner = list(boxes(data, top["meta"].start + 4, top["meta"].end))
    found = {box.kind: box for box in inner}
    if len(inner) != len(found) or set(found) - set(IN_META) or not {"iloc", "iinf", "iprp"} <= set(found):
        yield "metadata boxes that no picture needs"
        return
    if "hdlr" in found and found["hdlr"].of(data) != HANDLER:
        yield "a named handler"
    kinds = _items(data, found["iinf"].start, found["iinf"].end)
    if not set(kinds.values()) <= {COLOUR, ALPHA, XMP} or len(set(kinds.values())) != len(kinds):
        yield "EXIF metadata, a thumbnail or another item"
    yield from _properties(data, found["iprp"].start, found["iprp"].end)
    places = _places(found["iloc"].of(data))
    if sorted(places) != sorted(kinds):
        yield "an item without a name"
        return
    at = top["mdat"].start
    for start, end, item in sorted((*places[item], item) for item in places):
        if start != at:
            yield "bytes that belong to no part of the picture"
            return
        at = end
        if kinds[item] == XMP:
            if data[start:end] != MARK:
                yield "XMP metadata"
        elif not _only_picture(data[start:end]):
            yield "metadata or padding in its picture data"
    if at != top["mdat"].end:
        yield "bytes that belong to no part of the picture"


def _items(data: bytes, start: int, end: int) -> dict[int, bytes]:
    """Type and name of every item."""
    found = {}
    for box in boxes(data, start + 6, end):
        payload = box.of(data)
        if box.kind != "infe" or payload[0] != 2:
            raise Malformed("an item is not described as usual")
        found[struct.unpack_from(">H", payload, 4)[0]] = payload[8:]
    return found


def _properties(data: bytes, start: int, end: int) -> Iterator[str]:
    for box in boxes(data, start, end):
        if box.kind not in ("ipco", "ipma"):
            yield "properties that no picture needs"
        for each in boxes(data, box.start, box.end) if box.kind == "ipco" else ():
            if each.kind == "colr" and data[each.start : each.start + 4] != b"nclx":
                yield "a colour profile"
            elif each.kind not in PROPERTIES:
                yield f"a property that no viewer needs ({each.kind!r})"


def _places(iloc: bytes) -> dict[int, tuple[int, int]]:
    """Where each item lies: start and end."""
    if iloc[:6] != b"\0\0\0\0\x44\0":
        raise Malformed("items are not placed as usual")
    (count,) = struct.unpack_from(">H", iloc, 6)
    found = {}
    for number in range(count):
        item, _, extents, start, length = struct.unpack_from(">HHHII", iloc, 8 + 14 * number)
        if extents != 1:
            raise Malformed("items are not placed as usual")
        found[item] = (start, start + length)
    return found


def _only_picture(units: bytes) -> bool:
    """Whether AV1 data holds units of a picture and nothing else."""
    at = 0
    while at < len(units):
        head = units[at]
        if head >> 3 & 15 not in PICTURE_UNITS or not head & 2 or head & 0x80:
            return False
        at += 2 if head & 4 else 1
        size = shift = 0
        while True:
            size |= (units[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if not units[at - 1] & 128:
                break
            if shift > 28:
                return False
        at += size
    return at == len(units)
