"""AFLW2000-3D on files written here, and on real ones where there are any."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from facelab.data.readers import AFLW2000
from facelab.geometry import rotation_matrix

RNG = np.random.default_rng(0)


def _write(folder: Path, name: str = "image00001", **changes: object) -> Path:
    fields: dict[str, object] = {
        "pt3d_68": RNG.uniform(100, 300, (3, 68)).astype(np.float32),
        "Pose_Para": np.array([[0.1, 0.5, -0.2, 60.0, 70.0, -5.0, 5e-4]], np.float32),
        "Shape_Para": RNG.normal(size=(199, 1)) * 1e5,
        "Exp_Para": np.zeros((29, 1), np.uint8),
    }
    kept = {key: value for key, value in (fields | changes).items() if value is not None}
    scipy.io.savemat(folder / f"{name}.mat", kept)
    Image.fromarray(RNG.integers(0, 255, (450, 450, 3), np.uint8)).save(folder / f"{name}.jpg")
    return folder / f"{name}.mat"


def test_pixels_count_from_zero_and_the_camera_follows(tmp_path: Path) -> None:
    """A model point goes to x = P_x - 1 and y = 450 - P_y with P = f R S + t, as the set's files have it from 1."""
    path = _write(tmp_path)
    stored = torch.from_numpy(scipy.io.loadmat(path)["pt3d_68"])
    (sample,) = list(AFLW2000(tmp_path))
    torch.testing.assert_close(sample.landmarks[:, :2], stored[:2].T - 1)
    torch.testing.assert_close(sample.landmarks[:, 2], stored[2])
    assert sample.name == "image00001" and sample.pose.tolist() == pytest.approx([0.1, 0.5, -0.2])
    point = torch.tensor([3e4, -2e4, 9e4])
    projected = 5e-4 * rotation_matrix(*sample.pose) @ point + torch.tensor([60.0, 70.0, -5.0])
    expected = torch.stack([projected[0] - 1, 450 - projected[1], projected[2]])
    camera = sample.parameters[:12].reshape(3, 4)
    torch.testing.assert_close(camera @ torch.cat([point, torch.ones(1)]), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pt3d_68": None}, r"field pt3d_68: expected finite numbers of shape \(3, 68\), found nothing"),
        ({"pt3d_68": np.zeros((2, 68))}, r"found shape \(2, 68\)"),
        ({"Pose_Para": np.full((1, 7), np.nan)}, "field Pose_Para: expected finite"),
    ],
)
def test_bad_fields_are_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = _write(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"{path.name}: {message}|{message}"):
        AFLW2000(tmp_path)[0]


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    path = _write(tmp_path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"image00001.mat: expected a whole MATLAB 5 file"):
        AFLW2000(tmp_path)[0]
    path.with_suffix(".jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"image00001.mat: no picture for this label"):
        AFLW2000(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"expected files <name>.jpg and <name>.mat"):
        AFLW2000(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        AFLW2000(tmp_path / "gone")


def test_the_reannotation_replaces_the_landmarks_alone(tmp_path: Path) -> None:
    folder, others = tmp_path / "AFLW2000", tmp_path / "AFLW2000-3D-Reannotated"
    folder.mkdir()
    (others / "deeper").mkdir(parents=True)
    for name in ("image00001", "image00002"):
        _write(folder, name)
    points = RNG.uniform(100, 300, (68, 2))
    np.save(others / "deeper" / "image00001.npy", points)
    scipy.io.savemat(others / "deeper" / "image00001.mat", {"pt3d_68": np.zeros((3, 68))})  # the original, beside it
    faces = AFLW2000(folder, labels=others)
    sample, original = faces[0], AFLW2000(folder)[0]
    np.testing.assert_allclose(sample.landmarks, points - 1, atol=1e-4)
    assert original.landmarks.shape == (68, 3)
    assert torch.equal(sample.pose, original.pose) and torch.equal(sample.parameters, original.parameters)
    with pytest.raises(FileNotFoundError, match=r"Reannotated: no re-annotation image00002\.t7, \.npy, \.pts, \.mat"):
        faces[1]
    assert len(AFLW2000(folder, labels=others, strict=False)) == 1
    with pytest.raises(FileNotFoundError, match="gone: labels: expected 'original' or the folder of the re-annotation"):
        AFLW2000(folder, labels=tmp_path / "gone")


def test_what_cannot_be_used_is_left_out_and_told(tmp_path: Path) -> None:
    for number in range(1, 7):
        _write(tmp_path, f"image0000{number}")
    (tmp_path / "image00001.jpg").unlink()
    (tmp_path / "image00002.mat").unlink()
    (tmp_path / "image00003.jpg").write_bytes((tmp_path / "image00003.jpg").read_bytes()[:2000])
    _write(tmp_path, "image00004", pt3d_68=np.full((3, 68), np.inf))
    _write(tmp_path, "image00005", pt3d_68=np.full((3, 68), 1e5))
    faces = AFLW2000(tmp_path, strict=False)
    assert [sample.name for sample in faces] == ["image00006"]
    told = {Path(message.partition(": ")[0]).name: message for message in faces.skipped}
    assert "no picture for this label" in told["image00001.mat"]
    assert "no label for this picture" in told["image00002.jpg"]
    assert "expected a readable picture" in told["image00003.jpg"]
    assert "field pt3d_68: expected finite numbers" in told["image00004.mat"]
    assert "expected landmarks near the 450 x 450 picture" in told["image00005.mat"]
    assert len(told) == len(faces.skipped) == 5


def test_a_folder_one_level_off(tmp_path: Path) -> None:
    folder = tmp_path / "AFLW2000"
    (folder / "Code").mkdir(parents=True)
    _write(folder)
    for wrong in (tmp_path, folder / "Code"):
        with pytest.raises(FileNotFoundError, match=f"{folder} looks like it: give that folder"):
            AFLW2000(wrong)


def test_real_samples_have_the_signs_on_record(real_data: Path) -> None:
    """image00475 looks up by 40 and to the image left by 66 degrees: there the jaw's image-right end is nearer."""
    samples = {s.name: s for s in AFLW2000(real_data / "real" / "AFLW2000")}
    turned = samples["image00475"]
    assert turned.pose.rad2deg().tolist() == pytest.approx([39.96, 65.62, 19.99], abs=0.01)
    assert turned.landmarks[30].tolist() == pytest.approx([188.26, 256.26, 13.65], abs=0.01)
    assert turned.landmarks[16, 2] > turned.landmarks[0, 2]
    other = samples["image00251"]
    assert other.pose[1] < 0 and other.landmarks[0, 2] > other.landmarks[16, 2]
