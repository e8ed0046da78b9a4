"""Curves in the flat domain of the built-in face: splines through points, distance to them, inside or outside."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def spline_curve(points: Array, step: float, closed: bool = False) -> Array:
    """Catmull-Rom curve through ``points`` (N, 2 + C), cut into pieces no longer than ``step`` (of the chord).

    Passes through every point. Columns after the first two are interpolated alike. Returns (M, 2 + C); when closed, the
    first point is not repeated at the end.
    """
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    spans = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces = max(1, int(np.ceil(np.linalg.norm((p2 - p1)[:2]) / step)))
        t = (np.arange(pieces) / pieces)[:, None]
        cubic = (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
        spans.append(0.5 * (2 * p1 + (p2 - p0) * t + cubic))
    return np.concatenate(spans if closed else [*spans, points[-1:]])


def offset_loop(loop: Array, distance: float) -> Array:
    """A counter-clockwise closed loop (N, 2) moved outwards by ``distance`` along its normals."""
    tangent = np.roll(loop, -1, axis=0) - np.roll(loop, 1, axis=0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    return loop + distance * normal / np.linalg.norm(normal, axis=1, keepdims=True)


def distance_to_curve(points: Array, curve: Array, closed: bool = False) -> Array:
    """Distance (N,) of ``points`` (N, 2) to the polyline ``curve`` (M, 2)."""
    start = curve if closed else curve[:-1]
    step = (np.roll(curve, -1, axis=0) if closed else curve[1:]) - start
    along = ((points[:, None] - start) * step).sum(-1) / np.maximum((step * step).sum(-1), 1e-12)
    nearest = start + np.clip(along, 0, 1)[..., None] * step
    return np.linalg.norm(points[:, None] - nearest, axis=-1).min(axis=1)


def inside_loop(points: Array, loop: Array) -> NDArray[np.bool_]:
    """(N,) whether ``points`` (N, 2) lie inside the closed ``loop`` (M, 2), by the even-odd rule."""
    a, b = loop, np.roll(loop, -1, axis=0)
    y = points[:, 1:2]
    crosses = (a[:, 1] > y) != (b[:, 1] > y)
    height = np.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])
    x_cross = a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / height
    return (crosses & (points[:, :1] < x_cross)).sum(axis=1) % 2 == 1


def signed_distance(points: Array, loop: Array) -> Array:
    """Distance (N,) to the closed ``loop``, positive inside."""
    return np.where(inside_loop(points, loop), 1.0, -1.0) * distance_to_curve(points, loop, closed=True)


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below ``low``, 1 above ``high``, a cubic with flat ends between; ``low > high`` turns it round."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def half_curve(points: Array, step: float) -> Array:
    """Spline through points of the side u >= 0, level where it meets its mirror image at u = 0."""
    curve = spline_curve(np.concatenate([points[1:2] * [-1, 1], points]), step)
    start = int(np.linalg.norm(curve - points[0], axis=1).argmin())
    return curve[start:]
