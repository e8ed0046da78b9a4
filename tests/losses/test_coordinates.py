"""L2, L1, smooth L1 and Wing."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from facelab.losses import l1, l2, smooth_l1, wing

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {"l2": l2, "l1": l1, "smooth_l1": smooth_l1, "wing": wing}
ALL = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def _pair(seed: int = 0, spread: float = 8.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = 256 * torch.rand(3, 5, 2, generator=generator, dtype=torch.float64)
    return target + spread * torch.randn(target.shape, generator=generator, dtype=torch.float64), target


def _at(loss: Loss, *errors: float) -> float:
    """The cost of one landmark with these errors."""
    return float(loss(torch.tensor([[errors]], dtype=torch.float64), torch.zeros(1, 1, len(errors)).double()))


def _slope(loss: Loss, error: float) -> float:
    predicted = torch.tensor([[[error]]], dtype=torch.float64, requires_grad=True)
    loss(predicted, torch.zeros_like(predicted)).backward()
    assert predicted.grad is not None
    return float(predicted.grad)


def test_hand_computed_values() -> None:
    assert _at(l2, 3.0, -4.0) == pytest.approx(25.0)
    assert _at(l1, 3.0, -4.0) == pytest.approx(7.0)
    assert _at(smooth_l1, 0.5, -4.0) == pytest.approx(0.125 + 3.5)
    assert _at(lambda p, t: smooth_l1(p, t, beta=2.0), 1.0, 6.0) == pytest.approx(0.25 + 5.0)
    assert _at(wing, 2.0) == pytest.approx(10 * math.log(2))  # ln(1 + 2/2)
    assert _at(wing, -18.0) == pytest.approx(18 - 10 + 10 * math.log(6))  # C = 10 - 10 ln(1 + 10/2)
    assert _at(lambda p, t: wing(p, t, w=3.0, epsilon=1.0), 2.0, 5.0) == pytest.approx(
        3 * math.log(3) + 5 - 3 + 3 * math.log(4)
    )


@ALL
def test_exact_prediction_costs_nothing(loss: Loss) -> None:
    _, target = _pair()
    predicted = target.clone().requires_grad_()
    value = loss(predicted, target)
    value.backward()
    assert float(value.detach()) == 0
    assert predicted.grad is not None and not predicted.grad.any()


@pytest.mark.parametrize(
    ("loss", "branch"),
    [(smooth_l1, 1.0), (lambda p, t: smooth_l1(p, t, 2.5), 2.5), (wing, 10.0), (lambda p, t: wing(p, t, 5, 0.5), 5.0)],
)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_values_are_continuous_where_the_branches_meet(loss: Loss, branch: float, sign: float) -> None:
    below, above = _at(loss, sign * (branch - 1e-9)), _at(loss, sign * (branch + 1e-9))
    assert abs(above - below) < 1e-8


def test_slopes_where_the_branches_meet() -> None:
    """Smooth L1 keeps its slope; that of Wing steps from w / (w + epsilon) to 1."""
    for beta in (1.0, 3.0):
        for error in (beta - 1e-9, beta + 1e-9):
            assert _slope(partial(smooth_l1, beta=beta), error) == pytest.approx(1.0)
    assert _slope(wing, 10 - 1e-9) == pytest.approx(10 / 12)
    assert _slope(wing, 10 + 1e-9) == pytest.approx(1.0)
    assert _slope(wing, 1e-12) == pytest.approx(10 / 2)
    assert _slope(wing, -1e-12) == pytest.approx(-10 / 2)


@ALL
def test_gradient(loss: Loss) -> None:
    predicted, target = _pair()
    assert torch.autograd.gradcheck(lambda p: loss(p, target), predicted.requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_against_a_loop(name: str) -> None:
    def cost(d: float) -> float:
        size = abs(d)
        if name == "l2":
            return d**2
        if name == "l1":
            return size
        if name == "smooth_l1":
            return d**2 / 2 if size < 1 else size - 0.5
        return 10 * math.log(1 + size / 2) if size < 10 else size - (10 - 10 * math.log(1 + 10 / 2))

    predicted, target = _pair(1)
    sums = np.array([[sum(map(cost, row)) for row in face] for face in (predicted - target).numpy()])
    costs = LOSSES[name](predicted, target, reduction="none")  # type: ignore[call-arg]
    np.testing.assert_allclose(costs.numpy(), sums, rtol=1e-12)
    assert float(LOSSES[name](predicted, target)) == pytest.approx(sums.mean(), rel=1e-12)


@ALL
def test_missing_landmarks_cost_nothing_and_have_no_gradient(loss: Loss) -> None:
    predicted, target = _pair(2)
    kept = torch.ones(3, 5, dtype=torch.bool)
    kept[0, 1] = kept[2, 3] = False
    holed = target.clone()
    holed[0, 1], holed[2, 3, 1] = torch.nan, torch.nan
    predicted = predicted.requires_grad_()
    value = loss(predicted, holed)
    value.backward()
    assert predicted.grad is not None
    assert predicted.grad[kept].abs().min() > 0 and not predicted.grad[~kept].any()
    whole = loss(predicted[kept][None], target[kept][None])
    torch.testing.assert_close(value, whole)
    assert float(loss(predicted, torch.full_like(target, torch.nan)).detach()) == 0


@ALL
def test_no_gradient_flows_to_the_target(loss: Loss) -> None:
    predicted, target = _pair()
    value = loss(predicted.requires_grad_(), target.requires_grad_())
    value.backward()
    assert target.grad is None


@ALL
def test_float32_keeps_its_type(loss: Loss) -> None:
    predicted, target = _pair()
    single = loss(predicted.float(), target.float())
    assert single.dtype == torch.float32
    assert float(single) == pytest.approx(float(loss(predicted, target)), rel=1e-4)


@ALL
def test_wrong_shapes_say_what_was_expected(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"predicted: expected shape \(2, 5, 2\), got \(1, 5, 2\)"):
        loss(torch.zeros(1, 5, 2), torch.zeros(2, 5, 2))
    with pytest.raises(ValueError, match=r"target: expected \(B, L, D\) of floating point, got \(5, 2\)"):
        loss(torch.zeros(5, 2), torch.zeros(5, 2))
    with pytest.raises(ValueError, match=r"target: expected \(B, L, D\) of floating point, got .* torch.int64"):
        loss(torch.zeros(1, 5, 2), torch.zeros(1, 5, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"reduction: expected 'mean' or 'none', got 'sum'"):
        loss(torch.zeros(1, 5, 2), torch.zeros(1, 5, 2), reduction="sum")  # type: ignore[call-arg]


def test_parameters_are_positive() -> None:
    zeros = torch.zeros(1, 5, 2)
    with pytest.raises(ValueError, match="beta: expected a positive number, got 0"):
        smooth_l1(zeros, zeros, 0)
    with pytest.raises(ValueError, match="w: expected a positive number, got -1"):
        wing(zeros, zeros, w=-1)
    with pytest.raises(ValueError, match="epsilon: expected a positive number, got nan"):
        wing(zeros, zeros, epsilon=math.nan)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@ALL
def test_cuda_agrees_with_the_cpu(loss: Loss) -> None:
    predicted, target = _pair()
    torch.testing.assert_close(loss(predicted.cuda(), target.cuda()).cpu(), loss(predicted, target))
