"""The command line: what it says, what it writes, and one line for every mistake."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from facelab.cli import cli
from facelab.data import DATA_SETS


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def _write_300w(folder: Path, count: int = 3) -> None:
    rng = np.random.default_rng(0)
    place = folder / "ibug"
    place.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(rng.integers(0, 255, (120, 100, 3), np.uint8)).save(place / f"image_{number}.png")
        rows = "\n".join(f"{x:.3f} {y:.3f}" for x, y in rng.uniform(20, 90, (68, 2)))
        (place / f"image_{number}.pts").write_text(f"version: 1\nn_points:  68\n{{\n{rows}\n}}\n")


def test_the_module_runs_and_names_its_groups() -> None:
    run = subprocess.run([sys.executable, "-m", "facelab", "--help"], capture_output=True, text=True, check=True)
    assert all(group in run.stdout for group in ("data", "faces", "bench"))


def test_every_data_set_is_listed() -> None:
    result = _run("data", "list")
    assert result.exit_code == 0
    assert all(name in result.output for name in DATA_SETS)


def test_check_counts_and_draws(tmp_path: Path) -> None:
    _write_300w(tmp_path)
    (tmp_path / "ibug" / "image_1.pts").write_text("version: 1\nn_points: 68\n{\n1 2\n")
    sheet = tmp_path / "out" / "sheet.png"
    result = _run("data", "check", "300W", tmp_path, "-o", "split=challenging", "--output", sheet)
    assert result.exit_code == 0, result.output
    assert "300W: 2 samples" in result.output and "1 left out" in result.output
    assert "image_1.pts: expected points between" in result.output
    assert "the whole set has 135: 133 missing" in result.output
    with Image.open(sheet) as picture:
        assert picture.size[0] > 500
    assert [path.name for path in sheet.parent.iterdir()] == ["sheet.png"]


def test_check_on_real_samples(real_data: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    result = _run("data", "check", "AFLW2000-3D", real_data / "real" / "AFLW2000", "--output", sheet)
    assert result.exit_code == 0 and "5 samples" in result.output and sheet.is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("data", "check", "300Q", "."), "data set '300Q': expected one of 300W-LP, "),
        (("data", "check", "WFLW", "nowhere"), "nowhere: no such folder; expected that of WFLW"),
        (("data", "check", "WFLW", ".", "-o", "split"), "split: expected KEY=VALUE"),
        (("data", "check", "WFLW", ".", "-o", "speed=1"), "WFLW: option speed: expected some of split, subset, strict"),
        (("faces", "show", "nobody", "--output", "x.png"), "nobody: expected 'builtin' or a folder"),
        (("bench", "transfer", "--data", "nowhere"), "nowhere: expected photographs in real/AFLW2000"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = _run(*arguments)
    assert result.exit_code == 2
    assert result.output.count("\n") == 1 and message in result.output


def test_show_draws_the_built_in_face(tmp_path: Path) -> None:
    result = _run("faces", "show", "builtin", "--output", tmp_path / "faces.png")
    assert result.exit_code == 0, result.output
    assert "199 identity" in result.output
    with Image.open(tmp_path / "faces.png") as picture:
        assert picture.size == (8 * 194 + 2, 3 * 194 + 2)
