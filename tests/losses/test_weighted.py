"""WPDC by its definition, and fWPDC, which is to give the same weights."""

import math

import pytest
import torch

from facelab.face3d.parameters import CAMERA_PARAMETERS, compose, pack
from facelab.losses import ShapeGram, fwpdc, fwpdc_weights, wpdc, wpdc_weights
from facelab.recipes.tddfa_speed import weights_experiment, weights_times
from tests.losses.random_faces import Faces


@pytest.mark.parametrize("error", [1.0, 0.1, 1e-3])
def test_weights_agree(faces: Faces, error: float) -> None:
    gram, predicted = ShapeGram.of(faces.model, torch.float64), faces.off(error)
    wanted = wpdc_weights(predicted, faces.target, faces.model)
    torch.testing.assert_close(fwpdc_weights(predicted, faces.target, gram), wanted, rtol=0, atol=1e-9)
    single = fwpdc_weights(predicted.float(), faces.target.float(), ShapeGram.of(faces.model))
    torch.testing.assert_close(single.double(), wanted, rtol=0, atol=2e-5 / min(1.0, 10 * error))


def test_weights_agree_for_a_mirrored_face(small: Faces) -> None:
    mirror = torch.ones(62, dtype=torch.float64)
    mirror[:4] = -1  # the row of x
    predicted, target = mirror * small.predicted, mirror * small.target
    gram = ShapeGram.of(small.model, torch.float64)
    torch.testing.assert_close(
        fwpdc_weights(predicted, target, gram), wpdc_weights(predicted, target, small.model), rtol=0, atol=1e-9
    )


def test_weights_are_shares_of_the_largest(faces: Faces) -> None:
    gram = ShapeGram.of(faces.model)
    weights = fwpdc_weights(faces.predicted.float(), faces.target.float(), gram)
    assert weights.shape == (12, 62) and bool(((weights >= 0) & (weights <= 1)).all())
    assert torch.equal(weights.amax(1), torch.ones(12)) and not weights[:, 11].any()
    only_depth = faces.target.float()
    only_depth[:, 11] += 1000
    for unmoved in (
        fwpdc_weights(only_depth, faces.target.float(), gram),
        wpdc_weights(only_depth, faces.target.float(), faces.model),
    ):
        assert torch.equal(unmoved, torch.zeros(12, 62))


def test_weights_by_hand(small: Faces) -> None:
    """A frontal mean face of scale 2 with t_x, P_11 and one coefficient off."""
    scale, shift, stretch, step = 2.0, 3.0, 0.001, 1e5
    mean, mode = small.model.mean.double(), small.model.identity[1].double()
    target = pack(
        compose(torch.tensor([scale]), torch.zeros(1, 3), torch.zeros(1, 3)).double(),
        torch.zeros(1, 40, dtype=torch.float64),
        torch.zeros(1, 10, dtype=torch.float64),
    )
    predicted = target.clone()
    predicted[0, 0] += stretch
    predicted[0, 3] += shift
    predicted[0, 13] += step
    distances = torch.zeros(62, dtype=torch.float64)
    distances[0] = stretch * mean[0].norm()
    distances[3] = shift * math.sqrt(mean.shape[1])
    distances[13] = scale * step * mode.norm()
    wanted = (distances / distances.max())[None]
    gram = ShapeGram.of(small.model, torch.float64)
    torch.testing.assert_close(fwpdc_weights(predicted, target, gram), wanted, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(wpdc_weights(predicted, target, small.model), wanted, rtol=1e-10, atol=1e-12)


def test_losses_are_the_weighted_differences(faces: Faces) -> None:
    gram = ShapeGram.of(faces.model, torch.float64)
    weights = wpdc_weights(faces.predicted, faces.target, faces.model)
    difference = faces.statistics.whiten(faces.predicted) - faces.statistics.whiten(faces.target)
    for squared, costs in ((False, weights * difference**2), (True, (weights * difference) ** 2)):
        for got in (
            wpdc(faces.predicted, faces.target, faces.model, faces.statistics, squared=squared, reduction="none"),
            fwpdc(faces.predicted, faces.target, gram, faces.statistics, squared=squared, reduction="none"),
        ):
            torch.testing.assert_close(got, costs.mean(1), rtol=1e-8, atol=0)


@pytest.mark.parametrize("squared", [False, True])
def test_weights_are_constants_of_the_gradient(faces: Faces, squared: bool) -> None:
    gram, std = ShapeGram.of(faces.model, torch.float64), faces.statistics.std.double()
    predicted = faces.predicted.clone().requires_grad_()
    loss = fwpdc(predicted, faces.target, gram, faces.statistics, squared=squared)
    (gradient,) = torch.autograd.grad(loss, predicted)
    weights = fwpdc_weights(faces.predicted, faces.target, gram) ** (2 if squared else 1)
    varies = std > 0
    wanted = 2 * weights * (faces.predicted - faces.target) / std.where(varies, 1) ** 2 * varies / predicted.numel()
    torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=0)


def test_the_predicted_shape_in_place_of_the_true_one_is_another_loss(faces: Faces) -> None:
    """The slip that the closed form invites, and its measure."""
    found = weights_experiment(faces=12, seeds=(0, 1), model=faces.model)
    assert len(found.true_shape) == len(found.predicted_shape) == 2
    assert max(found.true_shape) < 1e-9 and min(found.predicted_shape) > 1e-3


def test_the_axes_are_not_exchangeable(faces: Faces) -> None:
    """Column i of the camera goes with row i of the shape; row with row gives other weights."""
    gram = ShapeGram.of(faces.model, torch.float64)
    turned = [faces.predicted.clone(), faces.target.clone()]
    for parameters in turned:
        linear = parameters[:, :CAMERA_PARAMETERS].unflatten(1, (3, 4))[:, :, :3]
        linear.copy_(linear.transpose(1, 2).clone())
    wrong = fwpdc_weights(*turned, gram)[:, :CAMERA_PARAMETERS].unflatten(1, (3, 4))[:, :, :3].transpose(1, 2)
    right = wpdc_weights(faces.predicted, faces.target, faces.model)[:, :CAMERA_PARAMETERS]
    assert float((wrong - right.unflatten(1, (3, 4))[:, :, :3]).abs().max()) > 0.01


def test_times_are_those_of_each_round(small: Faces) -> None:
    threads = torch.get_num_threads()
    times = weights_times(batch=4, rounds=3, model=small.model)
    assert len(times.wpdc) == len(times.fwpdc) == 3 and torch.get_num_threads() == threads
    assert min(times.wpdc) > max(times.fwpdc) > 0
