"""Self-shuffling in motion: tiles of a picture travel to their places and back, and its landmarks stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import avg_pool2d

from facelab.data import Shuffled
from facelab.markups import markup as markup_named
from facelab.viz.faces import draw_landmarks, jpeg_address, show_image
from facelab.viz.figure import SHORTEST_ALT, KernelFree, embedded, framed, still_png
from facelab.viz.style import PREDICTION, TRUTH, style

_OWN = "own"
_TITLES = ("picture, true landmarks", "shuffled, the same label", "put back")


@dataclass(frozen=True)
class ShuffleFigure(KernelFree):
    """Tiles that travel; shows itself as HTML that needs no kernel, as a PNG, and as a sentence.

    Made by :func:`shuffle_figure`.

    Attributes:
        data: what the page draws from. png: the still twin. alt: what is to be seen.
    """

    data: dict[str, Any]
    png: bytes
    alt: str

    def html(self) -> str:
        """The drawing, the inputs, the data and the code as one piece of HTML."""
        choices = "".join(
            f'<option value="{index}">{escape(picture["name"])}</option>'
            for index, picture in enumerate(self.data["pictures"])
        )
        body = (
            '<div class="tiles-stage"></div>\n<svg></svg>\n<div class="tiles-told"></div>\n'
            '<form><button type="button" aria-label="play or stop">▶</button>'
            '<input type="range" name="time" aria-label="time" min="0" max="1000" step="1" value="0">'
            f'<label>picture <select name="picture">{choices}</select></label>'
            '<label><input type="checkbox" name="label" checked>landmarks</label></form>'
        )
        return framed(self, "tiles", "tiles", embedded(self.data), body, None)


def shuffle_figure(
    images: Tensor,
    shuffled: Shuffled,
    landmarks: Tensor,
    alt: str,
    names: Sequence[str] = (),
    seconds: float = 9.0,
    markup: str = "68",
    quality: int = 85,
) -> ShuffleFigure:
    """Pictures whose tiles travel to where shuffling puts them, get their thumbnail, and travel back.

    True landmarks stay where they are, as labels do. Each has a line to where its pixels are at the time.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1]. shuffled: of these. landmarks: ``(B, L, 2)`` in their pixels.
        alt: what is to be seen. names: of the pictures; numbers if not given. seconds: that the play takes.
        markup: name of the mark-up. quality: of the JPEGs.
    Raises:
        ValueError: on shapes or names that do not fit each other, places that are no permutation, a time that is not
            positive, or a missing text.
    """
    points, gone = travelled(landmarks, shuffled)
    _check(images, shuffled, landmarks, names, seconds, markup, alt)
    names = names or [f"{index + 1}" for index in range(len(images))]
    tiles = round(shuffled.held.shape[1] ** 0.5)
    pictures = [
        {
            "name": names[index],
            "source": jpeg_address(images[index], quality),
            "thumbnail": _thumbnail(images, shuffled, index, tiles, quality),
            "held": shuffled.held[index].tolist(),
            "covered": int(shuffled.covered[index]),
            "points": landmarks[index].double().cpu().numpy().round(2).tolist(),
        }
        for index in range(len(images))
    ]
    data = {
        "pictures": pictures,
        "tiles": tiles,
        "height": images.shape[2],
        "width": images.shape[3],
        "edges": markup_named(markup).edges(),
        "colours": {"label": TRUTH, "pixels": PREDICTION},
        "seconds": seconds,
    }
    png = still_png(_poster(images[0], shuffled, landmarks[0], points[0], gone[0], markup))
    return ShuffleFigure(data, png, " ".join(alt.split()))


def travelled(points: Tensor, shuffled: Shuffled) -> tuple[Tensor, Tensor]:
    """Where the pixels below points are after a shuffling, and which of them a thumbnail has covered.

    Args:
        points: ``(B, L, 2)`` in pixels of the pictures that were shuffled. Points outside stay where they are.
        shuffled: the pictures afterwards.
    Returns:
        ``(B, L, 2)``, ``(B, L)`` bool.
    Raises:
        ValueError: on shapes that do not fit.
    """
    count, (height, width) = len(shuffled.images), shuffled.images.shape[2:]
    if points.ndim != 3 or points.shape[0] != count or points.shape[2] != 2:
        raise ValueError(f"travelled points: expected ({count}, L, 2), got {tuple(points.shape)}")
    tiles = round(shuffled.held.shape[1] ** 0.5)
    extent = points.new_tensor([width / tiles, height / tiles])
    cell = ((points + 0.5) / extent).floor().long()  # of pixels: the first reaches from -0.5 to 0.5
    inside = ((cell >= 0) & (cell < tiles)).all(2)
    column, row = cell.clamp(0, tiles - 1).unbind(2)
    place = shuffled.held.to(points.device).argsort(1).gather(1, row * tiles + column)
    there = torch.stack([place % tiles, place // tiles], 2)
    moved = torch.where(inside[..., None], points + extent * (there - cell), points)
    return moved, inside & (place == shuffled.covered.to(points.device)[:, None])


def _thumbnail(images: Tensor, shuffled: Shuffled, index: int, tiles: int, quality: int) -> str | None:
    """What comes into the covered place: the picture itself, said in a word, or a tile; None if nothing."""
    place = int(shuffled.covered[index])
    if place < 0:
        return None
    height, width = (side // tiles for side in images.shape[2:])
    top, left = height * (place // tiles), width * (place % tiles)
    tile = shuffled.images[index, :, top : top + height, left : left + width]
    own = torch.allclose(avg_pool2d(images[index], tiles), tile.to(images), atol=1e-5)
    return _OWN if own else jpeg_address(tile, quality)


def _check(
    images: Tensor,
    shuffled: Shuffled,
    landmarks: Tensor,
    names: Sequence[str],
    seconds: float,
    markup: str,
    alt: str,
) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or images.shape != shuffled.images.shape:
        raise ValueError(
            f"shuffle_figure: expected pictures (B, 3, H, W) and the same shuffled, got {tuple(images.shape)} and "
            f"{tuple(shuffled.images.shape)}"
        )
    if not torch.equal(shuffled.held.sort(1).values, torch.arange(shuffled.held.shape[1]).expand_as(shuffled.held)):
        raise ValueError("shuffle_figure: expected each place to hold another tile")
    if landmarks.shape[1] != markup_named(markup).points:
        raise ValueError(
            f"shuffle_figure landmarks: expected {markup_named(markup).points} of mark-up {markup}, "
            f"got {landmarks.shape[1]}"
        )
    if names and len(names) != len(images):
        raise ValueError(f"shuffle_figure names: expected {len(images)}, one a picture, got {len(names)}")
    if not 0 < seconds < float("inf"):
        raise ValueError(f"shuffle_figure seconds: expected a positive number, got {seconds}")
    if len(alt.strip()) < SHORTEST_ALT:
        raise ValueError(f"alt must say what the figure shows, in at least {SHORTEST_ALT} characters, not {alt!r}")


def _poster(image: Tensor, shuffled: Shuffled, points: Tensor, moved: Tensor, gone: Tensor, markup: str) -> Figure:
    """The picture, shuffled, and put back; lines from landmarks to their pixels."""
    with style():
        figure, row = plt.subplots(1, 3, figsize=(7.2, 2.7), dpi=80)
        for ax, picture, title in zip(row, (image, shuffled.images[0], shuffled.unshuffled()[0]), _TITLES, strict=True):
            show_image(ax, picture, title)
            draw_landmarks(ax, points, TRUTH, markup, size=2.0)
        ends = torch.stack([points, moved], 1)[~gone].detach().cpu()
        row[1].plot(*ends.permute(2, 1, 0).numpy(), color=PREDICTION, linewidth=0.7)
        figure.tight_layout(pad=0.3)
    return figure
