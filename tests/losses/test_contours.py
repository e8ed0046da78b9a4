"""Tangents of contours, and errors across and along them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from facelab.losses import across_and_along, l2, tangents
from facelab.markups import Markup, markup, names

ALL = pytest.mark.parametrize("name", names())
LINE = replace(markup("19"), name="line", points=5, curves=((0, 1, 2, 3, 4),), corners=())
RING = replace(LINE, name="ring", points=8, curves=((0, 1, 2, 3, 4, 5, 6, 7, 0),))
NAN = torch.nan


def _faces(name: str, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 256 * torch.rand(count, markup(name).points, 2, generator=generator, dtype=torch.float64)


def _on_a_line(*x: float) -> Tensor:
    """The five landmarks of LINE at these x, on the line y = 2 x."""
    return torch.tensor([[[value, 2 * value] for value in x]], dtype=torch.float64)


def _loop(points: np.ndarray, scheme: Markup) -> np.ndarray:
    """Eqs. 4 and 5 on each curve without its missing landmarks, those at one place in one."""
    found = np.full(points.shape, np.nan)
    done = set(scheme.corners)
    for curve in scheme.curves:
        places: list[list[int]] = []
        for index in (i for i in curve if np.isfinite(points[i]).all()):
            if places and (points[places[-1][0]] == points[index]).all():
                places[-1].append(index)
            else:
                places.append([index])
        for rank, here in enumerate(places):
            before, after = places[max(rank - 1, 0)][0], places[min(rank + 1, len(places) - 1)][0]
            step = points[after] - points[before]
            if not step.any():  # a fold
                step = points[after] - points[here[0]]
            for index in set(here) - done if step.any() else ():
                found[index] = step / np.linalg.norm(step)
        done |= set(curve)
    return found


@ALL
def test_against_a_loop(name: str) -> None:
    faces = _faces(name)
    expected = np.stack([_loop(face, markup(name)) for face in faces.numpy()])
    np.testing.assert_allclose(tangents(faces, name).numpy(), expected, atol=1e-12)


@ALL
def test_against_a_loop_with_repeated_and_missing_landmarks(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    faces = _faces(name, 12)
    for curve in markup(name).curves:
        for first, second in pairwise(curve):
            repeated = torch.rand(12, generator=generator) < 0.3
            faces[repeated, second] = faces[repeated, first]
    faces[torch.rand(faces.shape[:2], generator=generator) < 0.2] = NAN
    expected = np.stack([_loop(face, markup(name)) for face in faces.numpy()])
    np.testing.assert_allclose(tangents(faces, name).numpy(), expected, atol=1e-12)
    assert np.isnan(expected).any() and np.isfinite(expected).any()


@ALL
def test_unit_length_on_curves_and_nothing_elsewhere(name: str) -> None:
    scheme = markup(name)
    slides = {i for curve in scheme.curves for i in curve} - set(scheme.corners)
    lengths = tangents(_faces(name), name).norm(dim=-1)
    for index in range(scheme.points):
        if index in slides:
            torch.testing.assert_close(lengths[:, index], torch.ones(4).double())
        else:
            assert bool(lengths[:, index].isnan().all())


def test_ends_are_one_sided_and_the_inside_is_central() -> None:
    corner = torch.tensor([[[0.0, 0], [1, 0], [2, 0], [2, 1], [2, 2]]])
    diagonal = 0.5**0.5
    expected = torch.tensor([[[1.0, 0], [1, 0], [diagonal, diagonal], [0, 1], [0, 1]]])
    torch.testing.assert_close(tangents(corner, LINE), expected)


def test_closed_curves_wrap_around() -> None:
    """On a circle with even steps the central difference is the tangent, at the seam as elsewhere."""
    angle = torch.arange(8) * torch.pi / 4
    circle = 100 + 50 * torch.stack([angle.cos(), angle.sin()], -1)
    torch.testing.assert_close(tangents(circle[None], RING)[0], torch.stack([-angle.sin(), angle.cos()], -1))
    holed = circle[None].clone()
    holed[0, 0] = NAN
    chord = circle[2] - circle[7]
    torch.testing.assert_close(tangents(holed, RING)[0, 1], chord / chord.norm())


@pytest.mark.parametrize(
    "x",
    [
        (0, 0, 1, 2, 3),
        (0, 1, 1, 1, 3),
        (0, 1, 2, 3, 3),
        (0, 0, 0, 0, 5),
        (0, NAN, 1, 2, 3),
        (0, 1, torch.inf, 2, -torch.inf),
        (0, 1, 2, NAN, NAN),
        (NAN, NAN, 0, 0, 1),
    ],
)
def test_repeated_and_missing_landmarks_of_a_line_leave_its_direction(x: tuple[float, ...]) -> None:
    found = tangents(_on_a_line(*x), LINE)[0]
    present = torch.tensor(x).isfinite()
    assert bool(found[~present].isnan().all())
    expected = torch.tensor([1.0, 2.0]).double() / 5**0.5
    torch.testing.assert_close(found[present], expected.expand(int(present.sum()), 2))


def test_a_fold_has_the_direction_of_its_neighbours() -> None:
    """A B C B A: the tip C has both neighbours at B."""
    found = tangents(_on_a_line(0, 1, 2, 1, 0), LINE)[0]
    assert found[2].abs().tolist() == pytest.approx([5**-0.5, 2 * 5**-0.5])
    assert bool(found.isfinite().all())


def test_without_a_second_place_there_is_no_direction() -> None:
    assert bool(tangents(_on_a_line(1, 1, 1, 1, 1), LINE).isnan().all())
    assert bool(tangents(_on_a_line(NAN, NAN, 1, NAN, NAN), LINE).isnan().all())
    assert bool(tangents(torch.zeros(1, 5, 2), LINE).isnan().all())


def test_rounding_is_no_direction() -> None:
    """Landmarks 1 and 2 differ in the last bit of float32; the direction is still that of the line."""
    points = _on_a_line(0, 100, 100, 200, 300).float()
    points[0, 2, 0] = torch.nextafter(points[0, 2, 0], torch.tensor(0.0))
    torch.testing.assert_close(tangents(points, LINE)[0], torch.tensor([1.0, 2.0]).expand(5, 2) / 5**0.5)


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_the_unit_of_length_does_not_matter(scale: float) -> None:
    faces = _faces("68").float()
    torch.testing.assert_close(tangents(scale * faces, "68"), tangents(faces, "68"), equal_nan=True)


def test_an_empty_batch() -> None:
    assert tangents(torch.zeros(0, 68, 2), "68").shape == (0, 68, 2)


def test_across_and_along_a_level_line() -> None:
    """Right along the line is along; down, which is to the right of the way, is across."""
    points = torch.tensor([[[float(x), 0.0] for x in range(5)]])
    error = torch.tensor([3.0, 4.0]).expand(1, 5, 2)
    across, along = across_and_along(error, points, LINE)
    assert across.tolist() == [[4.0] * 5] and along.tolist() == [[3.0] * 5]


@ALL
def test_across_and_along_keep_the_length_of_the_error(name: str) -> None:
    faces = _faces(name)
    error = torch.randn(faces.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    across, along = across_and_along(error, faces, name)
    known = across.isfinite()
    torch.testing.assert_close(across.isnan(), tangents(faces, name).isnan().any(-1))
    squares = l2(faces + error, faces, reduction="none")
    torch.testing.assert_close((across.square() + along.square())[known], squares[known])


def test_bad_input_raises_one_clear_message() -> None:
    face = torch.zeros(1, 68, 2)
    cases = [
        (lambda: tangents(face, "67"), "mark-up '67': expected one of 68, 66"),
        (lambda: tangents(face, "98"), r"target: expected \(B, 98, 2\) of floating point for mark-up '98', got"),
        (lambda: tangents(face[0], "68"), r"target: expected \(B, 68, 2\) .* got \(68, 2\)"),
        (lambda: tangents(torch.zeros(1, 68, 3), "68"), r"got \(1, 68, 3\)"),
        (lambda: tangents(face.long(), "68"), "torch.int64"),
        (lambda: across_and_along(face[:, 1:], face, "68"), r"error: expected shape \(1, 68, 2\), got \(1, 67, 2\)"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@ALL
def test_cuda_agrees_with_the_cpu(name: str) -> None:
    faces = _faces(name)
    faces[0, 3], faces[1, 1] = NAN, faces[1, 0]
    torch.testing.assert_close(tangents(faces.cuda(), name).cpu(), tangents(faces, name), equal_nan=True)
