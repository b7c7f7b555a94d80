"""Contact sheets as a safety check: pairs of photos before and after, those that most need a look first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TILE = 320
CAPTION = 42
GAP = 12
PAIRS_PER_ROW = 2
PAPER = (250, 250, 248)
INK = (40, 40, 40)
WARNING = (170, 40, 30)
OUTLINES = {"replaced": (40, 140, 70), "concealed": (210, 120, 20), "blanked": (210, 120, 20)}
"""Colour of the outline of a face by what it got."""


@dataclass(frozen=True)
class Outline:
    """A face's box [4] as shares of the photo's width and height, and its treatment (replaced, concealed, blanked)."""

    box: np.ndarray
    treatment: str


@dataclass(frozen=True)
class BeforeAfter:
    """One photo before and after (uint8 [H, W, 3]); `after` is None if it was withheld for `reason`.

    note: what became of its faces, in a line; outlines: what to draw around them.
    """

    name: str
    before: np.ndarray | None
    after: np.ndarray | None
    reason: str = ""
    note: str = ""
    outlines: tuple[Outline, ...] = field(default=())


def write_contact_sheets(folder: Path, pairs: Iterable[BeforeAfter], *, per_page: int) -> list[Path]:
    """Draw `pairs`, `per_page` to a page, into PNGs in `folder` (made if missing); a page at a time in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    iterator = iter(pairs)
    pages: list[Path] = []
    while chunk := list(islice(iterator, per_page)):
        pages.append(folder / f"page_{len(pages) + 1:03d}.png")
        draw_pairs(chunk).save(pages[-1], optimize=True)
    return pages


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] made small enough for its tile."""
    image = Image.fromarray(pixels)
    image.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def draw_pairs(pairs: Sequence[BeforeAfter]) -> Image.Image:
    """One page of pairs of photos."""
    rows = max(1, -(-len(pairs) // PAIRS_PER_ROW))
    width = PAIRS_PER_ROW * (2 * TILE + 2 * GAP) + GAP
    sheet = Image.new("RGB", (width, rows * (TILE + CAPTION + GAP) + GAP), PAPER)
    for number, pair in enumerate(pairs):
        row, column = divmod(number, PAIRS_PER_ROW)
        left = GAP + column * (2 * TILE + 2 * GAP)
        top = GAP + row * (TILE + CAPTION + GAP)
        _draw_pair(sheet, pair, left, top)
    return sheet


def draw_grid(pictures: Sequence[np.ndarray], columns: int = 4) -> Image.Image:
    """Thumbnails uint8 [H, W, 3] in rows, without a word."""
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    sheet = Image.new("RGB", (columns * (TILE + GAP) + GAP, rows * (TILE + GAP) + GAP), PAPER)
    for number, pixels in enumerate(pictures):
        row, column = divmod(number, columns)
        free = (TILE - pixels.shape[1]) // 2, (TILE - pixels.shape[0]) // 2
        sheet.paste(
            Image.fromarray(pixels), (GAP + column * (TILE + GAP) + free[0], GAP + row * (TILE + GAP) + free[1])
        )
    return sheet


def draw_pictures(pictures: Mapping[str, np.ndarray]) -> Image.Image:
    """Pictures uint8 [H, W, 3] side by side, each with its name below."""
    sheet = Image.new("RGB", (len(pictures) * (TILE + GAP) + GAP, TILE + CAPTION + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, (name, pixels) in enumerate(pictures.items()):
        left = GAP + number * (TILE + GAP)
        image = Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.BICUBIC)
        sheet.paste(image, (left, GAP))
        draw.text((left, GAP + TILE + 6), name, fill=INK, font=font)
    return sheet


def _draw_pair(sheet: Image.Image, pair: BeforeAfter, left: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    _place(sheet, pair.before, left, top, pair.outlines)
    _place(sheet, pair.after, left + TILE, top, pair.outlines)
    if pair.after is None:
        draw.rectangle((left + TILE, top, left + 2 * TILE - 1, top + TILE - 1), outline=WARNING)
        words = f"withheld\n{pair.reason}"
        draw.multiline_text((left + TILE + 12, top + 12), words, fill=WARNING, font=font)
    draw.text((left, top + TILE + 3), _shorten(pair.name, 80), fill=INK, font=font)
    draw.text((left, top + TILE + 21), _shorten(pair.note, 90), fill=INK, font=font)


def _place(sheet: Image.Image, pixels: np.ndarray | None, left: int, top: int, outlines: Sequence[Outline]) -> None:
    if pixels is None:
        return
    image = Image.fromarray(thumbnail(pixels))
    draw = ImageDraw.Draw(image)
    for outline in outlines:
        box = outline.box.reshape(2, 2) * image.size
        draw.rectangle([tuple(corner) for corner in box.tolist()], outline=OUTLINES[outline.treatment], width=2)
    sheet.paste(image, (left + (TILE - image.width) // 2, top + (TILE - image.height) // 2))


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
