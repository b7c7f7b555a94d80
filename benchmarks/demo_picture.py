"""Draws docs/demo.jpg: photos of the demo before and after, in rows of one width.

python -m benchmarks.demo_picture DEMO docs/demo.jpg      # DEMO: the folder of `falco demo --out DEMO`
"""

import sys
from pathlib import Path

from PIL import Image, ImageOps

from falco_rendered.demo import demo_photos

ROWS = (
    ("beach.jpg", "living_room.jpg"),
    ("library.jpg", "park_bench.jpg", "brick_wall.jpg"),
    ("gallery_wall.jpg", "evening_lights.jpg", "office_window.png"),
    ("old_print.jpg", "cafe_table.jpg", "city_street.jpg"),
)
WIDTH, BETWEEN, GAP = 1500, 6, 14
"""Pixels: of a row, between before and after, between pairs."""


def main(demo: str, target: str) -> None:
    """Draw the released photos of a demo beside what they were."""
    rows = [_row([_pair(Path(demo), name) for name in names]) for names in ROWS]
    sheet = Image.new("RGB", (WIDTH, sum(row.height for row in rows) + GAP * (len(rows) - 1)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + GAP
    sheet.save(target, quality=88, optimize=True)


def _pair(demo: Path, name: str) -> tuple[Image.Image, Image.Image]:
    before, after = (
        ImageOps.exif_transpose(Image.open(path)) for path in (demo_photos() / name, _released(demo, name))
    )
    return before.convert("RGB"), after.convert("RGB")


def _released(demo: Path, name: str) -> Path:
    (found,) = (demo / "release").rglob(name)
    return found


def _row(pairs: list[tuple[Image.Image, Image.Image]]) -> Image.Image:
    """Pairs at one height, so that they fill the width."""
    shares = [before.width / before.height for before, _ in pairs]
    free = WIDTH - GAP * (len(pairs) - 1) - BETWEEN * len(pairs)
    height = int(free / (2 * sum(shares)))
    row, left = Image.new("RGB", (WIDTH, height), "white"), 0
    for (before, after), share in zip(pairs, shares, strict=True):
        width = round(share * height)
        for number, image in enumerate((before, after)):
            row.paste(image.resize((width, height), Image.Resampling.LANCZOS), (left + number * (width + BETWEEN), 0))
        left += 2 * width + BETWEEN + GAP
    return row


if __name__ == "__main__":
    main(*sys.argv[1:])
