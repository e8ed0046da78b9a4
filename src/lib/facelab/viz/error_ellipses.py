"""The ellipse that the anisotropic loss assumes at a landmark, and the one that a network really makes."""

import math
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from facelab.markups import markup as markup_named
from facelab.viz.contour_frames import contour_axes, contour_errors, has_contour, mean_face
from facelab.viz.ellipses import assumed_covariances, draw_ellipses
from facelab.viz.style import BASELINE, NEUTRAL, PREDICTION, style

SHARE = 0.95  # of the points of a normal distribution that lie inside the ellipses
RADIUS = math.sqrt(-2 * math.log(1 - SHARE))  # in standard deviations: chi-square with two degrees of freedom
_FEWEST = 3  # errors of a landmark that span an ellipse


@dataclass(frozen=True)
class ErrorEllipses:
    """What :func:`measure_ellipses` finds. Lengths are in percent of the box, matrices in its square.

    Attributes:
        mean: ``(L, 2)``, the mean error of each landmark along and across the contour.
        made: ``(L, 2, 2)``, the covariance of its errors around this mean, in the same frame.
        assumed: ``(L, 2, 2)``, what the loss assumes there, around zero, times ``factor``.
        factor: the one number that brings the assumed covariances of all landmarks nearest to those made (least
            squares over all entries); sizes are then alike, and shapes can be compared.
        inside_made, inside_assumed: ``(L,)``, the shares of true points inside each 95 % ellipse, from 0 to 1.
        count: ``(L,)`` errors of each landmark. Without three, everything about a landmark is NaN.
        face: ``(L, 2)``, the mean of the true faces, on which the ellipses are drawn; ``dataclasses.replace``
            puts them on another. markup: its name.
    """

    mean: Tensor
    made: Tensor
    assumed: Tensor
    factor: float
    inside_made: Tensor
    inside_assumed: Tensor
    count: Tensor
    face: Tensor
    markup: str

    def overall(self) -> tuple[float, float]:
        """The shares of all true points inside the ellipses made, and inside those assumed."""
        known = self.inside_made.isfinite()
        count = self.count[known]
        made, assumed = (
            (share[known] * count).sum() / count.sum() for share in (self.inside_made, self.inside_assumed)
        )
        return float(made), float(assumed)


def measure_ellipses(errors: Tensor, target: Tensor, markup: str, a: float = 5.0, b: float = 3.0) -> ErrorEllipses:
    """Covariances of a network's errors, landmark by landmark, beside those that the anisotropic loss assumes.

    The errors are taken in the frame of each true face's contour (:func:`facelab.viz.contour_frames.contour_errors`).
    The shares inside the ellipses made are of the errors that these were measured from: they differ from 95 % as far
    as the errors are not normal.

    Args:
        errors: ``(N, L, 2)`` pixels, predicted less true places. target: ``(N, L, 2)``, the true ones; NaN where a
            landmark is missing. markup: name of the mark-up. a, b: as of :func:`facelab.losses.anisotropic`.
    Raises:
        ValueError: on shapes that differ or do not fit the mark-up, no complete face, or fewer than three errors of
            every landmark.
    Source: the covariances of Rayhan et al. 2020, eq. 3; the comparison is ours.
    """
    turned = contour_errors(errors, target, markup)
    face = mean_face(target.double())
    present = turned.isfinite().all(-1)
    count = present.sum(0)
    if int(count.max()) < _FEWEST:
        raise ValueError(f"errors: expected {_FEWEST} or more of a landmark, got at most {int(count.max())}")
    mean = turned.nanmean(0)
    centred = torch.where(present[..., None], turned - mean, 0)
    made = torch.einsum("nli,nlj->lij", centred, centred) / (count - 1).clamp_min(1)[:, None, None]
    known = (count >= _FEWEST)[:, None, None]
    made, mean = torch.where(known, made, torch.nan), torch.where(known[..., 0], mean, torch.nan)
    assumed = _assumed(face, markup, a, b)
    factor = float((made * assumed).nansum() / (assumed * known).square().sum())
    return ErrorEllipses(
        mean=mean,
        made=made,
        assumed=torch.where(known, factor * assumed, torch.nan),
        factor=factor,
        inside_made=_inside(turned - mean, made),
        inside_assumed=_inside(turned, torch.where(known, factor * assumed, torch.nan)),
        count=count,
        face=face,
        markup=markup,
    )


def error_ellipses(measured: ErrorEllipses, zoom: float = 1.0, title: str = "") -> Figure:
    """The ellipses of 95 % on the mean face, assumed and made, and the share of true points inside each.

    Args:
        measured: by :func:`measure_ellipses`. zoom: how many times as large as the face the ellipses are drawn.
        title: above the face.
    Raises:
        ValueError: on a zoom that is not positive.
    """
    if not zoom > 0:
        raise ValueError(f"zoom: expected a positive number, got {zoom}")
    with style():
        figure, (above, below) = plt.subplots(2, 1, figsize=(6.4, 8.6), height_ratios=(3.2, 1), layout="constrained")
        _draw_face(above, measured, zoom)
        above.set_title(title or f"ellipses of {100 * SHARE:g} %" + f", drawn {zoom:g} times as large" * (zoom != 1))
        _draw_shares(below, measured)
    return figure


def _assumed(face: Tensor, markup: str, a: float, b: float) -> Tensor:
    """The assumed covariances in the frames of the landmarks, where they are diagonal."""
    axes = contour_axes(face, markup)
    return axes.mT @ assumed_covariances(face, markup, a, b) @ axes


def _inside(errors: Tensor, covariance: Tensor) -> Tensor:
    """Shares ``(L,)`` of errors ``(N, L, 2)`` inside the ellipses; NaN where there is no ellipse."""
    known = covariance.isfinite().all(-1).all(-1)
    matrix = torch.where(known[:, None, None], covariance, torch.eye(2).to(covariance))
    # The pseudo-inverse serves errors that all lie on one line, as those of a perfect coordinate do.
    distance = torch.einsum("nli,lij,nlj->nl", errors, torch.linalg.pinv(matrix, hermitian=True), errors)
    share = torch.where(distance.isnan(), torch.nan, (distance <= RADIUS**2).double()).nanmean(0)
    return torch.where(known, share, torch.nan)


def _draw_face(ax: Axes, measured: ErrorEllipses, zoom: float) -> None:
    face = measured.face
    axes = contour_axes(face, measured.markup)
    edges = torch.tensor(markup_named(measured.markup).edges()).T
    ax.plot(*(face[edges, axis].numpy() for axis in range(2)), color=NEUTRAL, linewidth=0.5, alpha=0.5)
    places = face + zoom * (axes @ measured.mean[..., None])[..., 0]
    kinds = ((measured.assumed, face, BASELINE, 0.10, "dashed"), (measured.made, places, PREDICTION, 0.22, "solid"))
    for covariance, centres, colour, filled, line in kinds:
        turned = zoom**2 * axes @ covariance @ axes.mT
        draw_ellipses(ax, centres, turned, colour, RADIUS, filled, linestyle=line, linewidth=1.1)
    ax.set_aspect("equal")
    ax.autoscale_view()
    ax.invert_yaxis()
    ax.set(xlabel="percent of the box", ylabel="percent of the box")


def _draw_shares(ax: Axes, measured: ErrorEllipses) -> None:
    made, assumed = measured.overall()
    order = range(len(measured.face))
    on_curve = has_contour(measured.face[None], measured.markup)[0]
    for share, colour, marker, name, whole in (
        (measured.inside_assumed, BASELINE, "s", "assumed by the loss", assumed),
        (measured.inside_made, PREDICTION, "o", "made by the network", made),
    ):
        ax.plot(order, 100 * share, linestyle="none", marker=marker, markersize=3.2, color=colour)
        ax.plot([], [], linestyle="none", marker=marker, color=colour, label=f"{name}: {100 * whole:.1f} % inside")
    ax.axhline(100 * SHARE, color=NEUTRAL, linewidth=0.8, linestyle="dotted")
    for corner in (~on_curve).nonzero().flatten().tolist():
        ax.axvspan(corner - 0.5, corner + 0.5, color=NEUTRAL, alpha=0.12, linewidth=0)
    ax.set(xlabel="landmark (corners shaded)", ylabel="inside (%)", xlim=(-1, len(order)))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
