"""Curves in the flat domain."""

import numpy as np
import pytest

from facelab.face3d.plane_curves import (
    distance_to_curve,
    inside_loop,
    offset_loop,
    signed_distance,
    smoothstep,
    spline_curve,
)

SQUARE = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])  # counter-clockwise


@pytest.mark.parametrize("closed", [True, False])
def test_splines_pass_through_their_points(closed: bool) -> None:
    curve = spline_curve(SQUARE, 0.3, closed)
    for point in SQUARE:
        assert np.linalg.norm(curve - point, axis=1).min() < 1e-12
    assert np.linalg.norm(np.diff(curve, axis=0), axis=1).max() < 0.4


def test_further_columns_are_interpolated_alike() -> None:
    curve = spline_curve(np.concatenate([SQUARE, 3 * SQUARE + 1], axis=1), 0.3, closed=True)
    np.testing.assert_allclose(curve[:, 2:], 3 * curve[:, :2] + 1)


def test_distances_to_a_square() -> None:
    points = np.array([[1.0, 1.0], [1.0, 0.25], [3.0, 1.0], [-3.0, -4.0], [2.0, 1.0]])
    np.testing.assert_allclose(distance_to_curve(points, SQUARE, closed=True), [1.0, 0.25, 1.0, 5.0, 0.0], atol=1e-12)
    np.testing.assert_array_equal(inside_loop(points[:4], SQUARE), [True, True, False, False])
    np.testing.assert_allclose(signed_distance(points[:4], SQUARE), [1.0, 0.25, -1.0, -5.0])
    # open: the side x = 0 is missing
    np.testing.assert_allclose(distance_to_curve(np.array([[-1.0, 1.0]]), SQUARE), [np.sqrt(2)])


def test_offset_goes_outwards() -> None:
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(np.linalg.norm(offset_loop(circle, 0.5), axis=1), 1.5)


def test_smoothstep_both_ways() -> None:
    value = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(smoothstep(0, 1, value), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(1, 0, value), [1, 1, 0.5, 0, 0])
