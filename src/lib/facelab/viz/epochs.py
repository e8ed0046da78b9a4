"""What networks find in the same faces while they learn, epoch by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from facelab.markups import Markup
from facelab.markups import markup as markup_named
from facelab.viz.faces import draw_landmarks, jpeg_address, show_image
from facelab.viz.figure import InteractiveFigure
from facelab.viz.slides import play_buttons, slider
from facelab.viz.style import ON_SKIN, style

_JPEG_QUALITY = 82
_PAUSE = 900  # milliseconds that an epoch stays
_CELL, _CONTROLS, _TITLE = 180, 140, 26  # heights in the page, in pixels: of a row, of slider and buttons, of its title
_STILLS = 4  # epochs at most in the still twin


def epochs_figure(
    images: Sequence[Tensor] | Tensor,
    predicted: Mapping[str, Tensor],
    markup: str,
    alt: str,
    epochs: Sequence[int] | None = None,
    start: int = 0,
) -> InteractiveFigure:
    """Faces in columns, methods in rows, and what each method found after each epoch; plays, or follows a slider.

    Args:
        images: K pictures of one size, ``(3, S, S)`` each in [0, 1]. predicted: name of a method to ``(E, K, L, 2)``,
            what it found in their pixels, an epoch a step; points that are not finite are left out.
        markup: name of the mark-up. alt: what is to be seen. epochs: the numbers of the E steps, 0 to E - 1 if None.
        start: the step shown first.
    Raises:
        ValueError: without a method, on shapes that do not fit each other or the mark-up, or a start that is no step.
    Source: Rayhan et al. 2020, figure 2.
    """
    scheme = markup_named(markup)
    labels = _checked(images, predicted, scheme, epochs, start)
    order = _order(scheme)
    steps = [[_points(found[step], order) for found in predicted.values()] for step in range(len(labels))]
    opening = [trace for row in steps[start] for trace in row]
    cells = range(1, len(opening) + 1)
    look = {
        "mode": "lines+markers", "line": {"color": ON_SKIN, "width": 1.2}, "marker": {"color": ON_SKIN, "size": 3},
        "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip
    shown = [
        go.Scatter(trace, xaxis=f"x{cell}", yaxis=f"y{cell}", **look)
        for cell, trace in zip(cells, opening, strict=True)
    ]
    every = list(range(len(shown)))
    frames = [
        go.Frame(data=[go.Scatter(trace) for row in step for trace in row], name=str(index), traces=every)
        for index, step in enumerate(steps)
    ]
    figure = go.Figure(data=shown, frames=frames, layout=_layout(images, list(predicted)))
    figure.update_layout(sliders=[slider(labels, start, "epoch ")], updatemenus=[play_buttons(_PAUSE, redraw=False)])
    return InteractiveFigure(figure, alt, _poster(images, predicted, markup, labels))


def _checked(
    images: Sequence[Tensor] | Tensor,
    predicted: Mapping[str, Tensor],
    scheme: Markup,
    epochs: Sequence[int] | None,
    start: int,
) -> list[str]:
    """The names of the steps."""
    shapes = {name: tuple(found.shape) for name, found in predicted.items()}
    count = len(next(iter(predicted.values()), ()))
    labels = [str(epoch) for epoch in (range(count) if epochs is None else epochs)]
    expected = (len(labels), len(images), scheme.points, 2)
    if not labels or set(shapes.values()) != {expected}:
        raise ValueError(f"epochs_figure predicted: expected shape {expected} of each method, got {shapes}")
    if len({tuple(image.shape) for image in images}) != 1 or images[0].ndim != 3:
        raise ValueError("epochs_figure images: expected pictures (3, S, S) of one size")
    if not 0 <= start < len(labels):
        raise ValueError(f"epochs_figure start: expected a step from 0 to {len(labels) - 1}, got {start}")
    return labels


def _order(scheme: Markup) -> NDArray[np.int64]:
    """Landmarks in the order of one line through all groups; -1 is a gap."""
    order: list[int] = []
    for group, indices in scheme.groups.items():
        order += [*indices, *indices[:1] * (group in scheme.closed), -1]
    return np.array(order[:-1])


def _points(found: Tensor, order: NDArray[np.int64]) -> list[dict[str, NDArray[np.float32]]]:
    """Coordinates of each face's line, ``(K, L, 2)`` in all."""
    lines = found.detach().double().numpy().round(1).astype(np.float32)[:, order]
    lines[:, order < 0] = np.nan
    return [{"x": line[:, 0], "y": line[:, 1]} for line in lines]


def _layout(images: Sequence[Tensor] | Tensor, methods: Sequence[str]) -> dict[str, Any]:
    side = images[0].shape[2]
    sources = [jpeg_address(image, _JPEG_QUALITY) for image in images]
    layout: dict[str, Any] = {
        "grid": {"rows": len(methods), "columns": len(images), "pattern": "independent", "xgap": 0.03, "ygap": 0.12},
        "margin": {"l": 4, "r": 4, "t": _TITLE, "b": 4},
        "height": (_CELL + _TITLE) * len(methods) + _CONTROLS,
        "plot_bgcolor": "white",
        "images": [],
        "annotations": [],
    }
    for cell in range(1, len(methods) * len(images) + 1):
        row, column = divmod(cell - 1, len(images))
        layout[f"xaxis{cell}"] = {"range": [-0.5, side - 0.5], "visible": False, "constrain": "domain"}
        layout[f"yaxis{cell}"] = {
            "range": [images[0].shape[1] - 0.5, -0.5], "visible": False, "scaleanchor": f"x{cell}",
            "constrain": "domain", "constraintoward": _inwards(row, len(methods)),
        }  # fmt: skip
        place = {"xref": f"x{cell}", "yref": f"y{cell}", "x": -0.5, "y": -0.5, "sizex": side, "sizey": side}
        layout["images"].append({"source": sources[column], "layer": "below", "sizing": "stretch", **place})
        if not column:
            layout["annotations"].append(_title(methods[row], cell))
    return layout


def _inwards(row: int, rows: int) -> str:
    """The side of its cell on which a picture lies, so that rows stay together on a narrow page."""
    return ("bottom", "middle", "top")[int(np.sign(2 * row + 1 - rows)) + 1]


def _title(method: str, cell: int) -> dict[str, Any]:
    """The name of a method above the first picture of its row."""
    place = {"xref": f"x{cell}", "yref": f"y{cell}", "x": -0.5, "y": -0.5, "xanchor": "left", "yanchor": "bottom"}
    return {"text": method, "showarrow": False, "font": {"size": 14, "color": "#222222"}, **place}


def _poster(
    images: Sequence[Tensor] | Tensor, predicted: Mapping[str, Tensor], markup: str, labels: Sequence[str]
) -> Figure:
    """The first face after some epochs, the first and the last among them; a row a method."""
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(_STILLS, len(labels))).round().astype(int))
    rows, columns = len(predicted), len(chosen)
    with style():
        size = (1.9 * columns, 2.15 * rows)
        figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
        for row, (method, found) in zip(grid, predicted.items(), strict=True):
            for ax, step in zip(row, chosen, strict=True):
                show_image(ax, images[0], f"{method}, epoch {labels[step]}")
                draw_landmarks(ax, found[step, 0], ON_SKIN, markup, size=1.8)
    return figure
