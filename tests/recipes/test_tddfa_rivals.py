"""Position maps and volumes: what they are taught, what errors cost, and how their answers are read."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import Augmentation, FaceSample, crop_faces
from facelab.face3d.maps import PositionMaps
from facelab.face3d.parameters import project
from facelab.markups import markup
from facelab.models.prnet import positions_of
from facelab.recipes.runs import errors_on
from facelab.recipes.tddfa_rivals import POSITION_MAPS, VOLUMES, PositionMapRecipe, surface_model
from tests.recipes.says import Says

SMOKE = {
    name: replace(
        recipes.get(name, "smoke"), faces=8, test_faces=8,
        training=replace(recipes.get(name, "smoke").training, epochs=1, batch=4),
    )
    for name in ("prnet", "vrn")
}  # fmt: skip
MAPS, CELLS = (replace(recipe, augmentation=Augmentation()) for recipe in SMOKE.values())
Same = Callable[[nn.Module, nn.Module], bool]

pytestmark = pytest.mark.usefixtures("cached")


def _faces(recipe: Any) -> FaceSample:
    return FaceSample.stack(list(recipe.test_set()))


# ------------------------------------------------------------------------------------------------------- the recipes


@pytest.mark.parametrize("profile", recipes.PROFILES)
@pytest.mark.parametrize("kind", [POSITION_MAPS, VOLUMES], ids=["prnet", "vrn"])
def test_rivals_learn_from_the_same_faces_for_as_many_steps(kind: dict[str, Any], profile: str) -> None:
    rival, own = kind[profile], recipes.get("tddfa", profile)
    for name in ("faces", "test_faces", "picture", "augmentation", "crop", "margin", "yaw"):
        assert getattr(rival, name) == getattr(own, name), name
    assert rival.training == replace(own.training, channels_last=False)
    assert rival.size % 32 == 0 and own.size <= rival.size < own.size + 32
    assert rival.trainings == {"": rival.training}


def test_the_papers_size_is_rounded_up() -> None:
    assert (recipes.get("tddfa", "gpu").size, POSITION_MAPS["gpu"].size, VOLUMES["gpu"].size) == (120, 128, 128)
    assert POSITION_MAPS["gpu"].width == 1


def test_what_is_rebuilt_fills_the_map() -> None:
    model = surface_model()
    assert {model.region_names[index] for index in model.region.unique()} == {"face", "lips"}
    assert torch.equal(model.uv.amin(0), torch.zeros(2)) and torch.equal(model.uv.amax(0), torch.ones(2))
    assert float(PositionMaps(model, 64).mask.float().mean()) > 0.6


# ---------------------------------------------------------------------------------------------------- position maps


def _away(recipe: PositionMapRecipe) -> Tensor:
    """How far vertices ``(B, V)`` of true maps lie from those of the parameters, in pixels of the pictures."""
    batch = _faces(recipe)
    model = Says(*recipe.prepare(batch, torch.Generator()))
    with torch.inference_mode():
        found = recipe.vertices(model, batch)
    return (found - project(surface_model(), batch.parameters)).norm(dim=2)


def test_true_maps_give_the_true_mesh_back_the_better_the_finer_they_are() -> None:
    coarse, fine = (_away(replace(MAPS, size=size)) for size in (32, 128))
    assert float(fine.median()) < 0.5 * float(coarse.median()) < 0.5 * 0.02 * MAPS.picture
    assert float(fine.mean()) < 0.01 * MAPS.picture


def test_true_maps_give_the_landmarks() -> None:
    recipe = replace(MAPS, size=128)
    batch = _faces(recipe)
    model = Says(*recipe.prepare(batch, torch.Generator()))
    points, errors = recipe.evaluate(model, recipe.test_set())
    assert points.shape == (8, 68, 3) and errors.shape == (8,)
    assert 0 < float(errors.max()) < 0.03  # of the map, and of the modes that the parameters leave out
    with torch.inference_mode():
        torch.testing.assert_close(recipe.measure(model, slice(None))["nme"], errors)
        vertices = recipe.vertices(model, batch)
    torch.testing.assert_close(points, vertices[:, surface_model().landmarks])


def test_the_mirrored_picture_counts_by_half() -> None:
    batch = _faces(MAPS)
    images, maps = MAPS.prepare(batch, torch.Generator())
    side = batch.image.shape[3] - 1.0
    x0, y0, x1, y1 = batch.box.unbind(1)
    turned = replace(batch, image=batch.image.flip(3), box=torch.stack([side - x1, y0, side - x0, y1], 1))
    crop, back = (crop_faces(each, MAPS.size, MAPS.crop) for each in (batch, turned))
    torch.testing.assert_close(back.image, crop.image.flip(3), atol=1e-4, rtol=0.0)
    model = _Twice(images, maps)
    points = MAPS.landmarks(model, batch)
    other = MAPS.landmarks(model, turned)[:, list(markup("68").mirror)]
    other[..., 0] = side - other[..., 0]
    torch.testing.assert_close(MAPS.landmarks(model, batch, mirror=True), (points + other) / 2)
    assert float((other - points).norm(dim=2).mean()) > 1
    torch.testing.assert_close(MAPS.evaluate(model, MAPS.test_set(), mirror=True)[0], (points + other) / 2)


class _Twice(nn.Module):
    """The same maps for pictures and for mirrored ones, which is wrong of the latter."""

    def __init__(self, images: Tensor, maps: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.images, self.maps = images, maps

    def forward(self, images: Tensor) -> Tensor:
        near = [torch.allclose(images, each, atol=1e-3) for each in (self.images, self.images.flip(3))]
        assert any(near)
        return self.maps


def test_volumes_have_no_landmarks_to_score() -> None:
    with pytest.raises(ValueError, match="VolumeRecipe: expected a network that finds landmarks in a picture"):
        errors_on(CELLS, nn.Identity(), CELLS.test_set())


def test_maps_follow_the_augmentation() -> None:
    recipe = SMOKE["prnet"]
    batch = _faces(recipe)
    images, maps = recipe.prepare(batch, torch.Generator().manual_seed(2))
    crop = crop_faces(batch, recipe.size, "3ddfa", recipe.augmentation, torch.Generator().manual_seed(2))
    assert torch.equal(images, crop.image) and maps.shape == (8, 3, 32, 32)
    found = PositionMaps(surface_model(), 32).decode(positions_of(maps, 32)) + recipe.middle(maps)
    true = project(surface_model(), crop.parameters)
    upright = project(surface_model(), crop_faces(batch, 32, "3ddfa").parameters)
    assert float((found - true).norm(dim=2).median()) < 0.5 < float((found - upright).norm(dim=2).median())


def test_maps_of_faces_are_within_what_the_network_can_say() -> None:
    _, maps = MAPS.prepare(_faces(MAPS), torch.Generator())
    inside = maps[..., PositionMaps(surface_model(), MAPS.size).mask]
    told = ((inside > 0) & (inside < 1)).float()
    assert float(told.mean()) > 0.98 and float(told[:, 2].mean()) > 0.999  # foreheads may stand above the crop


def test_landmarks_count_most_and_texels_of_no_face_nothing() -> None:
    """The gradient of equal errors is that of the weights."""
    recipe = replace(MAPS, size=128)
    images, target = recipe.prepare(_faces(recipe), torch.Generator())
    wrong = (target + torch.tensor([0.1, 0.0, 0.0])[:, None, None]).requires_grad_()
    loss = recipe.loss(Says(images, wrong), (images, target))
    assert float(loss.detach()) == pytest.approx(0.01, rel=1e-4)  # a weighted mean
    loss.backward()
    assert wrong.grad is not None
    weights = wrong.grad[:, 0] * 5 * 8  # twice the error, over the faces
    assert float(weights.std(0).max()) < 1e-8 and float(weights[0].sum()) == pytest.approx(1, rel=1e-4)
    weights = weights[0] / weights[0][weights[0] > 0].min()
    heavy, light = weights.isclose(torch.tensor(16 / 3)), weights.isclose(torch.tensor(1.0))
    mask = PositionMaps(surface_model(), 128).mask
    assert int(heavy.sum()) in (67, 68)  # two may share a texel
    assert bool((heavy | light | (weights == 0)).all()) and bool((weights > 0)[mask].all())
    assert not light[~mask].any() and int(light.sum()) > 0
    # A texel that counts most holds a landmark.
    points = project(surface_model(), crop_faces(_faces(recipe), 128, "3ddfa").parameters)[0, surface_model().landmarks]
    texels = positions_of(target, 128)[0][:, heavy & mask].T + recipe.middle(target)
    assert float(torch.cdist(texels, points).amin(1).max()) < 3


# --------------------------------------------------------------------------------------------------------- volumes


def test_the_overlap_of_true_volumes_is_whole() -> None:
    images, inside = CELLS.prepare(_faces(CELLS), torch.Generator())
    assert inside.shape == (8, 32, 32, 32) and inside.dtype == torch.bool
    with torch.inference_mode():
        for answer, expected in (
            (inside, torch.ones(8)),
            (~inside, torch.zeros(8)),
            (torch.ones_like(inside), inside.float().mean((1, 2, 3))),
        ):
            model = Says(images, 2 * answer.float() - 1)
            torch.testing.assert_close(CELLS.measure(model, slice(None))["overlap"], expected)
            torch.testing.assert_close(_part(model), expected[1::2])


def _part(model: Says) -> Tensor:
    """The overlap of every other face."""
    return CELLS.measure(Says(model.images[1::2], model.answer[1::2]), slice(1, None, 2))["overlap"]


def test_the_surface_of_a_true_volume_passes_through_the_mesh_as_far_as_it_reaches() -> None:
    batch = _faces(CELLS)
    images, inside = CELLS.prepare(batch, torch.Generator())
    with torch.inference_mode():
        surfaces = CELLS.surfaces(Says(images, 20 * inside.float() - 10), batch)
    meshes = project(surface_model(), crop_faces(batch, CELLS.size, "3ddfa").parameters)
    middle = torch.tensor([(CELLS.size - 1) / 2, (CELLS.size - 1) / 2, 0.1 * CELLS.size])
    assert len(surfaces) == 8
    for (vertices, triangles), mesh in zip(surfaces, meshes, strict=True):
        assert int(triangles.max()) < len(vertices)
        reached = mesh[((mesh - middle).abs() < CELLS.size / 2).all(1)]
        away = torch.cdist(reached, vertices).amin(1)
        assert len(reached) > 0.8 * len(mesh) and float(away.mean()) < 0.75
        assert float(torch.cdist(reached.flip(1), vertices).amin(1).mean()) > 1.5


def test_cells_cost_their_cross_entropy() -> None:
    images, inside = CELLS.prepare(_faces(CELLS), torch.Generator())
    undecided = CELLS.loss(Says(images, torch.zeros(8, 32, 32, 32)), (images, inside))
    assert float(undecided) == pytest.approx(float(torch.tensor(2.0).log()), rel=1e-5)
    sure = CELLS.loss(Says(images, torch.full((8, 32, 32, 32), -3.0)), (images, inside))
    share = float(inside.float().mean())
    missed, right = (float(nn.functional.softplus(torch.tensor(x))) for x in (3.0, -3.0))
    assert float(sure) == pytest.approx(share * missed + (1 - share) * right, rel=1e-4)


# -------------------------------------------------------------------------------------------------------- trainings


@pytest.mark.parametrize(("name", "number"), [("prnet", "nme"), ("vrn", "overlap")])
def test_a_training_ends_and_is_repeated_bit_for_bit(name: str, number: str, same_weights: Same) -> None:
    recipe = SMOKE[name]
    model, (entry,) = recipe.train(seed=1)
    assert not model.training and 0 < entry["loss"] < 10 and 0 <= entry[number] < 10
    with torch.inference_mode():
        measured = recipe.measure(model, slice(None))[number]
    assert entry[number] == pytest.approx(float(measured.mean()), rel=1e-4)
    assert same_weights(recipe.train(seed=1).model, model)
    assert same_weights(recipe.model(1), recipe.model(1)) and not same_weights(recipe.model(1), model)
    assert not same_weights(recipe.model(1), recipe.model(2))
