"""Colour profiles made from their published numbers."""

import struct

DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""X Y Z of red, green and blue, adapted to D50 (Apple's and Adobe's profiles)."""
D50 = (0.9642, 1.0, 0.8249)


def rgb_profile(primaries: tuple[tuple[float, ...], ...], gamma: float, text: bytes = b"a profile") -> bytes:
    """A display profile of three primaries and one gamma."""
    tags = {name: _xyz(value) for name, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))
    return _profile(b"RGB ", tags, text)


def grey_profile(gamma: float, text: bytes = b"a profile") -> bytes:
    """A profile of grey pictures."""
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)}, text)


def _profile(space: bytes, tags: dict[bytes, bytes], text: bytes) -> bytes:
    described = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" * 79
    tags = {b"desc": described, b"cprt": b"text\0\0\0\0" + text + b"\0", b"wtpt": _xyz(D50), **tags}
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        value += b"\0" * (-len(value) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(value))
        body += value
    header = struct.pack(">4x4sI4s4s4s", b"lcms", 0x02400000, b"mntr", space, b"XYZ ") + bytes(12) + b"acsp" + bytes(28)
    header += _xyz(D50)[8:] + bytes(48)
    data = header + table + body
    return struct.pack(">I", len(data)) + data[4:]


def _xyz(value: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(number * 65536) for number in value))


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
