"""Hair and beard of the built-in face: one shell each, and a displacement field for every cut.

The shell of hair covers all that any cut needs: the scalp, a fringe down to the brows, and a curtain that can hang to
the shoulders. Bald, it lies inside the skull. A cut is where every vertex goes: over the skin where the cut has hair,
just under the skin where it has none, so that its edge comes out of the skin softly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelab.face3d.builtin_controls import Controls
from facelab.face3d.builtin_mesh import SEAM, DomainMesh, Spline, Zone, beyond, outer_lip_outline, symmetric_mesh
from facelab.face3d.builtin_parts import Part
from facelab.face3d.builtin_surface import Surface
from facelab.face3d.plane_curves import (
    distance_to_curve,
    half_curve,
    inside_loop,
    offset_loop,
    signed_distance,
    smoothstep,
)

Array = NDArray[np.float64]

# Edge of the hair in the domain, x > 0, from the middle of the forehead round the ear to the nape.
HAIRLINE = np.array([
    (0.0, 6.1), (2.2, 6.2), (4.4, 6.0), (6.1, 5.3), (7.5, 4.4), (8.3, 3.1), (9.3, 2.1), (10.4, 1.4), (10.9, 0.2),
    (11.2, -1.5), (12.4, -1.7), (13.0, -0.2), (13.4, 1.3), (14.4, 2.4), (16.0, 2.5), (17.6, 1.4), (18.8, -1.2),
    (19.8, -4.0), (21.2, -6.3), (23.5, -7.4), (26.0, -7.7), (SEAM, -7.8),
])  # fmt: skip
_UNDER = 0.25  # cm below the skin where a cut has no hair
_FOLLOWS_ABOVE = 0.5  # hair below this height hangs: it moves with the head at this height
_CURTAIN_LOW = -13.0  # lowest v of the shell
_FRINGE = 1.9  # lowest v of the shell on the forehead
_CURTAIN_EDGE = 9.6  # |u| of the front edge of hanging hair
_BEARD_TOP = (
    np.array([0.0, 1.6, 2.5, 3.3, 4.8, 7.2, 9.6, 11.2, 12.5]),  # u
    np.array([-5.8, -5.95, -6.6, -7.5, -7.9, -7.2, -5.2, -2.0, -0.5]),  # v
)


def hair_edge() -> Array:
    """The hairline of the side u >= 0 as a fine polyline (N, 2)."""
    return half_curve(HAIRLINE, 0.4)


def inside_hairline(domain: Array, raised: float = 0.0) -> Array:
    """Signed distance (N,) to the hairline, positive where hair grows; ``raised`` lifts it over the forehead by cm."""
    side = np.stack([np.abs(domain[:, 0]), domain[:, 1]], axis=1)
    side[:, 1] -= raised * smoothstep(9.0, 4.5, side[:, 0])
    edge = hair_edge()
    distance = distance_to_curve(side, edge)
    return np.where(signed_distance(side, beyond(edge, 18.0)) > 0, distance, -distance)


def locks(domain: Array) -> Array:
    """A fixed pattern of locks in [-1, 1], symmetric in u: sums of waves across the direction of the hair."""
    u, v = np.abs(domain[:, 0]), domain[:, 1]
    wave = (
        np.sin(2.1 * u + 0.9 * np.sin(0.5 * v))
        + 0.8 * np.sin(3.7 * u - 0.45 * v + 1.3)
        + 0.6 * np.sin(1.3 * u + 1.1 * v)
    )
    return wave / 2.4


def _curls(domain: Array, length: float) -> Array:
    """Lumps in [-1, 1], about ``length`` cm across."""
    u, v = domain[:, 0] * 6.2832 / length, domain[:, 1] * 6.2832 / length
    return (
        np.sin(u + 1.3 * np.sin(0.6 * v)) * np.sin(v + 1.1 * np.sin(0.7 * u)) + 0.5 * np.sin(1.7 * u - 1.3 * v)
    ) / 1.5


@dataclass(frozen=True)
class _Scalp:
    """The shell's places: the skin below, and the signed distance inside the hairline with some disorder in it."""

    skin: Surface
    head: Surface
    inside: Array

    @property
    def u(self) -> Array:
        return np.abs(self.skin.domain[:, 0])

    @property
    def v(self) -> Array:
        return self.skin.domain[:, 1]

    def grown(self, height: Array, inside: Array | None = None, over: float = 1.7) -> Array:
        """(N, 3): hair of that height inside the hairline, reached within ``over`` cm of it; under the skin outside."""
        distance = self.inside if inside is None else inside
        rise = smoothstep(-0.15, over, distance)
        raised = self.skin.raised(rise * (height + _UNDER) - _UNDER)
        # Hanging vertices move with the head, not with the cheek below them: hide them deeper.
        return np.where((self.v < _FOLLOWS_ABOVE)[:, None] & (rise < 0.05)[:, None], self._deep(), raised)

    def _deep(self) -> Array:
        return 0.8 * self.skin.base + 0.2 * np.array([0.0, -4.0, 0.0])

    def bald(self) -> Array:
        """(N, 3): everything inside the skull."""
        return 0.6 * self.head.base

    def full(self) -> Array:
        """(N,) usual height: full at the top, thin at the nape."""
        height = 0.55 + 0.65 * smoothstep(4.0, 10.5, self.v) - 0.35 * smoothstep(0.0, -6.5, self.v)
        temples = 1 - 0.35 * smoothstep(8.0, 11.5, self.u) * smoothstep(7.0, 3.0, self.v)
        return height * temples

    def hanging(self, length: float, height: float, spread: float) -> Array:
        """(N, 3): over the scalp, and from the temples back a curtain that falls to ``length`` cm below the nasion."""
        ear = np.exp(-(((self.u - 13.5) / 2.6) ** 2)) * smoothstep(5.0, 1.0, self.v)
        fall = np.clip((_FOLLOWS_ABOVE - self.v) / (_FOLLOWS_ABOVE - _CURTAIN_LOW), 0, 1)
        thick = height * (1 + 0.10 * locks(self.skin.domain)) + 1.25 * ear
        edge = _CURTAIN_EDGE + 0.9 + 0.35 * np.sin(9 * fall)
        covered = np.maximum(self.inside, np.minimum(self.u - edge, 3.0 - self.v))
        scalp = self.grown(thick, covered, over=1.3)
        root = self.head.base + thick[:, None] * self.head.normal
        wave = 1 + spread * fall**2 + 0.02 * np.sin(0.9 * self.u + 7 * fall)
        drop = root * np.stack([wave, np.zeros_like(wave), wave], 1)
        drop[:, 1] = root[:, 1] - fall * (length + root[:, 1])
        hangs = (self.v < _FOLLOWS_ABOVE) & (self.u > edge)
        return np.where(hangs[:, None], drop, scalp)


def _short(s: _Scalp) -> Array:
    return s.grown(s.full() * (1 + 0.10 * locks(s.skin.domain)))


def _crew(s: _Scalp) -> Array:
    return s.grown(0.22 + 0.35 * smoothstep(6.0, 11.0, s.v) + 0.03 * locks(s.skin.domain), over=1.0)


def _side_part(s: _Scalp) -> Array:
    """Parted over the eye on image right; the long side sweeps to image left, down over the forehead."""
    u = s.skin.domain[:, 0]
    swept = smoothstep(4.5, 0.0, u) * smoothstep(-11.0, -5.0, u)
    parting = np.exp(-(((u - 4.6) / 0.5) ** 2)) * smoothstep(5.0, 7.0, s.v)
    height = s.full() + 0.75 * swept * smoothstep(5.0, 8.0, s.v) - 0.55 * parting + 0.08 * locks(s.skin.domain)
    lower = 1.9 * swept * smoothstep(1.0, -5.0, u)
    return s.grown(np.maximum(height, 0.15), s.inside + lower, over=1.3)


def _curly(s: _Scalp) -> Array:
    return s.grown(
        0.6 + 1.1 * s.full() + 0.42 * _curls(s.skin.domain, 2.6), s.inside + 0.5 * _curls(s.skin.domain, 3.1)
    )


def _afro(s: _Scalp) -> Array:
    sides = 1 - 0.45 * smoothstep(1.0, -6.0, s.v)
    return s.grown((3.0 + 0.22 * _curls(s.skin.domain, 1.9)) * sides, over=2.6)


def _bob(s: _Scalp) -> Array:
    return s.hanging(10.5, 0.95, 0.10)


def _long(s: _Scalp) -> Array:
    return s.hanging(19.0, 0.85, 0.18)


def _tied(s: _Scalp) -> Array:
    bun = 3.2 * np.exp(-(((s.u - SEAM) / 2.9) ** 2) - (((s.v - 5.5) / 2.4) ** 2))
    return s.grown(0.3 + 0.05 * locks(s.skin.domain) + bun, over=1.2)


def _receding(s: _Scalp) -> Array:
    """Hair at the sides and the back; the top is bare."""
    rim = 7.0 - s.v + 0.12 * (s.u - 12)
    return s.grown(0.4 + 0.1 * locks(s.skin.domain), np.minimum(s.inside, rim), over=1.2)


CUTS: dict[str, Callable[[_Scalp], Array]] = {
    "hair_short": _short, "hair_crew": _crew, "hair_side_part": _side_part, "hair_curly": _curly, "hair_afro": _afro,
    "hair_bob": _bob, "hair_long": _long, "hair_tied": _tied, "hair_receding": _receding,
}  # fmt: skip


def hair(spline: Spline, points: Array) -> Part:
    """The shell of hair with all its cuts; ``points`` are the controls (K, 3)."""
    mesh = _hair_mesh()
    skin = Surface.under(mesh.points, spline, points)
    above = np.stack([mesh.points[:, 0], np.maximum(mesh.points[:, 1], _FOLLOWS_ABOVE)], axis=1)
    head = Surface.under(above, spline, points)
    ragged = 0.22 * np.sin(2.9 * mesh.points[:, 0]) + 0.15 * np.sin(5.3 * mesh.points[:, 0] + 2.0)
    scalp = _Scalp(skin, head, inside_hairline(mesh.points) + ragged)
    bald = scalp.bald()
    styles = {name: cut(scalp) - bald for name, cut in CUTS.items()}
    inner = smoothstep(0.6, 2.5, scalp.inside)[:, None]
    styles["hair_volume"] = 0.3 * inner * skin.normal
    styles |= _fringes(scalp)
    return Part(
        "hair", bald, mesh.triangles, _unit_square(mesh.points), head.weights, domain=mesh.points, styles=styles
    )


def _hair_mesh() -> DomainMesh:
    """Scalp, forehead down to the brows, sides and back down to the neck."""
    corner = np.array([
        (-1.0, _FRINGE), (6.5, _FRINGE), (8.4, 0.8), (_CURTAIN_EDGE, -0.5), (_CURTAIN_EDGE, _CURTAIN_LOW),
        (SEAM + 1, _CURTAIN_LOW), (SEAM + 1, 16.0), (-1.0, 16.0),
    ])  # fmt: skip
    zones = (
        Zone(0.6, 12.5, _FRINGE - 3.0, 8.0),
        Zone(0.85, 15.0, _CURTAIN_LOW, 15.0),
        Zone(1.05, SEAM, _CURTAIN_LOW, 15.0),
    )
    border = np.concatenate([hair_edge()[::2], [(_CURTAIN_EDGE, v) for v in np.arange(_CURTAIN_LOW, -0.5, 0.9)]])
    return symmetric_mesh(border, zones, lambda where: inside_loop(where, corner))


def _fringes(s: _Scalp) -> dict[str, Array]:
    """What lifts the bare forehead of a cut to hair: straight to the brows, or swept to image left."""
    u = s.skin.domain[:, 0]
    outside = smoothstep(1.2, -0.4, s.inside)
    teeth = 0.3 * np.sin(3.4 * u) + 0.2 * np.sin(7.1 * u + 1)
    straight = smoothstep(-0.2, 0.5, s.v - 2.6 - teeth) * smoothstep(8.6, 7.4, s.u)
    line = 3.2 + 0.28 * (u + 2.0) + 0.08 * np.maximum(u - 1, 0) ** 2
    swept = smoothstep(-0.2, 0.6, s.v - line - teeth) * smoothstep(8.6, 7.4, s.u)
    height = _UNDER + 0.32 + 0.07 * np.sin(2.6 * u)
    return {
        name: (outside * share * height)[:, None] * s.skin.normal
        for name, share in (("fringe", straight), ("fringe_swept", swept))
    }


def beard_cover(u: Array, v: Array) -> Array:
    """Distance (N,) below the upper edge of a beard: moustache, chin, and the jaw up to the ear; ``u`` >= 0."""
    return np.interp(u, *_BEARD_TOP) - v


def beard(controls: Controls, spline: Spline) -> Part:
    """A shell over the lower face, with a full beard and a moustache as styles; it moves with the skin below it."""
    lips = offset_loop(outer_lip_outline(controls), 0.1)
    jaw = controls.domain[8:17]

    def keep(where: Array) -> NDArray[np.bool_]:
        low = where[:, 1] > np.interp(where[:, 0], jaw[:, 0], jaw[:, 1]) - 2.4
        inside = (beard_cover(where[:, 0], where[:, 1]) > -0.3) & low & (where[:, 0] < 12.3)
        return inside & ~inside_loop(where, lips)

    zones = (Zone(0.34, 5.2, -12.5, -5.4), Zone(0.55, 12.3, -15.0, 0.0))
    mesh = symmetric_mesh(lips, zones, keep)
    skin = Surface.under(mesh.points, spline, controls.points)
    u, v = np.abs(mesh.points[:, 0]), mesh.points[:, 1]
    jaw_v = np.interp(u, jaw[:, 0], jaw[:, 1])
    edge = np.minimum.reduce(
        [beard_cover(u, v), v - (jaw_v - 2.3), distance_to_curve(mesh.points, lips, closed=True), 12.2 - u]
    )
    ragged = edge + 0.12 * np.sin(6.1 * mesh.points[:, 0]) - 0.1
    chin = np.exp(-((u / 3.0) ** 2)) * smoothstep(-9.0, -11.5, v)
    full = smoothstep(0.0, 1.0, ragged) * (0.42 + 0.55 * chin + 0.05 * locks(2.3 * mesh.points))
    above = smoothstep(3.4, 2.6, u) * smoothstep(-7.9, -7.4, v)
    moustache = smoothstep(0.0, 0.35, ragged) * above * (0.34 + 0.05 * np.sin(7 * u))
    hidden = 0.3
    styles = {
        name: (np.where(height > 0.01, height + hidden, 0.0))[:, None] * skin.normal
        for name, height in (("beard_full", full), ("moustache", moustache))
    }
    return Part(
        "beard", skin.raised(np.full(len(u), -hidden)), mesh.triangles, _unit_square(mesh.points), skin.weights,
        domain=mesh.points, styles=styles,
    )  # fmt: skip


def _unit_square(domain: Array) -> Array:
    return (domain - domain.min(axis=0)) / np.ptp(domain, axis=0)
