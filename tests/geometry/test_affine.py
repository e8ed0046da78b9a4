"""One map for landmarks and pixels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facelab.geometry import Affine, sampled


def _random(seed: int, count: int = 3) -> Affine:
    draw = torch.rand(6, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Affine.about(30 + 10 * draw[:2].T, 6 * draw[2], 0.5 + draw[3], 5 * draw[4:6].T, draw[5] < 0.5)


@given(seed=st.integers(0, 1000))
def test_inverse_and_composition(seed: int) -> None:
    first, second = _random(seed), _random(seed + 1)
    points = torch.randn(3, 7, 2, dtype=torch.float64)
    torch.testing.assert_close(first.inverse().apply(first.apply(points)), points, atol=1e-9, rtol=0)
    torch.testing.assert_close((second @ first).apply(points), second.apply(first.apply(points)), atol=1e-9, rtol=0)


def test_crop_maps_the_edges_of_the_window_to_the_edges_of_the_picture() -> None:
    crop = Affine.crop(torch.tensor([[50.0, 40.0]]), torch.tensor([20.0]), 64)
    corners = torch.tensor([[[40.0, 30.0], [60.0, 50.0]]])
    torch.testing.assert_close(crop.apply(corners), torch.tensor([[[-0.5, -0.5], [63.5, 63.5]]]))
    assert float(crop.scale()) == pytest.approx(3.2)


def test_depth_is_scaled_with_the_picture() -> None:
    crop = Affine.crop(torch.tensor([[50.0, 40.0]]), torch.tensor([20.0]), 64)
    assert float(crop.apply(torch.tensor([[[0.0, 0.0, 5.0]]]))[0, 0, 2]) == pytest.approx(16.0)


def test_mirror_twice_is_nothing() -> None:
    mirror = Affine.about(
        torch.full((1, 2), 15.5), torch.zeros(1), torch.ones(1), torch.zeros(1, 2), torch.tensor([True])
    )
    torch.testing.assert_close((mirror @ mirror).matrix, torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]))
    picture = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(mirror.warp(picture, 32, 32), picture.flip(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", range(4))
def test_pixels_go_where_landmarks_go(seed: int) -> None:
    """A smooth spot, warped, has its centre where the affine says."""
    affine = Affine(_random(seed).matrix.float())
    rows, columns = torch.meshgrid(torch.arange(80.0), torch.arange(80.0), indexing="ij")
    centre = torch.tensor([34.0, 45.0])
    spot = torch.exp(-((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (2 * 3.0**2))
    warped = affine.warp(spot.expand(3, 1, 80, 80), 80, 80)[:, 0]
    expected = affine.apply(centre.expand(3, 1, 2))[:, 0]
    rows, columns = torch.meshgrid(torch.arange(80.0), torch.arange(80.0), indexing="ij")
    mass = warped.sum((1, 2))
    found = torch.stack([(warped * columns).sum((1, 2)) / mass, (warped * rows).sum((1, 2)) / mass], 1)
    inside = ((expected > 15) & (expected < 65)).all(1)
    assert inside.any()
    torch.testing.assert_close(found[inside], expected[inside], atol=0.05, rtol=0)


def test_a_shrinking_warp_skips_no_pixel() -> None:
    """Stripes of one pixel become grey, not stripes of another width, and stay where they were."""
    stripes = torch.zeros(1, 1, 256, 256)
    stripes[..., ::2] = 1.0
    small = Affine.crop(torch.tensor([[127.5, 127.5]]), torch.tensor([256.0]), 32).warp(stripes, 32, 32)
    torch.testing.assert_close(small, torch.full_like(small, 0.5), atol=1e-4, rtol=0)


def test_samples_lie_between_the_pixels_around_and_fade_to_zero_outside() -> None:
    image = torch.arange(12.0).reshape(1, 1, 3, 4)  # 4 y + x
    image = torch.cat([image, 10 * image], 1)
    places = torch.tensor([[0.0, 0.0], [3.0, 2.0], [1.25, 0.5], [-0.5, 1.0], [3.0, 2.5], [-1.0, 0.0], [9.0, 9.0]])
    expected = torch.tensor([0.0, 11.0, 3.25, 2.0, 5.5, 0.0, 0.0])
    found = sampled(image, places[None, None])
    assert found.shape == (1, 2, 1, 7)
    torch.testing.assert_close(found[0, :, 0], torch.stack([expected, 10 * expected]), atol=1e-4, rtol=0)


@given(seed=st.integers(0, 1000))
def test_a_warp_samples_where_the_map_back_leads(seed: int) -> None:
    affine = _random(seed)
    images = torch.rand(3, 2, 60, 70, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    pixels = torch.stack(torch.meshgrid(torch.arange(9.0), torch.arange(7.0), indexing="xy"), -1).double()
    places = affine.inverse().apply(pixels.reshape(1, -1, 2)).reshape(3, 7, 9, 2)
    torch.testing.assert_close(affine.warp(images, 7, 9), sampled(images, places), atol=1e-9, rtol=0)


def test_bad_numbers_are_named() -> None:
    with pytest.raises(ValueError, match=r"affine matrix: expected shape \(B, 2, 3\), got \(2, 3\)"):
        Affine(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="crop side"):
        Affine.crop(torch.zeros(1, 2), torch.zeros(1), 8)
