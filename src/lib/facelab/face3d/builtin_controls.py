"""Control points of the built-in face: where they lie in space, and where in the flat domain of the spline.

Centimetres; x to the right of the picture, y up, z to the viewer. The origin is on the mid-sagittal plane, at the
height of the nasion, in the depth of the tragus. Positions are averages of anthropometry placed by hand: the 68
landmarks of the iBUG mark-up, and helper points that hold the surface between them. Only the side x >= 0 is typed;
the other is mirrored.

The domain unrolls the head: ``u = 9 * atan2(x, z)`` (cm along a cylinder of radius 9) and ``v = y``. Where the surface
folds back under itself (lips, jaw, nose, crown) v is typed, so that the sheet stays flat.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facelab.markups import markup

DOMAIN_RADIUS = 9.0
EYE_CENTRE = (3.05, -0.62, 7.50)  # of the eyeball on the side x > 0
EYEBALL_RADIUS = 1.19
LID_RADIUS = 1.31  # distance of the lids from the centre of the eyeball
JAW_HINGE = (-3.2, 0.8)  # y, z of the axis that the jaw turns about


class Point(NamedTuple):
    """One typed control point; ``v`` replaces y in the domain where given."""

    x: float
    y: float
    z: float
    v: float | None = None


LANDMARKS: dict[int, Point] = {
    # jaw, from the ear to the chin
    16: Point(7.15, -1.0, 0.9),
    15: Point(7.1, -3.2, 0.9),
    14: Point(6.95, -5.3, 1.1),
    13: Point(6.6, -7.3, 1.7),
    12: Point(5.9, -9.1, 2.8),
    11: Point(4.9, -10.5, 4.4),
    10: Point(3.6, -11.5, 6.3),
    9: Point(1.95, -12.05, 8.0),
    8: Point(0.0, -12.2, 8.75),
    # brow, from the middle outwards
    22: Point(1.05, 1.1, 9.75),
    23: Point(2.2, 1.6, 9.55),
    24: Point(3.5, 1.75, 9.0),
    25: Point(4.7, 1.4, 8.05),
    26: Point(5.65, 0.7, 6.85),
    # nose
    27: Point(0.0, -0.45, 9.75),
    28: Point(0.0, -1.85, 10.57),
    29: Point(0.0, -3.2, 11.5),
    30: Point(0.0, -4.35, 12.3, -4.2),
    33: Point(0.0, -5.5, 10.5, -5.65),
    34: Point(0.65, -5.42, 10.38, -5.6),
    35: Point(1.35, -5.25, 9.9, -5.4),
    # eye, inner corner first; the lids are projected on the eyeball below
    42: Point(1.6, -0.75, 8.05),
    43: Point(2.45, -0.22, 8.62),
    44: Point(3.55, -0.18, 8.55),
    45: Point(4.5, -0.58, 7.4),
    46: Point(3.6, -1.05, 8.45),
    47: Point(2.5, -1.1, 8.5),
    # lips, outer and inner line; the gap of the inner line in v is the mouth
    51: Point(0.0, -6.95, 10.9),
    52: Point(0.55, -6.82, 10.82),
    53: Point(1.6, -7.12, 10.12),
    54: Point(2.6, -7.65, 8.95),
    55: Point(1.6, -8.3, 9.85),
    56: Point(0.65, -8.6, 10.25),
    57: Point(0.0, -8.68, 10.35),
    62: Point(0.0, -7.61, 10.57, -7.44),
    63: Point(0.9, -7.57, 10.35, -7.44),
    64: Point(2.3, -7.63, 9.15, -7.61),
    65: Point(0.9, -7.588, 10.31, -7.78),
    66: Point(0.0, -7.63, 10.52, -7.78),
}

# fmt: off
HELPERS: dict[str, tuple[Point, ...]] = {
    "lid upper": (Point(1.95, -0.5, 8.3), Point(3.02, -0.08, 8.7), Point(4.15, -0.36, 8.1)),
    "lid lower": (Point(1.97, -0.96, 8.3), Point(3.05, -1.15, 8.6), Point(4.15, -0.86, 8.1)),
    "lid upper skin": (
        Point(2.35, 0.2, 8.6), Point(3.1, 0.33, 8.6), Point(3.9, 0.2, 8.4), Point(4.65, -0.2, 7.6),
    ),
    "lid lower skin": (
        Point(2.35, -1.5, 8.45), Point(3.1, -1.62, 8.55), Point(3.95, -1.45, 8.25), Point(4.6, -1.0, 7.5),
    ),
    "orbit": (
        Point(1.2, 0.15, 8.85), Point(1.25, -0.7, 8.75), Point(2.0, 0.62, 9.05), Point(3.0, 0.85, 9.12),
        Point(4.0, 0.75, 8.7), Point(4.9, 0.3, 7.75), Point(5.35, -0.4, 6.95), Point(1.75, -1.55, 8.65),
        Point(2.4, -2.1, 8.75), Point(3.4, -2.25, 8.75), Point(4.4, -2.0, 8.2), Point(5.15, -1.35, 7.3),
    ),
    "brow": (Point(0.0, 1.35, 10.1), Point(6.2, 0.1, 5.7)),
    "forehead": (
        Point(0.0, 0.65, 9.85), Point(0.0, 2.9, 10.15), Point(2.2, 2.9, 9.95), Point(4.2, 2.9, 9.0),
        Point(5.7, 2.4, 7.25),
        Point(6.75, 2.2, 4.8), Point(0.0, 4.7, 9.9), Point(2.4, 4.7, 9.6), Point(4.6, 4.6, 8.35),
        Point(6.2, 4.5, 6.2),
        Point(7.1, 4.5, 3.5), Point(0.0, 6.7, 9.1), Point(2.5, 6.7, 8.75), Point(4.8, 6.6, 7.2),
        Point(6.3, 6.4, 4.6),
    ),
    "nose": (
        Point(0.42, 0.0, 9.5), Point(0.75, -0.1, 9.1), Point(0.42, -1.5, 10.2), Point(0.85, -1.35, 9.4),
        Point(0.5, -3.0, 11.0), Point(1.05, -2.7, 9.75), Point(1.5, -2.2, 8.95),
        Point(0.58, -4.2, 11.85, -4.1),
        Point(0.0, -4.95, 12.0, -4.75), Point(0.55, -4.85, 11.7, -4.75), Point(1.15, -3.85, 10.75, -3.8),
        Point(1.6, -4.15, 10.2), Point(1.75, -4.75, 9.95), Point(1.25, -4.95, 10.75, -4.8),
        Point(0.0, -5.3, 11.2, -5.2),
        Point(0.35, -5.2, 11.05, -5.15), Point(0.78, -4.85, 10.75, -5.12), Point(1.62, -5.3, 9.5),
        Point(2.0, -4.7, 9.2),
    ),
    "cheek": (
        Point(1.9, -3.5, 9.1), Point(2.6, -3.3, 9.0), Point(3.6, -3.4, 8.8), Point(4.8, -2.9, 7.85),
        Point(5.7, -2.0, 6.5),
        Point(6.4, -1.0, 4.9), Point(6.9, -1.6, 3.4), Point(7.0, 0.4, 2.9), Point(2.05, -5.4, 9.3),
        Point(2.55, -4.9, 9.15),
        Point(3.4, -4.9, 8.85), Point(4.5, -4.8, 8.0), Point(5.6, -4.2, 6.5), Point(6.45, -3.4, 4.6),
        Point(6.85, -4.2, 2.8),
        Point(2.7, -6.4, 9.25), Point(3.5, -6.6, 8.6), Point(4.6, -6.7, 7.4), Point(5.7, -6.4, 5.6),
        Point(6.45, -6.0, 3.6),
    ),
    "upper lip skin": (
        Point(0.0, -6.2, 10.6), Point(0.42, -6.1, 10.62), Point(1.2, -6.2, 10.25), Point(1.95, -6.45, 9.8),
    ),
    "upper lip": (
        Point(0.0, -7.2, 11.1, -7.15), Point(0.65, -7.15, 10.95, -7.1), Point(1.55, -7.35, 10.2, -7.3),
    ),
    "lower lip": (
        Point(0.0, -8.15, 10.92, -8.12), Point(0.8, -8.1, 10.75, -8.08), Point(1.6, -7.98, 9.98, -7.95),
    ),
    "upper lip line": (
        Point(0.45, -7.585, 10.53, -7.44), Point(1.4, -7.58, 10.02, -7.46), Point(1.9, -7.61, 9.6, -7.51),
    ),
    "lower lip line": (
        Point(0.45, -7.605, 10.48, -7.78), Point(1.4, -7.595, 9.99, -7.76), Point(1.9, -7.62, 9.58, -7.71),
    ),
    "mouth corner": (Point(3.05, -7.7, 8.75),),
    "chin": (
        Point(0.0, -9.45, 9.85), Point(1.4, -9.3, 9.55), Point(2.5, -8.7, 8.95), Point(0.0, -10.7, 10.2),
        Point(0.0, -11.6, 9.75),
        Point(1.3, -10.6, 9.75), Point(1.15, -11.55, 9.2), Point(2.75, -10.3, 8.45), Point(3.6, -8.9, 8.1),
    ),
    "jaw": (Point(4.2, -9.6, 6.6), Point(4.85, -8.2, 6.4), Point(5.75, -8.0, 4.4)),
    "under jaw": (
        Point(0.0, -12.55, 7.3, -13.1), Point(1.7, -12.45, 6.5, -13.0), Point(3.1, -12.0, 4.9, -12.45),
        Point(4.15, -11.1, 3.1, -11.5), Point(5.0, -9.8, 1.4, -10.1), Point(5.75, -7.9, 0.4, -8.2),
        Point(6.5, -5.4, -0.4),
    ),
    "throat": (
        Point(0.0, -13.3, 4.9, -15.1), Point(1.5, -13.3, 4.6, -15.0), Point(2.8, -13.2, 3.6, -14.5),
        Point(3.9, -13.0, 2.2, -13.8), Point(4.65, -12.3, 0.5, -12.9), Point(5.1, -11.0, -1.0, -11.5),
    ),
    "ear base": (Point(6.85, -3.4, -0.6), Point(6.95, -1.0, -0.9), Point(7.3, 1.5, 0.2)),
}
# fmt: on


@dataclass(frozen=True)
class Ring:
    """Horizontal ring of control points at polar angles ``degrees`` (0 is the front) about (0, y, centre)."""

    y: float
    half_width: float
    front: float
    back: float
    degrees: tuple[int, ...]
    v: float | None = None
    centre: float = 0.0
    side_drop: float = 0.0  # cm that the ring sinks towards its sides

    def points(self) -> list[Point]:
        """Points of the side x >= 0."""
        made = []
        for angle in np.deg2rad(self.degrees):
            depth = self.front if np.cos(angle) > 0 else self.back
            x = self.half_width * np.sin(angle) if angle < np.pi else 0.0
            drop = self.side_drop * np.sin(angle) ** 2
            z = self.centre + depth * np.cos(angle)
            made.append(Point(float(x), float(self.y - drop), float(z), self.v or self.y))
        return made


RINGS: dict[str, tuple[Ring, ...]] = {
    "skull": (
        Ring(11.35, 0.02, 0.02, 0.02, (0, 60, 120, 180), v=15.0),
        Ring(11.15, 1.9, 2.3, 2.2, (0, 60, 120, 180), v=13.5, centre=-0.1),
        Ring(10.6, 3.7, 4.8, 4.6, (0, 45, 90, 135, 180), v=12.0, centre=-0.3),
        Ring(8.7, 5.9, 7.9, 7.1, (0, 25, 50, 75, 100, 125, 150, 180), v=9.3, centre=-0.1),
        Ring(6.0, 7.15, 9.0, 8.7, (85, 105, 125, 145, 165, 180)),
        Ring(3.0, 7.5, 9.0, 9.3, (85, 105, 125, 145, 165, 180)),
        Ring(0.0, 7.25, 9.0, 9.0, (105, 125, 145, 165, 180)),
        Ring(-3.5, 6.6, 8.0, 8.0, (110, 125, 145, 165, 180)),
        Ring(-6.5, 5.8, 7.0, 7.1, (112, 130, 155, 180)),
    ),
    "neck": (
        Ring(-9.5, 5.2, 5.0, 5.4, (112, 135, 160, 180), centre=-1.6),
        Ring(-12.6, 5.1, 5.4, 5.2, (110, 135, 160, 180), v=-13.0, centre=-2.0),
        Ring(-15.3, 5.5, 5.5, 5.3, (0, 25, 50, 75, 100, 125, 150, 180), v=-17.3, centre=-2.2),
    ),
    "shoulders": (
        Ring(-17.4, 7.3, 5.6, 5.6, (0, 30, 60, 90, 120, 150, 180), v=-20.5, centre=-2.4, side_drop=-0.8),
        Ring(-19.8, 12.3, 7.4, 6.8, (0, 30, 60, 90, 120, 150, 180), v=-23.5, centre=-2.4, side_drop=-1.4),
        Ring(-24.5, 17.0, 8.8, 7.8, (0, 30, 60, 90, 120, 150, 180), v=-27.0, centre=-2.4, side_drop=-2.2),
    ),
}


@dataclass(frozen=True)
class Controls:
    """All control points; the first 68 are the landmarks in the order of the mark-up.

    Attributes:
        points: (K, 3) cm.
        domain: (K, 2) u, v.
        groups: K group names; landmarks have the group of the part they lie on.
        mirror: (K,) index of the mirrored point.
    """

    points: NDArray[np.float64]
    domain: NDArray[np.float64]
    groups: tuple[str, ...]
    mirror: NDArray[np.int64]

    def within(self, *groups: str) -> NDArray[np.bool_]:
        """(K,) mask of the points of these groups."""
        return np.isin(np.array(self.groups), groups)


def _landmark_group(index: int) -> str:
    spans = (
        (17, "jaw"), (27, "brow"), (36, "nose"), (48, "eye"), (55, "upper lip"), (60, "lower lip"),
        (65, "upper lip line"),
        (68, "lower lip line"),
    )  # fmt: skip
    single = dict.fromkeys((36, 39, 42, 45), "canthus") | dict.fromkeys((48, 54, 60, 64), "mouth corner")
    single |= dict.fromkeys((37, 38, 43, 44), "lid upper") | dict.fromkeys((40, 41, 46, 47), "lid lower")
    return single.get(index) or next(name for end, name in spans if index < end)


def on_eyeball(points: NDArray[np.float64], radius: float = LID_RADIUS) -> NDArray[np.float64]:
    """Project points (N, 3) radially on the sphere of that radius about the eyeball of their own side."""
    centre = np.array(EYE_CENTRE) * np.where(points[:, :1] < 0, [-1, 1, 1], 1)
    ray = points - centre
    return centre + ray * radius / np.linalg.norm(ray, axis=1, keepdims=True)


def _both_sides(rows: list[tuple[str, Point]]) -> tuple[list[tuple[str, Point]], list[int]]:
    """Append the mirror image of every point off the middle; return all rows and the mirror permutation."""
    out: list[tuple[str, Point]] = []
    mirror: list[int] = []
    for group, point in rows:
        start = len(out)
        out.append((group, point))
        if point.x == 0:
            mirror.append(start)
        else:
            out.append((group, point._replace(x=-point.x)))
            mirror += [start + 1, start]
    return out, mirror


def builtin_controls() -> Controls:
    """The control points of the mean face, lids lying on the eyeballs."""
    partner = markup("68").mirror
    rows: list[tuple[str, Point]] = []
    for index in range(68):
        typed = LANDMARKS.get(index) or LANDMARKS[partner[index]]
        sign = 1 if index in LANDMARKS else -1
        rows.append((_landmark_group(index), typed._replace(x=sign * typed.x)))
    typed_rows = [(group, point) for group, points in HELPERS.items() for point in points]
    typed_rows += [(group, point) for group, rings in RINGS.items() for ring in rings for point in ring.points()]
    others, other_mirror = _both_sides(typed_rows)
    rows += others
    groups = tuple(group for group, _ in rows)
    points = np.array([(p.x, p.y, p.z) for _, p in rows])
    lids = np.isin(np.array(groups), ("lid upper", "lid lower"))
    points[lids] = on_eyeball(points[lids])
    u = DOMAIN_RADIUS * np.arctan2(points[:, 0], points[:, 2])
    v = np.array([points[i, 1] if p.v is None else p.v for i, (_, p) in enumerate(rows)])
    mirror = np.array([*partner, *(68 + i for i in other_mirror)], dtype=np.int64)
    return Controls(points, np.stack([u, v], axis=1), groups, mirror)
