"""Rotations against SciPy, and angles at every yaw."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from facelab.geometry import rotation_angles, rotation_matrix

DEGREES = st.floats(-89.0, 89.0)


@given(pitch=DEGREES, yaw=st.floats(-179.0, 179.0), roll=st.floats(-179.0, 179.0))
def test_matrix_is_scipys_product_of_three_turns(pitch: float, yaw: float, roll: float) -> None:
    angles = torch.tensor([pitch, yaw, roll], dtype=torch.float64).deg2rad()
    expected = Rotation.from_euler("XYZ", -angles.numpy()).as_matrix()
    np.testing.assert_allclose(rotation_matrix(*angles).numpy(), expected, atol=1e-12)


@given(pitch=DEGREES, yaw=st.floats(-179.0, 179.0), roll=st.floats(-179.0, 179.0))
def test_angles_come_back_past_the_profile(pitch: float, yaw: float, roll: float) -> None:
    angles = torch.tensor([pitch, yaw, roll], dtype=torch.float64).deg2rad()
    rotation = rotation_matrix(*angles)
    torch.testing.assert_close(rotation_matrix(*rotation_angles(rotation)), rotation, atol=1e-7, rtol=0)
    if abs(abs(yaw) - 90) > 0.01:
        torch.testing.assert_close(rotation_angles(rotation), angles, atol=1e-7, rtol=0)


def test_full_profile_keeps_the_turn_that_is_defined() -> None:
    rotation = rotation_matrix(*torch.tensor([0.3, torch.pi / 2, 0.1], dtype=torch.float64))
    angles = rotation_angles(rotation)
    assert angles[0] == 0
    torch.testing.assert_close(rotation_matrix(*angles), rotation, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("angles", "point", "axis", "sign"),
    [
        ((0.3, 0, 0), (0, 0, 1), 1, 1),  # chin up: what points to the viewer moves up
        ((0, 0.3, 0), (0, 0, 1), 0, -1),  # positive yaw: the nose goes to the left of the image
        ((0, 0, 0.3), (1, 0, 0), 1, -1),  # clockwise on the screen: the right end of the eye line sinks
    ],
)
def test_signs(angles: tuple[float, ...], point: tuple[float, ...], axis: int, sign: int) -> None:
    moved = rotation_matrix(*angles) @ torch.tensor(point, dtype=torch.get_default_dtype())
    assert sign * float(moved[axis]) > 0.2


def test_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"rotation: expected shape \(\.\.\., 3, 3\), got \(2, 3\)"):
        rotation_angles(torch.zeros(2, 3))
