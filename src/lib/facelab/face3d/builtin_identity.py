"""How people differ: displacements of the control points, in cm at one standard deviation.

Named modes (anthropometric measures) and a Gaussian process for the rest, which also makes faces asymmetric. The model
turns all of them into one orthonormal basis sorted by standard deviation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelab.face3d.builtin_controls import EYE_CENTRE, Controls

Array = NDArray[np.float64]
Vector = tuple[float, float, float]

RESIDUE_LENGTH = 3.0  # cm
RESIDUE_DEVIATION = (0.085, 0.095, 0.105)  # cm, along x, y, z
# Each mode below is as large as the measure it is named for differs between people; but measures of people go together,
# while these modes are drawn independently. At full size the mean face, in the right pose, was 3.2 % of the box away
# from the 68 points of sampled people; with this factor it is 2.3 %, as on faces of AFLW2000-3D.
SPREAD = 0.7


@dataclass(frozen=True)
class Bump:
    """A Gaussian displacement about ``centre`` with widths ``sigma``; mirrored when the centre is off the middle."""

    centre: Vector
    sigma: Vector
    direction: Vector
    groups: tuple[str, ...] = ()  # only these groups of control points, all when empty

    def on(self, controls: Controls, side: int = 0) -> Array:
        """(K, 3) displacement; ``side`` keeps the side x > 0 (1), x < 0 (-1) or both (0) of a mirrored bump."""
        sides = (1,) if self.centre[0] == 0 else ((1, -1) if side == 0 else (side,))
        total = np.zeros_like(controls.points)
        for sign in sides:
            mirror = np.array([sign, 1, 1])
            offset = (controls.points - self.centre * mirror) / self.sigma
            total += np.exp(-0.5 * (offset**2).sum(axis=1, keepdims=True)) * (self.direction * mirror)
        if self.groups:
            total[~controls.within(*self.groups)] = 0
        return total


@dataclass(frozen=True)
class Stretch:
    """Scaling by ``1 + amount`` (a share for each axis) about ``origin``, with Gaussian weight about ``level``."""

    amount: Vector
    origin: Vector
    level: Vector = (0.0, 0.0, 0.0)
    width: Vector = (99.0, 99.0, 99.0)

    def on(self, controls: Controls) -> Array:
        """(K, 3) displacement."""
        offset = (np.abs(controls.points) * [1, 0, 0] + controls.points * [0, 1, 1] - self.level) / self.width
        weight = np.exp(-0.5 * (offset**2).sum(axis=1, keepdims=True))
        side = np.where(controls.points[:, :1] < 0, [-1, 1, 1], 1)
        return weight * (controls.points - self.origin * side) * self.amount


STRETCHES: dict[str, Stretch] = {
    "head size": Stretch((0.03, 0.03, 0.03), (0, 0, 0)),
    "head width": Stretch((0.05, 0, 0), (0, 0, 0)),
    "head depth": Stretch((0, 0, 0.045), (0, 0, 1)),
    "lower face height": Stretch((0, 0.09, 0), (0, -5.5, 0), (0, -10, 8), (99, 3.6, 9)),
    "middle face height": Stretch((0, 0.06, 0), (0, 0, 0), (0, -4, 9), (99, 4, 9)),
    "forehead height": Stretch((0, 0.07, 0), (0, 1.5, 0), (0, 7, 3), (99, 3.6, 99)),
    "jaw width": Stretch((0.08, 0, 0), (0, 0, 0), (0, -8.5, 3), (99, 3, 5)),
    "cheek width": Stretch((0.035, 0, 0), (0, 0, 0), (0, -1.5, 4), (99, 2.6, 5)),
    "skull width": Stretch((0.04, 0, 0), (0, 0, 0), (0, 5, -2), (99, 5, 8)),
    "back of the skull": Stretch((0, 0, 0.055), (0, 0, 0), (0, 2, -8), (99, 6, 4)),
    "mouth width": Stretch((0.09, 0, 0), (0, 0, 0), (0, -7.7, 10), (2.6, 1.1, 3)),
    "neck width": Stretch((0.06, 0, 0.06), (0, 0, -2), (0, -16, -2), (99, 4, 99)),
    "eye opening": Stretch((0, 0.20, 0), EYE_CENTRE, EYE_CENTRE, (1.5, 0.75, 2.5)),
    "eye length": Stretch((0.07, 0, 0), EYE_CENTRE, EYE_CENTRE, (1.7, 1.0, 2.5)),
    "nose size": Stretch((0.10, 0.03, 0.04), (0, -2.5, 8.5), (0, -3.8, 11), (1.8, 2, 2)),
}
BUMPS: dict[str, tuple[Bump, ...]] = {
    "chin forward": (Bump((0, -11, 9.5), (3, 2, 3), (0, 0, 0.4)),),
    "chin down": (Bump((0, -11.8, 8.5), (3.5, 1.8, 3), (0, -0.32, 0)),),
    "chin width": (Bump((2.2, -11.3, 8.3), (1.5, 1.5, 2), (0.3, 0, 0)),),
    "cleft of the chin": (
        Bump((0, -10.9, 10), (0.5, 0.8, 1), (0, 0, -0.12)),
        Bump((1.2, -11, 9.6), (0.7, 0.9, 1.5), (0, 0, 0.08)),
    ),
    "jaw angle down": (Bump((6.4, -7.6, 1.8), (2, 2.2, 2.5), (0, -0.42, 0)),),
    "jaw angle out": (Bump((6.4, -7.6, 1.8), (2, 2.4, 2.8), (0.3, 0, 0)),),
    "nose length": (Bump((0, -4.8, 10.8), (1.8, 1.3, 2), (0, -0.3, 0)),),
    "nose tip forward": (Bump((0, -4.5, 12), (1.3, 1.2, 1.6), (0, 0, 0.32)),),
    "nose tip up": (Bump((0, -4.6, 12.1), (1.0, 0.9, 1.4), (0, 0.25, 0)),),
    "nose bridge": (Bump((0, -0.8, 10), (0.8, 1.4, 2), (0, 0, 0.25)),),
    "nose hump": (Bump((0, -2.3, 10.9), (0.6, 0.9, 2), (0, 0, 0.15)),),
    "nose wings": (Bump((1.6, -4.8, 9.9), (0.7, 0.9, 1.2), (0.2, 0, 0)),),
    "nose bridge width": (Bump((0.8, -1.5, 9.5), (0.5, 1.6, 1.5), (0.12, 0, 0)),),
    "eye spacing": (Bump((3.05, -0.6, 8.3), (1.9, 1.2, 2), (0.15, 0, 0)),),
    "eye corner tilt": (Bump((4.5, -0.6, 7.5), (0.9, 0.7, 1.5), (0, 0.15, 0)),),
    "eye height": (Bump((3.05, -0.6, 8.3), (2.2, 1.2, 2), (0, 0.15, 0)),),
    "eye depth": (Bump((3.05, -0.6, 8.3), (2.0, 1.1, 2), (0, 0, 0.16)),),
    "lid crease": (Bump((3.1, 0.45, 8.8), (1.6, 0.35, 1.5), (0, -0.06, 0.12)),),
    "bags under the eyes": (Bump((3.1, -1.8, 8.6), (1.2, 0.4, 1.2), (0, 0, 0.09)),),
    "brow height": (Bump((3.2, 1.4, 9), (2.8, 0.9, 2.5), (0, 0.25, 0)),),
    "inner brow height": (Bump((1.2, 1.2, 9.7), (1.0, 0.8, 1.5), (0, 0.15, 0)),),
    "outer brow height": (Bump((5.2, 1.0, 7.5), (1.2, 0.9, 1.8), (0, 0.2, 0)),),
    "brow ridge": (Bump((2.4, 1.5, 9.6), (2.2, 0.7, 2), (0, 0, 0.18)),),
    "mouth height": (Bump((0, -7.8, 10), (3, 1.3, 3), (0, 0.22, 0)),),
    "upper lip fullness": (Bump((0, -6.95, 10.7), (1.8, 0.35, 1.5), (0, 0.15, 0.06), ("upper lip",)),),
    "lower lip fullness": (Bump((0, -8.5, 10.3), (1.6, 0.4, 1.5), (0, -0.15, 0.06), ("lower lip",)),),
    "lip projection": (Bump((0, -7.7, 10.6), (1.9, 1.1, 1.6), (0, 0, 0.24)),),
    "mouth corner height": (Bump((2.6, -7.65, 9), (0.8, 0.6, 1.2), (0, 0.12, 0)),),
    "philtrum depth": (Bump((0, -6.2, 10.6), (0.3, 0.5, 1), (0, 0, -0.07)),),
    "cheekbones": (Bump((5.3, -2.2, 7), (1.8, 1.3, 2), (0.22, 0, 0.22)),),
    "cheek fullness": (Bump((4.6, -5.8, 7.4), (1.8, 1.8, 2.2), (0.3, 0, 0.28)),),
    "jowls": (Bump((4.6, -9.3, 5.5), (1.4, 1.4, 2), (0.26, -0.22, 0)),),
    "double chin": (Bump((0, -12.8, 6), (3, 0.9, 2.4), (0, -0.3, 0.1)),),
    "smile fold": (
        Bump((2.4, -5.6, 9.2), (0.5, 1.2, 1), (0, 0, -0.10)),
        Bump((3.3, -5.4, 8.9), (0.7, 1.2, 1), (0, 0, 0.08)),
    ),
    "temples": (Bump((6.6, 2.4, 5), (1.2, 2, 2.2), (0.25, 0, 0)),),
    "width at the ears": (Bump((7.1, -1, 1), (1.2, 2.5, 2.2), (0.22, 0, 0)),),
    "forehead slope": (Bump((0, 6.2, 9), (5, 2.4, 3), (0, 0, 0.32)),),
    "forehead bulge": (Bump((0, 4, 10), (3.2, 1.5, 2), (0, 0, 0.14)),),
    "glabella": (Bump((0, 1.2, 10), (1.0, 0.8, 1.5), (0, 0, 0.10)),),
}


def identity_displacements(controls: Controls, residue_modes: int = 60) -> Array:
    """Displacements (M, K, 3) of the control points, each at one standard deviation of its mode.

    The residue is a Gaussian process over the control points with a squared-exponential covariance: the eigenvectors of
    its covariance matrix are its modes, the roots of the eigenvalues their deviations.
    """
    named = [stretch.on(controls) for stretch in STRETCHES.values()]
    named += [sum((bump.on(controls) for bump in bumps), np.zeros_like(controls.points)) for bumps in BUMPS.values()]
    squared = ((controls.points[:, None] - controls.points[None]) ** 2).sum(-1)
    values, vectors = np.linalg.eigh(np.exp(-0.5 * squared / RESIDUE_LENGTH**2))
    fields = (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1][:, :residue_modes].T
    residue = [
        field[:, None] * deviation * np.eye(3)[axis]
        for axis, deviation in enumerate(RESIDUE_DEVIATION)
        for field in fields
    ]
    return SPREAD * np.stack([*named, *residue])
