"""FAN's recipes: the smallest one end to end, and what is on record of the paper's."""

import math
from pathlib import Path

import pytest
import torch

from facelab import recipes
from facelab.data import FaceSample, encode_heatmaps, to_heatmap_pixels
from facelab.metrics import nme
from facelab.recipes.fan import mean_shape


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELAB_CACHE", str(tmp_path / "cache"))


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
    from facelab.data import crop_faces

    recipe = recipes.get("fan", "quick")
    faces = recipes.get("fan", "smoke").test_set()
    batch = FaceSample.stack([faces[i] for i in range(6)])
    crop = crop_faces(batch, recipe.size, recipe.crop)
    oracle = _Oracle(crop.landmarks[..., :2], recipe.size // 4)
    with torch.inference_mode():
        predicted = recipe.landmarks(oracle, batch)
    assert float(nme(predicted, batch.landmarks[..., :2]).max()) < 2e-3


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


def test_training_and_test_faces_differ() -> None:
    recipe = recipes.get("fan", "smoke")
    train, test = recipe.training_set(0), recipe.test_set()
    assert not any(torch.equal(train[i].image, test[i].image) for i in range(8))
    assert math.isinf(recipe.passing_share) and recipes.get("fan", "quick").passing_share == pytest.approx(1 / 3)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="profile: there is no 'fast'; expected one of smoke, quick, cpu, gpu"):
        recipes.get("fan", "fast")
    with pytest.raises(ValueError, match="recipe: there is no 'fun'; did you mean 'fan'. expected one of fan"):
        recipes.get("fun", "quick")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_smoke_on_cuda() -> None:
    model, history = recipes.get("fan", "smoke").train(seed=1, device="cuda")
    assert next(model.parameters()).is_cuda and history[-1]["loss"] < history[0]["loss"]
