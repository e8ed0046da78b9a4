"""Landmark mark-ups as data: which points there are, in which order, and which are mirror images of each other."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Markup:
    """One scheme of landmarks.

    Attributes:
        name: as in ``markup(name)``.
        points: number of landmarks, L.
        groups: group name to indices, in drawing order.
        closed: names of the groups that are closed curves.
        mirror: for each landmark the index of its partner in the mirrored picture (an involution).
        outer_eye_corners: the two landmarks of the inter-ocular distance, image left first.
    """

    name: str
    points: int
    groups: dict[str, tuple[int, ...]]
    closed: frozenset[str]
    mirror: tuple[int, ...]
    outer_eye_corners: tuple[int, int]

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


_IBUG_PAIRS = (
    {i: 16 - i for i in range(8)}  # jaw
    | {17 + i: 26 - i for i in range(5)}  # brows
    | {31: 35, 32: 34}  # nose base
    | {36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46}  # eyes
    | {48: 54, 49: 53, 50: 52, 59: 55, 58: 56}  # outer lips
    | {60: 64, 61: 63, 67: 65}  # inner lips
)

_MARKUPS = {
    "68": Markup(
        name="68",
        points=68,
        groups={
            "jaw": tuple(range(0, 17)),
            "brow on image left": tuple(range(17, 22)),
            "brow on image right": tuple(range(22, 27)),
            "nose bridge": tuple(range(27, 31)),
            "nose base": tuple(range(31, 36)),
            "eye on image left": tuple(range(36, 42)),
            "eye on image right": tuple(range(42, 48)),
            "outer lips": tuple(range(48, 60)),
            "inner lips": tuple(range(60, 68)),
        },
        closed=frozenset({"eye on image left", "eye on image right", "outer lips", "inner lips"}),
        mirror=_mirror(68, _IBUG_PAIRS),
        outer_eye_corners=(36, 45),
    ),
}


def markup(name: str) -> Markup:
    """The mark-up of that name: ``"68"`` is the iBUG scheme of 300-W.

    Raises:
        ValueError: if there is none, with the names there are.
    """
    if name not in _MARKUPS:
        raise ValueError(f"mark-up {name!r}: expected one of {', '.join(sorted(_MARKUPS))}")
    return _MARKUPS[name]
