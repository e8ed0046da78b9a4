"""Ellipses made and assumed: covariances, the one factor between them, and the shares of points inside."""

import math

import matplotlib.pyplot as plt
import pytest
import torch
from torch import Tensor

from facelab import viz
from facelab.losses import tangents
from facelab.markups import markup
from facelab.viz.error_ellipses import RADIUS

CORNERS = list(markup("68").corners)
CURVES = [index for index in range(68) if index not in CORNERS]


def face() -> Tensor:
    """68 points on circles, so that every contour has a direction; its box has a side of 100."""
    angles = torch.arange(68, dtype=torch.float64) * 2.399963
    points = torch.arange(1, 69, dtype=torch.float64)[:, None] * torch.stack([angles.cos(), angles.sin()], -1)
    low, high = points.amin(0), points.amax(0)
    return 100 * points / (high - low).prod().sqrt()


def drawn(count: int, along: float, across: float, corner: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Normal errors of these deviations, in percent of the box and in pixels alike, and the faces."""
    target = face().expand(count, -1, -1)
    draws = torch.randn(count, 68, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    tangent = tangents(target, "68")
    normal = torch.stack([-tangent[..., 1], tangent[..., 0]], -1)
    errors = along * draws[..., :1] * tangent + across * draws[..., 1:] * normal
    errors[:, CORNERS] = corner * draws[:, CORNERS]
    return errors, target


def test_radius_is_that_of_two_degrees_of_freedom() -> None:
    assert pytest.approx(5.991, abs=5e-4) == RADIUS**2


def test_four_errors_have_the_covariance_computed_by_hand() -> None:
    target = face().expand(4, -1, -1)
    tangent = tangents(target, "68")
    normal = torch.stack([-tangent[..., 1], tangent[..., 0]], -1)
    along = torch.tensor([3.0, -1.0, 3.0, -1.0])[:, None, None]
    across = torch.tensor([2.0, 2.0, -2.0, -2.0])[:, None, None]
    errors = (along * tangent + across * normal).nan_to_num(0)
    measured = viz.measure_ellipses(errors, target, "68", 2.0, 1.0)
    # Around the mean (1, 0) along is ±2 and across ±2: 4 · 4 / 3 each, and no covariance. Corners have no error.
    expected = torch.diag(torch.tensor([16 / 3, 16 / 3], dtype=torch.float64))
    for index in (0, 8, 30, 57):
        torch.testing.assert_close(measured.made[index], expected, atol=1e-9, rtol=0)
        torch.testing.assert_close(measured.mean[index], torch.tensor([1.0, 0.0], dtype=torch.float64))
    # Least squares of 16/3 against 4 and 1 at each of 60 landmarks of contours, and of 0 against 1 and 1 at 8 corners.
    factor = 60 * (4 + 1) * 16 / 3 / (60 * (16 + 1) + 8 * 2)
    assert measured.factor == pytest.approx(factor)
    torch.testing.assert_close(measured.assumed[8], torch.diag(torch.tensor([4.0, 1.0]).double()) * factor)
    # 3²/(4 f) + 2²/f = 4.04 and 1/(4 f) + 4/f = 2.75 are below 5.99: all four points lie inside both ellipses.
    assert (measured.inside_assumed[8], measured.inside_made[8], int(measured.count[8])) == (1, 1, 4)


@pytest.fixture(scope="module")
def as_assumed() -> viz.ErrorEllipses:
    """Errors of which the loss assumes everything right, but for a factor of 0.04."""
    return viz.measure_ellipses(*drawn(4000, along=1.0, across=0.6, corner=0.2), "68", 5.0, 3.0)


def test_a_network_as_the_loss_assumes_it_has_95_percent_inside_both(as_assumed: viz.ErrorEllipses) -> None:
    assert as_assumed.factor == pytest.approx(1 / 25, rel=0.02)
    for share in (as_assumed.inside_made, as_assumed.inside_assumed):
        assert float((share - 0.95).abs().max()) < 4 * math.sqrt(0.95 * 0.05 / 4000)
    assert as_assumed.overall() == pytest.approx((0.95, 0.95), abs=3e-3)


def test_ellipses_assumed_too_long_along_lose_points_across() -> None:
    measured = viz.measure_ellipses(*drawn(1000, along=0.6, across=1.0, corner=0.2), "68", 5.0, 3.0)
    made, assumed = measured.overall()
    assert made == pytest.approx(0.95, abs=0.01) and assumed < 0.90
    assert float(measured.inside_assumed[CURVES].mean()) < float(measured.inside_made[CURVES].mean())


def test_a_bias_moves_the_ellipse_made_and_leaves_the_one_assumed() -> None:
    errors, target = drawn(500, along=1.0, across=0.6, corner=0.2)
    tangent = tangents(target, "68").nan_to_num(0)
    measured = viz.measure_ellipses(errors + 5 * tangent, target, "68")
    assert float(measured.mean[8, 0]) == pytest.approx(5, abs=0.2)
    assert float(measured.inside_made[8]) > 0.9 and float(measured.inside_assumed[8]) < 0.1


def test_missing_landmarks_are_left_out_and_rare_ones_unknown() -> None:
    errors, target = drawn(10, 1.0, 0.6, 0.2)
    target = target.clone()
    target[2:9, 5] = torch.nan
    target[:8, 6] = torch.nan
    measured = viz.measure_ellipses(errors, target, "68")
    assert measured.count[[4, 5, 6]].tolist() == [10, 3, 2]
    unknown = [measured.made, measured.assumed, measured.mean, measured.inside_made, measured.inside_assumed]
    assert all(bool(values[6].isnan().all()) and bool(values[5].isfinite().all()) for values in unknown)
    assert math.isfinite(measured.overall()[1])


def test_drawing_has_two_ellipses_a_landmark_at_the_zoom(as_assumed: viz.ErrorEllipses) -> None:
    figure = viz.error_ellipses(as_assumed, zoom=2.0)
    patches = figure.axes[0].patches
    assert len(patches) == 2 * 68
    assumed = patches[8]
    assert assumed.width == pytest.approx(2 * 2 * RADIUS * 5 * math.sqrt(as_assumed.factor), rel=1e-6)
    assert assumed.width / assumed.height == pytest.approx(5 / 3)
    assert "2 times" in figure.axes[0].get_title()
    texts = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert texts[1] == f"made by the network: {100 * as_assumed.overall()[0]:.1f} % inside"
    plt.close(figure)


def test_what_does_not_fit_is_refused(as_assumed: viz.ErrorEllipses) -> None:
    errors, target = drawn(4, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="expected 3 or more of a landmark, got at most 2"):
        viz.measure_ellipses(errors[:2], target[:2], "68")
    with pytest.raises(ValueError, match="expected shape"):
        viz.measure_ellipses(errors[:, :5], target, "68")
    with pytest.raises(ValueError, match="zoom: expected a positive number"):
        viz.error_ellipses(as_assumed, zoom=0)
