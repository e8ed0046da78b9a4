"""One face seen from many sides: what is found in each picture, and how well it agrees in space."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from torch import Tensor

from facelab.markups import markup
from facelab.viz.clouds import landmark_cloud
from facelab.viz.faces import draw_landmarks, show_image
from facelab.viz.figure import InteractiveFigure
from facelab.viz.meshes import landmark_names
from facelab.viz.slides import Overlay, play_buttons, slides
from facelab.viz.style import PREDICTION, TRUTH, style

_LABELS = ("found, moved onto the truth", "true")
_EYE = {"x": 0.8, "y": 0.4, "z": 2.5}  # so far off that half of a phone's width is enough
_PAUSE = 700  # milliseconds that a step stays


def turning_figure(
    images: Sequence[Tensor],
    points: Tensor,
    clouds: Tensor,
    target: Tensor,
    labels: Sequence[str],
    alt: str,
    scheme: str = "68",
    prefix: str = "",
    start: int = 0,
) -> InteractiveFigure:
    """Views of a face that play one after the other: the picture with what is found in it, and a cloud to turn.

    Args:
        images: V views, ``(3, S, S)`` each. points: ``(V, L, 2)``, found, in their pixels.
        clouds: ``(V, L, 3)``, found in the same views, each moved onto the target. target: ``(L, 3)``.
        labels: of the views. alt: what is to be seen. scheme: mark-up of all landmarks.
        prefix: before the label above the slider. start: the view shown first.
    Raises:
        ValueError: on numbers of views that differ, or shapes that are not those of the mark-up.
    """
    views = len(labels)
    if len(images) != views or points.shape[:2] != clouds.shape[:2] or len(points) != views:
        shapes = f"{len(images)} pictures, points {tuple(points.shape)}, clouds {tuple(clouds.shape)}"
        raise ValueError(f"turning_figure: expected {views} of each, one a label, got {shapes}")
    edges, names = markup(scheme).edges(), landmark_names(scheme)
    overlays = [[Overlay(each, edges, PREDICTION, "found in the picture", names)] for each in points]
    figure = slides(images, overlays, labels, alt, prefix, start).figure
    beside = landmark_cloud(clouds[start], target, alt, scheme, _LABELS).figure
    first = len(figure.data)
    figure.add_traces(beside.data)
    for frame, cloud in zip(figure.frames, clouds, strict=True):
        frame.data = [*frame.data, *_moved(cloud, scheme)]
        frame.traces = [*frame.traces, first, first + 1]
    figure.update_layout(scene=beside.layout.scene, legend={"y": 1.12}, updatemenus=[play_buttons(_PAUSE)])
    figure.update_layout(xaxis={"domain": [0, 0.46]}, scene={"domain": {"x": [0.5, 1]}, "camera": {"eye": _EYE}})
    return InteractiveFigure(figure, alt, _poster(images, points, clouds, target, labels, scheme))


def _moved(cloud: Tensor, scheme: str) -> list[go.Scatter3d]:
    """Where the line and the dots of a cloud are; their looks stay."""
    x, y, z = cloud.numpy().T * np.array([[1.0], [-1.0], [1.0]], np.float32)  # Plotly's y goes up
    ends = np.array(markup(scheme).edges())
    broken = [np.pad(axis[ends], ((0, 0), (0, 1)), constant_values=np.nan).ravel() for axis in (x, y, z)]
    line = dict(zip("xyz", broken, strict=True))
    return [go.Scatter3d(line), go.Scatter3d(x=x, y=y, z=z, text=landmark_names(scheme))]


def _poster(
    images: Sequence[Tensor], points: Tensor, clouds: Tensor, target: Tensor, labels: Sequence[str], scheme: str
) -> Figure:
    """Each view above, and below it what was found there, from the front and moved onto the truth."""
    with style():
        figure, axes = plt.subplots(2, len(images), figsize=(1.1 * len(images), 2.6), squeeze=False)
        for above, image, found, label in zip(axes[0], images, points, labels, strict=True):
            show_image(above, image, label)
            draw_landmarks(above, found, PREDICTION, scheme, size=1.2)
        for below, cloud in zip(axes[1], clouds, strict=True):
            draw_landmarks(below, target, TRUTH, scheme, size=1.2)
            draw_landmarks(below, cloud, PREDICTION, scheme, size=1.2)
            below.set_aspect("equal")
            below.invert_yaxis()
            below.axis("off")
        figure.tight_layout(pad=0.3)
    return figure
