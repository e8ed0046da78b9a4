"""2D-to-3D-FAN: what it is given, what comes back, and what is on record of the paper's."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import crop_faces, encode_heatmaps
from facelab.metrics import nme
from facelab.recipes.fan_lift import FanLiftRecipe
from facelab.recipes.outlined import LiveOutlined, Outlined, OutlinedFaces

pytestmark = pytest.mark.usefixtures("cached")


class _Copies(nn.Module):
    """Says that landmarks are where it is told they are: its maps, four times smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, guided: Tensor) -> list[Tensor]:
        return [nn.functional.avg_pool2d(guided[:, 3:], 4)]


def _recipe(guide: str = "own") -> FanLiftRecipe:
    """The smallest faces, seen large, with guides wide enough to be read after the network has made them smaller."""
    smoke = recipes.get("fan-2d-to-3d", "smoke")
    return replace(smoke, fan=replace(smoke.fan, size=128), guide=guide, guide_sigma=4.0)


def _batch(recipe: FanLiftRecipe, count: int = 6) -> Outlined:
    faces = OutlinedFaces(recipe.test_set())
    return Outlined.stack([faces[index] for index in range(count)])


@pytest.mark.parametrize("mirror", [False, True])
def test_guides_come_back_in_the_pictures_pixels(mirror: bool) -> None:
    recipe = _recipe()
    batch = _batch(recipe)
    known = batch.landmarks_2d()
    with torch.inference_mode():
        predicted = recipe.landmarks(_Copies(), batch.faces, known, mirror=mirror)
    torch.testing.assert_close(predicted, known, atol=0.02, rtol=0)


@pytest.mark.parametrize("mirror", [False, True])
def test_anothers_guides_are_those_of_the_face_before(mirror: bool) -> None:
    recipe = _recipe("another")
    batch = _batch(recipe)
    known = batch.landmarks_2d()
    with torch.inference_mode():
        predicted = recipe.landmarks(_Copies(), batch.faces, known, mirror=mirror)
    affine = crop_faces(batch.faces, recipe.fan.size, recipe.fan.crop).affine
    expected = affine.inverse().apply(affine.apply(known).roll(1, 0))
    torch.testing.assert_close(predicted, expected, atol=0.02, rtol=0)
    assert float((predicted - known).norm(dim=2).mean()) > 1


def test_the_whole_set_is_scored_given_true_or_other_2d_landmarks() -> None:
    """What copies the 2D landmarks errs by how far the rules of the jaw are apart, and by what is added to them."""
    recipe = _recipe()
    faces = recipe.test_set()
    known = torch.cat([faces.contours, faces.landmarks[:, 17:, :2]], 1)
    points, errors = recipe.evaluate(_Copies(), faces)
    torch.testing.assert_close(points, known, atol=0.02, rtol=0)
    torch.testing.assert_close(errors, nme(known, faces.landmarks[..., :2], "bbox"), atol=2e-3, rtol=0)
    torch.testing.assert_close(recipe.measure(_Copies(), slice(3, 9))["nme"], errors[3:9])
    known = known + torch.arange(32.0)[:, None, None] / 32  # a different one for every face: none is mistaken
    torch.testing.assert_close(recipe.evaluate(_Copies(), faces, known)[0], known, atol=0.02, rtol=0)


def test_the_network_sees_picture_and_maps_and_learns_the_3d_rule() -> None:
    recipe = recipes.get("fan-2d-to-3d", "smoke")
    still = replace(recipe, fan=replace(recipe.fan, augmentation=type(recipe.fan.augmentation)()))
    batch = _batch(recipe)
    guided, target = still.prepare(batch, torch.Generator().manual_seed(0))
    crop = crop_faces(batch.faces, 32, recipe.fan.crop)
    assert guided.shape == (6, 71, 32, 32) and target.shape == (6, 68, 8, 8)
    torch.testing.assert_close(guided[:, :3], crop.image, atol=1e-4, rtol=0)
    maps = encode_heatmaps(crop.affine.apply(batch.landmarks_2d()), 32, 32, recipe.guide_sigma)
    torch.testing.assert_close(guided[:, 3:], maps, atol=1e-3, rtol=0)
    torch.testing.assert_close(target, recipe.fan.targets(crop.landmarks[..., :2]), atol=1e-3, rtol=0)
    others, same = replace(still, guide="another").prepare(batch, torch.Generator().manual_seed(0))
    assert torch.equal(others[:, :3], guided[:, :3]) and torch.equal(same, target)
    assert torch.equal(others[:, 3:], guided[:, 3:].roll(1, 0))
    network = recipe.model(2)
    assert [maps.shape for maps in network(guided)] == [(6, 68, 8, 8)] * recipe.fan.stacks
    assert torch.equal(recipe.loss(network, (guided, target)), recipe.fan.loss(network, (guided, target)))


def test_smoke_trains() -> None:
    _, history = recipes.get("fan-2d-to-3d", "smoke").train(seed=1)
    assert history[-1]["loss"] < history[0]["loss"] and history[-1]["nme"] > 0


def test_samples_are_drawn_where_the_network_is() -> None:
    recipe = recipes.get("fan-2d-to-3d", "smoke")
    kept = recipe.samples(1, torch.device("cpu"))
    assert isinstance(kept, OutlinedFaces) and len(kept) == recipe.faces == 64
    assert isinstance(LiveOutlined(recipe.fan.live(torch.device("cpu"))).draw(2, torch.Generator()), Outlined)
    assert torch.equal(recipe.collate([kept[3], kept[4]]).outline, kept.outlines[3:5])


def test_the_gpu_profile_is_the_papers() -> None:
    recipe = recipes.get("fan-2d-to-3d", "gpu")
    plan = recipe.training
    assert (plan.optimizer.name, plan.epochs, plan.batch) == ("rmsprop", 40, 10)
    rates = [plan.optimizer.learning_rate * plan.schedule(epoch / 40) for epoch in (0, 14, 15, 29, 30, 39)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-5, 1e-5, 1e-6, 1e-6])
    assert recipe.guide == "own" and recipe.fan.jaw == "3d"


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_every_profile_is_3d_fans_with_more_augmentation(profile: str) -> None:
    recipe, plain = recipes.get("fan-2d-to-3d", profile), recipes.get("fan", profile)
    assert recipe.fan.augmentation == replace(plain.augmentation, rotation=70, scale=(0.7, 1.3))
    assert replace(recipe.fan, augmentation=plain.augmentation, training=plain.training) == plain
    assert (recipe.training == plain.training) == (profile != "gpu")
    with torch.device("meta"):
        assert next(recipe.fan.model(in_channels=71).parameters()).shape[1] == 71


def test_what_cannot_be_is_refused() -> None:
    recipe = recipes.get("fan-2d-to-3d", "smoke")
    with pytest.raises(ValueError, match="guide: expected one of own, another, got 'none'"):
        replace(recipe, guide="none")
    for field, value in (("jaw", "2d"), ("label_noise", 0.1)):
        with pytest.raises(ValueError, match="fan: expected the jaw rule '3d' and no label noise"):
            replace(recipe, fan=replace(recipe.fan, **{field: value}))
