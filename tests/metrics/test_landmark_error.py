"""NME and its normalisers: answers known by hand, properties, an independent formula, and every error."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facelab.markups import markup, names
from facelab.metrics import NORMALIZERS, nme, nme_aflw, normalizer_lengths, per_landmark, to_21
from facelab.metrics.mean_distance import mean_distances, plain

SEEDS = st.integers(0, 10_000)
BY_NAME = [name for name in NORMALIZERS if name != "box"]


def _faces(count: int = 3, landmarks: int = 68, dimensions: int = 2, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, landmarks, dimensions, generator=generator, dtype=torch.float64) * 100


def _pair(seed: int, landmarks: int = 68, dimensions: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    target = _faces(4, landmarks, dimensions, seed)
    return target + _faces(4, landmarks, dimensions, seed + 1) / 20, target


def _mask(seed: int) -> torch.Tensor:
    """Landmarks seen, among them those of the eyes."""
    visible = torch.rand(4, 68, generator=torch.Generator().manual_seed(seed)) < 0.6
    visible[:, 36:48] = True
    return visible


def test_a_shift_by_3_and_4_pixels_is_5_pixels() -> None:
    target = _faces()
    moved = target + torch.tensor([3.0, 4.0])
    torch.testing.assert_close(nme(moved, target, torch.ones(3)), torch.full((3,), 5.0, dtype=torch.float64))
    torch.testing.assert_close(
        per_landmark(moved, target, torch.ones(3)), torch.full((3, 68), 5.0, dtype=torch.float64)
    )
    deep = torch.cat([target, target[..., :1]], 2)
    away = deep + torch.tensor([2.0, 3.0, 6.0])
    torch.testing.assert_close(nme(away, deep, torch.ones(3)), torch.full((3,), 7.0, dtype=torch.float64))


def test_every_length_is_what_its_name_says() -> None:
    face = torch.zeros(1, 68, 2)
    face[0, 0], face[0, 16] = torch.tensor([-10.0, 0.0]), torch.tensor([90.0, 25.0])  # a box of 100 x 25
    face[0, 36:42] = torch.tensor([[0.0, 0], [2, 0], [4, 0], [6, 0], [4, 0], [2, 0]])  # corner (0, 0), mean (3, 0)
    face[0, 42:48] = torch.tensor([[24.0, 4], [26, 4], [28, 4], [30, 4], [28, 4], [26, 4]])  # outer corner (30, 4)
    boxes = torch.tensor([[0.0, 0.0, 16.0, 9.0]])
    assert normalizer_lengths(face, "bbox").item() == 50.0
    assert normalizer_lengths(face, "interocular").item() == pytest.approx(math.hypot(30, 4), abs=1e-12)
    assert normalizer_lengths(face, "interpupil").item() == pytest.approx(math.hypot(24, 4), abs=1e-12)
    assert normalizer_lengths(face, "box", boxes=boxes).item() == 12.0
    deep = torch.nn.functional.pad(face, (0, 1))
    deep[0, 45, 2] = 40.0
    assert normalizer_lengths(deep, "bbox").item() == 50.0
    assert normalizer_lengths(deep, "interocular").item() == pytest.approx(math.hypot(30, 4, 40), abs=1e-12)


@pytest.mark.parametrize("scheme", names())
def test_eyes_are_found_by_the_number_of_points(scheme: str) -> None:
    points = markup(scheme).points
    target = _faces(landmarks=points)
    left, right = markup(scheme).outer_eye_corners
    expected = (target[:, left] - target[:, right]).norm(dim=1)
    torch.testing.assert_close(normalizer_lengths(target, "interocular"), expected)
    torch.testing.assert_close(normalizer_lengths(target, "interocular", markup=scheme), expected)
    torch.testing.assert_close(normalizer_lengths(target, "interocular", markup=markup(scheme)), expected)


@given(scale=st.floats(0.1, 10), shift=st.floats(-1e3, 1e3), seed=SEEDS, name=st.sampled_from(BY_NAME))
def test_unchanged_by_scale_shift_order_and_mirror(scale: float, shift: float, seed: int, name: str) -> None:
    predicted, target = _pair(seed)
    errors = nme(predicted, target, name)
    torch.testing.assert_close(nme(scale * predicted + shift, scale * target + shift, name), errors, rtol=1e-9, atol=0)
    faces = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(nme(predicted[faces], target[faces], name), errors[faces], rtol=0, atol=0)
    partner, flip = torch.tensor(markup("68").mirror), torch.tensor([-1.0, 1.0])
    mirrored = nme((predicted * flip)[:, partner], (target * flip)[:, partner], name)
    torch.testing.assert_close(mirrored, errors, rtol=1e-9, atol=0)
    landmarks = torch.randperm(68, generator=torch.Generator().manual_seed(seed))
    lengths = normalizer_lengths(target, name)
    torch.testing.assert_close(nme(predicted[:, landmarks], target[:, landmarks], lengths), errors, rtol=1e-12, atol=0)


def _by_numpy(
    predicted: NDArray[np.float64], target: NDArray[np.float64], name: str, seen: NDArray[np.bool_]
) -> list[float]:
    """The formulas, face by face."""
    errors = []
    for points, truth, here in zip(predicted, target, seen, strict=True):
        if name == "bbox":
            width, height = np.ptp(truth[here, 0]), np.ptp(truth[here, 1])
            length = np.sqrt(width * height)
        elif name == "interocular":
            length = np.linalg.norm(truth[36] - truth[45])
        else:
            length = np.linalg.norm(truth[36:42].mean(0) - truth[42:48].mean(0))
        errors.append(float(np.linalg.norm(points[here] - truth[here], axis=1).mean() / length))
    return errors


@given(seed=SEEDS, name=st.sampled_from(BY_NAME), dimensions=st.sampled_from([2, 3]), hidden=st.booleans())
def test_formulas_in_numpy_agree(seed: int, name: str, dimensions: int, hidden: bool) -> None:
    predicted, target = _pair(seed, dimensions=dimensions)
    visible = _mask(seed) if hidden else None
    seen = np.ones((4, 68), bool) if visible is None else visible.numpy()
    expected = _by_numpy(predicted.numpy(), target.numpy(), name, seen)
    np.testing.assert_allclose(nme(predicted, target, name, visible=visible).numpy(), expected, rtol=1e-9)
    each = per_landmark(predicted, target, name, visible=visible)
    np.testing.assert_allclose(each.nanmean(1).numpy(), expected, rtol=1e-9)
    assert bool((each.isnan() == ~torch.from_numpy(seen)).all())


@given(seed=SEEDS, dimensions=st.sampled_from([2, 3]), hidden=st.booleans(), single=st.booleans())
def test_compiled_and_plain_agree(seed: int, dimensions: int, hidden: bool, single: bool) -> None:
    predicted, target = _pair(seed, dimensions=dimensions)
    predicted = predicted.float() if single else predicted
    visible = _mask(seed) if hidden else None
    by_loop, by_torch = mean_distances(predicted, target, visible), plain(predicted, target, visible)
    torch.testing.assert_close(by_loop, by_torch, rtol=1e-12, atol=0)
    columns = predicted.movedim(2, 0).contiguous().movedim(0, 2)  # another layout in memory
    torch.testing.assert_close(mean_distances(columns, target, visible), by_loop, rtol=0, atol=0)


def test_integers_and_halves_are_taken_as_they_are() -> None:
    target = (_faces() * 4).round()
    moved = target + torch.tensor([3.0, 4.0])
    for kind in (torch.int32, torch.float16, torch.float32):
        assert nme(moved.to(kind), target.to(kind), torch.ones(3)).tolist() == [5.0] * 3


def test_hidden_landmarks_do_not_matter() -> None:
    predicted, target = _pair(0)
    visible = _mask(0)
    lost, gone = predicted.clone(), target.clone()
    lost[~visible], gone[~visible] = 1e9, torch.nan
    for name in BY_NAME:
        torch.testing.assert_close(
            nme(lost, gone, name, visible=visible), nme(predicted, target, name, visible=visible), rtol=0, atol=0
        )
    everything = torch.ones(4, 68, dtype=torch.bool)
    torch.testing.assert_close(nme(predicted, target, visible=everything), nme(predicted, target))
    picked = visible[0]
    torch.testing.assert_close(
        nme(predicted[:1], target[:1], visible=picked[None]), nme(predicted[:1, picked], target[:1, picked])
    )


def test_aflw_counts_visible_points_and_divides_by_the_box_of_the_68() -> None:
    target = _faces(2)
    truth = to_21(target)
    visible = torch.ones(2, 21, dtype=torch.bool)
    visible[0, 3:] = False
    moved = target + torch.tensor([3.0, 4.0])
    truth[0, 3:] = -1.0  # as AFLW has them
    expected = 5 / normalizer_lengths(target, "bbox")
    torch.testing.assert_close(nme_aflw(moved, truth, target, visible), expected)


def test_the_21_points() -> None:
    points = torch.arange(68.0).reshape(1, 68, 1).expand(1, 68, 2)
    centres = {7: 38.5, 10: 44.5, 18: 63.5}  # of both eyes and of the inner lips, counted from 0
    expected = [
        17,
        19,
        21,
        22,
        24,
        26,
        36,
        centres[7],
        39,
        42,
        centres[10],
        45,
        2,
        31,
        30,
        35,
        14,
        48,
        centres[18],
        54,
        8,
    ]
    assert to_21(points)[0, :, 0].tolist() == expected
    assert to_21(torch.zeros(2, 68, 3)).shape == (2, 21, 3)
    for wrong in (torch.zeros(68, 2), torch.zeros(1, 66, 2)):
        with pytest.raises(ValueError, match=r"expected shape \(N, 68, D\)"):
            to_21(wrong)


def _with(points: torch.Tensor, value: float) -> torch.Tensor:
    changed = points.clone()
    changed[1, 5, 0] = value
    return changed


FACES = _faces()
SEEN = torch.ones(3, 68, dtype=torch.bool)
WRONG = [
    ((FACES, FACES[:2]), {}, r"two sets of shape \(N, L, 2\) or \(N, L, 3\), got \(3, 68, 2\) and \(2, 68, 2\)"),
    ((FACES[0], FACES[0]), {}, r"got \(68, 2\)"),
    ((FACES[..., :1], FACES[..., :1]), {}, r"got \(3, 68, 1\)"),
    ((FACES[:0], FACES[:0]), {}, "at least one face and one landmark"),
    ((FACES[:, :0], FACES[:, :0]), {}, "at least one face and one landmark"),
    ((_with(FACES, torch.nan), FACES), {}, "predicted: expected finite coordinates, found NaN or infinity in face 1"),
    ((FACES, _with(FACES, -torch.inf)), {}, "target: expected finite coordinates, found NaN or infinity in face 1"),
    ((FACES, FACES * 0 + 1), {}, "normalizer of face 0: expected a positive length, got 0.0"),
    ((FACES, FACES, "iris"), {}, "a tensor or one of bbox, interocular, interpupil, box, got 'iris'"),
    ((FACES[:, :5], FACES[:, :5], "interocular"), {}, "expected one of 19, .*, 98 landmarks, whose eyes are known"),
    ((FACES, FACES, "interpupil"), {"markup": "98"}, "expected 98 landmarks, as mark-up '98' has, got 68"),
    ((FACES, FACES, "interpupil"), {"markup": "99"}, "mark-up '99': expected one of 68"),
    ((FACES, FACES, torch.ones(2)), {}, r"normalizer: expected shape \(3,\), got \(2,\)"),
    ((FACES, FACES, torch.tensor([1.0, 0.0, 1.0])), {}, "normalizer of face 1: expected a positive length, got 0.0"),
    ((FACES, FACES, torch.tensor([1.0, 1.0, torch.inf])), {}, "normalizer of face 2: .* got inf"),
    ((FACES, FACES, "box"), {}, r"boxes: normalizer 'box' expects .* of shape \(3, 4\), got nothing"),
    ((FACES, FACES, "box"), {"boxes": torch.ones(3, 2)}, r"got \(3, 2\)"),
    ((FACES, FACES, "box"), {"boxes": torch.ones(3, 4)}, r"expected x0 < x1 and y0 < y1, got \[1.0.* for face 0"),
    ((FACES, FACES, "bbox"), {"boxes": torch.ones(3, 4)}, "boxes: given, but the normalizer does not use them"),
    ((FACES, FACES), {"visible": SEEN[:, :5]}, r"visible: expected a bool tensor of shape \(3, 68\), got \(3, 5\)"),
    ((FACES, FACES), {"visible": SEEN.float()}, r"got \(3, 68\) torch.float32"),
    ((FACES, FACES), {"visible": SEEN & False}, "visible: face 0 has no visible landmark"),
    (
        (FACES, FACES, "interocular"),
        {"visible": SEEN & (torch.arange(68) != 45)},
        "normalizer interocular: a landmark it needs is not visible in face 0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("points", "options", "message"), WRONG)
def test_bad_input_is_named(
    points: tuple[torch.Tensor, ...], options: dict[str, torch.Tensor | str], message: str
) -> None:
    for measure in (nme, per_landmark):
        with pytest.raises(ValueError, match=message):
            measure(*points, **options)  # type: ignore[arg-type]


def test_arrays_are_no_tensors() -> None:
    with pytest.raises(TypeError, match="target: expected a torch.Tensor, got ndarray"):
        nme(FACES, FACES.numpy())  # type: ignore[arg-type]
