"""A clip that plays with what networks find in it: landmarks, their paths, and one coordinate over time."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from facelab.markups import markup as markup_named
from facelab.viz.faces import draw_landmarks, jpeg_address, show_image
from facelab.viz.figure import SHORTEST_ALT, KernelFree, embedded, framed, still_png
from facelab.viz.meshes import landmark_names
from facelab.viz.style import BASELINE, PREDICTION, TRUTH, style

_COLOURS = (BASELINE, PREDICTION, "#CC79A7")  # of the networks; the truth has its own
_STEP = 0.01  # pixels: places are stored as multiples of it, as 16-bit integers
_FARTHEST = 32767 * _STEP


@dataclass(frozen=True)
class ClipFigure(KernelFree):
    """A clip with tracks; shows itself as HTML that needs no kernel, as a PNG, and as a sentence.

    Made by :func:`clip_figure`.

    Attributes:
        data: what the page draws from. png: the still twin. alt: what is to be seen. caption: a line under the figure.
    """

    data: dict[str, Any]
    png: bytes
    alt: str
    caption: str

    def html(self) -> str:
        """The pictures, the plot, the inputs, the data and the code as one piece of HTML."""
        names, last = self.data["names"], len(self.data["frames"]) - 1
        followed = "".join(
            f'<option value="{index}">{escape(names[index])}</option>' for index in self.data["followed"]
        )
        body = (
            '<div class="clip-networks"></div>\n'
            '<form><button type="button" aria-label="play or stop">▶</button>'
            f'<input type="range" name="frame" aria-label="frame" min="0" max="{last}" step="1" value="0">'
            "<output></output>"
            f'<label>landmark <select name="landmark">{followed}</select></label>'
            '<label>show <select name="measure"><option value="off">distance from the truth</option>'
            '<option value="place">place</option></select></label>'
            '<label>of <select name="axis"><option value="0">x</option><option value="1">y</option></select></label>'
            "</form>\n"
            '<svg class="clip-plot" aria-hidden="true"></svg>'
        )
        return framed(self, "clip", "clip_tracks", embedded(self.data), body, self.caption)


def clip_figure(
    frames: Sequence[Tensor] | Tensor,
    tracks: Mapping[str, Tensor],
    truth: Tensor,
    alt: str,
    followed: Sequence[int] = (30, 8, 36, 45, 48, 54),
    rate: float = 12.0,
    trail: int = 12,
    markup: str = "68",
    quality: int = 70,
) -> ClipFigure:
    """Networks side by side on one clip that plays, and below them how one landmark moves with each and in truth.

    On each picture stand the landmarks of the frame, and the paths of the followed ones over the last frames.

    Args:
        frames: T pictures of one size, ``(3, H, W)`` each in [0, 1]. tracks: name of a network to its ``(T, L, 2)``
            landmarks in their pixels; three networks at most. truth: ``(T, L, 2)``. alt: what is to be seen.
        followed: landmarks whose paths are drawn and that the plot offers; it starts with the first.
        rate: frames a second in the page. trail: frames that a path is long. markup: name of the mark-up.
        quality: of the JPEGs, which are nearly all of the size.
    Raises:
        ValueError: on shapes that do not fit each other or the mark-up, on places that are not finite or farther than
            327 pixels from the corner, on landmarks that do not exist, or a missing text.
    """
    _check(frames, tracks, truth, followed, markup, alt)
    data = {
        "frames": [jpeg_address(frame, quality) for frame in frames],
        "width": frames[0].shape[2],
        "height": frames[0].shape[1],
        "tracks": [
            {"name": name, "colour": colour, "points": _packed(points)}
            for (name, points), colour in zip(tracks.items(), _COLOURS, strict=False)
        ],
        "truth": {"name": "truth", "colour": TRUTH, "points": _packed(truth)},
        "step": _STEP,
        "landmarks": truth.shape[1],
        "edges": markup_named(markup).edges(),
        "names": landmark_names(markup),
        "followed": list(followed),
        "rate": rate,
        "trail": trail,
    }
    caption = f"Lines behind landmarks are their paths over the last {trail} frames, the truth in green."
    png = still_png(_poster(frames, tracks, truth, followed[0], markup))
    return ClipFigure(data, png, " ".join(alt.split()), caption)


def _check(
    frames: Sequence[Tensor] | Tensor,
    tracks: Mapping[str, Tensor],
    truth: Tensor,
    followed: Sequence[int],
    markup: str,
    alt: str,
) -> None:
    points = markup_named(markup).points
    expected = (len(frames), points, 2)
    shapes = {name: tuple(each.shape) for name, each in {"truth": truth, **tracks}.items()}
    if not 1 <= len(tracks) <= len(_COLOURS) or len(frames) < 2 or set(shapes.values()) != {expected}:
        raise ValueError(
            f"clip_figure: expected 1 to {len(_COLOURS)} tracks and truth of shape {expected}, for 2 frames or more, "
            f"got {len(tracks)} and {shapes}"
        )
    if len({tuple(frame.shape) for frame in frames}) != 1 or frames[0].ndim != 3:
        raise ValueError("clip_figure frames: expected pictures (3, H, W) of one size")
    for name, each in {"truth": truth, **tracks}.items():
        if not bool((each.abs() < _FARTHEST).all()):  # false for NaN
            raise ValueError(f"clip_figure {name!r}: expected finite places within {_FARTHEST:.0f} pixels")
    if not followed or any(not 0 <= index < points for index in followed):
        raise ValueError(f"clip_figure followed: expected landmarks from 0 to {points - 1}, got {list(followed)}")
    if len(alt.strip()) < SHORTEST_ALT:
        raise ValueError(f"alt must say what the figure shows, in at least {SHORTEST_ALT} characters, not {alt!r}")


def _packed(points: Tensor) -> str:
    """Places ``(T, L, 2)`` as 16-bit integers."""
    steps = (points.detach().cpu().double() / _STEP).round().numpy().astype("<i2")
    return base64.b64encode(np.ascontiguousarray(steps).tobytes()).decode()


def _poster(
    frames: Sequence[Tensor] | Tensor, tracks: Mapping[str, Tensor], truth: Tensor, landmark: int, markup: str
) -> Figure:
    """The frame in the middle with each network's landmarks, and how far off one of them is over time."""
    middle = len(frames) // 2
    with style():
        figure = plt.figure(figsize=(2.6 * max(2, len(tracks)), 4.3), dpi=80, layout="constrained")
        grid = figure.add_gridspec(2, len(tracks), height_ratios=(1.5, 1))
        for column, ((name, points), colour) in enumerate(zip(tracks.items(), _COLOURS, strict=False)):
            ax = figure.add_subplot(grid[0, column])
            show_image(ax, frames[middle], name)
            draw_landmarks(ax, points[middle], colour, markup, size=2.0)
        _plot(figure.add_subplot(grid[1, :]), tracks, truth, landmark)
    return figure


def _plot(ax: Axes, tracks: Mapping[str, Tensor], truth: Tensor, landmark: int) -> None:
    for (name, points), colour in zip(tracks.items(), _COLOURS, strict=False):
        off = points[:, landmark, 0] - truth[:, landmark, 0]
        ax.plot(torch.arange(len(off)).numpy(), off.detach().cpu().numpy(), color=colour, linewidth=1.2, label=name)
    ax.axhline(0, color=TRUTH, linewidth=1.2, label="truth")
    ax.set(xlabel="frame", ylabel=f"landmark {landmark}:\nx off the truth (px)")
    ax.legend(fontsize=8, ncols=len(tracks) + 1, loc="lower center", bbox_to_anchor=(0.5, 1.0))
