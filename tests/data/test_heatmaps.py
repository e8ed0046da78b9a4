"""Landmarks to heatmaps and back."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facelab.data import DECODERS, decode_heatmaps, encode_heatmaps, to_heatmap_pixels, to_picture_pixels


def _points(count: int = 20, low: float = 5.0, high: float = 58.0) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, 68, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("method", ["log-parabola", "log-quadratic"])
@given(x=st.floats(1.0, 30.0), y=st.floats(1.0, 46.0), sigma=st.floats(1.0, 3.0))
def test_logarithmic_decoders_invert_a_gaussian(method: str, x: float, y: float, sigma: float) -> None:
    """Up to one pixel from the border."""
    points = torch.tensor([[[x, y]]], dtype=torch.float32)
    decoded = decode_heatmaps(encode_heatmaps(points, 48, 32, sigma), method)
    torch.testing.assert_close(decoded, points, atol=2e-3, rtol=0)


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("noise", [0.01, 0.05, 0.1])
def test_log_quadratic_stands_noise_as_dark_does(sigma: float, noise: float) -> None:
    points = _points(4, 12.0, 51.0)
    maps = 0.8 * encode_heatmaps(points, 64, 64, sigma)
    maps += noise * torch.randn(maps.shape, generator=torch.Generator().manual_seed(1))
    peer = torch.from_numpy(np.stack([_dark(grid) for grid in maps.flatten(0, 1).numpy()])).view_as(points)
    error = {m: float((decode_heatmaps(maps, m) - points).norm(dim=2).mean()) for m in DECODERS}
    peer_error = float((peer - points).norm(dim=2).mean())
    assert error["log-quadratic"] < 1.03 * peer_error
    assert error["log-quadratic"] < 0.9 * min(error["argmax"], error["quarter"], error["log-parabola"])


def _dark(grid: np.ndarray) -> np.ndarray:
    """DARK for one peak far from the border: Gaussian smoothing by 11 x 11 pixels, logarithm, Taylor expansion."""
    y, x = np.unravel_index(grid.argmax(), grid.shape)
    log = np.log(np.maximum(cv2.GaussianBlur(grid, (11, 11), 0), 1e-10))
    slope = 0.5 * np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]])
    xx, yy = (log[y, x + 2] + log[y, x - 2] - 2 * log[y, x]) / 4, (log[y + 2, x] + log[y - 2, x] - 2 * log[y, x]) / 4
    xy = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
    return (np.array([x, y]) - np.linalg.solve(np.array([[xx, xy], [xy, yy]]), slope)).astype(np.float32)


@pytest.mark.parametrize("method", DECODERS)
@pytest.mark.parametrize("shape", [(17, 13), (5, 30), (2, 2), (1, 4)])
def test_compiled_and_differentiable_paths_agree(method: str, shape: tuple[int, int]) -> None:
    """Gaussians in noise at every distance from the border, maps without a peak, flat maps, negative maps."""
    generator = torch.Generator().manual_seed(2)
    height, width = shape
    points = torch.rand(30, 6, 2, generator=generator) * torch.tensor([width - 1.0, height - 1.0])
    maps = encode_heatmaps(points, height, width, 1.5) + 0.05 * torch.rand(30, 6, *shape, generator=generator)
    maps[0], maps[1], maps[2] = torch.randn(6, *shape, generator=generator), 1.0, maps[2] - 2.0
    compiled, plain = decode_heatmaps(maps, method), decode_heatmaps(maps.clone().requires_grad_(), method)
    torch.testing.assert_close(compiled, plain.detach(), atol=1e-3, rtol=0)
    assert float((compiled - plain.detach()).abs().quantile(0.95)) < 1e-5
    strided = maps.contiguous(memory_format=torch.channels_last)
    assert torch.equal(decode_heatmaps(strided, method), compiled)


@pytest.mark.parametrize("method", ["log-parabola", "log-quadratic"])
def test_gradients_pull_towards_the_side_that_grows(method: str) -> None:
    maps = encode_heatmaps(torch.tensor([[[8.2, 7.9]]]), 16, 16, 1.5).requires_grad_()
    decode_heatmaps(maps, method)[0, 0, 0].backward()
    assert maps.grad is not None
    assert float(maps.grad[0, 0, 8, 9]) > 0 > float(maps.grad[0, 0, 8, 7])


def test_the_floor_of_each_decoder() -> None:
    """Uniform sub-pixel positions: the mean distance to the centre of a unit square, its quarter rule, and nothing."""
    points = _points()
    maps = encode_heatmaps(points, 64, 64, 1.0)
    floor = {m: float((decode_heatmaps(maps, m) - points).norm(dim=2).mean()) for m in ("argmax", "quarter")}
    to_centre = (math.sqrt(2) + math.log(1 + math.sqrt(2))) / 6  # of a unit square, 0.3826
    assert floor["argmax"] == pytest.approx(to_centre, rel=0.03)
    assert floor["quarter"] == pytest.approx(to_centre / 2, rel=0.03)


def test_rounded_targets_gain_nothing_from_the_quarter_rule() -> None:
    maps = encode_heatmaps(_points().round(), 64, 64, 1.0)
    assert torch.equal(decode_heatmaps(maps, "quarter"), decode_heatmaps(maps, "argmax"))


@pytest.mark.parametrize("method", ["argmax", "quarter", "log-parabola"])
def test_decoders_follow_a_plain_loop(method: str) -> None:
    """Any map, also one without a Gaussian in it, and peaks on the border."""
    maps = torch.rand(4, 6, 7, 9, generator=torch.Generator().manual_seed(1))
    maps[0, 0, 0, 3] = maps[0, 1, 5, 0] = maps[0, 2, 6, 8] = 2.0
    decoded = decode_heatmaps(maps, method)
    for b in range(4):
        for landmark in range(6):
            grid = maps[b, landmark]
            y, x = divmod(int(grid.argmax()), 9)
            expected = [
                x + (_plain_offset(grid[y].tolist(), x, method) if 0 < x < 8 else 0.0),
                y + (_plain_offset(grid[:, x].tolist(), y, method) if 0 < y < 6 else 0.0),
            ]
            assert decoded[b, landmark].tolist() == pytest.approx(expected, abs=1e-5)


def _plain_offset(line: list[float], at: int, method: str) -> float:
    left, centre, right = line[at - 1 : at + 2]
    if method == "argmax":
        return 0.0
    if method == "quarter":
        return 0.25 if right > left else -0.25
    left, centre, right = math.log(left), math.log(centre), math.log(right)
    return max(-0.5, min(0.5, 0.5 * (right - left) / (2 * centre - left - right)))


def test_a_landmark_outside_has_no_map_and_disturbs_no_other() -> None:
    points = torch.tensor([[[-3.0, 5.0], [torch.nan, 5.0], [7.7, 7.2], [6.0, 7.6]]])
    maps = encode_heatmaps(points, 8, 8)
    assert maps[0, 0].abs().sum() == maps[0, 1].abs().sum() == maps[0, 3].abs().sum() == 0
    assert maps[0, 2].sum() == 0  # beyond the edge of the last pixel
    assert bool(torch.isfinite(decode_heatmaps(maps)).all())


@given(x=st.floats(-500, 500), stride=st.sampled_from([2.0, 4.0, 8.0]))
def test_strides_invert(x: float, stride: float) -> None:
    value = torch.tensor(x, dtype=torch.float64)
    assert float(to_picture_pixels(to_heatmap_pixels(value, stride), stride)) == pytest.approx(x, abs=1e-9)
    assert float(to_heatmap_pixels(torch.tensor(1.5), 4.0)) == 0.0  # the middle of the first four pixels


def test_half_precision_maps_are_decoded() -> None:
    maps = encode_heatmaps(_points(2), 64, 64, 1.5).bfloat16()
    assert float((decode_heatmaps(maps) - _points(2)).norm(dim=2).mean()) < 0.1


def test_bad_input_is_named() -> None:
    cases = [
        (lambda: encode_heatmaps(torch.zeros(2, 3), 8, 8), r"points: expected floating-point \(B, L, 2\)"),
        (lambda: encode_heatmaps(torch.zeros(1, 2, 2, dtype=torch.int64), 8, 8), "torch.int64"),
        (lambda: encode_heatmaps(torch.zeros(1, 2, 2), 8, 8, 0.0), "sigma: expected a positive number"),
        (lambda: decode_heatmaps(torch.zeros(2, 8, 8)), "heatmaps: expected shape"),
        (lambda: decode_heatmaps(torch.zeros(1, 1, 8, 8), "softmax"), "one of argmax, .*, log-quadratic"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("method", DECODERS)
def test_cuda_agrees_with_the_cpu(method: str) -> None:
    points = _points(4)
    maps = encode_heatmaps(points.cuda(), 64, 64)
    torch.testing.assert_close(maps.cpu(), encode_heatmaps(points, 64, 64), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        decode_heatmaps(maps, method).cpu(), decode_heatmaps(maps.cpu(), method), atol=1e-4, rtol=0
    )
