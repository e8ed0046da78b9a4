"""Labels that slid along their contours: they stay on the curve, as far from the truth as asked for."""

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree
from torch import Tensor

from facelab.data import FaceSample, LiveFaces, SmearedLabels, smeared_landmarks
from facelab.data.label_noise import Contour, Points
from facelab.losses import across_and_along
from facelab.markups import markup, names

JAW = range(17)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def batch() -> FaceSample:
    return LiveFaces(8, 128, camera=None).draw(24, _generator())


@pytest.fixture(scope="module")
def faces(batch: FaceSample) -> list[FaceSample]:
    fields = ("image", "landmarks", "visible", "box", "pose", "parameters")
    return [
        FaceSample(**{field: getattr(batch, field)[index] for field in fields}, name=str(index), markup="68")
        for index in range(3)
    ]


def _box(side: float, count: int = 1) -> Tensor:
    return torch.tensor([[0.0, 0.0, side / 2, 2 * side]]).expand(count, -1)


def _densely(points: Points) -> Points:
    """Places on the curve through ``(N, D)`` points, by SciPy."""
    knots = np.concatenate([[0.0], np.linalg.norm(np.diff(points, axis=0), axis=1).cumsum()])
    bc_type = "periodic" if np.array_equal(points[0], points[-1]) else "natural"
    dense: Points = CubicSpline(knots, points, bc_type=bc_type)(np.linspace(0, knots[-1], 4000))
    return dense


def _half_circle(scheme: str = "68", radius: float = 100.0) -> Tensor:
    """A face whose jaw is half a circle around the origin; all other landmarks are at random places."""
    face = 100 * torch.rand(markup(scheme).points, 2, generator=_generator(7))
    angle = torch.linspace(0, math.pi, len(JAW))
    face[: len(JAW)] = radius * torch.stack([-angle.cos(), angle.sin()], 1)
    return face


@pytest.mark.parametrize("depth", [2, 3])
def test_points_stay_on_their_curves(batch: FaceSample, depth: int) -> None:
    true = batch.landmarks[..., :depth]
    smeared = smeared_landmarks(true, "68", batch.box, 0.1, _generator())
    scheme = markup("68")
    free = [index for index in range(68) if index not in scheme.corners]
    owner = {index: curve for curve in reversed(scheme.curves) for index in curve}
    off = [
        cKDTree(_densely(face[list(owner[index])].double().numpy())).query(slid[index].double().numpy())[0]
        for face, slid in zip(true, smeared, strict=True)
        for index in free
    ]
    side = float((batch.box[:, 2:] - batch.box[:, :2]).prod(1).sqrt().mean())
    assert max(off) < 1e-3 * side
    assert float((smeared - true)[:, free, :2].norm(dim=-1).mean()) > 0.03 * side


def test_corners_and_points_of_no_curve_stay() -> None:
    for name in names():
        scheme = markup(name)
        true = 100 * torch.rand(2, scheme.points, 2, generator=_generator(1))
        smeared = smeared_landmarks(true, scheme, _box(100, 2), 0.05, _generator())
        free = {index for curve in scheme.curves for index in curve} - set(scheme.corners)
        moved = (smeared != true).any(-1).all(0)
        assert {index for index in range(scheme.points) if moved[index]} == free
        fixed = sorted(set(range(scheme.points)) - free)
        assert torch.equal(smeared[:, fixed], true[:, fixed])


def test_the_length_slid_has_the_deviation_asked_for() -> None:
    true = _half_circle().expand(3000, -1, -1)
    smeared = smeared_landmarks(true, "68", _box(200, 3000), 0.04, _generator())
    angles = torch.atan2(smeared[..., 1], -smeared[..., 0]) - torch.atan2(true[..., 1], -true[..., 0])
    slid = 100 * angles[:, 4:13]  # 78 pixels from the ends, nearly ten deviations
    assert slid.std(0).tolist() == pytest.approx([8.0] * 9, rel=0.06)
    assert float(slid.std()) == pytest.approx(8.0, rel=0.015)
    assert slid.mean(0).abs().max() < 0.6
    assert float((torch.corrcoef(slid.T) - torch.eye(9)).abs().max()) < 0.08  # each landmark on its own


def test_errors_are_along_the_contour_not_across(batch: FaceSample) -> None:
    true = batch.landmarks[..., :2]
    smeared = smeared_landmarks(true, "68", batch.box, 0.005, _generator())
    across, along = across_and_along(smeared - true, true, "68")
    assert float(across.square().nanmean().sqrt()) < 0.25 * float(along.square().nanmean().sqrt())


def test_no_point_leaves_an_open_end_and_the_end_turns_back() -> None:
    true = _half_circle().expand(500, -1, -1)
    smeared = smeared_landmarks(true, "68", _box(200, 500), 0.05, _generator())
    first = smeared[:, 0]
    assert float(first[:, 1].min()) > -0.2  # the jaw ends at y = 0; the spline is a circle to this exactness
    assert (first != true[:, 0]).any(1).all()
    arc = 100 * torch.atan2(first[:, 1], -first[:, 0])
    assert float(arc.square().mean().sqrt()) == pytest.approx(10.0, rel=0.08)  # a folded normal number


def test_labels_slide_round_a_closed_curve() -> None:
    corners = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    contour = Contour(corners, closed=True)
    ahead = np.array([1.0, 3.0, 12.0])
    np.testing.assert_allclose(contour.at(ahead + contour.length), contour.at(ahead), atol=1e-9)
    np.testing.assert_allclose(contour.at(-ahead), contour.at(contour.length - ahead), atol=1e-9)
    np.testing.assert_allclose(contour.arcs, contour.length * np.arange(4) / 4, atol=1e-9)  # a square is symmetrical
    dense = _densely(np.concatenate([corners, corners[:1]]))
    assert contour.length == pytest.approx(np.linalg.norm(np.diff(dense, axis=0), axis=1).sum(), rel=1e-3)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_contour_is_scipys_spline(count: int, closed: bool) -> None:
    points = np.random.default_rng(count).random((count, 3))
    contour = Contour(points, closed)
    np.testing.assert_allclose(contour.at(contour.arcs), points, atol=1e-9)
    # Evenly spaced lengths: what lies between the samples of one is near the samples of the other.
    dense = _densely(np.concatenate([points, points[:1]]) if closed else points)
    places = contour.at(np.linspace(0, contour.length, 300))
    assert cKDTree(dense).query(places)[0].max() < 1e-3
    assert cKDTree(places).query(dense)[0].max() < 0.1
    steps = np.linalg.norm(np.diff(places[:, :2], axis=0), axis=1)
    assert steps.sum() == pytest.approx(contour.length, rel=1e-2)


def test_neighbours_at_one_place_add_nothing() -> None:
    points = np.random.default_rng(3).random((5, 2))
    for closed in (False, True):
        once, twice = Contour(points, closed), Contour(points[[0, 0, 1, 2, 2, 2, 3, 4, 4]], closed)
        assert once.length == pytest.approx(twice.length)
        np.testing.assert_allclose(twice.arcs, once.arcs[[0, 0, 1, 2, 2, 2, 3, 4, 4]])
        np.testing.assert_allclose(twice.at(np.array([0.3])), once.at(np.array([0.3])))
    back = np.array([[0, 0], [300, 0], [300, 300], [0, 1e-14]])  # at the place of the first, within rounding
    assert Contour(back, closed=True).length == pytest.approx(Contour(back[:3], closed=True).length)
    face = torch.zeros(1, 68, 2)
    assert torch.equal(smeared_landmarks(face, "68", _box(10), 0.1, _generator()), face)  # nowhere to go


def test_missing_points_stay_missing_and_the_curve_passes_by() -> None:
    whole = _half_circle()[None]
    torn = whole.clone()
    torn[:, [0, 8, 17, 18, 19, 20, 27, 28, 29]] = torch.nan
    smeared = smeared_landmarks(torn, "68", _box(200), 0.04, _generator())
    assert torch.equal(smeared.isnan(), torn.isnan())
    assert torch.equal(smeared[:, [21, 30]], torn[:, [21, 30]])  # alone on their curves
    assert (smeared[0, 1:8].norm(dim=1) - 100).abs().max() < 0.5


def test_no_noise_is_the_truth_and_what_does_not_fit_is_refused() -> None:
    face = _half_circle()[None]
    smeared = smeared_landmarks(face, "68", _box(100), 0.0, _generator())
    assert torch.equal(smeared, face) and smeared is not face
    before = face.clone()
    smeared_landmarks(face, "68", _box(100), 0.1, _generator())
    assert torch.equal(face, before)
    with pytest.raises(ValueError, match=r"deviation: expected a share of the box, not negative, got -0\.1"):
        smeared_landmarks(face, "68", _box(100), -0.1, _generator())
    with pytest.raises(ValueError, match=r"expected \(B, 98, 2 or 3\) of mark-up 98, got \(1, 68, 2\)"):
        smeared_landmarks(face, "98", _box(100), 0.1, _generator())


def test_larger_boxes_have_larger_noise_in_proportion() -> None:
    small = smeared_landmarks(_half_circle()[None], "68", _box(100), 0.02, _generator())
    large = smeared_landmarks(10 * _half_circle()[None], "68", _box(1000), 0.02, _generator())
    torch.testing.assert_close(large, 10 * small, atol=1e-2, rtol=1e-4)


def test_a_face_has_the_same_labels_each_time(faces: list[FaceSample]) -> None:
    labels, again = (SmearedLabels(faces, 0.05, seed=3) for _ in range(2))  # type: ignore[arg-type]
    assert len(labels) == 3
    for index in (2, 0, 2):
        assert torch.equal(labels[index].landmarks, again[index].landmarks)
        assert not torch.equal(labels[index].landmarks, faces[index].landmarks)
    assert torch.equal(labels[-1].landmarks, labels[2].landmarks)
    other = SmearedLabels(faces, 0.05, seed=4)[0]  # type: ignore[arg-type]
    assert not torch.equal(other.landmarks, labels[0].landmarks)
    twins = SmearedLabels([faces[0], faces[0]], 0.05)  # type: ignore[arg-type]
    assert not torch.equal(twins[0].landmarks, twins[1].landmarks)  # each face has its own noise


def test_only_the_landmarks_are_off(faces: list[FaceSample]) -> None:
    labels = SmearedLabels(faces, 0.05)  # type: ignore[arg-type]
    for index, face in enumerate(faces):
        for field in ("image", "visible", "box", "pose", "parameters"):
            assert torch.equal(getattr(labels[index], field), getattr(face, field))
        assert (labels[index].name, labels[index].markup) == (face.name, "68")
