"""The runs of studies: trained once, refused when they are of something else, read in order."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from facelab.models.counting import parameters
from facelab.recipes import PROFILES, study_runs
from facelab.recipes.fan_studies import STUDIES, variants
from facelab.recipes.study_runs import Measured, Run, Studies, Study, Variant, by_yaw
from facelab.training import describe, load_weights

ONLY = ("1 stack", "depth, unguided")


pytestmark = pytest.mark.usefixtures("cached")


@dataclass(frozen=True)
class _Trained:
    folder: Path
    weights: Path
    study: Study
    said: list[str]


@pytest.fixture(scope="module")
def trained(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> _Trained:
    """Two variants with two seeds."""
    folder, said = tmp_path_factory.mktemp("runs"), list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACELAB_CACHE", str(cache))
        study = STUDIES.run_all("smoke", (1, 0), folder / "runs", ONLY, "cpu", said.append, folder / "weights")
    return _Trained(folder / "runs", folder / "weights", study, said)


def _copied(trained: _Trained, folder: Path) -> Path:
    for path in trained.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_each_run_is_a_file_with_its_provenance(trained: _Trained) -> None:
    names = [f"{slug}-{seed}" for slug in ("1-stack", "depth-unguided") for seed in (0, 1)]
    assert sorted(path.name for path in trained.folder.iterdir()) == [f"{name}.json" for name in names]
    there = variants("smoke")
    for run in trained.study.runs:
        assert run.recipe == json.loads(json.dumps(describe(there[run.variant].recipe)))
        assert run.parameters == parameters(there[run.variant].recipe.model()) and run.seconds > 0
        assert run.about["device"] == "cpu" and {"commit", "time", "processor", "versions"} <= run.about.keys()
    assert [(run.variant, run.seed) for run in trained.study.runs] == [(name, seed) for name in ONLY for seed in (0, 1)]
    assert len(trained.said) == 4 and trained.said[0].startswith("1 stack, seed 1: nme ")
    assert trained.said[3].startswith("depth, unguided, seed 0: gte ")


def test_weights_are_kept_where_they_are_asked_for_and_give_the_numbers_again(trained: _Trained) -> None:
    assert len(list(trained.weights.iterdir())) == 4
    variant = variants("smoke")["1 stack"]
    model = variant.recipe.model()
    load_weights(model, trained.weights / "1-stack-1.safetensors")
    measured = variant.measure(variant.recipe, model.eval())
    assert measured["plain"]["nme"] == pytest.approx(trained.study.values("1 stack", "plain", "nme")[1], abs=1e-5)


def test_what_is_there_is_not_trained_again(trained: _Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.folder.iterdir()}

    def refuse(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(study_runs, "_run", refuse)
    said: list[str] = []
    study = STUDIES.run_all("smoke", (0, 1), trained.folder, ONLY, "cpu", said.append)
    assert study.runs == trained.study.runs == STUDIES.read(trained.folder, "smoke").runs and not said
    assert {path: path.stat().st_mtime_ns for path in trained.folder.iterdir()} == before


@pytest.mark.parametrize("content", ["", '{"variant": "1 st', "{}", "[1]", "null"])
def test_a_damaged_file_is_refused_by_name(trained: _Trained, tmp_path: Path, content: str) -> None:
    folder = _copied(trained, tmp_path)
    (folder / "1-stack-0.json").write_text(content)
    message = "1-stack-0.json: expected a run of FAN's studies: .*; move it away to train anew"
    with pytest.raises(ValueError, match=message):
        STUDIES.read(folder, "smoke")
    with pytest.raises(ValueError, match=message):
        STUDIES.run_all("smoke", (0, 1), folder, ONLY, "cpu")


def test_a_run_of_another_recipe_is_refused_by_name(trained: _Trained, tmp_path: Path) -> None:
    folder = _copied(trained, tmp_path)
    path = folder / "depth-unguided-1.json"
    told = json.loads(path.read_text())
    told["recipe"]["training"]["epochs"] += 1
    path.write_text(json.dumps(told))
    message = "depth-unguided-1.json: is of another recipe than 'depth, unguided' is now; move it away to train anew"
    with pytest.raises(ValueError, match=message):
        STUDIES.read(folder, "smoke")
    with pytest.raises(ValueError, match=message):
        STUDIES.run_all("smoke", (0, 1), folder, ONLY, "cpu")
    path.write_text(json.dumps(told | {"variant": "5 stacks"}))
    with pytest.raises(ValueError, match="holds '5 stacks', seed 1; expected 5-stacks-1.json"):
        STUDIES.read(folder, "smoke")
    path.rename(renamed := folder / "5-stacks-1.json")
    with pytest.raises(ValueError, match="another recipe than '5 stacks' is now"):
        STUDIES.read(folder, "smoke")
    renamed.unlink()
    with pytest.raises(ValueError, match="1-stack-0.json: is of another recipe than '1 stack' is now"):
        STUDIES.read(folder, "cpu")


def test_an_unknown_variant_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="variant '5 stacks': expected one of 4 stacks, 1 stack, "):
        STUDIES.run_all("smoke", (0,), tmp_path / "runs", ("1 stack", "5 stacks"), "cpu")
    assert not (tmp_path / "runs").exists()


@dataclass(frozen=True)
class _Instant:
    """A recipe that needs no time."""

    def training_set(self, seed: int) -> None: ...

    def train(self, seed: int, device: torch.device) -> tuple[nn.Module, list[dict[str, float]]]:
        return nn.Linear(seed + 1, 1), [{"epoch": 1, "seconds": 700.0, "loss": 0.0000123456789}]


def _first_weight(recipe: Any, model: nn.Module) -> Measured:
    return {"plain": {"nme": next(model.parameters())[0, 0].item()}}


@dataclass(frozen=True)
class _GoesOn(_Instant):
    """A recipe that trains what it is given for one more epoch."""

    def train(  # type: ignore[override]
        self, seed: int, device: torch.device, *, start: tuple[float, float]
    ) -> tuple[nn.Module, list[dict[str, float]]]:
        weight, seconds = start
        network = nn.Linear(1, 1)
        nn.init.constant_(network.weight, 2 * weight)
        return network, [{"epoch": 1, "seconds": seconds}, {"epoch": 2, "seconds": 30.25}]


def _of(variant: Variant) -> Studies:
    return Studies("made-up", "Somebody", lambda _: {"the one": variant})


def test_the_history_is_kept_and_seconds_are_those_on_the_clock(tmp_path: Path) -> None:
    studies = _of(Variant(_Instant(), _first_weight, "starts from nothing"))
    (run,) = studies.run_all("smoke", [0], tmp_path, device="cpu", say=lambda _: None).runs
    assert run.history == [{"epoch": 1, "seconds": 700.0, "loss": 0.0000123457}] and run.seconds < 10
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text())["history"] == run.history


def test_a_training_goes_on_from_its_start(tmp_path: Path) -> None:
    """It is given what its own seed and device start from, and its seconds are those of the whole history."""
    asked: list[tuple[int, torch.device]] = []

    def start(seed: int, device: torch.device) -> tuple[float, float]:
        asked.append((seed, device))
        return seed / 4, 100.0 + seed

    studies = _of(Variant(_GoesOn(), _first_weight, "starts from another", start))
    study = studies.run_all("smoke", [1, 2], tmp_path, device="cpu", say=lambda _: None)
    assert asked == [(1, torch.device("cpu")), (2, torch.device("cpu"))]
    assert study.values("the one", "plain", "nme") == (0.5, 1.0)
    assert [[entry["seconds"] for entry in run.history] for run in study.runs] == [[101.0, 30.25], [102.0, 30.25]]
    assert [run.seconds for run in study.runs] == pytest.approx([131.25, 132.25], abs=0.051)


def test_a_run_without_a_history_is_still_read(trained: _Trained, tmp_path: Path) -> None:
    for path in _copied(trained, tmp_path).iterdir():
        told = json.loads(path.read_text())
        assert [entry["epoch"] for entry in told.pop("history")] == [1]
        path.write_text(json.dumps(told))
    study = STUDIES.read(tmp_path, "smoke")
    assert study.runs == tuple(replace(run, history=[]) for run in trained.study.runs)


@pytest.mark.parametrize(
    ("plain", "told"),
    [
        ({"auc": 0.9, "gte_xyz": 0.0512, "gte_xy": 0.04}, "the one, seed 0: gte_xyz 5.12 %, 0 s"),
        ({"gte_xy": 0.04, "gte_xyz": 0.0512}, "the one, seed 0: gte_xy 4.00 %, 0 s"),
        ({"gte 0-30": 0.01, "gte": 0.02}, "the one, seed 0: gte 2.00 %, 0 s"),
        ({"auc": 0.9}, "the one, seed 0: 0 s"),
    ],
)
def test_the_first_error_is_told(tmp_path: Path, plain: dict[str, float], told: str) -> None:
    said: list[str] = []
    variant = Variant(_Instant(), lambda recipe, model: {"plain": plain}, "of many numbers")
    _of(variant).run_all("smoke", [0], tmp_path, device="cpu", say=said.append)
    assert said == [told]


def test_messages_and_folders_are_of_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELAB_BOOK", str(tmp_path))
    (tmp_path / "data").mkdir()
    studies = _of(Variant(_Instant(), _first_weight, "never trained"))
    folder = studies.folder("quick")
    assert folder == tmp_path / "data" / "results" / "quick" / "made-up-runs"
    folder.mkdir(parents=True)
    (folder / "the-one-0.json").write_text(json.dumps(asdict(_run("the one", 0, 0.1)) | {"measured": {"mirrored": {}}}))
    with pytest.raises(ValueError, match="expected a run of Somebody's studies: no measurement 'plain' in it"):
        studies.recorded("quick")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_variant_has_a_file_of_its_own(profile: str, tmp_path: Path) -> None:
    instant = {
        name: Variant(_Instant(), lambda recipe, model: {"plain": {"nme": parameters(model) / 100}}, name)
        for name in variants(profile)
    }
    said: list[str] = []
    study = Studies("made-up", "Somebody", lambda _: instant).run_all(
        profile, range(2), tmp_path, device="cpu", say=said.append
    )
    assert len(list(tmp_path.iterdir())) == 2 * len(instant) == len(study.runs) == len(said)
    assert all(study.values(name, "plain", "nme") == (0.02, 0.03) for name in instant)


def test_numbers_of_all_faces_and_by_yaw() -> None:
    errors, yaw = torch.tensor([0.1, 0.3, 0.5, 0.9]), torch.tensor([0.0, -30.0, 45.0, -170.0])
    means = by_yaw("nme", errors, yaw)
    assert list(means) == ["nme", "nme 0-30", "nme 30-60", "nme 60-90"]
    assert list(means.values()) == pytest.approx([0.45, 0.2, 0.5, 0.9])
    highest = by_yaw("most", errors, yaw, lambda each: float(each.max()))
    assert list(highest.values()) == pytest.approx([0.9, 0.3, 0.5, 0.9]) and list(highest)[1] == "most 0-30"


# ---------------------------------------------------------------------------------------------- seeds of their own

OWN = (100, 1)  # of one variant, whatever seeds the others are trained with


def _seed_told(recipe: Any, model: nn.Module) -> Measured:
    return {"plain": {"nme": (parameters(model) - 2) / 100}}  # an instant network has seed + 2 weights


def _mixed() -> Studies:
    plain = Variant(_Instant(), _seed_told, "trained with the seeds that are asked for")
    there = {"plain": plain, "own": replace(plain, seeds=OWN), "another": plain}
    return Studies("made-up", "Somebody", lambda _: there)


def _trained_with(study: Study) -> dict[str, list[int]]:
    return {run.variant: [each.seed for each in study.of(run.variant)] for run in study.runs}


def test_a_variant_knows_its_seeds() -> None:
    variant = Variant(_Instant(), _first_weight, "of many seeds")
    assert variant.trained_with(range(3)) == (0, 1, 2) and variant.trained_with([4]) == (4,)
    assert replace(variant, seeds=OWN).trained_with(range(3)) == OWN


def test_a_variant_with_seeds_of_its_own_is_trained_with_these_alone(tmp_path: Path) -> None:
    said: list[str] = []
    study = _mixed().run_all("smoke", range(2), tmp_path, device="cpu", say=said.append)
    assert _trained_with(study) == {"another": [0, 1], "own": [1, 100], "plain": [0, 1]}
    assert study.values("own", "plain", "nme") == (0.01, 1.0)
    # Seed by seed, so that a study that is broken off has all variants with the first seeds.
    order = [line.split(":")[0] for line in said]
    assert order == [
        "plain, seed 0", "another, seed 0", "plain, seed 1", "own, seed 1", "another, seed 1", "own, seed 100",
    ]  # fmt: skip
    again = _mixed().run_all("smoke", [0], tmp_path, device="cpu", say=said.append)
    assert _trained_with(again) == {"another": [0], "own": [1, 100], "plain": [0]} and len(said) == 6
    only = _mixed().run_all("smoke", [5], tmp_path, ["own"], "cpu", said.append)
    assert _trained_with(only) == {"own": [1, 100]} and len(said) == 6


def test_shared_seeds_are_those_of_the_variants_without_their_own() -> None:
    studies, others = _mixed(), [_run(name, seed, 0.1) for name in ("plain", "another") for seed in (0, 1, 2)]
    own = [_run("own", seed, 0.1) for seed in OWN]
    assert studies.seeds(Study([*others, *own]), "smoke") == (0, 1, 2)
    assert studies.seeds(Study([*others, *own, _run("plain", 7, 0.1)]), "smoke") == (0, 1, 2)
    every = [_run("own", seed, 0.1) for seed in (0, 2)]  # more than its own count for nothing
    assert studies.seeds(Study([*others, *own, *every]), "smoke") == (0, 1, 2)


def test_what_is_missing_is_listed_variant_by_variant() -> None:
    studies, runs = _mixed(), [_run("plain", 0, 0.1), _run("own", 1, 0.1), _run("another", 5, 0.1)]
    assert studies.missing(Study(runs), "smoke", (0, 2)) == [("plain", 2), ("own", 100), ("another", 0), ("another", 2)]
    whole = [_run(name, 0, 0.1) for name in ("plain", "another")] + [_run("own", seed, 0.1) for seed in OWN]
    assert studies.missing(Study(whole), "smoke", (0,)) == []
    assert studies.missing(Study(whole), "smoke", (0, 1)) == [("plain", 1), ("another", 1)]


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        (("own", 100), "Somebody: there is no run of 'own' with seed 100"),
        (("own", 1), "Somebody: there is no run of 'own' with seed 1$"),
        (("plain", 0), "Somebody: there is no run of 'plain' with seed 0"),
    ],
)
def test_a_study_that_is_not_whole_is_told(left_out: tuple[str, int], message: str) -> None:
    wanted = [("plain", 0), ("another", 0), *(("own", seed) for seed in OWN)]
    runs = [_run(name, seed, 0.1) for name, seed in wanted if (name, seed) != left_out]
    with pytest.raises(ValueError, match=message):
        _mixed().seeds(Study(runs), "smoke")


# ----------------------------------------------------------------------------------------------------------- Study


def _run(variant: str, seed: int, nme: float) -> Run:
    return Run(variant, seed, 1.0, 2, {}, {}, {"plain": {"nme": nme}, "mirrored": {"nme": nme / 2}})


STUDY = Study([_run("b", 2, 0.3), _run("a", 1, 0.2), _run("b", 10, 0.4), _run("b", 1, 0.1)])


def test_values_stand_in_the_order_of_the_seeds() -> None:
    assert STUDY.values("b", "plain", "nme") == (0.1, 0.3, 0.4)
    assert STUDY.values("b", "mirrored", "nme") == (0.05, 0.15, 0.2)
    assert [run.seed for run in STUDY.of("b")] == [1, 2, 10] and [run.variant for run in STUDY.runs] == list("abbb")
    assert STUDY.seeds() == (1,) and Study([]).seeds() == ()
    assert Study([_run("a", 3, 0.1), _run("a", 0, 0.1)]).seeds() == (0, 3)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("c", "plain", "nme"), "variant 'c': expected one of a, b"),
        (("b", "turned", "nme"), "measurement 'turned': expected one of plain, mirrored"),
        (("b", "plain", "auc"), "number 'auc': expected one of nme"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(place: tuple[str, str, str], message: str) -> None:
    with pytest.raises(KeyError) as told:
        STUDY.values(*place)
    assert told.value.args == (message,)


def test_runs_of_a_profile_or_those_of_the_reference(
    trained: _Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACELAB_BOOK", str(tmp_path))
    (tmp_path / "data").mkdir()
    assert STUDIES.folder("smoke") == tmp_path / "data" / "results" / "smoke" / "fan-runs"
    STUDIES.folder("cpu").mkdir(parents=True)
    cpu = json.loads(json.dumps(describe(variants("cpu")["1 stack"].recipe)))
    reference = replace(trained.study.runs[0], recipe=cpu)
    (STUDIES.folder("cpu") / "1-stack-0.json").write_text(json.dumps(asdict(reference)))
    name, study = STUDIES.recorded("smoke")
    assert name == "cpu" and study.runs == (reference,)
    STUDIES.folder("smoke").mkdir(parents=True)
    _copied(trained, STUDIES.folder("smoke"))
    name, study = STUDIES.recorded("smoke")
    assert name == "smoke" and study.runs == trained.study.runs
