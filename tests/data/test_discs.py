"""Discs: how large they are, where they stand, and what is read from them."""

import math

import pytest
import torch
from torch import Tensor

from facelab.data.discs import decode_discs, encode_discs


def _points(count: int = 8, landmarks: int = 5) -> Tensor:
    """Anywhere between the pixels, at least ten pixels from the border of a map of 40 x 48."""
    return 10 + torch.rand(count, landmarks, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([27.0, 19.0])


def test_a_disc_by_hand() -> None:
    (disc,) = encode_discs(torch.tensor([[[3.0, 1.0]]]), 4, 6, 1.0)[0]
    assert disc.tolist() == [[0, 0, 0, 1, 0, 0], [0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0]]
    corners = encode_discs(torch.tensor([[[3.0, 1.0]]]), 4, 6, math.sqrt(2) + 1e-6)
    assert int(corners.sum()) == 9


@pytest.mark.parametrize("radius", [4.0, 7.0])
def test_the_area_is_that_of_a_circle(radius: float) -> None:
    area = encode_discs(_points(), 40, 48, radius).sum((2, 3))
    assert float(area.mean()) == pytest.approx(math.pi * radius**2, rel=0.01)
    torch.testing.assert_close(area, torch.full((8, 5), math.pi * radius**2), atol=0, rtol=0.1)


def test_a_radius_for_each_face() -> None:
    points, radii = _points(2), torch.tensor([2.0, 6.0])
    together = encode_discs(points, 40, 48, radii)
    for face, radius in enumerate((2.0, 6.0)):
        assert torch.equal(together[face], encode_discs(points[face : face + 1], 40, 48, radius)[0])
    assert float(together[1].sum()) > 5 * float(together[0].sum())


def test_a_missing_landmark_is_nowhere() -> None:
    points = _points(1)
    points[0, 1, 0], points[0, 2] = torch.nan, torch.inf
    maps = encode_discs(points, 40, 48, 3.0)
    assert maps.sum((2, 3)).bool().tolist() == [[True, False, False, True, True]]
    assert decode_discs(maps)[0, 1].tolist() == [0.0, 0.0]


def test_maps_have_the_dtype_of_the_points() -> None:
    maps = encode_discs(_points().double(), 40, 48, 3)
    assert maps.dtype == torch.float64 and maps.shape == (8, 5, 40, 48)
    assert set(maps.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("radius", "apart"), [(2.0, 0.35), (3.0, 0.3), (7.0, 0.25), (10.0, 0.2)])
def test_the_middle_of_a_disc_is_its_landmark(radius: float, apart: float) -> None:
    """But for the few pixels of which a small disc is made."""
    points = _points(64)
    found = decode_discs(encode_discs(points, 40, 48, radius))
    assert float((found - points).norm(dim=2).max()) < apart
    assert decode_discs(encode_discs(points, 40, 48, radius).half()).dtype == torch.float32


def test_what_is_below_half_of_the_largest_does_not_count() -> None:
    maps = torch.full((1, 1, 9, 9), 0.2)
    maps[0, 0, 2, 3:6] = torch.tensor([0.6, 1.0, 0.6])
    torch.testing.assert_close(decode_discs(maps), torch.tensor([[[4.0, 2.0]]]))
    maps[0, 0, 2, 3] = 0.49  # no longer bright: 4 and 5 are left, with weights of 1 and 0.6
    torch.testing.assert_close(decode_discs(maps), torch.tensor([[[4 + 0.6 / 1.6, 2.0]]]))


@pytest.mark.parametrize(
    ("points", "radius", "message"),
    [
        (torch.zeros(2, 5, 3), 1.0, r"points: expected floating-point \(B, L, 2\), got torch.float32 \(2, 5, 3\)"),
        (torch.zeros(5, 2), 1.0, r"points: expected floating-point \(B, L, 2\), got torch.float32 \(5, 2\)"),
        (torch.zeros(2, 5, 2).long(), 1.0, r"points: expected floating-point \(B, L, 2\), got torch.int64"),
        (torch.zeros(2, 5, 2), 0.0, "radius: expected positive numbers of pixels, got 0.0"),
        (torch.zeros(2, 5, 2), torch.tensor([1.0, -1.0]), "radius: expected positive numbers of pixels"),
        (torch.zeros(2, 5, 2), torch.nan, "radius: expected positive numbers of pixels, got nan"),
    ],
)
def test_bad_input_is_told(points: Tensor, radius: float | Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_discs(points, 8, 8, radius)


def test_maps_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"maps: expected shape \(B, L, H, W\), got \(5, 8, 8\)"):
        decode_discs(torch.zeros(5, 8, 8))
