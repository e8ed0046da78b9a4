"""Errors with answers known by hand, and independent formulas."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facelab.markups import markup
from facelab.metrics import auc, by_pose, ced, failure_rate, nme

ERRORS = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 0.3))


def _faces(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 68, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 100


def test_a_shift_by_3_and_4_pixels_is_5_pixels() -> None:
    target = _faces()
    moved = target + torch.tensor([3.0, 4.0])
    torch.testing.assert_close(nme(moved, target, torch.ones(3)), torch.full((3,), 5.0, dtype=torch.float64))
    extent = target.amax(1) - target.amin(1)
    torch.testing.assert_close(nme(moved, target, "bbox"), 5 / (extent[:, 0] * extent[:, 1]).sqrt())
    torch.testing.assert_close(
        nme(moved, target, "interocular"),
        5
        / torch.dist(target[0, 36], target[0, 45]).new_tensor(
            [math.dist(face[36].tolist(), face[45].tolist()) for face in target]
        ),
    )


@given(scale=st.floats(0.1, 10), seed=st.integers(0, 99))
def test_unchanged_by_scale_order_and_mirror(scale: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    target, noise = _faces(), torch.randn(3, 68, 2, generator=generator, dtype=torch.float64)
    errors = nme(target + noise, target)
    torch.testing.assert_close(nme(scale * (target + noise), scale * target), errors, rtol=1e-9, atol=0)
    order = torch.randperm(68, generator=generator)
    torch.testing.assert_close(nme((target + noise)[:, order], target[:, order]), errors, rtol=1e-12, atol=0)
    partner, flip = torch.tensor(markup("68").mirror), torch.tensor([-1.0, 1.0])
    mirrored = nme(((target + noise) * flip)[:, partner], (target * flip)[:, partner], "interocular")
    torch.testing.assert_close(mirrored, nme(target + noise, target, "interocular"), rtol=1e-9, atol=0)


@given(values=ERRORS, threshold=st.floats(0.01, 0.25))
def test_area_is_that_under_the_curve(values: np.ndarray, threshold: float) -> None:
    errors = torch.from_numpy(values)
    x, share = ced(errors, threshold)
    steps = float(((x[1:] - x[:-1]) * share[:-1]).sum()) / threshold
    assert auc(errors, threshold) == pytest.approx(steps, abs=1e-9)
    assert float(share[-1]) == pytest.approx(1 - failure_rate(errors, threshold))
    assert auc(errors, threshold) >= 1 - float(errors.mean()) / threshold - 1e-12


def test_known_curve() -> None:
    errors = torch.tensor([0.02, 0.04, 0.2])
    assert failure_rate(errors, 0.08) == pytest.approx(1 / 3)
    assert auc(errors, 0.08) == pytest.approx((0.06 + 0.04) / 0.08 / 3)


def test_bins_of_yaw() -> None:
    errors = torch.tensor([0.01, 0.03, 0.05, 0.09])
    result = by_pose(errors, torch.tensor([-30.0, 10.0, 30.1, -100.0]))
    assert result["0-30"] == pytest.approx(0.02)
    assert result["30-60"] == pytest.approx(0.05)
    assert result["60-90"] == pytest.approx(0.09)
    assert result["mean_of_bins"] == pytest.approx(0.16 / 3)
    assert result["mean_of_faces"] == pytest.approx(0.045)
    assert math.isnan(by_pose(errors[:1], torch.tensor([0.0]))["60-90"])


def test_bad_input_is_named() -> None:
    faces = _faces()
    cases = [
        (lambda: nme(faces, faces[:2]), "expected two sets"),
        (lambda: nme(faces[:0], faces[:0]), "at least one face"),
        (lambda: nme(faces * torch.nan, faces), "nme predicted: expected finite"),
        (lambda: nme(faces, faces * 0 + 1), "normalizer of face 0: expected a positive length"),
        (lambda: nme(faces, faces, "iris"), "one of bbox, interocular, got 'iris'"),
        (lambda: nme(faces[:, :5], faces[:, :5], "interocular"), "expected one of 19, .*, 98 landmarks, got 5"),
        (lambda: nme(faces, faces, torch.ones(2)), r"normalizer: expected shape \(3,\)"),
        (lambda: auc(torch.tensor([]), 0.1), "non-empty"),
        (lambda: auc(torch.tensor([torch.nan]), 0.1), "finite"),
        (lambda: auc(torch.tensor([0.1]), 0.0), "positive fraction"),
        (lambda: by_pose(torch.tensor([0.1]), torch.tensor([1.0, 2.0])), "expected 1 finite angles"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
