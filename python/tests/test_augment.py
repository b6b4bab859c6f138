"""Augmentation against formulas written out pixel by pixel."""

import math
from typing import Any

import numpy as np
import pytest

import pddflow

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from pddflow import _augment as augment  # noqa: E402


def images(count: int = 3, side: int = 6) -> Any:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(count, 2, side, side)))


def test_crop_shifts_and_fills_with_zeros() -> None:
    x = images(2)
    y = augment.crop(x, torch.tensor([1, -2]), torch.tensor([0, 3]))
    assert torch.equal(y[0, :, :5], x[0, :, 1:]) and (y[0, :, 5] == 0).all()
    assert torch.equal(y[1, :, 2:, :3], x[1, :, :4, 3:]) and (y[1, :, :2] == 0).all() and (y[1, :, :, 3:] == 0).all()


def test_cutout_is_clipped_at_the_edge() -> None:
    y = augment.cutout(torch.ones(2, 1, 6, 6), torch.tensor([3, 6]), torch.tensor([0, 3]), (3, 3))
    assert y[0, 0].sum() == 36 - 3 * 2 and (y[0, 0, 2:5, 0:2] == 0).all()
    assert (y[1, 0, 5:, 2:5] == 0).all() and y[1, 0].sum() == 36 - 3


@pytest.mark.parametrize("corners", [True, False])
def test_a_warp_is_bilinear_with_zeros_outside(corners: bool) -> None:
    x, angle, side = images(1), 0.3, 6
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = [[torch.tensor([value], dtype=torch.float64) for value in row] for row in ((cos, -sin), (sin, cos))]
    y = augment.warp(x, matrix, corners=corners)

    def place(pixel: int) -> float:
        return 2 * pixel / (side - 1) - 1 if corners else (2 * pixel + 1) / side - 1

    def back(value: float) -> float:
        return (value + 1) / 2 * (side - 1) if corners else ((value + 1) * side - 1) / 2

    def at(row: int, column: int) -> float:
        return float(x[0, 0, row, column]) if 0 <= row < side and 0 <= column < side else 0.0

    for i in range(side):
        for j in range(side):
            column, row = back(cos * place(j) - sin * place(i)), back(sin * place(j) + cos * place(i))
            r, c = math.floor(row), math.floor(column)
            expected = sum(
                (1 - abs(row - rr)) * (1 - abs(column - cc)) * at(rr, cc) for rr in (r, r + 1) for cc in (c, c + 1)
            )
            assert float(y[0, 0, i, j]) == pytest.approx(expected, abs=1e-9)


def test_dsa_draws_one_operation_for_a_step() -> None:
    """With crop and flip alone, every image of a step is shifted, or every image is mirrored or left."""
    x, seen = images(4), set()
    policy, generator = augment.Policy("dsa:crop_flip"), torch.Generator().manual_seed(0)
    for _ in range(30):
        y = policy(x, generator)
        mirrored = [torch.equal(a, b) or torch.equal(a, b.flip(2)) for a, b in zip(y, x)]
        seen.add("flip" if all(mirrored) else "crop" if not any(torch.equal(a, b.flip(2)) for a, b in zip(y, x)) else "both")
    assert seen == {"flip", "crop"}


def test_parameters_are_drawn_for_each_image() -> None:
    x = torch.ones(6, 1, 8, 8)
    y = augment.Policy("dsa:color")(x, torch.Generator().manual_seed(0))
    assert len({round(float(one.mean()), 6) for one in y}) == 6
    assert all(0.5 <= float(one.mean()) <= 1.5 for one in y)


def test_colour_is_brightness_then_saturation_then_contrast() -> None:
    x = torch.rand(4, 3, 5, 5, dtype=torch.float64)
    y = augment.Policy("dsa:color")(x, torch.Generator().manual_seed(7))
    draws = torch.Generator().manual_seed(7)
    torch.randint(1, (1,), generator=draws)
    delta, saturation, contrast = (torch.rand(4, generator=draws, dtype=torch.float64) for _ in range(3))
    for image, result, b, s, c in zip(x, y, delta, saturation, contrast):
        brighter = image + (b - 0.5)
        grey = brighter.mean(0)
        saturated = grey + (brighter - grey) * 2 * s
        expected = saturated.mean() + (saturated - saturated.mean()) * (c + 0.5)
        assert torch.allclose(result, expected)


def test_angles_and_scales_stay_in_their_range() -> None:
    """A bright pixel beside the centre goes as far as the largest angle, or the largest factor, carries it."""
    x = torch.zeros(200, 1, 33, 33, dtype=torch.float64)
    x[:, :, 16, 26] = 1.0
    places = torch.arange(33, dtype=torch.float64) - 16
    for text, low, high, near in (("dsa:rotate", -15.0, 15.0, 1.0), ("dsa:scale", 1 / 1.2, 1.2, 0.05)):
        y = augment.Policy(text)(x, torch.Generator().manual_seed(0))
        total = y.sum((1, 2, 3))
        row, column = (y.sum((1, 3)) * places).sum(1) / total, (y.sum((1, 2)) * places).sum(1) / total
        found = torch.rad2deg(torch.atan2(row, column)) if text == "dsa:rotate" else column / 10
        assert float(found.min()) == pytest.approx(low, abs=near) and float(found.max()) == pytest.approx(high, abs=near), text


def test_idc_composes_in_its_order() -> None:
    x, generator = torch.rand(64, 1, 16, 16), torch.Generator().manual_seed(3)
    y = augment.Policy("idc:color_cutout_flip")(x, generator)
    assert all(int((one == 0).sum()) >= 16 for one in y), "cutout comes last, so that colour does not fill it"


def test_cutmix_weighs_by_the_area() -> None:
    x, labels, generator = images(5, 10), torch.arange(5), torch.Generator().manual_seed(0)
    mixed = [augment.cutmix(x, labels, 0.5, generator) for _ in range(60)]
    unmixed = sum(torch.equal(one[0], x) and one[2] == 1.0 for one in mixed)
    assert 15 < unmixed < 45
    for y, partners, own in mixed:
        changed = (y != x).any(1)
        for row, partner in enumerate(partners.tolist()):
            if partner != row and own < 1.0:
                assert float(changed[row].double().mean()) == pytest.approx(1.0 - own)
                assert torch.equal(y[row][:, changed[row]], x[partner][:, changed[row]])


@pytest.mark.parametrize("text", ["dsa:blur", "dsa:crop_crop", "all", ""])
def test_a_policy_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(pddflow.FormatError, match="is not known"):
        augment.Policy(text)
