"""300-W on files made here: splits, strays, and folders a level off."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facelab.data.readers import open_dataset

WritePts = Callable[[Path, np.ndarray], None]
PLACES = {
    "afw/1_1": "train",
    "helen/trainset/2_1": "train",
    "lfpw/trainset/image_0001": "train",
    "helen/testset/3_1": "common",
    "lfpw/testset/image_0002": "common",
    "ibug/image_003_1": "challenging",
    "300W/01_Indoor/indoor_001": "private",
    "300W/02_Outdoor/outdoor_001": "private",
}


@pytest.fixture
def archive(tmp_path: Path, write_picture: Callable[[Path], None], write_pts: WritePts, points68: np.ndarray) -> Path:
    folder = tmp_path / "300W"
    for place in PLACES:
        write_picture(folder / f"{place}.png")
        write_pts(folder / f"{place}.pts", points68)
    return folder


@pytest.mark.parametrize("split", ["train", "common", "challenging", "private", "full", "all"])
def test_splits(archive: Path, points68: np.ndarray, split: str) -> None:
    wanted = {"full": {"common", "challenging"}, "all": set(PLACES.values())}.get(split, {split})
    faces = open_dataset("300W", archive, split=split)
    assert [sample.name for sample in faces] == sorted(name for name, part in PLACES.items() if part in wanted)
    np.testing.assert_allclose(faces[0].landmarks, points68 - 1, atol=1e-4)
    assert faces[0].visible.all() and faces[0].pose.isnan().all()
    np.testing.assert_allclose(faces[0].box, [*(points68.min(0) - 1), *(points68.max(0) - 1)], atol=1e-4)


def test_mirrored_copies_are_passed_over(archive: Path) -> None:
    for suffix in (".png", ".pts"):
        source = archive / f"afw/1_1{suffix}"
        source.with_name(f"1_1_mirror{suffix}").write_bytes(source.read_bytes())
    assert len(open_dataset("300W", archive)) == len(PLACES)


def test_unpaired_files(archive: Path) -> None:
    (archive / "afw/1_1.pts").unlink()
    (archive / "ibug/image_003_1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"afw/1_1\.png: no label for this picture; strict=False leaves"):
        open_dataset("300W", archive)
    with pytest.raises(FileNotFoundError, match=r"image_003_1\.pts: no picture for this label; strict=False leaves"):
        open_dataset("300W", archive, split="challenging")
    faces = open_dataset("300W", archive, strict=False)
    assert len(faces) == len(PLACES) - 2
    assert [message.partition(": ")[2] for message in faces.skipped] == [
        "no label for this picture",
        "no picture for this label",
    ]


def test_damaged_files_are_told_when_read_and_counted_when_not_strict(
    archive: Path, write_pts: WritePts, points68: np.ndarray
) -> None:
    nan = points68.copy()
    nan[5] = np.nan
    write_pts(archive / "afw/1_1.pts", nan)
    write_pts(archive / "helen/trainset/2_1.pts", points68[:67])
    write_pts(archive / "lfpw/trainset/image_0001.pts", points68 + 5000)
    (archive / "ibug/image_003_1.png").write_bytes(b"no picture")
    faces = open_dataset("300W", archive)
    assert len(faces) == len(PLACES)
    messages = {
        "afw/1_1": r"1_1\.pts: .*point 5 at \(nan, nan\)",
        "helen/trainset/2_1": r"2_1\.pts: expected 68 points, found 67",
        "lfpw/trainset/image_0001": r"sample lfpw/trainset/image_0001: expected landmarks near the 120 x 100 picture",
        "ibug/image_003_1": r"image_003_1\.png: expected a readable picture",
    }
    names = [entry.name for entry in faces.entries]
    for name, message in messages.items():
        with pytest.raises(ValueError, match=message):
            faces[names.index(name)]
    sound = open_dataset("300W", archive, strict=False)
    assert len(sound.skipped) == len(messages) and len(sound) == len(PLACES) - len(messages)
    assert {sample.name for sample in sound} == set(PLACES) - set(messages)


def test_folders_a_level_off(archive: Path, tmp_path: Path) -> None:
    for wrong in (archive.parent, archive / "ibug"):
        with pytest.raises(FileNotFoundError, match=rf"{wrong}: expected folders afw, .*; {archive} looks like it"):
            open_dataset("300W", wrong)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="found nothing like it"):
        open_dataset("300W", tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="no such folder; expected that of 300W: folders afw"):
        open_dataset("300W", tmp_path / "absent")


def test_an_unknown_split(archive: Path) -> None:
    with pytest.raises(ValueError, match="300W split: expected one of train, .*, all; got 'test'"):
        open_dataset("300W", archive, split="test")
