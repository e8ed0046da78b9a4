"""Which landmarks a network finds badly, and which way they err: along the contour or across it."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from torch import Tensor

from facelab.markups import markup as markup_named
from facelab.viz.contour_frames import contour_axes, contour_errors, has_contour
from facelab.viz.style import BASELINE, NEUTRAL, PREDICTION, style

_LONGEST = 0.13  # of the bar of the largest error, as a share of the face's box
_WORST_RATIO = 4.0  # ends of the scale of colours: four times as much along as across, and the other way round
_COLUMNS = 3
# From across to along; its middle is no paler than its ends, or landmarks without a preference would be lost.
_RATIO = LinearSegmentedColormap.from_list("across to along", [BASELINE, "#9A9A9A", PREDICTION])


def directed_errors(errors: Tensor, target: Tensor, markup: str) -> Tensor:
    """The mean size of each landmark's error along the contour and across it.

    Args:
        errors: ``(N, L, 2)`` pixels, predicted less true places. target: ``(N, L, 2)``, the true ones; NaN where a
            landmark is missing. markup: name of the mark-up.
    Returns:
        ``(L, 2)`` float64, percent of the box: along and across; x and y where a landmark has no contour; NaN for one
        that is missing on every face.
    Raises:
        ValueError: as :func:`facelab.viz.contour_frames.contour_errors`.
    """
    return contour_errors(errors, target, markup).abs().nanmean(0)


def error_atlas(errors: Mapping[str, Tensor], face: Tensor, markup: str) -> Figure:
    """Errors of some networks on a face, side by side and in one scale.

    Each landmark has a cross: one bar along the contour and one across it, as long as the errors in these directions.
    Its colour is the quotient of the two. Landmarks without a contour have a grey cross of the errors in x and y.

    Args:
        errors: name of a network to its ``(L, 2)`` errors, as :func:`directed_errors` has them. face: ``(L, 2)``, to
            draw on, such as :func:`facelab.viz.contour_frames.mean_face` has it. markup: name of the mark-up.
    Raises:
        ValueError: without a network, on shapes that do not fit the mark-up, or on errors of which none is known or
            one is negative.
    """
    points = markup_named(markup).points
    shapes = {name: tuple(values.shape) for name, values in errors.items()}
    if not errors or face.shape != (points, 2) or set(shapes.values()) != {(points, 2)}:
        raise ValueError(
            f"error_atlas: expected errors and face of shape ({points}, 2) for mark-up {markup!r}, "
            f"got {shapes} and {tuple(face.shape)}"
        )
    largest = max(float(values.nan_to_num(-1).max()) for values in errors.values())
    if not largest > 0 or any(bool((values < 0).any()) for values in errors.values()):
        raise ValueError("error_atlas: expected sizes of errors, none negative and one above zero at least")
    side = float((face.amax(0) - face.amin(0)).prod().sqrt())
    zoom = _LONGEST * side / largest
    columns = min(len(errors), _COLUMNS)
    rows = math.ceil(len(errors) / columns)
    norm = LogNorm(1 / _WORST_RATIO, _WORST_RATIO)
    with style():
        figure, grid = plt.subplots(
            rows, columns, figsize=(3.1 * columns, 3.7 * rows + 0.7), squeeze=False, layout="constrained",
            sharex=True, sharey=True,
        )  # fmt: skip
        for ax in grid.flat:
            ax.axis("off")
        for ax, (name, values) in zip(grid.flat, errors.items(), strict=False):
            _draw_face(ax, face.double(), values.double(), markup, zoom, norm)
            ax.set_title(f"{name}\n{_summary(values, face, markup)}", fontsize=9)
        _scale_bar(grid[0, 0], face, zoom, _round(largest))
        _frame(grid[0, 0], face)
        bar = figure.colorbar(
            ScalarMappable(norm, _RATIO), ax=grid, location="bottom", shrink=0.7, aspect=40, extend="both",
            label="error along the contour / error across it", ticks=[0.25, 0.5, 1, 2, 4], format="{x:g}",
        )  # fmt: skip
        bar.minorticks_off()
    return figure


def _draw_face(ax: Axes, face: Tensor, errors: Tensor, markup: str, zoom: float, norm: LogNorm) -> None:
    edges = torch.tensor(markup_named(markup).edges()).T
    ax.plot(*(face[edges, axis].numpy() for axis in range(2)), color=NEUTRAL, linewidth=0.4, alpha=0.4)
    reach = 0.5 * zoom * contour_axes(face, markup) * errors[:, None, :]  # half bars as columns
    bars = torch.stack([face[:, None] - reach.mT, face[:, None] + reach.mT], 2)  # (L, along or across, end, 2)
    ratio = errors[:, 0] / errors[:, 1]
    colours = _RATIO(norm(ratio.clamp(1 / _WORST_RATIO, _WORST_RATIO).nan_to_num(1.0).numpy()))
    on_curve = has_contour(face[None], markup)[0]
    looks = [colour if curved else NEUTRAL for colour, curved in zip(colours.tolist(), on_curve.tolist(), strict=True)]
    known = bars.isfinite().flatten(1).all(1)
    for index in known.nonzero().flatten().tolist():
        ax.add_collection(
            LineCollection(list(bars[index].numpy()), colors=[looks[index]], linewidths=1.6, capstyle="round")
        )
    ax.set_aspect("equal")


def _frame(ax: Axes, face: Tensor) -> None:
    """Limits of all axes: the face, room for the longest bar around it and for the scale bar below it."""
    (left, top), (right, bottom) = face.amin(0).tolist(), face.amax(0).tolist()
    room = _LONGEST * max(right - left, bottom - top)
    ax.set(xlim=(left - room, right + room), ylim=(bottom + 1.7 * room, top - room))


def _summary(errors: Tensor, face: Tensor, markup: str) -> str:
    """The means over the landmarks that have a contour."""
    along, across = errors[has_contour(face[None].double(), markup)[0]].nanmean(0).tolist()
    return f"along {along:.2f} %, across {across:.2f} % of the box"


def _scale_bar(ax: Axes, face: Tensor, zoom: float, length: float) -> None:
    """A bar as long as that error is drawn, at the left below the face."""
    (left, top), (_, bottom) = face.amin(0).tolist(), face.amax(0).tolist()
    y, end = bottom + _LONGEST * (bottom - top), left + zoom * length
    ax.plot([left, end], [y, y], color="black", linewidth=2, solid_capstyle="butt")
    ax.text(end, y, f"  an error of {length:g} % of the box", fontsize=8, va="center")


def _round(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (5, 2, 1) if factor * power <= value * (1 + 1e-9))
