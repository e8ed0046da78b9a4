"""``bench fan`` as a stranger calls it: runs in files, results once all runs are there."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facelab.cli import cli
from facelab.ledger import results
from facelab.ledger.experiments_fan import fan_experiments
from facelab.recipes import study_runs
from facelab.recipes.fan_studies import DECODER, LOST, LOST_SIDE, NOISES, STUDIES, variants
from facelab.recipes.study_runs import Run, Variant
from facelab.training import describe

SMOKE = ("bench", "fan", "--profile", "smoke", "--device", "cpu")


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def book(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the book without a result; returns its ``data/``."""
    monkeypatch.setenv("FACELAB_CACHE", str(cache))
    monkeypatch.setenv("FACELAB_BOOK", str(tmp_path / "book"))
    (tmp_path / "book" / "data").mkdir(parents=True)
    return tmp_path / "book" / "data"


def _made_up(name: str, variant: Variant, seed: int, device: str, weights: Path | None) -> Run:
    """A run that took no time, with every number that the results are made from."""
    del weights
    kinds = ["plain", f"both {max(NOISES)}", f"shift {LOST}", "side 30", f"side {LOST_SIDE}"]
    kinds += [f"stack {stack}, {DECODER}" for stack in (1, 2, 3, 4)]
    numbers = ("nme", "auc", "auc 0-30", "auc 60-90")
    measured = {
        kind: {number: (i + 2 * j + 3 + seed) / 40 for j, number in enumerate(numbers)} for i, kind in enumerate(kinds)
    }
    return Run(name, seed, 2.0, 1, json.loads(json.dumps(describe(variant.recipe))), {"device": device}, measured)


def test_one_variant_is_trained_once_and_kept(book: Path, tmp_path: Path) -> None:
    asked = (*SMOKE, "--seeds", "1", "--only", "2 stacks", "--output", tmp_path / "runs")
    first = _run(*asked, "--weights", tmp_path / "weights")
    assert first.exit_code == 0, first.output
    assert first.output.startswith("2 stacks, seed 0: nme ") and first.output.count("\n") == 1
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["2-stacks-0.json"]
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["2-stacks-0.safetensors"]
    (run,) = STUDIES.read(tmp_path / "runs", "smoke").runs
    assert run.recipe["stacks"] == 2 and run.about["device"] == "cpu"
    assert _run(*asked).output == "" and not any(book.iterdir())


def test_runs_go_to_the_book_and_are_no_results_before_all_are_there(book: Path) -> None:
    done = _run(*SMOKE, "--seeds", "1", "--only", "bottleneck", "--only", "depth, unguided")
    assert done.exit_code == 0 and "bottleneck, seed 0: nme " in done.output
    assert "depth, unguided, seed 0: gte " in done.output
    there = sorted(path.relative_to(book) for path in book.rglob("*.json"))
    assert [str(path) for path in there] == [
        f"results/smoke/fan-runs/{name}-0.json" for name in ("bottleneck", "depth-unguided")
    ]


def test_results_are_written_once_every_run_is_there(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_runs, "_run", _made_up)
    *most, last = variants("smoke")
    only = [word for name in most for word in ("--only", name)]
    assert _run(*SMOKE, "--seeds", "2", *only).exit_code == 0 and not results("smoke")
    done = _run(*SMOKE, "--seeds", "2")
    assert done.exit_code == 0, done.output
    study = STUDIES.read(STUDIES.folder("smoke"), "smoke")
    assert done.output.startswith(f"{last}, seed 0: nme ") and len(study.runs) == 2 * (len(most) + 1)
    written = results("smoke")
    assert {name: result.quantities for name, result in written.items()} == fan_experiments(study)
    paths = [str(book / "results" / "smoke" / f"{name}.json") for name in fan_experiments(study)]
    assert done.output.splitlines()[2:] == paths
    about = written["fan-pose"].provenance
    assert (about["seeds"], about["device"], about["seconds"]) == ([0, 1], "cpu", 2.0 * len(study.runs))
    assert about["command"] == "python -m facelab bench fan --profile smoke --seeds 2"


def test_a_variant_with_fewer_seeds_than_the_others_is_no_obstacle(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for is there, but one variant more often than the others: still one value a seed, or no result."""
    monkeypatch.setattr(study_runs, "_run", _made_up)
    assert _run(*SMOKE, "--seeds", "2", "--only", "FAN's crop").exit_code == 0
    done = _run(*SMOKE, "--seeds", "1")
    assert done.exit_code == 0, done.output
    for result in results("smoke").values():
        assert all(len(quantity.values) == 1 for quantity in result.quantities.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "5 stacks"), "variant '5 stacks': expected one of 4 stacks, 1 stack"),
        (("--device", "gpu", "--only", "1 stack"), "device: expected auto or one of cpu"),
        (("--seeds", "0"), "Invalid value for '--seeds'"),
        (("--profile", "fast"), "profile: there is no 'fast'; expected one of smoke, quick, cpu, gpu"),
    ],
)
def test_mistakes_are_told(book: Path, arguments: tuple[str, ...], message: str) -> None:
    done = _run(*SMOKE, *arguments)
    assert done.exit_code == 2 and message in done.output, repr(done.exception)
    assert not any(book.iterdir())


def test_help_tells_where_the_runs_go() -> None:
    told = " ".join(_run("bench", "fan", "--help").output.split())
    assert "Folder of the runs. [default: data/results/PROFILE/fan-runs]" in told
    assert all(f"{option} " in told for option in ("--profile", "--seeds", "--only", "--weights", "--device"))


def test_a_damaged_run_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "1-stack-0.json").write_text("{}")
    done = _run(*SMOKE, "--only", "1 stack", "--output", tmp_path)
    assert done.exit_code == 2 and done.output.count("\n") == 1
    assert "1-stack-0.json: expected a run of FAN's studies" in done.output
