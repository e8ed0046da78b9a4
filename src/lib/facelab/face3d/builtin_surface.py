"""The skin of the mean face as a surface over its flat domain: a place, a direction outward, and who moves with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelab.face3d.builtin_mesh import Spline
from facelab.face3d.plane_curves import smoothstep

Array = NDArray[np.float64]
_STEP = 0.05  # cm in the domain, for slopes


@dataclass(frozen=True)
class Surface:
    """Places of the skin under points of the domain.

    Attributes:
        domain: (N, 2) u, v. weights: (N, K) of the control points. base: (N, 3) cm. normal: (N, 3) unit, outward.
    """

    domain: Array
    weights: Array
    base: Array
    normal: Array

    @staticmethod
    def under(domain: Array, spline: Spline, points: Array) -> "Surface":
        """The skin under ``domain`` (N, 2); ``points`` are the controls (K, 3)."""
        weights = spline.lift(domain)
        along_u, along_v = (
            (spline.lift(domain + step) - spline.lift(domain - step)) @ points
            for step in (np.array([_STEP, 0.0]), np.array([0.0, _STEP]))
        )
        upward = np.array([0.0, 1.0, 0.0])
        crown = smoothstep(13.0, 15.0, domain[:, 1])[:, None]  # the domain is singular at the crown
        normal = (1 - crown) * _unit(np.cross(along_u, along_v), upward) + crown * upward
        return Surface(domain, weights, weights @ points, _unit(normal, upward))

    def raised(self, height: Array) -> Array:
        """(N, 3) places so high (N,) over the skin, in cm."""
        return self.base + height[:, None] * self.normal

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "Surface":
        return Surface(self.domain[chosen], self.weights[chosen], self.base[chosen], self.normal[chosen])


def _unit(vectors: Array, otherwise: Array) -> Array:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), otherwise)
