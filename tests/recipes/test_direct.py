"""Direct regression: what a network is made from, what it pays for, and how its answers are read."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import (
    Augmentation,
    FaceSample,
    crop_faces,
    encode_heatmaps,
    pose_bins,
    to_heatmap_pixels,
)
from facelab.losses import across_and_along, adaptive_wing
from facelab.markups import markup
from facelab.metrics import nme
from facelab.models import DirectRegression, HeatmapRegression
from facelab.recipes.direct import PROFILES, UNIT, DirectRecipe
from tests.recipes.says import Says

CORNERS = list(markup("68").corners)
PARTNER = list(markup("68").mirror)
SMOKE = replace(PROFILES["smoke"], faces=24, test_faces=8, augmentation=Augmentation())
Same = Callable[[nn.Module, nn.Module], bool]

pytestmark = pytest.mark.usefixtures("cached")


def _answers(recipe: DirectRecipe, points: Tensor) -> Tensor:
    """What the network says where it finds points ``(B, L, 2)`` in the pixels of its crops."""
    if recipe.output == "heatmaps":
        side = recipe.size // 4
        return encode_heatmaps(to_heatmap_pixels(points, 4), side, side, recipe.sigma)
    return 2 * (points + 0.5) / recipe.size - 1


def _batch(recipe: DirectRecipe) -> FaceSample:
    return FaceSample.stack(list(recipe.test_set()))


# ------------------------------------------------------------------------------------------------------- the recipe


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_there_is_a_recipe_for_every_profile(profile: str) -> None:
    recipe = PROFILES[profile]
    assert list(PROFILES) == list(recipes.PROFILES) and recipe.size % 32 == 0 and recipe.picture >= recipe.size
    assert (recipe.output, recipe.criterion, recipe.a, recipe.b) == ("displacement", "anisotropic", 5, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "meshes"}, "output: expected one of displacement, points, heatmaps, got 'meshes'"),
        ({"criterion": "adaptive wing"}, "criterion: expected one of l2, l1, .*, anisotropic, got 'adaptive wing'"),
        ({"output": "heatmaps"}, "criterion: expected one of l2, adaptive wing, got 'anisotropic'"),
        ({"balance": "even"}, "balance: expected one of none, undersampled, .*, got 'even'"),
        ({"frontal": 1.1}, "expected frontal from 0 to 1"),
        ({"frontal": -0.1}, "expected frontal from 0 to 1"),
        ({"smear": -0.1}, "no negative smear, corners or curves"),
        ({"corners": -1.0}, "no negative smear, corners or curves"),
        ({"curves": -1.0}, "no negative smear, corners or curves"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMOKE, **changes)


# -------------------------------------------------------------------------------------------------------- the costs

# The error of every landmark in pixels of a crop of 256, and the mean cost of a landmark by hand.
ERROR = (4.0, -2.0)
BY_HAND = {
    "l2": 4**2 + 2**2,
    "l1": 4 + 2,
    "smooth l1": (4 - 0.5) + (2 - 0.5),
    "wing": 10 * (torch.tensor(1 + 4 / 2).log() + torch.tensor(1 + 2 / 2).log()).item(),
}


def _cost(recipe: DirectRecipe, error: tuple[float, float] = ERROR) -> float:
    """Of the same error at every landmark."""
    images, points = recipe.prepare(_batch(recipe), torch.Generator())
    wrong = points + torch.tensor(error) * recipe.size / UNIT
    return float(recipe.loss(Says(images, _answers(recipe, wrong)), (images, points)))


def _anisotropic(recipe: DirectRecipe, corners: float = 1.0, curves: float = 1.0) -> float:
    """The mean cost of that error, landmark by landmark."""
    _, points = recipe.prepare(_batch(recipe), torch.Generator())
    across, along = across_and_along(torch.tensor(ERROR).expand_as(points), points, "68")
    costs = curves * (along**2 / recipe.a**2 + across**2 / recipe.b**2)
    costs[:, CORNERS] = corners * 20.0
    return float(costs.mean())


@pytest.mark.parametrize("criterion", BY_HAND)
@pytest.mark.parametrize("size", [32, 64])
def test_losses_count_in_pixels_of_one_crop_at_every_size(criterion: str, size: int) -> None:
    recipe = replace(SMOKE, criterion=criterion, size=size)
    assert _cost(recipe) == pytest.approx(BY_HAND[criterion], rel=1e-3)
    assert _cost(recipe, (0.0, 0.0)) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("output", ["displacement", "points"])
def test_the_anisotropic_loss_by_hand(output: str) -> None:
    recipe = replace(SMOKE, output=output, a=4.0, b=1.5)
    assert _cost(recipe) == pytest.approx(_anisotropic(recipe), rel=1e-3)
    assert _cost(replace(recipe, a=1.5, b=4.0)) != pytest.approx(_cost(recipe), rel=0.05)
    assert _cost(replace(recipe, a=1.0, b=1.0)) == pytest.approx(BY_HAND["l2"], rel=1e-3)


def test_corners_and_curves_have_factors_of_their_own() -> None:
    for corners, curves in ((0.5, 1.0), (1.0, 0.25), (3.0, 2.0), (0.0, 1.0), (1.0, 0.0)):
        recipe = replace(SMOKE, corners=corners, curves=curves)
        assert _cost(recipe) == pytest.approx(_anisotropic(recipe, corners, curves), rel=1e-3), (corners, curves)


def test_landmarks_of_no_weight_have_no_gradient() -> None:
    _, target = SMOKE.prepare(_batch(SMOKE), torch.Generator())
    for recipe, pulled in ((replace(SMOKE, curves=0.0), True), (replace(SMOKE, corners=0.0), False)):
        predicted = (target + 1.5).requires_grad_()
        recipe.cost(predicted, target).backward()
        assert predicted.grad is not None
        moves = predicted.grad.abs().sum(2) > 0
        assert bool((moves[:, CORNERS] == pulled).all())
        others = [index for index in range(68) if index not in CORNERS]
        assert bool((moves[:, others] != pulled).all())


def test_losses_of_heatmaps() -> None:
    recipe = replace(SMOKE, output="heatmaps", criterion="l2", sigma=1.2)
    images, points = recipe.prepare(_batch(recipe), torch.Generator())
    target = _answers(recipe, points)
    assert target.shape == (8, 68, 8, 8)

    def cost(criterion: str, answer: Tensor) -> float:
        return float(replace(recipe, criterion=criterion).loss(Says(images, answer), (images, points)))

    assert cost("l2", target) == 0 and cost("adaptive wing", target) == pytest.approx(0, abs=1e-30)
    assert cost("l2", target + 0.3) == pytest.approx(0.09, rel=1e-4)
    # Far from a peak the target is next to nothing, and a pixel of the foreground costs eleven times as much.
    dark = adaptive_wing(target + 0.1, target)
    assert cost("adaptive wing", target + 0.1) == pytest.approx(float(adaptive_wing(target + 0.1, target, weight=10)))
    assert cost("adaptive wing", target + 0.1) > 1.5 * float(dark)


# ---------------------------------------------------------------------------------------------------- the landmarks


@pytest.mark.parametrize("output", ["displacement", "points", "heatmaps"])
@pytest.mark.parametrize("mirror", [False, True])
def test_true_answers_give_the_true_landmarks_in_the_pictures_pixels(output: str, mirror: bool) -> None:
    recipe = replace(SMOKE, output=output, criterion="l2", size=64, sigma=1.5)
    batch = _batch(recipe)
    images, points = recipe.prepare(batch, torch.Generator())
    turned = points[:, PARTNER].clone()
    turned[..., 0] = recipe.size - 1 - turned[..., 0]
    model = Says(images, _answers(recipe, points), _answers(recipe, turned) if mirror else None)
    with torch.inference_mode():
        found = recipe.landmarks(model, batch, mirror)
    target = batch.landmarks[..., :2]
    if output == "heatmaps":
        pixels = crop_faces(batch, recipe.size, recipe.crop).affine.apply(found) / 4 - points / 4
        inside = ((points > 8) & (points < recipe.size - 9)).all(2)  # peaks on the border are whole pixels
        assert bool(inside.any(1).all()) and float(pixels[inside].abs().max()) < 0.05
        assert float(pixels.abs().max()) < 0.55
    else:
        torch.testing.assert_close(found, target, atol=1e-3, rtol=0)
        shown = recipe.evaluate(model, recipe.test_set(), mirror)
        torch.testing.assert_close(shown[0], target, atol=1e-3, rtol=0)
        assert float(shown[1].max()) < 1e-4


def test_both_answers_count_the_same() -> None:
    batch = _batch(SMOKE)
    images, points = SMOKE.prepare(batch, torch.Generator())
    turned = points[:, PARTNER].clone()
    turned[..., 0] = SMOKE.size - 1 - turned[..., 0]
    turned[..., 1] += 2.0
    affine = crop_faces(batch, SMOKE.size, SMOKE.crop).affine
    model = Says(images, _answers(SMOKE, points), _answers(SMOKE, turned))
    found = affine.apply(SMOKE.landmarks(model, batch, mirror=True).detach())
    torch.testing.assert_close(found - points, torch.tensor([0.0, 1.0]).expand_as(points), atol=1e-3, rtol=0)


def test_errors_are_of_each_face_over_its_box() -> None:
    model, faces = SMOKE.model(0), SMOKE.test_set()
    points, errors = SMOKE.evaluate(model, faces)
    torch.testing.assert_close(errors, nme(points, faces.landmarks[..., :2], "bbox"))
    assert not model.training and points.shape == (8, 68, 2) and 0.02 < float(errors.mean()) < 0.5
    with torch.inference_mode():
        for part in (slice(0, None, 2), slice(1, None, 2)):
            torch.testing.assert_close(SMOKE.measure(model, part)["nme"], errors[part])


# ------------------------------------------------------------------------------------------------------ the network


def test_the_mean_shape_is_that_of_the_bins_of_pose() -> None:
    """Of upright crops, whatever the augmentation."""
    recipe = replace(SMOKE, faces=64, augmentation=PROFILES["gpu"].augmentation)
    faces = recipe.training_set(3)
    batch = FaceSample.stack([faces[index] for index in range(len(faces))])
    upright = crop_faces(batch, recipe.size, "tight").landmarks[..., :2]
    bins = pose_bins(2 * (upright + 0.5) / recipe.size - 1, 9)
    model = recipe.model(3)
    assert isinstance(model, DirectRegression) and len(set(bins.sizes.tolist())) > 1
    torch.testing.assert_close(model.mean_shape, bins.mean.float(), atol=1e-5, rtol=0)
    assert not torch.allclose(model.mean_shape, upright.mean(0), atol=1e-3)
    assert not torch.equal(model.mean_shape, recipe.model(4).mean_shape)  # type: ignore[arg-type]
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(model.eval()(images), model.mean_shape.expand(2, -1, -1))


@pytest.mark.parametrize("output", ["displacement", "points", "heatmaps"])
def test_a_network_that_will_be_loaded_needs_no_faces(
    output: str, monkeypatch: pytest.MonkeyPatch, same_weights: Same
) -> None:
    recipe = replace(SMOKE, output=output, criterion="l2")
    there = recipe.model(1)
    assert type(there) is (HeatmapRegression if output == "heatmaps" else DirectRegression)
    assert same_weights(there, recipe.model(1)) and not same_weights(there, recipe.model(2))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked for faces")

    monkeypatch.setattr(DirectRecipe, "training_set", refuse)
    monkeypatch.setattr(DirectRecipe, "test_set", refuse)
    again = recipe.model()
    again.load_state_dict(there.state_dict())
    assert same_weights(again, there)


def test_making_a_network_leaves_the_random_numbers_as_they_were() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    SMOKE.model(1)
    assert torch.equal(torch.rand(3), expected)
