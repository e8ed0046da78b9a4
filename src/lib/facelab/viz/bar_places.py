"""Errors behind a bar by where it stands, beside the face; and curves with the reach of their seeds."""

from collections.abc import Mapping, Sequence
from itertools import chain

import matplotlib.pyplot as plt
import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from torch import Tensor

from facelab.viz.faces import jpeg_address, show_image
from facelab.viz.figure import InteractiveFigure
from facelab.viz.slides import slider
from facelab.viz.style import CYCLE, LINES, NEUTRAL, style

DIRECTIONS = ("horizontal", "vertical")
_DASHES = ("solid", "dash", "dashdot", "dot")  # of Plotly, as LINES of matplotlib
_SPLIT = 0.6  # share of the width that the picture has, and of the height
_HEIGHT = 530
_JPEG_QUALITY = 85


def bar_figure(
    pictures: Mapping[str, Sequence[Tensor]],
    box: Tensor,
    share: float,
    places: Sequence[float],
    errors: Mapping[str, Mapping[str, Tensor]],
    alt: str,
    measure: str = "NME (%)",
    start: int = 0,
) -> InteractiveFigure:
    """A bar that a slider moves over a face, and what it costs: errors beside the face, at the height of the bar; or
    below it, at its place from left to right.

    Args:
        pictures: for each of ``DIRECTIONS``, one ``(3, S, S)`` with the bar at each place.
        box: ``(4,)`` x0, y0, x1, y1 of the face in their pixels. share: of the box that the bar covers.
        places: P, 0 where the bar begins with the box, 1 where it ends with it.
        errors: name of a network to, for each direction, its ``(P, seeds)`` in the units of the axis.
        alt: what is to be seen. measure: of the axes of errors. start: the step shown first, of all 2 P.
    Raises:
        ValueError: on pictures or errors that are not one a place and direction, or errors that are not finite.
    """
    _check(pictures, places, errors)
    middles = {name: _middles(box, share, places, axis) for name, axis in zip(DIRECTIONS, (1, 0), strict=True)}
    low, high = torch.cat([rows.flatten() for each in errors.values() for rows in each.values()]).aminmax()
    pad = 0.06 * float(high - low) or 0.1
    scale = [float(low) - pad, float(high) + pad]
    steps = [(direction, index) for direction in DIRECTIONS for index in range(len(places))]
    moving = [_moving(pictures, middles, errors, *step) for step in steps]
    lines = list(chain.from_iterable(_lines(i, name, each, middles) for i, (name, each) in enumerate(errors.items())))
    figure = go.Figure(
        data=[*moving[start], *lines],
        frames=[go.Frame(data=traces, traces=[0, 1, 2], name=str(i)) for i, traces in enumerate(moving)],
    )
    side = pictures[DIRECTIONS[0]][0].shape[1]
    labels = [f"{direction}, {places[index]:g}" for direction, index in steps]
    figure.update_layout(sliders=[slider(labels, start, "bar: ")], **_layout(side, scale, measure))
    return InteractiveFigure(figure, alt, _poster(pictures, middles, errors, scale, measure))


def bands_figure(
    x: Sequence[float], panels: Mapping[str, Mapping[str, Tensor]], xlabel: str, ylabel: str, level: float | None = None
) -> Figure:
    """Curves side by side: the mean over the seeds, and a band from the least of them to the largest.

    Args:
        x: the S places. panels: title to name of a curve to its ``(S, seeds)`` numbers, in the units of the axis.
        level: of a grey line from left to right.
    Raises:
        ValueError: without a panel or a curve, or on numbers that are not one row a place, or not finite.
    """
    if not panels or not all(panels.values()):
        raise ValueError("bands_figure panels: expected at least one, with at least one curve")
    for rows in (rows for panel in panels.values() for rows in panel.values()):
        _check_rows("bands_figure", rows, len(x))
    with style():
        figure, grid = plt.subplots(
            1, len(panels), figsize=(0.8 + 2.9 * max(len(panels), 1.9), 3.6), sharey=True, squeeze=False,
            layout="constrained",
        )  # fmt: skip
        for ax, (title, curves) in zip(grid[0], panels.items(), strict=True):
            for index, (name, rows) in enumerate(curves.items()):
                colour, line = CYCLE[index % len(CYCLE)], LINES[index % len(LINES)]
                ax.fill_between(x, rows.amin(1).tolist(), rows.amax(1).tolist(), color=colour, alpha=0.15, linewidth=0)
                ax.plot(x, rows.mean(1).tolist(), color=colour, linestyle=line, label=name)
            if level is not None:
                ax.axhline(level, color=NEUTRAL, linewidth=1)
            ax.set_title(title, fontsize=9)
            ax.set_xlabel(xlabel)
        grid[0, 0].set_ylabel(ylabel)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=9)
    return figure


def _check(
    pictures: Mapping[str, Sequence[Tensor]], places: Sequence[float], errors: Mapping[str, Mapping[str, Tensor]]
) -> None:
    wanted = list(DIRECTIONS)
    counts = {name: len(each) for name, each in pictures.items()}
    if counts != dict.fromkeys(DIRECTIONS, len(places)) or not places:
        raise ValueError(f"bar_figure pictures: expected {len(places)} for each of {wanted}, got {counts}")
    for name, each in errors.items():
        if set(each) != set(DIRECTIONS):
            raise ValueError(f"bar_figure errors[{name!r}]: expected {wanted}, got {list(each)}")
        for rows in each.values():
            _check_rows("bar_figure", rows, len(places))
    if not errors:
        raise ValueError("bar_figure errors: expected at least one network")


def _check_rows(where: str, rows: Tensor, count: int) -> None:
    if rows.ndim != 2 or len(rows) != count or not rows.shape[1] or not bool(rows.isfinite().all()):
        raise ValueError(f"{where}: expected finite numbers ({count}, seeds), a row a place, got {tuple(rows.shape)}")


def _middles(box: Tensor, share: float, places: Sequence[float], axis: int) -> list[float]:
    """Of the bar at each place, in pixels along an axis of the picture."""
    low, high = float(box[axis]), float(box[axis + 2])
    width = share * (high - low)
    return [low + width / 2 + place * (high - low - width) for place in places]


def _lines(
    index: int, name: str, errors: Mapping[str, Tensor], middles: Mapping[str, Sequence[float]]
) -> list[go.Scatter]:
    """A band and a curve for each direction; the first curve stands for all of them in the legend."""
    colour = CYCLE[index % len(CYCLE)]
    look = {"color": colour, "width": 2, "dash": _DASHES[index % len(_DASHES)]}
    found = []
    for direction in DIRECTIONS:
        rows, at = errors[direction], list(middles[direction])
        ends = [*rows.amax(1).tolist(), *reversed(rows.amin(1).tolist())]
        group = {"legendgroup": name, **_axes(direction)}
        found += [
            go.Scatter(
                **_along(direction, [*at, *reversed(at)], ends), mode="lines", line={"width": 0}, fill="toself",
                fillcolor=colour, opacity=0.15, hoverinfo="skip", showlegend=False, **group,
            ),
            go.Scatter(
                **_along(direction, at, rows.mean(1).tolist()), mode="lines", line=look, name=name,
                showlegend=direction == DIRECTIONS[0], hoverinfo="skip", **group,
            ),
        ]  # fmt: skip
    return found


def _moving(
    pictures: Mapping[str, Sequence[Tensor]],
    middles: Mapping[str, Sequence[float]],
    errors: Mapping[str, Mapping[str, Tensor]],
    chosen: str,
    index: int,
) -> list[go.Image | go.Scatter]:
    """The picture of a step, and a mark on every curve at its place; the marks of the other direction are nowhere."""
    traces = [go.Image(source=jpeg_address(pictures[chosen][index], _JPEG_QUALITY), hoverinfo="skip")]
    for direction in DIRECTIONS:
        here = direction == chosen
        means = [float(each[direction][index].mean()) for each in errors.values()] if here else [None] * len(errors)
        at = [middles[direction][index] if here else None] * len(errors)
        value = "x" if direction == DIRECTIONS[0] else "y"
        colours = [CYCLE[i % len(CYCLE)] for i in range(len(errors))]
        traces.append(
            go.Scatter(
                **_along(direction, at, means), mode="markers", text=list(errors), showlegend=False,
                marker={"color": colours, "size": 10, "line": {"color": "white", "width": 1}},
                hovertemplate=f"%{{text}}: %{{{value}:.2f}}<extra></extra>", **_axes(direction),
            )
        )  # fmt: skip
    return traces


def _along(direction: str, at: Sequence[float | None], values: Sequence[float | None]) -> dict[str, list[float | None]]:
    """A horizontal bar moves up and down: its places are on the y axis of the picture."""
    names = "yx" if direction == DIRECTIONS[0] else "xy"
    return dict(zip(names, (list(at), list(values)), strict=True))


def _axes(direction: str) -> dict[str, str]:
    return {"xaxis": "x2", "yaxis": "y"} if direction == DIRECTIONS[0] else {"xaxis": "x", "yaxis": "y2"}


def _layout(side: int, scale: list[float], measure: str) -> dict[str, object]:
    """The picture above on the left; errors share its axes, so they stay beside the bar at every width of the page."""
    bare = {"showticklabels": False, "showgrid": False, "zeroline": False, "constrain": "domain"}
    errors = {"range": scale, "zeroline": False, "nticks": 5, "gridcolor": "#e0e0e0", "title": {"text": measure}}
    beside, below = [_SPLIT + 0.02, 1], [0, 1 - _SPLIT - 0.02]
    upper, down = [1 - _SPLIT, 1], [side - 0.5, -0.5]
    corner = {"x": 1, "xanchor": "right", "y": 0.6 * below[1], "yanchor": "top", "font": {"size": 11}}
    return {
        "xaxis": {"range": [-0.5, side - 0.5], "domain": [0, _SPLIT], "constraintoward": "right", **bare},
        "yaxis": {"range": down, "domain": upper, "scaleanchor": "x", "constraintoward": "bottom", **bare},
        "xaxis2": {"domain": beside, "anchor": "y", **errors},
        "yaxis2": {"domain": below, "anchor": "x", **errors},
        "legend": corner,
        "margin": {"l": 48, "r": 8, "t": 30, "b": 8},
        "height": _HEIGHT,
        "plot_bgcolor": "white",
    }


def _poster(
    pictures: Mapping[str, Sequence[Tensor]],
    middles: Mapping[str, Sequence[float]],
    errors: Mapping[str, Mapping[str, Tensor]],
    scale: list[float],
    measure: str,
) -> Figure:
    """The same still, with a bar in the middle of its way down."""
    shown = pictures[DIRECTIONS[0]]
    with style():
        figure, grid = plt.subplots(
            2, 2, figsize=(6.4, 5.6), dpi=80, width_ratios=(3, 2), height_ratios=(3, 2), layout="constrained"
        )
        picture, beside, below = grid[0, 0], grid[0, 1], grid[1, 0]
        show_image(picture, shown[len(shown) // 2])
        for index, (name, each) in enumerate(errors.items()):
            colour, line = CYCLE[index % len(CYCLE)], LINES[index % len(LINES)]
            for ax, direction in ((beside, DIRECTIONS[0]), (below, DIRECTIONS[1])):
                rows, at = each[direction], middles[direction]
                fill = ax.fill_betweenx if ax is beside else ax.fill_between
                fill(at, rows.amin(1).tolist(), rows.amax(1).tolist(), color=colour, alpha=0.15, linewidth=0)
                along = _along(direction, at, rows.mean(1).tolist())
                ax.plot(along["x"], along["y"], color=colour, linestyle=line, label=name)
        beside.set(xlim=scale, ylim=picture.get_ylim(), yticks=[], xlabel=measure)
        below.set(ylim=scale, xlim=picture.get_xlim(), xticks=[], ylabel=measure)
        grid[1, 1].axis("off")
        grid[1, 1].legend(*below.get_legend_handles_labels(), loc="center", fontsize=9)
    return figure
