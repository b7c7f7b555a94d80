"""Hair and hat as shells over the skull, given per direction."""

import torch
from torch import Tensor

from falco_rendered.directions import MapGrid, bell, smooth_step
from falco_rendered.parameters import Values


def _hairline(grid: MapGrid, v: Values, *, azimuth: Tensor, side: Tensor) -> Tensor:
    """The height (sine of elevation) above which hair grows, by azimuth: [N, M, M]."""
    front = 0.665 + 0.045 * v.hairline
    recede = 0.05 + 0.04 * v.hairline + 0.05 * v.male
    line = front + recede * bell((azimuth - 0.62) / 0.22)
    fringe = 0.40 + 0.07 * side * torch.sign(v.hair_part) + 0.018 * torch.sin(13 * side + 1) * (1 - v.wavy)
    fringe = fringe + 0.03 * torch.sin(9 * side + 3 * v.hair_part) * v.wavy
    line = line + v.bangs * (1 - v.bald) * (fringe - line) * smooth_step(1.15, 0.75, azimuth)
    drop = smooth_step(0.80, 1.12, azimuth)
    line = line + (0.18 - line) * drop
    line = line - 0.30 * smooth_step(1.12, 1.30, azimuth) - 0.75 * smooth_step(1.55, 1.95, azimuth)
    return line


def hair_of(grid: MapGrid, v: Values, skull: Tensor) -> tuple[Tensor, Tensor]:
    """Reach of the hair and how surely a direction is hair: two [N, M, M]."""
    side = torch.atan2(grid.x, grid.z)
    azimuth = side.abs()
    above = grid.y - _hairline(grid, v, azimuth=azimuth, side=side)
    # A bald head keeps a low wreath at the back.
    wreath = torch.minimum(torch.minimum(above, 0.22 - grid.y), 0.5 * (azimuth - 1.40))
    above = above + v.bald * (wreath - above)
    crown = smooth_step(0.1, 0.8, grid.y)
    long = v.long_hair * (1 - v.bald)
    body = 0.35 + 0.65 * torch.maximum(v.hair_length, long)
    thick = body * (0.055 + 0.06 * v.hair_volume + (0.07 + 0.09 * v.hair_volume) * crown)
    thick = thick + long * 0.05 * (1 - crown)
    thick = thick * (1 - 0.85 * v.bald)
    curtain = long * smooth_step(1.00, 1.40, azimuth + 0.08 * v.hair_part * torch.sign(side))
    curtain = curtain * smooth_step(0.75, 0.45, grid.y)
    groove = bell((grid.x - 0.28 * v.hair_part) / 0.05) * smooth_step(0.45, 0.75, grid.y)
    groove = groove * (1 - v.bangs) * smooth_step(0.25, 0.6, v.hair_part.abs())
    thick = thick * (1 - 0.5 * groove)
    waves = torch.sin(11 * side + 3 * torch.sin(5 * grid.y)) * torch.sin(12 * grid.y + 2 * side)
    thick = thick * (1 + 0.30 * v.wavy * waves)
    rise = (above / 0.22).clamp(0, 1)
    rise = rise * (2 - rise)
    rise = torch.maximum(rise, curtain)
    sure = torch.maximum(smooth_step(0.0, 0.05 + 0.05 * v.bald, above), smooth_step(0.0, 0.2, curtain))
    return skull + thick * rise + 0.004, sure


def hat_of(grid: MapGrid, v: Values, skull: Tensor) -> tuple[Tensor, Tensor]:
    """Reach of a knitted hat and how surely a direction is hat."""
    edge = 0.50 + 0.05 * v.hairline - 0.35 * smooth_step(0.6, 1.6, torch.atan2(grid.x, grid.z).abs())
    above = grid.y - edge
    roll = bell((above - 0.10) / 0.10)
    crown = smooth_step(0.2, 1.0, grid.y)
    reach = skull + 0.10 + 0.055 * roll + (0.10 + 0.10 * v.hair_volume) * crown
    return reach, v.hat * smooth_step(-0.005, 0.02, above)
