"""PDC, and what all losses of the 62 parameters do with shapes, precisions and unknown faces."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from facelab.face3d import ParameterStatistics
from facelab.losses import ShapeGram, fwpdc, pdc, vdc, vdc_of_vertices, wpdc
from tests.losses.random_faces import Faces

Loss = Callable[..., Tensor]
ALL = pytest.mark.parametrize("name", ["pdc", "vdc", "vdc_of_vertices", "wpdc", "fwpdc", "fwpdc, squared"])


def _loss(name: str, faces: Faces) -> Loss:
    gram = ShapeGram.of(faces.model, torch.float64)
    losses: dict[str, Loss] = {
        "pdc": lambda p, g, **how: pdc(p, g, faces.statistics, **how),
        "vdc": lambda p, g, **how: vdc(p, g, gram, **how),
        "vdc_of_vertices": lambda p, g, **how: vdc_of_vertices(p, g, faces.model, **how),
        "wpdc": lambda p, g, **how: wpdc(p, g, faces.model, faces.statistics, **how),
        "fwpdc": lambda p, g, **how: fwpdc(p, g, gram, faces.statistics, **how),
        "fwpdc, squared": lambda p, g, **how: fwpdc(p, g, gram, faces.statistics, squared=True, **how),
    }
    return losses[name]


def _gradient(value: Tensor, of: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(value, of)
    return gradient


def test_pdc_by_hand() -> None:
    std = torch.ones(62)
    std[0], std[11] = 4.0, 0.0  # the depth never varies
    predicted = torch.zeros(2, 62)
    predicted[0, 0], predicted[0, 20], predicted[1, 11] = 8.0, 3.0, 5.0
    statistics = ParameterStatistics(torch.full((62,), 7.0), std)
    costs = pdc(predicted, torch.zeros(2, 62), statistics, reduction="none")
    torch.testing.assert_close(costs, torch.tensor([(2.0**2 + 3.0**2) / 62, 0.0]))
    assert float(pdc(predicted, torch.zeros(2, 62), statistics)) == pytest.approx(13 / 124)


def test_pdc_is_of_whitened_parameters(faces: Faces) -> None:
    p, g = (faces.statistics.whiten(parameters) for parameters in (faces.predicted, faces.target))
    wanted = (p - g).square().mean(1)
    torch.testing.assert_close(pdc(faces.predicted, faces.target, faces.statistics, reduction="none"), wanted)


@ALL
def test_exact_prediction_costs_nothing(name: str, faces: Faces) -> None:
    predicted = faces.target.float().requires_grad_()
    value = _loss(name, faces)(predicted, faces.target.float())
    assert float(value.detach()) == 0 and not _gradient(value, predicted).any()


@ALL
def test_mean_is_that_of_the_known_faces(name: str, faces: Faces) -> None:
    loss, target = _loss(name, faces), faces.target.clone()
    target[3, 20], target[5] = float("nan"), float("nan")
    predicted = faces.predicted.clone().requires_grad_()
    costs = loss(predicted, target, reduction="none")
    known = torch.ones(len(target), dtype=torch.bool).index_fill(0, torch.tensor([3, 5]), False)
    torch.testing.assert_close(costs[known], loss(faces.predicted, faces.target, reduction="none")[known])
    assert bool((costs[known] > 0).all()) and not costs[~known].any()
    value = loss(predicted, target)
    torch.testing.assert_close(value, costs[known].mean())
    assert torch.equal(_gradient(value, predicted).any(1), known)
    assert float(loss(faces.predicted, torch.full_like(target, float("nan")))) == 0


@ALL
def test_no_gradient_to_the_target(name: str, small: Faces) -> None:
    target = small.target.clone().requires_grad_()
    assert not _loss(name, small)(small.predicted, target).requires_grad


@ALL
def test_half_precision_is_lifted(name: str, faces: Faces) -> None:
    """The loss of a 16-bit prediction is that of the same numbers in 32 bits, also where autocast is on."""
    loss, target = _loss(name, faces), faces.target.float()
    predicted = faces.predicted.bfloat16().requires_grad_()
    wanted = loss(predicted.detach().float(), target)
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            value = loss(predicted, target)
        assert value.dtype == torch.float32 and torch.equal(value.detach(), wanted)
        assert _gradient(value, predicted).dtype == torch.bfloat16
    assert loss(faces.predicted, faces.target).dtype == torch.float64


@ALL
def test_bad_input_is_named(name: str, small: Faces) -> None:
    loss, predicted, target = _loss(name, small), small.predicted, small.target
    for arguments, message in (
        ((predicted[:, :61], target), r"predicted: expected shape \(B, 62\), got \(12, 61\)"),
        ((predicted, target[0]), r"target: expected shape \(B, 62\), got \(62,\)"),
        ((predicted[:1], target), "predicted: expected 12 faces as in target, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            loss(*arguments)
    with pytest.raises(ValueError, match="reduction: expected 'mean' or 'none', got 'sum'"):
        loss(predicted, target, reduction="sum")


@pytest.mark.parametrize("name", ["pdc", "vdc", "vdc_of_vertices"])
def test_gradients_are_right(name: str, small: Faces) -> None:
    """In numbers of one size: a step of finite differences must suit all."""
    loss, std = _loss(name, small), small.statistics.std.double()
    scores = ((small.predicted - small.target) / std.where(std > 0, 1))[:2].requires_grad_()
    target = small.target[:2]
    assert torch.autograd.gradcheck(lambda z: loss(target + z * std, target, reduction="none"), scores, atol=1e-4)
