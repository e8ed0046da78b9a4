"""Interactive figures that work in a page without a kernel and without a network.

An `InteractiveFigure` shows itself as three things at once: HTML with the Plotly figure inside, a PNG of the
same picture (print, GitHub, and whatever cannot run scripts), and a sentence that says what is to be seen.
The HTML asks for nothing but `vendor/plotly.min.js` beside the site; `figure.js` explains how it is found.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure as MatplotlibFigure
from PIL import Image
from plotly.offline import get_plotlyjs_version

SHORTEST_ALT = 20
DEFAULT_HEIGHT = 480
QUANTA = 32767


@dataclass(frozen=True)
class Blend:
    """One linear mode of a 3D trace, moved by a range input in the page.

    The trace is drawn at its own coordinates plus the sum of value * delta over all controls. Blends of the same
    name share one input, so that a mesh and the landmarks on it move together.

    name: what the reader sees beside the input.
    delta: (V, 3) displacement of each point of the trace for a value of 1, in the trace's units.
    low, high, value: the range of the input, and where it starts.
    trace: index of the trace in the figure.
    """

    name: str
    delta: np.ndarray
    low: float
    high: float
    value: float = 0.0
    trace: int = 0

    def __post_init__(self) -> None:
        shape = np.shape(self.delta)
        if len(shape) != 2 or shape[1] != 3:
            raise ValueError(f"blend '{self.name}': delta must have shape (V, 3), not {shape}")
        if not np.isfinite(self.delta).all():
            raise ValueError(f"blend '{self.name}': delta must be finite")
        if not self.low <= self.value <= self.high or self.low == self.high:
            raise ValueError(
                f"blend '{self.name}': expected low <= value <= high and low < high, "
                f"not {self.low}, {self.value}, {self.high}"
            )

    @property
    def range(self) -> tuple[float, float, float]:
        return self.low, self.high, self.value


class KernelFree:
    """What shows itself as HTML that needs no kernel, as a PNG, and as a sentence.

    Attributes:
        png: the still twin. alt: what is to be seen.
    """

    png: bytes
    alt: str

    def html(self) -> str:
        """All that a page needs."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        png = base64.b64encode(self.png).decode()
        return {"text/html": self.html(), "image/png": png, "text/plain": self.alt}


class InteractiveFigure(KernelFree):
    """A Plotly figure with a still twin and a text, to be the last expression of a notebook cell.

    figure: a Plotly figure, or its dictionary. Arrays are stored as they are: float32 and uint16 keep pages small.
    alt: what the picture shows, for readers who cannot see it. At least 20 characters.
    poster: the still twin, a matplotlib figure or an array (H, W, 3), uint8 or float in [0, 1].
    caption: a line under the figure.
    controls: `Blend` modes, drawn as range inputs below the figure.

    Raises ValueError for a missing text, a poster that is no picture, and a blend that does not fit its trace.
    """

    def __init__(
        self,
        figure: go.Figure | dict[str, Any],
        alt: str,
        poster: MatplotlibFigure | np.ndarray,
        caption: str | None = None,
        controls: Sequence[Blend] = (),
    ) -> None:
        if not isinstance(alt, str) or len(alt.strip()) < SHORTEST_ALT:
            raise ValueError(f"alt must say what the figure shows, in at least {SHORTEST_ALT} characters, not {alt!r}")
        self.figure = figure if isinstance(figure, go.Figure) else go.Figure(figure)
        self.alt = " ".join(alt.split())
        self.caption = caption
        self.controls = tuple(controls)
        self.png = still_png(poster)
        self._check_controls()

    @property
    def id(self) -> str:
        """A name made from the content: the same figure has the same name in every run."""
        return content_id(self._json(), self.alt, self.caption or "")

    def html(self) -> str:
        """The figure as one piece of HTML: styles, poster, data, controls, loader."""
        poster, alt = base64.b64encode(self.png).decode(), escape(self.alt)
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        return (
            f"<style>{asset('figure.css')}</style>\n"
            f'<figure class="facelab-figure" id="{self.id}" data-plotly="{get_plotlyjs_version()}">\n'
            f'<div class="facelab-plot" role="group" aria-label="{alt}" style="height:{self._height():g}px"></div>\n'
            f'<img class="facelab-poster" alt="{alt}" src="data:image/png;base64,{poster}">\n'
            f"{self._form()}{caption}\n"
            f'<script type="application/json">{self._json()}</script>\n'
            f"</figure>\n<script>{asset('figure.js')}</script>"
        )

    def _names(self) -> list[str]:
        return list(dict.fromkeys(blend.name for blend in self.controls))

    def _height(self) -> float:
        return float(self.figure.layout.height or DEFAULT_HEIGHT)

    def _json(self) -> str:
        parts = json.loads(self.figure.to_json())
        layout = {**parts["layout"], "height": self._height(), "autosize": True}
        layout.pop("width", None)
        names = self._names()
        spec = {
            "data": parts["data"],
            "layout": layout,
            "frames": parts.get("frames", []),
            "config": {"displaylogo": False, "responsive": True},
            "blends": [_packed(blend, names.index(blend.name)) for blend in self.controls],
        }
        return embedded(spec)

    def _form(self) -> str:
        if not self.controls:
            return ""
        ranges = {blend.name: blend.range for blend in self.controls}
        rows = [_input(name, *ranges[name]) for name in self._names()]
        return f'<form class="facelab-controls">{"".join(rows)}<button type="reset">Reset</button></form>\n'

    def _check_controls(self) -> None:
        ranges: dict[str, tuple[float, float, float]] = {}
        for blend in self.controls:
            if not 0 <= blend.trace < len(self.figure.data):
                raise ValueError(
                    f"blend '{blend.name}': trace {blend.trace} is not one of {len(self.figure.data)} traces"
                )
            points = self.figure.data[blend.trace]["x"]
            if points is None or len(points) != len(blend.delta):
                count = 0 if points is None else len(points)
                raise ValueError(
                    f"blend '{blend.name}': delta has {len(blend.delta)} points, trace {blend.trace} has {count}"
                )
            if ranges.setdefault(blend.name, blend.range) != blend.range:
                raise ValueError(f"blend '{blend.name}': blends of one name must have one range and one value")


def embedded(data: Any) -> str:
    """Data as JSON for a script element of a page: with "<" escaped, nothing in it can close the element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def framed(figure: KernelFree, kind: str, files_named: str, data: str, body: str, caption: str | None) -> str:
    """The HTML of a figure that a script of its own draws: styles, still twin, body, caption, data, code.

    Args:
        figure: whose still twin and text these are. kind: of the element, ``facelab-<kind>`` is its class.
        files_named: the name of the style sheet and the script that lie beside this module, without ``.css``, ``.js``.
        data: :func:`embedded`, what the script draws from. body: HTML of inputs and drawings. caption: a line under it.
    """
    alt, poster = escape(figure.alt), base64.b64encode(figure.png).decode()
    under = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f"<style>{asset(f'{files_named}.css')}</style>\n"
        f'<figure class="facelab-{kind}" id="{content_id(data, figure.alt)}" aria-label="{alt}">\n'
        f'<img class="facelab-poster" alt="{alt}" src="data:image/png;base64,{poster}">\n'
        f"{body}\n{under}\n"
        f'<script type="application/json">{data}</script>\n'
        f"</figure>\n<script>{asset(f'{files_named}.js')}</script>"
    )


def content_id(*content: str) -> str:
    """An id made from the content of a figure."""
    return "figure-" + hashlib.sha256("\0".join(content).encode()).hexdigest()[:12]


def _packed(blend: Blend, control: int) -> dict[str, Any]:
    """The delta as 16-bit integers, axis by axis: a third of the size of the numbers written out."""
    delta = np.asarray(blend.delta, dtype=np.float64).T
    scale = float(np.abs(delta).max(initial=0.0)) / QUANTA or 1.0
    quantised = np.rint(delta / scale).astype("<i2")
    packed = {"dtype": "i2", "bdata": base64.b64encode(quantised.tobytes()).decode()}
    return {"control": control, "trace": blend.trace, "scale": scale, "delta": packed}


def _input(name: str, low: float, high: float, value: float) -> str:
    label = escape(name)
    return (
        f"<label><span>{label}</span>"
        f'<input type="range" aria-label="{label}" min="{low:g}" max="{high:g}" step="any" value="{value:g}">'
        f"<output>{value:.2f}</output></label>"
    )


def still_png(poster: MatplotlibFigure | np.ndarray) -> bytes:
    """A still picture as a small PNG; a matplotlib figure is closed, or the notebook would show it a second time."""
    buffer = io.BytesIO()
    if isinstance(poster, MatplotlibFigure):
        poster.savefig(buffer, format="png", dpi=100, bbox_inches="tight", metadata={"Software": None})
        plt.close(poster)
        return _with_palette(Image.open(buffer))
    pixels = np.asarray(poster)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"poster must be a matplotlib figure or an array (H, W, 3), not shape {pixels.shape}")
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise ValueError(f"poster must be uint8 or float in [0, 1], not {pixels.dtype}")
    return _with_palette(Image.fromarray(pixels))


def _with_palette(picture: Image.Image) -> bytes:
    """A PNG of at most 256 colours: a third of the bytes, twice in every figure, and nobody sees the difference."""
    buffer = io.BytesIO()
    picture.convert("RGB").quantize(256).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


@cache
def asset(name: str) -> str:
    """The text of a file that lies beside this module."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
