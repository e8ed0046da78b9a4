"""Bins of yaw, and what becomes of angles over 90 degrees."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facelab.metrics import by_pose

KEYS = ["0-30", "30-60", "60-90", "mean_of_bins", "mean_of_faces"]


def test_bins_of_yaw() -> None:
    errors = torch.tensor([0.01, 0.03, 0.05, 0.09])
    result = by_pose(errors, torch.tensor([-30.0, 10.0, 30.1, -100.0]))
    assert list(result) == KEYS
    assert list(result.values()) == pytest.approx([0.02, 0.05, 0.09, 0.16 / 3, 0.045])


def test_both_means_differ_when_bins_do() -> None:
    result = by_pose(torch.tensor([0.01] * 8 + [0.04, 0.07]), torch.tensor([0.0] * 8 + [45.0, 80.0]))
    assert result["mean_of_bins"] == pytest.approx(0.04) and result["mean_of_faces"] == pytest.approx(0.019)


def test_ends_of_the_bins() -> None:
    errors = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    yaw = torch.tensor([30.0, math.nextafter(30, 31), 60.0, math.nextafter(60, 61), 90.0], dtype=torch.float64)
    for beyond in ("last", "fold", "drop", "raise"):
        result = by_pose(errors, yaw, beyond)  # type: ignore[arg-type]
        assert [result[key] for key in KEYS[:3]] == [1.0, 2.5, 4.5]


def test_an_empty_bin_has_no_mean() -> None:
    result = by_pose(torch.tensor([0.1]), torch.tensor([0.0]))
    assert math.isnan(result["60-90"]) and math.isnan(result["mean_of_bins"])
    assert result["mean_of_faces"] == pytest.approx(0.1)


def test_angles_over_90_degrees() -> None:
    errors = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0])
    yaw = torch.tensor([5.0, 70.0, -351.25, 168.0, 125.0])
    last = by_pose(errors, yaw)
    assert (last["0-30"], last["60-90"]) == (1.0, 7.5)
    fold = by_pose(errors, yaw, "fold")  # 8.75, 12 and 55
    assert (fold["0-30"], fold["30-60"], fold["60-90"]) == (pytest.approx(13 / 3), 16.0, 2.0)
    drop = by_pose(errors, yaw, "drop")
    assert (drop["0-30"], drop["60-90"], drop["mean_of_faces"]) == (1.0, 2.0, 1.5)
    with pytest.raises(ValueError, match="angles of at most 90, got -351.25 for face 2; beyond='last'"):
        by_pose(errors, yaw, "raise")


@given(yaw=st.floats(-1000, 1000))
def test_folding_is_the_arc_sine_of_the_sine(yaw: float) -> None:
    folded = math.degrees(math.asin(abs(math.sin(math.radians(yaw)))))
    if min(abs(folded - 30), abs(folded - 60)) > 1e-6:
        result = by_pose(torch.tensor([1.0]), torch.tensor([yaw], dtype=torch.float64), "fold")
        inside = KEYS[0] if folded < 30 else KEYS[1] if folded < 60 else KEYS[2]
        assert [key for key in KEYS[:3] if result[key] == 1.0] == [inside]


def test_bad_input_is_named() -> None:
    errors = torch.tensor([0.1])
    cases = [
        (lambda: by_pose(errors, torch.tensor([1.0, 2.0])), "expected 1 finite angles"),
        (lambda: by_pose(errors, torch.tensor([torch.nan])), "expected 1 finite angles"),
        (lambda: by_pose(errors[:0], errors[:0]), "non-empty"),
        (lambda: by_pose(errors, errors, "mirror"), "beyond: expected 'last', 'fold', 'drop' or 'raise'"),  # type: ignore[arg-type]
        (lambda: by_pose(errors, torch.tensor([100.0]), "drop"), "no face is left"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
