"""A folder of photos as users have them: good ones among all kinds of trouble."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

GOOD = {
    "open_sky.png": "open_sky.png",
    "beach.jpg": "beach.jpg",
    "turned/library.JPG": "library.jpg",
    "Straße & Café/büro am fenster.png": "office_window.png",
}
"""Name in the folder -> demo photo."""

WITHHELD = {
    "truncated.jpg": "undecodable",
    "text.jpg": "undecodable",
    "nothing.jpg": "empty_file",
    "landscape.png": "no_face_found",
    "animated.gif": "animated",
}
"""Name -> the reason (or reasons) it may be withheld with."""

CONCEALED = ("tiny face.png",)
"""Released, its face concealed."""

EITHER = ("sixteen bits.png", "inks.jpg")
"""Unusual but whole: released or withheld, as the pictures turn out."""


def make_folder(folder: Path, demo: Path) -> None:
    """Fill `folder` with copies of demo photos and with trouble."""
    for name, source in GOOD.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((demo / source).read_bytes())
    whole = (demo / "living_room.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("this is no photo\n")
    (folder / "nothing.jpg").touch()
    (folder / "notes.txt").write_text("belongs to the photos\n")
    slope = np.linspace(60, 200, 320, dtype=np.uint8)
    plain = Image.fromarray(np.stack([np.tile(slope, (240, 1))] * 3, axis=2))
    plain.save(folder / "landscape.png")
    portrait = ImageOps.exif_transpose(Image.open(demo / "open_sky.png")).convert("RGB")
    small = plain.copy()
    small.paste(portrait.resize((40, 40)), (100, 100))
    small.save(folder / "tiny face.png")
    frames = [portrait.resize((200, 200)), portrait.resize((200, 200)).rotate(3)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    grey = np.asarray(portrait.convert("L"), dtype=np.uint16) * 257
    Image.fromarray(grey).save(folder / "sixteen bits.png")
    portrait.convert("CMYK").save(folder / "inks.jpg", quality=92)


def shown(path: Path) -> Image.Image:
    """A photo as a viewer shows it."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(path.read_bytes())))
