"""FAN's depth network: units of depths, what the network sees, and what is on record of the authors'."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import Augmentation, FaceSample, LiveFaces, crop_faces, crop_window, encode_heatmaps
from facelab.recipes.fan_depth import FanDepthRecipe, centred

pytestmark = pytest.mark.usefixtures("cached")


class _Knows(nn.Module):
    """Gives depths in turn, whatever it sees, and keeps what it saw."""

    def __init__(self, depths: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.depths, self.seen = depths, []

    def forward(self, guided: Tensor) -> Tensor:
        start = sum(len(seen) for seen in self.seen)
        self.seen.append(guided)
        return self.depths[start : start + len(guided)]


@pytest.fixture(scope="module")
def recipe() -> FanDepthRecipe:
    return recipes.get("fan-depth", "smoke")


def _whole(recipe: FanDepthRecipe) -> FaceSample:
    faces = recipe.test_set()
    return FaceSample.stack([faces[index] for index in range(len(faces))])


def test_depths_of_the_crop_are_brought_to_the_pictures_pixels(recipe: FanDepthRecipe) -> None:
    recipe = replace(recipe, size=80)
    batch = _whole(recipe)
    crop = crop_faces(batch, recipe.size, recipe.crop)
    depths = crop.landmarks[..., 2]
    spread = depths.std(1) / batch.landmarks[..., 2].std(1)
    torch.testing.assert_close(spread, crop.affine.scale(), atol=1e-3, rtol=0)
    assert float(spread.min()) > 1.5  # the oracle's depths are not the picture's
    network = _Knows(depths + 7)  # how far away the face is does not count
    with torch.inference_mode():
        found = recipe.depths(network, batch, batch.landmarks[..., :2])
    truth = batch.landmarks[..., 2]
    torch.testing.assert_close(found, truth - truth.mean(1, keepdim=True), atol=1e-3, rtol=0)


def test_true_depths_have_no_error_and_a_shifted_one_its_share(recipe: FanDepthRecipe) -> None:
    batch, faces = _whole(recipe), recipe.test_set()
    crop = crop_faces(batch, recipe.size, recipe.crop)
    truth = batch.landmarks[..., 2]
    depths, errors = recipe.evaluate(_Knows(crop.landmarks[..., 2]), faces)
    torch.testing.assert_close(depths, centred(truth), atol=1e-3, rtol=0)
    assert float(errors.max()) < 1e-4 and errors.shape == (32,)
    part = recipe.measure(_Knows(crop.landmarks[..., 2] * 2), slice(5, 12))["gte_z"]
    eyes = (batch.landmarks[:, 36] - batch.landmarks[:, 45]).norm(dim=1)
    torch.testing.assert_close(part.float(), (centred(truth).abs().mean(1) / eyes)[5:12], atol=1e-4, rtol=0)


@pytest.mark.parametrize("sees", ["both", "picture", "maps"])
def test_what_is_not_seen_is_zero(recipe: FanDepthRecipe, sees: str) -> None:
    """The same while it is trained and when it is used."""
    blinkered = replace(recipe, sees=sees, augmentation=Augmentation(), shaken=0.0)
    batch = _whole(recipe)
    crop = crop_faces(batch, recipe.size, recipe.crop)
    network = _Knows(torch.zeros(32, 68))
    blinkered.depths(network, batch, batch.landmarks[..., :2])
    trained, target = blinkered.prepare(batch, torch.Generator().manual_seed(0))
    maps = encode_heatmaps(crop.landmarks[..., :2], recipe.size, recipe.size, recipe.sigma)
    torch.testing.assert_close(target, centred(crop.landmarks[..., 2]), atol=1e-3, rtol=0)
    for seen in (network.seen[0], trained):
        assert seen.shape == (32, 71, recipe.size, recipe.size)
        torch.testing.assert_close(seen[:, :3], crop.image * (sees != "maps"), atol=1e-4, rtol=0)
        torch.testing.assert_close(seen[:, 3:], maps * (sees != "picture"), atol=2e-3, rtol=0)


def test_maps_are_drawn_where_the_given_points_are(recipe: FanDepthRecipe) -> None:
    """A part of the set gets its own points, whatever the size of a batch."""
    faces = recipe.test_set()
    points = faces.landmarks[..., :2] + torch.arange(32.0)[:, None, None] / 16
    network = _Knows(torch.zeros(32, 68))
    recipe.evaluate(network, faces, points)
    affine = crop_faces(_whole(recipe), recipe.size, recipe.crop).affine
    expected = encode_heatmaps(affine.apply(points), recipe.size, recipe.size, recipe.sigma)
    assert len(network.seen) == 32 / recipe.training.batch > 1
    torch.testing.assert_close(torch.cat(network.seen)[:, 3:], expected, atol=1e-3, rtol=0)


def test_landmarks_are_shaken_for_training_by_a_share_of_the_face(recipe: FanDepthRecipe) -> None:
    still = replace(recipe, augmentation=Augmentation(), size=128, sigma=3.0)
    batch = _whole(recipe)
    exact, noisy = (
        replace(still, shaken=share).prepare(batch, torch.Generator().manual_seed(0)) for share in (0.0, 0.02)
    )
    assert torch.equal(exact[0][:, :3], noisy[0][:, :3]) and torch.equal(exact[1], noisy[1])
    place = torch.arange(128.0)
    centres = [guided[:, 3:].sum(2) @ place / guided[:, 3:].sum((2, 3)) for guided in (exact[0], noisy[0])]
    inside = (centres[0] > 15) & (centres[0] < 112)  # whole bells
    moved = (centres[1] - centres[0])[inside]
    assert float(moved.std()) == pytest.approx(0.02 * 128 / 1.3, rel=0.1)


@pytest.mark.parametrize(("size", "crop"), [(32, "snug"), (96, "snug"), (96, "tight"), (256, "fan")])
def test_the_loss_has_the_unit_of_a_face(recipe: FanDepthRecipe, size: int, crop: str) -> None:
    """Off by the side of the face everywhere is an error of 1, at every size."""
    _, window = crop_window(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), crop)
    target = torch.randn(4, 68, generator=torch.Generator().manual_seed(0))
    off = _Knows(target + size / window)
    error = replace(recipe, size=size, crop=crop).loss(off, (torch.zeros(4, 71, size, size), target))
    assert float(error) == pytest.approx(1, rel=1e-5)


def test_smoke_trains(recipe: FanDepthRecipe) -> None:
    model, history = recipe.train(seed=1)
    assert history[-1]["loss"] < history[0]["loss"] and history[-1]["gte_z"] > 0 and not model.training


def test_the_same_seed_gives_the_same_weights(recipe: FanDepthRecipe) -> None:
    first, again, other = (next(recipe.model(seed).parameters()) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_samples_are_those_of_the_training_set(recipe: FanDepthRecipe) -> None:
    samples = recipe.samples(3, torch.device("cpu"))
    assert torch.equal(samples[5].image, recipe.training_set(3)[5].image) and len(samples) == recipe.faces
    assert not isinstance(samples, LiveFaces)
    assert torch.equal(recipe.collate([samples[1]]).landmarks[0], samples[1].landmarks)


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_it_goes_with_the_network_that_finds_landmarks(profile: str) -> None:
    depth, points = recipes.get("fan-depth", profile), recipes.get("fan-photographs", profile)
    shared = ("size", "faces", "test_faces", "picture", "augmentation", "crop", "margin")
    assert all(getattr(depth, name) == getattr(points, name) for name in shared)
    assert (depth.training == points.training) == (profile != "gpu")
    assert depth.sees == "both"


def test_the_gpu_profile_is_the_authors_network() -> None:
    recipe = recipes.get("fan-depth", "gpu")
    assert (recipe.size, recipe.blocks, recipe.width, recipe.sigma) == (256, (3, 8, 36, 3), 64, 3.25)
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in recipe.model().parameters())
    assert count == pytest.approx(58.5e6, rel=1e-3)


def test_an_unknown_input_is_refused(recipe: FanDepthRecipe) -> None:
    with pytest.raises(ValueError, match="sees: expected one of both, picture, maps, got 'landmarks'"):
        replace(recipe, sees="landmarks")
