"""3DFAW on files made here."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.data.readers import open_dataset
from facelab.data.readers.threedfaw import read_csv

FAST = settings(max_examples=200)
Archive = tuple[Path, np.ndarray]


@pytest.fixture
def archive(tmp_path: Path, write_picture: Callable[[Path], None]) -> Archive:
    folder = tmp_path / "3DFAW"
    points = np.random.default_rng(0).uniform(10, 90, (66, 3))
    for split, name in (("train", "a_1"), ("train", "b_1"), ("valid", "c_1")):
        write_picture(folder / f"{split}_img" / f"{name}.jpg")
        (folder / f"{split}_lm").mkdir(exist_ok=True)
        np.savetxt(folder / f"{split}_lm" / f"{name}_lm.csv", points, delimiter=",")
    return folder, points


def test_points_stay_as_they_stand(archive: Archive) -> None:
    folder, points = archive
    faces = open_dataset("3DFAW", folder)
    assert [sample.name for sample in faces] == ["a_1", "b_1"]
    assert faces[0].markup == "66" and faces[0].image.shape == (3, 100, 120)
    np.testing.assert_allclose(faces[0].landmarks, points, atol=1e-4)
    assert [sample.name for sample in open_dataset("3DFAW", folder, split="valid")] == ["c_1"]


def test_bad_folders_and_options(archive: Archive) -> None:
    folder, _ = archive
    for wrong in (folder.parent, folder / "train_lm"):
        with pytest.raises(FileNotFoundError, match=rf"expected train_img/<name>\.jpg .*; {folder} looks like it"):
            open_dataset("3DFAW", wrong)
    with pytest.raises(ValueError, match="3DFAW split: expected 'train' or 'valid', got 'test'"):
        open_dataset("3DFAW", folder, split="test")


def test_unpaired_and_damaged_files(archive: Archive) -> None:
    folder, points = archive
    label = folder / "train_lm" / "a_1_lm.csv"
    np.savetxt(label, points[:65], delimiter=",")
    faces = open_dataset("3DFAW", folder, strict=False)
    assert len(faces) == 1 and "expected 66 lines of 3 numbers, found shape (65, 3)" in faces.skipped[0]
    label.unlink()
    with pytest.raises(FileNotFoundError, match=r"a_1\.jpg: no label for this picture"):
        open_dataset("3DFAW", folder)
    (folder / "valid_img" / "c_1.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"c_1_lm\.csv: no picture for this label"):
        open_dataset("3DFAW", folder, split="valid")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"expected 2 lines of 3 numbers, found shape \(0,\)"),
        ("1,2,3\n4,5", "expected lines of 3 numbers"),
        ("1,2\n4,5", r"found shape \(2, 2\)"),
        ("x,y,z\n1,2,3\n4,5,6", "expected lines of 3 numbers with commas between"),
        ("1,2,3\n4,5,nan", r"found point 1 at \(4, 5, nan\)"),
        ("1,2,3\n4,5,1e7", r"up to 1000000 pixels"),
        ("1,2,3\n4,5,1e999", r"found point 1 at \(4, 5, inf\)"),
        ("1 2 3\n4 5 6", "expected lines of 3 numbers with commas between"),
        ("\u00e9", "expected lines of 3 numbers"),
        ("1,2,3\n" + " " * 2**20, "expected a small text file"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(ValueError, match=rf"a\.csv: .*{message}"):
        read_csv(path, 2, 3)


@FAST
@given(content=st.binary(max_size=60) | st.text("0123456789,.-+einfa \n", max_size=60).map(str.encode))
def test_random_content(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random.csv"
    path.write_bytes(content)
    try:
        points = read_csv(path, 2, 3)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError("the message names no file") from error
        return
    assert points.shape == (2, 3) and points.isfinite().all() and points.dtype == torch.float32
