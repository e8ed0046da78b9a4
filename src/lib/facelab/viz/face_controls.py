"""A face driven by its parameters in a page without a kernel: camera, identity, expression."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from facelab.face3d import MorphableModel
from facelab.face3d.parameters import CAMERA_PARAMETERS, EXPRESSION_PARAMETERS, IDENTITY_PARAMETERS
from facelab.markups import markup
from facelab.viz.faces import render_mesh, show_image
from facelab.viz.figure import SHORTEST_ALT, KernelFree, content_id, embedded, framed, still_png
from facelab.viz.style import ACCENT, style

_SPREAD = 3.0  # standard deviations that an identity input goes to either side
_TURNS = (("pitch", 45.0), ("yaw", 90.0), ("roll", 45.0))  # degrees to either side
_FILLED = 0.62  # of the crop's height, by the mesh, at first
_REACH = 0.4  # of the crop's side, to which the face can be moved
_STILL = 110  # pixels, the side of a picture of the still twin


@dataclass(frozen=True)
class FaceControls(KernelFree):
    """A face and its inputs; shows itself as HTML that needs no kernel, as a PNG, and as a sentence.

    Made by :func:`parameter_figure`.

    Attributes:
        data: what the page draws from. groups: name of a group to its inputs, each ``(label, low, high, value,
            digits)``. png: the still twin. alt: what is to be seen. caption: a line under the figure.
    """

    data: dict[str, Any]
    groups: dict[str, list[tuple[str, float, float, float, int]]]
    png: bytes
    alt: str
    caption: str

    def html(self) -> str:
        """The drawing, the inputs, the data and the code as one piece of HTML."""
        data = embedded(self.data)
        name = f"{content_id(data, self.alt)}-group"
        inputs = "".join(_group(name, group, rows) for group, rows in self.groups.items())
        side = self.data["pixels"]
        body = (
            '<div class="face-controls-both">'
            f'<div><canvas width="{side}" height="{side}" aria-hidden="true"></canvas>'
            '<output class="face-controls-numbers" aria-live="off"></output></div>\n'
            f'<form>{inputs}<button type="reset">Reset</button></form></div>'
        )
        return framed(self, "face-controls", "face_controls", data, body, self.caption)


def parameter_figure(
    model: MorphableModel,
    colours: Tensor,
    alt: str,
    identity: Sequence[int] = range(5),
    expression: Sequence[int] = range(5),
    side: int = 120,
    pixels: int = 360,
) -> FaceControls:
    """A mesh with its 68 landmarks in a square crop, drawn from the 62 parameters, which are told as they change.

    Inputs move the camera (three angles, scale, place) and some coefficients; the others are 0. The page makes the
    camera's 12 numbers from the angles as :func:`facelab.geometry.rotation_matrix` does, and draws with a z-buffer.

    Args:
        model: the face; a part of a model keeps the page small. colours: ``(V, 3)`` in [0, 1]. alt: what is to be seen.
        identity: modes among the first 40; an input goes from -3 to 3 standard deviations.
        expression: modes among the first 10; an input goes over the mode's natural range.
        side: of the crop in its own pixels, in which the camera is. pixels: side of the drawing.
    Raises:
        ValueError: on colours of another shape, a mode that is not among the parameters, a model without all 68
            landmarks or with 65,536 vertices or more, or a missing text.
    """
    vertices = model.mean.shape[1]
    _check(model, colours, identity, expression, alt)
    low, high = model.mean.aminmax(dim=1)
    scale = _FILLED * side / float(high[1] - low[1])
    middle = (low + high) / 2
    place = ((side - 1) / 2 - scale * float(middle[0]), (side - 1) / 2 + scale * float(middle[1]))
    modes, labels = _modes(model, identity, expression)
    groups = {
        "camera": [
            *((f"{name} (°)", -reach, reach, 0.0, 0) for name, reach in _TURNS),
            (f"scale (px/{model.unit})", 0.4 * scale, 1.8 * scale, scale, 1),
            *(
                (f"{axis} (px)", start - _REACH * side, start + _REACH * side, start, 0)
                for axis, start in zip("xy", place, strict=True)
            ),
        ],
        **labels,
    }
    data = {
        "side": side,
        "pixels": pixels,
        "mean": _packed(model.mean, "i2"),
        "modes": modes,
        "triangles": _encoded(model.triangles.numpy().astype("<u2")),
        "colours": _encoded((255 * colours.clamp(0, 1)).round().numpy().astype(np.uint8)),
        "landmarks": model.landmarks.tolist(),
        "edges": markup("68").edges(),
        "accent": ACCENT,
        "identity": [CAMERA_PARAMETERS, IDENTITY_PARAMETERS],
        "expression": [CAMERA_PARAMETERS + IDENTITY_PARAMETERS, EXPRESSION_PARAMETERS],
    }
    caption = (
        f"{vertices} vertices and 68 landmarks in a crop of {side} x {side} pixels. "
        "Beside or below it the numbers that place it there; coefficients without an input are 0."
    )
    png = still_png(_poster(model, colours, identity, expression))
    return FaceControls(data, groups, png, " ".join(alt.split()), caption)


def _check(
    model: MorphableModel, colours: Tensor, identity: Sequence[int], expression: Sequence[int], alt: str
) -> None:
    vertices = model.mean.shape[1]
    if colours.shape != (vertices, 3):
        raise ValueError(f"parameter_figure colours: expected shape ({vertices}, 3), got {tuple(colours.shape)}")
    if bool((model.landmarks < 0).any()) or vertices >= 2**16:
        raise ValueError(
            f"parameter_figure: expected a model with all 68 landmarks and fewer than {2**16} vertices, got "
            f"{int((model.landmarks >= 0).sum())} and {vertices}"
        )
    limits = (
        ("identity", identity, min(IDENTITY_PARAMETERS, len(model.identity))),
        ("expression", expression, min(EXPRESSION_PARAMETERS, len(model.expression))),
    )
    for kind, chosen, count in limits:
        if len(set(chosen)) != len(chosen) or any(not 0 <= index < count for index in chosen):
            raise ValueError(
                f"parameter_figure {kind}: expected different modes from 0 to {count - 1}, got {list(chosen)}"
            )
    if len(alt.strip()) < SHORTEST_ALT:
        raise ValueError(f"alt must say what the figure shows, in at least {SHORTEST_ALT} characters, not {alt!r}")


def _modes(
    model: MorphableModel, identity: Sequence[int], expression: Sequence[int]
) -> tuple[list[dict[str, Any]], dict[str, list[tuple[str, float, float, float, int]]]]:
    """Modes for the page, one an input, and their inputs. ``unit`` is the raw coefficient of an input at 1."""
    modes = [
        {"parameter": CAMERA_PARAMETERS + index, "unit": float(model.identity_std[index]), **_packed(delta, "i1")}
        for index in identity
        for delta in [model.identity[index] * model.identity_std[index]]
    ]
    first = CAMERA_PARAMETERS + IDENTITY_PARAMETERS
    modes += [
        {"parameter": first + index, "unit": 1.0, **_packed(model.expression[index], "i1")} for index in expression
    ]
    ranges = model.expression_range.tolist()
    return modes, {
        "identity": [(f"mode {index + 1} (σ)", -_SPREAD, _SPREAD, 0.0, 2) for index in identity],
        "expression": [
            (model.expression_names[index].replace("_", " "), *ranges[index], 0.0, 2) for index in expression
        ],
    }


def _packed(points: Tensor, kind: str) -> dict[str, Any]:
    """Points ``(3, V)``, axis by axis, as integers of 8 (``"i1"``) or 16 bits: steps far below a pixel of the crop."""
    unit = float(points.abs().max()) / np.iinfo(kind).max or 1.0
    return {"unit_of_points": unit, "points": _encoded((points / unit).round().numpy().astype(f"<{kind}"))}


def _encoded(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _group(name: str, title: str, rows: Sequence[tuple[str, float, float, float, int]]) -> str:
    """Inputs under a title that opens them; of the groups of one name a browser keeps one open."""
    inputs = "".join(
        f'<label><span>{escape(label)}</span><input type="range" aria-label="{escape(label)}" min="{low:.6g}" '
        f'max="{high:.6g}" step="any" value="{value:.6g}" data-digits="{digits}">'
        f"<output>{value:.{digits}f}</output></label>"
        for label, low, high, value, digits in rows
    )
    opened = " open" if title == "camera" else ""
    return f'<details name="{name}"{opened}><summary>{escape(title)}</summary>{inputs}</details>'


def _poster(model: MorphableModel, colours: Tensor, identity: Sequence[int], expression: Sequence[int]) -> Figure:
    """The mean face turned, and what the first modes do to it."""
    mean = model.vertices()[0]
    drawn = [("mean face", mean, 0.0), ("yaw 45°", mean, 45.0)]
    drawn += [
        (f"identity {index + 1}: {score:+g} σ", model.vertices(_one(score * model.identity_std[index], index))[0], 0.0)
        for index in identity[-1:]  # the first only changes the size, which a still picture does not show
        for score in (-_SPREAD, _SPREAD)
    ]
    drawn += [
        (
            model.expression_names[index].replace("_", " "),
            model.vertices(expression=_one(model.expression_range[index, 1], index))[0],
            0.0,
        )
        for index in expression[:2]
    ]
    with style():
        figure, row = plt.subplots(1, len(drawn), figsize=(1.35 * len(drawn), 1.7), dpi=80, layout="constrained")
        for ax, (title, vertices, yaw) in zip(row, drawn, strict=True):
            show_image(ax, render_mesh(vertices, model.triangles, colours, yaw=yaw, size=_STILL), title)
    return figure


def _one(value: Tensor, index: int) -> Tensor:
    """Coefficients that are 0 but for the last, number ``index``."""
    return torch.cat([torch.zeros(index), value.reshape(1)])
