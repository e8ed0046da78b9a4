"""Which way the contours of a face run at its landmarks, and errors across and along them."""

from functools import cache

import torch
from torch import Tensor

from facelab.markups import Markup
from facelab.markups import markup as markup_named


def tangents(target: Tensor, markup: str | Markup) -> Tensor:
    """Directions of the curves of a mark-up at the landmarks of a face, of unit length.

    Inside a curve it is the direction from the landmark before to the one after; at the ends of an open curve the one
    to or from the only neighbour; a closed curve wraps around. Landmarks at one place count as one, and missing ones
    not at all: the neighbour is then the next along the curve. Where the curve turns back on itself, so that both
    neighbours are at one place, it is the direction to that place.

    Args:
        target: ``(B, L, 2)`` in pixels; NaN where a landmark is missing. markup: name of the mark-up, or the mark-up.
    Returns:
        ``(B, L, 2)`` without gradient, pointing along the order of the curve; NaN for corners, landmarks of no curve,
        missing ones, and those whose curve is all at one place.
    Raises:
        ValueError: on an unknown mark-up or a shape that does not fit it.
    Source: Rayhan et al. 2020, eqs. 4 and 5.
    """
    scheme = scheme_of(target, markup)
    places = torch.where(target.isfinite(), target, torch.nan).detach()
    # Coordinates that differ by rounding alone are one place.
    rounding = 16 * torch.finfo(places.dtype).eps * places.abs().nan_to_num(0).amax((1, 2))[:, None, None]
    ahead, behind = _next_places(places, neighbours(scheme, target.device), rounding)
    along = ahead - behind
    folded = along.abs().amax(-1, keepdim=True) <= rounding
    along = torch.where(folded, ahead - places, along)
    # 0 / 0 is NaN, as promised where there is no direction; hypot does not underflow, as squares would.
    return along / torch.hypot(along[..., :1], along[..., 1:])


def across_and_along(error: Tensor, target: Tensor, markup: str | Markup) -> tuple[Tensor, Tensor]:
    """Errors of landmarks split at the contour of the true face: what leaves it and what slides along it.

    Args:
        error: ``(B, L, 2)``, predicted minus true places. target, markup: as of :func:`tangents`.
    Returns:
        Two ``(B, L)`` with signs, so that across² + along² is the squared distance: across to the right of someone
        who goes along the curve, as seen on the picture, and along in the order of the curve. NaN where
        :func:`tangents` gives none.
    Raises:
        ValueError: as :func:`tangents`; if the shapes differ.
    """
    if error.shape != target.shape:
        raise ValueError(f"error: expected shape {tuple(target.shape)}, got {tuple(error.shape)}")
    x, y = tangents(target, markup).unbind(-1)
    return error[..., 1] * x - error[..., 0] * y, error[..., 0] * x + error[..., 1] * y


def _next_places(places: Tensor, steps: Tensor, rounding: Tensor) -> tuple[Tensor, Tensor]:
    """For each of ``(B, L, 2)`` places the next other one, ahead and behind on the curve; the same place if none."""
    near = places.index_select(1, steps.flatten()).unflatten(1, steps.shape)  # (B, 2, L, N, 2)
    here = places[:, None, :, None]
    # The greater of two numbers is NaN if one is, and a comparison with NaN is false: missing landmarks do not count.
    other = torch.maximum(*(near - here).abs().unbind(-1)) > rounding[..., None]
    first = other.to(torch.uint8).argmax(-1)[..., None, None].expand(-1, -1, -1, 1, 2)
    found = torch.where(other.any(-1, keepdim=True), near.gather(3, first).squeeze(3), here.squeeze(3))
    return found[:, 0], found[:, 1]


def scheme_of(target: Tensor, markup: str | Markup) -> Markup:
    """The mark-up of that name, if ``(B, L, 2)`` landmarks fit it.

    Raises:
        ValueError: on an unknown mark-up, another shape, or integers.
    """
    scheme = markup_named(markup) if isinstance(markup, str) else markup
    if target.ndim != 3 or target.shape[1:] != (scheme.points, 2) or not target.is_floating_point():
        wanted = f"(B, {scheme.points}, 2) of floating point for mark-up {scheme.name!r}"
        raise ValueError(f"target: expected {wanted}, got {tuple(target.shape)} {target.dtype}")
    return scheme


def neighbours(scheme: Markup, device: torch.device) -> Tensor:
    """For each landmark those after it and those before it on its curve, nearest first: ``(2, L, N)`` indices.

    Rows are filled up with the landmark itself, which is all that stands in those of corners and of landmarks of no
    curve. A landmark of several curves takes the first.
    """
    return _neighbours(scheme.points, scheme.curves, scheme.corners, device)


@cache
def _neighbours(
    points: int, curves: tuple[tuple[int, ...], ...], corners: tuple[int, ...], device: torch.device
) -> Tensor:
    steps = torch.arange(points)[None, :, None].repeat(2, 1, max(map(len, curves), default=1))
    placed = set(corners)
    for curve in curves:
        closed = curve[0] == curve[-1]
        ring = curve[:-1] if closed else curve
        for place, index in enumerate(ring):
            if index in placed:
                continue
            placed.add(index)
            after, before = ring[place + 1 :], ring[:place][::-1]
            if closed:
                after, before = after + ring[:place], before + ring[place + 1 :][::-1]
            for side, row in enumerate((after, before)):
                steps[side, index, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return steps.to(device)
