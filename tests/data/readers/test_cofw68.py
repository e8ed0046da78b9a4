"""COFW-68 on files made here: pictures by number, boxes in a table, occlusion."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from facelab.data.readers import open_dataset

WritePicture = Callable[[Path], None]


def _write_label(folder: Path, number: int, points: np.ndarray, occluded: object = None) -> Path:
    path = folder / "COFW68_Data" / "test_annotations" / f"{number}_points.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    occ = np.zeros((1, 68), np.uint8) if occluded is None else occluded
    scipy.io.savemat(path, {"Points": points, "Occ": occ})
    return path


@pytest.fixture
def archive(tmp_path: Path, write_picture: WritePicture, points68: np.ndarray) -> Path:
    """Faces 1 to 3; the second picture is numbered as of all 1,852."""
    folder = tmp_path / "COFW"
    occluded = np.zeros((1, 68), np.uint8)
    occluded[0, 60:] = 1
    for number in (1, 2, 3):
        _write_label(folder, number, points68 + number, occluded)
    boxes = np.array([[5, 6, 50, 60], [-7, 8, 51, 61], [9, 10, 52, 62]], np.int16)
    scipy.io.savemat(folder / "COFW68_Data" / "cofw68_test_bboxes.mat", {"bboxes": boxes})
    for name in ("1.jpg", "001347.jpg", "0003.png"):
        write_picture(folder / "images" / name)
    return folder


def test_numbers_boxes_and_occlusion(archive: Path, points68: np.ndarray) -> None:
    faces = open_dataset("COFW-68", archive)
    assert [entry.picture.name for entry in faces.entries] == ["1.jpg", "001347.jpg", "0003.png"]
    for number, sample in enumerate(faces, 1):
        assert sample.name == f"test-{number:03d}"
        np.testing.assert_allclose(sample.landmarks, points68 + number - 1, atol=1e-4)
        assert sample.visible[:60].all() and not sample.visible[60:].any()
    assert faces[1].box.tolist() == [-8, 7, 43, 68]


def test_unpaired_files(archive: Path, points68: np.ndarray, write_picture: WritePicture) -> None:
    path = _write_label(archive, 7, points68)
    with pytest.raises(FileNotFoundError, match=r"7_points\.mat: no picture for test face 7; strict=False leaves"):
        open_dataset("COFW-68", archive)
    path.unlink()
    write_picture(archive / "images" / "1353.jpg")
    with pytest.raises(FileNotFoundError, match=r"1353\.jpg: no label for test face 8"):
        open_dataset("COFW-68", archive)
    (archive / "COFW68_Data" / "test_annotations" / "x_points.mat").touch()
    faces = open_dataset("COFW-68", archive, strict=False)
    assert len(faces) == 3 and len(faces.skipped) == 2


def test_a_label_beyond_the_table_of_boxes(archive: Path, points68: np.ndarray, write_picture: WritePicture) -> None:
    _write_label(archive, 4, points68)
    write_picture(archive / "images" / "4.jpg")
    faces = open_dataset("COFW-68", archive, strict=False)
    assert len(faces) == 3 and "4_points.mat: expected a box in row 4, found 3 rows" in faces.skipped[0]


def test_wrong_fields(archive: Path, points68: np.ndarray) -> None:
    _write_label(archive, 1, points68[:29])
    with pytest.raises(ValueError, match=r"1_points\.mat: field Points: .*\(68, 2\), found shape \(29, 2\)"):
        open_dataset("COFW-68", archive)[0]
    _write_label(archive, 1, points68, np.zeros((1, 29)))
    with pytest.raises(ValueError, match=r"1_points\.mat: field Occ: .*\(1, 68\), found shape \(1, 29\)"):
        open_dataset("COFW-68", archive)[0]
    (archive / "COFW68_Data" / "cofw68_test_bboxes.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"cofw68_test_bboxes\.mat: no such label file"):
        open_dataset("COFW-68", archive)


def test_a_folder_one_level_off(archive: Path) -> None:
    for wrong in (archive.parent, archive / "COFW68_Data"):
        with pytest.raises(FileNotFoundError, match=f"{archive} looks like it: give that folder"):
            open_dataset("COFW-68", wrong)
