"""Meshes beside the true ones, to turn together, coloured by their distance in millimetres."""

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
from numpy.typing import NDArray
from torch import Tensor

from facelab.viz.faces import render_mesh, show_image
from facelab.viz.figure import InteractiveFigure, asset
from facelab.viz.meshes import mesh_scene
from facelab.viz.slides import slider
from facelab.viz.style import style

_SCALE = "viridis"  # of matplotlib and, capitalised, of Plotly
_PLAIN = (0.78, 0.74, 0.71)  # clay: shows the surface alone
_LIGHT = {"ambient": 0.55, "diffuse": 0.6, "specular": 0.08, "roughness": 0.9, "fresnel": 0.05}
_QUANTA = 32000  # coordinates are 16-bit integers, half of the bytes of floats
_COLOURS = 255  # the last of as many steps as a scale of colours has
_LARGEST = 0.99  # the share of all distances that the colours tell apart
_SLIDER = 60  # pixels of the page that a slider takes
_STILLS = 3  # pairs at most in the still twin
_EYE = (0.0, 0.0, 2.0)  # so far off that half of a phone's width is enough
_HEIGHT = 560


class LinkedScenes(InteractiveFigure):
    """A figure with several scenes: turning one turns all of them."""

    def html(self) -> str:
        """The figure, and the code that links its cameras."""
        return f"{super().html()}\n<script>{asset('linked_scenes.js')}</script>"


def mesh_error_figure(
    predicted: Tensor,
    target: Tensor,
    triangles: Tensor,
    alt: str,
    names: Sequence[str] = (),
    millimetres: float = 10.0,
    largest: float | None = None,
    y_down: bool = False,
) -> LinkedScenes:
    """True meshes on the left, predicted ones on the right, coloured by how far each vertex is from its true place.

    Both turn together. A slider goes from one pair to the next; buttons change between the colours and the bare
    surface, which shows how smooth it is. Meshes are compared where they are: align them first if pose is not meant.

    Args:
        predicted, target: ``(N, V, 3)``, or ``(V, 3)`` of one pair. triangles: ``(F, 3)``. alt: what is to be seen.
        names: of the pairs, such as of faces or of methods; numbers if not given.
        millimetres: in one unit of the vertices; 10 for a model in centimetres.
        largest: distance in millimetres at the end of the colours; if None, that of 99 of 100 vertices, rounded up.
        y_down: of vertices in pixels, whose y grows downwards.
    Raises:
        ValueError: on shapes or names that do not go together, numbers that are not finite, or a factor or an end
            of the colours that is not positive.
    """
    meshes = _checked(predicted, target, triangles, names, millimetres, largest)
    upright = [mesh * mesh.new_tensor([1.0, -1.0, 1.0]) if y_down else mesh for mesh in meshes]
    distances = millimetres * (meshes[0] - meshes[1]).norm(dim=2)
    end = largest or _end(distances)
    titles = names or [f"face {index + 1}" for index in range(len(distances))]
    labels = [_told(title, row) for title, row in zip(titles, distances, strict=True)]
    guess, truth = upright
    middle, unit = _frame(upright)
    figure = go.Figure(
        [
            _mesh(truth[0], middle, unit, triangles, {"color": _hex(_PLAIN)}, "scene"),
            _mesh(guess[0], middle, unit, triangles, _coloured(distances[0], end), "scene2"),
        ],
        _layout(guess, truth, middle, unit),
    )
    if len(labels) == 1:
        place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0, "yanchor": "top"}
        figure.add_annotation(text=labels[0], showarrow=False, font={"size": 14}, **place)
        figure.update_layout(height=_HEIGHT - _SLIDER)
    else:
        steps = _steps(upright, distances, end, middle, unit)
        figure.frames = [
            go.Frame(data=[go.Mesh3d(trace) for trace in step], name=str(index), traces=[0, 1])
            for index, step in enumerate(steps)
        ]
        figure.update_layout(sliders=[slider(labels, 0, "")])
    figure.update_layout(updatemenus=[_switch(24 if len(labels) == 1 else 24 + _SLIDER)])
    return LinkedScenes(figure, alt, _poster(upright, distances, triangles, titles, end))


def _checked(
    predicted: Tensor,
    target: Tensor,
    triangles: Tensor,
    names: Sequence[str],
    millimetres: float,
    largest: float | None,
) -> tuple[Tensor, Tensor]:
    """Both as batches in double precision."""
    guess, truth = (mesh.detach().cpu().double().reshape(-1, *mesh.shape[-2:]) for mesh in (predicted, target))
    if predicted.shape != target.shape or predicted.ndim not in (2, 3) or guess.shape[-1] != 3 or not guess.numel():
        raise ValueError(
            "mesh_error_figure: expected predicted and target of one shape (N, V, 3) or (V, 3), "
            f"got {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    if not bool(guess.isfinite().all() and truth.isfinite().all()):
        raise ValueError("mesh_error_figure: expected finite vertices")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or int(triangles.max()) >= guess.shape[1]:
        raise ValueError(
            f"mesh_error_figure triangles: expected (F, 3) of {guess.shape[1]} vertices, got {tuple(triangles.shape)}"
        )
    if names and len(names) != len(guess):
        raise ValueError(f"mesh_error_figure names: expected {len(guess)}, one a pair, got {len(names)}")
    if not millimetres > 0 or (largest is not None and not largest > 0):
        raise ValueError(
            f"mesh_error_figure: expected millimetres and largest to be positive, got {millimetres} and {largest}"
        )
    return guess, truth


def _told(name: str, distances: Tensor) -> str:
    return f"{name}: mean {float(distances.mean()):.2f} mm, largest {float(distances.max()):.1f} mm"


def _end(distances: Tensor) -> float:
    """Where the colours end: a round number above nearly all distances."""
    reached = max(float(np.quantile(distances.numpy(), _LARGEST)), 1e-3)
    step = 10.0 ** np.floor(np.log10(reached)) / 2
    return float(step * np.ceil(reached / step))


def _frame(meshes: Sequence[Tensor]) -> tuple[Tensor, float]:
    """The middle of all meshes, and the length that stands for 1 in the 16-bit coordinates."""
    points = torch.cat([mesh.flatten(0, 1) for mesh in meshes])
    low, high = points.aminmax(dim=0)
    return (low + high) / 2, float((high - low).max()) / 2 / _QUANTA


def _places(mesh: Tensor, middle: Tensor, unit: float) -> dict[str, NDArray[np.int16]]:
    return dict(zip("xyz", ((mesh - middle) / unit).round().numpy().astype(np.int16).T, strict=True))


def _mesh(mesh: Tensor, middle: Tensor, unit: float, triangles: Tensor, look: dict[str, Any], scene: str) -> go.Mesh3d:
    corners = triangles.numpy().astype(np.uint16 if len(mesh) < 2**16 else np.int32)
    return go.Mesh3d(
        **_places(mesh, middle, unit),
        **dict(zip("ijk", corners.T, strict=True)),
        lighting=_LIGHT,
        lightposition={"x": -4e4, "y": 5e4, "z": 1e5},
        hoverinfo="skip",
        scene=scene,
        **look,
    )


def _coloured(distances: Tensor, end: float) -> dict[str, Any]:
    ticks = MaxNLocator(4).tick_values(0, end)
    bar = {
        "orientation": "h", "thickness": 12, "len": 0.9, "x": 0.5, "y": 1.0, "yanchor": "bottom",
        "title": {"text": "distance from the true vertex (mm)", "side": "top"},
        "tickvals": [_COLOURS / end * tick for tick in ticks], "ticktext": [f"{tick:g}" for tick in ticks],
    }  # fmt: skip
    scale = {"colorscale": _SCALE.capitalize(), "cmin": 0, "cmax": _COLOURS, "colorbar": bar, "showscale": True}
    return {"intensity": _levels(distances, end), **scale}


def _levels(distances: Tensor, end: float) -> NDArray[np.uint8]:
    """Distances as one byte each, the end of the colours at 255."""
    return (_COLOURS * (distances / end).clamp_max(1)).round().numpy().astype(np.uint8)


def _steps(
    meshes: Sequence[Tensor], distances: Tensor, end: float, middle: Tensor, unit: float
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What changes from pair to pair: places of both meshes, and distances."""
    return [
        (_places(truth, middle, unit), {**_places(guess, middle, unit), "intensity": _levels(row, end)})
        for guess, truth, row in zip(*meshes, distances, strict=True)
    ]


def _layout(guess: Tensor, truth: Tensor, middle: Tensor, unit: float) -> go.Layout:
    """Two scenes of one scale, so that a mesh that is too small looks smaller."""
    points = torch.cat([guess, truth]).flatten(0, 1)
    reach = (points - middle).abs().amax(0) / unit
    layout = mesh_scene(eye=_EYE, height=_HEIGHT)
    ratio = dict(zip("xyz", (reach / reach.max()).tolist(), strict=True))
    axes = {
        f"{axis}axis": {**layout.scene[f"{axis}axis"].to_plotly_json(), "range": [-limit, limit]}
        for axis, limit in zip("xyz", reach.tolist(), strict=True)
    }
    scene = {**axes, "aspectmode": "manual", "aspectratio": ratio, "camera": layout.scene.camera}
    layout.update(scene={**scene, "domain": {"x": [0, 0.5]}}, scene2={**scene, "domain": {"x": [0.5, 1]}})
    title = {"xref": "paper", "yref": "paper", "y": 1, "yanchor": "top", "showarrow": False, "font": {"size": 14}}
    layout.annotations = [{"text": text, "x": x, **title} for text, x in (("true", 0.25), ("predicted", 0.75))]
    return layout.update(margin={"l": 4, "r": 4, "t": 66, "b": 8})


def _switch(below: int) -> dict[str, Any]:
    """Buttons, ``below`` pixels under the scenes: with colours, or the surface alone."""
    plain = [[0, _hex(_PLAIN)], [1, _hex(_PLAIN)]]
    looks = (("distance", _SCALE.capitalize(), True), ("surface alone", plain, False))
    buttons = [
        {"label": label, "method": "restyle", "args": [{"colorscale": [scale], "showscale": bar}, [1]]}
        for label, scale, bar in looks
    ]
    place = {"x": 1, "xanchor": "right", "y": 0, "yanchor": "top", "pad": {"t": below}}
    return {"type": "buttons", "direction": "left", "active": 0, "font": {"size": 13}, "buttons": buttons, **place}


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def _poster(meshes: Sequence[Tensor], distances: Tensor, triangles: Tensor, names: Sequence[str], end: float) -> Figure:
    """The first pairs from half a side: the true ones above the predicted ones."""
    shown = min(_STILLS, len(distances))
    colours = plt.get_cmap(_SCALE)
    plain = torch.tensor(_PLAIN).expand(distances.shape[1], 3)
    with style():
        figure, rows = plt.subplots(
            2, shown, figsize=(1.9 * shown + 0.9, 4.2), squeeze=False, dpi=80, layout="constrained"
        )
        for index in range(shown):
            painted = torch.from_numpy(colours((distances[index] / end).clamp_max(1).numpy())[:, :3]).float()
            for ax, mesh, colour, title in (
                (rows[0, index], meshes[1][index], plain, f"{names[index]}, true"),
                (rows[1, index], meshes[0][index], painted, f"predicted, mean {float(distances[index].mean()):.2f} mm"),
            ):
                show_image(ax, render_mesh(mesh.float(), triangles, colour, yaw=-25.0, size=160), title)
        key = ScalarMappable(Normalize(0, end), colours)
        figure.colorbar(key, ax=rows, label="distance from the true vertex (mm)", shrink=0.8, extend="max")
    return figure
