"""PNG: the chunks that a decoder needs, and the mark."""

import struct
import zlib
from collections.abc import Iterator

from falco_core.photos.containers import Malformed, Part, png_chunks
from falco_core.release.mark import MARK

TEXT = b"XML:com.adobe.xmp\0\0\0\0\0"
"""What comes before the packet: keyword, not compressed, no language, no translation."""
NEEDED = ("IHDR", "PLTE", "IDAT", "IEND", "tRNS")
FIXED = {"sRGB": 1, "gAMA": 4}
"""Chunks of a canonical colour space, and their sizes."""
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
NAMED = {
    "iCCP": "a colour profile",
    "eXIf": "EXIF metadata",
    "tEXt": "text",
    "zTXt": "text",
    "iTXt": "text",
    "tIME": "a time",
    "acTL": "an animation",
    "trailing": "bytes behind its end",
}
_PIECE = 1 << 16


def findings(data: bytes) -> Iterator[str]:
    """What the file holds besides its picture and the mark; raises Malformed."""
    chunks = list(png_chunks(data))
    for chunk in chunks:
        payload = chunk.of(data)
        marked = chunk.kind == "iTXt" and payload == TEXT + MARK
        fixed = FIXED.get(chunk.kind) == len(payload)
        if not (chunk.kind in NEEDED or marked or fixed):
            yield NAMED.get(chunk.kind, f"a chunk that no viewer needs ({chunk.kind!r})")
        if chunk.kind != "trailing" and zlib.crc32(data[chunk.start - 4 : chunk.end]) != _checksum(chunk, data):
            yield f"a wrong checksum ({chunk.kind})"
    names = [chunk.kind for chunk in chunks]
    if names[:1] != ["IHDR"] or chunks[0].end - chunks[0].start != 13 or any(names.count(n) > 1 for n in NEEDED[:2]):
        raise Malformed("its header is no PNG header")
    if any(chunk.kind == "IEND" and chunk.end > chunk.start for chunk in chunks):
        yield "bytes in its end chunk"
    if names.count("iTXt") > 1:
        yield "more than one mark"
    yield from _around_the_picture(data, chunks)


def _checksum(chunk: Part, data: bytes) -> int:
    (found,) = struct.unpack_from(">I", data, chunk.end)
    return int(found)


def _around_the_picture(data: bytes, chunks: list[Part]) -> Iterator[str]:
    """Whether the compressed data is the picture's rows and nothing else."""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, chunks[0].start)
    row = -(-width * depth * CHANNELS.get(colour, 1) // 8) + 1
    inflate, rows = zlib.decompressobj(), 0
    try:
        for chunk in (each for each in chunks if each.kind == "IDAT"):
            pending = chunk.of(data)
            while pending and not inflate.eof:
                rows += len(inflate.decompress(pending, _PIECE))
                pending = inflate.unconsumed_tail
            if inflate.eof and (inflate.unused_data or pending):
                yield "bytes behind its picture data"
                return
            if rows > 2 * row * height + 64:
                break
    except zlib.error:
        raise Malformed("its picture data is damaged") from None
    if not inflate.eof or (not interlaced and rows != row * height):
        yield "more or less picture data than its picture has"
