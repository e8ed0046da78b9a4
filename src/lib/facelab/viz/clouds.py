"""Landmarks in three dimensions: a cloud to turn, and still views of it."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from facelab.markups import markup
from facelab.viz.faces import draw_landmarks, show_image
from facelab.viz.figure import InteractiveFigure
from facelab.viz.meshes import landmark_names, landmark_trace, mesh_scene
from facelab.viz.style import PREDICTION, TRUTH, style

_VIEWS = {
    "as in the picture": 0.0,
    "turned by 45°": 45.0,
    "turned by 90°": 90.0,
}  # degrees by which the face turns to image right
_MARGIN = 1.08


def landmark_cloud(
    points: Tensor, target: Tensor | None, alt: str, scheme: str = "68", labels: Sequence[str] = ("predicted", "true")
) -> InteractiveFigure:
    """Landmarks in space, to be turned; pointing at one tells its name and how far off it is.

    All axes have one scale. As in a picture x goes right and y goes down; z comes towards the viewer.

    Args:
        points: ``(L, 3)`` pixels. target: ``(L, 3)`` where they should be, or None. alt: what is to be seen.
        scheme: mark-up of both. labels: of points and target in the legend.
    Raises:
        ValueError: on a shape that is not that of the mark-up.
    """
    clouds = _checked(points, target, scheme)
    traces = []
    for cloud, label, colour in zip(clouds, labels, (PREDICTION, TRUTH), strict=False):
        upright = cloud * cloud.new_tensor([1.0, -1.0, 1.0])  # Plotly's y goes up; a picture's goes down
        dots = landmark_trace(upright, scheme).update(name=label, showlegend=True, legendgroup=label)
        dots.marker.update(color=colour, line={"width": 0})
        traces += [_curves(upright, scheme, colour, label), dots]
    if target is not None:
        off = (points - target).norm(dim=1).tolist()
        traces[1].text = [f"{name}: {d:.1f} px off" for name, d in zip(landmark_names(scheme), off, strict=True)]
    layout = mesh_scene(eye=(0.7, 0.3, 1.7)).update(legend={"orientation": "h", "x": 0, "y": 1.0})
    return InteractiveFigure(go.Figure(traces, layout), alt, landmark_views(points, target, None, scheme, labels))


def landmark_views(
    points: Tensor,
    target: Tensor | None = None,
    image: Tensor | None = None,
    scheme: str = "68",
    labels: Sequence[str] = ("predicted", "true"),
) -> Figure:
    """Landmarks in space as in the picture, turned by 45 and by 90 degrees, at one scale.

    Args:
        points: ``(L, 3)`` pixels, z towards the viewer. target: ``(L, 3)`` where they should be, or None.
        image: ``(3, H, W)`` to which they belong; it is shown first, with the points on it.
        scheme: mark-up of both. labels: of points and target in the legend.
    Raises:
        ValueError: on a shape that is not that of the mark-up.
    """
    clouds = _checked(points, target, scheme)
    centre = clouds[-1].mean(0)
    reach = _MARGIN * max(_radius(cloud - centre) for cloud in clouds)
    looks = list(zip(clouds, (PREDICTION, TRUTH), strict=False))[::-1]  # the prediction lies on top
    with style():
        count = len(_VIEWS) + (image is not None)
        figure, axes = plt.subplots(1, count, figsize=(2.2 * count, 2.6))
        if image is not None:
            show_image(axes[0], image, "picture")
            for cloud, colour in looks:
                draw_landmarks(axes[0], cloud, colour, scheme, size=2.0)
        for ax, (title, degrees) in zip(axes[-len(_VIEWS) :], _VIEWS.items(), strict=True):
            for cloud, colour in looks:
                draw_landmarks(ax, _turned(cloud - centre, degrees), colour, scheme, size=2.0)
            ax.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
            ax.set_title(title, fontsize=9)
            ax.axis("off")
        if target is not None:
            handles = [Line2D([], [], color=colour, marker="o", markersize=4) for colour in (PREDICTION, TRUTH)]
            figure.legend(handles, labels, loc="lower center", ncols=2, fontsize=9)
        figure.tight_layout(rect=(0, 0.08 if target is not None else 0, 1, 1))
    return figure


def _checked(points: Tensor, target: Tensor | None, scheme: str) -> list[Tensor]:
    """One cloud or two, of the shape that the mark-up asks for."""
    expected = (markup(scheme).points, 3)
    for name, cloud in (("points", points), ("target", target)):
        if cloud is not None and cloud.shape != expected:
            raise ValueError(f"{name}: expected {expected} for mark-up {scheme}, got {tuple(cloud.shape)}")
    return [cloud.detach().cpu() for cloud in (points, target) if cloud is not None]


def _curves(cloud: Tensor, scheme: str, colour: str, group: str) -> go.Scatter3d:
    """The edges of the mark-up as one broken line."""
    ends = np.full((len(markup(scheme).edges()), 3, 3), np.nan, np.float32)
    ends[:, :2] = cloud.numpy()[np.array(markup(scheme).edges())]
    x, y, z = ends.reshape(-1, 3).T
    line = {"color": colour, "width": 4}
    return go.Scatter3d(
        x=x, y=y, z=z, mode="lines", line=line, hoverinfo="skip", showlegend=False, legendgroup=group
    )  # fmt: skip


def _radius(cloud: Tensor) -> float:
    """How far points ``(L, 3)`` reach up, down or, however they are turned, to the sides."""
    return float(torch.maximum(cloud[:, [0, 2]].norm(dim=1), cloud[:, 1].abs()).max())


def _turned(cloud: Tensor, degrees: float) -> Tensor:
    """Points ``(L, 3)`` of a face that turns about the vertical, its nose towards image right."""
    angle = math.radians(degrees)
    x = math.cos(angle) * cloud[:, 0] + math.sin(angle) * cloud[:, 2]
    return torch.stack([x, cloud[:, 1]], 1)
