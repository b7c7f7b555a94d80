"""Faces for benchmarks/compose.py: of the demo photos, of a folder's photos, and of rendered scenes in any light."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import torch

from falco_core.bundles.bundle import Bundle
from falco_core.faces.align import crop_quad, extract_crop, landmarks_in_crop
from falco_core.faces.compose import Pasted, paste
from falco_core.faces.detect import Detector
from falco_core.faces.mask import face_mask
from falco_core.photos.codec import decode_photo
from falco_core.photos.tensors import to_pixels, to_tensor
from falco_rendered.backdrops import BACKDROPS
from falco_rendered.parameters import PARAMETERS, band_mask, sample_latents
from falco_rendered.renderer import Render, render_portrait

SIZE = 256
"""Pixels of the crops of which masks and sharp new faces are made."""
PORTRAITS = (304, 400, 520, 640)
"""Sides of the people in the scenes: crop quads of 125 to 300 pixels."""
GLASSES_EVERY = 3
NOISE = 3.0
"""Standard deviation of the scenes' grain, 8-bit values."""
_INDEX = {parameter.name: index for index, parameter in enumerate(PARAMETERS)}


@dataclass(frozen=True)
class Face:
    """A face of a photo: pixels uint8 [H, W, 3], landmarks [5, 2], quad [4, 2].

    sharp: where it is known, what a perfect generator would make of it: uint8 [SIZE, SIZE, 3].
    """

    photo: str
    pixels: np.ndarray
    landmarks: np.ndarray
    quad: np.ndarray
    sharp: np.ndarray | None = None

    @property
    def side(self) -> float:
        """Pixels of the crop's side."""
        return float(np.linalg.norm(self.quad[1] - self.quad[0]))

    def crop(self, size: int) -> np.ndarray:
        """The aligned original."""
        return extract_crop(self.pixels, self.quad, size)

    def pasted(self, crop: np.ndarray) -> Pasted:
        """The photo with another face."""
        mask, _ = face_mask(self.crop(SIZE), landmarks_in_crop(self.landmarks, self.quad, SIZE))
        return paste(self.pixels, crop, quad=self.quad, landmarks=self.landmarks, mask=mask)


def demo_faces() -> list[Face]:
    """The faces that MTCNN finds in the demo photos."""
    folder = files("falco_rendered") / "demo_photos"
    return _found({each.name: each.read_bytes() for each in folder.iterdir() if each.name.endswith((".jpg", ".png"))})


def folder_faces(folder: Path) -> list[Face]:
    """The faces that MTCNN finds in a folder's JPEG and PNG files."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    return _found({path.name: path.read_bytes() for path in paths})


def _found(photos: dict[str, bytes]) -> list[Face]:
    detector, faces = Detector(device="cpu"), []
    for name in sorted(photos):
        pixels = decode_photo(photos[name], max_pixels=10**8).pixels
        found = detector.detect(pixels)
        faces += [Face(name, pixels, face.landmarks, crop_quad(face.landmarks)) for face in found]
    return faces


@dataclass(frozen=True)
class Light:
    """What light does to a scene: pixels float [H, W, 3] in 0..1 and where the face is -> the lit ones."""

    name: str
    falls: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _from_the_side(photo: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """A tenth of the light on the left half of the face, a sharp fall at its middle."""
    side = float(np.linalg.norm(quad[1] - quad[0]))
    across = (np.arange(photo.shape[1]) - quad.mean(axis=0)[0]) / (0.08 * side)
    return np.asarray(photo * (0.12 + 1.1 / (1 + np.exp(-across)))[None, :, None])


def _of(share: float, name: str = "") -> Light:
    return Light(name or f"{share:.0%}", lambda photo, _: photo * share)


LIGHTS = (
    _of(1.0, "day"),
    *(_of(share) for share in (0.07, 0.15, 0.25, 0.4)),
    _of(1.8, "overexposed"),
    Light("from the side", _from_the_side),
)


def scene_faces(count: int, light: Light, *, first: int = 0, seed: int = 77) -> Iterator[Face]:
    """Rendered people in painted places, every third with glasses; `sharp` has other features, and usual light.

    first: the first person's number; others are other people in other places.
    """
    names = sorted(BACKDROPS)
    for number in range(first, first + count):
        draw = np.random.Generator(np.random.Philox(key=[seed, number]))
        person, other = sample_latents(1, seed=5000 + number), sample_latents(1, seed=9000 + number)
        person[0, _INDEX["eyeglasses"]] = 2.0 if number % GLASSES_EVERY == 0 else -2.0
        for name in ("yaw", "pitch", "roll"):
            person[0, _INDEX[name]] *= 0.7
        new = torch.where(band_mask("middle"), other, person)
        new[0, _INDEX["eyeglasses"]] = 2.0 if number % 4 == 0 else -2.0
        size = int(draw.choice(PORTRAITS))
        place = BACKDROPS[names[number % len(names)]]((round(1.5 * size), round(1.25 * size)), draw)
        back = np.asarray(place, dtype=np.float32) / 255
        shift = np.array([round(0.25 * size), round(0.2 * size)])
        noise = draw.standard_normal(back.shape[:2], dtype=np.float32)[..., None] * NOISE
        render = render_portrait(person, size=size)
        landmarks = render.landmarks[0].numpy() + shift
        quad = crop_quad(landmarks)
        lit = light.falls(_standing(back, render, shift), quad)
        pixels = np.clip(np.rint(lit * 255 + noise), 0, 255).astype(np.uint8)
        usual = _standing(back, render_portrait(new, size=size), shift)
        sharp = extract_crop(np.clip(np.rint(usual * 255), 0, 255).astype(np.uint8), quad, SIZE)
        yield Face(f"scene {number}, {light.name}", pixels, landmarks, quad, sharp)


def _standing(back: np.ndarray, render: Render, shift: np.ndarray) -> np.ndarray:
    """A portrait in front of a place [H, W, 3] in 0..1."""
    photo = back.copy()
    colours = ((render.images[0] + 1) / 2).clamp(0, 1).permute(1, 2, 0).numpy()
    part = photo[shift[1] : shift[1] + len(colours), shift[0] : shift[0] + len(colours)]
    shown = colours[: part.shape[0], : part.shape[1]]
    part += (shown - part) * render.alpha[0, 0, : part.shape[0], : part.shape[1], None].numpy()
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.6))


def mixed(faces: Sequence[Face], bundle: Bundle) -> np.ndarray:
    """The bundle's picture of each face with another's middle layers: uint8 [N, R, R, 3]."""
    first, last = bundle.spec.optimize_layers
    with torch.inference_mode():
        codes = torch.cat([bundle.encoder(to_tensor(face.crop(bundle.spec.resolution))) for face in faces])
        codes[:, first:last] = codes.roll(5, dims=0)[:, first:last]
        return to_pixels(torch.cat([bundle.generator.synthesize(code[None]) for code in codes]))


def scaled(face: Face, side: int) -> Face:
    """The face in a photo made smaller or larger, so that its crop's side is `side` pixels."""
    scale = side / face.side
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(face.pixels, None, fx=scale, fy=scale, interpolation=how))
    factor = np.array(pixels.shape[1::-1]) / face.pixels.shape[1::-1]
    return replace(face, pixels=pixels, landmarks=face.landmarks * factor, quad=face.quad * factor)
