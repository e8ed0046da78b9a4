"""The mesh of the built-in face in its flat domain, and the spline that lifts it into space.

The domain is meshed once: lattices of several spacings, and denser rings about eyes and lips. Only the half u >= 0 is
meshed; the other half is its mirror image, so the mesh is exactly symmetric. A thin-plate spline interpolates the
control points: its cardinal matrix ``W`` (vertices x controls) turns the positions of all controls into a head by one
product, ``V = W C``. The rows of landmarks are unit vectors: landmarks are control points, exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree

from facelab.face3d.builtin_controls import DOMAIN_RADIUS, Controls
from facelab.face3d.plane_curves import inside_loop, offset_loop, spline_curve

Array = NDArray[np.float64]
Keep = Callable[[Array], NDArray[np.bool_]]
SEAM = np.pi * DOMAIN_RADIUS  # |u| of the seam at the back of the head
OUTLINE_STEP = 0.15  # cm between the vertices of an edge of the skin


@dataclass(frozen=True)
class Zone:
    """A rectangle |u| < width, low < v < high of the domain, filled with a lattice of that spacing (cm)."""

    spacing: float
    width: float
    low: float
    high: float


BODY_ZONES = (
    Zone(0.235, 5.4, -9.2, 2.4),
    Zone(0.43, 10.8, -12.6, 4.2),
    Zone(0.7, 14.5, -15.5, 8.5),
    Zone(1.4, SEAM, -20.5, 15.0),
)


@dataclass(frozen=True)
class DomainMesh:
    """A flat mesh, symmetric in u.

    Attributes:
        points: (N, 2) u, v. triangles: (F, 3), counter-clockwise in the domain.
    """

    points: Array
    triangles: NDArray[np.int64]


@dataclass(frozen=True)
class Edge:
    """A closed edge of the skin, counter-clockwise in the domain.

    Attributes:
        places: (N, 2) in the domain.
        rows: (N, K) weights of the control points. Along an edge the curve through its own control points replaces the
            surface spline: so the two lips, or the two lids, do not pull on each other across the gap.
    """

    places: Array
    rows: Array


def _edge(controls: Controls, corners: list[int]) -> Edge:
    columns = np.concatenate([controls.domain, np.eye(len(controls.domain))], axis=1)
    curve = spline_curve(columns[corners], OUTLINE_STEP, closed=True)
    return Edge(curve[:, :2], curve[:, 2:])


def eye_edge(controls: Controls, side: int = 1) -> Edge:
    """Edge of the lids of the eye on the side x > 0 (1) or x < 0 (-1)."""
    own = controls.domain[:, 0] * side > 0
    lower, upper = (_by_u(controls, controls.within(group) & own) for group in ("lid lower", "lid upper"))
    left, right = (42, 45) if side > 0 else (36, 39)
    return _edge(controls, [left, *lower, right, *upper[::-1]])


def mouth_edge(controls: Controls) -> Edge:
    """Inner line of the lips."""
    lower, upper = (_by_u(controls, controls.within(group)) for group in ("lower lip line", "upper lip line"))
    return _edge(controls, [60, *lower, 64, *upper[::-1]])


def outer_lip_outline(controls: Controls) -> Array:
    """Counter-clockwise closed outline (N, 2) of the red of the lips."""
    return spline_curve(controls.domain[48:60][::-1], 1.5 * OUTLINE_STEP, closed=True)


def brow_curve(controls: Controls) -> Array:
    """The middle of the brow on the side x > 0, from the inside out, a little below its landmarks."""
    return spline_curve(controls.domain[22:27] - [0, 0.12], 0.25)


def _by_u(controls: Controls, chosen: NDArray[np.bool_]) -> list[int]:
    indices = np.flatnonzero(chosen)
    return indices[np.argsort(controls.domain[indices, 0])].tolist()


def beyond(edge: Array, v: float) -> Array:
    """Loop round the domain between ``edge`` (from u = 0 to the seam) and the level ``v``, a little past both ends."""
    right = SEAM + 1.0
    return np.concatenate([[[-1.0, edge[0, 1]]], edge, [[right, edge[-1, 1]], [right, v], [-1.0, v]]])


def body_mesh(controls: Controls) -> tuple[DomainMesh, NDArray[np.int64]]:
    """The sheet of skin with its holes for eyes and mouth, and the (68,) vertices of the landmarks."""
    eye, inner, outer = eye_edge(controls).places, mouth_edge(controls).places, outer_lip_outline(controls)
    fixed = [
        np.concatenate([controls.domain[:68], eye, inner]),
        offset_loop(eye, 0.11),
        offset_loop(eye[::2], 0.27),
    ]
    fixed += [offset_loop(inner, 0.12), outer, offset_loop(outer, 0.11)]
    fixed += [brow_curve(controls) + [0, height] for height in (-0.5, -0.26, 0.0, 0.26, 0.5)]
    holes = (eye, inner)

    def keep(centroids: Array) -> NDArray[np.bool_]:
        return ~np.any([inside_loop(centroids, hole) for hole in holes], axis=0)

    mesh = symmetric_mesh(_thinned(fixed), BODY_ZONES, keep)
    distance, landmarks = cKDTree(mesh.points).query(controls.domain[:68])
    if distance.max() > 1e-6:
        raise AssertionError("a landmark is not a vertex of the domain mesh")
    return mesh, landmarks.astype(np.int64)


def _thinned(curves: list[Array], nearest: float = 0.07) -> Array:
    """All points of the curves, less those that come too near to a point of an earlier curve."""
    points = curves[0]
    for curve in curves[1:]:
        distance, _ = cKDTree(points).query(curve)
        points = np.concatenate([points, curve[distance > nearest]])
    return points


def symmetric_mesh(fixed: Array, zones: tuple[Zone, ...], keep: Keep) -> DomainMesh:
    """Mesh with the points ``fixed`` and the lattices of ``zones`` (finest first) as vertices.

    Args:
        fixed: (N, 2); only u >= 0 is used, doubles are merged.
        keep: of (M, 2) places with u >= 0, those where there is to be mesh (asked of lattice points and of the
            centroids of triangles).
    """
    points = _without_doubles(fixed[fixed[:, 0] > -1e-7])
    points[np.abs(points[:, 0]) < 1e-7, 0] = 0.0
    half = Delaunay(_filled(points, zones, keep))
    triangles = half.simplices[keep(half.points[half.simplices].mean(axis=1))]
    a, b, c = (half.points[triangles[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    triangles = np.where((area < 0)[:, None], triangles[:, ::-1], triangles)[np.abs(area) > 1e-9]
    used = np.unique(triangles)
    renumber = np.full(len(half.points), -1, dtype=np.int64)
    renumber[used] = np.arange(len(used))
    return _mirrored(half.points[used], renumber[triangles])


def _filled(points: Array, zones: tuple[Zone, ...], keep: Keep) -> Array:
    """``points`` and every kept lattice point that is not too near to a point placed before it."""
    for number, zone in enumerate(zones):
        lattice = _lattice(zone)
        for finer in zones[:number]:
            inside = (lattice[:, 0] < finer.width) & (lattice[:, 1] > finer.low) & (lattice[:, 1] < finer.high)
            lattice = lattice[~inside]
        lattice = lattice[keep(lattice)]
        distance, _ = cKDTree(points).query(lattice)
        finest = zones[0].spacing
        points = np.concatenate([points, lattice[distance > (0.5 * finest if number == 0 else 0.6 * zone.spacing)]])
    return points


def _lattice(zone: Zone) -> Array:
    """Staggered rows over 0 <= u <= width; all have a point on u = 0 and one at the border."""
    rows = max(2, round((zone.high - zone.low) / (zone.spacing * np.sqrt(3) / 2)) + 1)
    out = []
    for row, v in enumerate(np.linspace(zone.low, zone.high, rows)):
        count = round(zone.width / zone.spacing)
        u = zone.width * (np.arange(count + 1) if row % 2 == 0 else np.r_[0, np.arange(count) + 0.5, count]) / count
        out.append(np.stack([u, np.full_like(u, v)], axis=1))
    return np.concatenate(out)


def _without_doubles(points: Array) -> Array:
    _, first = np.unique(np.round(points, 6), axis=0, return_index=True)
    return points[np.sort(first)]


def _mirrored(points: Array, triangles: NDArray[np.int64]) -> DomainMesh:
    """Both halves, joined along u = 0."""
    off_middle = points[:, 0] != 0
    partner = np.arange(len(points))
    partner[off_middle] = len(points) + np.arange(off_middle.sum())
    other = points[off_middle] * [-1, 1]
    return DomainMesh(
        np.concatenate([points, other]),
        np.concatenate([triangles, partner[triangles][:, ::-1]]).astype(np.int64),
    )


class Spline:
    """Thin-plate spline over the domain with cardinal rows: ``lift(domain) @ values`` interpolates values at controls.

    The domain closes at the back of the head: controls near the seam act on both of its sides.
    """

    _SCALE = 10.0
    _SMOOTHING = 1e-7

    def __init__(self, controls: Controls) -> None:
        domain = controls.domain
        near_seam = np.flatnonzero(np.abs(domain[:, 0]) > 0.45 * SEAM)
        copies = domain[near_seam] - np.stack([2 * SEAM * np.sign(domain[near_seam, 0]), 0 * near_seam], axis=1)
        on_seam = np.isclose(np.abs(copies[:, 0]), SEAM)  # a point on the seam and its copy are one and the same
        self._source = np.concatenate([np.arange(len(domain)), near_seam])
        self._knots = np.concatenate([domain, copies]) / self._SCALE
        self._knots[len(domain) :][on_seam, 0] = -np.abs(self._knots[len(domain) :][on_seam, 0])
        size = len(self._knots)
        affine = np.concatenate([np.ones((size, 1)), self._knots], axis=1)
        system = np.zeros((size + 3, size + 3))
        system[:size, :size] = _thin_plate(self._knots, self._knots) + self._SMOOTHING * np.eye(size)
        system[:size, size:], system[size:, :size] = affine, affine.T
        self._solved = np.linalg.inv(system)[:, :size]
        self._controls = len(domain)

    def lift(self, domain: Array) -> Array:
        """Cardinal rows (N, K) at the points ``domain`` (N, 2)."""
        points = domain / self._SCALE
        affine = np.concatenate([np.ones((len(points), 1)), points], axis=1)
        rows = np.concatenate([_thin_plate(points, self._knots), affine], axis=1) @ self._solved
        folded = np.zeros((len(points), self._controls))
        np.add.at(folded.T, self._source, rows.T)
        return folded


def _thin_plate(a: Array, b: Array) -> Array:
    """phi(r) = r^2 log r between points (N, 2) and (M, 2)."""
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    return 0.5 * squared * np.log(np.maximum(squared, 1e-30))
