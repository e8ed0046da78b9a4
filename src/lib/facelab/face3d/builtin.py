"""The face that ships with the library: a procedural morphable head, built from typed numbers in about a second."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from facelab.face3d.builtin_controls import EYE_CENTRE, Controls, builtin_controls
from facelab.face3d.builtin_expression import EXPRESSIONS, expression_displacements, jaw_motion
from facelab.face3d.builtin_eyelids import lift_blink, push_out, slide_along
from facelab.face3d.builtin_hair import beard, hair
from facelab.face3d.builtin_identity import identity_displacements
from facelab.face3d.builtin_masks import region_of_skin, vertex_masks
from facelab.face3d.builtin_mesh import (
    SEAM,
    DomainMesh,
    Spline,
    body_mesh,
    eye_edge,
    mouth_edge,
)
from facelab.face3d.builtin_parts import Part, build_parts
from facelab.face3d.builtin_worn import glasses, headwear
from facelab.face3d.model import MorphableModel
from facelab.face3d.plane_curves import smoothstep

Array = NDArray[np.float64]
Index = NDArray[np.int64]

IDENTITY_MODES = 199
GAZE_ANGLE = 0.26  # rad at coefficient 1
SKIN_REGIONS = ("face", "lips", "scalp", "neck")
PART_REGIONS = (
    "eyes",
    "lid margins",
    "mouth",
    "upper teeth",
    "lower teeth",
    "tongue",
    "ears",
    "hair",
    "beard",
    "glasses",
    "lenses",
    "cap",
    "clothes",
)


@dataclass(frozen=True)
class _Assembly:
    """The skin with its parts behind it, in the order of the model's vertices."""

    controls: Controls
    mesh: DomainMesh
    landmarks: Index
    skin: Array
    weights: Array
    parts: list[Part]

    @property
    def mean(self) -> Array:
        return np.concatenate([self.skin, *(part.vertices for part in self.parts)])

    def eyeball_motion(self, displacements: Array) -> Array:
        """(M, 2, 3) motion of the two eyeballs under displacements (M, K, 3) of the controls."""
        rows = np.stack([part.weights[0] for part in self.parts if part.region == "eyes" and part.weights is not None])
        return np.einsum("ek,mkc->mec", rows, displacements)


@cache
def builtin_face() -> MorphableModel:
    """The built-in face: 68 landmarks, 199 identity and 33 expression modes, centimetres; cached in the process.

    Built from control points (``builtin_controls``), a thin-plate spline over a flat domain (``builtin_mesh``) and
    parts for eyes, mouth, ears and clothes (``builtin_parts``), hair (``builtin_hair``) and what is worn
    (``builtin_worn``). Without a style the head is bald and bare. Coefficients: identity in units of an
    orthonormal basis, expression mostly from 0 (neutral) to 1. The model is on the CPU; treat it as read-only.
    """
    whole = _assemble()
    basis, deviation = _principal_modes(_identity_fields(whole))
    expression = _expression_fields(whole)
    triangles, region, uv = _layout(whole)
    masks = vertex_masks(whole.mesh.points, whole.controls, whole.parts)
    styles = _style_fields(whole)
    return MorphableModel(
        name="built-in face",
        unit="cm",
        mean=_float(whole.mean.T),
        identity=_float(basis.transpose(0, 2, 1)),
        expression=_float(expression.transpose(0, 2, 1)),
        identity_std=_float(deviation),
        expression_std=_float(np.array([mode.deviation for mode in EXPRESSIONS])),
        expression_range=_float(np.array([mode.range for mode in EXPRESSIONS])),
        expression_names=tuple(mode.name for mode in EXPRESSIONS),
        triangles=torch.from_numpy(triangles),
        uv=_float(uv),
        region=torch.from_numpy(region),
        region_names=SKIN_REGIONS + PART_REGIONS,
        landmarks=torch.from_numpy(whole.landmarks),
        masks={name: _float(mask) for name, mask in masks.items()},
        style=_float(np.stack(list(styles.values())).transpose(0, 2, 1)),
        style_names=tuple(styles),
    )


def _float(array: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _assemble() -> _Assembly:
    controls = builtin_controls()
    mesh, landmarks = body_mesh(controls)
    spline = Spline(controls)
    weights = spline.lift(mesh.points)
    tree = cKDTree(mesh.points)
    edges = (eye_edge(controls, 1), eye_edge(controls, -1), mouth_edge(controls))
    loops = [tree.query(edge.places)[1].astype(np.int64) for edge in edges]
    for loop, edge in zip(loops, edges, strict=True):
        weights += _edge_correction(mesh.points, loop, edge.rows - weights[loop])
    weights[landmarks] = np.eye(len(controls.points))[:68]
    skin = push_out(weights @ controls.points)
    parts = build_parts(controls, spline, skin, (loops[0], loops[1]), loops[2])
    grown = [hair(spline, controls.points), beard(controls, spline)]
    worn = [*glasses(controls), headwear(spline, controls.points)]
    return _Assembly(controls, mesh, landmarks, skin, weights, [*parts, *grown, *worn])


def _edge_correction(domain: Array, loop: Index, change: Array, reach: float = 0.45) -> Array:
    """Rows (V, K) to add so that the vertices of ``loop`` change by ``change``, fading out over ``reach`` cm."""
    distance, nearest = cKDTree(domain[loop]).query(domain)
    return smoothstep(reach, 0.0, distance)[:, None] * change[nearest]


def _identity_fields(whole: _Assembly) -> Array:
    """All identity modes (M, V, 3) at one standard deviation."""
    moved = identity_displacements(whole.controls)
    skin = np.einsum("vk,mkc->mvc", whole.weights, moved, optimize=True)
    skin = slide_along(whole.skin, skin, whole.eyeball_motion(moved))
    fields = [skin, *(_part_motion(part, moved, skin) for part in whole.parts)]
    return np.concatenate([np.concatenate(fields, axis=1), _shapes_of_parts(whole)])


def _part_motion(part: Part, moved: Array, skin: Array) -> Array:
    if part.follows is not None:
        return skin[:, part.follows]
    if part.weights is None:
        raise AssertionError(f"{part.region}: neither weights nor a skin to follow")
    return np.einsum("vk,mkc->mvc", part.weights, moved, optimize=True)


def _shapes_of_parts(whole: _Assembly) -> Array:
    """Modes (M, V, 3) that control points do not have: size and stand of the ears."""
    size, stand = np.zeros((2, *whole.mean.shape))
    start = len(whole.skin)
    for part in whole.parts:
        rows = slice(start, start + len(part.vertices))
        start = rows.stop
        if part.region == "ears":
            root = part.vertices[:1]
            size[rows] = 0.08 * (part.vertices - root)
            depth = np.maximum(root[:, 2:] - part.vertices[:, 2:], 0)
            stand[rows] = 0.22 * depth * np.sign(root[:, :1]) * [1, 0, 0]
    return np.stack([size, stand])


def _principal_modes(fields: Array) -> tuple[Array, Array]:
    """Orthonormal basis (199, V, 3) and deviations (199,), largest first, with the covariance of ``fields``.

    Source: the singular value decomposition of the fields, by way of their Gram matrix, which is much smaller.
    """
    rows = fields.reshape(len(fields), -1)
    values, vectors = np.linalg.eigh(rows @ rows.T)
    order = np.argsort(values)[::-1][:IDENTITY_MODES]
    deviation = np.sqrt(values[order])
    basis = (vectors[:, order] / deviation).T @ rows
    largest = np.take_along_axis(basis, np.abs(basis).argmax(axis=1)[:, None], axis=1)
    basis *= np.sign(largest)  # a fixed sign
    return basis.reshape(-1, *fields.shape[1:]), deviation


def _expression_fields(whole: _Assembly) -> Array:
    """All expression modes (M, V, 3) at coefficient 1."""
    moved = expression_displacements(whole.controls)
    names = [mode.name for mode in EXPRESSIONS]
    raw = np.einsum("vk,mkc->mvc", whole.weights, moved, optimize=True)
    skin = slide_along(whole.skin, raw)
    for name, side in (("blink_left", 1), ("blink_right", -1)):
        skin[names.index(name)] = lift_blink(whole.skin, raw[names.index(name)], side)
    fields = [skin]
    for part in whole.parts:
        if part.still:
            fields.append(np.zeros((len(names), *part.vertices.shape)))
        elif part.rigid:
            fields.append(np.stack([part.jaw * jaw_motion(name, part.vertices) + _gaze(name, part) for name in names]))
        else:
            fields.append(_part_motion(part, moved, skin))
    return np.concatenate(fields, axis=1)


def _style_fields(whole: _Assembly) -> dict[str, Array]:
    """Name to displacement (V, 3) of everything that can be worn."""
    styles: dict[str, Array] = {}
    start = len(whole.skin)
    for part in whole.parts:
        for name, displacement in part.styles.items():
            styles[name] = np.zeros_like(whole.mean)
            styles[name][start : start + len(part.vertices)] = displacement
        start += len(part.vertices)
    return styles


def _gaze(name: str, part: Part) -> Array:
    """Linearised rotation (N, 3) of an eyeball; zero for other parts and modes."""
    axes = {"gaze_left": (0.0, 1.0, 0.0), "gaze_up": (-1.0, 0.0, 0.0)}
    if part.region != "eyes" or name not in axes:
        return np.zeros_like(part.vertices)
    centre = np.array(EYE_CENTRE) * [np.sign(part.vertices[0, 0]), 1, 1]
    return np.sin(GAZE_ANGLE) * np.cross(axes[name], part.vertices - centre)


def _layout(whole: _Assembly) -> tuple[Index, Index, Array]:
    """Triangles, region of each vertex, and texture coordinates: the skin above, the parts in a row below it."""
    names = SKIN_REGIONS + PART_REGIONS
    domain = whole.mesh.points
    low, high = domain[:, 1].min(), domain[:, 1].max()
    uv = [np.stack([0.5 + 0.5 * domain[:, 0] / SEAM, 0.2 + 0.8 * (domain[:, 1] - low) / (high - low)], axis=1)]
    region = [np.array([names.index(name) for name in region_of_skin(domain, whole.controls)], dtype=np.int64)]
    triangles, start = [whole.mesh.triangles], len(domain)
    width = 1.0 / len(whole.parts)
    for number, part in enumerate(whole.parts):
        triangles.append(part.triangles + start)
        region.append(np.full(len(part.vertices), names.index(part.region), dtype=np.int64))
        uv.append(np.stack([(number + 0.98 * part.uv[:, 0]) * width, 0.19 * part.uv[:, 1]], axis=1))
        start += len(part.vertices)
    return np.concatenate(triangles), np.concatenate(region), np.clip(np.concatenate(uv), 0, 1)
