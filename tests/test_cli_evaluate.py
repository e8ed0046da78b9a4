"""``evaluate`` on prediction files, as the author of another method calls it."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from facelab.cli import cli
from facelab.metrics import auc, bootstrap, by_pose, failure_rate, nme

COUNT = 12
POINTS = [f"{axis}{index}" for index in range(68) for axis in "xy"]


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *(str(argument) for argument in arguments)])


def _table(path: Path, columns: Sequence[str], rows: NDArray[np.float64], names: Sequence[str] = ()) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(["face"] if names else []), *columns])
        for index, row in enumerate(rows.reshape(len(rows), -1)):
            writer.writerow([*([names[index]] if names else []), *map(repr, row.tolist())])
    return path


def _array(path: Path, values: NDArray[np.float64]) -> Path:
    np.save(path, values)
    return path


@pytest.fixture
def target() -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(0, 100, (COUNT, 68, 2))


@pytest.fixture
def predicted(target: NDArray[np.float64]) -> NDArray[np.float64]:
    sizes = np.linspace(0.5, 12, COUNT)[:, None, None]
    return target + sizes * np.random.default_rng(1).normal(size=target.shape)


@pytest.fixture
def yaw() -> NDArray[np.float64]:
    return np.linspace(-100, 85, COUNT)


def _errors(predicted: NDArray[np.float64], target: NDArray[np.float64], normalizer: str = "bbox") -> torch.Tensor:
    return nme(torch.from_numpy(predicted), torch.from_numpy(target), normalizer)


def test_every_figure_is_that_of_the_library(
    predicted: NDArray[np.float64], target: NDArray[np.float64], yaw: NDArray[np.float64], tmp_path: Path
) -> None:
    files = ["--predictions", _array(tmp_path / "p.npy", predicted), "--targets", _array(tmp_path / "t.npy", target)]
    angles = ["--yaw", _array(tmp_path / "yaw.npy", yaw), "--beyond", "fold"]
    result = _run(
        *files, *angles, "--normalizer", "interocular", "--threshold", "0.07", "--output", tmp_path / "o.json"
    )
    assert result.exit_code == 0, result.output
    errors = _errors(predicted, target, "interocular")
    told = json.loads((tmp_path / "o.json").read_text())
    poses = by_pose(errors, torch.from_numpy(yaw), "fold")
    expected = {
        "of": "p.npy", "faces": COUNT, "normalizer": "interocular", "threshold": 0.07, "beyond": "fold",
        "mean": float(errors.mean()), "median": float(np.median(errors.numpy())), "worst": float(errors.max()),
        "auc": auc(errors, 0.07), "auc_fan": auc(errors, 0.07, "fan"), "failure_rate": failure_rate(errors, 0.07),
    }  # fmt: skip
    assert {key: told[key] for key in expected} == pytest.approx(expected)
    assert told["by_yaw"] == pytest.approx(poses)
    assert told["intervals"]["mean"] == pytest.approx(bootstrap(errors))
    assert told["intervals"]["failure_rate"] == pytest.approx(bootstrap((errors > 0.07).double()))
    lines = result.output.splitlines()
    assert lines[0] == "12 faces, p.npy; NME (interocular) in percent"
    assert f"mean {100 * errors.mean():.2f}  median {100 * np.median(errors.numpy()):.2f}" in lines[1]
    assert f"AUC at 7 % {100 * auc(errors, 0.07):.2f} (by FAN's grid {100 * auc(errors, 0.07, 'fan'):.2f})" in lines[2]
    assert f"mean_of_bins {100 * poses['mean_of_bins']:.2f}  mean_of_faces" in lines[3]
    low, high = bootstrap(errors)
    assert lines[5].strip().startswith(f"mean {100 * low:.2f} to {100 * high:.2f}  AUC")


def test_tables_are_matched_by_the_names_of_faces(
    predicted: NDArray[np.float64], target: NDArray[np.float64], yaw: NDArray[np.float64], tmp_path: Path
) -> None:
    names = [f"face-{index}" for index in range(COUNT)]
    order = np.random.default_rng(2).permutation(COUNT)
    mixed = [names[index] for index in order]
    arguments = [
        "--predictions", _table(tmp_path / "p.csv", POINTS, predicted[order], mixed),
        "--targets", _table(tmp_path / "t.csv", POINTS, target, names),
        "--yaw", _table(tmp_path / "yaw.csv", ["yaw"], yaw[order], mixed),
    ]  # fmt: skip
    result = _run(*arguments, "--output", tmp_path / "o.json", "--intervals", "0")
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "o.json").read_text())
    errors = _errors(predicted, target)
    assert told["mean"] == pytest.approx(float(errors.mean()), rel=1e-12)
    assert told["by_yaw"] == pytest.approx(by_pose(errors, torch.from_numpy(yaw)))
    assert told["intervals"] is None and "intervals" not in result.output


def test_points_in_3d_from_a_table(tmp_path: Path) -> None:
    target = np.random.default_rng(0).uniform(0, 100, (3, 68, 3))
    columns = [f"{axis}{index}" for index in range(68) for axis in "xyz"]
    files = [
        "--predictions", _table(tmp_path / "p.csv", columns, target + [2.0, 3.0, 6.0]),
        "--targets", _array(tmp_path / "t.npy", target),
    ]  # fmt: skip
    result = _run(*files, "--normalizer", "interpupil", "--output", tmp_path / "o.json")
    told = json.loads((tmp_path / "o.json").read_text())
    ends = [target[:, eye].mean(1) for eye in (slice(36, 42), slice(42, 48))]
    assert told["mean"] == pytest.approx(np.mean(7 / np.linalg.norm(ends[0] - ends[1], axis=1)), rel=1e-9)
    assert result.output.startswith("3 faces, p.csv; NME (interpupil) in percent") and "by yaw" not in result.output


@pytest.mark.parametrize("layout", ["npy", "csv"])
def test_masks_and_boxes(
    layout: str, predicted: NDArray[np.float64], target: NDArray[np.float64], tmp_path: Path
) -> None:
    seen = (np.random.default_rng(3).random((COUNT, 68)) < 0.5).astype(float)
    boxes = np.tile([0.0, 0.0, 16.0, 9.0], (COUNT, 1))
    lost = np.where(seen[..., None] == 1, target, np.nan)
    files = ["--predictions", _array(tmp_path / "p.npy", predicted), "--targets", _array(tmp_path / "t.npy", lost)]
    assert "found NaN" in _run(*files).output
    if layout == "npy":
        mask, size = _array(tmp_path / "v.npy", seen), _array(tmp_path / "b.npy", boxes)
    else:
        mask = _table(tmp_path / "v.csv", [f"v{index}" for index in range(68)], seen)
        size = _table(tmp_path / "b.csv", ["x0", "y0", "x1", "y1"], boxes)
    result = _run(*files, "--visible", mask, "--boxes", size, "--normalizer", "box", "--output", tmp_path / "o.json")
    assert result.exit_code == 0, result.output
    apart = np.linalg.norm(predicted - target, axis=2)
    expected = ((apart * seen).sum(1) / seen.sum(1) / 12).mean()
    assert json.loads((tmp_path / "o.json").read_text())["mean"] == pytest.approx(expected, rel=1e-9)


def test_one_face_and_empty_bins(target: NDArray[np.float64], tmp_path: Path) -> None:
    place, angle = _array(tmp_path / "t.npy", target[:1]), _array(tmp_path / "y.npy", np.array([3.0]))
    result = _run("--predictions", place, "--targets", place, "--yaw", angle, "--output", tmp_path / "o.json")
    assert "0-30 0.00  30-60 none" in result.output
    told = json.loads((tmp_path / "o.json").read_text())
    assert told["by_yaw"]["mean_of_bins"] is None and told["by_yaw"]["mean_of_faces"] == 0
    assert told["intervals"] is None


@pytest.fixture
def folder(tmp_path: Path, target: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Good files and bad ones; the working folder."""
    names = [f"face-{index}" for index in range(COUNT)]
    _array(tmp_path / "t.npy", target)
    _array(tmp_path / "few.npy", target[:3])
    _array(tmp_path / "flat.npy", target.reshape(COUNT, -1))
    _array(tmp_path / "texts.npy", np.array(["a"]))
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object))
    _table(tmp_path / "t.csv", POINTS, target, names)
    _table(tmp_path / "other.csv", POINTS, target, [f"{name}x" for name in names])
    _table(tmp_path / "twice.csv", POINTS, target, ["a"] * COUNT)
    _table(tmp_path / "turned.csv", [*POINTS[68:], *POINTS[:68]], target)
    _table(tmp_path / "angles.csv", ["pitch"], np.zeros(COUNT))
    _array(tmp_path / "angles.npy", np.zeros((COUNT, 2)))
    _array(tmp_path / "mask.npy", np.full((COUNT, 68), 0.5))
    _array(tmp_path / "boxes.npy", np.zeros((COUNT, 2)))
    (tmp_path / "t.txt").write_text("")
    (tmp_path / "head.csv").write_text("x0,y0\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "short.csv").write_text("x0,y0\n1,2\n3\n")
    (tmp_path / "word.csv").write_text("x0,y0\n1,two\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


MISTAKES = [
    ("", "expected the folder of a run, or --predictions FILE with --targets FILE"),
    (". --predictions t.npy", "expected the folder of a run, or --predictions FILE"),
    (". --targets t.npy", "--targets: goes with --predictions only"),
    (". --normalizer bbox", "--normalizer: goes with --predictions only"),
    ("--predictions t.npy --mirror", "--mirror: goes with the folder of a run only"),
    ("--predictions t.npy -o split=test", "--option: goes with the folder of a run only"),
    ("--predictions t.npy", "--targets: expected the file of the true points"),
    ("--predictions no.npy --targets t.npy", "no.npy: no such file"),
    ("--predictions t.txt --targets t.npy", "t.txt: expected a name that ends in .npy or .csv"),
    ("--predictions few.npy --targets t.npy", "few.npy: expected 12 faces, as t.npy has, got 3"),
    ("--predictions flat.npy --targets t.npy", "flat.npy: expected an array (N, L, 2) or (N, L, 3), got (12, 136)"),
    ("--predictions texts.npy --targets t.npy", "texts.npy: expected an array of numbers, got <U1"),
    ("--predictions pickle.npy --targets t.npy", "pickle.npy: expected an array of numbers: Object arrays"),
    ("--predictions other.csv --targets t.csv", "other.csv: no face 'face-0', which t.csv has (12 missing)"),
    ("--predictions twice.csv --targets t.csv", "twice.csv: face 'a' is there more than once"),
    ("--predictions turned.csv --targets t.npy", "turned.csv: expected columns x0,y0,x1,y1,... or x0,y0,z0"),
    ("--predictions head.csv --targets t.npy", "head.csv: expected a header and at least one face"),
    ("--predictions empty.csv --targets t.npy", "empty.csv: expected a header and at least one face"),
    ("--predictions short.csv --targets t.npy", "short.csv, line 3: expected 2 cells, got 1"),
    (
        "--predictions word.csv --targets t.npy",
        "word.csv, line 2: could not convert string to float: 'two'; nan stands",
    ),
    ("--predictions t.npy --targets t.npy --yaw angles.csv", "angles.csv: expected columns yaw, got pitch"),
    ("--predictions t.npy --targets t.npy --yaw angles.npy", "angles.npy: expected an array (N,), got (12, 2)"),
    ("--predictions t.npy --targets t.npy --visible mask.npy", "mask.npy: expected 0 and 1 only"),
    ("--predictions t.npy --targets t.npy --boxes boxes.npy --normalizer box", "boxes.npy: expected an array (N, 4)"),
    ("--predictions t.npy --targets t.npy --normalizer iris", "normalizer: expected a tensor or one of bbox"),
    ("--predictions t.npy --targets t.npy --markup 98 --normalizer interocular", "expected 98 landmarks, as mark-up"),
    ("--predictions t.npy --targets t.npy --threshold 0", "threshold: expected a positive fraction, got 0.0"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistakes_are_one_line(arguments: str, message: str, folder: Path) -> None:
    result = _run(*arguments.split())
    assert result.exit_code == 2
    assert result.output.count("\n") == 1 and message in result.output
