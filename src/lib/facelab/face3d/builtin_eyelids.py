"""Keeping the eyeballs behind the lids: in the mean face, and to first order in every mode.

A lid vertex that moves along the tangent plane of its sphere only gets farther from the centre of the eyeball. So near
the eye the radial part of each mode's motion, relative to the eyeball, is taken out. A blink is a long way round the
ball: its straight path is lifted until it clears the ball everywhere.
"""

import numpy as np
from numpy.typing import NDArray

from facelab.face3d.builtin_controls import EYE_CENTRE, EYEBALL_RADIUS, LID_RADIUS
from facelab.face3d.plane_curves import smoothstep

Array = NDArray[np.float64]

CLEAR_RADIUS = LID_RADIUS - 0.02  # no skin of the mean face is nearer to the centre of an eyeball
BLINK_RADIUS = EYEBALL_RADIUS + 0.06  # nor on the way of a blink
_REACH = 3.0  # cm, skin about the eye


def _rays(points: Array, side: int) -> tuple[Array, Array]:
    """Unit rays (N, 3) from the eyeball of that side, and distances (N, 1)."""
    ray = points - np.array(EYE_CENTRE) * [side, 1, 1]
    distance = np.linalg.norm(ray, axis=1, keepdims=True)
    return ray / distance, distance


def push_out(points: Array, radius: float = CLEAR_RADIUS) -> Array:
    """``points`` (N, 3) with those inside a sphere of that radius about an eyeball moved radially onto it."""
    out = points.copy()
    for side in (1, -1):
        ray, distance = _rays(out, side)
        front = ray[:, 2:] > -0.2
        out = np.where(front & (distance < radius), out + (radius - distance) * ray, out)
    return out


def slide_along(points: Array, fields: Array, eyeball: Array | None = None) -> Array:
    """Modes (M, N, 3) without their motion towards or away from the eyeballs, where skin lies close to them.

    Args:
        eyeball: (M, 2, 3) motion of the eyeballs on the sides x > 0 and x < 0, None when they stay.
    """
    out = fields.copy()
    for number, side in enumerate((1, -1)):
        ray, distance = _rays(points, side)
        close = smoothstep(2.1, 1.5, distance[:, 0]) * (np.abs(points[:, 0]) < 6)
        near = np.flatnonzero(close > 0)
        own = 0.0 if eyeball is None else eyeball[:, number, None]
        radial = ((out[:, near] - own) * ray[near]).sum(axis=2) * close[near]
        out[:, near] -= radial[..., None] * ray[near]
    return out


def lift_blink(points: Array, field: Array, side: int, steps: int = 8) -> Array:
    """A blink's displacement (N, 3), raised so that no vertex comes near the eyeball at any coefficient in [0, 1]."""
    near = np.flatnonzero(_rays(points, side)[1][:, 0] < _REACH)
    out = field.copy()
    for _ in range(4):
        for share in np.linspace(1 / steps, 1, steps):
            ray, distance = _rays(points[near] + share * out[near], side)
            out[near] += np.maximum(BLINK_RADIUS - distance, 0) / share * ray
    return out
