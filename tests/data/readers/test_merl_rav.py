"""MERL-RAV on files made here: the sign of a coordinate tells whether a point is seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from facelab.data.readers import open_dataset

WritePts = Callable[[Path, np.ndarray], None]
WritePicture = Callable[[Path], None]
LABELS = "merl_rav_labels/{pose}/{split}/labels/{name}.pts"


@pytest.fixture
def archive(tmp_path: Path, write_pts: WritePts, write_picture: WritePicture, points68: np.ndarray) -> Path:
    folder = tmp_path / "MERL-RAV"
    signed = points68.copy()
    signed[5:8] *= -1
    signed[20:22] = -1
    for pose, split, name in (("frontal", "trainset", "a"), ("lefthalf", "testset", "b"), ("right", "testset", "c")):
        write_pts(folder / LABELS.format(pose=pose, split=split, name=name), signed)
    write_picture(folder / "aflw" / "0" / "a.jpg")
    write_picture(folder / "aflw" / "2" / "b.png")
    write_picture(folder / "c.jpg")
    write_picture(folder / "aflw" / "2" / "not_labelled.jpg")
    return folder


def test_signs(archive: Path, points68: np.ndarray) -> None:
    sample = open_dataset("MERL-RAV", archive)[0]
    missing = torch.zeros(68, dtype=torch.bool)
    missing[20:22] = True
    hidden = missing.clone()
    hidden[5:8] = True
    assert torch.equal(sample.visible, ~hidden)
    assert torch.equal(sample.landmarks.isnan().all(1), missing) and sample.landmarks[~missing].isfinite().all()
    np.testing.assert_allclose(sample.landmarks[~missing], points68[(~missing).numpy()] - 1, atol=1e-4)
    there = sample.landmarks[~missing]
    assert torch.equal(sample.box, torch.cat([there.amin(0), there.amax(0)]))


@pytest.mark.parametrize(("split", "names"), [("train", ["a"]), ("test", ["b", "c"]), ("all", ["a", "b", "c"])])
def test_splits(archive: Path, split: str, names: list[str]) -> None:
    assert [sample.name for sample in open_dataset("MERL-RAV", archive, split=split)] == names


def test_labels_without_their_picture(archive: Path) -> None:
    (archive / "c.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"c\.pts: no picture for this label; strict=False leaves"):
        open_dataset("MERL-RAV", archive)
    faces = open_dataset("MERL-RAV", archive, strict=False)
    assert [sample.name for sample in faces] == ["a", "b"] and len(faces.skipped) == 1


def test_labels_that_are_wrong(archive: Path, write_pts: WritePts, points68: np.ndarray) -> None:
    path = archive / LABELS.format(pose="frontal", split="trainset", name="a")
    write_pts(path, points68[:50])
    with pytest.raises(ValueError, match=r"a\.pts: expected 68 points, found 50"):
        open_dataset("MERL-RAV", archive)[0]
    write_pts(path, np.full((68, 2), -1))
    with pytest.raises(ValueError, match="sample a: expected at least one landmark, found none"):
        open_dataset("MERL-RAV", archive)[0]
    write_pts(path, points68 + 5000)
    with pytest.raises(ValueError, match="sample a: expected landmarks near the 120 x 100 picture, found point 0"):
        open_dataset("MERL-RAV", archive)[0]
    faces = open_dataset("MERL-RAV", archive, strict=False)
    assert [sample.name for sample in faces] == ["b", "c"] and "sample a: expected landmarks near" in faces.skipped[0]


def test_wrong_places_and_splits(archive: Path) -> None:
    for wrong in (archive.parent, archive / "merl_rav_labels"):
        with pytest.raises(FileNotFoundError, match=f"{archive} looks like it: give that folder"):
            open_dataset("MERL-RAV", wrong)
    with pytest.raises(ValueError, match="MERL-RAV split: expected train, test or all; got 'valid'"):
        open_dataset("MERL-RAV", archive, split="valid")
