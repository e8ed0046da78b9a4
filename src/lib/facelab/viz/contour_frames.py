"""Errors as the contour of a face sees them, along it and across it, and the mean face to draw them on.

All lengths are in percent of the box, the root of width times height of the landmarks of a face.
"""

import torch
from torch import Tensor

from facelab.data.balance import procrustes
from facelab.losses import across_and_along, anisotropic_weights, tangents
from facelab.metrics import normalizer_lengths


def contour_errors(errors: Tensor, target: Tensor, markup: str) -> Tensor:
    """Each error in the frame of its landmark: first what slides along the contour, then what leaves it.

    Landmarks that have no contour to slide along (corners, and landmarks of no curve) keep the frame of the picture:
    x first, then y.

    Args:
        errors: ``(N, L, 2)`` pixels, predicted less true places. target: ``(N, L, 2)``, the true ones; NaN where a
            landmark is missing. markup: name of the mark-up.
    Returns:
        ``(N, L, 2)`` float64, percent of the box of each face; NaN where a landmark is missing, or its whole curve is
        at one place.
    Raises:
        ValueError: on shapes that differ or do not fit the mark-up, or a face without a landmark.
    """
    errors, target = errors.detach().double(), target.detach().double()
    across, along = across_and_along(errors, target, markup)
    turned = torch.where(has_contour(target, markup)[..., None], torch.stack([along, across], -1), errors)
    present = target.isfinite().all(-1)
    side = normalizer_lengths(target, "bbox", visible=present)
    return torch.where(present[..., None], 100 * turned / side[:, None, None], torch.nan)


def contour_axes(face: Tensor, markup: str) -> Tensor:
    """Where the two axes of :func:`contour_errors` point on a face.

    Args:
        face: ``(L, 2)``. markup: name of its mark-up.
    Returns:
        ``(L, 2, 2)``: the columns are the directions along and across; those of the picture where a landmark has no
        contour.
    """
    x, y = tangents(face[None], markup)[0].unbind(-1)
    axes = torch.stack([torch.stack([x, -y], -1), torch.stack([y, x], -1)], -2)
    return torch.where(has_contour(face[None], markup)[0][:, None, None], axes, torch.eye(2, dtype=face.dtype))


def has_contour(target: Tensor, markup: str) -> Tensor:
    """Which landmarks of ``(B, L, 2)`` are there and have a contour to slide along, ``(B, L)`` bool."""
    # The loss itself is asked: with a and b of 2 a landmark of a curve weighs 1/4, any other 1, a missing one 0.
    weight = anisotropic_weights(target, markup, 2.0, 2.0)[..., 0, 0]
    return (weight > 0) & (weight < 0.5)


def mean_face(target: Tensor) -> Tensor:
    """The mean of faces without their position, size and roll; its box has a side of 100, so that 1 is a percent.

    Args:
        target: ``(N, L, 2)`` pixels; faces with a missing landmark are left out.
    Returns:
        ``(L, 2)`` float64 around zero.
    Raises:
        ValueError: if no face is complete.
    """
    whole = target[target.isfinite().all(-1).all(-1)]
    if not len(whole):
        raise ValueError(f"target: expected a face without missing landmarks, found none among {len(target)}")
    mean = procrustes(whole)[1]
    return 100 * mean / normalizer_lengths(mean[None], "bbox")
