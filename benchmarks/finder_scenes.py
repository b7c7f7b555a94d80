"""Pictures for benchmarks/finder.py: rendered people in painted places with known faces, and pictures of nobody."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from falco_rendered.backdrops import BACKDROPS
from falco_rendered.parameters import Values, sample_latents
from falco_rendered.renderer import render_portrait

FACE = 0.26
"""Width of a face's box over the side of its portrait; its height is TALL times that."""
TALL = 1.4
KINDS = (
    "plain",
    "tiny",
    "small",
    "large",
    "tilted",
    "turned_90",
    "turned_180",
    "turned_270",
    "cut_left",
    "cut_right",
    "cut_top",
    "cut_bottom",
    "dark",
    "covered",
)
EYE = 0.1
"""Half the width of an eye over the face's: an eye whose middle is this far inside the photo is there as a whole."""
TURNED = {"turned_90": 90.0, "turned_180": 180.0, "turned_270": 270.0}


@dataclass(frozen=True)
class Person:
    """A portrait: colours and coverage float [S, S, 4] in 0..1, landmarks [5, 2] pixels, third of skin tones 0..2."""

    picture: np.ndarray
    landmarks: np.ndarray
    third: int


@dataclass(frozen=True)
class KnownFace:
    """A face in a scene: box [4] inside the photo, landmarks [5, 2], width in pixels before it was cut, its third.

    strip: what the photo's border left of it shows neither a whole eye nor nose and mouth: a cheek, a chin, a forehead.
    """

    box: np.ndarray
    landmarks: np.ndarray
    size: float
    third: int
    kind: str
    strip: bool


@dataclass(frozen=True)
class Picture:
    """A photo uint8 [H, W, 3] and its faces."""

    name: str
    pixels: np.ndarray
    faces: tuple[KnownFace, ...]


def people(count: int, *, size: int, seed: int) -> list[Person]:
    """Rendered portraits of independent people, the same number of each third of skin tones."""
    latents = sample_latents(8 * count, seed=seed)
    thirds = (Values(latents).skin_tone * 3).long().clamp(max=2)
    chosen = torch.cat([torch.nonzero(thirds == third)[: -(-count // 3), 0] for third in range(3)])[:count]
    made = []
    for index in chosen.tolist():
        render = render_portrait(latents[index : index + 1], size=size)
        both = torch.cat([(render.images[0] + 1) / 2, render.alpha[0]]).clamp(0, 1)
        made.append(Person(both.permute(1, 2, 0).numpy(), render.landmarks[0].numpy(), int(thirds[index])))
    return made


def scenes(count: int, crowd: list[Person], near: list[Person], *, seed: int) -> Iterator[Picture]:
    """Scenes of every kind in turn; `near` are larger portraits, for large faces."""
    for number in range(count):
        draw = np.random.Generator(np.random.Philox(key=[seed, number]))
        yield _scene(number, KINDS[number % len(KINDS)], crowd, near, draw)


def _scene(number: int, kind: str, crowd: list[Person], near: list[Person], draw: np.random.Generator) -> Picture:
    sides = [1600, 1600, 2400, 2400] if kind == "large" else [640] * 4 + [1000] * 5 + [1600] * 4 + [2400] * 2 + [4000]
    longest = int(draw.choice(sides))
    height, width = longest, round(longest * draw.uniform(0.6, 0.8))
    height, width = (height, width) if draw.random() < 0.3 else (width, height)
    photo = _place((width, height), draw)
    faces: list[KnownFace] = []
    for _ in range(2 if kind == "large" else 7):
        low, high = {"tiny": (12, 20), "small": (16, 40), "large": (300, 800)}.get(kind, (22, 360))
        size = math.exp(draw.uniform(math.log(low), math.log(min(high, 0.4 * min(height, width)))))
        pool = near if size > 150 else crowd
        face = _add(photo, faces, pool[draw.integers(len(pool))], size, kind, draw)
        if face and kind == "covered":
            _cover(photo, faces, face, crowd[draw.integers(len(crowd))], draw)
    light = draw.uniform(0.07, 0.5) if kind == "dark" else 1.0
    pixels = _noisy(photo * light, draw)
    return Picture(f"{number:03d}_{kind}_{longest}", pixels, tuple(faces))


def _place(size: tuple[int, int], draw: np.random.Generator) -> np.ndarray:
    name = sorted(BACKDROPS)[draw.integers(len(BACKDROPS))]
    small = BACKDROPS[name]((min(size[0], 1200), max(1, min(size[0], 1200) * size[1] // size[0])), draw)
    return cv2.resize(np.asarray(small, dtype=np.float32) / 255, size, interpolation=cv2.INTER_CUBIC)


def _noisy(photo: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    noise = draw.standard_normal(photo.shape[:2], dtype=np.float32)[:, :, None] * (3 / 255)
    pixels: np.ndarray = ((photo + noise).clip(0, 1) * 255).round().astype(np.uint8)
    return pixels


def _add(
    photo: np.ndarray, faces: list[KnownFace], person: Person, size: float, kind: str, draw: np.random.Generator
) -> KnownFace | None:
    """Put a person where nobody else's face is, if there is a place; adds to `faces`."""
    height, width = photo.shape[:2]
    angle = TURNED.get(kind, draw.uniform(25, 60) * draw.choice([-1, 1]) if kind == "tilted" else 0.0)
    patch, marks = _turned(person, size / FACE, angle)
    half = _half(size, angle)
    if (2 * half > [width, height]).any():
        return None
    for _ in range(30):
        spot = np.array([draw.uniform(half[0], width - half[0]), draw.uniform(half[1], height - half[1])])
        spot = _at_border(spot, half, kind, (width, height), draw)
        shift = np.round(spot - _middle(marks))
        whole = np.concatenate([spot - half, spot + half])
        area = np.concatenate([shift, shift + len(patch)])
        if any(_touch(area, face.box) or _touch(whole, face.box) for face in faces):
            continue
        _paste(photo, patch, shift)
        box = np.clip(whole, 0, [width, height, width, height])
        strip = _is_strip(marks + shift, size, (width, height))
        faces.append(KnownFace(box, marks + shift, size, person.third, kind, strip))
        return faces[-1]
    return None


def _at_border(
    spot: np.ndarray, half: np.ndarray, kind: str, size: tuple[int, int], draw: np.random.Generator
) -> np.ndarray:
    """Move the middle of a face so that a third to three quarters of it lies inside the photo."""
    if not kind.startswith("cut_"):
        return spot
    inside = draw.uniform(1 / 3, 0.75) * 2
    axis = 0 if kind in ("cut_left", "cut_right") else 1
    reach = half[axis] * (inside - 1)
    spot[axis] = reach if kind in ("cut_left", "cut_top") else size[axis] - reach
    return spot


def _is_strip(marks: np.ndarray, size: float, photo: tuple[int, int]) -> bool:
    """Whether of landmarks [5, 2] neither an eye as a whole nor the nose with a corner of the mouth is in the photo."""
    depth = np.minimum(marks, np.array(photo) - marks).min(axis=1)
    return bool(depth[:2].max() < EYE * size and (depth[2] < 0 or depth[3:].max() < 0))


def _cover(
    photo: np.ndarray, faces: list[KnownFace], face: KnownFace, person: Person, draw: np.random.Generator
) -> None:
    """Stand somebody of the same size in front of a face so that up to a third of it is hidden."""
    patch, marks = _turned(person, face.size / FACE, 0.0)
    half = _half(face.size, 0.0)
    side = draw.choice([-1.0, 1.0]) * draw.uniform(1.05, 1.3)
    spot = (face.box[:2] + face.box[2:]) / 2 + np.array([side * 2 * half[0], 0.5 * half[1]])
    box = np.concatenate([spot - half, spot + half])
    if (box[:2] < 0).any() or box[2] > photo.shape[1] or box[3] > photo.shape[0]:
        return
    shift = np.round(spot - _middle(marks))
    area = np.concatenate([shift, shift + len(patch)])
    if any(_touch(area, other.box) for other in faces if other is not face):
        return
    _paste(photo, patch, shift)
    faces.append(KnownFace(box, marks + shift, face.size, person.third, "covered", strip=False))


def _turned(person: Person, side: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The portrait at `side` pixels, turned counter-clockwise in a square that holds it all; its landmarks."""
    given = len(person.picture)
    scale = side / given
    picture = person.picture
    if scale < 1:
        shrunk = max(8, round(side))
        premultiplied = picture * np.concatenate([picture[..., 3:].repeat(3, 2), np.ones_like(picture[..., 3:])], 2)
        picture = cv2.resize(premultiplied, (shrunk, shrunk), interpolation=cv2.INTER_AREA)
        picture = np.concatenate([picture[..., :3] / np.maximum(picture[..., 3:], 1e-3), picture[..., 3:]], 2)
    out = math.ceil(side * (1.0 if angle == 0 else math.sqrt(2)))
    matrix = cv2.getRotationMatrix2D((len(picture) / 2 - 0.5, len(picture) / 2 - 0.5), angle, side / len(picture))
    matrix[:, 2] = matrix[:, 2] + (out / 2 - len(picture) / 2)
    patch = cv2.warpAffine(picture, matrix, (out, out), flags=cv2.INTER_LINEAR)
    own = person.landmarks * (len(picture) / given) - 0.5
    return patch, own @ matrix[:, :2].T + matrix[:, 2] + 0.5


def _half(size: float, angle: float) -> np.ndarray:
    """Half the sides of the box around a face of a width, turned."""
    turn = math.radians(angle)
    wide, tall = size / 2, size * TALL / 2
    return np.array(
        [
            math.hypot(wide * math.cos(turn), tall * math.sin(turn)),
            math.hypot(wide * math.sin(turn), tall * math.cos(turn)),
        ]
    )


def _middle(marks: np.ndarray) -> np.ndarray:
    middle: np.ndarray = (marks[:2].mean(0) + marks[3:].mean(0)) / 2
    return middle


def _touch(first: np.ndarray, second: np.ndarray) -> bool:
    return bool((np.minimum(first[2:], second[2:]) > np.maximum(first[:2], second[:2])).all())


def _paste(photo: np.ndarray, patch: np.ndarray, shift: np.ndarray) -> None:
    left, top = int(shift[0]), int(shift[1])
    height, width = photo.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + len(patch), width), min(top + len(patch), height)
    if x1 <= x0 or y1 <= y0:
        return
    part = patch[y0 - top : y1 - top, x0 - left : x1 - left]
    under = photo[y0:y1, x0:x1]
    photo[y0:y1, x0:x1] = under + (part[..., :3] - under) * part[..., 3:]


def nobody(count: int, *, seed: int, folder: Path | None = None) -> Iterator[Picture]:
    """Pictures without people: those of a folder, painted places, and drawings of shapes, texts and textures."""
    for path in sorted(folder.iterdir()) if folder else ():
        with Image.open(path) as image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        yield Picture(f"photo {path.name}", pixels, ())
    names = sorted(BACKDROPS)
    for number in range(count):
        draw = np.random.Generator(np.random.Philox(key=[seed, 10_000 + number]))
        longest = int(draw.choice([640, 1000, 1600]))
        size = (longest, round(longest * 0.75))
        if number % 3 < 2:
            name = names[number % len(names)]
            yield Picture(f"place {number} {name}", _noisy(_place(size, draw), draw), ())
        else:
            yield Picture(f"drawing {number}", _noisy(_drawing(size, draw), draw), ())


def _drawing(size: tuple[int, int], draw: np.random.Generator) -> np.ndarray:
    """Discs, ovals, pairs of dots, bars and letters in many sizes: what a face might be mistaken in."""
    image = Image.new("RGB", size, tuple(int(c) for c in draw.integers(0, 256, 3)))
    pen = ImageDraw.Draw(image)
    for _ in range(int(draw.integers(20, 90))):
        x, y = draw.uniform(0, size[0]), draw.uniform(0, size[1])
        r, tall = math.exp(draw.uniform(2, 5)), draw.uniform(0.6, 1.6)
        colour = tuple(int(c) for c in draw.integers(0, 256, 3))
        shape = draw.integers(5)
        if shape == 0:
            pen.ellipse((x - r, y - r * tall, x + r, y + r * tall), fill=colour)
        elif shape == 1:
            pen.rectangle((x - r, y - r * tall, x + r, y + r * tall), outline=colour, width=max(1, int(r / 8)))
        elif shape == 2:
            for side in (-1, 1):
                pen.ellipse((x + side * r / 2 - r / 6, y - r / 6, x + side * r / 2 + r / 6, y + r / 6), fill=colour)
        elif shape == 3:
            pen.line((x, y, x + r * 3, y + r * tall), fill=colour, width=max(1, int(r / 10)))
        else:
            pen.text((x, y), "".join(chr(c) for c in draw.integers(48, 122, 6)), fill=colour, font_size=max(8, r / 2))
    soft = image.filter(ImageFilter.GaussianBlur(draw.uniform(0, 4)))
    return np.asarray(soft, dtype=np.float32) / 255
