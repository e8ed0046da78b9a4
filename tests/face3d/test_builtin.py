"""The built-in face: exact landmarks, symmetry, a sound basis, no folds, lids in front of the eyes."""

import os
import subprocess
import sys

import pytest
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from facelab.face3d import MorphableModel, builtin_face, vertex_normals
from facelab.face3d.builtin_controls import EYE_CENTRE, EYEBALL_RADIUS, LANDMARKS, builtin_controls
from facelab.markups import markup

SAMPLES = 64
BODY = ("face", "lips", "scalp", "neck", "eyes", "lid margins", "mouth", "upper teeth", "lower teeth", "tongue", "ears",
        "clothes")  # fmt: skip


@pytest.fixture(scope="module")
def face() -> MorphableModel:
    return builtin_face()


@pytest.fixture(scope="module")
def sampled(face: MorphableModel) -> tuple[Tensor, Tensor]:
    return face.sample(SAMPLES, torch.Generator().manual_seed(0))


def _in_region(face: MorphableModel, *names: str) -> Tensor:
    return torch.isin(face.region, torch.tensor([face.region_names.index(name) for name in names]))


def _facing(vertices: Tensor, triangles: Tensor) -> Tensor:
    a, b, c = (vertices[..., triangles[:, i], :] for i in range(3))
    return torch.linalg.cross(b - a, c - a)


def test_size(face: MorphableModel) -> None:
    assert face.unit == "cm"
    assert face.identity.shape[0] == 199
    assert face.expression.shape[0] >= 29
    assert face.expression_names[:4] == ("jaw_open", "smile", "blink_left", "blink_right")
    assert 8000 <= face.subset(BODY).mean.shape[1] <= 10500 and face.mean.shape[1] <= 14000
    assert builtin_face() is face


def test_landmarks_are_the_control_points(face: MorphableModel) -> None:
    made = face.landmarks_of(face.vertices())[0].double()
    torch.testing.assert_close(made, torch.from_numpy(builtin_controls().points[:68]), rtol=0, atol=1e-5)
    for index in (8, 16, 22, 30, 33, 42, 45, 54):  # typed, and not projected on the eyeball
        typed = LANDMARKS[index]
        assert made[index].tolist() == pytest.approx([typed.x, typed.y, typed.z], abs=1e-5)


def test_the_mean_is_its_own_mirror_image(face: MorphableModel) -> None:
    flip = torch.tensor([-1.0, 1, 1])
    mean = face.vertices()[0]
    distance, _ = cKDTree(mean.numpy()).query((mean * flip).numpy())
    assert distance.max() < 1e-5
    landmarks = mean[face.landmarks]
    torch.testing.assert_close(landmarks[list(markup("68").mirror)] * flip, landmarks, rtol=0, atol=1e-5)
    own = _in_region(face, "face", "lips", "eyes")  # no two vertices in one place
    _, partner = cKDTree(mean[own].numpy()).query((mean[own] * flip).numpy())
    for name in ("lips", "brows", "lashes", "cheeks", "iris"):
        mask = face.masks[name][own]
        torch.testing.assert_close(mask[torch.from_numpy(partner)], mask, rtol=0, atol=1e-4)


def test_identity_basis_is_orthonormal_and_sorted(face: MorphableModel) -> None:
    basis = face.identity.flatten(1).double()
    torch.testing.assert_close(basis @ basis.T, torch.eye(199, dtype=torch.float64), rtol=0, atol=1e-5)
    assert bool((face.identity_std.diff() <= 0).all())
    assert face.identity_std[-1] > 0


def test_forty_modes_carry_most_of_the_variation(face: MorphableModel) -> None:
    variance = face.identity_std.double() ** 2
    assert variance[:40].sum() / variance.sum() > 0.95


def test_no_folds_in_the_mean(face: MorphableModel) -> None:
    # Against the normal that a triangle has when its vertices lie on a smooth surface: the mean of its vertex normals.
    mean = face.vertices()[0]
    facing = _facing(mean, face.triangles)
    smooth = vertex_normals(mean, face.triangles)[face.triangles].mean(dim=1)
    seen = _in_region(face, "face", "lips", "neck", "eyes", "ears", "clothes")[face.triangles].all(dim=1)
    assert bool(((facing * smooth).sum(1) > 0)[seen].all())
    body = _in_region(face, *BODY)[face.triangles].all(dim=1)
    assert bool((facing.norm(dim=1) > 1e-7)[body].all())


def test_hardly_a_fold_in_samples(face: MorphableModel, sampled: tuple[Tensor, Tensor]) -> None:
    mean = _facing(face.vertices()[0], face.triangles)
    turned = (_facing(face.vertices(*sampled), face.triangles) * mean).sum(-1) < 0
    seen = _in_region(face, "face", "lips", "neck", "ears")[face.triangles].all(dim=1)
    assert turned[:, seen].float().mean() < 5e-4
    assert turned[:, _in_region(face, *BODY)[face.triangles].all(dim=1)].float().mean() < 2e-3


def test_neck_follows_the_open_jaw(face: MorphableModel) -> None:
    wide = torch.zeros(1, len(face.expression))
    wide[0, face.expression_names.index("jaw_open")] = 1.0
    vertices = face.vertices(None, wide)
    turned = (_facing(vertices[0], face.triangles) * _facing(face.vertices()[0], face.triangles)).sum(-1) < 0
    neck = _in_region(face, "neck")[face.triangles].all(dim=1)
    assert turned[neck].float().mean() < 2e-3
    landmarks = face.landmarks_of(vertices)[0]
    assert landmarks[62, 1] - landmarks[66, 1] > 2.0  # the mouth is open by more than 2 cm


@pytest.mark.parametrize("side", [1, -1])
def test_no_eyeball_comes_through_its_lids(face: MorphableModel, sampled: tuple[Tensor, Tensor], side: int) -> None:
    identity, expression = sampled
    mean = face.vertices()[0]
    centre = mean.new_tensor(EYE_CENTRE) * mean.new_tensor([side, 1, 1])
    ball = _in_region(face, "eyes") & (mean[:, 0] * side > 0)
    lids = _in_region(face, "face") & ((mean - centre).norm(dim=1) < 2.4)
    drift = (face.vertices(identity) - mean)[:, ball].mean(dim=1)  # eyeballs translate with the identity
    distance = (face.vertices(identity, expression)[:, lids] - (centre + drift)[:, None]).norm(dim=2)
    assert distance.min() > EYEBALL_RADIUS


@pytest.mark.parametrize(("mode", "points"), [("blink_left", (43, 47, 44, 46)), ("blink_right", (37, 41, 38, 40))])
def test_a_blink_closes_one_eye(face: MorphableModel, mode: str, points: tuple[int, ...]) -> None:
    def opening(expression: Tensor) -> float:
        y = face.landmarks_of(face.vertices(None, expression))[0, :, 1]
        return float((y[points[0]] - y[points[1]] + y[points[2]] - y[points[3]]) / 2)

    neutral = torch.zeros(1, len(face.expression))
    shut, other = neutral.clone(), neutral.clone()
    shut[0, face.expression_names.index(mode)] = 1.0
    other[0, face.expression_names.index("blink_right" if mode == "blink_left" else "blink_left")] = 1.0
    assert 0.8 < opening(neutral) < 1.1
    assert opening(other) == pytest.approx(opening(neutral), abs=1e-4)
    assert abs(opening(shut)) < 0.1


def test_gaze_turns_the_pupils_to_the_left_of_the_person(face: MorphableModel) -> None:
    look = torch.zeros(1, len(face.expression))
    look[0, face.expression_names.index("gaze_left")] = 1.0
    moved = (face.vertices(None, look) - face.vertices())[0]
    assert moved[face.masks["pupil"] > 0.9][:, 0].min() > 0.2
    assert not moved[_in_region(face, "face")].any()


def test_landmark_distances_are_human(face: MorphableModel) -> None:
    faces = face.landmarks_of(face.vertices(face.sample(256, torch.Generator().manual_seed(3))[0]))

    def mean_distance(a: int, b: int) -> float:
        return float((faces[:, a] - faces[:, b]).norm(dim=1).mean())

    # Farkas: inner and outer eye corners, mouth corners, nasion to chin, nasion to subnasale (adults, cm).
    for pair, (low, high) in {
        (39, 42): (2.9, 3.6), (36, 45): (8.3, 9.4), (48, 54): (4.7, 5.6), (27, 8): (11.3, 13.0), (27, 33): (5.0, 5.9),
    }.items():  # fmt: skip
        assert low < mean_distance(*pair) < high, pair


def test_masks_and_regions(face: MorphableModel) -> None:
    for name in ("lips", "brows", "iris", "pupil", "lashes", "nostrils", "scalp", "beard", "hair_pattern"):
        assert face.masks[name].max() > 0.6, name
    mean = face.vertices()[0]
    nose_tip = mean[face.landmarks[30]]
    dark = mean[face.masks["nostrils"] > 0.5]
    assert bool(((dark - nose_tip).norm(dim=1) < 3).all())  # nostrils are at the nose
    assert bool((face.masks["brows"][face.landmarks[17:27]] > 0.4).all())
    assert set(face.region.unique().tolist()) == set(range(len(face.region_names)))


def test_another_process_builds_the_same_face(face: MorphableModel) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = (
        "from facelab.face3d import builtin_face; f = builtin_face(); "
        "print(f.mean.double().sum().item(), f.identity.double().abs().sum().item(), len(f.triangles))"
    )
    out = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, env=environment)
    total, energy, triangles = out.stdout.split()
    assert float(total) == pytest.approx(face.mean.double().sum().item(), rel=1e-6)
    assert float(energy) == pytest.approx(face.identity.double().abs().sum().item(), rel=1e-4)
    assert int(triangles) == len(face.triangles)
