"""``bench two-stage`` as a stranger calls it: runs in files, results once all runs are there."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facelab.cli import cli
from facelab.ledger import results
from facelab.ledger.experiments_two_stage import two_stage_experiments
from facelab.recipes import study_runs
from facelab.recipes.study_runs import Run, Variant
from facelab.recipes.two_stage_studies import STUDIES, variants
from facelab.training import describe

SMOKE = ("bench", "two-stage", "--profile", "smoke", "--device", "cpu")
KINDS = ("plain", "mean face", "detection", "another's detection")
NUMBERS = ("nme", "gte_x", "gte_y", "gte_z", "gte_xyz 0-30", "gte_xyz 60-90")


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
    measured = {
        kind: {number: (i + 2 * j + 3 + seed) / 40 for j, number in enumerate(NUMBERS)} for i, kind in enumerate(KINDS)
    }
    history = [{"training": float(part), "nme": 0.1 / part} for part in (1, 2, 3)]
    recipe = json.loads(json.dumps(describe(variant.recipe)))
    return Run(name, seed, 2.0, 1, recipe, {"device": device}, measured, history)


def test_one_variant_is_trained_once_and_kept(book: Path, tmp_path: Path) -> None:
    """Of a real run: its history is kept, an error after every epoch."""
    asked = (*SMOKE, "--seeds", "1", "--only", "regression only", "--output", tmp_path / "runs")
    first = _run(*asked, "--weights", tmp_path / "weights")
    assert first.exit_code == 0, first.output
    assert first.output.startswith("regression only, seed 0: nme ") and first.output.count("\n") == 1
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["regression-only-0.json"]
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["regression-only-0.safetensors"]
    (run,) = STUDIES.read(tmp_path / "runs", "smoke").runs
    assert run.recipe["detection"] is None and run.about["device"] == "cpu"
    assert [entry["training"] for entry in run.history] == [1, 1, 1] and all("nme" in entry for entry in run.history)
    assert _run(*asked).output == "" and not any(book.iterdir())


def test_results_are_written_once_every_run_is_there(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_runs, "_run", _made_up)
    *most, last = variants("smoke")
    only = [word for name in most for word in ("--only", name)]
    assert _run(*SMOKE, "--seeds", "2", *only).exit_code == 0 and not results("smoke")
    assert {path.parent for path in book.rglob("*.json")} == {book / "results" / "smoke" / "two-stage-runs"}
    done = _run(*SMOKE, "--seeds", "2")
    assert done.exit_code == 0, done.output
    study = STUDIES.read(STUDIES.folder("smoke"), "smoke")
    assert done.output.startswith(f"{last}, seed 0: nme ") and len(study.runs) == 2 * (len(most) + 1)
    written = results("smoke")
    assert {name: result.quantities for name, result in written.items()} == two_stage_experiments(study)
    paths = [str(book / "results" / "smoke" / f"{name}.json") for name in two_stage_experiments(study)]
    assert done.output.splitlines()[2:] == paths
    about = written["two-stage-depth"].provenance
    assert (about["seeds"], about["device"], about["seconds"]) == ([0, 1], "cpu", 2.0 * len(study.runs))
    assert about["command"] == "python -m facelab bench two-stage --profile smoke --seeds 2"


def test_runs_elsewhere_are_no_results_of_the_book(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_runs, "_run", _made_up)
    done = _run(*SMOKE, "--seeds", "1", "--output", tmp_path / "runs")
    assert done.exit_code == 0 and not any(book.iterdir())
    assert len(list((tmp_path / "runs").iterdir())) == len(variants("smoke")) == done.output.count("\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "1 stack"), "variant '1 stack': expected one of two stages, depth from the picture, "),
        (("--device", "gpu", "--only", "frontal"), "device: expected auto or one of cpu"),
        (("--seeds", "0"), "Invalid value for '--seeds'"),
        (("--profile", "fast"), "profile: there is no 'fast'; expected one of smoke, quick, cpu, gpu"),
    ],
)
def test_mistakes_are_told(book: Path, arguments: tuple[str, ...], message: str) -> None:
    done = _run(*SMOKE, *arguments)
    assert done.exit_code == 2 and message in done.output, repr(done.exception)
    assert not any(book.iterdir())


def test_help_tells_where_the_runs_go() -> None:
    told = " ".join(_run("bench", "two-stage", "--help").output.split())
    assert "Folder of the runs. [default: data/results/PROFILE/two-stage-runs]" in told


def test_a_damaged_run_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "frontal-0.json").write_text("{}")
    done = _run(*SMOKE, "--only", "frontal", "--output", tmp_path)
    assert done.exit_code == 2 and done.output.count("\n") == 1
    assert "frontal-0.json: expected a run of the two-stage method's studies" in done.output
