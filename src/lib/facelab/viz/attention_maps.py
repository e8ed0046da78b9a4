"""Attention, drawn on faces: weights of rows and columns beside and above them, and which place looks where."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from facelab.models.coordinate_attention import AttentionMaps
from facelab.viz.faces import jpeg_address, show_image
from facelab.viz.figure import InteractiveFigure
from facelab.viz.slides import play_buttons, slider
from facelab.viz.style import ACCENT, style

_COLOURS = "viridis"  # of matplotlib and, capitalised, of Plotly
_OVER = 0.55  # how much of a face its weights hide
_CELL = 1.45  # inches of a face in a sheet, its strips included
_STILLS = 4  # places at most in the still twin


def attention_sheet(images: Tensor, maps: Mapping[str, AttentionMaps], titles: Sequence[str] = ()) -> Figure:
    """Faces with the weights of coordinate attention: of rows at the left, of columns above, their product on the face.

    Weights are means over the channels; on the face lies the mean of the products, which is not the product of means.
    Strips have one scale of colours, faces another, since products are smaller.

    Args:
        images: ``(N, 3, H, W)`` in [0, 1]. maps: name to the weights of these faces; each is a row of the sheet.
        titles: of the faces.
    Raises:
        ValueError: without maps, or on numbers of faces or titles that do not go together.
    """
    counts = {len(images), *(len(part) for each in maps.values() for part in each), len(titles) or len(images)}
    if not maps or len(counts) != 1:
        raise ValueError(f"attention_sheet: expected maps and titles of {len(images)} faces, got {sorted(counts)}")
    strips = {name: (each.rows.mean((1, 3)), each.columns.mean((1, 2))) for name, each in maps.items()}
    products = {name: (each.rows * each.columns).mean(1) for name, each in maps.items()}
    sides = _scale([part for pair in strips.values() for part in pair])
    faces = _scale(list(products.values()))
    with style():
        figure, cells = plt.subplots(
            len(maps), len(images), figsize=(_CELL * len(images) + 1.4, _CELL * len(maps)), squeeze=False, dpi=90
        )
        figure.subplots_adjust(left=0.07, right=0.81, top=0.86, bottom=0.03, wspace=0.3, hspace=0.3)
        for line, name in zip(cells, maps, strict=True):
            rows, columns = strips[name]
            for index, (face, image) in enumerate(zip(line, images, strict=True)):
                show_image(face, image)
                _over(face, image, products[name][index], faces)
                _strip(face.inset_axes((0, 1.04, 1, 0.11)), columns[index][None], sides)
                _strip(face.inset_axes((-0.15, 0, 0.11, 1)), rows[index][:, None], sides)
                if titles and name == next(iter(maps)):
                    face.text(0.5, 1.2, titles[index], transform=face.transAxes, ha="center", fontsize=8)
            line[0].text(-0.22, 0.5, name, transform=line[0].transAxes, rotation=90, ha="right", va="center")
        for place, (scale, label) in enumerate(((sides, "row, column"), (faces, "product"))):
            bar = figure.add_axes((0.85 + 0.08 * place, 0.15, 0.016, 0.6))
            figure.colorbar(ScalarMappable(scale, _COLOURS), bar)
            bar.tick_params(labelsize=7)
            bar.set_title(label, fontsize=8)
    return figure


def token_figure(
    images: Tensor, weights: Tensor, alt: str, names: Sequence[str] = (), start: int = 0
) -> InteractiveFigure:
    """Faces side by side, and under a slider which places each place of the map looks at.

    Args:
        images: ``(N, 3, S, S)`` in [0, 1]. weights: ``(N, n * n, n * n)``, row by row the shares of each place of a
            map of n rows, places counted row by row. alt: what is to be seen. names: of the faces.
        start: the place that is shown first.
    Raises:
        ValueError: on shapes or names that do not go together, or a place that is not there.
    """
    places, count = weights.shape[1], len(images)
    size = round(places**0.5)
    if weights.shape != (count, size**2, size**2) or images.shape[2] != images.shape[3]:
        raise ValueError(
            f"token_figure: expected square pictures and ({count}, n * n, n * n) weights, got {tuple(images.shape)} "
            f"and {tuple(weights.shape)}"
        )
    if names and len(names) != count:
        raise ValueError(f"token_figure names: expected {count}, one a face, got {len(names)}")
    if not 0 <= start < places:
        raise ValueError(f"token_figure start: expected a place from 0 to {places - 1}, got {start}")
    shares = weights.detach().cpu().double()
    side, end = images.shape[3], float(shares.max())
    frames = [
        go.Frame(data=_token_step(shares, place, side), traces=list(range(2 * count)), name=str(place))
        for place in range(places)
    ]
    figure = go.Figure(data=_token_traces(shares, start, side, end), frames=frames)
    labels = [f"row {place // size + 1}, column {place % size + 1}" for place in range(places)]
    figure.update_layout(
        _token_layout(images, names),
        sliders=[slider(labels, start, "the place in the frame: ")],
        updatemenus=[play_buttons(700)],
    )
    return InteractiveFigure(figure, alt, _token_poster(images, shares, names, labels))


def _scale(values: Sequence[Tensor]) -> Normalize:
    """From the least to the largest of all."""
    every = torch.cat([value.detach().flatten() for value in values])
    return Normalize(float(every.min()), float(every.max()))


def _strip(ax: Axes, weights: Tensor, scale: Normalize) -> None:
    ax.imshow(weights.detach().cpu().numpy(), cmap=_COLOURS, norm=scale, aspect="auto")
    ax.axis("off")


def _over(ax: Axes, image: Tensor, weights: Tensor, scale: Normalize) -> None:
    extent = (-0.5, image.shape[2] - 0.5, image.shape[1] - 0.5, -0.5)
    ax.imshow(weights.detach().cpu().numpy(), cmap=_COLOURS, norm=scale, alpha=_OVER, extent=extent)


def _token_traces(shares: Tensor, place: int, side: int, end: float) -> list[go.Heatmap | go.Scatter]:
    """Of each face the weights, and the frame of the place that looks."""
    cell = side / round(shares.shape[1] ** 0.5)
    bar = {"orientation": "h", "thickness": 10, "len": 0.7, "y": 1.02, "yanchor": "bottom"}
    bar |= {"title": {"text": "share of the attention (%)", "side": "top"}}
    traces = _token_step(shares, place, side)
    for index, trace in enumerate(traces):
        trace.update(xaxis=f"x{index // 2 + 1}", yaxis=f"y{index // 2 + 1}")
        if isinstance(trace, go.Heatmap):
            grid = {"x0": cell / 2 - 0.5, "dx": cell, "y0": cell / 2 - 0.5, "dy": cell}
            trace.update(zmin=0, zmax=100 * end, colorscale=_COLOURS.capitalize(), opacity=_OVER, **grid)
            trace.update(showscale=index == 0, colorbar=bar, hovertemplate="%{z:.1f} %<extra></extra>")
        else:
            trace.update(mode="lines", line={"color": ACCENT, "width": 3}, hoverinfo="skip")
    return traces


def _token_step(shares: Tensor, place: int, side: int) -> list[go.Heatmap | go.Scatter]:
    """What changes from place to place."""
    size = round(shares.shape[1] ** 0.5)
    cell = side / size
    left, top = cell * (place % size) - 0.5, cell * (place // size) - 0.5
    frame = {
        "x": [left + cell * step for step in (0, 1, 1, 0, 0)],
        "y": [top + cell * step for step in (0, 0, 1, 1, 0)],
    }
    traces: list[go.Heatmap | go.Scatter] = []
    for each in shares:
        traces.append(go.Heatmap(z=(100 * each[place]).reshape(size, size).numpy().astype(np.float32)))
        traces.append(go.Scatter(**frame))
    return traces


def _token_layout(images: Tensor, names: Sequence[str]) -> go.Layout:
    count, side = len(images), images.shape[3]
    layout = go.Layout(
        height=470, margin={"l": 4, "r": 4, "t": 90, "b": 4}, showlegend=False, plot_bgcolor="white",
    )  # fmt: skip
    gap = 0.02
    width = (1 - gap * (count - 1)) / count
    for index, image in enumerate(images):
        left = index * (width + gap)
        number = str(index + 1)
        hidden = {"visible": False, "constrain": "domain"}
        layout[f"xaxis{number}"] = {"range": [-0.5, side - 0.5], "domain": [left, left + width], **hidden}
        layout[f"yaxis{number}"] = {
            "range": [side - 0.5, -0.5], "scaleanchor": f"x{number}", "anchor": f"x{number}", **hidden,
        }  # fmt: skip
        layout.images += (
            go.layout.Image(
                source=jpeg_address(image, 85), xref=f"x{number}", yref=f"y{number}", x=-0.5, y=-0.5, sizex=side,
                sizey=side, sizing="stretch", layer="below",
            ),
        )  # fmt: skip
        if names:
            layout.annotations += (
                go.layout.Annotation(
                    text=names[index], xref=f"x{number}", yref=f"y{number}", x=side / 2 - 0.5, y=side, yanchor="top",
                    showarrow=False,
                ),
            )  # fmt: skip
    return layout


def _token_poster(images: Tensor, shares: Tensor, names: Sequence[str], labels: Sequence[str]) -> Figure:
    """Each face in a row, with a few places that look."""
    size = round(shares.shape[1] ** 0.5)
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(_STILLS, len(labels))).round().astype(int))
    scale = Normalize(0, float(shares.max()))
    with style():
        figure, rows = plt.subplots(
            len(images), len(chosen), figsize=(1.5 * len(chosen), 1.65 * len(images)), squeeze=False, dpi=80
        )
        for index, (image, line) in enumerate(zip(images, rows, strict=True)):
            for place, ax in zip(chosen, line, strict=True):
                show_image(ax, image, labels[place] if index == 0 else "")
                _over(ax, image, shares[index, place].reshape(size, size), scale)
                cell = image.shape[2] / size
                corner = (cell * (place % size) - 0.5, cell * (place // size) - 0.5)
                ax.add_patch(Rectangle(corner, cell, cell, fill=False, edgecolor=ACCENT, linewidth=2))
            if names:
                line[0].text(
                    -0.06, 0.5, names[index], transform=line[0].transAxes, rotation=90, ha="right", va="center"
                )
        figure.tight_layout(pad=0.3)
    return figure
