"""BMP: a header, perhaps a palette, and rows."""

import struct
from collections.abc import Iterator

from falco_core.photos.containers import Malformed

HEADERS = (40, 108, 124)
"""Sizes of the information headers that are written today."""


def findings(data: bytes) -> Iterator[str]:
    """What the file holds besides its picture; raises Malformed."""
    try:
        size, reserved, offset, header, width, height, _, bits, packed = struct.unpack_from("<IIIIiiHHI", data, 2)
        (colours,) = struct.unpack_from("<I", data, 46)
    except struct.error:
        raise Malformed("the file is cut off") from None
    palette = 4 * (colours or (1 << bits if bits <= 8 else 0))
    masks = 12 if packed == 3 and header == 40 else 0
    rows = (width * bits + 31) // 32 * 4 * abs(height)
    if header not in HEADERS or reserved or packed not in (0, 3):
        yield "a header that is not plain"
    if offset != 14 + header + masks + palette:
        yield "bytes before its picture"
    if header == 124 and struct.unpack_from("<II", data, 14 + 112) != (0, 0):
        yield "a colour profile"
    if len(data) > offset + rows or size not in (0, len(data)):
        yield "bytes behind its picture"
