"""Where two answers to one face differ: a mesh to turn, coloured by how far apart its vertices are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from facelab.viz.faces import render_mesh, show_image
from facelab.viz.figure import InteractiveFigure
from facelab.viz.meshes import mesh_scene
from facelab.viz.slides import slider
from facelab.viz.style import style

_SCALE = "viridis"  # of matplotlib and, capitalised, of Plotly
_LIGHT = {"ambient": 0.55, "diffuse": 0.6, "specular": 0.08, "roughness": 0.9, "fresnel": 0.05}
_LARGEST = 0.99  # the share of all distances that the colours tell apart
_STILLS = 4  # meshes at most in the still twin
_QUANTA = 32000  # coordinates are 16-bit integers, half of the bytes of floats
_COLOURS = 255  # the last of as many steps as a scale of colours has


def mesh_difference_figure(
    meshes: Tensor,
    distances: Tensor,
    triangles: Tensor,
    alt: str,
    names: Sequence[str],
    label: str,
) -> InteractiveFigure:
    """A mesh to turn whose colours are lengths; a slider goes from one to the next.

    Args:
        meshes: ``(N, V, 3)`` model units, y up. distances: ``(N, V)`` millimetres, one a vertex.
        triangles: ``(F, 3)``. alt: what is to be seen. names: of the meshes. label: what the distances are.
    Raises:
        ValueError: on shapes or names that do not go together, or numbers that are not finite.
    """
    if meshes.ndim != 3 or meshes.shape[2] != 3 or distances.shape != meshes.shape[:2] or len(names) != len(meshes):
        raise ValueError(
            "mesh_difference_figure: expected meshes (N, V, 3), distances (N, V) and N names, got "
            f"{tuple(meshes.shape)}, {tuple(distances.shape)} and {len(names)}"
        )
    if not bool(meshes.isfinite().all() and distances.isfinite().all()):
        raise ValueError("mesh_difference_figure: expected finite numbers")
    meshes, distances = meshes.detach().cpu().float(), distances.detach().cpu().float()
    end = max(float(np.quantile(distances.numpy(), _LARGEST)), 1e-3)
    low, high = meshes.flatten(0, 1).aminmax(dim=0)
    middle, unit = (low + high) / 2, float((high - low).max()) / 2 / _QUANTA
    steps = [
        {
            **dict(zip("xyz", ((mesh - middle) / unit).round().numpy().astype(np.int16).T, strict=True)),
            "intensity": (_COLOURS * (row / end).clamp_max(1)).round().numpy().astype(np.uint8),
        }
        for mesh, row in zip(meshes, distances, strict=True)
    ]
    frames = [go.Frame(data=[go.Mesh3d(step)], name=str(index)) for index, step in enumerate(steps)]
    told = [
        f"{name}: mean {float(row.mean()):.2f} mm, largest {float(row.max()):.1f} mm"
        for name, row in zip(names, distances, strict=True)
    ]
    figure = go.Figure(
        [go.Mesh3d(steps[0], **_look(triangles, end, label))], _layout((high - low) / 2 / unit), frames=frames
    )
    figure.update_layout(sliders=[slider(told, 0, "")])
    return InteractiveFigure(figure, alt, _poster(meshes, distances, triangles, names, end, label))


def _look(triangles: Tensor, end: float, label: str) -> dict[str, Any]:
    ticks = MaxNLocator(4).tick_values(0, end)
    bar = {
        "orientation": "h", "thickness": 12, "len": 0.9, "x": 0.5, "y": 1.0, "yanchor": "bottom",
        "title": {"text": label, "side": "top"},
        "tickvals": [_COLOURS / end * tick for tick in ticks], "ticktext": [f"{tick:g}" for tick in ticks],
    }  # fmt: skip
    corners = triangles.cpu().numpy().astype(np.uint16 if int(triangles.max()) < 2**16 else np.int32)
    return {
        **dict(zip("ijk", corners.T, strict=True)),
        "colorscale": _SCALE.capitalize(),
        "cmin": 0,
        "cmax": _COLOURS,
        "colorbar": bar,
        "lighting": _LIGHT,
        "lightposition": {"x": -4e4, "y": 5e4, "z": 1e5},
        "hoverinfo": "skip",
    }


def _layout(reach: Tensor) -> go.Layout:
    """A scene that holds every mesh, so that nothing jumps under the slider; ``reach`` from the middle, each axis."""
    layout = mesh_scene(eye=(0.0, 0.0, 1.7), height=520)
    for axis, limit in zip("xyz", reach.tolist(), strict=True):
        layout.scene[f"{axis}axis"].range = [-limit, limit]
    ratio = dict(zip("xyz", (reach / reach.max()).tolist(), strict=True))
    layout.scene.update(aspectmode="manual", aspectratio=ratio)
    return layout.update(margin={"l": 4, "r": 4, "t": 66, "b": 8})


def _poster(
    meshes: Tensor, distances: Tensor, triangles: Tensor, names: Sequence[str], end: float, label: str
) -> Figure:
    """The first meshes from half a side."""
    shown = min(_STILLS, len(meshes))
    colours = plt.get_cmap(_SCALE)
    with style():
        figure, row = plt.subplots(
            1, shown, figsize=(1.9 * shown + 0.9, 2.4), squeeze=False, dpi=80, layout="constrained"
        )
        for index, ax in enumerate(row[0]):
            painted = torch.from_numpy(colours((distances[index] / end).clamp_max(1).numpy())[:, :3]).float()
            title = f"{names[index]}\nmean {float(distances[index].mean()):.2f} mm"
            show_image(ax, render_mesh(meshes[index], triangles, painted, yaw=-25.0, size=160), title)
        figure.colorbar(ScalarMappable(Normalize(0, end), colours), ax=row, label=label, shrink=0.8, extend="max")
    return figure
