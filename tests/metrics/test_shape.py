"""Errors in 3D: GTE by axes, after a similarity, and the forms of the 3D NME."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from facelab.metrics import cvgtce, gte, nme, nme_3d

SEEDS = st.integers(0, 10_000)
ALIGNMENTS = ["similarity", "root", "axes", "none"]


def _faces(seed: int, count: int = 3) -> torch.Tensor:
    return torch.rand(count, 68, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 100


def _moved(points: torch.Tensor, seed: int) -> torch.Tensor:
    """By a similarity of its own for each face, far from the identity."""
    rng = np.random.default_rng(seed)
    rotation = torch.from_numpy(Rotation.random(len(points), rng).as_matrix())
    scale, shift = (
        torch.from_numpy(rng.uniform(0.2, 5, (len(points), 1, 1))),
        torch.from_numpy(rng.normal(0, 50, (len(points), 1, 3))),
    )
    return scale * (points @ rotation.transpose(1, 2)) + shift


def test_gte_by_hand() -> None:
    target = torch.zeros(1, 68, 3)
    target[0, 36], target[0, 45] = torch.tensor([0.0, 0.0, 0.0]), torch.tensor([30.0, 0.0, 40.0])  # 50 apart, 30 in 2D
    moved = target + torch.tensor([3.0, 4.0, 12.0])
    assert gte(moved, target).item() == pytest.approx(13 / 50, abs=1e-12)
    assert gte(moved, target, "xy").item() == pytest.approx(5 / 50, abs=1e-12)
    assert [gte(moved, target, axis).item() for axis in "xyz"] == pytest.approx([0.06, 0.08, 0.24], abs=1e-12)
    assert gte(moved, target, "z", eyes="2d").item() == pytest.approx(12 / 30, abs=1e-12)


@given(seed=SEEDS, axes=st.sampled_from(["x", "y", "z", "xy", "yz", "zx", "xyz"]))
def test_gte_in_numpy(seed: int, axes: str) -> None:
    target, predicted = _faces(seed), _faces(seed + 1)
    points, truth = predicted.numpy(), target.numpy()
    columns = [{"x": 0, "y": 1, "z": 2}[axis] for axis in axes]
    apart = np.sqrt(sum((points[..., column] - truth[..., column]) ** 2 for column in columns)).mean(1)
    length = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1)
    np.testing.assert_allclose(gte(predicted, target, axes).numpy(), apart / length, rtol=1e-9)


@given(seed=SEEDS)
def test_gte_is_nme_between_the_eyes(seed: int) -> None:
    target, predicted = _faces(seed), _faces(seed + 1)
    torch.testing.assert_close(gte(predicted, target), nme(predicted, target, "interocular"), rtol=1e-12, atol=0)
    whole = gte(predicted, target)
    for axes in ("x", "y", "z", "xy"):
        assert bool((gte(predicted, target, axes) <= whole).all())


@given(seed=SEEDS)
def test_a_known_similarity_is_recovered(seed: int) -> None:
    target = _faces(seed)
    predicted = _moved(target, seed)
    assert float(cvgtce(predicted, target).max()) < 1e-10
    assert float(nme_3d(predicted, target, "similarity").max()) < 1e-10
    assert float(gte(predicted, target).max()) > 0.1


@given(seed=SEEDS)
def test_after_a_similarity_only_shape_counts(seed: int) -> None:
    target = _faces(seed)
    predicted = target + _faces(seed + 1) / 10
    torch.testing.assert_close(cvgtce(_moved(predicted, seed), target), cvgtce(predicted, target), rtol=1e-8, atol=0)
    # SciPy's Procrustes: residual of both sets of unit size, mirror images allowed, which a small noise does not need.
    for face in range(len(target)):
        truth = target[face].numpy()
        spread = np.linalg.norm(truth - truth.mean(0))
        theirs, fitted, _ = procrustes(truth, predicted[face].numpy())
        apart = np.linalg.norm((theirs - fitted) * spread, axis=1).mean() / np.linalg.norm(truth[36] - truth[45])
        assert float(cvgtce(predicted, target)[face]) == pytest.approx(apart, rel=1e-9)


def test_every_alignment_forgives_what_it_should() -> None:
    target = _faces(0)
    shifted = target + torch.tensor([5.0, -7.0, 9.0])
    stretched = target * torch.tensor([1.2, 0.9, 2.0]) + torch.tensor([5.0, -7.0, 9.0])
    turned = _moved(target, 3)
    forgiven = {
        name: [float(nme_3d(points, target, name).max()) < 1e-10 for points in (target, shifted, stretched, turned)]  # type: ignore[arg-type]
        for name in ALIGNMENTS
    }
    assert forgiven == {
        "similarity": [True, True, False, True],
        "root": [True, True, False, False],
        "axes": [True, True, True, False],
        "none": [True, False, False, False],
    }
    nose = target.clone()
    nose[:, 30] += 6.0
    apart = nme_3d(nose, target, "root", root=30, normalizer=torch.ones(3))  # all others are now off by this shift
    torch.testing.assert_close(apart, torch.full((3,), math.sqrt(108) * 67 / 68, dtype=torch.float64))


@given(seed=SEEDS)
def test_axes_in_numpy(seed: int) -> None:
    target, predicted = _faces(seed), _faces(seed + 1)
    expected = []
    for points, truth in zip(predicted.numpy(), target.numpy(), strict=True):
        fitted = np.empty_like(points)
        for axis in range(3):
            ends = np.sort(points[:, axis])[[0, -1]]
            fitted[:, axis] = np.interp(points[:, axis], ends, np.sort(truth[:, axis])[[0, -1]])
        volume = np.prod(truth.max(0) - truth.min(0))
        expected.append(np.linalg.norm(fitted - truth, axis=1).mean() / volume ** (1 / 3))
    np.testing.assert_allclose(nme_3d(predicted, target, "axes").numpy(), expected, rtol=1e-9)


def test_normalizers_of_3d() -> None:
    target = _faces(0)
    moved = target + torch.tensor([2.0, 3.0, 6.0])
    extent = target.amax(1) - target.amin(1)
    torch.testing.assert_close(nme_3d(moved, target, "none"), 7 / extent.prod(1) ** (1 / 3))
    torch.testing.assert_close(nme_3d(moved, target, "none", normalizer="bbox"), nme(moved, target, "bbox"))


FACES = _faces(0)
WRONG = [
    (lambda: gte(FACES, FACES, ""), "axes: expected some of x, y, z, each once, got ''"),
    (lambda: gte(FACES, FACES, "xx"), "each once, got 'xx'"),
    (lambda: gte(FACES, FACES, "w"), "got 'w'"),
    (lambda: gte(FACES, FACES, eyes="1d"), "eyes: expected '3d' or '2d', got '1d'"),  # type: ignore[arg-type]
    (lambda: gte(FACES[..., :2], FACES[..., :2]), r"two sets of shape \(N, L, 3\), got \(3, 68, 2\)"),
    (lambda: gte(FACES[:, :7], FACES[:, :7]), "whose eyes are known, got 7"),
    (lambda: gte(FACES, FACES * 0), "normalizer of face 0: expected a positive length"),
    (lambda: cvgtce(FACES * 0, FACES), "points of a source coincide"),
    (lambda: cvgtce(FACES * torch.nan, FACES), "predicted: expected finite"),
    (lambda: nme_3d(FACES, FACES[:1]), "two sets of shape"),
    (lambda: nme_3d(FACES[:0], FACES[:0]), "at least one face"),
    (lambda: nme_3d(FACES, FACES, "procrustes"), "alignment: expected 'similarity', 'root', 'axes' or 'none'"),  # type: ignore[arg-type]
    (lambda: nme_3d(FACES, FACES, "root", root=68), "root: expected a landmark from 0 to 67 .* got 68"),
    (lambda: nme_3d(FACES, FACES, "axes", root=3), "with alignment 'root', got 3"),
    (lambda: nme_3d(FACES * torch.tensor([1.0, 0.0, 1.0]), FACES, "axes"), "face 0 has no extent along an axis"),
    (lambda: nme_3d(FACES, FACES * torch.tensor([1.0, 0.0, 1.0])), "normalizer of face 0: expected a positive"),
    (lambda: nme_3d(FACES, FACES, normalizer="box"), r"boxes: normalizer 'box' expects"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
