"""The anisotropic loss and its matrices."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from facelab.face3d import builtin_face
from facelab.losses import anisotropic, anisotropic_weights, l2, tangents
from facelab.markups import Markup, markup, names

ALL = pytest.mark.parametrize("name", names())
LINE = replace(markup("19"), name="line", points=5, curves=((0, 1, 2, 3, 4),), corners=(2,))


def _pair(name: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = 256 * torch.rand(3, markup(name).points, 2, generator=generator, dtype=torch.float64)
    return target + 6 * torch.randn(target.shape, generator=generator, dtype=torch.float64), target


def _turn(angle: float) -> Tensor:
    return torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()


def _slides(scheme: Markup) -> list[int]:
    return sorted({i for curve in scheme.curves for i in curve} - set(scheme.corners))


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matrices_are_symmetric_with_the_promised_eigenvalues(name: str, dtype: torch.dtype) -> None:
    scheme, target = markup(name), _pair(name)[1].to(dtype)
    weights = anisotropic_weights(target, name, a=5, b=3)
    assert weights.shape == (3, scheme.points, 2, 2) and weights.dtype == dtype
    assert torch.equal(weights, weights.mT)
    values = torch.linalg.eigvalsh(weights)
    slides = _slides(scheme)
    torch.testing.assert_close(values[:, slides], torch.tensor([1 / 25, 1 / 9], dtype=dtype).expand(3, len(slides), 2))
    others = sorted(set(range(scheme.points)) - set(slides))
    assert torch.equal(weights[:, others], torch.eye(2, dtype=dtype).expand(3, len(others), 2, 2))


@ALL
def test_the_cheap_direction_is_the_tangent(name: str) -> None:
    target = _pair(name)[1]
    slides = _slides(markup(name))
    weights, along = anisotropic_weights(target, name, 4.0, 2.0)[:, slides], tangents(target, name)[:, slides]
    across = along.flip(-1) * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close((weights @ along[..., None]).squeeze(-1), along / 16)
    torch.testing.assert_close((weights @ across[..., None]).squeeze(-1), across / 4)


@ALL
def test_against_a_loop(name: str) -> None:
    """Eqs. 2 and 6, with the inverse of the covariance of eq. 3 instead of the closed form."""
    predicted, target = _pair(name)
    slides, directions = set(_slides(markup(name))), tangents(target, name).numpy()
    costs = np.empty(target.shape[:2])
    for face, index in np.ndindex(*costs.shape):
        error, direction = (predicted - target)[face, index].numpy(), directions[face, index]
        outer = np.outer(direction, direction)
        covariance = 6.0**2 * outer + 2.5**2 * (np.eye(2) - outer) if index in slides else np.eye(2)
        costs[face, index] = error @ np.linalg.inv(covariance) @ error
    found = anisotropic(predicted, target, name, 6.0, 2.5, reduction="none")
    np.testing.assert_allclose(found.numpy(), costs, rtol=1e-9)
    assert float(anisotropic(predicted, target, name, 6.0, 2.5)) == pytest.approx(costs.mean())


@pytest.mark.parametrize("angle", [0.0, 0.3, 2.0])
def test_costs_along_across_and_at_corners_of_a_straight_line(angle: float) -> None:
    line = torch.tensor([[[10.0 * x, 0.0] for x in range(5)]]).double()
    for shift, slide in [((2.0, 0.0), (2 / 5) ** 2), ((0.0, 2.0), (2 / 3) ** 2)]:
        moved = line + torch.tensor(shift)
        costs = anisotropic(moved @ _turn(angle).T, line @ _turn(angle).T, LINE, reduction="none")
        assert costs[0].tolist() == pytest.approx([slide, slide, 4.0, slide, slide])


@ALL
def test_turning_target_and_prediction_together_changes_nothing(name: str) -> None:
    predicted, target = _pair(name)
    turn, shift = _turn(0.7), torch.tensor([30.0, -4.0]).double()
    turned = anisotropic(predicted @ turn.T + shift, target @ turn.T + shift, name, reduction="none")
    torch.testing.assert_close(turned, anisotropic(predicted, target, name, reduction="none"))
    weights = anisotropic_weights(target @ turn.T + shift, name)
    torch.testing.assert_close(weights, turn @ anisotropic_weights(target, name) @ turn.T)


@ALL
def test_mirrored_faces_cost_the_same(name: str) -> None:
    predicted, target = _pair(name)
    target[0, 1], target[1, 4], target[2, 3] = target[0, 0], torch.nan, target[2, 5]
    partner = list(markup(name).mirror)
    flip = torch.tensor([-1.0, 1.0]).double()
    mirrored = anisotropic(predicted[:, partner] * flip + 255, target[:, partner] * flip + 255, name, reduction="none")
    torch.testing.assert_close(mirrored[:, partner], anisotropic(predicted, target, name, reduction="none"))


@ALL
def test_equal_a_and_b_make_circles(name: str) -> None:
    predicted, target = _pair(name)
    costs = anisotropic(predicted, target, name, 4, 4, reduction="none")
    squares = l2(predicted, target, reduction="none")
    slides = _slides(markup(name))
    torch.testing.assert_close(costs[:, slides], squares[:, slides] / 16)
    torch.testing.assert_close(anisotropic(predicted, target, name, 1, 1), l2(predicted, target))


@ALL
def test_gradient_is_that_of_fixed_matrices_and_none_reaches_the_target(name: str) -> None:
    predicted, target = _pair(name)
    predicted.requires_grad_(), target.requires_grad_()
    weights = anisotropic_weights(target, name)
    assert not weights.requires_grad
    anisotropic(predicted, target, name).backward()
    assert target.grad is None and predicted.grad is not None
    expected = 2 * (weights @ (predicted - target).detach()[..., None]).squeeze(-1) / target[..., 0].numel()
    torch.testing.assert_close(predicted.grad, expected)


def test_gradcheck() -> None:
    predicted, target = _pair("29")
    assert torch.autograd.gradcheck(lambda p: anisotropic(p, target, "29"), predicted.requires_grad_())


@ALL
def test_missing_landmarks_cost_nothing_and_their_neighbours_stay_finite(name: str) -> None:
    predicted, target = _pair(name)
    missing = torch.rand(target.shape[:2], generator=torch.Generator().manual_seed(2)) < 0.4
    target[missing] = torch.nan
    weights = anisotropic_weights(target, name)
    assert not weights[missing].any()
    assert bool((torch.linalg.eigvalsh(weights[~missing]) > 0.03).all())
    predicted.requires_grad_()
    value = anisotropic(predicted, target, name)
    value.backward()
    assert predicted.grad is not None and bool(predicted.grad.isfinite().all())
    assert not predicted.grad[missing].any() and bool(predicted.grad[~missing].any(-1).all())
    costs = anisotropic(predicted, target, name, reduction="none").detach()
    torch.testing.assert_close(value.detach(), costs[~missing].mean())


def test_a_face_at_one_place_is_stiff_in_every_direction() -> None:
    """No way to slide is known: curves have I / b², corners I, and nothing is NaN."""
    weights = anisotropic_weights(torch.full((1, 68, 2), 7.0, dtype=torch.float64), "68")[0]
    corners = set(markup("68").corners)
    for index in range(68):
        expected = torch.eye(2, dtype=torch.float64) / (1 if index in corners else 9)
        torch.testing.assert_close(weights[index], expected, rtol=1e-14, atol=0)


def test_ellipses_of_the_built_in_face() -> None:
    """Chin and lips' middles slide sideways, the bridge of the nose up and down."""
    head = builtin_face()
    face = head.landmarks_of(head.mean.T[None])[:, :, :2].float() * torch.tensor([1.0, -1.0])
    weights = anisotropic_weights(face, "68")[0]
    for index in (8, 33, 51, 57, 62, 66):
        assert float(weights[index, 0, 0]) == pytest.approx(1 / 25, rel=0.05), index
        assert float(weights[index, 1, 1]) == pytest.approx(1 / 9, rel=0.05), index
    for index in (27, 28, 29, 30):
        assert float(weights[index, 1, 1]) == pytest.approx(1 / 25, rel=0.05), index


def test_tables_made_in_inference_mode_serve_a_training() -> None:
    scheme = replace(LINE, corners=(0, 4))
    target = torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        anisotropic(target + 1, target, scheme)
    predicted = (target + 1).requires_grad_()
    anisotropic(predicted, target, scheme).backward()
    assert predicted.grad is not None and bool(predicted.grad.any())


def test_bad_input_raises_one_clear_message() -> None:
    face = torch.zeros(2, 68, 2)
    cases = [
        (lambda: anisotropic(face[:1], face, "68"), r"predicted: expected shape \(2, 68, 2\), got \(1, 68, 2\)"),
        (lambda: anisotropic(face, face, "98"), r"target: expected \(B, 98, 2\) of floating point for mark-up '98'"),
        (lambda: anisotropic(face, face, "67"), "mark-up '67': expected one of 68"),
        (lambda: anisotropic(face, face, "68", a=0), "a: expected a positive number, got 0"),
        (lambda: anisotropic_weights(face, "68", 5, -3), "b: expected a positive number, got -3"),
        (lambda: anisotropic(face, face, "68", reduction="sum"), "reduction: expected 'mean' or 'none'"),  # type: ignore[arg-type]
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@ALL
def test_cuda_agrees_with_the_cpu_and_never_waits_for_it(name: str) -> None:
    predicted, target = _pair(name)
    target[0, 1], target[1, 4] = target[0, 0], torch.nan
    here = anisotropic(predicted, target, name)
    points, truth = predicted.cuda(), target.cuda()
    anisotropic(points, truth, name)  # the tables go to the device once
    torch.cuda.set_sync_debug_mode("error")
    try:
        there = anisotropic(points, truth, name)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(there.cpu(), here)
