"""Photo-like scenes with rendered people: `python -m falco_rendered.scenes OUT` writes the demo photos."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from falco_rendered.backdrops import BACKDROPS
from falco_rendered.metadata import exif_block
from falco_rendered.parameters import PARAMETERS, sample_latents
from falco_rendered.renderer import render_portrait

_HEAD = 2.3 / 5.2  # height of a head in a portrait
_EYES = 1.8 / 5.2  # height of the eyes below its top
_INDEX = {parameter.name: index for index, parameter in enumerate(PARAMETERS)}


@dataclass(frozen=True)
class Person:
    """Who stands where: seed of the latents, eyes at a share of the photo, head height in pixels, chosen latents."""

    seed: int
    at: tuple[float, float]
    head: int
    latents: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Scene:
    """A demo photo; `light` holds the latents of the lamp (side, height, contrast, warmth, exposure)."""

    name: str
    place: str
    size: tuple[int, int]
    people: tuple[Person, ...]
    light: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    grain: float = 3.0
    exif: bool = False
    orientation: int = 1
    mode: str = "RGB"


def _person(seed: int, x: float, y: float, head: int, **latents: float) -> Person:
    return Person(seed, (x, y), head, tuple(latents.items()))


SCENES: tuple[Scene, ...] = (
    Scene(
        "living_room.jpg",
        "living_room",
        (1120, 800),
        (_person(101, 0.36, 0.42, 360, yaw=0.8), _person(102, 0.70, 0.38, 370, yaw=-0.8, male=-1, smiling=1)),
        light=(-1.0, 0.2, 0.5, 0.6, 0.2),
        exif=True,
    ),
    Scene(
        "city_street.jpg",
        "street",
        (800, 960),
        (_person(103, 0.5, 0.40, 430, smiling=1),),
        (0.6, 0.5, 0, 0, 0.3),
        exif=True,
    ),
    Scene(
        "park_bench.jpg",
        "park",
        (1200, 800),
        (_person(104, 0.33, 0.40, 350, yaw=0.5), _person(105, 0.66, 0.43, 340, yaw=-0.4, male=-1, bangs=1)),
        light=(0.8, 0.8, 0.3, 0.4, 0.5),
        exif=True,
    ),
    Scene(
        "open_sky.png",
        "sky",
        (640, 640),
        (_person(106, 0.5, 0.45, 320, male=-1),),
        (-0.6, 0.8, 0.8, 0, 0.6),
        grain=0,
    ),
    Scene("gallery_wall.jpg", "gallery", (900, 900), (_person(107, 0.46, 0.42, 420),), (0.8, 0.9, 0, 0.2, 0.2)),
    Scene(
        "evening_lights.jpg",
        "evening",
        (960, 720),
        (_person(108, 0.55, 0.44, 380),),
        (-0.9, -0.2, 1.0, 1.2, -0.8),
    ),
    Scene(
        "beach.jpg",
        "beach",
        (1280, 720),
        (
            _person(109, 0.20, 0.44, 290, yaw=0.5),
            _person(111, 0.80, 0.44, 295, yaw=-0.5, male=-1, long_hair=1),
            _person(110, 0.50, 0.48, 310),
        ),
        light=(0.5, 1.0, 0.8, 0.2, 0.8),
        exif=True,
    ),
    Scene(
        "library.jpg",
        "library",
        (820, 1000),
        (_person(112, 0.5, 0.42, 440),),
        (-1, 0.3, 0.6, 0.5, 0),
        orientation=6,
    ),
    Scene(
        "cafe_table.jpg",
        "cafe",
        (1120, 800),
        (
            _person(113, 0.30, 0.42, 350, yaw=0.7, male=-1, long_hair=1, mouth_open=1, smiling=1),
            _person(114, 0.68, 0.42, 340, yaw=-0.5),
        ),
        light=(0.7, 0.2, 0.4, 1.3, -0.2),
        orientation=3,
    ),
    Scene(
        "brick_wall.jpg",
        "bricks",
        (800, 1000),
        (_person(115, 0.5, 0.42, 440),),
        (-0.9, 0.6, 0.9, 0.5, 0.4),
        orientation=8,
    ),
    Scene("autumn_forest.jpg", "forest", (1000, 800), (_person(116, 0.45, 0.44, 420),), (0.4, 0.2, 0, 1.2, 0)),
    Scene(
        "office_window.png",
        "office",
        (720, 640),
        (_person(117, 0.45, 0.45, 330),),
        (0.9, 0.4, 0, -0.6, 0.3),
        grain=0,
        mode="P",
    ),
    Scene(
        "old_print.jpg",
        "gallery",
        (700, 840),
        (_person(118, 0.5, 0.44, 380),),
        (-0.5, 0.5, 0.5, 0, 0),
        grain=5,
        mode="L",
    ),
)


def _portrait(scene: Scene, person: Person) -> tuple[np.ndarray, np.ndarray]:
    """The person's colours [S, S, 3] and coverage [S, S, 1], 0..1, at the size wanted."""
    latents = sample_latents(1, seed=person.seed)
    lamp = ("light_side", "light_height", "light_contrast", "light_warmth", "exposure")
    calm = {name: 0.6 * float(latents[0, _INDEX[name]]) for name in ("yaw", "pitch", "roll")}
    plain = {"clothes_tint": min(float(latents[0, _INDEX["clothes_tint"]]), -0.6)}
    for name, value in {
        **calm,
        **plain,
        **dict(zip(lamp, scene.light, strict=True)),
        **dict(person.latents),
    }.items():
        latents[0, _INDEX[name]] = value
    size = 8 * round(person.head / _HEAD / 8)
    render = render_portrait(latents, size=size)
    colours = ((render.images[0] + 1) / 2).clamp(0, 1).permute(1, 2, 0).numpy()
    return colours, render.alpha[0, 0, :, :, None].numpy()


def _stand(
    photo: np.ndarray, colours: np.ndarray, cover: np.ndarray, at: tuple[float, float], glow: np.ndarray
) -> None:
    """Lay a person into the photo [H, W, 3] (0..1) with a little of the place's own colour on them."""
    height, width = photo.shape[:2]
    size = len(colours)
    left, top = round(at[0] * width - size / 2), round(at[1] * height - _EYES * size)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + size, width), min(top + size, height)
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    tinted = colours[part] * (0.86 + 0.14 * glow)
    photo[y0:y1, x0:x1] += (tinted - photo[y0:y1, x0:x1]) * cover[part]


def compose(scene: Scene) -> Image.Image:
    """The finished picture, upright."""
    draw = np.random.Generator(np.random.Philox(key=[2026, sum(person.seed for person in scene.people)]))
    backdrop = BACKDROPS[scene.place](scene.size, draw)
    photo = np.asarray(backdrop, dtype=np.float32) / 255
    photo = photo.copy()
    glow = photo.mean((0, 1)) / photo.mean()
    for person in scene.people:
        _stand(photo, *_portrait(scene, person), person.at, glow)
    photo = _lens(photo)
    if scene.grain:
        noise = draw.standard_normal(photo.shape[:2], dtype=np.float32)[:, :, None]
        noise = 0.7 * noise + 0.3 * draw.standard_normal(photo.shape, dtype=np.float32)
        photo = photo + noise * scene.grain / 255
    pixels = (photo.clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(pixels)


def _lens(photo: np.ndarray) -> np.ndarray:
    """A lens's slight softness, glow of bright parts, and darker corners."""
    height, width = photo.shape[:2]
    plain = Image.fromarray((photo.clip(0, 1) * 255).round().astype(np.uint8))
    soft = np.asarray(plain.filter(ImageFilter.GaussianBlur(0.6)), dtype=np.float32) / 255
    halo = np.asarray(plain.filter(ImageFilter.GaussianBlur(0.03 * height)), dtype=np.float32) / 255
    ys, xs = np.linspace(-1, 1, height)[:, None, None], np.linspace(-1, 1, width)[None, :, None]
    corners = 1 - 0.14 * ((xs * xs + ys * ys) / 2) ** 1.5
    return ((0.93 * soft + 0.07 * halo) * corners).astype(np.float32)


_TURNED = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def write(scene: Scene, folder: Path) -> Path:
    """Compose a scene and store it as its camera would: turned by its orientation flag, with or without EXIF."""
    path = folder / scene.name
    picture = compose(scene)
    turn = _TURNED[scene.orientation]
    stored = picture.transpose(turn) if turn is not None else picture
    if scene.mode == "P":
        stored = stored.quantize(160, dither=Image.Dither.NONE)
    elif scene.mode != "RGB":
        stored = stored.convert(scene.mode)
    if path.suffix == ".png":
        stored.save(path, optimize=True)
    elif scene.exif or scene.orientation != 1:
        stored.save(path, quality=84, exif=exif_block(stored, orientation=scene.orientation))
    else:
        stored.save(path, quality=84)
    return path


def main(arguments: list[str]) -> None:
    """Write all scenes into the folder named by the only argument."""
    if len(arguments) != 1:
        raise SystemExit("usage: python -m falco_rendered.scenes FOLDER")
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for scene in SCENES:
        path = write(scene, folder)
        print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
