"""Direct regression: the faces that a network learns from, and what a training leaves behind."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from facelab.data import Augmentation, FaceSample, PoseBalanced, PoseBins
from facelab.markups import markup
from facelab.recipes.direct import PROFILES, AsLong, DirectRecipe
from facelab.training import load_weights

CORNERS = list(markup("68").corners)
PARTNER = list(markup("68").mirror)
SMOKE = replace(PROFILES["smoke"], faces=24, test_faces=8, augmentation=Augmentation())
BALANCED = replace(SMOKE, faces=128, bins=3)
CPU = torch.device("cpu")
Same = Callable[[nn.Module, nn.Module], bool]

pytestmark = pytest.mark.usefixtures("cached")


# ---------------------------------------------------------------------------------------------------- even shares


def _bins(sizes: list[int]) -> PoseBins:
    """Bins of so many faces, in the order of the faces."""
    count = len(sizes)
    return PoseBins(
        bin=torch.repeat_interleave(torch.arange(count), torch.tensor(sizes)),
        score=torch.arange(sum(sizes), dtype=torch.float64),
        edges=torch.linspace(0, 1, count + 1),
        counts=torch.tensor(sizes),
        joined=tuple((index,) for index in range(count)),
        means=torch.zeros(count, 68, 2),
        minimum=1,
        explained=1.0,
    )


class _Numbers(Dataset[Any]):
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count


def _as_long(sizes: list[int], sampling: str, seed: int = 0) -> tuple[AsLong, Tensor]:
    """And the bin of every face."""
    bins = _bins(sizes)
    return AsLong(PoseBalanced(_Numbers(sum(sizes)), bins, sampling, seed), seed), bins.bin


@pytest.mark.parametrize(
    ("sizes", "sampling", "shares"),
    [
        ([15, 5], "undersampled", [10, 10]),  # two rounds of 5 from each
        ([5, 20, 5], "undersampled", [10, 10, 10]),
        ([8, 8], "replicated", [8, 8]),
    ],
)
def test_an_epoch_has_even_shares_and_as_many_faces(sizes: list[int], sampling: str, shares: list[int]) -> None:
    faces, bin_ = _as_long(sizes, sampling)
    assert len(faces) == sum(sizes)
    for epoch in range(3):
        drawn = faces.drawn(epoch)
        assert torch.bincount(bin_[drawn]).tolist() == shares
        assert torch.bincount(drawn).max() <= -(-max(shares) // min(sizes))


@pytest.mark.parametrize("sampling", ["undersampled", "replicated"])
def test_shares_are_even_in_the_long_run_where_an_epoch_cannot_be(sampling: str) -> None:
    faces, bin_ = _as_long([20, 8, 12], sampling)
    epochs = [faces.drawn(epoch) for epoch in range(30)]
    assert all(len(drawn) == 40 for drawn in epochs)
    shares = torch.bincount(bin_[torch.cat(epochs)]) / 1200
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.03, rtol=0)
    assert len(torch.cat(epochs).unique()) == 40  # every face has its turn


@pytest.mark.parametrize("sampling", ["undersampled", "replicated"])
def test_an_epoch_is_drawn_anew_and_the_same_for_the_same_seed(sampling: str) -> None:
    faces, _ = _as_long([20, 8, 12], sampling, 1)
    again, _ = _as_long([20, 8, 12], sampling, 1)
    other, _ = _as_long([20, 8, 12], sampling, 2)
    for epoch in range(3):
        mine = faces.drawn(epoch)
        assert torch.equal(mine, again.drawn(epoch)) and torch.equal(mine, faces.drawn(epoch))
        assert not torch.equal(mine, other.drawn(epoch)) and not torch.equal(mine, faces.drawn(epoch + 1))
        assert not torch.equal(mine.sort().values, faces.drawn(epoch + 1).sort().values)


def test_an_epoch_is_in_no_order() -> None:
    """Of rounds of a short epoch, what comes first is not the first bin."""
    faces, bin_ = _as_long([15, 5], "undersampled")
    first = torch.stack([bin_[faces.drawn(epoch)[:10]] for epoch in range(20)]).double().mean()
    assert 0.35 < float(first) < 0.65


# ----------------------------------------------------------------------------------------------------- the faces


@pytest.mark.parametrize("sampling", ["undersampled", "replicated"])
def test_controls_have_bins_of_the_same_sizes_that_know_nothing_of_pose(sampling: str) -> None:
    faces = BALANCED.training_set(1)
    known = replace(BALANCED, balance=sampling).balanced(faces, 1)
    blind = replace(BALANCED, balance=f"{sampling} at random").balanced(faces, 1)
    assert known.sampling == blind.sampling == sampling and known.seed == blind.seed == 1
    assert torch.equal(known.bins.sizes, blind.bins.sizes) and len(known) == len(blind)

    def related(balanced: PoseBalanced) -> float:
        """How far the bin of a face tells its pose: the correlation with the yaw."""
        pair = torch.stack([balanced.bins.bin.double(), faces.poses[:, 1].double()])
        return abs(float(torch.corrcoef(pair)[0, 1]))

    assert related(known) > 0.9 and related(blind) < 0.3
    other = replace(BALANCED, balance=f"{sampling} at random").balanced(faces, 2)
    assert not torch.equal(other.bins.bin, blind.bins.bin) and related(other) < 0.3
    assert torch.equal(replace(BALANCED, balance=sampling).balanced(faces, 2).bins.bin, known.bins.bin)


def test_a_balanced_recipe_trains_on_epochs_of_the_same_length() -> None:
    for balance in ("undersampled", "replicated", "undersampled at random"):
        samples = replace(BALANCED, balance=balance).samples(1, CPU)
        assert isinstance(samples, AsLong) and len(samples) == 128 == len(samples.drawn(0))
        assert torch.equal(samples.whole[127].image, BALANCED.training_set(1)[127].image)


def test_a_share_of_frontal_faces() -> None:
    skewed = replace(SMOKE, faces=40, frontal=0.75)
    faces = skewed.training_set(1)
    yaw = torch.stack([faces[index].pose[1] for index in range(len(faces))]).rad2deg().abs()
    assert len(yaw) == 40 and float(yaw[:30].max()) <= 30.001 and float(yaw[30:].max()) > 60
    assert not torch.equal(skewed.test_set().poses, faces.datasets[0].poses[:8])
    assert torch.equal(skewed.test_set().poses, SMOKE.test_set().poses)  # which has all poses, as ever
    alone = replace(skewed, frontal=1.0).training_set(1)
    assert len(alone) == 40 and float(alone.poses[:, 1].rad2deg().abs().max()) <= 30.001
    every = replace(skewed, frontal=0.0).training_set(1)
    assert len(every) == 40 and float(every.poses[:, 1].rad2deg().abs().max()) > 60


def test_smeared_labels_reach_the_network_and_no_test() -> None:
    smeared = replace(SMOKE, smear=0.05)

    def prepared(recipe: DirectRecipe) -> tuple[Tensor, Tensor]:
        samples = recipe.samples(1, CPU)
        batch = recipe.collate([samples[index] for index in range(len(samples))])
        return recipe.prepare(batch, torch.Generator().manual_seed(0))

    (images, points), (same, true) = prepared(smeared), prepared(SMOKE)
    assert torch.equal(images, same) and torch.equal(points[:, CORNERS], true[:, CORNERS])
    on_curves = [index for index in range(68) if index not in CORNERS]
    slid = (points - true)[:, on_curves].norm(dim=2)
    # A box has most of a crop; the mean of a normal number's size is 0.8 of its deviation.
    assert 0.02 * smeared.size / 1.4 < float(slid.mean()) < 0.05 * smeared.size
    assert torch.equal(smeared.test_set().landmarks, SMOKE.test_set().landmarks)
    model = SMOKE.model(1)
    with torch.inference_mode():
        mine, theirs = (recipe.measure(model, slice(None))["nme"] for recipe in (smeared, SMOKE))
    assert torch.equal(mine, theirs)


def test_augmentation_moves_picture_and_landmarks_together() -> None:
    turned = replace(SMOKE, augmentation=Augmentation(mirror=1.0))
    images, points = turned.prepare(FaceSample.stack(list(turned.test_set())), torch.Generator().manual_seed(0))
    upright, true = SMOKE.prepare(FaceSample.stack(list(SMOKE.test_set())), torch.Generator())
    torch.testing.assert_close(images, upright.flip(3), atol=1e-4, rtol=0)
    expected = true[:, PARTNER].clone()
    expected[..., 0] = SMOKE.size - 1 - expected[..., 0]
    torch.testing.assert_close(points, expected, atol=1e-3, rtol=0)


def test_other_test_faces_are_others() -> None:
    known, others = SMOKE.test_set(), SMOKE.test_set(seed=123)
    assert len(known) == len(others) == 8 and not torch.equal(known.landmarks, others.landmarks)


# -------------------------------------------------------------------------------------------------------- trainings


def _balanced() -> DirectRecipe:
    """Of faces that are drawn anew in both of its epochs."""
    training = replace(PROFILES["smoke"].training, epochs=2, batch=8)
    return replace(BALANCED, faces=32, balance="undersampled", bins=2, smear=0.02, training=training)


def test_a_training_is_repeated_bit_for_bit_and_goes_on_where_it_stopped(tmp_path: Path, same_weights: Same) -> None:
    recipe = _balanced()
    model, history = recipe.train(seed=1, output=tmp_path / "whole")
    start = float(recipe.evaluate(recipe.model(1), recipe.test_set())[1].mean())
    assert not model.training and [entry["epoch"] for entry in history] == [1, 2]
    assert history[-1]["nme"] == pytest.approx(float(recipe.evaluate(model, recipe.test_set())[1].mean()))
    assert history[-1]["loss"] < history[0]["loss"] and 0 < history[-1]["nme"] < 1.5 * start
    assert same_weights(recipe.train(seed=1).model, model)
    assert not same_weights(recipe.train(seed=2).model, model)

    folder = shutil.copytree(tmp_path / "whole", tmp_path / "stopped", copy_function=os.link)
    last = max(folder.glob("checkpoint-*.pt"))
    for path in (last, folder / "model.safetensors"):
        path.unlink()
    assert list(folder.glob("checkpoint-*.pt"))
    assert same_weights(recipe.train(seed=1, output=folder).model, model)

    loaded = recipe.model()
    load_weights(loaded, tmp_path / "whole" / "model.safetensors")
    assert same_weights(loaded, model)


def test_every_setting_changes_what_is_learnt(same_weights: Same) -> None:
    recipe = replace(_balanced(), training=replace(_balanced().training, epochs=1))
    model = recipe.train(seed=1).model
    changes: dict[str, Any] = {"criterion": "l1", "output": "points", "smear": 0.1, "balance": "replicated"}
    for name, value in changes.items():
        assert not same_weights(replace(recipe, **{name: value}).train(seed=1).model, model), name
