"""Landmark mark-ups as data: which points there are, in which order, and which are mirror images of each other."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Markup:
    """One scheme of landmarks.

    Attributes:
        name: as in ``markup(name)``.
        points: number of landmarks, L.
        groups: group name to indices, in drawing order; every landmark is in one at least, a point may stand alone.
        closed: names of the groups that are closed curves.
        mirror: for each landmark the index of its partner in the mirrored picture (an involution).
        outer_eye_corners: the two landmarks of the inter-ocular distance, image left first.
        eyes: for either eye, image left first, the landmarks whose mean is the end of the inter-pupil distance.
        corners: landmarks that lie at one place of the face and have no curve to slide along: corners of eyes and
            mouth, pupils, ear lobes (facts of the anisotropic loss, Rayhan et al. 2020, section 3.1).
        curves: the lines of the face that landmarks may slide along, each as its landmarks in order; one that ends
            where it begins is closed. Groups are for drawing: a lid is a curve, the outline of an eye is a group. They
            are the boundary lines of the released code of Wang et al. 2019, and what that leaves out: lower brows of
            98 points, mouth of 21, all of 29. A landmark of several curves is a corner or slides along the first.
    """

    name: str
    points: int
    groups: dict[str, tuple[int, ...]]
    closed: frozenset[str]
    mirror: tuple[int, ...]
    outer_eye_corners: tuple[int, int]
    eyes: tuple[tuple[int, ...], tuple[int, ...]]
    corners: tuple[int, ...]
    curves: tuple[tuple[int, ...], ...]

    def edges(self) -> list[tuple[int, int]]:
        """Pairs of neighbouring landmarks along every curve, for drawing."""
        pairs: list[tuple[int, int]] = []
        for group, indices in self.groups.items():
            pairs += pairwise(indices)
            if group in self.closed:
                pairs.append((indices[-1], indices[0]))
        return pairs


def _mirror(points: int, pairs: dict[int, int]) -> tuple[int, ...]:
    both = pairs | {right: left for left, right in pairs.items()}
    return tuple(both.get(index, index) for index in range(points))


def _run(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


_EYES = ("eye on image left", "eye on image right")
_BROWS = ("brow on image left", "brow on image right")
_LIPS = ("outer lips", "inner lips")

# The iBUG scheme of 300-W.
_68 = Markup(
    name="68",
    points=68,
    groups={
        "jaw": _run(0, 16),
        _BROWS[0]: _run(17, 21),
        _BROWS[1]: _run(22, 26),
        "nose bridge": _run(27, 30),
        "nose base": _run(31, 35),
        _EYES[0]: _run(36, 41),
        _EYES[1]: _run(42, 47),
        _LIPS[0]: _run(48, 59),
        _LIPS[1]: _run(60, 67),
    },
    closed=frozenset({*_EYES, *_LIPS}),
    mirror=_mirror(
        68,
        {i: 16 - i for i in range(8)}
        | {17 + i: 26 - i for i in range(5)}
        | {31: 35, 32: 34}
        | {36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46}
        | {48: 54, 49: 53, 50: 52, 59: 55, 58: 56}
        | {60: 64, 61: 63, 67: 65},
    ),
    outer_eye_corners=(36, 45),
    eyes=(_run(36, 41), _run(42, 47)),
    corners=(36, 39, 42, 45, 48, 54, 60, 64),
    curves=(
        *(_run(0, 16), _run(17, 21), _run(22, 26), _run(27, 30), _run(31, 35)),
        *(_run(36, 39), (36, 41, 40, 39), _run(42, 45), (42, 47, 46, 45)),
        *(_run(48, 54), (48, 59, 58, 57, 56, 55, 54), _run(60, 64), (60, 67, 66, 65, 64)),
    ),
)


def _without(source: Markup, name: str, left_out: set[int]) -> Markup:
    """The same scheme without some landmarks, the others in their order."""
    kept = [index for index in range(source.points) if index not in left_out]
    place = {index: new for new, index in enumerate(kept)}

    def renumbered(indices: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(place[index] for index in indices if index in place)

    groups = {group: renumbered(indices) for group, indices in source.groups.items()}
    corners = source.outer_eye_corners
    return Markup(
        name=name,
        points=len(kept),
        groups={group: indices for group, indices in groups.items() if indices},
        closed=frozenset(group for group in source.closed if groups[group]),
        mirror=tuple(place[source.mirror[index]] for index in kept),
        outer_eye_corners=(place[corners[0]], place[corners[1]]),
        eyes=(renumbered(source.eyes[0]), renumbered(source.eyes[1])),
        corners=renumbered(source.corners),
        curves=tuple(curve for curve in map(renumbered, source.curves) if curve),
    )


_INNER_MOUTH_CORNERS = {60, 64}
# WFLW (Wu et al. 2018): brows and eyes as closed curves, pupils.
_98 = Markup(
    name="98",
    points=98,
    groups={
        "jaw": _run(0, 32),
        _BROWS[0]: _run(33, 41),
        _BROWS[1]: _run(42, 50),
        "nose bridge": _run(51, 54),
        "nose base": _run(55, 59),
        _EYES[0]: _run(60, 67),
        _EYES[1]: _run(68, 75),
        _LIPS[0]: _run(76, 87),
        _LIPS[1]: _run(88, 95),
        "pupil on image left": (96,),
        "pupil on image right": (97,),
    },
    closed=frozenset({*_BROWS, *_EYES, *_LIPS}),
    mirror=_mirror(
        98,
        {i: 32 - i for i in range(16)}
        | {33: 46, 34: 45, 35: 44, 36: 43, 37: 42, 38: 50, 39: 49, 40: 48, 41: 47}
        | {60: 72, 61: 71, 62: 70, 63: 69, 64: 68, 65: 75, 66: 74, 67: 73, 55: 59, 56: 58}
        | {76: 82, 77: 81, 78: 80, 87: 83, 86: 84, 88: 92, 89: 91, 95: 93, 96: 97},
    ),
    outer_eye_corners=(60, 72),
    eyes=((96,), (97,)),
    corners=(60, 64, 68, 72, 76, 82, 88, 92, 96, 97),
    curves=(
        *(_run(0, 32), _run(33, 37), _run(38, 41), _run(42, 46), _run(47, 50), _run(51, 54), _run(55, 59)),
        *(_run(60, 64), (60, 67, 66, 65, 64), _run(68, 72), (68, 75, 74, 73, 72)),
        *(_run(76, 82), (76, 87, 86, 85, 84, 83, 82), _run(88, 92), (88, 95, 94, 93, 92)),
    ),
)
# COFW (Burgos-Artizzu et al. 2013). The corners of the mouth belong to both lines of the lips.
_29 = Markup(
    name="29",
    points=29,
    groups={
        _BROWS[0]: (0, 4, 2, 5),
        _BROWS[1]: (3, 6, 1, 7),
        _EYES[0]: (8, 12, 10, 13),
        _EYES[1]: (11, 14, 9, 15),
        "pupil on image left": (16,),
        "pupil on image right": (17,),
        "nose base": (18, 21, 19),
        "nose tip": (20,),
        _LIPS[0]: (22, 24, 23, 27),
        _LIPS[1]: (22, 25, 23, 26),
        "chin": (28,),
    },
    closed=frozenset({*_BROWS, *_EYES, *_LIPS}),
    mirror=_mirror(29, {0: 1, 4: 6, 2: 3, 5: 7, 8: 9, 10: 11, 12: 14, 16: 17, 13: 15, 18: 19, 22: 23}),
    outer_eye_corners=(8, 9),
    eyes=((16,), (17,)),
    corners=(8, 9, 10, 11, 16, 17, 22, 23),
    curves=(
        *((0, 4, 2), (0, 5, 2), (3, 6, 1), (3, 7, 1), (18, 21, 19)),
        *((8, 12, 10), (8, 13, 10), (11, 14, 9), (11, 15, 9)),
        *((22, 24, 23), (22, 27, 23), (22, 25, 23), (22, 26, 23)),
    ),
)
# AFLW (Koestinger et al. 2011): an eye is its corners and its centre, which may slide between them.
_21 = Markup(
    name="21",
    points=21,
    groups={
        _BROWS[0]: (0, 1, 2),
        _BROWS[1]: (3, 4, 5),
        _EYES[0]: (6, 7, 8),
        _EYES[1]: (9, 10, 11),
        "ear lobe on image left": (12,),
        "nose base": (13, 14, 15),
        "ear lobe on image right": (16,),
        "mouth": (17, 18, 19),
        "chin": (20,),
    },
    closed=frozenset(),
    mirror=_mirror(21, {0: 5, 1: 4, 2: 3, 6: 11, 7: 10, 8: 9, 12: 16, 13: 15, 17: 19}),
    outer_eye_corners=(6, 11),
    eyes=((7,), (10,)),
    corners=(6, 8, 9, 11, 12, 16, 17, 19),
    curves=((0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (13, 14, 15), (17, 18, 19)),
)
_MARKUPS = {
    "68": _68,
    "66": _without(_68, "66", _INNER_MOUTH_CORNERS),  # 3DFAW
    "51": _without(_68, "51", set(range(17))),  # without the jaw
    "98": _98,
    "29": _29,
    "21": _21,
    "19": _without(_21, "19", {12, 16}),  # AFLW without ears
}


def markup(name: str) -> Markup:
    """The mark-up of that name, one of :func:`names`; ``"68"`` is the iBUG scheme of 300-W.

    Raises:
        ValueError: if there is none, with the names there are.
    """
    if name not in _MARKUPS:
        raise ValueError(f"mark-up {name!r}: expected one of {', '.join(names())}")
    return _MARKUPS[name]


def names() -> tuple[str, ...]:
    """The mark-ups there are."""
    return tuple(_MARKUPS)


def _picked(indices: list[int]) -> Callable[[Tensor], Tensor]:
    return lambda points: points[..., indices, :]


def _to_21(points: Tensor) -> Tensor:
    """The AFLW protocol of 3DDFA: eye centres and the middle of the mouth are means."""
    places: tuple[tuple[int, ...], ...] = (
        (17,), (19,), (21,), (22,), (24,), (26,), (36,), _run(36, 41), (39,), (42,), _run(42, 47), (45,),
        (2,), (31,), (30,), (35,), (14,), (48,), _run(60, 67), (54,), (8,),
    )  # fmt: skip
    return torch.stack([points[..., list(place), :].mean(-2) for place in places], -2)


def _without_ears(points: Tensor) -> Tensor:
    return points[..., [index for index in range(21) if index not in (12, 16)], :]


_98_TO_68 = [
    *range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 60), 60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75,
    *range(76, 96),
]  # fmt: skip
_CONVERSIONS: dict[tuple[str, str], Callable[[Tensor], Tensor]] = {
    ("68", "66"): _picked([index for index in range(68) if index not in _INNER_MOUTH_CORNERS]),
    ("68", "51"): _picked(list(range(17, 68))),
    ("68", "21"): _to_21,
    ("68", "19"): lambda points: _without_ears(_to_21(points)),
    ("21", "19"): _without_ears,
    ("98", "68"): _picked(_98_TO_68),
}


def convert(landmarks: Tensor, source: str, target: str) -> Tensor:
    """Landmarks of one mark-up as those of another.

    ``68 -> 66, 51``: points left out. ``68 -> 21``: the protocol that scores 68 points on AFLW (3DDFA's released
    benchmark code): eyes and mouth as means, jaw points 2 and 14 for the ear lobes. ``98 -> 68``: every second point of
    the jaw, the upper line of the brows, two points of each lid; the usual choice, the curves are the same but points
    along them are not.

    Args:
        landmarks: ``(..., L, D)``.
    Returns:
        ``(..., L', D)``.
    Raises:
        ValueError: if the shape does not fit, or there is no such conversion.
    """
    if landmarks.ndim < 2 or landmarks.shape[-2] != markup(source).points:
        raise ValueError(f"landmarks: expected (..., {markup(source).points}, D), got {tuple(landmarks.shape)}")
    if source == target:
        return landmarks
    if (source, target) not in _CONVERSIONS:
        possible = ", ".join(f"{first} -> {second}" for first, second in _CONVERSIONS)
        raise ValueError(f"convert {source} -> {target}: expected one of {possible}")
    return _CONVERSIONS[source, target](landmarks)
