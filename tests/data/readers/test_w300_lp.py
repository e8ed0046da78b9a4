"""300W-LP on files made here: the official folders, the landmark files, and both together."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from facelab.data.readers import open_dataset

RNG = np.random.default_rng(0)
POSE = [0.1, -0.4, 0.2, 230.0, 220.0, -60.0, 1.1e-3]
WritePicture = Callable[[Path], None]


def _write_model(folder: Path, key: str, points: np.ndarray, **changes: object) -> None:
    fields: dict[str, object] = {
        "pt2d": points.T,
        "Pose_Para": np.array([POSE], np.float32),
        "Shape_Para": RNG.normal(size=(199, 1)) * 1e5,
        "Exp_Para": RNG.normal(size=(29, 1)),
    }
    kept = {name: value for name, value in (fields | changes).items() if value is not None}
    scipy.io.savemat(folder / f"{key}.mat", kept)


def _write_points(folder: Path, key: str, flat: np.ndarray, projected: np.ndarray | None) -> None:
    path = folder / "landmarks" / f"{key}_pts.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"pts_2d": flat} | ({} if projected is None else {"pts_3d": projected}))


@pytest.fixture
def archive(tmp_path: Path, write_picture: WritePicture, points68: np.ndarray) -> Path:
    """Two sets and the mirrored copy of one; landmark files for AFW alone."""
    folder = tmp_path / "300W_LP"
    for key in ("AFW/AFW_1_0", "AFW/AFW_1_1", "AFW_Flip/AFW_1_0", "HELEN/HELEN_2_0"):
        write_picture(folder / f"{key}.jpg")
        _write_model(folder, key, points68)
    for key in ("AFW/AFW_1_0", "AFW/AFW_1_1"):
        _write_points(folder, key, points68 + 1, points68 + 2)
    return folder


def test_landmark_files_come_first_and_models_give_the_pose(archive: Path, points68: np.ndarray) -> None:
    faces = open_dataset("300W-LP", archive)
    assert [entry.name for entry in faces.entries] == ["AFW/AFW_1_0", "AFW/AFW_1_1", "HELEN/HELEN_2_0"]
    np.testing.assert_allclose(faces[0].landmarks, points68, atol=1e-4)
    np.testing.assert_allclose(faces[2].landmarks, points68 - 1, atol=1e-4)
    for sample in faces:
        assert sample.pose.tolist() == pytest.approx(POSE[:3])
        assert sample.parameters.isfinite().all() and sample.visible.all()


def test_the_3d_version_is_that_of_the_landmark_files(archive: Path, points68: np.ndarray) -> None:
    faces = open_dataset("300W-LP", archive, version="3d", sets="AFW")
    assert len(faces) == 2
    np.testing.assert_allclose(faces[1].landmarks, points68 + 1, atol=1e-4)
    both = open_dataset("300W-LP", archive, version="3d")
    with pytest.raises(ValueError, match=r"HELEN_2_0\.mat: has no 3D landmarks; .*landmarks/HELEN/HELEN_2_0_pts\.mat"):
        both[2]
    (message,) = open_dataset("300W-LP", archive, version="3d", strict=False).skipped
    assert "HELEN_2_0.mat: has no 3D landmarks" in message


def test_landmark_files_alone(tmp_path: Path, write_picture: WritePicture, points68: np.ndarray) -> None:
    write_picture(tmp_path / "IBUG" / "IBUG_3_0.jpg")
    _write_points(tmp_path, "IBUG/IBUG_3_0", points68, None)
    (sample,) = list(open_dataset("300W-LP", tmp_path))
    np.testing.assert_allclose(sample.landmarks, points68 - 1, atol=1e-4)
    assert sample.pose.isnan().all() and sample.parameters.isnan().all()
    with pytest.raises(ValueError, match=r"IBUG_3_0_pts\.mat: field pts_3d: expected .*\(68, 2\), found nothing"):
        open_dataset("300W-LP", tmp_path, version="3d")[0]


def test_mirrored_copies_are_taken_when_asked_for(archive: Path) -> None:
    names = {entry.name for entry in open_dataset("300W-LP", archive, flipped=True).entries}
    assert names == {"AFW/AFW_1_0", "AFW/AFW_1_1", "AFW_Flip/AFW_1_0", "HELEN/HELEN_2_0"}


def test_sets_are_chosen_by_name(archive: Path) -> None:
    for sets in ("HELEN", ("HELEN",), "HELEN,LFPW"):
        assert [e.name for e in open_dataset("300W-LP", archive, sets=sets).entries] == ["HELEN/HELEN_2_0"]
    with pytest.raises(ValueError, match="300W-LP version: expected '2d' or '3d', got '2D'"):
        open_dataset("300W-LP", archive, version="2D")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pt2d": None}, r"field pt2d: expected finite numbers of shape \(2, 68\), found nothing"),
        ({"pt2d": np.zeros((2, 21))}, r"field pt2d: .*found shape \(2, 21\)"),
        ({"pt2d": np.full((2, 68), np.nan)}, "field pt2d: expected finite numbers"),
        ({"pt2d": np.full((2, 68), 9000.0)}, r"expected landmarks near the 450 x 450 picture, found point 0"),
        ({"Pose_Para": np.zeros((1, 6))}, r"field Pose_Para: .*\(1, 7\), found shape \(1, 6\)"),
        ({"Exp_Para": None}, "field Exp_Para: .*found nothing"),
    ],
)
def test_bad_fields_are_named(
    tmp_path: Path, write_picture: WritePicture, points68: np.ndarray, changes: dict[str, object], message: str
) -> None:
    write_picture(tmp_path / "LFPW" / "a.jpg")
    _write_model(tmp_path, "LFPW/a", points68, **changes)
    with pytest.raises(ValueError, match=rf"a\.mat: {message}"):
        open_dataset("300W-LP", tmp_path)[0]
    faces = open_dataset("300W-LP", tmp_path, strict=False)
    assert len(faces) == 0 and len(faces.skipped) == 1 and re.search(message, faces.skipped[0])


def test_unpaired_and_damaged_files(archive: Path, write_picture: WritePicture) -> None:
    write_picture(archive / "AFW" / "alone.jpg")
    with pytest.raises(FileNotFoundError, match=r"alone\.jpg: no label AFW/alone\.mat or landmarks/AFW/alone_pts\.mat"):
        open_dataset("300W-LP", archive)
    (archive / "AFW" / "alone.jpg").unlink()
    (archive / "AFW" / "AFW_1_1.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"AFW_1_1\.mat: no picture AFW/AFW_1_1\.jpg for this label"):
        open_dataset("300W-LP", archive)
    (archive / "HELEN" / "HELEN_2_0.jpg").write_bytes(b"\xff\xd8\xff")
    faces = open_dataset("300W-LP", archive, strict=False)
    assert [entry.name for entry in faces.entries] == ["AFW/AFW_1_0"] and len(faces.skipped) == 2


def test_a_folder_one_level_off(archive: Path) -> None:
    for wrong in (archive.parent, archive / "AFW"):
        with pytest.raises(FileNotFoundError, match=f"{archive} looks like it: give that folder"):
            open_dataset("300W-LP", wrong)
