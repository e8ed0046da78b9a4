"""The error of landmarks: distances over a length of the face."""

import torch
from torch import Tensor

from facelab.markups import Markup
from facelab.metrics.mean_distance import mean_distances
from facelab.metrics.normalizers import lengths_of
from facelab.metrics.points import check_finite, check_pair, checked_pair


def nme(
    predicted: Tensor,
    target: Tensor,
    normalizer: str | Tensor = "bbox",
    *,
    markup: str | Markup | None = None,
    boxes: Tensor | None = None,
    visible: Tensor | None = None,
) -> Tensor:
    """Normalised mean error of each face: mean landmark distance divided by a length of the target.

    Args:
        predicted, target: ``(N, L, D)``, D of 2 or 3, in the same pixels.
        normalizer: ``"bbox"``, ``"interocular"``, ``"interpupil"``, ``"box"`` or ``(N,)`` lengths in pixels;
            :func:`facelab.metrics.normalizer_lengths` says what each is.
        markup: name of the mark-up or the mark-up, for the eye normalisers; if None, the one with L landmarks.
        boxes: ``(N, 4)`` x0, y0, x1, y1 for normaliser ``"box"``.
        visible: ``(N, L)`` bool: the mean is over these landmarks alone, and so is the box of ``"bbox"``; coordinates
            of the others do not matter. All landmarks if None.
    Returns:
        ``(N,)`` float64 fractions.
    Raises:
        ValueError: on an empty set, unequal or wrong shapes, values that are not finite, a face without a visible
            landmark, an unknown normaliser, or a length that is not positive.
    Source: FAN, section 5 ("bbox"); Sagonas et al. 2013, 300-W ("interocular").
    """
    check_pair(predicted, target, visible)
    means = mean_distances(predicted, target, visible)
    if not bool(torch.isfinite(means).all()):  # any coordinate that is not finite shows here, and only bad sets pay
        check_finite("predicted", predicted, visible)
        check_finite("target", target, visible)
    return means / lengths_of(target, normalizer, markup, boxes, visible)


def per_landmark(
    predicted: Tensor,
    target: Tensor,
    normalizer: str | Tensor = "bbox",
    *,
    markup: str | Markup | None = None,
    boxes: Tensor | None = None,
    visible: Tensor | None = None,
) -> Tensor:
    """The normalised error of every landmark, which :func:`nme` averages; arguments as there.

    Returns:
        ``(N, L)`` float64 fractions, NaN for landmarks that are not visible.
    """
    points, truth = checked_pair(predicted, target, visible)
    lengths = lengths_of(target, normalizer, markup, boxes, visible)
    errors = (points - truth).norm(dim=2) / lengths[:, None]
    return errors if visible is None else torch.where(visible.to(errors.device), errors, torch.nan)
