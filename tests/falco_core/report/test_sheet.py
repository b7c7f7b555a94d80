from pathlib import Path

import numpy as np
from PIL import Image

from falco_core.report import BeforeAfter, Outline, write_contact_sheets
from falco_core.report.sheet import GAP, OUTLINES, TILE

GREY = np.full((200, 300, 3), 128, dtype=np.uint8)


def test_there_are_as_many_pages_as_needed(tmp_path: Path) -> None:
    pages = write_contact_sheets(tmp_path, (BeforeAfter(f"{n}.jpg", GREY, GREY) for n in range(7)), per_page=3)
    assert [page.name for page in pages] == ["page_001.png", "page_002.png", "page_003.png"]
    assert sorted(tmp_path.iterdir()) == pages
    heights = [Image.open(page).height for page in pages]
    assert heights[0] == heights[1] > heights[2]


def test_no_photos_make_no_page(tmp_path: Path) -> None:
    assert write_contact_sheets(tmp_path / "sheets", [], per_page=3) == []
    assert (tmp_path / "sheets").is_dir()


def test_outlines_are_drawn_where_the_faces_are(tmp_path: Path) -> None:
    box = np.array([0.25, 0.25, 0.5, 0.75])
    pair = BeforeAfter("a.jpg", GREY, GREY, outlines=(Outline(box, "concealed"),))
    (page,) = write_contact_sheets(tmp_path, [pair], per_page=1)
    pixels = np.asarray(Image.open(page))
    # 300 x 200 pixels in a square tile, before and after.
    for left in (GAP, GAP + TILE):
        x, y = left + (TILE - 300) // 2 + 75, GAP + (TILE - 200) // 2 + 100
        assert tuple(pixels[y, x]) == OUTLINES["concealed"]
        assert tuple(pixels[y, x + 30]) == (128, 128, 128)


def test_a_withheld_photo_shows_no_after(tmp_path: Path) -> None:
    (page,) = write_contact_sheets(tmp_path, [BeforeAfter("a.jpg", GREY, None, "leftover_face")], per_page=1)
    pixels = np.asarray(Image.open(page))
    after = pixels[GAP + 60 : GAP + TILE - 4, GAP + TILE + 4 : GAP + 2 * TILE - 4]
    assert (after == pixels[0, 0]).all()
