"""``train``, ``evaluate`` and ``recipes`` as a stranger calls them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facelab.cli import cli


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


pytestmark = pytest.mark.usefixtures("cached")


@pytest.fixture(scope="module")
def run(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained smoke run."""
    folder = tmp_path_factory.mktemp("runs") / "fan"
    environment = {**os.environ, "FACELAB_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "facelab", "train", "fan", "--profile", "smoke", "--seed", "3", "--quiet"]
    done = subprocess.run([*command, "--output", folder], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("epoch   1  loss 0.")
    assert done.stdout.splitlines()[-1] == str(folder / "model.safetensors") and done.stderr == ""
    return folder


def test_a_training_of_two_branches_ends_with_its_epochs(tmp_path: Path) -> None:
    """Its history has lists of choices besides numbers."""
    folder = tmp_path / "run"
    result = _run("train", "tddfa", "--profile", "smoke", "--quiet", "--output", folder)
    assert result.exit_code == 0, result.output
    entries = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert all(isinstance(entry["kept"], list) for entry in entries)
    *lines, last = result.output.splitlines()
    assert last == str(folder / "model.safetensors")
    numbers = [line for line in lines if line.startswith("epoch ")]
    assert len(numbers) == len(entries) == 2 and all("  loss " in line and "kept" not in line for line in numbers)


def test_a_run_tells_what_it_is(run: Path) -> None:
    told = json.loads((run / "run.json").read_text())
    assert (told["recipe"], told["profile"], told["seed"], told["settings"]) == ("fan", "smoke", 3, {})
    assert told["fields"]["training"]["epochs"] == 2


def test_evaluate_scores_the_synthetic_test_faces(run: Path) -> None:
    result = _run("evaluate", run)
    assert result.exit_code == 0, result.output
    last = json.loads((run / "history.jsonl").read_text().splitlines()[-1])
    assert f"mean {100 * last['nme']:.2f}  median" in result.output and "mean_of_bins" in result.output


def test_evaluate_scores_a_real_set(run: Path, real_data: Path) -> None:
    place = real_data / "real" / "AFLW2000"
    result = _run("evaluate", run, "--data", "AFLW2000-3D", "--folder", place, "--mirror")
    assert result.exit_code == 0 and result.output.startswith("5 faces, AFLW2000-3D; NME (bbox) in percent")


def test_recipes_are_listed_with_their_fields() -> None:
    assert "quick    3000 faces,   6 epochs, batch 8" in _run("recipes").output
    fields = _run("recipes", "fan", "--profile", "gpu").output
    assert "training.optimizer.name = rmsprop" in fields and "training.batch = 10" in fields


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "fam"), "recipe: there is no 'fam'; did you mean 'fan'? expected one of anisotropic, anis"),
        (("train", "fan", "--profile", "smok"), "profile: there is no 'smok'; did you mean 'smoke'?"),
        (("train", "fan", "--set", "training.epoch=3"), "field: there is no 'epoch'; did you mean 'epochs'?"),
        (("train", "fan", "--set", "training.epochs=three"), "training.epochs: expected a value like 6, got 'three'"),
        (("train", "fan", "--set", "training=3"), "training: has fields of its own; name one of them: epochs, batch"),
        (("train", "fan", "--set", "size.x=3"), "size.x: 'x' is part of a value that has no fields"),
        (("train", "fan", "--set", "sigma"), "sigma: expected KEY=VALUE"),
        (("train", "fan", "--profile", "smoke", "--device", "gpu"), "device: expected auto or one of cpu"),
        (
            ("train", "fan", "--profile", "smoke", "--quiet", "--set", "training.batch=99"),
            "expected at most the 64 training samples",
        ),
        (("evaluate", "nowhere"), "nowhere: expected the folder of a run, with run.json and model.safetensors"),
        (("evaluate", ".", "--data", "300W"), "expected both --data NAME and --folder DIR, or neither"),
        (("recipes", "fan", "--profile", "fast"), "profile: there is no 'fast'; expected one of smoke"),
    ],
)
def test_mistakes_are_one_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = _run(*arguments)
    assert result.exit_code == 2
    assert result.output.count("\n") == 1 and message in result.output


def test_a_damaged_run_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    result = _run("evaluate", tmp_path)
    assert result.exit_code == 2 and "run.json: expected recipe, profile and settings" in result.output
    (tmp_path / "run.json").write_bytes((run / "run.json").read_bytes())
    assert "model.safetensors: no such weights" in _run("evaluate", tmp_path).output


def test_two_processes_train_the_same_recipe(cache: Path, run: Path, tmp_path: Path) -> None:
    """Under torchrun the smoke profile takes seconds, and one process writes and speaks."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "facelab"]
    environment = {**os.environ, "FACELAB_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    train = ["train", "fan", "--profile", "smoke", "--seed", "3", "--quiet", "--device", "cpu"]
    done = subprocess.run(
        [*command, *train, "--output", tmp_path / "two"], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch   1") == 1 and (tmp_path / "two" / "model.safetensors").is_file()
    one = _run("train", "fan", "--profile", "smoke", "--seed", "3", "--quiet", "--device", "cpu",
               "--set", "training.accumulate=2", "--output", tmp_path / "one")  # fmt: skip
    assert one.exit_code == 0
    two, parts = (
        [json.loads(row) for row in (tmp_path / name / "history.jsonl").read_text().splitlines()]
        for name in ("two", "one")
    )
    for mine, theirs in zip(two, parts, strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
