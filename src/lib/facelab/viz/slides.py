"""Pictures under a slider, with points and curves on them that can be pointed at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from torch import Tensor

from facelab.viz.faces import jpeg_address, show_image
from facelab.viz.figure import InteractiveFigure
from facelab.viz.style import style

AT_ONCE = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
_JPEG_QUALITY = 82
_STILLS = 7  # at most, side by side in the still twin


def play_buttons(pause: int, redraw: bool = True) -> dict[str, object]:
    """Buttons below a slider that play its steps and stop.

    Args:
        pause: milliseconds that a step stays. redraw: all of the figure, as scenes in 3D need.
    """
    frame = {"duration": pause, "redraw": redraw}
    play = {"mode": "immediate", "fromcurrent": True, "frame": frame, "transition": {}}
    buttons = [
        {"label": label, "method": "animate", "args": args}
        for label, args in (("▶", [None, play]), ("❚❚", [[None], AT_ONCE]))
    ]
    place = {"x": 0, "xanchor": "left", "y": 0, "yanchor": "top", "pad": {"t": 84}}
    return {"type": "buttons", "direction": "left", "showactive": False, "buttons": buttons, **place}


@dataclass(frozen=True)
class Overlay:
    """Points on a picture.

    Attributes:
        points: ``(L, 2)`` pixels. edges: pairs of points to join. colour: of both.
        label: in the legend. texts: one a point, shown when it is pointed at.
    """

    points: Tensor
    edges: Sequence[tuple[int, int]]
    colour: str
    label: str
    texts: Sequence[str]


def slides(
    images: Sequence[Tensor],
    overlays: Sequence[Sequence[Overlay]],
    labels: Sequence[str],
    alt: str,
    prefix: str = "",
    start: int = 0,
    caption: str | None = None,
) -> InteractiveFigure:
    """A slider over pictures; each step shows its picture with its overlays.

    Args:
        images: ``(3, S, S)`` each, one a step, or a single one for all steps.
        overlays: of each step, the same number in each. labels: of the steps. alt: what is to be seen.
        prefix: before the label of the step above the slider. start: the step shown first.
    Raises:
        ValueError: on a number of pictures or overlays that does not go with the labels.
    """
    steps = len(labels)
    if len(images) not in (1, steps) or len(overlays) != steps or len({len(step) for step in overlays}) != 1:
        counts = f"{len(images)} pictures and {[len(step) for step in overlays]} overlays"
        raise ValueError(f"slides: expected 1 or {steps} pictures and as many overlays a step, got {counts}")
    side = images[0].shape[1]
    shown = [go.Image(source=jpeg_address(image, _JPEG_QUALITY), hoverinfo="skip") for image in images]
    frames = []
    for index in range(steps):
        marks = [trace for overlay in overlays[index] for trace in _traces(overlay)]
        first = [shown[index]] if len(shown) > 1 else []
        traces = list(range(1 - len(first), 1 + len(marks)))
        frames.append(go.Frame(data=[*first, *marks], traces=traces, name=str(index)))
    opening = [trace for overlay in overlays[start] for trace in _traces(overlay)]
    figure = go.Figure(data=[shown[start if len(shown) > 1 else 0], *opening], frames=frames)
    figure.update_layout(sliders=[slider(labels, start, prefix)], **picture_layout(side))
    return InteractiveFigure(figure, alt, _poster(images, overlays, labels), caption)


def slider(labels: Sequence[str], start: int, prefix: str) -> dict[str, object]:
    """The label of the chosen step stands above; many labels below the ticks would not fit, so they are left clear."""
    steps = [{"label": label, "method": "animate", "args": [[str(i)], AT_ONCE]} for i, label in enumerate(labels)]
    shown = {"prefix": prefix, "font": {"size": 15, "color": "#222222"}}
    unseen = {"size": 1, "color": "rgba(0,0,0,0)"}
    return {"steps": steps, "active": start, "currentvalue": shown, "font": unseen, "pad": {"t": 12}}


def picture_layout(side: int) -> dict[str, object]:
    """Of a figure over a square picture, ``side`` pixels wide: pixel centres at whole numbers, y downwards."""
    return {
        "xaxis": {"range": [-0.5, side - 0.5], "visible": False, "constrain": "domain"},
        "yaxis": {"range": [side - 0.5, -0.5], "visible": False, "scaleanchor": "x", "constrain": "domain"},
        "legend": {"orientation": "h", "x": 0, "y": 1.08},
        "margin": {"l": 4, "r": 4, "t": 30, "b": 4},
        "height": 520,
        "plot_bgcolor": "white",
    }


def _traces(overlay: Overlay) -> list[go.Scatter]:
    x, y = overlay.points[:, :2].double().numpy().round(2).T.tolist()
    ends = [end for edge in overlay.edges for end in (*edge, None)]
    line_x, line_y = ([None if end is None else axis[end] for end in ends] for axis in (x, y))
    line: Mapping[str, object] = {"color": overlay.colour, "width": 1.5}
    marker = {"color": overlay.colour, "size": 6, "line": {"color": "white", "width": 0.5}}
    return [
        go.Scatter(x=line_x, y=line_y, mode="lines", line=line, hoverinfo="skip", showlegend=False),
        go.Scatter(
            x=x, y=y, mode="markers", marker=marker, name=overlay.label, showlegend=True, text=list(overlay.texts),
            hovertemplate="%{text}<extra></extra>",
        ),
    ]  # fmt: skip


def _poster(images: Sequence[Tensor], overlays: Sequence[Sequence[Overlay]], labels: Sequence[str]) -> Figure:
    """Steps side by side, evenly chosen, the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(_STILLS, len(labels))).round().astype(int))
    with style():
        figure, axes = plt.subplots(1, len(chosen), figsize=(1.6 * len(chosen), 1.9), squeeze=False, dpi=80)
        for ax, index in zip(axes[0], chosen, strict=True):
            show_image(ax, images[index if len(images) > 1 else 0], labels[index])
            for overlay in overlays[index]:
                x, y = overlay.points[:, :2].numpy().T
                if overlay.edges:
                    pairs = np.array(overlay.edges).T
                    ax.plot(x[pairs], y[pairs], color=overlay.colour, linewidth=0.8)
                ax.plot(x, y, ".", markersize=3, color=overlay.colour, markeredgewidth=0)
        figure.tight_layout(pad=0.3)
    return figure
