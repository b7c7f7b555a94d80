"""The head as a star-shaped surface: how far it reaches from its centre in every direction.

Features are products of one function of each axis of the map of directions, so that all of them together are one
matrix product.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from falco_rendered.directions import MapGrid, bell, map_grid, paper_depth, smooth_step, unit
from falco_rendered.hair import hair_of, hat_of
from falco_rendered.parameters import Values

_SHRINK = 0.57  # map units per unit of length at the front of the face


@dataclass(frozen=True)
class HeadMap:
    """Everything known per direction, [N, C, M, M]: radius, normal x y z, hair, hat."""

    cells: Tensor

    @property
    def radius(self) -> Tensor:
        """Distance of the surface from the centre [N, 1, M, M]."""
        return self.cells[:, :1]


def _ellipsoid(grid: MapGrid, centre: tuple[Tensor | float, ...], radii: tuple[Tensor | float, ...]) -> Tensor:
    """Far intersection of the rays from the origin with an ellipsoid symmetric in x: [N, M, M]."""
    x, y, z = grid.x / radii[0], grid.y / radii[1], grid.z / radii[2]
    cy, cz = centre[1] / radii[1], centre[2] / radii[2]
    square = x * x + y * y + z * z
    along = y * cy + z * cz
    inside = along * along - square * (cy * cy + cz * cz - 1)
    return (along + inside.clamp(min=0).sqrt()) / square


def _smooth_max(a: Tensor, b: Tensor, width: float) -> Tensor:
    share = (0.5 + 0.5 * (a - b) / width).clamp(0, 1)
    return b + (a - b) * share + width * share * (1 - share)


@dataclass(frozen=True)
class _Bump:
    """A displacement at a point of the face (and its mirror image); widths are lengths, `below` under it."""

    amount: Tensor | float
    at: tuple[Tensor | float, Tensor | float]
    wide: Tensor | float
    high: Tensor | float
    below: float | None = None
    flat: bool = False


def _bumps(grid: MapGrid, bumps: list[_Bump], like: Tensor) -> Tensor:
    """The sum of all bumps [N, M, M]: one product of their rows and columns."""
    columns, rows = [], []
    axis = grid.axis[None, None, :]
    for bump in bumps:
        x, y = (torch.as_tensor(part).to(like) + 0 * like for part in bump.at)  # each [N, 1, 1]
        z = paper_depth(x)
        reach = (x * x + y * y + z * z).sqrt() + z
        s, t = x / reach, y / reach
        across = (axis - s) / (bump.wide * _SHRINK)
        mirrored = (axis + s) / (bump.wide * _SHRINK)
        one_sided = (x == 0).to(like)
        column = bell(across) + bell(mirrored) * (1 - one_sided)
        up = axis - t
        height = torch.as_tensor(bump.high).to(like)
        height = height if bump.below is None else torch.where(up < 0, bump.below, height)
        up = up / (height * _SHRINK)
        row = bell(up * up) if bump.flat else bell(up)
        columns.append(column.squeeze(1))
        rows.append((row * bump.amount).squeeze(1).expand(like.shape[0], -1))
    return torch.stack(rows, 2) @ torch.stack(columns, 1)


def _skull(grid: MapGrid, v: Values) -> Tensor:
    wide = 0.765 + 0.055 * v.head_width
    long = 1 + 0.075 * v.face_length
    cranium = _ellipsoid(grid, (0, 0.27, -0.12), (wide, 0.85 + 0.04 * v.forehead, 0.97))
    face = _ellipsoid(
        grid,
        (0, -0.33 * long, 0.17),
        (0.595 + 0.035 * v.head_width + 0.06 * v.jaw_width, 0.79 * long, 0.69),
    )
    chin = _ellipsoid(
        grid,
        (0, -0.70 * long, 0.37),
        (0.32 + 0.085 * v.chin_width + 0.06 * v.jaw_width, 0.40 * long, 0.46 + 0.04 * v.chin_forward),
    )
    return _smooth_max(_smooth_max(cranium, face, 0.12), chin, 0.22)


@dataclass(frozen=True)
class Features:
    """Where the features of a face are, all [N, 1, 1]: used for its relief, its paint and its landmarks."""

    eye_x: Tensor
    brow_y: Tensor
    nose_y: Tensor
    mouth_y: Tensor
    mouth_half: Tensor
    smile: Tensor
    gap: Tensor
    long: Tensor


def features_of(v: Values) -> Features:
    """Lay out the face."""
    long = 1 + 0.075 * v.face_length
    smile = v.smiling * (0.55 + 0.45 * v.smile_amount)
    gap = v.mouth_open * (0.035 + 0.065 * v.open_amount)
    nose_y = (-0.345 - 0.045 * v.nose_length) * long
    return Features(
        eye_x=0.315 + 0.028 * v.eye_spacing,
        brow_y=0.220 + 0.035 * v.brow_height + 0.02 * v.brow_raise - 0.025 * v.male,
        nose_y=nose_y,
        mouth_y=(-0.69 - 0.035 * v.mouth_height) * long,
        mouth_half=(0.232 + 0.042 * v.mouth_width) * (1 + 0.20 * smile),
        smile=smile,
        gap=gap,
        long=long,
    )


def _relief(grid: MapGrid, v: Values, f: Features) -> Tensor:
    wing = 0.108 + 0.038 * v.nose_width
    tip = 0.225 + 0.04 * v.nose_tip
    bridge = 0.060 + 0.035 * v.nose_bridge
    lips, m = f.mouth_y, f.mouth_half
    drop = 0.6 * f.gap
    bumps = [
        _Bump(0.035 + 0.022 * v.male, (0.27, f.brow_y + 0.02), 0.20, 0.09),
        _Bump(0.025, (0.0, f.brow_y), 0.16, 0.10),
        _Bump(-0.115 - 0.025 * v.eye_depth, (0.285, 0.035), 0.15, 0.12),
        _Bump(0.055, (f.eye_x, -0.005), 0.105, 0.075),
        # Nose: bridge, ridge, tip, wings, and the hollow of the nostrils.
        _Bump(bridge, (0.0, 0.02), 0.068, 0.15),
        _Bump(0.10 + 0.5 * bridge, (0.0, 0.55 * f.nose_y), 0.070, 0.15),
        _Bump(
            tip - 0.02,
            (0.0, f.nose_y + 0.015),
            0.078 + 0.014 * v.nose_tip + 0.014 * v.nose_width,
            0.12,
            0.080,
        ),
        _Bump(0.03 * v.nose_turn, (0.0, f.nose_y - 0.02), 0.08, 0.06),
        _Bump(0.085, (wing, f.nose_y - 0.03), 0.058, 0.068, 0.055),
        _Bump(-0.06, (0.075, f.nose_y - 0.085), 0.035, 0.028),
        # Mouth.
        _Bump(0.055, (0.0, lips), 0.25, 0.20),
        _Bump(0.030 + 0.012 * v.upper_lip, (0.0, lips + 0.042), 0.65 * m, 0.040),
        _Bump(0.045 + 0.015 * v.lower_lip, (0.0, lips - 0.060 - drop), 0.58 * m, 0.052),
        _Bump(-0.03, (0.0, lips - 0.3 * drop), 0.85 * m, 0.020),
        _Bump(-0.025 - 0.01 * f.smile, (m, lips + 0.05 * f.smile), 0.05, 0.05),
        _Bump(-0.012, (0.0, 0.5 * (lips + f.nose_y) - 0.02), 0.028, 0.06),
        _Bump(-0.055, (0.0, lips - 0.165 - drop), 0.17, 0.055),
        _Bump(0.055 + 0.03 * v.chin_forward, (0.0, lips - 0.29 - drop), 0.17, 0.12),
        # Cheeks, folds, temples, jaw.
        _Bump(0.045 + 0.02 * v.cheek_fullness + 0.045 * f.smile, (0.40, -0.30 + 0.04 * f.smile), 0.15, 0.14),
        _Bump(0.05 + 0.035 * v.cheekbones, (0.57, -0.13), 0.17, 0.12),
        _Bump(-0.03 + 0.06 * v.cheek_fullness, (0.47, -0.58), 0.20, 0.20),
        _Bump(-0.018 - 0.02 * v.age - 0.018 * f.smile, (0.215, 0.5 * (lips + f.nose_y)), 0.040, 0.10),
        _Bump(-0.02 - 0.02 * v.age, (0.20, -0.16), 0.09, 0.045),
        _Bump(-0.03, (0.62, 0.28), 0.16, 0.20),
        _Bump(0.015 + 0.05 * v.jaw_width + 0.025 * v.male, (0.55, -0.72), 0.20, 0.18),
        # Ears: a rim that stands out, and its hollow.
        _Bump(0.15 + 0.02 * v.ear_size, (0.78, -0.10), 0.10, 0.27 + 0.03 * v.ear_size, flat=True),
        _Bump(-0.07, (0.78, -0.08), 0.055, 0.15, flat=True),
    ]
    return _bumps(grid, bumps, v.yaw)


def _normals(grid: MapGrid, radius: Tensor) -> Tensor:
    """Outward unit normals [N, 3, M, M] of the surface."""
    point = torch.stack([grid.x * radius, grid.y * radius, grid.z * radius], 1)
    ax, ay, az = (point[:, :, 1:-1, 2:] - point[:, :, 1:-1, :-2]).unbind(1)
    bx, by, bz = (point[:, :, 2:, 1:-1] - point[:, :, :-2, 1:-1]).unbind(1)
    across = unit(torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1) * 1e3)
    return torch.nn.functional.pad(across, (1, 1, 1, 1), mode="replicate")


def head_map(v: Values, f: Features, *, cells: int) -> HeadMap:
    """The surface of N heads."""
    device = v.yaw.device
    grid = map_grid(cells, device)
    skull = _skull(grid, v)
    skin = skull + _relief(grid, v, f)
    hair_reach, hair = hair_of(grid, v, skull)
    hat_reach, hat = hat_of(grid, v, skull)
    hair = hair * smooth_step(-0.05, 0.0, hair_reach - skin) * (1 - hat)
    radius = skin + hair * (torch.maximum(hair_reach, skin) - skin)
    radius = radius + hat * (torch.maximum(hat_reach, skin) - radius)
    normals = _normals(grid, radius)
    return HeadMap(torch.cat([radius[:, None], normals, hair[:, None], hat[:, None]], 1))
