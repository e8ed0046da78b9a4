"""Faces from 2D landmarks by least squares: what was projected comes back."""

import pytest
import torch
from torch import Tensor

from facelab.face3d import MorphableModel, builtin_face
from facelab.face3d.parameters import compose, decompose, landmarks_of_parameters, pack, unpack
from facelab.metrics import nme
from facelab.models import fit_landmarks


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return builtin_face()


def faces(model: MorphableModel, shaped: bool, count: int = 24) -> Tensor:
    """Parameters ``(count, 62)`` of faces of 120 pixels in all poses up to the profile."""
    generator = torch.Generator().manual_seed(3)
    angles = torch.tensor([40.0, 85.0, 30.0]).deg2rad() * (2 * torch.rand(count, 3, generator=generator) - 1)
    width = float(model.mean[0].max() - model.mean[0].min())
    scale = 120 / width * (1 + 0.2 * torch.rand(count, generator=generator))
    camera = compose(scale, angles, 200 * torch.rand(count, 2, generator=generator))
    identity, expression = model.sample(count, generator)
    return pack(camera, shaped * identity[:, :40], shaped * expression[:, :10])


def test_the_camera_of_a_mean_face_comes_back(model: MorphableModel) -> None:
    truth = faces(model, shaped=False)
    points = landmarks_of_parameters(model, truth)[..., :2]
    fit = fit_landmarks(points, model)
    wanted, found = (decompose(unpack(each).camera) for each in (truth, fit.parameters))
    torch.testing.assert_close(found.angles, wanted.angles, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.scale, wanted.scale, atol=0, rtol=1e-5)
    torch.testing.assert_close(found.translation, wanted.translation, atol=1e-3, rtol=0)
    assert float(fit.residual.max()) < 1e-3
    assert float((fit.parameters[:, 12:].abs()).max()) < 1e-3


def test_landmarks_of_any_face_of_the_model_are_met(model: MorphableModel) -> None:
    """With little noise allowed: the points to a tenth of a percent of the box, the hidden depth to some."""
    truth = landmarks_of_parameters(model, faces(model, shaped=True))
    fit = fit_landmarks(truth[..., :2], model, noise=1e-4, rounds=200)
    found = landmarks_of_parameters(model, fit.parameters)
    assert float(nme(found[..., :2], truth[..., :2], "bbox").max()) < 1e-3
    depths = [each[..., 2:] - each[..., 2:].mean(1, keepdim=True) for each in (found, truth)]
    sizes = (truth[..., :2].amax(1) - truth[..., :2].amin(1)).prod(1).sqrt()
    assert float(((depths[0] - depths[1]).abs().mean((1, 2)) / sizes).mean()) < 0.02


def test_more_rounds_never_cost_more(model: MorphableModel) -> None:
    truth = faces(model, shaped=True)
    points = landmarks_of_parameters(model, truth)[..., :2].double()
    deviations = torch.cat([model.identity_std[:40], model.expression_std[:10]]).double()
    sizes = (points.amax(1) - points.amin(1)).prod(1).sqrt()

    def cost(rounds: int) -> Tensor:
        fit = fit_landmarks(points, model, noise=0.02, rounds=rounds)
        apart = 68 * (fit.residual / (0.02 * sizes)).square()
        return apart + (fit.parameters[:, 12:] / deviations).square().sum(1)

    costs = torch.stack([cost(rounds) for rounds in (1, 2, 4, 8, 16)])
    assert bool((costs.diff(dim=0) <= 1e-6).all())


def test_the_prior_holds_noisy_points(model: MorphableModel) -> None:
    """Points that are 5 % off are believed too much with a noise of a tenth of a percent."""
    truth = landmarks_of_parameters(model, faces(model, shaped=True))
    sizes = (truth[..., :2].amax(1) - truth[..., :2].amin(1)).prod(1).sqrt()
    noise = torch.randn(truth[..., :2].shape, generator=torch.Generator().manual_seed(0))
    given = truth[..., :2] + 0.05 * sizes[:, None, None] * noise
    errors = {
        allowed: nme(landmarks_of_parameters(model, fit_landmarks(given, model, allowed).parameters)[..., :2],
                     truth[..., :2], "bbox").mean()
        for allowed in (0.001, 0.05)
    }  # fmt: skip
    assert errors[0.05] < 0.9 * errors[0.001] and errors[0.05] < 0.5 * nme(given, truth[..., :2], "bbox").mean()


def test_missing_landmarks_do_not_count(model: MorphableModel) -> None:
    truth = landmarks_of_parameters(model, faces(model, shaped=False))[..., :2]
    some = truth.clone()
    some[:, ::5] = torch.nan
    found = landmarks_of_parameters(model, fit_landmarks(some, model).parameters)[..., :2]
    assert float((found - truth).norm(dim=2).max()) < 0.01


def test_size_and_place_do_not_matter(model: MorphableModel) -> None:
    points = landmarks_of_parameters(model, faces(model, shaped=True))[..., :2].double()
    near, far = (
        landmarks_of_parameters(model, fit_landmarks(given, model).parameters.float())
        for given in (points, 7 * points + 30)
    )
    torch.testing.assert_close(far[..., :2], 7 * near[..., :2] + 30, atol=1e-2, rtol=1e-5)


def test_bad_input_is_named(model: MorphableModel) -> None:
    good = landmarks_of_parameters(model, faces(model, shaped=False, count=2))[..., :2]
    with pytest.raises(ValueError, match=r"points: expected floating-point \(B, 68, 2\), got .* \(2, 68, 3\)"):
        fit_landmarks(torch.zeros(2, 68, 3), model)
    with pytest.raises(ValueError, match="noise, rounds: expected a positive number"):
        fit_landmarks(good, model, noise=0)
    few = good.clone()
    few[1, 5:] = torch.nan
    with pytest.raises(ValueError, match="points of face 1: expected at least 6 landmarks, got 5"):
        fit_landmarks(few, model)
    with pytest.raises(ValueError, match="lacks the vertices of landmarks"):
        fit_landmarks(good, model.subset(("neck",)))
