"""Synthetic faces: the same bytes again, exact labels, and what may vary."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facelab.data import SceneRanges, SyntheticFaces, landmark_box
from facelab.face3d import builtin_face
from facelab.geometry import rotation_angles


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> SyntheticFaces:
    return SyntheticFaces(40, 64, seed=3, folder=tmp_path_factory.mktemp("cache"))


def test_a_face_depends_on_seed_and_index_alone(faces: SyntheticFaces, tmp_path: Path) -> None:
    fewer = SyntheticFaces(5, 64, seed=3, folder=tmp_path)
    for index in range(5):
        assert torch.equal(faces[index].image, fewer[index].image)
        assert torch.equal(faces[index].landmarks, fewer[index].landmarks)
    other = SyntheticFaces(5, 64, seed=4, folder=tmp_path)
    assert not torch.equal(fewer[0].image, other[0].image)


def test_samples_have_the_shapes_they_promise(faces: SyntheticFaces) -> None:
    sample = faces[0]
    assert sample.image.shape == (3, 64, 64) and sample.image.dtype == torch.float32
    assert 0 <= float(sample.image.min()) <= float(sample.image.max()) <= 1
    assert sample.landmarks.shape == (68, 3) and sample.visible.dtype == torch.bool
    assert sample.pose.shape == (3,) and sample.parameters.shape == (62,) and sample.markup == "68"
    assert torch.equal(sample.box, landmark_box(sample.landmarks))
    assert faces[-1].name == "synthetic-3-39" == faces[39].name
    with pytest.raises(IndexError, match="face 40: expected an index below 40"):
        faces[40]
    with pytest.raises(IndexError):
        faces[-41]


def test_landmarks_are_vertices_of_the_mesh_that_was_drawn(faces: SyntheticFaces) -> None:
    meshes = faces.vertices(range(8))
    expected = torch.stack([faces[i].landmarks for i in range(8)])
    torch.testing.assert_close(meshes[:, faces.face.landmarks], expected, atol=1e-3, rtol=0)


def test_parameters_hold_the_camera_and_the_first_coefficients(faces: SyntheticFaces) -> None:
    """The camera of the 62 parameters is a scaled, flipped rotation by the sample's pose."""
    for index in range(8):
        sample = faces[index]
        camera = sample.parameters[:12].reshape(3, 4)[:, :3] * torch.tensor([[1.0], [-1.0], [1.0]])
        rotation = camera / torch.det(camera) ** (1 / 3)
        torch.testing.assert_close(rotation_angles(rotation), sample.pose, atol=1e-4, rtol=0)
    spread = torch.stack([faces[i].parameters[12:52] for i in range(40)]).std(0)
    ratio = spread / faces.face.identity_std[:40]
    assert 0.8 < float(ratio.mean()) < 1.2


def test_poses_and_framing_stay_in_their_ranges(tmp_path: Path) -> None:
    ranges = SceneRanges(roll=(-5, 5), pitch=(0, 10), margin=(1.6, 1.6), shift=0.0)
    faces = SyntheticFaces(30, 64, yaw=(20, 40), ranges=ranges, folder=tmp_path)
    pitch, yaw, roll = faces.poses.rad2deg().unbind(1)
    for angle, low, high in ((pitch, 0, 10), (yaw, 20, 40), (roll, -5, 5)):
        assert low - 1e-3 <= float(angle.min()) and float(angle.max()) <= high + 1e-3
    boxes = landmark_box(faces.landmarks)
    extent = (boxes[:, 2:] - boxes[:, :2]).amax(1)
    torch.testing.assert_close(extent, torch.full((30,), 64 / 1.6), atol=1e-3, rtol=0)
    torch.testing.assert_close((boxes[:, :2] + boxes[:, 2:]) / 2, torch.full((30, 2), 31.5), atol=1e-3, rtol=0)


def test_the_turned_away_side_is_hidden(tmp_path: Path) -> None:
    """At a yaw of 60 to 80 degrees the nose points to image left, and the jaw's end on that side is behind the head."""
    ranges = SceneRanges(roll=(0, 0), pitch=(0, 0), expression=0.0)
    turned = SyntheticFaces(12, 64, yaw=(60, 80), ranges=ranges, folder=tmp_path)
    seen = torch.stack([turned[i].visible for i in range(12)]).float().mean(0)
    assert float(seen[0]) < 0.2 and float(seen[15]) > 0.8 and float(seen[30]) > 0.8
    nose, middle = turned.landmarks[:, 30, 0], turned.landmarks[:, [0, 16], 0].mean(1)
    assert bool((nose < middle).all())
    frontal = SyntheticFaces(12, 64, yaw=(-5, 5), ranges=ranges, folder=tmp_path)
    assert float(torch.stack([frontal[i].visible for i in range(12)]).float()[:, 17:].mean()) > 0.9


def test_found_again_without_rendering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SyntheticFaces(4, 32, folder=tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr("facelab.data.synthetic.faces.render_scene", never)
    assert torch.equal(SyntheticFaces(4, 32, folder=tmp_path)[2].image, first[2].image)
    with pytest.raises(AssertionError, match="rendered again"):
        SyntheticFaces(4, 32, seed=1, folder=tmp_path)


def test_pictures_are_mapped_not_held(faces: SyntheticFaces) -> None:
    assert isinstance(faces._arrays["images"], np.memmap)


def test_the_2d_jaw_follows_the_outline_and_the_rest_stays(tmp_path: Path) -> None:
    """At a yaw of 40 to 60 degrees the far side of the jaw moves outward; the near side and the features do not."""
    ranges = SceneRanges(roll=(0, 0), pitch=(0, 0), expression=0.0)
    options = {"count": 16, "size": 96, "yaw": (40, 60), "ranges": ranges, "folder": tmp_path}
    inner, outline = SyntheticFaces(jaw="3d", **options), SyntheticFaces(jaw="2d", **options)
    moved = outline.landmarks - inner.landmarks
    assert torch.equal(moved[:, 17:], torch.zeros_like(moved[:, 17:]))
    assert torch.equal(outline[3].landmarks, outline.landmarks[3])
    far, near = moved[:, 1:5, 0], moved[:, 11:16, :2].norm(dim=2)
    assert float(far.mean()) < -2.0  # the nose points to image left, so the far side is on the left
    assert float(near.median()) < 1.0
    meshes = outline.vertices(range(16))
    skin = meshes[:, outline.face.region == outline.face.region_names.index("face")]
    for index in range(16):
        point = outline.landmarks[index, 3]
        beside = skin[index][(skin[index, :, 1] - point[1]).abs() < 1.5]
        assert float(point[0] - beside[:, 0].min()) < 2.5
    with pytest.raises(ValueError, match="jaw: expected '3d' or '2d', got '4d'"):
        SyntheticFaces(1, 32, jaw="4d", folder=tmp_path)


def test_bad_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected count >= 1, size >= 16, seed >= 0, got 0, 64, 0"):
        SyntheticFaces(0, 64, folder=tmp_path)
    with pytest.raises(ValueError, match=r"scene yaw: expected \(low, high\) with low <= high, got \(30.0, -30.0\)"):
        SyntheticFaces(1, 64, yaw=(30, -30), folder=tmp_path)
    with pytest.raises(ValueError, match="margin > 0"):
        SceneRanges(margin=(0, 1))


def test_the_built_in_face_is_one_object() -> None:
    assert builtin_face() is builtin_face()
