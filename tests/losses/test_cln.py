"""The loss of CLN: Wing of the projected vertices by its definition, and its sum with WPDC."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from facelab.face3d import MorphableModel, ParameterStatistics, builtin_face
from facelab.face3d.parameters import landmarks_of_parameters
from facelab.losses import ShapeGram, cln_loss, fwpdc, wing, wing_of_vertices, wpdc
from tests.losses.random_faces import Faces


@pytest.fixture(scope="module")
def head() -> Faces:
    """A model with its 68 landmarks."""
    return Faces(builtin_face().subset(("face", "lips", "eyes", "lid margins")))


def _level(faces: Faces) -> Tensor:
    """Predictions with the true shift in depth."""
    predicted = faces.predicted.clone()
    predicted[:, 11] = faces.target[:, 11]
    return predicted


def _gradient(value: Tensor, of: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(value, of)
    return gradient


def _cln(faces: Faces, predicted: Tensor, target: Tensor, **how: Any) -> Tensor:
    return cln_loss(predicted, target, ShapeGram.of(faces.model, torch.float64), faces.statistics, faces.model, **how)


def test_a_shift_by_hand(faces: Faces) -> None:
    """3 pixels in x, -20 in y, any in depth: a logarithm, a line, nothing; a third of their sum."""
    predicted = faces.target.clone()
    predicted[:, 3] += 3.0
    predicted[:, 7] -= 20.0
    predicted[:, 11] += 1000.0
    wanted = (10 * math.log1p(3 / 2) + 20 - (10 - 10 * math.log1p(10 / 2))) / 3
    costs = wing_of_vertices(predicted, faces.target, faces.model, reduction="none")
    torch.testing.assert_close(costs, torch.full_like(costs, wanted), rtol=1e-9, atol=0)


def test_it_is_wing_of_what_the_package_projects(head: Faces) -> None:
    """Each coordinate of each of the 68 landmarks counts the same, depth included."""
    level = _level(head)
    found, true = (landmarks_of_parameters(head.model, p.float()).double() for p in (level, head.target))
    apart = (found - true).abs()
    wanted = torch.where(apart < 10, 10 * (1 + apart / 2).log(), apart - 10 + 10 * math.log(6)).mean((1, 2))
    got = wing_of_vertices(head.predicted, head.target, head.model.landmark_model(), reduction="none")
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=0)
    assert apart.amax((0, 1)).min() > 10 and bool((apart < 10).any())  # both branches of it, on every axis
    torch.testing.assert_close(got.mean() * 3, wing(found, true), rtol=1e-4, atol=0)


@pytest.mark.parametrize("scale", [0.5, 120 / 64])
def test_pixels_of_another_crop(head: Faces, scale: float) -> None:
    """Scaling the loss is scaling the cameras, that is, the crops."""
    points = head.model.landmark_model()
    zoom = torch.ones(62, dtype=torch.float64)
    zoom[:12] = scale
    scaled = wing_of_vertices(head.predicted, head.target, points, scale=scale)
    torch.testing.assert_close(scaled, wing_of_vertices(zoom * head.predicted, zoom * head.target, points))
    other = scale * wing_of_vertices(head.predicted, head.target, points, 10 / scale, 2 / scale)
    torch.testing.assert_close(scaled, other)


def test_the_loss_is_the_weighted_sum(head: Faces) -> None:
    parts = (
        wpdc(head.predicted, head.target, head.model, head.statistics, reduction="none"),
        wing_of_vertices(head.predicted, head.target, head.model.landmark_model(), reduction="none"),
    )
    costs = _cln(head, head.predicted, head.target, reduction="none")
    torch.testing.assert_close(costs, 0.5 * parts[0] + parts[1], rtol=1e-8, atol=0)
    torch.testing.assert_close(_cln(head, head.predicted, head.target), costs.mean())
    other = _cln(head, head.predicted, head.target, wpdc_weight=2.0, wing_weight=0.1, reduction="none")
    torch.testing.assert_close(other, 2 * parts[0] + 0.1 * parts[1], rtol=1e-8, atol=0)
    by_scale = _cln(head, head.predicted, head.target, wpdc_weight=0.0, scale=0.5)
    points = head.model.landmark_model()
    torch.testing.assert_close(by_scale, wing_of_vertices(head.predicted, head.target, points, scale=0.5))


def test_gradients_of_wing_are_right(small: Faces) -> None:
    """In numbers of one size, away from the kinks at 0 and at w."""
    std = small.statistics.std.double()
    scores = ((small.predicted - small.target) / std.where(std > 0, 1))[:2].requires_grad_()

    def costs(z: Tensor) -> Tensor:
        return wing_of_vertices(small.target[:2] + z * std, small.target[:2], small.model, reduction="none")

    assert torch.autograd.gradcheck(costs, scores, eps=1e-7, atol=1e-4)


def test_the_gradient_is_that_of_both_parts(head: Faces) -> None:
    """Of WPDC with its weights as constants, and none along the depth by Wing."""
    predicted = head.predicted.clone().requires_grad_()
    gram = ShapeGram.of(head.model, torch.float64)
    parts = [
        _gradient(fwpdc(predicted, head.target, gram, head.statistics), predicted),
        _gradient(wing_of_vertices(predicted, head.target, head.model.landmark_model()), predicted),
    ]
    whole = _gradient(_cln(head, predicted, head.target), predicted)
    torch.testing.assert_close(whole, 0.5 * parts[0] + parts[1])
    assert not parts[1][:, 11].any() and bool(parts[1][:, :11].any(0).all())


def test_an_exact_prediction_costs_nothing(head: Faces) -> None:
    predicted = head.target.clone()
    predicted[:, 11] += 5.0
    predicted.requires_grad_()
    value = _cln(head, predicted, head.target)
    assert float(value.detach()) == 0 and not _gradient(value, predicted).any()


def test_unknown_faces_count_nothing(head: Faces) -> None:
    target = head.target.clone()
    target[3, 20], target[5] = float("nan"), float("nan")
    predicted = head.predicted.clone().requires_grad_()
    known = torch.ones(12, dtype=torch.bool).index_fill(0, torch.tensor([3, 5]), False)
    costs = _cln(head, predicted, target, reduction="none")
    torch.testing.assert_close(costs[known], _cln(head, head.predicted, head.target, reduction="none")[known])
    assert not costs[~known].any()
    value = _cln(head, predicted, target)
    torch.testing.assert_close(value, costs[known].mean())
    assert torch.equal(_gradient(value, predicted).any(1), known)
    assert float(_cln(head, head.predicted, torch.full_like(target, float("nan")))) == 0
    leaf = head.target.clone().requires_grad_()
    assert not _cln(head, head.predicted, leaf).requires_grad


def test_half_precision_is_lifted(head: Faces) -> None:
    gram, target = ShapeGram.of(head.model), head.target.float()
    predicted = head.predicted.bfloat16().requires_grad_()
    wanted = cln_loss(predicted.detach().float(), target, gram, head.statistics, head.model)
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            value = cln_loss(predicted, target, gram, head.statistics, head.model)
        assert value.dtype == torch.float32 and torch.equal(value.detach(), wanted)
        assert _gradient(value, predicted).dtype == torch.bfloat16


def test_bad_input_is_named(head: Faces) -> None:
    predicted, target, points = head.predicted, head.target, head.model.landmark_model()
    part: MorphableModel = builtin_face().subset(("lips",))
    plain = ParameterStatistics(torch.zeros(62), torch.ones(62))
    for call, message in (
        (
            lambda: wing_of_vertices(predicted[:, :61], target, points),
            r"predicted: expected shape \(B, 62\), got \(12, 61",
        ),
        (lambda: wing_of_vertices(predicted[:1], target, points), "predicted: expected 12 faces as in target, got 1"),
        (lambda: wing_of_vertices(predicted, target, points, 0), "w: expected a positive number, got 0"),
        (
            lambda: wing_of_vertices(predicted, target, points, epsilon=-1),
            "epsilon: expected a positive number, got -1",
        ),
        (lambda: wing_of_vertices(predicted, target, points, scale=0), "scale: expected a positive number, got 0"),
        (lambda: _cln(head, predicted, target, reduction="sum"), "reduction: expected 'mean' or 'none', got 'sum'"),
        (lambda: cln_loss(predicted, target, ShapeGram.of(part), plain, part), "landmarks"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_model_of_some_vertices_counts_these(head: Faces) -> None:
    """As code of the laboratory does, with random vertices besides the landmarks."""
    some = head.model.at(torch.arange(0, head.model.mean.shape[1], 50))
    every = replace(head.model, landmarks=torch.full((68,), -1))
    costs = [wing_of_vertices(head.predicted, head.target, model) for model in (some, every)]
    assert float((costs[0] / costs[1] - 1).abs()) < 0.1 and float(costs[0]) != float(costs[1])
