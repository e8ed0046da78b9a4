"""What the built-in face can put on: glasses and dark lenses, a cap and a beanie. Off, it lies inside the skull."""

import numpy as np
from numpy.typing import NDArray

from facelab.face3d.builtin_controls import Controls
from facelab.face3d.builtin_mesh import SEAM, Spline, Zone, symmetric_mesh
from facelab.face3d.builtin_parts import Part, grid_triangles
from facelab.face3d.builtin_surface import Surface
from facelab.face3d.plane_curves import smoothstep

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_INSIDE = np.array([0.0, 2.0, 0.0])  # where what is off is kept
_TUBE = 5  # vertices round a wire
_LENS_CENTRE = (3.05, -0.95)
_ARM = np.array([(5.75, 0.15, 8.6), (7.2, 0.35, 6.4), (7.75, 0.3, 3.0), (7.75, 0.15, 0.2), (7.75, -0.9, -1.3)])
# Half width, half height and roundness (2 is an ellipse, more is a rectangle) of the rims.
_SHAPES = {"round": (2.15, 2.05, 2.0), "square": (2.5, 1.75, 4.5)}


def glasses(controls: Controls) -> list[Part]:
    """Frames and dark lenses: styles ``glasses_round``, ``glasses_square``, ``lenses_round``, ``lenses_square``."""
    frames: dict[str, list[Array]] = {name: [] for name in _SHAPES}
    triangles: list[Index] = []
    weights: list[Array] = []
    places: list[Array] = []
    start = 0
    for name, (wide, high, power) in _SHAPES.items():
        wires = _wires(wide, high, power)
        frames[name] = [_tube(path, 0.13, closed) for path, closed in wires]
    for number, (path, closed) in enumerate(wires):
        rings = len(path)
        piece = grid_triangles(rings + closed, _TUBE, closed=True)
        triangles.append(start + (piece % (rings * _TUBE)))
        weights.append(_frame_weights(controls, frames["round"][number]))
        along, around = np.meshgrid(np.linspace(0, 1, rings), np.linspace(0, 0.9, _TUBE), indexing="ij")
        places.append(np.stack([along, (number + around) / len(wires)], -1).reshape(-1, 2))  # one strip a wire
        start += rings * _TUBE
    count = start
    styles = {f"glasses_{name}": np.concatenate(pieces) - _INSIDE for name, pieces in frames.items()}
    frame = Part(
        "glasses", np.tile(_INSIDE, (count, 1)), np.concatenate(triangles), np.concatenate(places),
        np.concatenate(weights), styles=styles, still=True,
    )  # fmt: skip
    return [frame, _lenses(controls)]


def _wires(wide: float, high: float, power: float) -> list[tuple[Array, bool]]:
    """Paths of the wire: two rims, the bridge, two arms."""
    rim = _rim(wide, high, power)
    bridge_x = np.linspace(-1, 1, 7) * (_LENS_CENTRE[0] - wide + 0.1)
    bridge = np.stack([bridge_x, -0.35 + 0.25 * (1 - (bridge_x / bridge_x.max()) ** 2), 10.55 - 0.35 * bridge_x**2], 1)
    arm = _ARM.copy()
    arm[0] = rim[np.argmax(rim[:, 0] + 0.6 * rim[:, 1])]
    mirror = np.array([-1.0, 1.0, 1.0])
    return [(rim, True), (rim * mirror, True), (bridge, False), (arm, False), (arm * mirror, False)]


def _rim(wide: float, high: float, power: float) -> Array:
    """Outline (28, 3) of the lens on the side x > 0, wrapped round the face."""
    turn = 2 * np.pi * np.arange(28) / 28
    x, y = np.cos(turn), np.sin(turn)
    radius = (np.abs(x) ** power + np.abs(y) ** power) ** (-1 / power)
    return _on_lens_plane(np.stack([wide * radius * x, high * radius * y], 1))


def _on_lens_plane(offset: Array) -> Array:
    x, y = _LENS_CENTRE[0] + offset[:, 0], _LENS_CENTRE[1] + offset[:, 1]
    return np.stack([x, y, 10.45 - 0.055 * x**2 - 0.03 * y], 1)


def _tube(path: Array, radius: float, closed: bool) -> Array:
    """Vertices (N * 5, 3) of a wire along ``path`` (N, 3)."""
    along = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0) if closed else np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    reference = np.where(np.abs(along[:, 2:]) > 0.8, [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]])
    side = np.cross(along, reference)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(along, side)
    turn = 2 * np.pi * np.arange(_TUBE) / _TUBE
    ring = np.cos(turn)[None, :, None] * side[:, None] + np.sin(turn)[None, :, None] * other[:, None]
    return (path[:, None] + radius * ring).reshape(-1, 3)


def _frame_weights(controls: Controls, vertices: Array) -> Array:
    """(N, K): the front sits on the nose between the eyes, the arms on the ears."""
    cardinal = np.eye(len(controls.points))
    front = cardinal[[27, 28, 39, 42, 36, 45]].mean(axis=0)
    sides = {}
    for sign in (1, -1):
        own = controls.within("ear base") & (controls.domain[:, 0] * sign > 0)
        sides[sign] = cardinal[own].mean(axis=0)
    back = smoothstep(8.0, 1.0, vertices[:, 2])[:, None]
    ear = np.where(vertices[:, :1] > 0, sides[1], sides[-1])
    return (1 - back) * front + back * ear


def _lenses(controls: Controls) -> Part:
    """Dark plates in the rims."""
    styles: dict[str, Array] = {}
    pieces: list[Array] = []
    for name, (wide, high, power) in _SHAPES.items():
        rim = _rim(wide, high, power)
        middle = _on_lens_plane(np.zeros((1, 2))) + [0, 0, 0.25]
        half = np.concatenate([middle, 0.5 * (rim + middle) + [0, 0, 0.09], rim])
        styles[f"lenses_{name}"] = np.concatenate([half, half * [-1, 1, 1]])
        pieces.append(half)
    columns = len(rim)
    around = np.arange(columns)
    fan = np.stack([0 * around, 1 + around, 1 + (around + 1) % columns], 1)
    band = 1 + grid_triangles(2, columns, closed=True)[:, ::-1]
    half_triangles = np.concatenate([fan, band])
    count = 2 * len(pieces[0])
    weights = _frame_weights(controls, styles["lenses_round"])
    triangles = np.concatenate([half_triangles, half_triangles[:, ::-1] + len(pieces[0])])
    flat = (pieces[0][:, :2] - _LENS_CENTRE) / (2.2 * _SHAPES["square"][0]) + 0.5
    places = np.concatenate([flat * [0.48, 1], flat * [0.48, 1] + [0.5, 0]])  # side by side
    return Part(
        "lenses", np.tile(_INSIDE, (count, 1)), triangles, places, weights,
        styles={name: place - _INSIDE for name, place in styles.items()}, still=True,
    )  # fmt: skip


_CAP_EDGE = 5.2  # v of the lower edge of a cap over the forehead


def headwear(spline: Spline, points: Array) -> Part:
    """A cap with a visor and a beanie, one mesh with two styles; the last rows of the front stretch into the visor."""

    def keep(where: Array) -> NDArray[np.bool_]:
        return where[:, 1] > _edge_of_cap(where[:, 0]) - 1e-6

    along = np.arange(0.0, SEAM, 0.7)
    border = np.stack([along, _edge_of_cap(along)], 1)
    rows = [border[border[:, 0] < 7.6] + [0.0, 0.22 * row] for row in (1, 2, 3)]
    mesh = symmetric_mesh(np.concatenate([border, *rows]), (Zone(0.95, SEAM, _CAP_EDGE - 6, 15.0),), keep)
    skin = Surface.under(mesh.points, spline, points)
    u, v = np.abs(mesh.points[:, 0]), mesh.points[:, 1]
    over = v - _edge_of_cap(u)
    seam = 0.05 * np.cos(np.pi * mesh.points[:, 0] / 4.7) * smoothstep(0, 3, over)
    crown = skin.raised(1.45 + 0.35 * smoothstep(0, 4, over) - seam)
    visor = np.sqrt(np.clip(1 - (u / 7.4) ** 2, 0, 1)) * smoothstep(0.75, 0.0, over)
    cap = crown + visor[:, None] * np.array([0.0, -1.3, 6.0])
    roll = 0.45 * smoothstep(2.4, 1.9, over) * smoothstep(-0.1, 0.4, over)
    knit = 0.04 * np.sin(5.5 * u)
    tall = smoothstep(8.0, 14.0, v)[:, None] * np.array([0.0, 1.6, -0.6])
    beanie = skin.raised(1.35 + roll + knit) + tall
    hidden = 0.55 * skin.base
    return Part(
        "cap", hidden, mesh.triangles, (mesh.points - mesh.points.min(0)) / np.ptp(mesh.points, axis=0), skin.weights,
        domain=mesh.points, styles={"cap": cap - hidden, "beanie": beanie - hidden},
    )  # fmt: skip


def _edge_of_cap(u: Array) -> Array:
    """v of the lower edge: over the forehead, above the ears, down to the back of the head."""
    return np.interp(np.abs(u), [0, 7.5, 11, 14, 18, SEAM], [_CAP_EDGE, _CAP_EDGE - 0.6, 3.4, 3.2, 2.0, 0.0])
