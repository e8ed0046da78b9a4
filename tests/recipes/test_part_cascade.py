"""Landmarks in x and y: trainings in their order, what each begins with, and what is read of the maps."""

import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from facelab import recipes
from facelab.data import FaceSample
from facelab.metrics import nme
from facelab.models import PartCascade
from facelab.models.two_stage import Parts
from facelab.recipes.chain import Stage, train_in_turn
from facelab.recipes.part_cascade import CascadeRecipe, _stage, read_maps, truth
from facelab.recipes.rendered import over
from facelab.training import Fitted, load_weights

NAMES = ["detection", "regression", "joint"]
Same = Callable[[nn.Module, nn.Module], bool]

pytestmark = pytest.mark.usefixtures("cached")


@pytest.fixture(scope="module")
def recipe() -> CascadeRecipe:
    return recipes.get("two-stage", "smoke").cascade


@dataclass(frozen=True)
class _Trained:
    folder: Path
    fitted: Fitted


@pytest.fixture(scope="module")
def trained(recipe: CascadeRecipe, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> _Trained:
    """All three trainings, once."""
    folder = tmp_path_factory.mktemp("cascade") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACELAB_CACHE", str(cache))
        return _Trained(folder, recipe.train(seed=1, output=folder))


def _checkpoints(folder: Path) -> dict[str, int]:
    """When each was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("checkpoint-*.pt")}


# ------------------------------------------------------------------------------------------------------- trainings


def test_the_trainings_follow_one_another(recipe: CascadeRecipe, trained: _Trained, same_weights: Same) -> None:
    model, history = trained.fitted
    assert list(recipe.trainings) == NAMES and [entry["training"] for entry in history] == [1, 2, 3]
    assert sorted(path.name for path in trained.folder.iterdir() if path.is_dir()) == sorted(NAMES)
    assert not model.training and all("nme" in entry and "loss" in entry for entry in history)
    again = recipe.model(5)
    assert load_weights(again, trained.folder / "model.safetensors") and same_weights(model, again)
    assert float(recipe.evaluate(again.eval(), recipe.test_set())[1].mean()) == pytest.approx(history[-1]["nme"])


def test_detection_learns_in_its_own_and_the_joint_training_only(recipe: CascadeRecipe, trained: _Trained) -> None:
    """Weights and running means."""
    after = {name: load_file(trained.folder / name / "model.safetensors") for name in NAMES}
    found = {key for key in after["joint"] if key.startswith("detection.")}
    assert {"detection.trunk.0.weight", "detection.trunk.1.running_mean"} < found == after["detection"].keys()
    start = recipe.model(1).state_dict()
    for key in found:
        first, second, third = (after[name][key] for name in NAMES)
        assert torch.equal(first, second) and not torch.equal(first, start[key]), key
        assert not torch.equal(second, third), key
    refined = "regression.stem.0.weight"
    assert not torch.equal(after["regression"][refined], start[refined])
    assert not torch.equal(after["joint"][refined], after["regression"][refined])


def test_each_training_begins_with_what_the_one_before_has_learnt(recipe: CascadeRecipe, same_weights: Same) -> None:
    untrained, learnt = recipe.model(1), recipe.model(2)
    first = _stage(recipe, "detection", untrained, nn.Identity()).model(1)
    assert first.regression is None and same_weights(first.detection, untrained.detection) and not first.frozen
    second = _stage(recipe, "regression", untrained, PartCascade(learnt.detection, None)).model(1)
    assert same_weights(second.detection, learnt.detection) and same_weights(second.regression, untrained.regression)
    assert second.frozen and not any(weight.requires_grad for weight in second.detection.parameters())
    third = _stage(recipe, "joint", untrained, second).model(1)
    assert (
        same_weights(third, second) and not third.frozen and all(weight.requires_grad for weight in third.parameters())
    )
    assert third.detection is not second.detection  # a copy: training it leaves what came before as it was


def test_the_same_seed_gives_the_same_network(recipe: CascadeRecipe, trained: _Trained, same_weights: Same) -> None:
    """Without a folder, too."""
    assert same_weights(recipe.train(seed=1).model, trained.fitted.model)
    assert same_weights(recipe.model(1), recipe.model(1)) and not same_weights(recipe.model(1), recipe.model(2))


def test_an_interrupted_run_goes_on(
    recipe: CascadeRecipe, trained: _Trained, tmp_path: Path, same_weights: Same
) -> None:
    folder = shutil.copytree(trained.folder, tmp_path / "run", copy_function=os.link)  # hundreds of megabytes
    shutil.rmtree(folder / "joint")
    (folder / "model.safetensors").unlink()
    written = _checkpoints(folder)
    model, history = recipe.train(seed=1, output=folder)
    assert same_weights(model, trained.fitted.model)
    there = _checkpoints(folder)
    assert written and {path: time for path, time in there.items() if not path.startswith("joint")} == written
    assert any(path.startswith("joint") for path in there)
    for name in NAMES[:2]:
        mine, theirs = (load_file(place / name / "model.safetensors") for place in (folder, trained.folder))
        assert mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert history[:2] == trained.fitted.history[:2]  # their seconds, too: they were not trained again
    timeless = {"seconds", "waiting"}
    assert all(history[2][key] == value for key, value in trained.fitted.history[2].items() if key not in timeless)


def test_the_folder_of_another_recipe_is_refused(recipe: CascadeRecipe, trained: _Trained) -> None:
    before = _checkpoints(trained.folder)
    with pytest.raises(ValueError, match=r"holds a run with fields.width = 16, this one has 32; give another folder"):
        replace(recipe, width=32).train(seed=1, output=trained.folder)
    with pytest.raises(ValueError, match=r"holds a run with seed = 1, this one has 2"):
        recipe.train(seed=2, output=trained.folder)
    assert _checkpoints(trained.folder) == before


@pytest.mark.parametrize("name", ["detection", "regression"])
def test_one_network_alone(recipe: CascadeRecipe, name: str, tmp_path: Path, same_weights: Same) -> None:
    alone = replace(recipe, **dict.fromkeys({*NAMES} - {name}))
    model, history = alone.train(seed=1, output=tmp_path)
    assert [entry["training"] for entry in history] == [1] and history[0]["nme"] > 0
    assert (model.detection is None, model.regression is None) == (name != "detection", name != "regression")
    again = alone.model(1)
    mine, whole = getattr(again, name), getattr(recipe.model(1), name)
    assert same_weights(mine, whole)  # it starts as it does beside the other
    load_weights(again, tmp_path / "model.safetensors")
    assert same_weights(again, model)


def test_joint_from_the_start(recipe: CascadeRecipe, same_weights: Same) -> None:
    joint = replace(recipe, detection=None, regression=None)
    assert list(joint.trainings) == ["joint"] and same_weights(joint.model(1), recipe.model(1))
    only = _stage(joint, "joint", joint.model(1), nn.Identity()).model(1)
    assert same_weights(only, recipe.model(1)) and not only.frozen
    with pytest.raises(ValueError, match="detection, regression, joint: expected at least one training"):
        replace(joint, joint=None)


def test_a_chain_counts_on_from_its_start(recipe: CascadeRecipe) -> None:
    start = Fitted(recipe.model(1), [{"training": 4.0, "epoch": 1.0}])
    model, history = train_in_turn(recipe, {}, start, outcome=lambda network: nn.Sequential(network))
    assert history == start.history and model[0] is start.model
    last = replace(recipe, detection=None, regression=None, faces=8, test_faces=1)
    links = {"joint": lambda before: _stage(last, "joint", last.model(1), before)}
    assert [entry["training"] for entry in train_in_turn(last, links, start).history] == [4, 5]


def test_a_stage_has_the_faces_of_the_whole_and_leaves_its_start_as_it_is(
    recipe: CascadeRecipe, same_weights: Same
) -> None:
    start = recipe.model(1)
    stage = Stage(recipe, start)
    learner = stage.model(5)
    assert learner is not start and same_weights(learner, start)
    nn.init.zeros_(next(learner.parameters()))
    assert not same_weights(learner, start) and same_weights(stage.model(5), recipe.model(1))
    ours, theirs = (each.samples(3, torch.device("cpu")) for each in (stage, recipe))
    assert len(ours) == len(theirs)
    assert torch.equal(stage.collate([ours[0], ours[1]]).image, recipe.collate([theirs[0], theirs[1]]).image)


# ---------------------------------------------------------------------------------------------------- maps and loss


def test_the_sizes_of_what_is_drawn(recipe: CascadeRecipe) -> None:
    """A radius of 7 where the face has 220 pixels, and a deviation of 6 where the crop has 384."""
    paper = recipes.get("two-stage", "gpu").cascade
    centre = torch.full((1, 1, 2), 190.0)
    radius = 7 / 220 * 384 / 1.225
    assert paper.face_side == pytest.approx(384 / 1.225) and recipe.face_side == pytest.approx(32 / 1.225)
    assert float(paper.discs(centre).sum()) == pytest.approx(math.pi * radius**2, rel=0.03)
    assert float(paper.heatmaps(centre).sum()) == pytest.approx(2 * math.pi * 36, rel=1e-3)
    wide = replace(recipe, sigma=1.5 / 32, disc=5 / 32 * 1.225)
    small = torch.full((1, 1, 2), 16.0)
    assert float(wide.heatmaps(small).sum()) == pytest.approx(2 * math.pi * 1.5**2, rel=1e-3)
    assert float(wide.discs(small).sum()) == pytest.approx(math.pi * 25, rel=0.05)


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_the_untrained_detection_answers_with_the_share_of_discs(profile: str) -> None:
    """But for the paper's, which answers one half."""
    known = recipes.get("two-stage", profile).cascade
    small = replace(known, trunk="resnet18", width=16, head=16, size=128)
    with torch.inference_mode():
        answers = small.model().eval()(torch.rand(1, 3, 128, 128)).logits.sigmoid()
    share = 0.5 if known.zeros else float(small.discs(torch.full((1, 1, 2), 64.0)).mean())
    assert known.zeros == (profile == "gpu")
    torch.testing.assert_close(answers, torch.full_like(answers, share), atol=0, rtol=0.1)


@pytest.mark.parametrize(("name", "cost"), [("detection", 1.0), ("regression", 1.0), ("joint", 2.0)])
def test_an_answer_that_looks_at_nothing_costs_one(recipe: CascadeRecipe, name: str, cost: float) -> None:
    stage = _stage(recipe, name, recipe.model(1), nn.Identity())
    images, discs, heatmaps = stage.prepare(_batch(recipe), torch.Generator().manual_seed(0))
    blind = Parts(torch.full_like(discs, float(discs.mean().logit())), torch.zeros_like(heatmaps))
    assert float(stage.loss(_Says(blind), (images, discs, heatmaps))) == pytest.approx(cost, rel=1e-4)
    perfect = Parts(40 * discs - 20, heatmaps)
    assert float(stage.loss(_Says(perfect), (images, discs, heatmaps))) == pytest.approx(0, abs=1e-6)


class _Says(nn.Module):
    """Has its answer ready, whatever it sees."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.parts = parts

    def forward(self, images: Tensor) -> Parts:
        del images
        return self.parts


def _batch(recipe: CascadeRecipe) -> FaceSample:
    return FaceSample.stack(list(recipe.test_set()))


def test_perfect_maps_give_the_landmarks_back_in_the_pictures_pixels(recipe: CascadeRecipe) -> None:
    large = replace(recipe, size=128, disc=7 / 220, sigma=6 / 384)
    batch = _batch(recipe)
    points = large.cut(batch).landmarks[..., :2]
    heatmaps, logits = large.heatmaps(points), 40 * large.discs(points) - 20
    target = truth(recipe.test_set())[..., :2]
    with torch.inference_mode():
        exact = large.landmarks(_Says(Parts(logits, heatmaps)), batch)
        coarse = large.landmarks(_Says(Parts(logits, None)), batch)
        crop, discs, none = large.maps(_Says(Parts(logits, None)), batch)
    assert exact.shape == (16, 66, 2) and float(nme(exact, target).max()) < 1e-3
    apart = (coarse - target).norm(dim=2) * crop.affine.scale()[:, None]
    assert 0.05 < float(apart.mean()) < 0.2 and float(apart.max()) < 0.4  # pixels of the crop: discs have whole ones
    assert none is None and torch.equal(discs, logits.sigmoid())
    with pytest.raises(ValueError, match="read_maps: expected discs, heatmaps, or both"):
        read_maps(crop, None, None)


def test_the_labels_are_66_points_with_depths_about_zero(recipe: CascadeRecipe) -> None:
    faces = recipe.test_set()
    kept = [index for index in range(68) if index not in (60, 64)]  # no inner corners of the mouth
    labels, known = truth(faces), faces.landmarks[:, kept]
    assert torch.equal(labels[..., :2], known[..., :2])
    torch.testing.assert_close(labels[..., 2], known[..., 2] - known[..., 2].mean(1, keepdim=True))
    assert recipe.cut(_batch(recipe)).landmarks.shape == (16, 66, 3)


def test_a_set_is_gone_through_in_batches(recipe: CascadeRecipe) -> None:
    sizes: list[int] = []

    def boxes(batch: FaceSample) -> Tensor:
        sizes.append(len(batch.image))
        return batch.box

    assert torch.equal(over(recipe.test_set(), boxes, batch=6), _batch(recipe).box) and sizes == [6, 6, 4]


def test_yaw_limits_the_training_faces_alone(recipe: CascadeRecipe) -> None:
    frontal = replace(recipe, yaw=(-30.0, 30.0))
    train, test = (faces.poses[:, 1].rad2deg().abs() for faces in (frontal.training_set(), frontal.test_set()))
    assert float(train.max()) <= 30.001 and float(test.max()) > 60
