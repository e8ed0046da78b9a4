"""How one face moves: named expression modes as displacements of the control points, in cm at coefficient 1.

Left and right are those of the person: the left eye has x > 0. The jaw's rotation enters as the displacement of the
full turn, so the model stays linear and is exact at coefficients 0 and 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelab.face3d.builtin_controls import JAW_HINGE, LID_RADIUS, Controls, on_eyeball
from facelab.face3d.builtin_identity import Bump
from facelab.face3d.plane_curves import smoothstep

Array = NDArray[np.float64]

JAW_ANGLE = 0.30  # rad, the mouth opens by about 3 cm
_LOWER = ("lower lip", "lower lip line", "chin")
_UPPER = ("upper lip", "upper lip line", "upper lip skin")
_LIPS = (*_LOWER, *_UPPER, "mouth corner", "cheek")


@dataclass(frozen=True)
class Expression:
    """One mode: bumps on one side (1 left, -1 right) or both (0), its natural range and standard deviation."""

    name: str
    bumps: tuple[Bump, ...]
    side: int = 0
    range: tuple[float, float] = (0.0, 1.0)
    deviation: float = 0.5


_SMILE = (
    Bump((2.6, -7.65, 9.0), (1.0, 0.8, 1.5), (0.55, 0.62, -0.42)),
    Bump(
        (1.3, -7.5, 10.2),
        (0.9, 0.7, 1.2),
        (0.18, 0.10, -0.15),
        ("upper lip", "upper lip line", "lower lip", "lower lip line"),
    ),
    Bump((4.0, -4.4, 8.4), (1.5, 1.2, 1.6), (0.18, 0.36, 0.30)),
    Bump((2.7, -5.6, 9.2), (0.6, 0.9, 1.2), (0.10, 0.22, -0.08)),
    Bump((3.1, -1.4, 8.5), (1.5, 0.4, 1.2), (0, 0.12, 0.04)),
)
_BROW_OUTER = (
    Bump((4.9, 1.2, 7.9), (1.3, 0.9, 2.0), (0, 0.75, 0)),
    Bump((5.0, 2.8, 8.0), (1.5, 1.0, 2.0), (0, 0.3, 0)),
)
_CORNER_UP = (
    Bump((2.6, -7.65, 9.0), (0.8, 0.7, 1.4), (0.38, 0.52, -0.30)),
    Bump((3.9, -4.8, 8.5), (1.3, 1.2, 1.5), (0.12, 0.25, 0.2)),
)
_CORNER_DOWN = (Bump((2.6, -7.75, 8.9), (0.8, 0.8, 1.4), (0.08, -0.55, -0.05)),)
_LIP_UP = (
    Bump((1.2, -7.1, 10.4), (0.8, 0.9, 1.3), (0, 0.42, 0.02), _UPPER),
    Bump((1.9, -5.2, 9.4), (0.6, 0.8, 1.0), (0.05, 0.18, 0.05)),
)
_LIP_DOWN = (Bump((1.0, -8.3, 10.2), (0.9, 1.0, 1.5), (0.08, -0.48, -0.02), _LOWER),)
_SQUINT = (
    Bump((3.1, -1.3, 8.5), (1.6, 0.45, 1.4), (0, 0.22, 0.05)),
    Bump((4.2, -2.4, 8.2), (1.3, 0.8, 1.4), (0, 0.26, 0.16)),
)

EXPRESSIONS: tuple[Expression, ...] = (
    Expression("jaw_open", ()),
    Expression("smile", _SMILE, deviation=0.6),
    Expression("blink_left", (), side=1, deviation=0.35),
    Expression("blink_right", (), side=-1, deviation=0.35),
    Expression(
        "pucker",
        (
            Bump((2.2, -7.65, 9.3), (1.1, 0.9, 1.8), (-0.85, 0, 0.42), _LIPS),
            Bump((1.0, -7.65, 10.3), (0.8, 0.9, 1.5), (-0.22, 0, 0.30), _LIPS),
            Bump((0, -7.7, 10.6), (0.8, 0.9, 1.5), (0, 0, 0.45), _LIPS),
        ),
    ),
    Expression(
        "brow_raise",
        (
            Bump((2.4, 1.5, 9.4), (1.6, 0.9, 2.0), (0, 0.62, 0)),
            Bump((4.9, 1.2, 7.9), (1.3, 0.9, 2.0), (0, 0.5, 0)),
            Bump((2.6, 3.0, 9.8), (2.4, 1.0, 2.0), (0, 0.26, 0.02)),
            Bump((3.1, 0.35, 8.6), (1.4, 0.4, 1.5), (0, 0.08, 0)),
        ),
        range=(-0.3, 1.0),
    ),
    Expression(
        "brow_furrow",
        (
            Bump((1.3, 1.15, 9.7), (0.9, 0.8, 1.5), (-0.28, -0.42, 0.12)),
            Bump((2.6, 1.5, 9.4), (1.1, 0.8, 1.5), (-0.1, -0.32, 0.05)),
            Bump((0, 0.9, 10), (0.5, 0.8, 1.5), (0, -0.15, 0.08)),
        ),
    ),
    Expression("mouth_frown", _CORNER_DOWN),
    Expression("jaw_side", (), range=(-1.0, 1.0)),
    Expression("upper_lip_raise", _LIP_UP),
    Expression("lower_lip_drop", _LIP_DOWN),
    Expression(
        "lip_stretch",
        (
            Bump((2.5, -7.7, 9.1), (1.0, 0.9, 1.6), (0.5, -0.1, -0.35)),
            Bump((1.2, -7.7, 10.2), (0.8, 0.8, 1.3), (0.2, 0, -0.15)),
        ),
    ),
    Expression("eyes_wide", (), range=(0.0, 1.0), deviation=0.35),
    Expression("squint", _SQUINT),
    Expression(
        "nose_sneer",
        (
            Bump((1.6, -4.6, 10), (0.6, 0.8, 1.2), (0.06, 0.26, 0)),
            Bump((1.4, -6.7, 10.2), (0.9, 0.7, 1.2), (0, 0.24, 0), _UPPER),
            Bump((1.9, -2.6, 9), (0.8, 0.9, 1.2), (-0.05, 0.14, 0.12)),
        ),
    ),
    Expression(
        "cheek_puff",
        (
            Bump((4.3, -6.8, 7.8), (1.6, 1.6, 2.0), (0.6, 0, 0.5)),
            Bump((0, -6.4, 10.3), (1.6, 0.5, 1.2), (0, 0, 0.12)),
        ),
    ),
    Expression("jaw_forward", (), range=(-0.4, 1.0)),
    Expression(
        "lips_pressed",
        (
            Bump((0, -7.1, 10.8), (2.0, 0.45, 1.5), (0, -0.14, -0.22), ("upper lip", "upper lip line")),
            Bump((0, -8.4, 10.4), (2.0, 0.55, 1.5), (0, 0.18, -0.20), ("lower lip", "lower lip line")),
        ),
    ),
    Expression(
        "lip_funnel",
        (
            Bump((0, -7.1, 10.8), (1.5, 0.5, 1.5), (0, 0.26, 0.38), ("upper lip", "upper lip line")),
            Bump((0, -8.3, 10.5), (1.5, 0.6, 1.5), (0, -0.30, 0.36), ("lower lip", "lower lip line")),
            Bump((2.4, -7.65, 9.1), (0.8, 0.7, 1.5), (-0.4, 0, 0.25), _LIPS),
        ),
    ),
    Expression(
        "mouth_left",
        (Bump((0, -7.7, 10.2), (2.8, 1.2, 2.5), (0.55, 0, 0), _LIPS),),
        side=1,
        range=(-1.0, 1.0),
    ),
    Expression(
        "brow_inner_raise",
        (
            Bump((1.3, 1.2, 9.7), (1.0, 0.9, 1.5), (0.05, 0.55, 0)),
            Bump((1.4, 2.8, 10), (1.3, 0.9, 1.5), (0, 0.2, 0)),
        ),
    ),
    Expression("brow_outer_left", _BROW_OUTER, side=1),
    Expression("brow_outer_right", _BROW_OUTER, side=-1),
    Expression("mouth_corner_left", _CORNER_UP, side=1, range=(-0.3, 1.0)),
    Expression("mouth_corner_right", _CORNER_UP, side=-1, range=(-0.3, 1.0)),
    Expression("upper_lip_left", _LIP_UP, side=1),
    Expression("upper_lip_right", _LIP_UP, side=-1),
    Expression("lower_lip_left", _LIP_DOWN, side=1),
    Expression("lower_lip_right", _LIP_DOWN, side=-1),
    Expression("chin_raise", (Bump((0, -9.6, 9.9), (1.8, 1.0, 1.8), (0, 0.36, 0.14), (*_LOWER, "jaw")),)),
    Expression("dimples", (Bump((3.0, -7.5, 8.8), (0.5, 0.6, 0.9), (0.1, 0.05, -0.3)),)),
    Expression("gaze_left", (), range=(-1.0, 1.0)),
    Expression("gaze_up", (), range=(-1.0, 1.0), deviation=0.4),
)


def jaw_share(controls: Controls) -> Array:
    """Share (K,) of the jaw's motion that each control point follows."""
    y, z = JAW_HINGE[0] - controls.points[:, 1], controls.points[:, 2] - JAW_HINGE[1]
    share = smoothstep(20, 40, np.rad2deg(np.arctan2(y, z))) * smoothstep(1.5, 8.0, np.hypot(y, z))
    aside = smoothstep(1.1, 2.4, np.abs(controls.points[:, 0]))  # the lips give way towards the corners
    upper, lower = controls.within(*_UPPER), controls.within(*_LOWER) & ~controls.within("chin")
    share[upper] = 0.28 * aside[upper]
    share[lower] = 1 - 0.35 * aside[lower]
    fixed = {"chin": 1.0, "mouth corner": 0.42, "nose": 0.0}
    fixed |= {"skull": 0.0, "neck": 0.0, "shoulders": 0.0, "ear base": 0.0}
    damped = {"under jaw": 0.85, "throat": 0.42}
    for group, value in fixed.items():
        share[controls.within(group)] = value
    for group, value in damped.items():
        share[controls.within(group)] *= value
    return share


def jaw_motion(mode: str, points: Array) -> Array:
    """Displacement (N, 3) of ``points`` fixed to the jaw at coefficient 1 of a mode; zero for modes of other parts."""
    if mode == "jaw_open":
        hinge = np.array([0.0, *JAW_HINGE])
        c, s = np.cos(JAW_ANGLE), np.sin(JAW_ANGLE)
        turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        return (points - hinge) @ (turn - np.eye(3)).T
    direction = {"jaw_side": (0.55, 0, 0), "jaw_forward": (0, -0.05, 0.5)}.get(mode, (0.0, 0.0, 0.0))
    return np.broadcast_to(np.array(direction), points.shape)


def _lids(controls: Controls, side: int, closing: float) -> Array:
    """Displacement of the lids of one eye: the upper goes ``closing`` of the way to the lower, on the eyeball."""
    moved = controls.points.copy()
    own = controls.domain[:, 0] * side > 0
    upper = np.flatnonzero(controls.within("lid upper") & own)
    lower = np.flatnonzero(controls.within("lid lower") & own)
    upper = upper[np.argsort(controls.domain[upper, 0])]
    lower = lower[np.argsort(controls.domain[lower, 0])]
    step = controls.points[lower] - controls.points[upper]
    moved[upper] = on_eyeball(controls.points[upper] + closing * step, LID_RADIUS)
    fold = controls.within("lid upper skin") & own
    moved[fold] += closing * step[:, 1].mean() * np.array([0.0, 0.45, -0.10])
    return moved - controls.points


def expression_displacements(controls: Controls) -> Array:
    """Displacements (M, K, 3) of the control points at coefficient 1, in the order of ``EXPRESSIONS``."""
    share = jaw_share(controls)[:, None]
    fields = []
    for mode in EXPRESSIONS:
        field = share * jaw_motion(mode.name, controls.points)
        for bump in mode.bumps:
            field = field + bump.on(controls, mode.side)
        if mode.name in ("blink_left", "blink_right"):
            field = field + _lids(controls, mode.side, 1.05)
        if mode.name == "eyes_wide":
            field = field + _lids(controls, 1, -0.28) + _lids(controls, -1, -0.28)
        fields.append(field)
    return np.stack(fields)
