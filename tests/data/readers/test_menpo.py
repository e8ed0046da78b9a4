"""Menpo on files made here; the LJSON parser has its own tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelab.data.readers import open_dataset
from facelab.data.readers.menpo import read_ljson

WritePts = Callable[[Path, np.ndarray], None]
WritePicture = Callable[[Path], None]
PARTS = {
    "jaw": range(17),
    "left_eyebrow": range(17, 22),
    "right_eyebrow": range(22, 27),
    "nose": range(27, 36),
    "left_eye": range(36, 42),
    "right_eye": range(42, 48),
    "mouth": range(48, 68),
}


def _group(points: np.ndarray, labels: dict[str, list[int]]) -> dict[str, Any]:
    masks = [{"label": name, "mask": mask} for name, mask in labels.items()]
    return {"landmarks": {"points": points[:, ::-1].tolist(), "connectivity": []}, "labels": masks}


def _write_ljson(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def shuffled(points68: np.ndarray) -> tuple[np.ndarray, dict[str, list[int]]]:
    """The 68 points in a disorder, and the labels that tell it."""
    order = np.random.default_rng(2).permutation(68)
    places = np.argsort(order)
    labels = {name: places[list(part)].tolist() for name, part in reversed(PARTS.items())}
    return points68[order], labels


def test_points_are_ordered_by_their_labels(
    tmp_path: Path, points68: np.ndarray, shuffled: tuple[np.ndarray, dict[str, list[int]]]
) -> None:
    group = _group(*shuffled)
    pupils = _group(points68[:2], {"left_pupil": [0], "right_pupil": [1]})
    for content in (
        {"version": 3, "groups": {"pupils": pupils, "LJSON": group}},
        {"version": 2, **group},
    ):
        found = read_ljson(_write_ljson(tmp_path / "a.ljson", content), 68)
        np.testing.assert_allclose(found, points68, atol=1e-4)
    assert read_ljson(_write_ljson(tmp_path / "a.ljson", {"version": 3, "groups": {"pupils": pupils}}), 2).shape == (
        2,
        2,
    )


def test_pieces_are_ordered_by_their_labels(tmp_path: Path, points68: np.ndarray) -> None:
    pieces = [
        {"label": name, "landmarks": [{"point": points68[i, ::-1].tolist()} for i in part]}
        for name, part in reversed(PARTS.items())
    ]
    found = read_ljson(_write_ljson(tmp_path / "a.ljson", {"version": 1, "groups": pieces}), 68)
    np.testing.assert_allclose(found, points68, atol=1e-4)


def test_other_labels_leave_the_order(tmp_path: Path, points68: np.ndarray) -> None:
    for labels in ({}, {"all": list(range(67, -1, -1))}):
        path = _write_ljson(tmp_path / "a.ljson", {"version": 3, "groups": {"x": _group(points68, labels)}})
        np.testing.assert_allclose(read_ljson(path, 68), points68, atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"jaw": list(range(16))},
        {"jaw": list(range(18))},
        {"jaw": list(range(16)) + [17], "left_eyebrow": list(range(16, 21)) + [21]},
        {"nose": [27] * 9},
        {"mouth": list(range(49, 69))},
        {"mouth": list(range(48, 67)) + ["67"]},
        {"jaw": [True, *range(1, 17)]},
        {"jaw": None},
        {"jaw": 3},
    ],
)
def test_labels_that_part_the_points_wrongly(tmp_path: Path, points68: np.ndarray, change: dict[str, Any]) -> None:
    labels = {name: list(part) for name, part in PARTS.items()} | change
    path = _write_ljson(tmp_path / "a.ljson", {"version": 3, "groups": {"x": _group(points68, labels)}})
    with pytest.raises(ValueError, match=r"a\.ljson: field labels: expected"):
        read_ljson(path, 68)


def test_labels_may_stand_beside_the_picture_in_any_folder(
    tmp_path: Path,
    write_picture: WritePicture,
    write_pts: WritePts,
    points68: np.ndarray,
    shuffled: tuple[np.ndarray, dict[str, list[int]]],
) -> None:
    write_picture(tmp_path / "near" / "a.jpg")
    write_pts(tmp_path / "near" / "a.pts", points68)
    write_picture(tmp_path / "b.png")
    _write_ljson(tmp_path / "b.ljson", {"version": 3, "groups": {"x": _group(*shuffled)}})
    faces = open_dataset("Menpo", tmp_path)
    assert [sample.name for sample in faces] == ["b", "near/a"]
    np.testing.assert_allclose(faces[0].landmarks, points68, atol=1e-4)  # LJSON counts from 0
    np.testing.assert_allclose(faces[1].landmarks, points68 - 1, atol=1e-4)  # .pts from 1


def test_a_missing_landmark_is_not_visible(tmp_path: Path, write_picture: WritePicture, points68: np.ndarray) -> None:
    write_picture(tmp_path / "a.png")
    group = _group(points68, {})
    group["landmarks"]["points"][4] = [None, None]
    _write_ljson(tmp_path / "a.ljson", {"version": 3, "groups": {"x": group}})
    (sample,) = list(open_dataset("Menpo", tmp_path))
    assert sample.visible.logical_not().nonzero().flatten().tolist() == [4]
    assert sample.landmarks[4].isnan().all() and sample.box.isfinite().all()


def test_bad_files_and_folders(
    tmp_path: Path, write_picture: WritePicture, write_pts: WritePts, points68: np.ndarray
) -> None:
    folder = tmp_path / "menpo"
    for name in ("front", "profile", "none", "lone"):
        write_picture(folder / f"{name}.png")
    write_pts(folder / "front.pts", points68)
    write_pts(folder / "profile.pts", points68[:39])
    _write_ljson(folder / "none.ljson", {"version": 3, "groups": {"x": _group(points68 * np.nan, {})}})
    with pytest.raises(FileNotFoundError, match=r"lone\.png: no label for this picture"):
        open_dataset("Menpo", folder)
    faces = open_dataset("Menpo", folder, strict=False)
    assert [sample.name for sample in faces] == ["front"] and len(faces.skipped) == 3
    assert any("profile.pts: expected 68 points, found 39" in message for message in faces.skipped)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="found nothing like it"):
        open_dataset("Menpo", tmp_path / "empty")
