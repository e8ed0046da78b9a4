"""The visible outline: tracks on the skin, and where the jaw goes when the head turns."""

import pytest
import torch

from facelab.face3d import MorphableModel, builtin_face
from facelab.face3d.contour import JAW, contour_tracks, visible_contour
from facelab.geometry import WeakPerspective, rotation_matrix


@pytest.fixture(scope="module")
def face() -> MorphableModel:
    return builtin_face()


def _seen(face: MorphableModel, pitch: float, yaw: float, roll: float) -> tuple[torch.Tensor, torch.Tensor]:
    rotation = rotation_matrix(*torch.tensor([pitch, yaw, roll]).deg2rad())[None]
    camera = WeakPerspective(torch.tensor([5.0]), rotation, torch.tensor([[100.0, 100.0]]))
    points = camera.project(face.vertices())
    return face.landmarks_of(points)[0, :JAW, :2], visible_contour(face, points, camera)[0]


def test_tracks_start_at_the_jaw_and_stay_on_the_skin(face: MorphableModel) -> None:
    tracks = contour_tracks(face)
    assert torch.equal(tracks[:, 0], face.landmarks[:JAW])
    names = [face.region_names[number] for number in face.region[tracks].unique().tolist()]
    assert set(names) <= {"face", "lips", "neck"}
    start, end = face.mean.T[tracks[:, 0]], face.mean.T[tracks[:, -1]]
    assert bool((end[:, 2] > start[:, 2]).all())  # toward the middle is toward the viewer


def test_a_frontal_face_keeps_its_jaw(face: MorphableModel) -> None:
    fixed, seen = _seen(face, 0, 0, 0)
    assert float((fixed - seen).norm(dim=1).mean()) < 2.0  # of a face 75 pixels wide


def test_the_outline_of_a_face_and_of_its_mirror_image_agree(face: MorphableModel) -> None:
    _, left = _seen(face, 5, 40, 0)
    _, right = _seen(face, 5, -40, 0)
    mirrored = torch.stack([200 - right[:, 0], right[:, 1]], 1).flip(0)
    assert float((left - mirrored).norm(dim=1).mean()) < 1.5


def test_a_turned_picture_has_a_turned_outline(face: MorphableModel) -> None:
    rotation = rotation_matrix(*torch.tensor([0.0, 45.0, 0.0]).deg2rad())
    angle = torch.tensor(30.0).deg2rad()
    turn = torch.eye(3)
    turn[:2, :2] = torch.stack([torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])])
    scale, centre = torch.full((2,), 5.0), torch.full((2, 2), 100.0)
    camera = WeakPerspective(scale, torch.stack([rotation, turn @ rotation]), centre)
    level, turned = visible_contour(face, camera.project(face.vertices().expand(2, -1, -1)), camera)
    expected = (level - 100) @ turn[:2, :2] + 100  # y points down in a picture
    torch.testing.assert_close(turned, expected, atol=1e-2, rtol=0)
