"""Meshes to turn, with modes to move."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from facelab.face3d import MorphableModel
from facelab.markups import markup
from facelab.viz.faces import render_views
from facelab.viz.figure import Blend, InteractiveFigure
from facelab.viz.style import ACCENT

_LIGHT = {"ambient": 0.62, "diffuse": 0.55, "specular": 0.06, "roughness": 0.9, "fresnel": 0.05}
_HIDDEN = {"visible": False, "showspikes": False}


def mesh_trace(vertices: Tensor, triangles: Tensor, colours: Tensor) -> go.Mesh3d:
    """A Plotly mesh: vertices ``(V, 3)`` model units, triangles ``(F, 3)``, colours ``(V, 3)`` in [0, 1]."""
    points = vertices.numpy().astype(np.float32)
    corners = triangles.numpy().astype(np.uint16 if len(points) < 2**16 else np.int32)
    rgb = (colours.clamp(0, 1) * 255).round().byte().tolist()
    return go.Mesh3d(
        **dict(zip("xyz", points.T, strict=True)),
        **dict(zip("ijk", corners.T, strict=True)),
        vertexcolor=[f"#{r:02x}{g:02x}{b:02x}" for r, g, b in rgb],
        lighting=_LIGHT,
        lightposition={"x": -4e4, "y": 5e4, "z": 1e5},
        hoverinfo="skip",
        flatshading=False,
    )


def landmark_trace(points: Tensor, scheme: str = "68") -> go.Scatter3d:
    """Landmarks ``(L, 3)`` as dots that tell their number and group."""
    names = landmark_names(scheme)
    x, y, z = points.numpy().astype(np.float32).T
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="markers",
        marker={"size": 3.5, "color": ACCENT, "line": {"color": "black", "width": 1}},
        text=names,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def landmark_names(scheme: str = "68") -> list[str]:
    """Each landmark's number and group, ``"36, eye on image left"``."""
    groups = markup(scheme).groups
    group_of = {index: group for group, indices in groups.items() for index in indices}
    return [f"{index}, {group_of[index]}" for index in range(markup(scheme).points)]


def mesh_scene(eye: tuple[float, float, float] = (0.0, 0.0, 1.5), height: int = 520) -> go.Layout:
    """A scene without axes, y up, seen from the front."""
    camera = {"up": {"x": 0, "y": 1, "z": 0}, "eye": dict(zip("xyz", eye, strict=True))}
    scene = {"xaxis": _HIDDEN, "yaxis": _HIDDEN, "zaxis": _HIDDEN, "aspectmode": "data", "camera": camera}
    return go.Layout(scene=scene, margin={"l": 0, "r": 0, "t": 0, "b": 0}, height=height)


def face_figure(
    model: MorphableModel,
    colours: Tensor,
    alt: str,
    modes: Sequence[tuple[str, str, int]] = (),
    landmarks: bool = True,
    spread: float = 3.0,
    style: Tensor | None = None,
) -> InteractiveFigure:
    """The mean face of a model to turn, with sliders for some of its modes.

    Args:
        model: the face. colours: ``(V, 3)``. alt: what is to be seen.
        modes: (label, ``"identity"`` or ``"expression"``, index). A unit of an identity slider is one standard
            deviation, from -spread to spread; an expression slider covers the natural range of its coefficient.
        landmarks: draw them too; they move with the mesh. spread: see ``modes``.
        style: ``(Ks,)`` what the face wears; nothing if not given.
    """
    mean = model.vertices(style=style)[0]
    data: list[go.Mesh3d | go.Scatter3d] = [mesh_trace(mean, model.triangles, colours)]
    if landmarks:
        data.append(landmark_trace(mean[model.landmarks]))
    blends: list[Blend] = []
    for label, kind, index in modes:
        delta, low, high = _mode(model, kind, index, spread)
        blends.append(Blend(label, delta, low, high))
        if landmarks:
            blends.append(Blend(label, delta[model.landmarks.numpy()], low, high, trace=1))
    poster = render_views(model, mean, colours, (-70, -35, 0, 35, 70), size=160)
    return InteractiveFigure(go.Figure(data, mesh_scene()), alt, poster.permute(1, 2, 0).numpy(), controls=blends)


def _mode(model: MorphableModel, kind: str, index: int, spread: float) -> tuple[np.ndarray, float, float]:
    if kind == "identity":
        delta = model.identity[index] * model.identity_std[index]
        return delta.T.numpy(), -spread, spread
    if kind == "expression":
        low, high = model.expression_range[index].tolist()
        return model.expression[index].T.numpy(), low, high
    raise ValueError(f"mode kind: expected identity or expression, got {kind!r}")
