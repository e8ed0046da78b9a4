"""Soft memberships of vertices, to colour the built-in face: distances to curves and spots in the flat domain."""

import numpy as np
from numpy.typing import NDArray

from facelab.face3d.builtin_controls import EYE_CENTRE, EYEBALL_RADIUS, Controls
from facelab.face3d.builtin_hair import beard_cover, inside_hairline, locks
from facelab.face3d.builtin_mesh import brow_curve, eye_edge, mouth_edge, outer_lip_outline
from facelab.face3d.builtin_parts import Part
from facelab.face3d.plane_curves import distance_to_curve, signed_distance, smoothstep, spline_curve

Array = NDArray[np.float64]

_NASOLABIAL = np.array([(1.75, -4.3), (2.15, -5.0), (2.6, -6.0), (3.05, -7.1), (3.2, -7.8)])


def _spot(domain: Array, u: float, v: float, width: float, height: float) -> Array:
    """Gaussian spot, mirrored to both sides."""
    return np.exp(-0.5 * (((np.abs(domain[:, 0]) - u) / width) ** 2 + ((domain[:, 1] - v) / height) ** 2))


def _brows(side: Array, controls: Controls) -> Array:
    half_width = 0.16 + 0.18 * smoothstep(6.9, 4.6, side[:, 0]) - 0.08 * smoothstep(1.9, 0.9, side[:, 0])
    return smoothstep(0.13, -0.13, distance_to_curve(side, brow_curve(controls)) - half_width)


def _beard(u: Array, v: Array, jaw_v: Array) -> Array:
    """Moustache, chin, and the jaw up to the ear."""
    return smoothstep(-0.15, 0.55, beard_cover(u, v)) * smoothstep(-2.6, -0.8, v - jaw_v) * smoothstep(13.0, 12.2, u)


def skin_masks(domain: Array, controls: Controls) -> dict[str, Array]:
    """Masks of the sheet of skin: name to (N,) in [0, 1], for ``domain`` (N, 2)."""
    side = np.stack([np.abs(domain[:, 0]), domain[:, 1]], axis=1)
    u, v = side.T
    eye = eye_edge(controls).places
    outer, inner = outer_lip_outline(controls), mouth_edge(controls).places
    to_eye = distance_to_curve(side, eye, closed=True)
    lid_line = np.interp(u, controls.domain[[42, 45], 0], controls.domain[[42, 45], 1])
    near_eye = (u > 1.5) & (u < 5.3)
    crease = spline_curve(np.array([(1.9, -0.25), (2.4, 0.16), (3.1, 0.30), (3.9, 0.18), (4.9, -0.32)]), 0.2)
    lips = smoothstep(-0.07, 0.09, signed_distance(domain, outer))
    jaw_v = np.interp(u, controls.domain[8:17, 0], controls.domain[8:17, 1])
    return {
        "lips": lips,
        "lip_line": smoothstep(0.06, 0.0, distance_to_curve(domain, inner, closed=True)),
        "brows": _brows(side, controls),
        "lashes": smoothstep(0.10, 0.0, to_eye) * near_eye * np.where(v > lid_line - 0.05, 1.0, 0.4),
        "lid_crease": smoothstep(0.32, 0.0, distance_to_curve(side, crease)) * near_eye,
        "eye_shadow": np.exp(-0.5 * (to_eye / 0.55) ** 2) * (v > lid_line),
        "orbit": np.maximum(_spot(domain, 2.3, -1.7, 0.9, 0.35), 0.8 * _spot(domain, 1.55, -0.35, 0.35, 0.6)),
        "nostrils": _spot(domain, 0.64, -5.13, 0.25, 0.13),
        "nose_shadow": _spot(domain, 0.0, -5.6, 1.2, 0.22) + 0.55 * _spot(domain, 1.75, -4.75, 0.16, 0.45),
        "nose_tip": _spot(domain, 0.0, -4.2, 0.9, 0.8),
        "under_lip": _spot(domain, 0.0, -9.15, 1.5, 0.3),
        "smile_fold": np.exp(-0.5 * (distance_to_curve(side, _NASOLABIAL) / 0.24) ** 2),
        "cheeks": _spot(domain, 4.3, -3.6, 1.5, 1.2),
        "beard": _beard(u, v, jaw_v) * (1 - lips),
        "scalp": smoothstep(-0.25, 0.45, inside_hairline(domain)),
        "neck_shadow": smoothstep(0.0, -1.3, v - jaw_v) * smoothstep(-17.5, -14.0, v) * smoothstep(14.0, 11.5, u),
    }


def eye_masks(vertices: Array) -> dict[str, Array]:
    """Masks of eyeball vertices (N, 3) of the mean face, which looks ahead."""
    centre = np.array(EYE_CENTRE) * np.where(vertices[:, :1] < 0, [-1, 1, 1], 1)
    ray = (vertices - centre) / EYEBALL_RADIUS
    angle = np.arccos(np.clip(ray[:, 2], -1, 1))
    return {
        "iris": smoothstep(0.56, 0.48, angle),
        "limbus": np.exp(-0.5 * ((angle - 0.49) / 0.045) ** 2),
        "pupil": smoothstep(0.24, 0.19, angle),
        "eye_shadow": smoothstep(0.05, 0.5, ray[:, 1]),
    }


def vertex_masks(domain: Array, controls: Controls, parts: list[Part]) -> dict[str, Array]:
    """Masks of all vertices, skin first, then the parts in their order: name to (V,), zero where not defined."""
    pieces = [skin_masks(domain, controls)]
    for part in parts:
        if part.region == "eyes":
            pieces.append(eye_masks(part.vertices))
        elif part.region == "mouth":
            depth = part.vertices[:, 2] + 0.28 * part.vertices[:, 0] ** 2
            pieces.append({"mouth_depth": smoothstep(10.2, 8.6, depth)})
        elif part.region in ("upper teeth", "lower teeth"):
            pieces.append({"teeth_shadow": 0.3 + 0.7 * smoothstep(0.8, 2.2, np.abs(part.vertices[:, 0]))})
        elif part.region == "ears":
            pieces.append({"ear_hollow": smoothstep(0.2, 0.06, np.linalg.norm(part.uv - 0.5, axis=1))})
        elif part.domain is not None:
            pieces.append({f"{part.region}_pattern": 0.5 + 0.5 * np.clip(locks(part.domain), -1, 1)})
        else:
            pieces.append({})
    sizes = [len(domain), *(len(part.vertices) for part in parts)]
    names = dict.fromkeys(name for piece in pieces for name in piece)
    return {
        name: np.clip(np.concatenate([p.get(name, np.zeros(n)) for p, n in zip(pieces, sizes, strict=True)]), 0, 1)
        for name in names
    }


def region_of_skin(domain: Array, controls: Controls) -> list[str]:
    """The region of each vertex of the skin."""
    side = np.stack([np.abs(domain[:, 0]), domain[:, 1]], axis=1)
    lips = signed_distance(domain, outer_lip_outline(controls)) > -1e-6
    jaw = controls.domain[8:17]
    below = side[:, 1] < np.interp(side[:, 0], jaw[:, 0], jaw[:, 1]) - 0.6
    behind = side[:, 0] > jaw[-1, 0] + 0.4
    scalp = inside_hairline(domain) > 0
    return np.select([lips, scalp, below | behind], ["lips", "scalp", "neck"], "face").tolist()
