"""What a heatmap network sees: one map a landmark, under a slider."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from facelab.viz.faces import draw_landmarks, show_image
from facelab.viz.figure import InteractiveFigure
from facelab.viz.slides import picture_layout, slider
from facelab.viz.style import PREDICTION, TRUTH, style

_GLOW = [[0.0, "rgba(213,94,0,0)"], [0.25, "rgba(213,94,0,0.25)"], [1.0, "rgba(255,225,120,0.95)"]]


def heatmap_explorer(
    image: Tensor,
    heatmaps: Tensor,
    predicted: Tensor,
    target: Tensor | None,
    names: list[str],
    alt: str,
    start: int = 45,
) -> InteractiveFigure:
    """A slider over all landmarks; each step lays one heatmap over the picture, with its decoded and its true point.

    Args:
        image: ``(3, S, S)``, the network's input. heatmaps: ``(L, h, w)`` of that picture.
        predicted: ``(L, 2)`` in its pixels. target: ``(L, 2)``, or None for a photograph without labels.
        names: of the landmarks. alt: what is to be seen. start: the landmark shown first.
    """
    side, cell = image.shape[1], image.shape[1] / heatmaps.shape[1]
    levels = (heatmaps.clamp(0, 1) * 255).round().byte().numpy()
    points = predicted.numpy()
    truth = None if target is None else target[:, :2].numpy()
    axis = {"x0": (cell - 1) / 2, "dx": cell, "y0": (cell - 1) / 2, "dy": cell}
    maps = [
        go.Heatmap(z=level, zmin=0, zmax=255, colorscale=_GLOW, showscale=False, hoverinfo="skip", **axis)
        for level in levels
    ]
    frames = [
        go.Frame(
            data=[maps[i], *_marks(points[i], None if truth is None else truth[i])], traces=_traces(truth), name=str(i)
        )
        for i in range(len(levels))
    ]
    figure = go.Figure(data=frames[start].data, frames=frames)
    figure.update_layout(
        images=[_backdrop(image, side)], sliders=[slider(names, start, "landmark ")], **picture_layout(side)
    )
    return InteractiveFigure(figure, alt, _poster(image, heatmaps, predicted, target))


def _traces(truth: np.ndarray | None) -> list[int]:
    return [0, 1] if truth is None else [0, 1, 2]


def _marks(point: np.ndarray, truth: np.ndarray | None) -> list[go.Scatter]:
    marks = [_mark(point, "decoded", "x", PREDICTION)]
    return marks if truth is None else [*marks, _mark(truth, "true", "circle-open", TRUTH)]


def _mark(point: np.ndarray, name: str, symbol: str, colour: str) -> go.Scatter:
    marker = {"symbol": symbol, "color": colour, "size": 12, "line": {"width": 2.5}}
    return go.Scatter(x=point[:1], y=point[1:], mode="markers", name=name, marker=marker)


def _backdrop(image: Tensor, side: int) -> dict[str, object]:
    buffer = io.BytesIO()
    Image.fromarray((image.permute(1, 2, 0).clamp(0, 1) * 255).byte().numpy()).save(buffer, format="png")
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    place = {"xref": "x", "yref": "y", "x": -0.5, "y": -0.5, "sizex": side, "sizey": side, "sizing": "stretch"}
    return {"source": source, "layer": "below", **place}


def _poster(image: Tensor, heatmaps: Tensor, predicted: Tensor, target: Tensor | None) -> Figure:
    """All maps at once over the picture, and all points beside it."""
    side = image.shape[1]
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.3))
        show_image(left, image, "the largest of all heatmaps")
        left.imshow(heatmaps.amax(0).numpy(), extent=(-0.5, side - 0.5, side - 0.5, -0.5), cmap="inferno", alpha=0.55)
        show_image(right, image, "decoded landmarks" if target is None else "decoded (orange), true (green)")
        if target is not None:
            draw_landmarks(right, target, TRUTH, size=2.5)
        draw_landmarks(right, predicted, PREDICTION, size=2.5)
        figure.tight_layout()
    return figure
