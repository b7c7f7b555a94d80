"""The before/after contact sheet: pairs of photos side by side, names and outcomes below."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TILE = 320
CAPTION = 24
GAP = 12
PAIRS_PER_ROW = 2
PAPER = (250, 250, 248)
INK = (40, 40, 40)
WARNING = (170, 40, 30)


@dataclass(frozen=True)
class BeforeAfter:
    """One photo before and after (uint8 [H, W, 3]); `after` is None if it was withheld for `reason`."""

    name: str
    before: np.ndarray | None
    after: np.ndarray | None
    reason: str = ""


def write_contact_sheet(path: Path, pairs: Sequence[BeforeAfter]) -> None:
    """Draw `pairs`, two to a row, into a PNG at `path`."""
    rows = max(1, -(-len(pairs) // PAIRS_PER_ROW))
    width = PAIRS_PER_ROW * (2 * TILE + 2 * GAP) + GAP
    sheet = Image.new("RGB", (width, rows * (TILE + CAPTION + GAP) + GAP), PAPER)
    for number, pair in enumerate(pairs):
        row, column = divmod(number, PAIRS_PER_ROW)
        left = GAP + column * (2 * TILE + 2 * GAP)
        top = GAP + row * (TILE + CAPTION + GAP)
        _draw_pair(sheet, pair, left, top)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] made small enough for its tile."""
    image = Image.fromarray(pixels)
    image.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _draw_pair(sheet: Image.Image, pair: BeforeAfter, left: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    _place(sheet, pair.before, left, top)
    _place(sheet, pair.after, left + TILE, top)
    if pair.after is None:
        draw.rectangle((left + TILE, top, left + 2 * TILE - 1, top + TILE - 1), outline=WARNING)
        words = f"withheld\n{pair.reason}"
        draw.multiline_text((left + TILE + 12, top + 12), words, fill=WARNING, font=font)
    draw.text((left, top + TILE + 4), _shorten(pair.name, 60), fill=INK, font=font)


def _place(sheet: Image.Image, pixels: np.ndarray | None, left: int, top: int) -> None:
    if pixels is None:
        return
    image = Image.fromarray(thumbnail(pixels))
    sheet.paste(image, (left + (TILE - image.width) // 2, top + (TILE - image.height) // 2))


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
