"""What a rendered portrait is made of: one standard-normal latent per parameter.

A parameter belongs to a group (what stays when the same person is drawn again) and to a band (which layers
of a style-based generator shall carry it). The table below is the only place where parameters are declared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Group = Literal["identity", "attribute", "nuisance"]
Band = Literal["coarse", "middle", "fine"]


@dataclass(frozen=True)
class Parameter:
    """One latent and the meaning of its value.

    A `spread` latent becomes low..high by the normal distribution function (so values are uniform), a `bell`
    latent by scaling (middle values are frequent, the ends lie at 2.5 standard deviations), and a `switch`
    latent becomes 0 or 1: 1 for the share `low` of all people (`high` is unused).
    """

    name: str
    group: Group
    band: Band
    low: float
    high: float
    kind: Literal["spread", "bell", "switch"] = "spread"


def _spread(group: Group, band: Band, **ranges: tuple[float, float]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, group, band, low, high) for name, (low, high) in ranges.items())


def _bell(group: Group, band: Band, **ranges: tuple[float, float]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, group, band, low, high, "bell") for name, (low, high) in ranges.items())


def _switch(group: Group, band: Band, **shares: float) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, group, band, share, 0.0, "switch") for name, share in shares.items())


_ONE = (-1.0, 1.0)

PARAMETERS: tuple[Parameter, ...] = (
    # Who it is: outline of the head ...
    *_spread(
        "identity",
        "coarse",
        head_width=_ONE,
        face_length=_ONE,
        jaw_width=_ONE,
        chin_width=_ONE,
        forehead=_ONE,
        cheekbones=_ONE,
        neck_width=_ONE,
    ),
    # ... features ...
    *_spread(
        "identity",
        "middle",
        age=(0.0, 1.0),
        cheek_fullness=_ONE,
        chin_forward=_ONE,
        eye_spacing=_ONE,
        eye_size=_ONE,
        eye_tilt=_ONE,
        eye_lid=_ONE,
        eye_depth=_ONE,
        brow_height=_ONE,
        brow_thickness=_ONE,
        brow_arch=_ONE,
        brow_tilt=_ONE,
        nose_length=_ONE,
        nose_width=_ONE,
        nose_bridge=_ONE,
        nose_tip=_ONE,
        nose_turn=_ONE,
        mouth_width=_ONE,
        mouth_height=_ONE,
        upper_lip=_ONE,
        lower_lip=_ONE,
        cupid_bow=_ONE,
        ear_size=_ONE,
    ),
    *_switch("identity", "middle", male=0.5),
    # ... and colours.
    *_spread(
        "identity",
        "fine",
        skin_tone=(0.0, 1.0),
        skin_warmth=_ONE,
        hair_tone=(0.0, 1.0),
        hair_warmth=_ONE,
        iris_tone=(0.0, 1.0),
        lip_tone=_ONE,
    ),
    *_switch("identity", "fine", gray_hair=0.15),
    # What one can change: hair and hats in outline ...
    *_switch("attribute", "coarse", bald=0.10, hat=0.12, long_hair=0.45),
    *_spread(
        "attribute",
        "coarse",
        hair_length=(0.0, 1.0),
        hair_volume=(0.0, 1.0),
        hair_part=_ONE,
        hairline=_ONE,
    ),
    # ... expression and what one wears in the face ...
    *_switch(
        "attribute",
        "middle",
        bangs=0.30,
        wavy=0.35,
        eyeglasses=0.22,
        smiling=0.5,
        mouth_open=0.35,
        mustache=0.35,
        beard=0.40,
        earrings=0.25,
    ),
    *_spread(
        "attribute",
        "middle",
        smile_amount=(0.0, 1.0),
        open_amount=(0.0, 1.0),
        beard_density=(0.0, 1.0),
        glasses_size=_ONE,
        glasses_round=(0.0, 1.0),
    ),
    # ... and make-up.
    *_switch("attribute", "fine", lipstick=0.30, makeup=0.25, rosy_cheeks=0.20),
    # What differs from picture to picture.
    *_bell("nuisance", "coarse", yaw=(-35.0, 35.0), pitch=(-20.0, 20.0), roll=(-15.0, 15.0)),
    *_spread(
        "nuisance",
        "coarse",
        light_side=_ONE,
        light_height=_ONE,
        light_contrast=(0.0, 1.0),
    ),
    *_spread(
        "nuisance",
        "middle",
        gaze_side=_ONE,
        gaze_height=_ONE,
        squint=(0.0, 1.0),
        brow_raise=_ONE,
    ),
    *_spread(
        "nuisance",
        "fine",
        exposure=_ONE,
        light_warmth=_ONE,
        back_light=(0.0, 1.0),
        back_hue=_ONE,
        back_tint=_ONE,
        back_gradient=_ONE,
        clothes_light=(0.0, 1.0),
        clothes_hue=_ONE,
        clothes_tint=_ONE,
        trim_light=(0.0, 1.0),
        trim_hue=_ONE,
    ),
    # New parameters stand at the end: those before keep their places, and everybody their looks.
    *_switch("attribute", "middle", eyes_closed=0.10),
)

LATENT_SIZE = len(PARAMETERS)
_INDEX = {parameter.name: index for index, parameter in enumerate(PARAMETERS)}


class Values:
    """The parameter values of a batch, read as attributes, in the units of the table.

    `values.yaw` is [N], with `planes=True` [N, 1, 1], ready to be combined with image planes [N, H, W].
    """

    def __init__(self, latents: Tensor, *, planes: bool = False) -> None:
        self._latents = latents[:, :, None, None] if planes else latents

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_") or name not in _INDEX:
            raise AttributeError(name)
        parameter = PARAMETERS[_INDEX[name]]
        latent = self._latents[:, _INDEX[name]]
        value: Tensor
        if parameter.kind == "bell":
            middle, half = (parameter.high + parameter.low) / 2, (parameter.high - parameter.low) / 2
            value = middle + half * (latent / 2.5).clamp(-1, 1)
            return value
        share: Tensor = torch.special.ndtr(latent)
        if parameter.kind == "switch":
            return (share > 1.0 - parameter.low).to(share.dtype)
        return parameter.low + (parameter.high - parameter.low) * share


def hair_tone(v: Values) -> Tensor:
    """Black 0 to blond 1: fair hair goes with fair skin."""
    return v.hair_tone * (0.25 + 0.75 * ((v.skin_tone - 0.15) / 0.45).clamp(0, 1))


def iris_tone(v: Values) -> Tensor:
    """Dark brown 0 to light blue 1: light eyes go with fair skin."""
    return v.iris_tone * (0.2 + 0.8 * ((v.skin_tone - 0.15) / 0.45).clamp(0, 1))


def _has_hair(v: Values) -> Tensor:
    return v.bald < 0.5


# Names are CelebA's where it has one. Each says what can be seen: bangs under a hat are no bangs.
_ATTRIBUTES: dict[str, Callable[[Values], Tensor]] = {
    "Eyeglasses": lambda v: v.eyeglasses > 0.5,
    "Smiling": lambda v: v.smiling > 0.5,
    "Eyes_Closed": lambda v: v.eyes_closed > 0.5,
    "Mouth_Slightly_Open": lambda v: v.mouth_open > 0.5,
    "Bald": lambda v: (v.bald > 0.5) & (v.hat < 0.5),
    "Wearing_Hat": lambda v: v.hat > 0.5,
    "Male": lambda v: v.male > 0.5,
    "Young": lambda v: v.age < 0.6,
    "Long_Hair": lambda v: _has_hair(v) & (v.long_hair > 0.5),
    "Bangs": lambda v: _has_hair(v) & (v.hat < 0.5) & (v.bangs > 0.5),
    "Wavy_Hair": lambda v: _has_hair(v) & (v.wavy > 0.5),
    "Gray_Hair": lambda v: v.gray_hair > 0.5,
    "Black_Hair": lambda v: (v.gray_hair < 0.5) & (hair_tone(v) < 0.27),
    "Blond_Hair": lambda v: (v.gray_hair < 0.5) & (hair_tone(v) > 0.72),
    "Mustache": lambda v: (v.male > 0.5) & (v.mustache > 0.5),
    "Beard": lambda v: (v.male > 0.5) & (v.beard > 0.5),
    "Wearing_Earrings": lambda v: (v.earrings > 0.5) & ~(_has_hair(v) & (v.long_hair > 0.5)),
    "Wearing_Lipstick": lambda v: v.lipstick > 0.5,
    "Heavy_Makeup": lambda v: v.makeup > 0.5,
    "Rosy_Cheeks": lambda v: v.rosy_cheeks > 0.5,
}
ATTRIBUTES: tuple[str, ...] = tuple(_ATTRIBUTES)


def sample_latents(count: int, *, seed: int) -> Tensor:
    """Latents [count, LATENT_SIZE] of independent people; row i depends on (seed, i) only."""
    rows = [
        np.random.Generator(np.random.Philox(key=[seed, row])).standard_normal(LATENT_SIZE, dtype=np.float32)
        for row in range(count)
    ]
    return torch.from_numpy(np.stack(rows)) if rows else torch.zeros(0, LATENT_SIZE)


def group_mask(group: Group) -> Tensor:
    """Which latents belong to a group: [LATENT_SIZE] bool."""
    return torch.tensor([parameter.group == group for parameter in PARAMETERS])


def band_mask(band: Band) -> Tensor:
    """Which latents a band of generator layers shall carry: [LATENT_SIZE] bool."""
    return torch.tensor([parameter.band == band for parameter in PARAMETERS])


def same_identity(latents: Tensor, *, seed: int) -> Tensor:
    """The same people [N, LATENT_SIZE] another time: identity kept, attributes and nuisance redrawn."""
    redrawn = sample_latents(len(latents), seed=seed).to(latents)
    return torch.where(group_mask("identity").to(latents.device), latents, redrawn)


def attributes_of(latents: Tensor) -> Tensor:
    """What can be seen in the rendered pictures: [N, len(ATTRIBUTES)] bool."""
    values = Values(latents)
    return torch.stack([seen(values) for seen in _ATTRIBUTES.values()], dim=1)


def captions_of(latents: Tensor, *, seed: int) -> list[str]:
    """One English sentence per picture; which of its details are told is drawn from (seed, row)."""
    shown = attributes_of(latents).tolist()
    return [_caption(dict(zip(ATTRIBUTES, row, strict=True)), seed, index) for index, row in enumerate(shown)]


_OPENINGS = ("a photo of", "a portrait of", "a picture of", "")
_DETAILS = {
    "Eyeglasses": ("glasses", "eyeglasses"),
    "Bald": ("a bald head", "no hair"),
    "Wearing_Hat": ("a hat", "a cap"),
    "Bangs": ("bangs", "a fringe"),
    "Mustache": ("a mustache", "a moustache"),
    "Beard": ("a beard", "a full beard"),
    "Wearing_Earrings": ("earrings", "ear rings"),
    "Wearing_Lipstick": ("lipstick", "red lips"),
    "Heavy_Makeup": ("makeup", "make-up"),
    "Rosy_Cheeks": ("rosy cheeks", "red cheeks"),
}


def _hair(shown: dict[str, bool]) -> str:
    """Like `long wavy black hair`; empty where no hair is seen."""
    if shown["Bald"]:
        return ""
    colours = {"Gray_Hair": "gray", "Black_Hair": "black", "Blond_Hair": "blond"}
    colour = next((word for name, word in colours.items() if shown[name]), "brown")
    length = "long" if shown["Long_Hair"] else "short"
    return " ".join([length, *(["wavy"] if shown["Wavy_Hair"] else []), colour, "hair"])


def _caption(shown: dict[str, bool], seed: int, row: int) -> str:
    draw = np.random.Generator(np.random.Philox(key=[seed, row]))
    person = f"{'young' if shown['Young'] else 'old'} {'man' if shown['Male'] else 'woman'}"
    details = [words[draw.integers(2)] for name, words in _DETAILS.items() if shown[name]]
    details += [_hair(shown)] if _hair(shown) else []
    told = [detail for detail in draw.permutation(details) if draw.random() < 0.75]
    sentence = f"{_OPENINGS[draw.integers(len(_OPENINGS))]} {'an' if person[0] == 'o' else 'a'} {person}"
    if told:
        sentence += " with " + " and ".join(told)
    mouth = [
        *(["smiling"] if shown["Smiling"] else []),
        *(["mouth open"] if shown["Mouth_Slightly_Open"] else []),
        *(["eyes closed"] if shown["Eyes_Closed"] else []),
    ]
    return ", ".join([sentence.strip(), *mouth])
