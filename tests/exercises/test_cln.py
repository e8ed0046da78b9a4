"""Exercises of the chapters on CLN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from facelab.data.self_shuffle import SelfShuffle
from facelab.exercises import verdict
from facelab.exercises.cln import CLN
from facelab.face3d import builtin_face
from facelab.geometry import rotation_matrix
from facelab.ledger import published
from facelab.metrics import nme_3d
from facelab.metrics.pose import BINS
from tests.exercises.knowing import assert_knows

DRAWN = torch.Generator().manual_seed(0)


@torch.no_grad()
def _block() -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A 1 x 1 convolution and its normalisation, with variances that are small beside epsilon."""
    pointwise, norm = nn.Conv2d(3, 4, 1, bias=False).requires_grad_(False), nn.BatchNorm2d(4).eval()
    pointwise.weight.copy_(torch.randn(4, 3, 1, 1, generator=DRAWN))
    norm.requires_grad_(False).weight.copy_(0.5 + torch.rand(4, generator=DRAWN))
    torch.as_tensor(norm.running_mean).copy_(torch.randn(4, generator=DRAWN))
    torch.as_tensor(norm.running_var).copy_(1e-4 * (1 + torch.rand(4, generator=DRAWN)))
    return pointwise, norm


def _table_2() -> tuple[dict[str, torch.Tensor], dict[str, float], torch.Tensor]:
    """The errors of each method by pose, its printed mean, and the numbers of faces, as the chapter has them."""
    bins, means = {}, {}
    for method in dict.fromkeys(cell.method for cell in published("cln", "table-2")):
        values = {cell.subset: cell.value for cell in published("cln", "table-2", method=method)}
        if all(values[part] is not None for part in (*BINS, "mean")):
            bins[method] = torch.tensor([float(values[part] or 0) for part in BINS])
            means[method] = float(values["mean"] or 0)
    return bins, means, torch.tensor([1312.0, 383.0, 305.0])


FACE = builtin_face()
TRUTH = 60 * FACE.landmarks_of(FACE.mean.T[None]) + torch.randn(3, 68, 3, generator=DRAWN)
RATIOS = [1 + 0.02 * torch.randn(5, generator=DRAWN), 1 + 0.05 * torch.randn(5, generator=DRAWN)]
STEPS = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("b", "d"), ("a", "e"), ("e", "f")]
GIVEN: dict[str, tuple[Any, ...]] = {
    "cln-fuse": _block(),
    "cln-arrangements": (),
    "cln-separable": (),
    "cln-cost": (),
    "cln-seeds": (RATIOS, (0.995, 0.969)),
    "cln-order": _table_2(),
    "cln-axes": (TRUTH, rotation_matrix(0.0, 0.2, 0.0)),
    "cln-many-intervals": (STEPS, 5),
}


def test_every_exercise_is_tried() -> None:
    assert set(GIVEN) == set(CLN)


@pytest.mark.parametrize("label", GIVEN)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *GIVEN[label])


def test_the_fused_kernel_does_the_work_of_both() -> None:
    pointwise, norm = GIVEN["cln-fuse"]
    bias = norm.bias - norm.running_mean * norm.weight / (norm.running_var + norm.eps).sqrt()
    pictures = torch.randn(2, 3, 5, 5, generator=DRAWN)
    one = F.conv2d(pictures, CLN["cln-fuse"].right(pointwise, norm), bias, padding=1)
    assert torch.allclose(one, norm(pointwise(pictures)), rtol=1e-4, atol=1e-3)


def test_arrangements_as_they_are_drawn() -> None:
    count, kept = CLN["cln-arrangements"].right()
    assert count == 1 + 15 + 15 * 14 + 15 * 14 * 13 + 15 * 14 * 13 * 12
    held, _ = SelfShuffle().places(20_000, torch.Generator().manual_seed(0))
    drawn = (held == torch.arange(16)).all(1).double().mean()
    assert float(drawn) == pytest.approx(kept, abs=0.01)


def test_the_best_separable_gate_by_singular_values() -> None:
    left, values, right = torch.linalg.svd(torch.eye(4, dtype=torch.float64))
    rest = values[0] * torch.outer(left[:, 0], right[0]) - torch.eye(4)
    assert verdict("cln-separable", rest.norm() / 2) == "Right."


def test_no_fewer_seeds_would_do() -> None:
    # The interval of n seeds at a deviation of s: t s / sqrt(n), with t of 2.776 for five seeds and 3.182 for four.
    ratios = torch.tensor([0.9, 1.0, 1.1])
    deviation = float(ratios.std())
    for needed, quantile in ((5, 2.776), (4, 3.182)):
        step = 1 - 1.001 * quantile * deviation / needed**0.5
        assert CLN["cln-seeds"].right([ratios], [step]) == [needed]


def test_the_order_of_the_printed_table() -> None:
    bins, means, counts = GIVEN["cln-order"]
    assert min(means, key=lambda method: means[method]) == "CLN"
    *_, by_faces, error = CLN["cln-order"].right(bins, means, counts)
    rivals = {m: float((v * counts).sum() / 2000) for m, v in bins.items() if m != "CLN"}
    assert (by_faces, pytest.approx(error)) == min(rivals.items(), key=lambda pair: pair[1])


def test_what_the_axes_forgive() -> None:
    truth, turn = GIVEN["cln-axes"]
    larger, flatter, turned, _ = CLN["cln-axes"].right(truth, turn)
    assert larger == pytest.approx([0, 0], abs=1e-3)
    assert flatter[0] == pytest.approx(0, abs=1e-3)
    assert flatter[1] > 1
    assert turned == pytest.approx([100 * float(nme_3d(truth @ turn.mT, truth, "axes").mean()), 0], abs=1e-3)


@pytest.mark.parametrize("steps", [1, 4])
def test_intervals_that_share_nothing_are_independent(steps: int) -> None:
    apart = [(f"before {i}", f"after {i}") for i in range(steps)]
    assert CLN["cln-many-intervals"].right(apart, 5) == pytest.approx(1 - 0.95**steps, abs=0.004)
