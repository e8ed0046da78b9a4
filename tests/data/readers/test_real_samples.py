"""Every reader on the real files named by FACELAB_DATA: counts, conventions of pixels, order, pose and visibility."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from facelab.data import FaceSample
from facelab.data.readers import open_dataset
from facelab.data.readers.matlab import read_matlab
from facelab.data.readers.menpo import read_ljson
from facelab.data.readers.pts import read_stored_pts
from facelab.data.readers.wflw import parse_line
from facelab.face3d import builtin_face
from facelab.geometry import rotation_angles, similarity
from facelab.markups import markup

SETS: list[tuple[str, str, dict[str, Any], int]] = [
    ("300W-LP", "300W_LP", {}, 1),
    ("300W-LP", "300W_LP_landmarks_only", {}, 1),
    ("AFLW2000-3D", "AFLW2000", {}, 5),
    ("300W", "300W", {}, 2),
    ("WFLW", "WFLW", {}, 3),
    ("COFW-68", "COFW", {"strict": False}, 1),
    ("AFLW", "AFLW", {"points": 19}, 1),
    ("MERL-RAV", "AFLW", {}, 1),
    ("Menpo", "menpo", {}, 3),
]
# Per face: pitch, yaw, roll (degrees), nose tip as stored, sqrt(w * h) of the landmarks, distance 36 to 45, roi.
AFLW2000_TABLE: dict[str, tuple[list[float], list[float], float, float, list[float]]] = {
    "image00050": ([-4.66, 0.94, 5.64], [224.74, 269.69, 80.60], 202.697, 127.004, [162, 52, 1182, 1072]),
    "image02545": ([-30.97, 10.97, -8.81], [220.15, 280.43, 60.05], 180.430, 114.645, [-187, -232, 987, 942]),
    "image00516": ([-0.99, -35.71, 5.62], [255.56, 269.08, 54.36], 174.343, 89.091, [-296, -409, 1868, 1755]),
    "image00251": ([6.99, -54.69, -14.58], [260.71, 269.59, 36.82], 160.273, 58.561, [170, 123, 866, 819]),
    "image00475": ([39.96, 65.62, 19.99], [189.26, 257.26, 13.65], 160.620, 47.301, [753, -216, 1681, 712]),
}


@pytest.fixture(scope="module")
def real(real_data: Path) -> Path:
    return real_data / "real"


@pytest.fixture(scope="module")
def fitted(real: Path) -> dict[str, FaceSample]:
    return {str(sample.name): sample for sample in open_dataset("AFLW2000-3D", real / "AFLW2000")}


def _all_samples(real: Path) -> Iterator[tuple[str, FaceSample]]:
    for name, folder, options, _ in SETS:
        for sample in open_dataset(name, real / folder, **options):
            yield name, sample


@pytest.mark.parametrize(("name", "folder", "options", "count"), SETS)
def test_counts_and_shapes(real: Path, name: str, folder: str, options: dict[str, Any], count: int) -> None:
    faces = open_dataset(name, real / folder, **options)
    assert len(faces) == count and faces.skipped == []
    for sample in faces:
        points = markup(sample.markup).points
        channels, height, width = sample.image.shape
        assert channels == 3 and 0 <= sample.image.min() < sample.image.max() <= 1
        assert sample.landmarks.shape == (points, 3 if name == "AFLW2000-3D" else 2)
        assert sample.visible.shape == (points,) and sample.parameters.shape == (62,)
        seen = sample.landmarks[sample.visible, :2]
        assert (seen >= 0).all() and (seen < torch.tensor([width, height])).all(), sample.name


def test_strict_false_finds_the_same_samples(real: Path) -> None:
    for name, folder, options, count in SETS:
        faces = open_dataset(name, real / folder, **{**options, "strict": False})
        assert len(faces) == count and faces.skipped == []


def test_landmarks_stand_in_the_order_of_their_mark_up(real: Path) -> None:
    """Image left comes first, brows stand above eyes, eyes above the mouth, the mouth above the chin."""
    for name, sample in _all_samples(real):
        if sample.markup != "68" or sample.pose[1].abs() > 1:  # in profile the eyes tell no direction; NaN passes
            continue
        points = sample.landmarks[:, :2]
        left, right, mouth = points[36:42].mean(0), points[42:48].mean(0), points[48:68].mean(0)
        across = (right - left) / (right - left).norm()
        down = torch.stack([-across[1], across[0]])
        assert across[0] > 0.5, (name, sample.name)
        heights = points @ down
        brows, eyes = heights[17:27].nanmean(), heights[36:48].mean()
        assert brows < eyes < heights[30] < mouth @ down < heights[8], (name, sample.name)


def test_mirror_of_wflw_on_real_faces(real: Path) -> None:
    """A mirrored and renumbered face lies on the first one, landmark by landmark, as far as faces are symmetric."""
    mirror = list(markup("98").mirror)
    for sample in open_dataset("WFLW", real / "WFLW"):
        points = sample.landmarks
        flipped = (points * torch.tensor([-1.0, 1.0]))[mirror]
        moved = similarity(flipped[None], points[None]).apply(flipped[None])[0]
        apart = (moved - points).norm(dim=1) / (points[60] - points[72]).norm()
        assert apart.max() < 0.25, sample.name


@pytest.mark.parametrize("name", AFLW2000_TABLE)
def test_aflw2000_against_the_table(real: Path, fitted: dict[str, FaceSample], name: str) -> None:
    angles, nose, size, eyes, roi = AFLW2000_TABLE[name]
    sample = fitted[name]
    points = sample.landmarks[:, :2]
    assert sample.pose.rad2deg().tolist() == pytest.approx(angles, abs=0.006)
    counted_from_zero = [nose[0] - 1, nose[1] - 1, nose[2]]
    assert sample.landmarks[30].tolist() == pytest.approx(counted_from_zero, abs=0.006)
    sides = points.amax(0) - points.amin(0)
    assert math.sqrt(float(sides.prod())) == pytest.approx(size, abs=2e-3)
    assert float((points[36] - points[45]).norm()) == pytest.approx(eyes, abs=2e-3)
    stored = read_matlab(real / "AFLW2000" / f"{name}.mat", {"roi": (1, 4)})["roi"]
    assert stored.tolist() == [roi]


@pytest.mark.parametrize("name", AFLW2000_TABLE)
def test_pose_agrees_with_a_head_turned_onto_the_landmarks(fitted: dict[str, FaceSample], name: str) -> None:
    """The built-in head, moved onto the 3D landmarks, stands as the file says: signs, order and depth are right."""
    face = builtin_face()
    head = face.landmarks_of(face.mean.T[None]).double()
    upright = fitted[name].landmarks.double() * torch.tensor([1.0, -1.0, 1.0])
    turned = rotation_angles(similarity(head, upright[None]).rotation)
    angles = torch.stack(list(turned), -1).flatten().rad2deg()
    torch.testing.assert_close(angles.float(), fitted[name].pose.rad2deg(), atol=4.0, rtol=0)


@pytest.mark.parametrize("name", AFLW2000_TABLE)
def test_parameters_hold_the_pose(fitted: dict[str, FaceSample], name: str) -> None:
    """The camera is one scale times the rotation of the pose, with y turned down."""
    camera = fitted[name].parameters[:12].reshape(3, 4)
    turn = camera[:, :3] * torch.tensor([1.0, -1.0, 1.0])[:, None]
    scale = turn.norm(dim=1)
    assert (scale.max() / scale.min()).item() == pytest.approx(1, abs=1e-4)
    angles = torch.stack(list(rotation_angles((turn / scale[:, None])[None])), -1).flatten()
    torch.testing.assert_close(angles, fitted[name].pose, atol=1e-4, rtol=0)


def test_300w_lp_counts_from_zero_and_keeps_the_pose(real: Path) -> None:
    (sample,) = list(open_dataset("300W-LP", real / "300W_LP"))
    assert sample.name == "IBUG/IBUG_image_008_1_0"
    assert sample.landmarks[30].tolist() == pytest.approx([299.157 - 1, 282.810 - 1], abs=1e-3)
    assert sample.pose.rad2deg().tolist() == pytest.approx([-7.58, -44.01, 3.21], abs=0.006)
    assert sample.parameters.isfinite().all()
    roi = read_matlab(real / "300W_LP" / "IBUG" / "IBUG_image_008_1_0.mat", {"roi": (1, 4)})["roi"]
    assert roi.tolist() == [[53, -166, 638, 419]]


def test_300w_lp_says_what_its_3d_version_needs(real: Path) -> None:
    with pytest.raises(ValueError, match=r"008_1_0\.mat: has no 3D landmarks; they need the landmark file"):
        open_dataset("300W-LP", real / "300W_LP", version="3d")[0]
    with pytest.raises(ValueError, match=r"134212_1_0_pts\.mat: field pts_3d: expected .*found nothing"):
        open_dataset("300W-LP", real / "300W_LP_landmarks_only", version="3d")[0]
    (sample,) = list(open_dataset("300W-LP", real / "300W_LP_landmarks_only"))
    assert sample.pose.isnan().all() and sample.parameters.isnan().all()


def test_300w_splits_and_base(real: Path) -> None:
    assert [len(open_dataset("300W", real / "300W", split=split)) for split in ("train", "private", "all")] == [1, 1, 2]
    with pytest.raises(FileNotFoundError, match="expected folders afw"):
        open_dataset("300W", real / "300W", split="challenging")
    (sample,) = list(open_dataset("300W", real / "300W", split="private"))
    stored = read_stored_pts(real / "300W" / "300W" / "01_Indoor" / "indoor_020.pts", 68)
    torch.testing.assert_close(sample.landmarks, stored - 1)


def test_grey_and_palette_pictures_become_colour(real: Path) -> None:
    assert Image.open(real / "300W" / "300W" / "01_Indoor" / "indoor_020.png").mode == "P"
    assert Image.open(real / "menpo" / "einstein.jpg").mode == "L"
    (palette,) = list(open_dataset("300W", real / "300W", split="private"))
    assert palette.image.shape == (3, 768, 726)
    grey = {sample.name: sample for sample in open_dataset("Menpo", real / "menpo")}["einstein"]
    assert torch.equal(grey.image[0], grey.image[1]) and torch.equal(grey.image[0], grey.image[2])


def test_wflw_lines(real: Path) -> None:
    faces = open_dataset("WFLW", real / "WFLW")
    assert faces.attributes.shape == (3, 6) and not faces.attributes.any()
    assert len({entry.picture for entry in faces.entries}) == 1 and len({sample.name for sample in faces}) == 3
    for sample in faces:
        left, right = sample.landmarks[60:68], sample.landmarks[68:76]
        assert (sample.landmarks[96] - left.mean(0)).norm() < (left[0] - left[4]).norm() / 2
        assert (sample.landmarks[97] - right.mean(0)).norm() < (right[0] - right[4]).norm() / 2
        assert left[:, 0].mean() < right[:, 0].mean()
    line = (real / "WFLW" / "official_line_without_image.txt").read_text().strip()
    entry = parse_line(line, "the line", real)
    assert entry.numbers[196:200] == (198, 242, 331, 385)
    box = torch.tensor(entry.numbers[:196]).reshape(98, 2)
    assert [*box.amin(0).tolist(), *box.amax(0).tolist()] == pytest.approx([182.2, 263.2, 338.2, 387.0], abs=0.06)


def test_cofw68_boxes_and_occlusion(real: Path) -> None:
    (sample,) = list(open_dataset("COFW-68", real / "COFW", strict=False))
    assert sample.name == "test-421"
    assert sample.box.tolist() == [41, 118, 41 + 132, 118 + 148]
    label = real / "COFW" / "COFW68_Data" / "test_annotations" / "421_points.mat"
    stored = read_matlab(label, {"Points": (68, 2), "Occ": (1, 68)})
    assert torch.equal(sample.visible, stored["Occ"][0] != 1) and 0 < int((~sample.visible).sum()) < 68
    torch.testing.assert_close(sample.landmarks, stored["Points"] - 1)


def test_merl_rav_has_three_kinds_of_visibility(real: Path) -> None:
    (sample,) = list(open_dataset("MERL-RAV", real / "AFLW"))
    missing = sample.landmarks.isnan().all(1)
    assert int(sample.visible.sum()) == 53
    assert int((~sample.visible & ~missing).sum()) == 13
    assert missing.nonzero().flatten().tolist() == [17, 18]
    assert sample.box.isfinite().all()


def test_aflw_and_merl_rav_agree_on_the_same_face(real: Path) -> None:
    """Corners of eyes and mouth by two teams of annotators on one photograph."""
    (few,) = list(open_dataset("AFLW", real / "AFLW", points=19))
    (many,) = list(open_dataset("MERL-RAV", real / "AFLW"))
    assert torch.equal(few.image, many.image)
    apart = few.landmarks[[6, 8, 9, 11, 15, 17]] - many.landmarks[[36, 39, 42, 45, 48, 54]]
    assert apart.mean(0).abs().max() < 3


def test_ljson_swaps_its_axes_in_2d_and_not_in_3d(real: Path) -> None:
    lenna = {sample.name: sample for sample in open_dataset("Menpo", real / "menpo")}["lenna"]
    pupils = read_ljson(real / "menpo" / "lenna.ljson", 2)
    for pupil, eye in zip(pupils, (lenna.landmarks[36:42], lenna.landmarks[42:48]), strict=True):
        assert (pupil - eye.mean(0)).norm() < 10
    template = read_ljson(real / "menpo3d" / "template.ljson", 68, dimensions=3)
    assert int(template[:, 2].argmax()) == 30 and template[30, 2].item() == pytest.approx(126898, abs=1)
    assert template[36, 0] < template[45, 0] and template[8, 1] < template[27, 1]


def test_all_samples_are_drawn_in_one_picture(real: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.png"
    draw_all(real, path)
    pixels = np.asarray(Image.open(path).convert("RGB"))
    assert pixels.shape[0] > 500 and pixels.shape[1] > 500
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10_000


def draw_all(real: Path, path: Path) -> None:
    """Every real sample around its face, seen landmarks green, hidden ones red."""
    samples = list(_all_samples(real))
    columns = 6
    rows = math.ceil(len(samples) / columns)
    figure = matplotlib.figure.Figure((3 * columns, 3.2 * rows), dpi=100, layout="tight")
    for place, (name, sample) in enumerate(samples, 1):
        axes = figure.add_subplot(rows, columns, place)
        axes.imshow(sample.image.permute(1, 2, 0).numpy())
        for chosen, colour in ((sample.visible, "lime"), (~sample.visible, "red")):
            axes.scatter(*_columns(sample.landmarks[chosen]), s=5, color=colour, linewidths=0)
        x0, y0, x1, y1 = sample.box.tolist()
        margin = 0.25 * max(x1 - x0, y1 - y0)
        axes.set(xlim=(x0 - margin, x1 + margin), ylim=(y1 + margin, y0 - margin), xticks=[], yticks=[])
        axes.set_title(f"{name}\n{str(sample.name)[-24:]}", fontsize=7)
    figure.savefig(path)


def _columns(points: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return points[:, 0].numpy(), points[:, 1].numpy()
