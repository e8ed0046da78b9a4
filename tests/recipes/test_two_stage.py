"""The whole method: trainings in their order, what the depth network is given, landmarks in three dimensions."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file
from torch import Tensor, nn

from facelab import recipes
from facelab.cli import cli
from facelab.data import Augmentation, FaceSample
from facelab.markups import markup
from facelab.metrics import gte, nme
from facelab.models import PartCascade
from facelab.models.two_stage import Parts
from facelab.recipes.part_cascade import truth
from facelab.recipes.runs import errors_on, markup_of
from facelab.recipes.runs import trained as read_run
from facelab.recipes.two_stage import AXES, TwoStageRecipe, _Depth, gte_by_axis
from facelab.training import Fitted, load_weights

pytestmark = pytest.mark.usefixtures("cached")


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def recipe() -> TwoStageRecipe:
    return recipes.get("two-stage", "smoke")


@pytest.fixture(scope="module")
def run(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all four trainings, as the command line leaves it."""
    folder = tmp_path_factory.mktemp("two-stage") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACELAB_CACHE", str(cache))
        patch.setenv("OMP_NUM_THREADS", "1")
        done = _run("train", "two-stage", "--profile", "smoke", "--seed", "1", "--output", folder, "--quiet",
                    "--device", "cpu")  # fmt: skip
    assert done.exit_code == 0, done.output
    told = done.output.splitlines()
    assert [line.split("loss")[0].split() for line in told[:4]] == [
        ["epoch", "1", "training", str(number)] for number in (1, 2, 3, 4)
    ]
    assert told[4:] == [str(folder / "model.safetensors")]
    return folder


def _weights(path: Path) -> dict[str, Tensor]:
    return load_file(path / "model.safetensors")


def _equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def _history(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def _batch(recipe: TwoStageRecipe) -> FaceSample:
    faces = recipe.test_set()
    return FaceSample.stack([faces[index] for index in range(len(faces))])


# ------------------------------------------------------------------------------------------------------- trainings


def test_depth_is_trained_last(recipe: TwoStageRecipe, run: Path) -> None:
    assert list(recipe.trainings) == ["detection", "regression", "joint", "depth"]
    there = {str(path.parent.relative_to(run)) for path in run.rglob("model.safetensors")}
    assert there == {".", "cascade", "depth", *(f"cascade/{name}" for name in recipe.cascade.trainings)}
    entries = _history(run)
    assert [entry["training"] for entry in entries] == [1, 2, 3, 4]
    assert ["gte_xyz" in entry for entry in entries] == [False, False, False, True]
    assert _history(run / "cascade") == entries[:3] and entries[3]["nme"] == pytest.approx(entries[2]["nme"])


def test_the_cascade_does_not_change_while_the_depth_network_learns(recipe: TwoStageRecipe, run: Path) -> None:
    whole = _weights(run)
    cascade = {key.removeprefix("cascade."): value for key, value in whole.items() if key.startswith("cascade.")}
    assert _equal(cascade, _weights(run / "cascade"))  # running means, too
    depth = {key.removeprefix("depth."): value for key, value in whole.items() if key.startswith("depth.")}
    assert _equal(depth, _weights(run / "depth")) and len(depth) + len(cascade) == len(whole)
    start = recipe.depth_network(1).state_dict()
    assert not any(torch.equal(start[key], depth[key]) for key in ("depths.weight", "stem.1.running_mean"))


def test_a_cascade_that_is_there_need_not_be_trained_again(recipe: TwoStageRecipe, run: Path) -> None:
    """And the same seed gives the same bits."""
    cascade = recipe.cascade.model()
    load_weights(cascade, run / "cascade" / "model.safetensors")
    before = _history(run / "cascade")
    model, history = recipe.train(seed=1, start=Fitted(cascade.eval(), before))
    assert _equal(model.state_dict(), _weights(run)) and not model.training
    assert history[:3] == before and [entry["training"] for entry in history] == [1, 2, 3, 4]


def test_an_interrupted_run_goes_on(recipe: TwoStageRecipe, run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run", copy_function=os.link)  # hundreds of megabytes
    shutil.rmtree(folder / "depth")
    (folder / "model.safetensors").unlink()
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("checkpoint-*.pt")}
    notes = {"recipe": "two-stage", "profile": "smoke", "settings": {}}
    model, _ = recipe.train(seed=1, output=folder, notes=notes)
    assert _equal(model.state_dict(), _weights(run)) and _equal(_weights(folder), _weights(run))
    assert written and {path: path.stat().st_mtime_ns for path in written} == written
    assert _history(folder / "cascade") == _history(run / "cascade")
    with pytest.raises(ValueError, match="holds a run with fields.sees = both, this one has maps; give another folder"):
        replace(recipe, sees="maps").train(seed=1, output=folder, notes=notes)


def test_a_run_is_read_and_scored(recipe: TwoStageRecipe, run: Path) -> None:
    again, model = read_run(run)
    assert again == recipe and markup_of(again) == "66"
    faces = recipe.test_set()
    points, errors = recipe.evaluate(model, faces)
    torch.testing.assert_close(errors_on(recipe, model, faces), errors, atol=1e-4, rtol=1e-3)
    entry = _history(run)[3]
    assert float(errors.mean()) == pytest.approx(entry["nme"], rel=1e-4)
    assert float(gte(points, truth(faces)).mean()) == pytest.approx(entry["gte_xyz"], rel=1e-4)
    scored = _run("evaluate", run)
    assert scored.exit_code == 0 and f"mean {100 * entry['nme']:.2f}  median" in scored.output


def test_a_network_that_is_given_landmarks_is_not_scored() -> None:
    with pytest.raises(ValueError, match="FanDepthRecipe: expected a network that finds landmarks in a picture"):
        markup_of(recipes.get("fan-depth", "smoke"))


def test_the_trainings_are_listed() -> None:
    listed = _run("recipes").output.split("two-stage\n")[1].splitlines()
    assert listed[0] == "  smoke      32 faces,   1 epochs, batch 8  detection"
    assert listed[15] == "  gpu     13672 faces, 100 epochs, batch 16  depth"
    fields = _run("recipes", "two-stage", "--profile", "smoke").output.splitlines()
    assert "maps = mixed" in fields and "cascade.joint.epochs = 1" in fields


# ------------------------------------------------------------------------------------- what the depth network is given


class _Depths(nn.Module):
    """Gives depths, whatever it sees, and keeps what it saw."""

    def __init__(self, depths: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.depths = depths
        self.seen: list[Tensor] = []

    def forward(self, guided: Tensor) -> Tensor:
        self.seen.append(guided)
        return self.depths


class _Draws(PartCascade):
    """Draws the same heatmaps, whatever it sees."""

    def __init__(self, heatmaps: Tensor) -> None:
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.zeros(1))
        self.frozen, self.detection, self.drawn = False, None, heatmaps

    def forward(self, images: Tensor) -> Parts:
        del images
        return Parts(None, self.drawn)


def _still(recipe: TwoStageRecipe, **changes: str) -> TwoStageRecipe:
    return replace(recipe, cascade=replace(recipe.cascade, augmentation=Augmentation()), **changes)


@pytest.mark.parametrize("sees", ["both", "picture", "maps", "another"])
def test_what_is_not_seen_is_zero(recipe: TwoStageRecipe, sees: str) -> None:
    """The same while it is trained and when it is used."""
    blinkered, batch = _still(recipe, sees=sees, maps="predicted"), _batch(recipe)
    crop, heatmaps = recipe.cascade.cut(batch), torch.rand(16, 66, 32, 32)
    network = _Depths(torch.zeros(16, 66))
    blinkered.depths(network, crop.image, heatmaps)
    trained, _ = _Depth(blinkered, _Draws(heatmaps)).prepare(batch, torch.Generator())
    maps = heatmaps[torch.arange(-1, 15)] if sees == "another" else heatmaps
    for seen in (network.seen[0], trained):
        torch.testing.assert_close(seen[:, :3], crop.image * (sees != "maps"), atol=1e-4, rtol=0)
        if sees == "picture":
            assert not seen[:, 3:].any()
        else:
            assert torch.equal(seen[:, 3:], maps)


def _maps_of(recipe: TwoStageRecipe, seed: int = 0) -> Tensor:
    """The first map of each face that a depth network learns from; the cascade's are 2 everywhere."""
    cascade = _Draws(torch.full((16, 66, 32, 32), 2.0))
    given, target = _Depth(recipe, cascade).prepare(_batch(recipe), torch.Generator().manual_seed(seed))
    torch.testing.assert_close(target, truth(recipe.test_set())[..., 2] * _scale(recipe), atol=1e-3, rtol=1e-3)
    return given[:, 3]


def _scale(recipe: TwoStageRecipe) -> Tensor:
    return recipe.cascade.cut(_batch(recipe)).affine.scale()[:, None]


def test_heatmaps_of_the_labels_or_the_cascade(recipe: TwoStageRecipe) -> None:
    drawn = recipe.cascade.heatmaps(recipe.cascade.cut(_batch(recipe)).landmarks[..., :2])[:, 0]
    torch.testing.assert_close(_maps_of(_still(recipe, maps="true")), drawn, atol=1e-3, rtol=0)
    assert bool((_maps_of(_still(recipe, maps="predicted")) == 2).all())


def test_mixed_heatmaps_are_either_for_each_face(recipe: TwoStageRecipe) -> None:
    """Whose they are is the generator's choice, and never changes within a face."""
    mixed, drawn = _still(recipe), _maps_of(_still(recipe, maps="true"))
    choices = []
    for seed in range(8):
        maps = _maps_of(mixed, seed)
        of_cascade = (maps == 2).all(2).all(1)
        torch.testing.assert_close(maps[~of_cascade], drawn[~of_cascade], atol=1e-3, rtol=0)
        choices.append(of_cascade)
    assert 0.35 < float(torch.stack(choices).float().mean()) < 0.65  # 128 faces: three and a half deviations
    assert torch.equal(_maps_of(mixed, 3), _maps_of(mixed, 3)) and not torch.equal(choices[0], choices[1])


def test_an_error_of_a_whole_face_costs_one(recipe: TwoStageRecipe) -> None:
    depths = torch.randn(4, 66)
    loss = _Depth(recipe, _Draws(torch.zeros(1))).loss(
        _Depths(depths + recipe.cascade.face_side), (torch.zeros(4, 69, 2, 2), depths)
    )
    assert float(loss) == pytest.approx(1, rel=1e-4)


# ------------------------------------------------------------------------------------------------------- landmarks


class _Perfect(nn.Module):
    """Heatmaps and depths of the labels; for mirrored pictures those mirrored, and ``off`` by some pixels of a crop."""

    def __init__(self, recipe: TwoStageRecipe, off: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
        super().__init__()
        crop = recipe.cascade.cut(_batch(recipe))
        self.upright, points = crop.image, crop.landmarks
        back = points[:, torch.tensor(markup("66").mirror)] + torch.tensor(off)
        back[..., 0] = recipe.cascade.size - 1 - back[..., 0]
        self.answers = [(recipe.cascade.heatmaps(each[..., :2].contiguous()), each[..., 2]) for each in (points, back)]
        self.cascade, self.depth = _Answers(self, 0), _Answers(self, 1)


class _Answers(nn.Module):
    def __init__(self, whole: _Perfect, which: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.whole, self.which = [whole], which  # in a list: it is not a part of this one

    def forward(self, seen: Tensor) -> Parts | Tensor:
        whole = self.whole[0]
        mirrored = not torch.allclose(seen[:, :3], whole.upright, atol=1e-3)
        if mirrored:
            torch.testing.assert_close(seen[:, :3], whole.upright.flip(3), atol=2e-3, rtol=0)
        answer = whole.answers[mirrored][self.which]
        return answer + 7 if self.which else Parts(None, answer)  # how far away the face is does not count


def _large(recipe: TwoStageRecipe) -> TwoStageRecipe:
    return replace(recipe, cascade=replace(recipe.cascade, size=128, sigma=6 / 384))


@pytest.mark.parametrize("mirror", [False, True])
def test_perfect_networks_give_the_labels_back(recipe: TwoStageRecipe, mirror: bool) -> None:
    large = _large(recipe)
    assert float(_scale(large).min()) > 3  # pixels of the crop are not those of the picture
    found = large.landmarks(_Perfect(large), _batch(large), mirror)
    torch.testing.assert_close(found, truth(large.test_set()), atol=0.02, rtol=0)
    assert float(found[..., 2].mean(1).abs().max()) < 1e-4


def test_the_mirrored_picture_counts_by_half(recipe: TwoStageRecipe) -> None:
    large = _large(recipe)
    model, faces = _Perfect(large, off=(4.0, 2.0, 0.0)), large.test_set()
    model.answers[1][1][:, 0] += 66.0  # the depth of the mirrored picture's first landmark: 65 above all others
    apart = (large.landmarks(model, _batch(large), mirror=True) - truth(faces)) * _scale(large)[..., None]
    torch.testing.assert_close(apart[..., 0], torch.full((16, 66), 2.0), atol=0.05, rtol=0)
    torch.testing.assert_close(apart[..., 1], torch.full((16, 66), 1.0), atol=0.05, rtol=0)
    expected = torch.full((16, 66), -0.5)
    expected[:, markup("66").mirror[0]] = 32.5
    torch.testing.assert_close(apart[..., 2], expected, atol=0.01, rtol=0)
    points, errors = large.evaluate(model, faces, mirror=True)
    torch.testing.assert_close(errors, nme(points[..., :2], truth(faces)[..., :2], "bbox"))
    part = large.measure(_whole(large), slice(3, 9))
    assert part.keys() == {"nme", "gte_xyz"} and all(len(each) == 6 for each in part.values())


def _whole(recipe: TwoStageRecipe) -> nn.Module:
    return recipe.model(1).eval()


def test_errors_by_axis_are_those_of_the_metric(recipe: TwoStageRecipe) -> None:
    target = truth(recipe.test_set())
    moved = target + torch.tensor([3.0, 4.0, 12.0])
    eyes = (target[:, 36] - target[:, 45]).double().norm(dim=1)
    found = gte_by_axis(moved, target)
    assert tuple(found) == AXES == ("xy", "xyz", "x", "y", "z")
    for axes, length in zip(AXES, (5, 13, 3, 4, 12), strict=True):
        torch.testing.assert_close(found[axes], length / eyes, atol=1e-5, rtol=1e-5)
        assert torch.equal(found[axes], gte(moved, target, axes))


# -------------------------------------------------------------------------------------------------------- settings


def test_settings_out_of_range_are_refused(recipe: TwoStageRecipe) -> None:
    with pytest.raises(ValueError, match="sees: expected one of both, picture, maps, another, got 'nothing'"):
        replace(recipe, sees="nothing")
    with pytest.raises(ValueError, match="maps: expected one of mixed, true, predicted, got 'false'"):
        replace(recipe, maps="false")
    with pytest.raises(ValueError, match="cascade: expected a training of the regression"):
        replace(recipe, cascade=replace(recipe.cascade, regression=None, joint=None))


def test_the_gpu_profile_is_the_papers() -> None:
    recipe = recipes.get("two-stage", "gpu")
    rates = {
        name: [plan.optimizer.learning_rate * plan.schedule(share) for share in (0.0, 1.0)]
        for name, plan in recipe.trainings.items()
    }
    assert rates["detection"] == pytest.approx([1e-3, 2.5e-5])
    assert rates["regression"] == pytest.approx([1e-4, 2.5e-5]) == rates["joint"]
    assert rates["depth"] == pytest.approx([1e-2, 2.5e-4])
    assert [plan.epochs for plan in recipe.trainings.values()] == [30, 30, 30, 100]
    assert [plan.batch for plan in recipe.trainings.values()] == [8, 8, 8, 16]
    assert (recipe.cascade.trunk, recipe.cascade.size, recipe.cascade.faces) == ("resnet152", 384, 13_672)
    assert (recipe.blocks, recipe.width, recipe.sees, recipe.maps) == ((3, 24, 36, 3), 64, "both", "mixed")
