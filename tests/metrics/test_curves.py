"""Failure rate, cumulative error distribution and its area, exact and by FAN's rule."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facelab.metrics import auc, ced, failure_rate

ERRORS = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 0.3))
THRESHOLDS = st.floats(0.01, 0.25)


def test_known_curve() -> None:
    errors = torch.tensor([0.04, 0.2, 0.02], dtype=torch.float64)
    x, share = ced(errors, 0.08)
    assert x.tolist() == [0.0, 0.02, 0.04, 0.08]
    assert share.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3], abs=1e-15)
    assert failure_rate(errors, 0.08) == pytest.approx(1 / 3, abs=1e-15)
    assert failure_rate(errors, 0.04) == pytest.approx(1 / 3, abs=1e-15)  # an error at the threshold is no failure
    # A rectangle of a third from 0.02 to 0.04 and one of two thirds from there to 0.08.
    assert auc(errors, 0.08) == pytest.approx((0.02 / 3 + 0.04 * 2 / 3) / 0.08, abs=1e-15)


def test_curve_of_the_ends() -> None:
    perfect, lost = torch.zeros(3), torch.full((3,), 0.5)
    assert (auc(perfect, 0.07), failure_rate(perfect, 0.07)) == (1.0, 0.0)
    assert (auc(lost, 0.07), failure_rate(lost, 0.07)) == (0.0, 1.0)
    assert ced(lost, 0.07)[1].tolist() == [0.0, 0.0]
    assert auc(lost, 0.07, "fan") == 0.0


def test_fan_rule_by_hand() -> None:
    """At 0.3 % the grid is 0, 1/999 and 2/999: perfect faces count at two of three."""
    assert auc(torch.zeros(5), 0.003, "fan") == pytest.approx(2 / 3, abs=1e-15)
    errors = torch.tensor([0.0, 1.5 / 999, 0.5], dtype=torch.float64)  # below x at 2, 1 and 0 of them
    assert auc(errors, 0.003, "fan") == pytest.approx((2 + 1 + 0) / 9, abs=1e-15)
    at_a_step = torch.tensor([1 / 999], dtype=torch.float64)  # not below itself
    assert auc(at_a_step, 0.003, "fan") == pytest.approx(1 / 3, abs=1e-15)
    assert auc(torch.zeros(1), 1.0, "fan") == 0.999


@given(values=ERRORS, threshold=THRESHOLDS)
def test_fan_rule_as_a_loop(values: np.ndarray, threshold: float) -> None:
    grid = np.linspace(0, 1, 1000)
    shares = [(values < x).sum() / len(values) for x in grid[: round(1000 * threshold)]]
    assert auc(torch.from_numpy(values), threshold, "fan") == pytest.approx(np.mean(shares), abs=1e-9)


@given(values=ERRORS, threshold=THRESHOLDS)
def test_fan_rule_is_a_grid_of_the_exact_area(values: np.ndarray, threshold: float) -> None:
    """A grid misses a rising curve by less than a step at its ends: 1/999, and the rounding of the threshold."""
    errors = torch.from_numpy(values)
    assert abs(auc(errors, threshold, "fan") - auc(errors, threshold)) < 2.6 / 999 / threshold


@given(values=ERRORS, threshold=THRESHOLDS)
def test_area_is_that_under_the_curve(values: np.ndarray, threshold: float) -> None:
    errors = torch.from_numpy(values)
    x, share = ced(errors, threshold)
    steps = float(((x[1:] - x[:-1]) * share[:-1]).sum()) / threshold
    area = auc(errors, threshold)
    assert area == pytest.approx(steps, abs=1e-9)
    assert float(share[-1]) == pytest.approx(1 - failure_rate(errors, threshold))
    assert 0 <= area <= 1
    assert area >= 1 - float(errors.mean()) / threshold - 1e-12
    assert area <= 1 - failure_rate(errors, threshold) + 1e-12
    assert bool((x.diff() >= 0).all()) and bool((share.diff() >= 0).all())


@given(values=ERRORS, threshold=THRESHOLDS, seed=st.integers(0, 99))
def test_order_of_faces_does_not_matter(values: np.ndarray, threshold: float, seed: int) -> None:
    errors = torch.from_numpy(values)
    mixed = errors[torch.randperm(len(errors), generator=torch.Generator().manual_seed(seed))]
    assert auc(mixed, threshold) == pytest.approx(auc(errors, threshold), abs=1e-12)
    assert auc(mixed, threshold, "fan") == pytest.approx(auc(errors, threshold, "fan"), abs=1e-12)
    assert failure_rate(mixed, threshold) == failure_rate(errors, threshold)
    for mine, theirs in zip(ced(mixed, threshold), ced(errors, threshold), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (torch.tensor([]), r"non-empty \(N,\) tensor, got shape \(0,\)"),
        (torch.ones(2, 2), r"got shape \(2, 2\)"),
        ([0.1], "got list"),
        (torch.tensor([0.1, torch.nan]), "finite numbers of at least 0, got nan for face 1"),
        (torch.tensor([-0.1]), "finite numbers of at least 0, got -0.1"),
    ],
)
def test_bad_errors_are_named(errors: torch.Tensor, message: str) -> None:
    for measure in (auc, ced, failure_rate):
        with pytest.raises(ValueError, match=message):
            measure(errors, 0.1)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_thresholds_are_named(threshold: float) -> None:
    for measure in (auc, ced, failure_rate):
        with pytest.raises(ValueError, match="threshold: expected a positive fraction"):
            measure(torch.tensor([0.1]), threshold)


def test_bad_rules_are_named() -> None:
    with pytest.raises(ValueError, match="rule: expected 'exact' or 'fan', got 'simpson'"):
        auc(torch.tensor([0.1]), 0.1, "simpson")  # type: ignore[arg-type]
    for threshold in (0.0001, 1.5):
        with pytest.raises(ValueError, match="rule 'fan' expects 0.001 to 1"):
            auc(torch.tensor([0.1]), threshold, "fan")
