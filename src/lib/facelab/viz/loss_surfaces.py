"""What an error of a landmark costs, as surfaces over the error: six losses."""

import math
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from facelab.data import encode_heatmaps, to_heatmap_pixels
from facelab.losses import adaptive_wing, anisotropic, l1, l2, smooth_l1, wing
from facelab.markups import Markup
from facelab.viz.figure import InteractiveFigure
from facelab.viz.style import PREDICTION, style

MAP_SIDE, STRIDE, SIGMA = 64, 4.0, 1.0  # of the heatmaps: pixels, picture pixels in one of theirs, width of the peak
_LONGEST = 0.9  # half the line that shows the contour, as a share of the reach
_LIFTED = 0.01  # that line above the surface, as a share of its height, so as not to be hidden
_FLOOR = "#44546A"  # dark, for the white lines on it
_TURNED = "Anisotropic"  # the loss that has a direction
_HEIGHT = 450
_CAMERA = {"eye": {"x": 1.38, "y": -1.38, "z": 1.3}, "center": {"x": 0, "y": 0, "z": -0.12}}  # all of it on a phone
_ROOM = {"l": 0, "r": 0, "t": 56, "b": 0}
# One landmark between two others on a straight contour, which gives it its tangent.
_CONTOUR = Markup(
    name="contour",
    points=3,
    groups={"contour": (0, 1, 2)},
    closed=frozenset(),
    mirror=(0, 1, 2),
    outer_eye_corners=(0, 2),
    eyes=((0,), (2,)),
    corners=(),
    curves=((0, 1, 2),),
)


@dataclass(frozen=True)
class LossSurface:
    """The cost of an error.

    Attributes:
        name: of the loss. unit: of the cost.
        cost: ``(Y, X)`` at every pair of errors, downwards first.
    """

    name: str
    unit: str
    cost: NDArray[np.float32]


def loss_surfaces(
    reach: float = 12.0, step: float = 0.5, angle: float = 30.0, a: float = 5.0, b: float = 3.0
) -> tuple[NDArray[np.float32], list[LossSurface]]:
    """The costs of one landmark that is wrong by dx and dy: every loss is called as it is in training.

    The Adaptive Wing loss sees the heatmap of the landmark, 64 x 64 pixels of 4 x 4 picture pixels, once with the peak
    where it should be and once moved by the error; its cost is the mean over the map, without extra weights.

    Args:
        reach: the largest error in pixels. step: from one to the next, in pixels. angle: of the contour's tangent, in
            degrees from the x axis, growing clockwise as seen on the picture. a, b: as of
            :func:`facelab.losses.anisotropic`.
    Returns:
        The errors ``(X,)`` from -reach to reach, and six surfaces ``(X, X)``.
    Raises:
        ValueError: on a reach that is no multiple of the step, or leaves the heatmap, or an a or b that is not
            positive.
    """
    count = round(reach / step) if step > 0 else 0
    if count < 1 or abs(count * step - reach) > 1e-6 * reach or reach >= MAP_SIDE * STRIDE / 2:
        raise ValueError(
            f"loss_surfaces: expected a reach below {MAP_SIDE * STRIDE / 2:g} pixels and a step that divides it, "
            f"got {reach} and {step}"
        )
    axis = torch.linspace(-reach, reach, 2 * count + 1, dtype=torch.float64)
    down, right = torch.meshgrid(axis, axis, indexing="ij")
    errors = torch.stack([right, down], -1).reshape(-1, 1, 2)
    nowhere = torch.zeros_like(errors)
    costs = {
        ("L2", "px²"): l2(errors, nowhere, reduction="none"),
        ("L1", "px"): l1(errors, nowhere, reduction="none"),
        ("Smooth L1", "px"): smooth_l1(errors, nowhere, reduction="none"),
        ("Wing", "px"): wing(errors, nowhere, reduction="none"),
        (_TURNED, "corner variances"): _anisotropic(errors, angle, a, b),
        ("Adaptive Wing", "mean over the map"): _adaptive_wing(errors),
    }
    return axis.numpy().astype(np.float32), [
        LossSurface(name, unit, cost.reshape(right.shape).numpy().astype(np.float32))
        for (name, unit), cost in costs.items()
    ]


def loss_surface_figure(
    alt: str, reach: float = 12.0, step: float = 0.5, angle: float = 30.0, a: float = 5.0, b: float = 3.0
) -> InteractiveFigure:
    """One surface to turn, of the loss that is chosen from a list; on its floor the lines of equal cost.

    A line on the anisotropic surface shows the contour along which the landmark may slide. The still twin has all six,
    as lines of equal cost.

    Args:
        alt: what is to be seen. Others as of :func:`loss_surfaces`.
    Raises:
        ValueError: as :func:`loss_surfaces`.
    """
    axis, surfaces = loss_surfaces(reach, step, angle, a, b)
    steps = torch.linspace(-_LONGEST * reach, _LONGEST * reach, len(axis), dtype=torch.float64)
    tangent = steps[:, None] * _direction(angle)
    height = _anisotropic(tangent[:, None], angle, a, b).numpy()
    line = go.Scatter3d(
        x=tangent[:, 0].numpy(), y=tangent[:, 1].numpy(), z=height + _LIFTED * _named(surfaces, _TURNED).cost.max(),
        mode="lines", line={"color": PREDICTION, "width": 7}, hoverinfo="skip", visible=False, showlegend=False,
    )  # fmt: skip
    figure = go.Figure([*(_surface(axis, each, index == 0) for index, each in enumerate(surfaces)), line])
    floor = {"showbackground": True, "backgroundcolor": _FLOOR, "rangemode": "tozero"}
    scene = {
        "xaxis": {"title": {"text": "dx (px)"}, "range": [-reach, reach]},
        "yaxis": {"title": {"text": "dy (px)"}, "range": [reach, -reach]},
        "zaxis": {"title": {"text": ""}, **floor},
        "aspectmode": "manual",
        "aspectratio": {"x": 1, "y": 1, "z": 0.7},
        "camera": _CAMERA,
    }
    figure.update_layout(scene=scene, margin=_ROOM, height=_HEIGHT, updatemenus=[_menu(surfaces)])
    # What the axis of the cost shows stands beside the list: on a phone there is no room for it along the axis.
    place = {"xref": "paper", "yref": "paper", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom", "yshift": 16}
    figure.add_annotation(text=_told(surfaces[0]), showarrow=False, font={"size": 13}, **place)
    return InteractiveFigure(figure, alt, _poster(axis, surfaces, tangent))


def _anisotropic(errors: Tensor, angle: float, a: float, b: float) -> Tensor:
    target = (torch.tensor([[-1.0], [0.0], [1.0]]).to(errors) * _direction(angle)).expand(len(errors), 3, 2)
    return anisotropic(target + errors, target, _CONTOUR, a, b, reduction="none")[:, 1]


def _adaptive_wing(errors: Tensor) -> Tensor:
    middle = torch.full((1, 1, 2), MAP_SIDE * STRIDE / 2, dtype=torch.float32)
    target = encode_heatmaps(to_heatmap_pixels(middle, STRIDE), MAP_SIDE, MAP_SIDE, SIGMA)
    costs = []
    for some in errors.float().split(256):  # maps of all errors at once would be 40 MB
        moved = encode_heatmaps(to_heatmap_pixels(middle + some, STRIDE), MAP_SIDE, MAP_SIDE, SIGMA)
        costs.append(adaptive_wing(moved, target.expand_as(moved), reduction="none"))
    return torch.cat(costs)


def _direction(angle: float) -> Tensor:
    radians = math.radians(angle)
    return torch.tensor([math.cos(radians), math.sin(radians)], dtype=torch.float64)


def _told(surface: LossSurface) -> str:
    return f"cost ({surface.unit})" + "<br>line: the contour" * (surface.name == _TURNED)


def _named(surfaces: list[LossSurface], name: str) -> LossSurface:
    return next(surface for surface in surfaces if surface.name == name)


def _surface(axis: NDArray[np.float32], surface: LossSurface, visible: bool) -> go.Surface:
    top = float(surface.cost.max())
    lines = {"show": True, "project": {"z": True}, "start": top / 10, "end": top, "size": top / 10, "color": "white"}
    return go.Surface(
        x=axis, y=axis, z=surface.cost, name=surface.name, visible=visible, showscale=False, colorscale="Cividis",
        contours={"z": lines}, hovertemplate="dx %{x} px, dy %{y} px: %{z:.3g}<extra>%{fullData.name}</extra>",
    )  # fmt: skip


def _menu(surfaces: list[LossSurface]) -> dict[str, object]:
    buttons = []
    for chosen, surface in enumerate(surfaces):
        shown = [index == chosen for index in range(len(surfaces))] + [surface.name == _TURNED]
        args = [{"visible": shown}, {"annotations[0].text": _told(surface)}]
        buttons.append({"label": surface.name, "method": "update", "args": args})
    place = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "pad": {"b": 8, "l": 8}}
    return {"type": "dropdown", "buttons": buttons, "active": 0, "font": {"size": 15}, **place}


def _poster(axis: NDArray[np.float32], surfaces: list[LossSurface], tangent: Tensor) -> Figure:
    with style():
        figure, grid = plt.subplots(2, 3, figsize=(8.6, 4.9), layout="constrained", sharex=True, sharey=True)
        for ax, surface in zip(grid.flat, surfaces, strict=True):
            drawn = ax.contourf(axis, axis, surface.cost, levels=10, cmap="cividis")
            ax.contour(axis, axis, surface.cost, levels=10, colors="white", linewidths=0.5)
            if surface.name == _TURNED:
                ax.plot(*tangent.T.numpy(), color=PREDICTION, linewidth=2, label="contour")
                ax.legend(loc="lower left", fontsize=8, labelcolor="white")
            ax.set_title(surface.name, fontsize=10)
            ax.set_aspect("equal")
            figure.colorbar(drawn, ax=ax, label=f"cost ({surface.unit})")
        grid[0, 0].invert_yaxis()
        for ax in grid[-1]:
            ax.set_xlabel("dx (px)")
        for ax in grid[:, 0]:
            ax.set_ylabel("dy (px)")
    return figure
