"""``bench`` of a paper's studies as a stranger calls it: runs in files, results once all runs are there."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from facelab.cli import cli
from facelab.ledger import results
from facelab.ledger.experiments_anisotropic import anisotropic_experiments, spread_experiments
from facelab.ledger.experiments_cln import cln_experiments
from facelab.ledger.experiments_fan import fan_experiments
from facelab.ledger.experiments_tddfa import tddfa_experiments
from facelab.ledger.experiments_two_stage import two_stage_experiments
from facelab.ledger.results import Quantity
from facelab.recipes import (
    anisotropic_studies,
    cln_studies,
    fan_studies,
    study_runs,
    tddfa_studies,
    two_stage_studies,
)
from facelab.recipes.anisotropic_studies import GROUP, TUNING_SEED
from facelab.recipes.fan_studies import DECODER, LOST, LOST_SIDE, NOISES
from facelab.recipes.study_runs import Run, Studies, Study, Variant
from facelab.training import describe


@dataclass(frozen=True)
class _Paper:
    """What sets the command of a paper apart.

    Attributes:
        title: in messages. experiments: from a study and its seeds to what is written. one: of them.
        kinds, numbers: of the measurements that the results are made from. history: of a made-up run.
        quick: a variant that is trained in a moment, the stem of its files, and what its run must be.
        seeds: what is trained if nothing is said.
    """

    studies: Studies
    title: str
    experiments: Callable[[Study, Sequence[int]], Mapping[str, Mapping[str, Quantity]]]
    one: str
    kinds: tuple[str, ...]
    numbers: tuple[str, ...]
    history: tuple[dict[str, Any], ...]
    quick: tuple[str, str, Callable[[Run], bool]]
    seeds: int = 3

    @property
    def smoke(self) -> tuple[str, ...]:
        return "bench", self.studies.name, "--profile", "smoke", "--device", "cpu"

    @property
    def variants(self) -> dict[str, Variant]:
        return self.studies.variants("smoke")

    def run(self, name: str, variant: Variant, seed: int, device: str, weights: Path | None) -> Run:
        """Made up in no time, with every number that the results are made from."""
        del weights
        measured = {
            kind: {number: (i + 2 * j + 3 + seed) / 40 for j, number in enumerate(self.numbers)}
            for i, kind in enumerate(self.kinds)
        }
        recipe = json.loads(json.dumps(describe(variant.recipe)))
        return Run(name, seed, 2.0, 1, recipe, {"device": device}, measured, list(self.history))


def _only_regression(run: Run) -> bool:
    """And an error after every epoch of its history."""
    told = [entry["training"] for entry in run.history] == [1, 1, 1] and all("nme" in entry for entry in run.history)
    return run.recipe["detection"] is None and told


FAN = _Paper(
    fan_studies.STUDIES,
    "FAN",
    lambda study, _: fan_experiments(study),
    "fan-pose",
    (
        "plain",
        f"both {max(NOISES)}",
        f"shift {LOST}",
        "side 30",
        f"side {LOST_SIDE}",
        *(f"stack {stack}, {DECODER}" for stack in (1, 2, 3, 4)),
    ),
    ("nme", "auc", "auc 0-30", "auc 60-90"),
    (),
    ("2 stacks", "2-stacks", lambda run: run.recipe["stacks"] == 2),
)
TWO_STAGE = _Paper(
    two_stage_studies.STUDIES,
    "the two-stage method",
    lambda study, _: two_stage_experiments(study),
    "two-stage-depth",
    ("plain", "mean face", "detection", "another's detection"),
    ("nme", "gte_x", "gte_y", "gte_z", "gte_xyz 0-30", "gte_xyz 60-90"),
    tuple({"training": float(part), "nme": 0.1 / part} for part in (1, 2, 3)),
    ("regression only", "regression-only", _only_regression),
)
ANISOTROPIC = _Paper(
    anisotropic_studies.STUDIES,
    "the anisotropic loss",
    lambda study, seeds: anisotropic_experiments(study, seeds) | spread_experiments(study),
    "anisotropic-losses",
    ("plain",),
    ("nme", "corners", "curves", "across", "along"),
    ({"nme": 0.1},),
    ("wing", "wing", lambda run: run.recipe["criterion"] == "wing" and "nme" in run.history[0]),
    seeds=5,
)
TDDFA = _Paper(
    tddfa_studies.STUDIES,
    "3DDFA_V2",
    tddfa_experiments,
    "tddfa-optimisation",
    ("plain",),
    ("nme", "nme mean of bins", "stability", "bending", "bending of the truth"),
    ({"nme": 0.1, "kept": [0, 1, 1]},),
    ("fWPDC", "fwpdc", lambda run: run.recipe["optimisation"] == "fwpdc" and "nme" in run.history[0]),
)
CLN = _Paper(
    cln_studies.STUDIES,
    "CLN",
    cln_experiments,
    "cln-modules",
    ("plain",),
    ("nme", "nme mean of bins", "nme 3d axes mean of bins"),
    ({"nme": 0.1},),
    ("one network", "one-network", lambda run: run.recipe["wing_weight"] == 0 and "nme" in run.history[-1]),
    seeds=5,
)


@pytest.fixture(params=[FAN, TWO_STAGE, ANISOTROPIC, TDDFA, CLN], ids=lambda paper: paper.studies.name)
def paper(request: pytest.FixtureRequest) -> _Paper:
    found: _Paper = request.param
    return found


@pytest.fixture
def made_up(paper: _Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained."""
    monkeypatch.setattr(study_runs, "_run", paper.run)


@pytest.fixture(autouse=True)
def book(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the book without a result; returns its ``data/``."""
    monkeypatch.setenv("FACELAB_CACHE", str(cache))
    monkeypatch.setenv("FACELAB_BOOK", str(tmp_path / "book"))
    (tmp_path / "book" / "data").mkdir(parents=True)
    return tmp_path / "book" / "data"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def _only(names: list[str]) -> Iterator[str]:
    for name in names:
        yield from ("--only", name)


# ------------------------------------------------------------------------------------------------------------- runs


def test_one_variant_is_trained_once_and_kept(paper: _Paper, book: Path, tmp_path: Path) -> None:
    """Of a real run."""
    variant, stem, is_right = paper.quick
    asked = (*paper.smoke, "--seeds", "1", "--only", variant, "--output", tmp_path / "runs")
    first = _run(*asked, "--weights", tmp_path / "weights")
    assert first.exit_code == 0, first.output
    assert first.output.startswith(f"{variant}, seed 0: nme ") and first.output.count("\n") == 1
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [f"{stem}-0.json"]
    assert [path.name for path in (tmp_path / "weights").iterdir()] == [f"{stem}-0.safetensors"]
    (run,) = paper.studies.read(tmp_path / "runs", "smoke").runs
    assert is_right(run) and run.about["device"] == "cpu"
    assert _run(*asked).output == "" and not any(book.iterdir())


def test_runs_go_to_the_book_and_are_no_results_before_all_are_there(book: Path) -> None:
    done = _run(*FAN.smoke, "--seeds", "1", *_only(["bottleneck", "depth, unguided"]))
    assert done.exit_code == 0 and "bottleneck, seed 0: nme " in done.output
    assert "depth, unguided, seed 0: gte " in done.output
    there = sorted(path.relative_to(book) for path in book.rglob("*.json"))
    assert [str(path) for path in there] == [
        f"results/smoke/fan-runs/{name}-0.json" for name in ("bottleneck", "depth-unguided")
    ]


@pytest.mark.usefixtures("made_up")
def test_runs_elsewhere_are_no_results_of_the_book(paper: _Paper, book: Path, tmp_path: Path) -> None:
    done = _run(*paper.smoke, "--seeds", "1", "--output", tmp_path / "runs")
    assert done.exit_code == 0 and not any(book.iterdir())
    assert len(list((tmp_path / "runs").iterdir())) == len(paper.variants) == done.output.count("\n")


# ---------------------------------------------------------------------------------------------------------- results


@pytest.mark.usefixtures("made_up")
def test_results_are_written_once_every_run_is_there(paper: _Paper, book: Path) -> None:
    name, there = paper.studies.name, paper.variants
    *most, last = there
    assert _run(*paper.smoke, "--seeds", "2", *_only(most)).exit_code == 0 and not results("smoke")
    assert {path.parent for path in book.rglob("*.json")} == {book / "results" / "smoke" / f"{name}-runs"}
    done = _run(*paper.smoke, "--seeds", "2")
    assert done.exit_code == 0, done.output
    study = paper.studies.read(paper.studies.folder("smoke"), "smoke")
    seeds = {variant: each.trained_with((0, 1)) for variant, each in there.items()}
    assert {(run.variant, run.seed) for run in study.runs} == {(each, seed) for each in there for seed in seeds[each]}
    assert done.output.startswith(f"{last}, seed {seeds[last][0]}: nme ")
    written = results("smoke")
    assert {each: result.quantities for each, result in written.items()} == paper.experiments(study, (0, 1))
    paths = [str(book / "results" / "smoke" / f"{each}.json") for each in paper.experiments(study, (0, 1))]
    assert done.output.splitlines()[len(seeds[last]) :] == paths
    about = written[paper.one].provenance
    assert (about["seeds"], about["device"], about["seconds"]) == ([0, 1], "cpu", 2.0 * len(study.runs))
    assert about["command"] == f"python -m facelab bench {name} --profile smoke --seeds 2"


@pytest.mark.usefixtures("made_up")
def test_the_variant_that_was_lacking_may_be_asked_for_alone(paper: _Paper) -> None:
    *most, last = paper.variants
    assert _run(*paper.smoke, "--seeds", "2", *_only(most)).exit_code == 0
    assert _run(*paper.smoke, "--seeds", "1", *_only([last])).exit_code == 0
    single = results("smoke")  # of one seed all is there now
    assert single[paper.one].provenance["seeds"] == [0]
    done = _run(*paper.smoke, "--seeds", "2", *_only([last]))
    assert done.exit_code == 0, done.output
    study = paper.studies.read(paper.studies.folder("smoke"), "smoke")
    written = {each: result.quantities for each, result in results("smoke").items()}
    assert written == paper.experiments(study, (0, 1))


@pytest.mark.usefixtures("made_up")
def test_a_variant_with_fewer_seeds_than_the_others_is_no_obstacle(paper: _Paper) -> None:
    """What is asked for is there, but one variant more often than the others: still one value a seed."""
    assert _run(*paper.smoke, "--seeds", "2", "--only", paper.quick[0]).exit_code == 0
    done = _run(*paper.smoke, "--seeds", "1")
    assert done.exit_code == 0, done.output
    written = results("smoke")
    assert paper.one in written
    for result in written.values():
        assert all(len(quantity.values) == 1 for quantity in result.quantities.values())


@pytest.mark.parametrize("paper", [ANISOTROPIC], indirect=True, ids=["anisotropic"])
@pytest.mark.usefixtures("made_up")
def test_variants_with_seeds_of_their_own_are_trained_with_these(paper: _Paper) -> None:
    """Those that choose the learning rates; of the spread, groups of seeds stand for seeds."""
    asked = (*paper.smoke, "--seeds", GROUP)
    done = _run(*asked)
    assert done.exit_code == 0, done.output
    study = paper.studies.read(paper.studies.folder("smoke"), "smoke")
    seeds = {name: variant.seeds or tuple(range(GROUP)) for name, variant in paper.variants.items()}
    assert {name: tuple(run.seed for run in study.of(name)) for name in seeds} == seeds
    assert set(seeds.values()) == {(TUNING_SEED,), tuple(range(GROUP))}
    written = results("smoke")
    assert {name: result.quantities for name, result in written.items()} == paper.experiments(study, range(GROUP))
    assert "anisotropic-spread" in written
    for name, result in written.items():
        assert result.provenance["seeds"] == ([0] if name == "anisotropic-spread" else list(range(GROUP)))
        assert result.provenance["command"] == "python -m facelab bench anisotropic --profile smoke --seeds 5"
    again = _run(*asked)
    assert again.output.splitlines() == done.output.splitlines()[-len(written) :]  # nothing is trained again


# --------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "5 nets"), "variant '5 nets': expected one of {first}, {second}"),
        (("--device", "gpu", "--only", "{quick}"), "device: expected auto or one of cpu"),
        (("--seeds", "0"), "Invalid value for '--seeds'"),
        (("--profile", "fast"), "profile: there is no 'fast'; expected one of smoke, quick, cpu, gpu"),
    ],
)
def test_mistakes_are_told(paper: _Paper, book: Path, arguments: tuple[str, ...], message: str) -> None:
    first, second, *_ = paper.variants
    names = {"first": first, "second": second, "quick": paper.quick[0]}
    done = _run(*paper.smoke, *(argument.format(**names) for argument in arguments))
    assert done.exit_code == 2 and message.format(**names) in done.output, repr(done.exception)
    assert not any(book.iterdir())


def test_help_tells_where_the_runs_go(paper: _Paper) -> None:
    told = " ".join(_run("bench", paper.studies.name, "--help").output.split())
    assert f"Folder of the runs. [default: data/results/PROFILE/{paper.studies.name}-runs]" in told
    assert all(f"{option} " in told for option in ("--profile", "--seeds", "--only", "--weights", "--device"))
    assert f"--seeds INTEGER RANGE [default: {paper.seeds}; x>=1]" in told


def test_a_damaged_run_is_told_in_one_line(paper: _Paper, tmp_path: Path) -> None:
    variant, stem, _ = paper.quick
    (tmp_path / f"{stem}-0.json").write_text("{}")
    done = _run(*paper.smoke, "--only", variant, "--output", tmp_path)
    assert done.exit_code == 2 and done.output.count("\n") == 1
    assert f"{stem}-0.json: expected a run of {paper.title}'s studies" in done.output
