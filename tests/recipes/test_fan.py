"""FAN's recipes: the smallest one end to end, and what is on record of the paper's."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facelab import recipes
from facelab.data import (
    FaceSample,
    LiveFaces,
    ShakenLabels,
    SyntheticFaces,
    crop_faces,
    encode_heatmaps,
    to_heatmap_pixels,
)
from facelab.data.augmentation import preset
from facelab.losses import stacked_heatmap_l2
from facelab.metrics import nme
from facelab.recipes.fan import PROFILES_RELEASED, FanRecipe, mean_shape, mirrored_back, points_of
from facelab.training import describe
from facelab.training.describe import flat

pytestmark = pytest.mark.usefixtures("cached")


def test_smoke_trains_and_resumes(tmp_path: Path) -> None:
    recipe = recipes.get("fan", "smoke")
    model, history = recipe.train(seed=1, output=tmp_path / "run")
    assert history[-1]["loss"] < history[0]["loss"]
    assert not model.training
    again, same = recipe.train(seed=1, output=tmp_path / "run")
    assert same == history
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_same_seed_gives_the_same_network() -> None:
    recipe = recipes.get("fan", "smoke")
    first, second = recipe.train(seed=2)[0], recipe.train(seed=2)[0]
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(next(first.parameters()), next(recipe.model(3).parameters()))


class _Oracle(torch.nn.Module):
    """Draws the target heatmaps of the faces that it is told of."""

    def __init__(self, landmarks: torch.Tensor, side: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.maps = encode_heatmaps(to_heatmap_pixels(landmarks, 4), side, side, 1.0)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [self.maps * self.scale]


def test_perfect_heatmaps_give_the_landmarks_back_in_the_pictures_pixels() -> None:
    recipe = recipes.get("fan", "quick")
    faces = recipes.get("fan", "smoke").test_set()
    batch = FaceSample.stack([faces[i] for i in range(6)])
    crop = crop_faces(batch, recipe.size, recipe.crop)
    oracle = _Oracle(crop.landmarks[..., :2], recipe.size // 4)
    with torch.inference_mode():
        predicted = recipe.landmarks(oracle, batch)
    assert float(nme(predicted, batch.landmarks[..., :2]).max()) < 2e-3


class _Stacks(torch.nn.Module):
    """Gives its maps, one set a stack, for its pictures, and those maps mirrored for its pictures mirrored."""

    def __init__(self, upright: torch.Tensor, *maps: torch.Tensor) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.upright, self.maps = upright, maps
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        self.seen.append(images)
        if torch.equal(images, self.upright.flip(3)):
            return [mirrored_back(maps, "68") for maps in self.maps]  # mirrored twice is as before
        return list(self.maps)


def _six() -> FaceSample:
    faces = recipes.get("fan", "smoke").test_set()
    return FaceSample.stack([faces[index] for index in range(6)])


def _stacks(recipe: FanRecipe, batch: FaceSample) -> _Stacks:
    """A first stack that is two pictures' pixels off, and a second that is right."""
    crop = crop_faces(batch, recipe.size, recipe.crop)
    off = crop.affine.apply(batch.landmarks[..., :2] + torch.tensor([2.0, 0.0]))
    return _Stacks(crop.image, recipe.targets(off), recipe.targets(crop.landmarks[..., :2]))


@pytest.mark.parametrize("mirror", [False, True])
def test_landmarks_of_every_stack(mirror: bool) -> None:
    recipe, batch = recipes.get("fan", "quick"), _six()
    network = _stacks(recipe, batch)
    with torch.inference_mode():
        maps, crop = recipe.heatmaps_by_stack(network, batch)
        added = 1 + mirror  # what is mirrored twice is as before, so that the mirrored picture adds the same again
        first, second = (points_of(added * stack, crop, "log-parabola") for stack in maps)
        points, peaks = recipe.landmarks_with_peaks(network, batch, mirror=mirror)
        assert torch.equal(points, second) and torch.equal(recipe.landmarks(network, batch, mirror=mirror), second)
    assert torch.equal(peaks, network.maps[1].amax((2, 3)))  # of the picture alone
    torch.testing.assert_close(second, batch.landmarks[..., :2], atol=0.05, rtol=0)
    inside = second[..., 0] < second[..., 0].amax(1, keepdim=True) - 3  # else two pixels on may be outside of the crop
    torch.testing.assert_close(
        (first - second)[inside], torch.tensor([2.0, 0.0]).expand(int(inside.sum()), 2), atol=0.05, rtol=0
    )
    assert maps.shape == (2, 6, 68, 16, 16) and torch.equal(maps[1], network.maps[1])
    assert torch.equal(crop.image, network.upright)


def test_reduced_pictures_have_less_detail_and_the_same_light() -> None:
    recipe, batch = recipes.get("fan", "quick"), _six()
    network = _stacks(recipe, batch)
    with torch.inference_mode():
        for reduction in (1.0, 2.0, 8.0):
            recipe.heatmaps_by_stack(network, batch, reduction)
    whole, half, eighth = network.seen
    assert torch.equal(whole, network.upright) and half.shape == whole.shape
    detail = [float((images[..., 1:] - images[..., :-1]).abs().mean()) for images in (whole, half, eighth)]
    assert detail[0] > 1.1 * detail[1] > 1.2 * detail[2]
    assert float(half.mean()) == pytest.approx(float(whole.mean()), abs=0.01)


def test_mean_shape_is_exact_for_one_face() -> None:
    recipe = recipes.get("fan", "smoke")
    faces = recipe.test_set()
    one = faces.landmarks[:1]
    placed = mean_shape(recipe, one, torch.stack([faces[0].box, 2 * faces[0].box]))
    torch.testing.assert_close(placed[0], one[0, :, :2], atol=1e-3, rtol=0)
    torch.testing.assert_close(placed[1], 2 * one[0, :, :2], atol=1e-3, rtol=0)


def test_the_gpu_profile_is_the_papers() -> None:
    recipe = recipes.get("fan", "gpu")
    plan = recipe.training
    assert (recipe.size, recipe.stacks, recipe.width, recipe.depth, recipe.sigma) == (256, 4, 256, 4, 1.0)
    assert (plan.optimizer.name, plan.epochs, plan.batch) == ("rmsprop", 40, 10)
    rates = [plan.optimizer.learning_rate * plan.schedule(epoch / 40) for epoch in (0, 15, 30)]
    assert rates == pytest.approx([1e-4, 1e-5, 1e-6])
    change = recipe.augmentation
    assert change.rotation == 50 and change.scale == (0.8, 1.2)


def test_the_released_gpu_profile_is_the_authors() -> None:
    recipe = recipes.get("fan-released", "gpu")
    plan = recipe.training
    assert (plan.optimizer.name, plan.epochs, plan.batch, recipe.sigma) == ("rmsprop", 100, 10, 1.75)
    rates = [plan.optimizer.learning_rate * plan.schedule(epoch / 100) for epoch in (0, 49, 50, 69, 70, 89, 90, 99)]
    assert rates == pytest.approx([2.5e-4, 2.5e-4, 1e-4, 1e-4, 5e-5, 5e-5, 1e-5, 1e-5])
    change = recipe.augmentation
    assert (change.rotation, change.rotation_deviation, change.upright) == (60, 30, 0.6)
    assert (change.scale, change.scale_deviation, change.occlusion, change.shift) == ((0.7, 1.3), 0.3, 0, 0)
    paper = recipes.get("fan", "gpu")
    network = ("size", "stacks", "width", "depth", "pool", "block", "crop", "picture", "faces", "margin")
    assert all(getattr(recipe, name) == getattr(paper, name) for name in network)


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_released_and_2d_recipes_are_fans_otherwise(profile: str) -> None:
    paper, released, flat_jaw = (recipes.get(name, profile) for name in ("fan", "fan-released", "fan-2d"))
    assert flat_jaw != paper and replace(flat_jaw, jaw="3d") == paper
    assert released.sigma == 1.75 * paper.sigma and released is PROFILES_RELEASED[profile]
    if profile != "gpu":
        assert released.training.epochs == paper.training.epochs
    mine, theirs = flat(describe(released)), flat(describe(paper))
    changed = {name.split(".")[0] for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}
    assert changed == {"sigma", "training", "augmentation"}


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_the_recipe_for_photographs_is_trained_as_strongly_as_photographs_differ(profile: str) -> None:
    recipe = recipes.get("fan-photographs", profile)
    assert recipe.augmentation == preset("strong")
    assert recipe.crop == ("fan" if profile == "gpu" else "snug")  # the paper's crop there, for its own margins


def test_fields_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="supervision: expected 'all' or 'last', got 'first'"):
        replace(recipes.get("fan", "smoke"), supervision="first")
    with pytest.raises(ValueError, match="jaw: expected '3d' or '2d', got '1d'"):
        replace(recipes.get("fan", "smoke"), jaw="1d").test_set()


def test_supervision_of_all_stacks_or_the_last() -> None:
    recipe, batch = recipes.get("fan", "smoke"), _six()
    network, target = _stacks(recipe, batch), torch.zeros(6, 68, 8, 8)
    errors = [maps.square().mean() for maps in network.maps]
    torch.testing.assert_close(recipe.loss(network, (batch.image, target)), errors[0] + errors[1])
    last = replace(recipe, supervision="last")
    torch.testing.assert_close(last.loss(network, (batch.image, target)), errors[1])
    assert float(stacked_heatmap_l2(network.maps, target)) > float(errors[1]) > 0


def test_the_block_and_the_channels_are_the_networks() -> None:
    recipe = recipes.get("fan", "smoke")
    bottleneck, guided = replace(recipe, block="bottleneck").model(), recipe.model(in_channels=71)
    kinds = {type(module).__name__ for module in bottleneck.modules()} - {type(m).__name__ for m in guided.modules()}
    assert any("ottleneck" in kind for kind in kinds)
    assert guided(torch.zeros(1, 71, 32, 32))[0].shape == (1, 68, 8, 8)
    with pytest.raises(ValueError, match="block"):
        replace(recipe, block="dense").model()


def test_the_faces_of_the_other_rule_of_the_jaw() -> None:
    recipe = recipes.get("fan", "smoke")
    head, outline = recipe.test_set(), replace(recipe, jaw="2d").test_set()
    assert torch.equal(head[0].image, outline[0].image)
    assert torch.equal(head.landmarks[:, 17:], outline.landmarks[:, 17:])
    assert torch.equal(outline.landmarks[:, :17, :2], head.contours)
    assert isinstance(live := replace(recipe, jaw="2d").live(torch.device("cpu")), LiveFaces) and live.jaw == "2d"


def test_yaw_limits_training_faces_and_margin_all() -> None:
    recipe = replace(recipes.get("fan", "smoke"), yaw=(-30.0, 30.0), margin=(2.05, 2.35))
    yaw = [faces.poses[:, 1].rad2deg().abs() for faces in (recipe.training_set(), recipe.test_set())]
    assert float(yaw[0].max()) <= 30.001 and float(yaw[1].max()) > 60
    drawn = recipe.live(torch.device("cpu")).draw(32, torch.Generator().manual_seed(0))
    assert float(drawn.pose[:, 1].rad2deg().abs().max()) <= 30.001
    plain = recipes.get("fan", "smoke").test_set()
    sides = [
        torch.stack([(f.box[2:] - f.box[:2]).amax() for f in map(s.__getitem__, range(32))])
        for s in (plain, recipe.test_set())
    ]
    assert float((sides[1] / sides[0]).mean()) == pytest.approx(1.65 / 2.2, abs=0.02)


def test_label_noise_is_in_the_training_labels_alone() -> None:
    recipe, cpu = recipes.get("fan", "smoke"), torch.device("cpu")
    exact, noisy = recipe.samples(1, cpu), replace(recipe, label_noise=0.05).samples(1, cpu)
    assert isinstance(exact, SyntheticFaces) and isinstance(noisy, ShakenLabels)
    assert (len(noisy), noisy.seed, noisy.deviation) == (64, 1, 0.05)
    assert torch.equal(noisy[3].image, exact[3].image) and torch.equal(noisy[3].box, exact[3].box)
    assert not torch.allclose(noisy[3].landmarks, exact[3].landmarks, atol=0.1)
    test = replace(recipe, label_noise=0.05).test_set()
    assert torch.equal(test.landmarks, recipe.test_set().landmarks)


def test_training_and_test_faces_differ() -> None:
    recipe = recipes.get("fan", "smoke")
    train, test = recipe.training_set(0), recipe.test_set()
    assert not any(torch.equal(train[i].image, test[i].image) for i in range(8))
    assert math.isinf(recipe.passing_share) and recipes.get("fan", "quick").passing_share == pytest.approx(1 / 3)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="profile: there is no 'fast'; expected one of smoke, quick, cpu, gpu"):
        recipes.get("fan", "fast")
    with pytest.raises(ValueError, match="there is no 'fun'; did you mean 'fan'. expected one of anisotropic, "):
        recipes.get("fun", "quick")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_smoke_on_cuda() -> None:
    model, history = recipes.get("fan", "smoke").train(seed=1, device="cuda")
    assert next(model.parameters()).is_cuda and history[-1]["loss"] < history[0]["loss"]
