"""Parts of the built-in face that are not the sheet of skin: eyes, lid margins, mouth, teeth, tongue, ears, clothes.

Every part moves linearly with the control points, either by its own cardinal rows (``weights``) or by copying the
motion of vertices of the skin (``follows``). Parts marked ``rigid`` stay on the skull (or, by ``jaw``, on the jaw) when
the expression changes.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facelab.face3d.builtin_controls import EYE_CENTRE, EYEBALL_RADIUS, Controls
from facelab.face3d.builtin_mesh import SEAM, Spline, Zone, beyond, symmetric_mesh
from facelab.face3d.builtin_surface import Surface
from facelab.face3d.plane_curves import distance_to_curve, half_curve, inside_loop, smoothstep

Array = NDArray[np.float64]
Index = NDArray[np.int64]

EYE_ANGLES = (
    0.1,
    0.2,
    0.235,
    0.33,
    0.42,
    0.475,
    0.52,
    0.58,
    0.72,
    0.9,
    1.1,
    1.35,
    1.6,
)  # rings about the pupil, rad


@dataclass(frozen=True)
class Part:
    """A piece of the face.

    Attributes:
        region: its name in the model.
        vertices: (N, 3) cm in the mean face. triangles: (F, 3), counter-clockwise from outside.
        uv: (N, 2) in the unit square of the part.
        weights: (N, K) motion per control point, or None when the part follows skin vertices.
        follows: (N,) vertices of the skin.
        rigid: does not deform with the expression. jaw: (if rigid) share of the jaw's motion.
        domain: (N, 2) places in the flat domain of what lies over the skin.
        styles: name to (N, 3), the way from where a part lies when it is off to where it is worn.
        still: does not move with the expression.
    """

    region: str
    vertices: Array
    triangles: Index
    uv: Array
    weights: Array | None = None
    follows: Index | None = None
    rigid: bool = False
    jaw: float = 0.0
    domain: Array | None = None
    styles: dict[str, Array] = field(default_factory=dict)
    still: bool = False


def build_parts(
    controls: Controls, spline: Spline, skin: Array, eye_loops: tuple[Index, Index], lip_loop: Index
) -> list[Part]:
    """All parts; ``skin`` (N, 3) are the skin's vertices, the loops those about the eyes and the inner lips."""
    cardinal = np.eye(len(controls.points))
    return [
        *eyeballs(controls, cardinal),
        *lid_margins(skin, eye_loops),
        mouth_lining(skin, lip_loop),
        *teeth(cardinal),
        tongue(cardinal),
        *ears(spline),
        clothes(spline, controls.points),
    ]


def grid_triangles(rows: int, columns: int, closed: bool = False) -> Index:
    """Triangles of a grid of rows x columns vertices; ``closed`` joins the last column to the first."""
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.concatenate([index, index[:, :1]], axis=1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def _disc(rings: Array, tip: Array) -> tuple[Array, Index, Array]:
    """Vertices, triangles and uv of rings (R, C, 3), innermost first, closed by the vertex ``tip``."""
    count, columns, _ = rings.shape
    vertices = np.concatenate([tip[None], rings.reshape(-1, 3)])
    around = np.arange(columns)
    fan = np.stack([np.zeros(columns, dtype=np.int64), 1 + around, 1 + (around + 1) % columns], axis=1)
    triangles = np.concatenate([fan, 1 + grid_triangles(count, columns, closed=True)[:, ::-1]])
    angle = 2 * np.pi * around / columns
    radius = 0.5 * np.arange(1, count + 1)[:, None] / count
    spread = np.stack([0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)], axis=-1)
    return vertices, triangles, np.concatenate([[[0.5, 0.5]], spread.reshape(-1, 2)])


def _mirrored(part: Part, weights: Array) -> Part:
    """The same part on the other side of the face, with its own weights."""
    return Part(
        part.region,
        part.vertices * [-1, 1, 1],
        part.triangles[:, ::-1],
        part.uv,
        weights,
        None,
        part.rigid,
        part.jaw,
    )


def eyeballs(controls: Controls, cardinal: Array) -> list[Part]:
    """Both eyeballs looking ahead; each moves with the mean of the eight points of its lids and corners."""
    columns = 24
    polar = np.array(EYE_ANGLES)[:, None]
    around = 2 * np.pi * np.arange(columns)[None] / columns
    ray = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar) + 0 * around], -1)
    centre = np.array(EYE_CENTRE)
    vertices, triangles, uv = _disc(centre + EYEBALL_RADIUS * ray, centre + [0, 0, EYEBALL_RADIUS])
    parts = []
    for side in (1, -1):
        own = controls.within("lid upper", "lid lower", "canthus") & (controls.domain[:, 0] * side > 0)
        weights = np.repeat(cardinal[own].mean(axis=0, keepdims=True), len(vertices), axis=0)
        part = Part("eyes", vertices, triangles, uv, weights, rigid=True)
        parts.append(part if side > 0 else _mirrored(part, weights))
    return parts


def lid_margins(skin: Array, outlines: tuple[Index, Index]) -> list[Part]:
    """Strips from the edges of the lids (loops of skin vertices) to the eyeball: they close the gap at the corners."""
    parts = []
    for loop in outlines:
        edge = skin[loop]
        centre = np.array(EYE_CENTRE) * [np.sign(edge[0, 0]), 1, 1]
        ray = edge - centre
        radius = np.linalg.norm(ray, axis=1, keepdims=True)
        inner = centre + ray * (EYEBALL_RADIUS - 0.12) / radius
        corner = smoothstep(EYEBALL_RADIUS + 0.13, EYEBALL_RADIUS + 0.3, radius)
        inner = inner - corner * np.array([0, 0, 0.25])
        middle = 0.5 * (edge + inner)
        rings = np.stack([edge, middle, inner])
        flip = 1 if edge[0, 0] > 0 else -1
        triangles = grid_triangles(3, len(loop), closed=True)[:, ::flip]
        along = np.arange(len(loop)) / len(loop)
        uv = np.stack([np.tile(along, 3), np.repeat([0.0, 0.5, 1.0], len(loop))], axis=1)
        parts.append(Part("lid margins", rings.reshape(-1, 3), triangles, uv, follows=np.tile(loop, 3)))
    return parts


def mouth_lining(skin: Array, loop: Index) -> Part:
    """The inside of lips and cheeks: from the inner lip line up and down behind the lips, then back to the throat."""
    edge = skin[loop]
    turn = 2 * np.pi * (np.arange(len(loop)) - edge[:, 0].argmin()) / len(loop)
    upper = smoothstep(0.08, -0.08, np.sin(turn))[:, None]  # the loop runs along the lower lip first
    lower = 1 - upper
    outward = upper * [0, 1, 0] + lower * [0, -1, 0]
    near = edge + 0.35 * outward - [0, 0, 0.32]
    far = edge + (1.25 * upper + 0.85 * lower) * outward - (0.45 * upper + 0.85 * lower) * [0, 0, 1]
    deep = edge * [0.8, 1, 1] + 1.2 * outward - [0, 0, 4.5]
    tip = np.array([0.0, -7.6, 2.5])
    vertices, triangles, uv = _disc(np.stack([deep, far, near, edge]), tip)
    follows = np.concatenate([loop[:1], np.tile(loop, 4)])
    return Part("mouth", vertices, triangles, uv, follows=follows)


def teeth(cardinal: Array) -> list[Part]:
    """Upper teeth on the skull, lower teeth on the jaw: strips along a parabola."""
    x = np.linspace(-2.2, 2.2, 27)
    scallop = 0.07 * np.abs(np.sin(np.pi * x / 0.82))  # narrow gaps between crowns
    out = []
    for region, top, bottom, front, jaw, leader in (
        ("upper teeth", -6.75, -7.85, 9.62, 0.0, (33, 51, 62)),
        ("lower teeth", -7.9, -8.8, 9.38, 1.0, (57, 66, 8)),
    ):
        z = front - 0.34 * x**2
        edge = (scallop * -1 if jaw else scallop) + (top if jaw else bottom)
        far = np.full_like(x, bottom if jaw else top)
        rows = [
            np.stack([x, far, z - 0.1], 1),
            np.stack([x, 0.5 * (edge + far), z], 1),
            np.stack([x, edge, z - 0.04], 1),
        ]
        vertices = np.stack(rows[::-1] if jaw else rows)
        uv = np.stack(np.meshgrid(np.linspace(0, 1, len(x)), [0.0, 0.5, 1.0]), axis=-1).reshape(-1, 2)
        weights = np.repeat(cardinal[list(leader)].mean(axis=0, keepdims=True), vertices.shape[0] * len(x), axis=0)
        triangles = grid_triangles(3, len(x))[:, ::-1]
        out.append(Part(region, vertices.reshape(-1, 3), triangles, uv, weights, rigid=True, jaw=jaw))
    return out


def tongue(cardinal: Array) -> Part:
    """A flat dome behind the lower teeth."""
    columns, rings = 20, np.array([0.35, 0.65, 0.9, 1.0])[:, None]
    around = 2 * np.pi * np.arange(columns)[None] / columns
    height = -8.25 - 0.9 * rings**4 + 0 * around
    shape = np.stack([1.75 * rings * np.cos(around), height, 7.0 + 2.1 * rings * np.sin(around)], axis=-1)
    vertices, triangles, uv = _disc(shape, np.array([0.0, -8.3, 7.0]))
    weights = np.repeat(cardinal[[57, 66, 8]].mean(axis=0, keepdims=True), len(vertices), axis=0)
    return Part("tongue", vertices, triangles[:, ::-1], uv, weights, rigid=True, jaw=1.0)


# The ear: (share of the radius, height above its base in cm) from the concha over antihelix and helix to the back.
EAR_PROFILE = (
    (0.2, -0.05), (0.36, 0.0), (0.46, 0.25), (0.54, 0.6), (0.64, 0.66), (0.75, 0.34), (0.86, 0.38), (0.95, 0.82),
    (1.0, 0.62), (0.96, 0.36), (0.75, -0.1), (0.5, -0.7),
)  # fmt: skip
EAR_PLACE = (7.22, -1.35, -1.35)
EAR_HALF_HEIGHT = 3.1


def ears(spline: Spline) -> list[Part]:
    """Both ears: rings about the ear canal, folded at the helix; they move with the skin they stand on."""
    columns = 28
    around = 2 * np.pi * np.arange(columns) / columns  # 0 is to the back, a quarter turn is up
    back, up = np.cos(around), np.sin(around)
    share, height = (np.array(column)[:, None] for column in zip(*EAR_PROFILE, strict=True))
    width = np.where(back > 0, 1.95, 1.3) * (1 + 0.2 * up)  # wide above, a narrow lobe below
    lobe = smoothstep(-0.6, -0.95, up) * (share > 0.3)
    front = smoothstep(0.2, -0.7, back) * (1 - 0.6 * smoothstep(0.3, 0.9, up))
    flat = np.where(height > 0, (1 - 0.8 * front) * (1 - 0.5 * lobe), 1.0)
    tragus = 0.42 * np.exp(-(((around - 1.08 * np.pi) / 0.4) ** 2)) * np.exp(-(((share - 0.62) / 0.16) ** 2))
    stand = 0.16 * np.clip(back, -0.25, 1) * share * width  # farther from the head at the back
    away = 0.85 * height * flat + tragus + stand + 0.1 * lobe
    local = np.stack([away, share * EAR_HALF_HEIGHT * up + 0 * away, -share * width * back], axis=-1)
    tilt = np.deg2rad(12.0)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    centre = np.array(EAR_PLACE)
    vertices, triangles, uv = _disc(centre + local @ turn.T, centre - [0.12, 0, 0])
    anchor = np.array([[14.0, -0.5], [14.0, -2.5]])
    weights, mirrored = (
        np.repeat(spline.lift(anchor * [side, 1]).mean(axis=0, keepdims=True), len(vertices), axis=0)
        for side in (1, -1)
    )
    part = Part("ears", vertices, triangles, uv, weights)
    return [part, _mirrored(part, mirrored)]


COLLAR = np.array(
    [(0.0, -20.0), (3.5, -19.6), (7.0, -18.8), (11.0, -18.1), (16.0, -17.4), (22.0, -16.6), (SEAM, -16.4)]
)


def clothes(spline: Spline, points: Array) -> Part:
    """A round collar and the shoulders."""
    edge = half_curve(COLLAR, 1.2)
    loop = beyond(edge, -28.0)
    mesh = symmetric_mesh(edge, (Zone(1.3, SEAM, -27.0, -16.0),), lambda where: inside_loop(where, loop))
    side = np.stack([np.abs(mesh.points[:, 0]), mesh.points[:, 1]], axis=1)
    skin = Surface.under(mesh.points, spline, points)
    place = skin.raised(0.12 + 0.2 * smoothstep(0, 0.8, distance_to_curve(side, edge)))
    uv = (mesh.points - mesh.points.min(axis=0)) / np.ptp(mesh.points, axis=0)
    return Part("clothes", place, mesh.triangles, uv, skin.weights, domain=mesh.points)
