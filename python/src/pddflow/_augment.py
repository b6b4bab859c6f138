"""Augmentation and CutMix, as the program draws them.

`dsa:KINDS` applies **one** of its kinds to a batch, drawn anew for each step, with parameters of its own for each image. `idc:KINDS`
applies flip, then colour, then one of crop, scale and rotate, then cutout, as far as listed.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ._errors import FormatError

KINDS = ("color", "crop", "cutout", "flip", "scale", "rotate")
#: Largest shift and side of the square that is cut out, in sides; largest scale; largest angle in degrees.
_SHIFT, _CUTOUT, _SCALE, _ANGLE = 0.125, 0.5, 1.2, 15.0


class Policy:
    """What may happen to a batch of images `[n, c, h, w]`."""

    def __init__(self, text: str) -> None:
        family, _, listed = text.partition(":")
        kinds = listed.split("_") if listed else list(KINDS)
        if family not in ("none", "dsa", "idc") or not set(kinds) <= set(KINDS) or len(set(kinds)) != len(kinds):
            raise FormatError(f"the augmentation {text!r} is not known: none, dsa:KINDS or idc:KINDS of {', '.join(KINDS)}")
        self.family = family
        self.kinds = [kind for kind in KINDS if kind in kinds]

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """The images of one step; `generator` is on the CPU."""
        draw = _Draw(images, generator)
        if self.family == "dsa":
            return draw.one(draw.pick(self.kinds), images, corners=True)
        if self.family == "idc":
            movers = [kind for kind in self.kinds if kind in ("crop", "scale", "rotate")]
            for kind in ("flip", "color", draw.pick(movers) if movers else None, "cutout"):
                if kind in self.kinds:
                    images = draw.one(str(kind), images, corners=False)
        return images


class _Draw:
    def __init__(self, images: Tensor, generator: torch.Generator) -> None:
        self.count, _, self.height, self.width = images.shape
        self.device, self.dtype, self.generator = images.device, images.dtype, generator

    def pick(self, kinds: list[str]) -> str:
        return kinds[int(torch.randint(len(kinds), (1,), generator=self.generator))]

    def uniform(self, low: float, high: float) -> Tensor:
        drawn = torch.rand(self.count, generator=self.generator, dtype=torch.float64) * (high - low) + low
        return drawn.to(self.device, self.dtype)

    def whole(self, low: int, high: int) -> Tensor:
        """Whole numbers from `low` to `high`, both included."""
        return torch.randint(low, high + 1, (self.count,), generator=self.generator).to(self.device)

    def one(self, kind: str, x: Tensor, *, corners: bool) -> Tensor:
        if kind == "color":
            x = x + _wide(self.uniform(-0.5, 0.5))
            x = _around(x, x.mean(1, keepdim=True), self.uniform(0.0, 2.0))
            return _around(x, x.mean((1, 2, 3), keepdim=True), self.uniform(0.5, 1.5))
        if kind == "crop":
            rows, columns = (_part(_SHIFT, side) for side in (self.height, self.width))
            return crop(x, self.whole(-rows, rows), self.whole(-columns, columns))
        if kind == "cutout":
            rows, columns = (_part(_CUTOUT, side) for side in (self.height, self.width))
            row, column = self.whole(0, self.height - rows % 2), self.whole(0, self.width - columns % 2)
            return cutout(x, row, column, (rows, columns))
        if kind == "flip":
            return torch.where(_wide(self.uniform(0.0, 1.0) < 0.5), x.flip(3), x)
        if kind == "scale":
            columns_by, rows_by = self.uniform(1 / _SCALE, _SCALE), self.uniform(1 / _SCALE, _SCALE)
            zero = torch.zeros_like(rows_by)
            return warp(x, [[columns_by, zero], [zero, rows_by]], corners=corners)
        angle = self.uniform(-_ANGLE, _ANGLE) * (math.pi / 180)
        return warp(x, [[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]], corners=corners)


def crop(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """`y[i, j] = x[i + rows, j + columns]`, zero outside."""
    count, _, height, width = x.shape
    row = torch.arange(height, device=x.device)[None, :] + rows[:, None]
    column = torch.arange(width, device=x.device)[None, :] + columns[:, None]
    inside = ((row >= 0) & (row < height))[:, :, None] & ((column >= 0) & (column < width))[:, None, :]
    image = torch.arange(count, device=x.device)[:, None, None]
    taken = x.permute(0, 2, 3, 1)[image, row.clamp(0, height - 1)[:, :, None], column.clamp(0, width - 1)[:, None, :]]
    return (taken * inside[..., None]).permute(0, 3, 1, 2)


def cutout(x: Tensor, row: Tensor, column: Tensor, size: tuple[int, int]) -> Tensor:
    """A rectangle set to 0 around each centre: as many rows and columns as `size`, fewer at the edge."""

    def covered(centre: Tensor, cut: int, side: int) -> Tensor:
        places = torch.arange(side, device=x.device)[None, :]
        start = (centre - cut // 2).clamp(0, side - 1)
        end = (centre - cut // 2 + cut - 1).clamp(0, side - 1)
        return (places >= start[:, None]) & (places <= end[:, None])

    rows, columns = covered(row, size[0], x.shape[2]), covered(column, size[1], x.shape[3])
    return x * ~(rows[:, :, None] & columns[:, None, :])[:, None]


def warp(x: Tensor, matrix: list[list[Tensor]], *, corners: bool) -> Tensor:
    """Resampled, bilinear and zero outside: source (column, row) = matrix (column, row), from -1 to 1. `corners` is where those
    lie: at the centres of the outer pixels, or at their edges."""
    theta = torch.stack([torch.stack([*row, torch.zeros_like(row[0])], 1) for row in matrix], 1)
    grid = F.affine_grid(theta, list(x.shape), align_corners=corners)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=corners)


def cutmix(images: Tensor, labels: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """With probability `share`, one box of each image's partner pasted into it: images, labels of the partners, and the weight of the
    own label in the loss. The box covers 1 - lambda of the image, lambda uniform."""
    draws = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
    if draws[0] >= share:
        return images, labels, 1.0
    partner = torch.randperm(len(images), generator=generator).to(images.device)
    height, width = images.shape[2:]
    root = math.sqrt(1.0 - draws[1])
    (top, bottom), (left, right) = (
        (max(centre - half, 0), min(centre + half, side))
        for side, centre, half in (
            (side, int(draw * side), int(side * root) // 2) for side, draw in ((height, draws[2]), (width, draws[3]))
        )
    )
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[partner][:, :, top:bottom, left:right]
    return mixed, labels[partner], 1.0 - (bottom - top) * (right - left) / (height * width)


def _part(share: float, side: int) -> int:
    """A share of a side in whole pixels, halves rounded up."""
    return math.floor(share * side + 0.5)


def _wide(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, 1, 1)


def _around(x: Tensor, mean: Tensor, factor: Tensor) -> Tensor:
    return (x - mean) * _wide(factor) + mean
