"""The ellipses of the anisotropic loss on faces: drawn by matplotlib, and alive in a page without a kernel."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from torch import Tensor

from facelab.losses import anisotropic_weights, tangents
from facelab.markups import markup as markup_named
from facelab.viz.contour_frames import has_contour
from facelab.viz.faces import jpeg_address, show_image
from facelab.viz.figure import SHORTEST_ALT, KernelFree, embedded, framed, still_png
from facelab.viz.meshes import landmark_names
from facelab.viz.style import ON_SKIN, PREDICTION, style

_HIGHEST = 12.0  # of a and b
_JPEG_QUALITY = 88
_STILLS = 4  # faces at most in the still twin
# Corners are small, and would be lost on skin without a rim. Widths are in pixels of the page.
_CURVE: dict[str, Any] = {"edge": ON_SKIN, "fill": ON_SKIN, "opacity": 0.3, "width": 1.6}
_CORNER: dict[str, Any] = {"edge": "#ffffff", "fill": PREDICTION, "opacity": 1.0, "width": 1.0}


def draw_ellipses(
    axes: Axes,
    landmarks: Tensor,
    covariances: Tensor,
    colours: str | Sequence[str] = ON_SKIN,
    deviations: float = 1.0,
    filled: float = 0.25,
    **looks: Any,
) -> list[Ellipse]:
    """Draws an ellipse around each landmark.

    Args:
        axes: with y downwards, as of a picture. landmarks: ``(L, 2)``.
        covariances: ``(L, 2, 2)`` symmetric, in the squared unit of the landmarks and the axes of the picture.
        colours: one, or one a landmark. deviations: how many standard deviations the half axes are long.
        filled: opacity of the inside. looks: further properties of ``matplotlib.patches.Ellipse``.
    Returns:
        The ellipses drawn, in the order of the landmarks; one with a NaN in place or covariance is skipped.
    Raises:
        ValueError: on other shapes, a number of colours that differs, or a covariance with a negative eigenvalue.
    """
    count = len(landmarks)
    if landmarks.shape != (count, 2) or covariances.shape != (count, 2, 2):
        raise ValueError(
            "draw_ellipses: expected landmarks (L, 2) and covariances (L, 2, 2), "
            f"got {tuple(landmarks.shape)} and {tuple(covariances.shape)}"
        )
    each = [colours] * count if isinstance(colours, str) else list(colours)
    if len(each) != count:
        raise ValueError(f"draw_ellipses colours: expected 1 or {count}, one a landmark, got {len(each)}")
    drawn = []
    for place, covariance, colour in zip(landmarks.double(), covariances.double(), each, strict=True):
        if not bool(place.isfinite().all() and covariance.isfinite().all()):
            continue
        sizes, directions = torch.linalg.eigh(covariance)
        if float(sizes[0]) < -1e-9 * float(sizes[1].abs()):
            raise ValueError(f"draw_ellipses: expected positive semidefinite covariances, got {covariance.tolist()}")
        across, along = (2 * deviations * sizes.clamp_min(0).sqrt()).tolist()
        angle = float(torch.atan2(directions[1, 1], directions[0, 1]).rad2deg())
        options = {"facecolor": (colour, filled), "edgecolor": colour, "linewidth": 0.9} | looks
        drawn.append(Ellipse(place.tolist(), along, across, angle=angle, **options))
        axes.add_patch(drawn[-1])
    return drawn


def assumed_covariances(face: Tensor, markup: str, a: float = 5.0, b: float = 3.0) -> Tensor:
    """The covariances whose inverses are the weights of the anisotropic loss.

    Args:
        face: ``(L, 2)``, NaN where a landmark is missing. markup: name of the mark-up. a, b: as of
            :func:`facelab.losses.anisotropic_weights`.
    Returns:
        ``(L, 2, 2)`` in units of the variance of a corner; NaN for missing landmarks.
    Raises:
        ValueError: as :func:`facelab.losses.anisotropic_weights`.
    Source: Rayhan et al. 2020, eq. 3.
    """
    weights = anisotropic_weights(face[None], markup, a, b)[0]
    present = face.isfinite().all(-1)[:, None, None]
    return torch.where(present, torch.linalg.inv(torch.where(present, weights, torch.eye(2).to(weights))), torch.nan)


@dataclass(frozen=True)
class EllipseFigure(KernelFree):
    """Faces under their ellipses; shows itself as HTML that needs no kernel, as a PNG, and as a sentence.

    Made by :func:`ellipse_figure`.

    Attributes:
        data: what the page draws from. rows: the inputs, each ``(key, label, low, high, step, value)``.
        png: the still twin. alt: what is to be seen. caption: a line under the figure.
    """

    data: dict[str, Any]
    rows: tuple[tuple[str, str, float, float, float, float], ...]
    png: bytes
    alt: str
    caption: str

    def html(self) -> str:
        """The drawing, the inputs, the data and the code as one piece of HTML."""
        inputs = "".join(_input(*row) for row in self.rows)
        body = (
            '<svg class="ellipses-drawing" aria-hidden="true"></svg>\n'
            f'<form class="ellipses-inputs">{inputs}<button type="reset">Reset</button></form>\n'
            '<output class="ellipses-weights" aria-live="polite"></output>'
        )
        return framed(self, "ellipses", "ellipses", embedded(self.data), body, self.caption)


def ellipse_figure(
    images: Sequence[Tensor] | Tensor,
    landmarks: Tensor,
    markup: str,
    alt: str,
    a: float = 5.0,
    b: float = 3.0,
    start: int = 0,
    side: float = 256.0,
) -> EllipseFigure:
    """Faces with the ellipses that the anisotropic loss assumes, and inputs for a, b and the face.

    a and b are the half axes in pixels of a picture that is ``side`` wide, as the corners' circles of radius 1 are; on
    a wider or a narrower picture all are drawn in proportion. The page turns every ellipse itself, from the tangents.

    Args:
        images: K pictures, ``(3, H, W)`` each in [0, 1]. landmarks: ``(K, L, 2)`` in their pixels, NaN where one is
            missing. markup: name of the mark-up. alt: what is to be seen, in at least 20 characters.
        a, b: at first, from 1 to 12. start: the face shown first. side: in whose pixels a and b are; half of it
            draws all ellipses twice as large.
    Raises:
        ValueError: on shapes that do not fit each other or the mark-up, numbers out of range, or a missing text.
    Source: Rayhan et al. 2020, figure 1.
    """
    points = markup_named(markup).points
    shapes = {tuple(image.shape) for image in images}
    if landmarks.shape != (len(images), points, 2) or not shapes or any(len(s) != 3 or s[0] != 3 for s in shapes):
        raise ValueError(
            f"ellipse_figure: expected K pictures (3, H, W) and landmarks (K, {points}, 2) for mark-up {markup!r}, "
            f"got {len(images)} pictures of {sorted(shapes)} and landmarks {tuple(landmarks.shape)}"
        )
    if not 1 <= a <= _HIGHEST or not 1 <= b <= _HIGHEST or not 0 <= start < len(images) or not side > 0:
        raise ValueError(
            f"ellipse_figure: expected a and b from 1 to {_HIGHEST:g}, start from 0 to {len(images) - 1} and a "
            f"positive side, got {a}, {b}, {start} and {side}"
        )
    if len(alt.strip()) < SHORTEST_ALT:
        raise ValueError(f"alt must say what the figure shows, in at least {SHORTEST_ALT} characters, not {alt!r}")
    rows = [
        ("a", "a, along the contour", 1, _HIGHEST, 0.1, a),
        ("b", "b, across it", 1, _HIGHEST, 0.1, b),
        *[("face", "face", 1, len(images), 1, start + 1)] * (len(images) > 1),
    ]
    data = {
        "faces": [_face(image, face, markup) for image, face in zip(images, landmarks, strict=True)],
        "names": landmark_names(markup),
        "lines": markup_named(markup).edges(),
        "side": side,
        "looks": {"curve": _CURVE, "corner": _CORNER},
    }
    caption = (
        f"Half axes in pixels of a picture that is {side:g} pixels wide, where a corner has a circle of radius 1. "
        "Only the proportions matter to the loss."
    )
    png = still_png(_poster(images, landmarks, markup, (a, b), start, side))
    return EllipseFigure(data, tuple(rows), png, " ".join(alt.split()), caption)


def _face(image: Tensor, landmarks: Tensor, markup: str) -> dict[str, Any]:
    """What the page knows of a face. A landmark is [x, y, x and y of its tangent] on a contour, [x, y] elsewhere.

    A tangent of (0, 0) stands for a contour of unknown direction, null for a landmark that is missing.
    """
    face = landmarks[None].double()
    on_curve, directions = has_contour(face, markup)[0], tangents(face, markup)[0].nan_to_num(0)
    points: list[list[float] | None] = []
    for place, direction, curved in zip(face[0], directions, on_curve.tolist(), strict=True):
        row = [round(value, 2) for value in place.tolist()] if bool(place.isfinite().all()) else None
        points.append(row + [round(value, 4) for value in direction.tolist()] if row and curved else row)
    source = jpeg_address(image, _JPEG_QUALITY)
    return {"source": source, "width": image.shape[2], "height": image.shape[1], "points": points}


def _input(key: str, label: str, low: float, high: float, step: float, value: float) -> str:
    return (
        f'<label><span>{escape(label)}</span><input type="range" name="{key}" aria-label="{escape(label)}" '
        f'min="{low:g}" max="{high:g}" step="{step:g}" value="{value:g}"><output>{value:g}</output></label>'
    )


def _poster(
    images: Sequence[Tensor] | Tensor,
    landmarks: Tensor,
    markup: str,
    axes: tuple[float, float],
    start: int,
    side: float,
) -> Figure:
    """The face shown first and those after it, with a legend."""
    chosen = [(start + index) % len(images) for index in range(min(_STILLS, len(images)))]
    with style():
        figure, row = plt.subplots(
            1, len(chosen), figsize=(2.9 * len(chosen), 3.2), squeeze=False, layout="constrained"
        )
        for ax, index in zip(row[0], chosen, strict=True):
            show_image(ax, images[index])
            _draw_face(ax, landmarks[index].double(), markup, axes, images[index].shape[2] / side)
        labels = (f"contour, a = {axes[0]:g} along, b = {axes[1]:g} across", "corner, radius 1")
        handles = [Line2D([], [], linestyle="none", marker="o", color=look["fill"]) for look in (_CURVE, _CORNER)]
        figure.legend(handles, labels, loc="outside lower center", ncols=min(2, len(chosen)), fontsize=9)
    return figure


def _draw_face(ax: Axes, face: Tensor, markup: str, axes: tuple[float, float], unit: float) -> None:
    covariances, on_curve = (
        unit**2 * assumed_covariances(face, markup, *axes),
        has_contour(face[None], markup)[0, :, None],
    )
    for look, chosen in ((_CURVE, on_curve), (_CORNER, ~on_curve)):
        drawn = torch.where(chosen, face, torch.nan)
        edge = {"edgecolor": look["edge"], "linewidth": look["width"] / 2}
        draw_ellipses(ax, drawn, covariances, look["fill"], filled=look["opacity"], **edge)
