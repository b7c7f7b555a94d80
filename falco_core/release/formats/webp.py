"""WebP: the chunks that a decoder needs, and the mark."""

from collections.abc import Iterator

from falco_core.photos.containers import riff_chunks
from falco_core.release.mark import MARK

PICTURE = ("VP8 ", "VP8L", "ALPH")
NAMED = {
    "ICCP": "a colour profile",
    "EXIF": "EXIF metadata",
    "XMP ": "XMP metadata",
    "ANIM": "an animation",
    "ANMF": "an animation",
    "trailing": "bytes behind its end",
}


def findings(data: bytes) -> Iterator[str]:
    """What the file holds besides its picture and the mark; raises Malformed."""
    kinds: list[str] = []
    for chunk in riff_chunks(data):
        kinds.append(chunk.kind)
        payload = chunk.of(data)
        header = chunk.kind == "VP8X" and len(payload) == 10 and payload[1:4] == bytes(3)
        marked = chunk.kind == "XMP " and payload == MARK
        if not (chunk.kind in PICTURE or header or marked):
            yield NAMED.get(chunk.kind, f"a chunk that no viewer needs ({chunk.kind!r})")
        if (chunk.end - chunk.start) % 2 and data[chunk.end : chunk.end + 1] not in (b"\0", b""):
            yield "bytes between its chunks"
    if any(kinds.count(kind) > 1 for kind in set(kinds)):
        yield "more than one chunk of a kind"
    if sum(kinds.count(kind) for kind in PICTURE[:2]) != 1:
        yield "no picture, or two"
