"""The Adaptive Wing loss of heatmaps."""

import math
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from facelab.losses import adaptive_wing


def _maps(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Predictions and targets; errors on both sides of 0.5."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(2, 3, 6, 5, generator=generator, dtype=torch.float64) ** 3
    return target + 0.6 * torch.randn(target.shape, generator=generator, dtype=torch.float64), target


def _pixel(error: float, target: float, **options: float) -> tuple[float, float]:
    """Cost and slope of one pixel."""
    truth = torch.full((1, 1, 1, 1), target, dtype=torch.float64)
    predicted = (truth + error).requires_grad_()
    cost = adaptive_wing(predicted, truth, **options)  # type: ignore[arg-type]
    cost.backward()
    assert predicted.grad is not None
    return float(cost.detach()), float(predicted.grad)


def _loop(predicted: Tensor, target: Tensor, alpha: float, omega: float, epsilon: float, theta: float) -> np.ndarray:
    """The paper's formula, one pixel after the other."""
    costs = np.empty(target.shape)
    for place in np.ndindex(*target.shape):
        y, d = float(target[place]), abs(float(target[place] - predicted[place]))
        ratio = theta / epsilon
        if d < theta:
            costs[place] = omega * math.log(1 + (d / epsilon) ** (alpha - y))
            continue
        a = omega * (1 / (1 + ratio ** (alpha - y))) * (alpha - y) * ratio ** (alpha - y - 1) * (1 / epsilon)
        costs[place] = a * d - (theta * a - omega * math.log(1 + ratio ** (alpha - y)))
    return costs


def test_hand_computed_values() -> None:
    # Background: the power is 2.1. Foreground: 1.1.
    assert _pixel(0.1, 0.0)[0] == pytest.approx(14 * math.log(1 + 0.1**2.1))
    assert _pixel(-0.1, 1.0)[0] == pytest.approx(14 * math.log(1 + 0.1**1.1))
    slope = 14 * 1.1 * 0.5**0.1 / (1 + 0.5**1.1)
    assert _pixel(-1.0, 1.0)[0] == pytest.approx(0.5 * slope + 14 * math.log(1 + 0.5**1.1))
    assert _pixel(-1.0, 1.0)[1] == pytest.approx(-slope)


@pytest.mark.parametrize("options", [{}, {"epsilon": 0.3, "theta": 0.2, "alpha": 2.4, "omega": 5.0}])
@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_value_and_slope_are_continuous_where_the_branches_meet(
    options: dict[str, float], target: float, sign: int
) -> None:
    theta = options.get("theta", 0.5)
    below, above = (_pixel(sign * (theta + step), target, **options) for step in (-1e-9, 1e-9))
    assert below == pytest.approx(above, rel=1e-6)


@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_exact_pixels_cost_nothing(target: float) -> None:
    """Where the power is 1.1 the formula has 0 to the power of 0.1; the gradient must stay finite near there too."""
    assert _pixel(0.0, target) == (0.0, 0.0)
    slopes = [_pixel(10.0**-digits, target)[1] for digits in (3, 8, 30, 200)]
    assert all(0 <= small <= large < 14 for large, small in pairwise(slopes))


@pytest.mark.parametrize("weight", [0.0, 10.0])
def test_gradient(weight: float) -> None:
    predicted, target = _maps()
    assert torch.autograd.gradcheck(lambda p: adaptive_wing(p, target, weight=weight), predicted.requires_grad_())


@pytest.mark.parametrize("parameters", [(2.1, 14.0, 1.0, 0.5), (2.5, 3.0, 0.4, 0.7)])
def test_against_a_loop(parameters: tuple[float, float, float, float]) -> None:
    predicted, target = _maps(1)
    expected = _loop(predicted, target, *parameters)
    costs = adaptive_wing(predicted, target, *parameters, reduction="none")
    np.testing.assert_allclose(costs.numpy(), expected.mean((2, 3)), rtol=1e-12)
    assert float(adaptive_wing(predicted, target, *parameters)) == pytest.approx(expected.mean(), rel=1e-12)


def test_weighted_loss_map_against_grey_dilation() -> None:
    predicted, _ = _maps(2)
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(5.0), indexing="ij")
    target = torch.exp(-((rows - 2) ** 2 + (columns - 1) ** 2) / 2).double().expand(2, 3, 6, 5)
    bright = np.stack([ndimage.grey_dilation(one, (3, 3)) >= 0.2 for one in target.flatten(0, 1).numpy()])
    assert 0 < bright.mean() < 1
    costs = _loop(predicted, target, 2.1, 14.0, 1.0, 0.5) * (10 * bright.reshape(target.shape) + 1)
    assert float(adaptive_wing(predicted, target, weight=10)) == pytest.approx(costs.mean(), rel=1e-12)


def test_maps_of_missing_landmarks_cost_nothing_and_have_no_gradient() -> None:
    predicted, target = _maps(3)
    present = torch.tensor([[True, False, True], [False, True, True]])
    holed = torch.where(present[..., None, None], target, torch.nan)
    predicted.requires_grad_()
    value = adaptive_wing(predicted, holed, weight=10, present=present)
    value.backward()
    assert predicted.grad is not None
    assert predicted.grad[present].abs().amin((1, 2)).min() > 0 and not predicted.grad[~present].any()
    kept = adaptive_wing(predicted[present][None], target[present][None], weight=10)
    torch.testing.assert_close(value, kept)
    assert float(adaptive_wing(predicted.detach(), target, present=torch.zeros_like(present))) == 0


def test_no_gradient_flows_to_the_target() -> None:
    predicted, target = _maps()
    adaptive_wing(predicted.requires_grad_(), target.requires_grad_()).backward()
    assert target.grad is None


def test_float32_keeps_its_type() -> None:
    predicted, target = _maps()
    single = adaptive_wing(predicted.float(), target.float())
    assert single.dtype == torch.float32
    assert float(single) == pytest.approx(float(adaptive_wing(predicted, target)), rel=1e-5)


def test_bad_input_raises_one_clear_message() -> None:
    maps = torch.zeros(2, 3, 4, 4)
    loss = partial(adaptive_wing, maps, maps)
    cases = [
        (lambda: adaptive_wing(maps[:1], maps), r"predicted: expected shape \(2, 3, 4, 4\), got \(1, 3, 4, 4\)"),
        (
            lambda: adaptive_wing(maps[0], maps[0]),
            r"target: expected \(B, L, h, w\) of floating point, got \(3, 4, 4\)",
        ),
        (lambda: loss(alpha=2.0), "alpha: expected a number above 2, got 2.0"),
        (lambda: loss(omega=0), "omega: expected a positive number, got 0"),
        (lambda: loss(theta=-1), "theta: expected a positive number, got -1"),
        (lambda: loss(weight=-1), "weight: expected 0 or more, got -1"),
        (lambda: loss(present=torch.ones(2, 3)), r"present: expected \(2, 3\) of torch.bool, got .* torch.float32"),
        (lambda: loss(reduction="sum"), "reduction: expected 'mean' or 'none'"),  # type: ignore[arg-type]
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu() -> None:
    predicted, target = _maps()
    there = adaptive_wing(predicted.cuda(), target.cuda(), weight=10)
    torch.testing.assert_close(there.cpu(), adaptive_wing(predicted, target, weight=10))
