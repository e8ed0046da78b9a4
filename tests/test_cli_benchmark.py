"""``facelab bench benchmark``: a network's errors on the faces of the benchmark go to a file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from facelab import recipes
from facelab.cli import cli
from facelab.recipes.benchmark_runs import recorded
from facelab.training import save_weights
from facelab.training.keeper import MODEL

pytestmark = pytest.mark.usefixtures("cached")


def test_a_run_is_measured_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("FACELAB_BOOK", str(tmp_path))
    monkeypatch.delenv("FACELAB_DATA", raising=False)
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"recipe": "anisotropic", "profile": "smoke", "settings": {}}))
    save_weights(recipes.get("anisotropic", "smoke").model(0), run / MODEL)
    result = CliRunner().invoke(cli, ["bench", "benchmark", "--run", str(run), "--profile", "smoke"])
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "data" / "results" / "smoke" / "benchmark-l2.json") in result.output
    assert len(recorded("l2", "smoke", 32, 2).errors) == 32


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["bench", "benchmark", "--run", str(tmp_path)])
    assert result.exit_code != 0
    assert f"{tmp_path}: expected the folder of a run" in result.output
