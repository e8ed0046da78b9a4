"""What a heatmap network sees: one map a landmark and a stack, under a slider."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from facelab.viz.faces import draw_landmarks, jpeg_address, show_image
from facelab.viz.figure import InteractiveFigure
from facelab.viz.slides import picture_layout, slider
from facelab.viz.style import PREDICTION, TRUTH, style

_GLOW = {0.0: (213, 94, 0, 0.0), 0.25: (213, 94, 0, 0.25), 1.0: (255, 225, 120, 0.95)}  # heat: red, green, blue, cover
_JPEG_QUALITY = 90
_PANEL, _CONTROLS = 290, 100  # heights in the page, in pixels: of a row of panels, of legend and slider
_TITLE = 0.12  # room above a picture, as a share of its side


def heatmap_explorer(
    image: Tensor,
    heatmaps: Tensor,
    predicted: Tensor,
    target: Tensor | None,
    names: Sequence[str],
    alt: str,
    start: int = 45,
) -> InteractiveFigure:
    """A slider over all landmarks; each step lays one heatmap over the picture, with its decoded and its true point.

    Args:
        image: ``(3, S, S)``, the network's input. heatmaps: ``(L, h, h)`` of that picture.
        predicted: ``(L, 2)`` in its pixels. target: ``(L, 2)``, or None for a photograph without labels.
        names: of the landmarks. alt: what is to be seen. start: the landmark shown first.
    Raises:
        ValueError: as :func:`stack_explorer`.
    """
    return stack_explorer(image, heatmaps[None], predicted[None], target, names, alt, start)


def stack_explorer(
    image: Tensor,
    heatmaps: Tensor,
    predicted: Tensor,
    target: Tensor | None,
    names: Sequence[str],
    alt: str,
    start: int = 45,
    panels: Sequence[str] | None = None,
    scheme: str = "68",
) -> InteractiveFigure:
    """The stacks of a network side by side, and one slider over landmarks that moves them all.

    Each panel lays the heatmap of its stack over the picture, with the point decoded from it and the true one. Its
    title tells how far apart they are, in pixels of the picture.

    Args:
        image: ``(3, S, S)``, the network's input. heatmaps: ``(stacks, L, h, h)`` of that picture.
        predicted: ``(stacks, L, 2)`` in its pixels. target: ``(L, 2)``, or None for a photograph without labels.
        names: of the landmarks. alt: what is to be seen. start: the landmark shown first.
        panels: what stands there in the place of the stacks, by name; ``"stack 1"`` ... if not given.
        scheme: mark-up of the landmarks.
    Raises:
        ValueError: on shapes that do not go together, names that are too few or many, a start that is no landmark.
    """
    _check(image, heatmaps, predicted, target, names, start)
    titles = _titles(len(heatmaps), panels)
    side, truth = image.shape[1], None if target is None else target[:, :2]
    levels = (heatmaps.clamp(0, 1) * 255).round().byte().numpy()
    truths = [None] * len(names) if truth is None else list(truth)
    steps = [_step(levels[:, index], predicted[:, index], true, titles) for index, true in enumerate(truths)]
    looks = [look for panel in range(len(levels)) for look in _looks(panel, side, levels.shape[2], truth is not None)]
    opening = [look.update(values.to_plotly_json()) for look, values in zip(looks, steps[start], strict=True)]
    frames = [go.Frame(data=step, traces=list(range(len(looks))), name=str(index)) for index, step in enumerate(steps)]
    figure = go.Figure(opening, _layout(image, len(levels)), frames)
    figure.update_layout(sliders=[slider(list(names), start, "landmark ")])
    return InteractiveFigure(figure, alt, _poster(image, heatmaps, predicted, truth, names, start, titles, scheme))


def _check(
    image: Tensor, heatmaps: Tensor, predicted: Tensor, target: Tensor | None, names: Sequence[str], start: int
) -> None:
    if image.ndim != 3 or image.shape[0] != 3 or image.shape[1] != image.shape[2]:
        raise ValueError(f"explorer image: expected a square picture (3, S, S), got {tuple(image.shape)}")
    if heatmaps.ndim != 4 or heatmaps.shape[2] != heatmaps.shape[3]:
        raise ValueError(f"explorer heatmaps: expected (stacks, L, h, h), got {tuple(heatmaps.shape)}")
    stacks, landmarks = heatmaps.shape[:2]
    if predicted.shape != (stacks, landmarks, 2):
        raise ValueError(f"explorer predicted: expected {(stacks, landmarks, 2)}, got {tuple(predicted.shape)}")
    if target is not None and (target.ndim != 2 or len(target) != landmarks or target.shape[1] < 2):
        raise ValueError(f"explorer target: expected {(landmarks, 2)}, got {tuple(target.shape)}")
    if len(names) != landmarks:
        raise ValueError(f"explorer names: expected {landmarks}, one a landmark, got {len(names)}")
    if not 0 <= start < landmarks:
        raise ValueError(f"explorer start: expected a landmark from 0 to {landmarks - 1}, got {start}")


def _step(
    levels: np.ndarray, points: Tensor, truth: Tensor | None, titles: Sequence[str]
) -> list[go.Heatmap | go.Scatter]:
    """What the slider changes, panel by panel; the looks of the traces stay.

    Maps ``(stacks, h, h)`` and points ``(stacks, 2)`` of one landmark, and where it truly is, ``(2,)``.
    """
    known = [] if truth is None else [truth]
    traces: list[go.Heatmap | go.Scatter] = []
    for level, point, title in zip(levels, points, titles, strict=True):
        distances = [f"{(point - where).norm():.1f} px away" for where in known]
        text = ": ".join([title] * bool(title) + distances)
        traces += [go.Heatmap(z=level), *(_at(where) for where in (point, *known)), go.Scatter(text=[text])]
    return traces


def _at(point: Tensor) -> go.Scatter:
    x, y = point.double().numpy().round(2)
    return go.Scatter(x=[x], y=[y])


def _titles(stacks: int, panels: Sequence[str] | None) -> list[str]:
    """A name for each panel; a single stack needs none."""
    if panels is None:
        return [f"stack {stack + 1}" if stacks > 1 else "" for stack in range(stacks)]
    if len(panels) != stacks:
        raise ValueError(f"explorer panels: expected {stacks}, one for each set of maps, got {len(panels)}")
    return list(panels)


def _looks(panel: int, side: int, maps: int, with_truth: bool) -> list[go.Heatmap | go.Scatter]:
    """The traces of a panel without what :func:`_step` fills in."""
    axes = {"xaxis": f"x{panel + 1}", "yaxis": f"y{panel + 1}"}
    cell = side / maps
    colours = [[heat, f"rgba{colour}"] for heat, colour in _GLOW.items()]
    grid = {"x0": (cell - 1) / 2, "dx": cell, "y0": (cell - 1) / 2, "dy": cell}
    marks = [("decoded", "x", PREDICTION)] + [("true", "circle-open", TRUTH)] * with_truth
    return [
        go.Heatmap(zmin=0, zmax=255, colorscale=colours, showscale=False, hoverinfo="skip", **grid, **axes),
        *(_mark(*mark, first=panel == 0).update(axes) for mark in marks),
        go.Scatter(
            x=[-0.5], y=[-0.5], mode="text", textposition="top right", textfont={"size": 13, "color": "#222222"},
            cliponaxis=False, hoverinfo="skip", showlegend=False, **axes,
        ),
    ]  # fmt: skip


def _mark(name: str, symbol: str, colour: str, first: bool) -> go.Scatter:
    """A kind of point; the panels share one entry in the legend, which hides and shows it in all of them."""
    marker = {"symbol": symbol, "color": colour, "size": 12, "line": {"width": 2.5}}
    return go.Scatter(mode="markers", name=name, marker=marker, legendgroup=name, showlegend=first)


def _layout(image: Tensor, panels: int) -> go.Layout:
    side = image.shape[1]
    layout: dict[str, Any] = picture_layout(side)
    x, y = layout.pop("xaxis"), layout.pop("yaxis")
    columns = math.ceil(math.sqrt(panels))
    rows = math.ceil(panels / columns)
    if panels > 1:
        layout["height"] = rows * _PANEL + _CONTROLS
    layout["grid"] = {"rows": rows, "columns": columns, "pattern": "independent", "xgap": 0.04, "ygap": 0.04}
    for panel in range(1, panels + 1):
        row, column = divmod(panel - 1, columns)
        height = {"scaleanchor": f"x{panel}", "range": [side - 0.5, -0.5 - _TITLE * side]}
        layout[f"xaxis{panel}"] = x | {"constraintoward": _inwards(column, columns, "left", "center", "right")}
        layout[f"yaxis{panel}"] = y | height | {"constraintoward": _inwards(row, rows, "top", "middle", "bottom")}
    return go.Layout(images=[_backdrop(image, panel) for panel in range(1, panels + 1)], **layout)


def _inwards(index: int, count: int, before: str, middle: str, behind: str) -> str:
    """The side of its cell on which a panel lies, so that all of them stay together however wide the page is."""
    if 2 * index + 1 == count:
        return middle
    return behind if 2 * index + 1 < count else before


def _backdrop(image: Tensor, panel: int) -> dict[str, object]:
    source = jpeg_address(image, _JPEG_QUALITY)
    side = image.shape[1]
    place = {"xref": f"x{panel}", "yref": f"y{panel}", "x": -0.5, "y": -0.5, "sizex": side, "sizey": side}
    return {"source": source, "layer": "below", "sizing": "stretch", **place}


def _poster(
    image: Tensor,
    heatmaps: Tensor,
    predicted: Tensor,
    truth: Tensor | None,
    names: Sequence[str],
    start: int,
    titles: Sequence[str],
    scheme: str,
) -> Figure:
    """For each stack the map that is shown first, and all points below it; one stack has them side by side."""
    stacks, side = len(heatmaps), image.shape[1]
    rows, columns, size = (1, 2, (6.4, 3.3)) if stacks == 1 else (2, stacks, (8.0, 4.7))
    glow = LinearSegmentedColormap.from_list(
        "glow", [(heat, (r / 255, g / 255, b / 255, cover)) for heat, (r, g, b, cover) in _GLOW.items()]
    )
    with style():
        figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained")
        for stack, (one, all_points) in enumerate(axes.reshape(2, stacks).T):
            show_image(one, image, titles[stack] or f"landmark {names[start]}")
            extent = (-0.5, side - 0.5, side - 0.5, -0.5)
            one.imshow(heatmaps[stack, start].clamp(0, 1).numpy(), extent=extent, cmap=glow, vmin=0, vmax=1)
            one.plot(*predicted[stack, start].tolist(), "X", color=PREDICTION, markeredgecolor="black", markersize=8)
            show_image(all_points, image, "decoded landmarks")
            if truth is not None:
                one.plot(*truth[start].tolist(), "o", color=TRUTH, markersize=9, markeredgewidth=2, fillstyle="none")
                draw_landmarks(all_points, truth, TRUTH, scheme, size=2.5)
                mean = float((predicted[stack] - truth).norm(dim=1).mean())
                all_points.set_title(f"mean distance {mean:.1f} px", fontsize=9)
            draw_landmarks(all_points, predicted[stack], PREDICTION, scheme, size=2.5)
        if stacks > 1:
            figure.suptitle(f"landmark {names[start]}", fontsize=9)
    return figure
