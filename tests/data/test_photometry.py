"""Photometric changes: each does what its name says, to each face by its own number."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from facelab.data import photometry as p


def _pictures(seed: int = 0, count: int = 3, height: int = 24, width: int = 20) -> Tensor:
    """Smooth pictures, so that blur and JPEG have something to keep."""
    coarse = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


CHANGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    # Each takes pictures and a share in [0, 1] a face, 0 for next to no change.
    "colour": lambda x, s: p.adjust_colour(x, 1 - s, 1 + s[:, None] * torch.tensor([0.5, -0.5, 0.2]).to(s), 0.3 * s),
    "gamma": lambda x, s: p.adjust_gamma(x, torch.exp(s)),
    "one side": lambda x, s: p.light_from_one_side(x, 6 * s, s - 0.5, s, s),
    "gaussian": lambda x, s: p.gaussian_blur(x, 2 * s),
    "motion": lambda x, s: p.motion_blur(x, 6 * s, s),
    "noise": lambda x, s: p.add_noise(x, s, _generator()),
    "resolution": lambda x, s: p.lower_resolution(x, 1 + 3 * s),
    "jpeg": lambda x, s: p.jpeg(x, (100 - 90 * s).round()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_leaves_a_picture_and_looks_at_one_face_alone(name: str) -> None:
    images, share = _pictures(), torch.tensor([0.2, 0.9, 0.5])
    before = images.clone()
    changed = CHANGES[name](images, share)
    assert torch.equal(images, before)
    assert changed.shape == images.shape and changed.dtype == images.dtype
    assert float(changed.min()) >= 0 and float(changed.max()) <= 1 + 1e-6
    assert float((changed - images).abs().amax((1, 2, 3)).min()) > 1e-3
    others = images.clone()
    others[1:] = 0.5
    less = torch.tensor([0.2, 0.1, 0.1])
    torch.testing.assert_close(CHANGES[name](others, less)[0], changed[0], atol=1e-5, rtol=0)
    assert torch.equal(CHANGES[name](images, share), changed)


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"jpeg"}))
def test_no_change_is_no_change(name: str) -> None:
    images = _pictures()
    torch.testing.assert_close(CHANGES[name](images, torch.zeros(3)), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", CHANGES)
def test_an_empty_batch_is_possible(name: str) -> None:
    assert CHANGES[name](torch.zeros(0, 3, 8, 8), torch.zeros(0)).shape == (0, 3, 8, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"noise"}))
def test_the_same_on_cuda(name: str) -> None:
    images, share = _pictures(), torch.tensor([0.2, 0.9, 0.5])
    there = CHANGES[name](images.cuda(), share.cuda())
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), CHANGES[name](images, share), atol=0.01, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_noise_on_cuda_is_repeatable() -> None:
    grey = torch.full((2, 3, 32, 32), 0.5, device="cuda")
    deviation = torch.tensor([0.05, 0.1], device="cuda")
    noisy = p.add_noise(grey, deviation, _generator())
    assert torch.equal(noisy, p.add_noise(grey, deviation, _generator()))
    assert noisy.std((1, 2, 3)).tolist() == pytest.approx([0.05, 0.1], rel=0.1)


def test_grey_is_grey_and_keeps_the_luma() -> None:
    images = _pictures()
    grey = p.adjust_colour(images, torch.zeros(3), torch.ones(3, 3), torch.zeros(3))
    torch.testing.assert_close(grey[:, 0], grey[:, 1])
    torch.testing.assert_close(grey[:, 1], grey[:, 2])
    weights = torch.tensor([0.2989, 0.587, 0.114])
    torch.testing.assert_close(grey[:, 0], torch.einsum("bchw,c->bhw", images, weights), atol=1e-5, rtol=0)


def test_gain_offset_and_gamma_by_hand() -> None:
    images = torch.full((2, 3, 2, 2), 0.25)
    gain = torch.tensor([[1.0, 2.0, 0.5], [8.0, 1.0, 1.0]])
    changed = p.adjust_colour(images, torch.ones(2), gain, torch.tensor([0.1, -0.5]))
    assert changed[0, :, 0, 0].tolist() == pytest.approx([0.35, 0.6, 0.225])
    assert changed[1, :, 0, 0].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert p.adjust_gamma(images, torch.tensor([0.5, 2.0]))[:, 0, 0, 0].tolist() == pytest.approx([0.5, 0.0625])


def test_the_far_side_is_dark_and_the_near_side_as_before() -> None:
    white = torch.ones(2, 3, 32, 32)
    angle, ones = torch.tensor([0.0, torch.pi / 2]), torch.ones(2)
    lit = p.light_from_one_side(white, angle, 0 * ones, 0.2 * ones, 0.7 * ones)[:, 0]
    torch.testing.assert_close(lit[0, :, :10], torch.ones(32, 10))
    torch.testing.assert_close(lit[0, :, -10:], torch.full((32, 10), 0.3))
    torch.testing.assert_close(lit[1], lit[0].T, atol=1e-5, rtol=0)  # downwards at 90 degrees


@given(sigma=st.floats(0.6, 3.0), x=st.integers(14, 26), y=st.integers(14, 26))
def test_a_point_blurs_to_a_gaussian_of_that_width(sigma: float, x: int, y: int) -> None:
    point = torch.zeros(1, 3, 41, 41)
    point[:, :, y, x] = 1
    spot = p.gaussian_blur(point, torch.tensor([sigma]))[0, 0]
    columns, rows = torch.arange(41.0), torch.arange(41.0)
    assert float(spot.sum()) == pytest.approx(1, abs=1e-4)
    assert float((spot.sum(0) * columns).sum()) == pytest.approx(x, abs=1e-3)
    assert float((spot.sum(1) * (rows - y) ** 2).sum()) == pytest.approx(sigma**2, rel=0.08)


def test_motion_blur_draws_a_line() -> None:
    point = torch.zeros(2, 3, 31, 31)
    point[:, :, 15, 15] = 1
    line = p.motion_blur(point, torch.tensor([9.0, 9.0]), torch.tensor([0.0, torch.pi / 2]))[:, 0]
    assert line[0, 15, 11:20].tolist() == pytest.approx([1 / 9] * 9, abs=1e-5)
    assert float(line[0].sum()) == pytest.approx(1, abs=1e-5) and float(line[0, 15].sum()) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(line[1], line[0].T, atol=1e-5, rtol=0)


def test_noise_has_the_deviation_asked_for() -> None:
    grey = torch.full((3, 3, 64, 64), 0.5)
    noise = p.add_noise(grey, torch.tensor([0.0, 0.02, 0.1]), _generator()) - grey
    assert noise.std((1, 2, 3)).tolist() == pytest.approx([0.0, 0.02, 0.1], rel=0.03, abs=1e-7)
    assert noise.mean((1, 2, 3)).abs().max() < 0.003


def test_lower_resolution_takes_stripes_away_and_leaves_ramps() -> None:
    stripes = torch.zeros(1, 3, 48, 48)
    stripes[..., ::2] = 1
    assert float(p.lower_resolution(stripes, torch.tensor([4.0]))[..., 8:-8].std()) < 0.05
    ramp = torch.linspace(0, 1, 48).expand(1, 3, 48, 48)
    coarse = p.lower_resolution(ramp, torch.tensor([3.0]))
    torch.testing.assert_close(coarse[..., 6:-6], ramp[..., 6:-6], atol=1e-3, rtol=0)


def test_jpeg_changes_little_at_high_and_more_at_low_quality() -> None:
    images = _pictures(height=64, width=64)
    error = [float((p.jpeg(images, torch.full((3,), q)) - images).abs().mean()) for q in (98.0, 90.0, 10.0)]
    assert error[0] < error[1] < error[2] and error[1] < 0.02


def test_bad_numbers_are_named() -> None:
    images, one = _pictures(), torch.ones(3)
    with pytest.raises(ValueError, match=r"images: expected floating-point \(B, 3, H, W\)"):
        p.adjust_gamma(images[:, :1], one)
    with pytest.raises(ValueError, match=r"gamma: expected one number a picture, shape \(3,\), got \(2,\)"):
        p.adjust_gamma(images, one[:2])
    with pytest.raises(ValueError, match="gamma: expected positive"):
        p.adjust_gamma(images, 0 * one)
    with pytest.raises(ValueError, match=r"gain: expected shape \(3, 3\)"):
        p.adjust_colour(images, one, one, one)
    with pytest.raises(ValueError, match="sigma: expected"):
        p.gaussian_blur(images, -one)
    with pytest.raises(ValueError, match="factor: expected at least 1"):
        p.lower_resolution(images, 0.5 * one)
    with pytest.raises(ValueError, match=r"quality: expected whole numbers in \[1, 100\]"):
        p.jpeg(images, 101 * one)
