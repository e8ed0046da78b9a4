"""Mark-ups as data."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from facelab.face3d import builtin_face
from facelab.markups import Markup, convert, markup, names

ALL = pytest.mark.parametrize("scheme", [markup(name) for name in names()], ids=names())


@pytest.fixture(scope="module")
def face() -> Tensor:
    """68 landmarks ``(68, 2)`` of the mean head seen from the front, y down."""
    head = builtin_face()
    return head.landmarks_of(head.mean.T[None])[0, :, :2] * torch.tensor([1.0, -1.0])


def _numbered(points: int) -> Tensor:
    """Landmarks whose x is their index."""
    return torch.stack([torch.arange(float(points)), torch.zeros(points)], -1)


@ALL
def test_mirror_is_an_involution_that_keeps_curves(scheme: Markup) -> None:
    mirror = scheme.mirror
    assert sorted(mirror) == list(range(scheme.points))
    assert all(mirror[mirror[i]] == i for i in range(scheme.points))
    swapped = {"left": "right", "right": "left"}
    for name, indices in scheme.groups.items():
        partner = " ".join(swapped.get(word, word) for word in name.split())
        assert {mirror[i] for i in indices} == set(scheme.groups[partner]), name
    assert {frozenset((mirror[a], mirror[b])) for a, b in scheme.edges()} == set(map(frozenset, scheme.edges()))


@ALL
def test_every_landmark_is_in_a_group(scheme: Markup) -> None:
    assert {i for group in scheme.groups.values() for i in group} == set(range(scheme.points))
    assert all(len(set(group)) == len(group) > 0 for group in scheme.groups.values())
    assert scheme.closed <= scheme.groups.keys()
    assert scheme.name in names() and scheme.points == int(scheme.name)


@ALL
def test_eyes_and_corners_are_mirror_images(scheme: Markup) -> None:
    left, right = scheme.eyes
    assert {scheme.mirror[i] for i in left} == set(right)
    assert scheme.mirror[scheme.outer_eye_corners[0]] == scheme.outer_eye_corners[1]
    assert {scheme.mirror[i] for i in scheme.corners} == set(scheme.corners)
    assert set(scheme.outer_eye_corners) <= set(scheme.corners)
    assert set(scheme.outer_eye_corners) <= {
        i for side in ("left", "right") for i in scheme.groups[f"eye on image {side}"]
    }


@ALL
def test_open_curves_have_one_edge_less_than_points(scheme: Markup) -> None:
    lengths = {name: len(indices) - (name not in scheme.closed) for name, indices in scheme.groups.items()}
    edges = scheme.edges()
    assert len(edges) == sum(lengths.values())
    for name, indices in scheme.groups.items():
        assert ((indices[-1], indices[0]) in edges) == (name in scheme.closed and len(indices) > 1)


@ALL
def test_curves_follow_the_drawn_lines_and_their_mirror_images(scheme: Markup) -> None:
    steps = {frozenset(pair) for curve in scheme.curves for pair in pairwise(curve)}
    assert steps <= set(map(frozenset, scheme.edges()))
    mirrored = {tuple(scheme.mirror[i] for i in curve) for curve in scheme.curves}
    assert {min(curve, curve[::-1]) for curve in mirrored} == {min(curve, curve[::-1]) for curve in scheme.curves}
    assert all(len(curve) > 2 and len(set(curve)) == len(curve) for curve in scheme.curves)


@ALL
def test_lids_and_lips_end_at_corners(scheme: Markup) -> None:
    """A landmark of two curves is a corner; the tips of COFW's brows alone slide along the upper line."""
    shared = {i for i, count in Counter(i for curve in scheme.curves for i in curve).items() if count > 1}
    assert shared - set(scheme.corners) == ({0, 1, 2, 3} if scheme.name == "29" else set())
    inside = {i for curve in scheme.curves for i in curve[1:-1]}
    assert not inside & set(scheme.corners)


@pytest.mark.parametrize(
    ("name", "alone"),
    [("68", set()), ("66", set()), ("51", set()), ("98", {96, 97}), ("29", {16, 17, 20, 28}), ("21", {12, 16, 20})]
    + [("19", {18})],
)
def test_only_pupils_ears_chin_and_nose_tip_are_on_no_curve(name: str, alone: set[int]) -> None:
    scheme = markup(name)
    assert set(range(scheme.points)) - {i for curve in scheme.curves for i in curve} == alone


def test_curves_of_68_are_the_thirteen_boundaries_of_the_adaptive_wing_code() -> None:
    lengths = sorted(len(curve) for curve in markup("68").curves)
    assert lengths == sorted([17, 5, 5, 4, 5, 4, 4, 4, 4, 7, 7, 5, 5])
    assert (60, 67, 66, 65, 64) in markup("68").curves
    assert len(markup("98").curves) == 13 + 2  # and the lower lines of the brows


def test_curves_of_66_stop_where_the_corners_are_left_out() -> None:
    """Inner lips are two open lines: the upper one does not run on into the lower one."""
    assert {(60, 61, 62), (65, 64, 63)} <= set(markup("66").curves)


def test_the_middle_of_the_68_points_is_its_own_mirror() -> None:
    mirror = markup("68").mirror
    assert [i for i in range(68) if mirror[i] == i] == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def test_mirror_of_68_is_the_mirror_of_a_head(face: Tensor) -> None:
    """The mean head is nearly symmetric: flipped and renumbered, it lies on itself."""
    flipped = (face * torch.tensor([-1.0, 1.0]))[list(markup("68").mirror)]
    offset = (face - flipped).mean(0)
    assert (face - flipped - offset).norm(dim=1).max() < 0.03 * (face[36] - face[45]).norm()


@pytest.mark.parametrize("name", ["66", "51", "21", "19"])
def test_conversion_keeps_eyes_mirror_and_corners(face: Tensor, name: str) -> None:
    """What the data say of the smaller mark-up is true of the converted head."""
    small, scheme = convert(face, "68", name), markup(name)
    assert small.shape == (scheme.points, 2)
    torch.testing.assert_close(small[list(scheme.outer_eye_corners)], face[[36, 45]])
    for mine, whole in zip(scheme.eyes, markup("68").eyes, strict=True):
        torch.testing.assert_close(small[list(mine)].mean(0), face[list(whole)].mean(0))
    flipped = convert(face[list(markup("68").mirror)], "68", name)
    torch.testing.assert_close(flipped[list(scheme.mirror)], small)


def test_66_leaves_the_inner_corners_of_the_mouth_out() -> None:
    assert convert(_numbered(68), "68", "66")[:, 0].tolist() == [i for i in range(68) if i not in (60, 64)]


def test_51_leaves_the_jaw_out() -> None:
    assert convert(_numbered(68), "68", "51")[:, 0].tolist() == list(range(17, 68))


def test_21_follows_the_protocol_of_3ddfa() -> None:
    """Counted from 1: 18 20 22 23 25 27, 37, mean of 37 to 42 ... the mouth as the mean of 61 to 68."""
    expected = [18, 20, 22, 23, 25, 27, 37, 39.5, 40, 43, 45.5, 46, 3, 32, 31, 36, 15, 49, 64.5, 55, 9]
    found = convert(_numbered(68), "68", "21")[:, 0]
    assert (found + 1).tolist() == expected
    without_ears = [value for index, value in enumerate(expected) if index not in (12, 16)]
    assert (convert(_numbered(68), "68", "19")[:, 0] + 1).tolist() == without_ears
    assert (convert(found[:, None], "21", "19")[:, 0] + 1).tolist() == without_ears


def test_98_to_68_keeps_groups_mirror_and_corners() -> None:
    chosen = convert(_numbered(98), "98", "68")[:, 0].int().tolist()
    wide, scheme = markup("98"), markup("68")
    assert chosen[:17] == list(range(0, 33, 2))
    for name, indices in scheme.groups.items():
        assert {chosen[i] for i in indices} <= set(wide.groups[name])
    assert [wide.mirror[i] for i in chosen] == [chosen[i] for i in scheme.mirror]
    assert {chosen[i] for i in scheme.corners} == set(wide.corners) - {96, 97}


def test_conversion_keeps_leading_dimensions_depth_and_gradient() -> None:
    points = torch.randn(2, 3, 68, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found = convert(points, "68", "21")
    assert found.shape == (2, 3, 21, 3)
    torch.testing.assert_close(found[1, 2], convert(points[1, 2], "68", "21"))
    found.sum().backward()
    assert points.grad is not None and points.grad.isfinite().all()
    assert convert(points, "68", "68") is points


def test_unknown_names_shapes_and_conversions() -> None:
    with pytest.raises(ValueError, match=r"mark-up '67': expected one of 68, 66, 51, 98, 29, 21, 19"):
        markup("67")
    with pytest.raises(ValueError, match=r"landmarks: expected \(\.\.\., 68, D\), got \(66, 2\)"):
        convert(torch.zeros(66, 2), "68", "51")
    with pytest.raises(ValueError, match=r"landmarks: expected \(\.\.\., 68, D\), got \(68,\)"):
        convert(torch.zeros(68), "68", "51")
    with pytest.raises(ValueError, match=r"convert 66 -> 68: expected one of 68 -> 66, "):
        convert(torch.zeros(66, 2), "66", "68")
    with pytest.raises(ValueError, match=r"convert 68 -> 67: expected one of"):
        convert(torch.zeros(68, 2), "68", "67")
