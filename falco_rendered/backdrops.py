"""Painted places for the demo photos: what stands behind people, out of focus."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Draw = np.random.Generator


def _gradient(size: tuple[int, int], *stops: tuple[float, Colour]) -> Image.Image:
    """A vertical run of colours; stops are (share of the height, colour)."""
    rows = np.linspace(0, 1, size[1])
    places = [place for place, _ in stops]
    bands = [np.interp(rows, places, [colour[k] for _, colour in stops]) for k in range(3)]
    column = np.stack(bands, 1)[:, None].repeat(size[0], 1)
    return Image.fromarray(column.round().astype(np.uint8))


def _vary(colour: Colour, draw: Draw, amount: int) -> Colour:
    """The colour lighter or darker, and a little off its hue."""
    shift = draw.integers(-amount, amount + 1) + draw.integers(-amount // 3, amount // 3 + 1, 3)
    moved = [int(np.clip(part + more, 0, 255)) for part, more in zip(colour, shift, strict=True)]
    return (moved[0], moved[1], moved[2])


def _pick(draw: Draw, *colours: Colour) -> Colour:
    return colours[draw.integers(len(colours))]


def _blobs(
    image: Image.Image,
    draw: Draw,
    colour: Colour,
    *,
    count: int,
    area: tuple[float, float, float, float],
    reach: tuple[float, float],
) -> None:
    """Overlapping discs of varied colour (leaves, bushes, lights) in an area given in shares of the picture."""
    pen = ImageDraw.Draw(image)
    w, h = image.size
    for _ in range(count):
        x, y = draw.uniform(area[0], area[2]) * w, draw.uniform(area[1], area[3]) * h
        r = draw.uniform(*reach) * h
        pen.ellipse((x - r, y - r, x + r, y + r), fill=_vary(colour, draw, 22))


def _box(image: Image.Image, area: tuple[float, float, float, float], colour: Colour) -> None:
    w, h = image.size
    ImageDraw.Draw(image).rectangle((area[0] * w, area[1] * h, area[2] * w, area[3] * h), fill=colour)


def _blur(image: Image.Image, share: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(share * image.size[1]))


def _side_light(image: Image.Image, side: float, strength: float) -> Image.Image:
    """Brighter towards one side (-1 left, 1 right)."""
    pixels = np.asarray(image, dtype=np.float32)
    run = 1 + strength * side * np.linspace(-1, 1, image.size[0])[None, :, None]
    return Image.fromarray((pixels * run).clip(0, 255).astype(np.uint8))


def living_room(size: tuple[int, int], draw: Draw) -> Image.Image:
    """A room with a bright window, a lamp, pictures and a sofa."""
    image = _gradient(size, (0, (206, 192, 172)), (0.72, (186, 168, 146)), (0.73, (120, 88, 62)), (1, (96, 70, 50)))
    _box(image, (0.03, 0.06, 0.30, 0.60), (240, 238, 232))
    _box(image, (0.045, 0.08, 0.285, 0.58), (206, 226, 244))
    _box(image, (0.045, 0.42, 0.285, 0.58), (150, 178, 128))
    _box(image, (0.160, 0.06, 0.172, 0.60), (240, 238, 232))
    _box(image, (0.0, 0.03, 0.055, 0.72), (150, 104, 92))
    _box(image, (0.275, 0.03, 0.33, 0.72), (158, 110, 96))
    _box(image, (0.47, 0.10, 0.60, 0.34), (70, 52, 40))
    _box(image, (0.48, 0.12, 0.59, 0.32), (136, 160, 150))
    _box(image, (0.90, 0.20, 0.915, 0.75), (80, 66, 54))
    _box(image, (0.85, 0.10, 0.965, 0.26), (250, 224, 160))
    _box(image, (0.36, 0.58, 0.98, 0.95), (92, 110, 122))
    _box(image, (0.40, 0.52, 0.94, 0.66), (104, 122, 134))
    return _side_light(_blur(image, 0.012), -1, 0.14)


def street(size: tuple[int, int], draw: Draw) -> Image.Image:
    """House fronts along a road by day."""
    image = _gradient(
        size, (0, (178, 204, 230)), (0.45, (226, 232, 234)), (0.75, (150, 150, 150)), (1, (104, 104, 108))
    )
    left = 0.0
    while left < 1:
        wide, top = draw.uniform(0.14, 0.24), draw.uniform(0.02, 0.22)
        wall = _vary(_pick(draw, (182, 146, 116), (164, 110, 88), (188, 180, 166)), draw, 22)
        _box(image, (left, top, left + wide, 0.78), wall)
        for row in np.arange(top + 0.06, 0.66, 0.14):
            for column in np.arange(left + 0.025, left + wide - 0.04, 0.065):
                _box(image, (column, row, column + 0.034, row + 0.085), _vary((92, 108, 124), draw, 24))
        left += wide
    _box(image, (0, 0.78, 1, 0.82), (136, 132, 128))
    for place in (0.08, 0.80):
        _box(image, (place, 0.68, place + 0.17, 0.80), _vary((120, 60, 56), draw, 50))
    return _blur(image, 0.020)


def park(size: tuple[int, int], draw: Draw) -> Image.Image:
    """Trees behind a meadow with a bench."""
    image = _gradient(size, (0, (196, 220, 238)), (0.5, (222, 232, 214)), (0.62, (112, 146, 76)), (1, (86, 124, 58)))
    _blobs(image, draw, (74, 112, 58), count=90, area=(0, 0.30, 1, 0.60), reach=(0.03, 0.09))
    for place in (0.10, 0.46, 0.86):
        _box(image, (place, 0.12, place + 0.035, 0.72), (86, 66, 50))
        _blobs(
            image,
            draw,
            (92, 134, 66),
            count=60,
            area=(place - 0.14, -0.05, place + 0.17, 0.32),
            reach=(0.03, 0.08),
        )
    for row in (0.70, 0.76, 0.82):
        _box(image, (0.08, row, 0.95, row + 0.035), (122, 86, 56))
    return _blur(image, 0.018)


def sky(size: tuple[int, int], draw: Draw) -> Image.Image:
    """Blue sky with soft clouds above far hills."""
    image = _gradient(size, (0, (84, 142, 206)), (0.8, (186, 214, 236)), (1, (204, 224, 238)))
    _blobs(image, draw, (232, 238, 244), count=26, area=(0, 0.12, 1, 0.5), reach=(0.03, 0.08))
    image = _blur(image, 0.05)
    _blobs(image, draw, (108, 136, 134), count=30, area=(0, 0.98, 1, 1.1), reach=(0.10, 0.22))
    return _blur(image, 0.03)


def gallery(size: tuple[int, int], draw: Draw) -> Image.Image:
    """A white wall with abstract pictures under spotlights."""
    image = _gradient(size, (0, (226, 224, 218)), (0.86, (204, 200, 194)), (0.87, (120, 104, 90)), (1, (98, 84, 72)))
    for place in (0.04, 0.36, 0.70):
        _box(image, (place, 0.12, place + 0.25, 0.56), (58, 50, 46))
        _box(image, (place + 0.012, 0.14, place + 0.238, 0.54), _vary((214, 196, 150), draw, 25))
        for _ in range(4):
            x, y = place + draw.uniform(0.02, 0.15), draw.uniform(0.16, 0.40)
            _box(
                image,
                (x, y, x + draw.uniform(0.03, 0.07), y + draw.uniform(0.04, 0.12)),
                _pick(draw, (176, 72, 60), (70, 104, 132), (206, 158, 70), (96, 120, 84)),
            )
    return _side_light(_blur(image, 0.010), 1, 0.10)


def evening(size: tuple[int, int], draw: Draw) -> Image.Image:
    """Lights of a town at night, far out of focus."""
    image = _gradient(size, (0, (24, 30, 54)), (0.6, (52, 44, 62)), (1, (40, 34, 40)))
    for colour in ((236, 176, 92), (232, 120, 80), (120, 168, 214), (240, 216, 160)):
        _blobs(image, draw, colour, count=13, area=(0, 0.10, 1, 0.85), reach=(0.012, 0.04))
    return _blur(image, 0.012)


def beach(size: tuple[int, int], draw: Draw) -> Image.Image:
    """Sand, sea and sky."""
    image = _gradient(
        size,
        (0, (120, 176, 222)),
        (0.40, (206, 226, 238)),
        (0.405, (64, 126, 158)),
        (0.60, (108, 172, 182)),
        (0.63, (236, 238, 232)),
        (0.66, (214, 190, 148)),
        (1, (200, 172, 128)),
    )
    _blobs(image, draw, (236, 242, 246), count=14, area=(0, 0.05, 1, 0.22), reach=(0.02, 0.06))
    return _side_light(_blur(image, 0.016), 1, 0.08)


def library(size: tuple[int, int], draw: Draw) -> Image.Image:
    """Shelves of books."""
    image = _gradient(size, (0, (92, 64, 42)), (1, (70, 48, 32)))
    for row in np.arange(0.02, 1.0, 0.19):
        left = 0.01
        while left < 0.98:
            wide = draw.uniform(0.014, 0.036)
            _box(
                image,
                (left, row + draw.uniform(0.0, 0.04), left + wide, row + 0.165),
                _vary(_pick(draw, (132, 70, 58), (72, 88, 104), (148, 118, 78), (84, 96, 70)), draw, 30),
            )
            left += wide + 0.003
        _box(image, (0, row + 0.165, 1, row + 0.19), (104, 74, 48))
    return _side_light(_blur(image, 0.012), -1, 0.22)


def cafe(size: tuple[int, int], draw: Draw) -> Image.Image:
    """A warm room with hanging lamps and tables."""
    image = _gradient(size, (0, (84, 58, 44)), (0.6, (142, 100, 70)), (0.8, (96, 66, 48)), (1, (70, 48, 36)))
    _box(image, (0.60, 0.12, 0.97, 0.55), (214, 214, 200))
    _box(image, (0.775, 0.12, 0.79, 0.55), (70, 50, 40))
    for place in (0.12, 0.34, 0.55):
        _box(image, (place - 0.002, 0.0, place + 0.002, 0.14), (40, 30, 26))
        _blobs(
            image,
            draw,
            (252, 214, 140),
            count=3,
            area=(place - 0.004, 0.14, place + 0.004, 0.16),
            reach=(0.03, 0.045),
        )
    _box(image, (0.0, 0.66, 0.45, 0.72), (124, 84, 54))
    _box(image, (0.62, 0.70, 1.0, 0.76), (130, 90, 58))
    return _blur(image, 0.018)


def bricks(size: tuple[int, int], draw: Draw) -> Image.Image:
    """A brick wall in the sun."""
    image = _gradient(size, (0, (186, 172, 158)), (1, (168, 154, 140)))
    for row in range(16):
        for column in range(-1, 9):
            left = (column + 0.5 * (row % 2)) / 8
            _box(
                image,
                (left + 0.004, row / 16 + 0.005, left + 0.121, (row + 1) / 16 - 0.005),
                _vary((164, 92, 70), draw, 20),
            )
    return _side_light(_blur(image, 0.005), -1, 0.16)


def forest(size: tuple[int, int], draw: Draw) -> Image.Image:
    """Autumn leaves against the light."""
    image = _gradient(size, (0, (236, 214, 160)), (0.6, (204, 150, 84)), (1, (122, 84, 48)))
    for colour in ((212, 132, 48), (188, 92, 40), (226, 176, 76), (128, 118, 54)):
        _blobs(image, draw, colour, count=60, area=(0, 0, 1, 0.75), reach=(0.015, 0.05))
    for place in (0.06, 0.24, 0.71, 0.93):
        _box(image, (place, 0, place + 0.03, 0.85), (74, 54, 42))
    return _blur(image, 0.020)


def office(size: tuple[int, int], draw: Draw) -> Image.Image:
    """A bright office with blinds and a plant."""
    image = _gradient(
        size, (0, (220, 226, 230)), (0.75, (206, 212, 216)), (0.76, (150, 146, 142)), (1, (132, 128, 126))
    )
    for row in np.arange(0.05, 0.58, 0.035):
        _box(image, (0.50, row, 0.96, row + 0.022), (240, 244, 246))
        _box(image, (0.50, row + 0.022, 0.96, row + 0.035), (170, 190, 206))
    _blobs(image, draw, (76, 124, 78), count=26, area=(0.05, 0.30, 0.20, 0.62), reach=(0.02, 0.05))
    _box(image, (0.08, 0.62, 0.17, 0.78), (188, 120, 86))
    return _blur(image, 0.014)


BACKDROPS: dict[str, Callable[[tuple[int, int], Draw], Image.Image]] = {
    place.__name__: place
    for place in (
        living_room,
        street,
        park,
        sky,
        gallery,
        evening,
        beach,
        library,
        cafe,
        bricks,
        forest,
        office,
    )
}
