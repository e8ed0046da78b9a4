"""Errors of 3D landmarks: those of the 3DFAW challenge and those over a 3D box."""

from typing import Literal

from torch import Tensor

from facelab.geometry import similarity
from facelab.markups import Markup
from facelab.metrics.normalizers import lengths_of, positive
from facelab.metrics.points import checked_pair, extents, first


def gte(
    predicted: Tensor,
    target: Tensor,
    axes: str = "xyz",
    *,
    eyes: Literal["3d", "2d"] = "3d",
    markup: str | Markup | None = None,
) -> Tensor:
    """Ground truth error of each face: mean landmark distance divided by the distance of the outer eye corners.

    The length is that of the target in 3D, the same for every choice of ``axes``, so that the errors of the axes can
    be compared. The paper leaves the length in 3D open; ``eyes="2d"`` takes the distance in x and y instead, which
    shrinks as the head turns.

    Args:
        predicted, target: ``(N, L, 3)``.
        axes: the coordinates that count: ``"xyz"``, ``"xy"``, ``"z"`` ...
        markup: name of the mark-up or the mark-up; if None, the one with L landmarks.
    Returns:
        ``(N,)`` float64 fractions; the mean is the GTE of the set.
    Raises:
        ValueError: on an empty set, unequal or wrong shapes, values that are not finite, unknown axes or mark-up, or
            eye corners that coincide.
    Source: Bulat and Tzimiropoulos 2016 (3DFAW), section 3, equation 2.
    """
    if not axes or len(set(axes)) != len(axes) or not set(axes) <= set("xyz"):
        raise ValueError(f"axes: expected some of x, y, z, each once, got {axes!r}")
    if eyes not in ("3d", "2d"):
        raise ValueError(f"eyes: expected '3d' or '2d', got {eyes!r}")
    predicted, target = checked_pair(predicted, target, dimensions=(3,))
    lengths = lengths_of(target if eyes == "3d" else target[..., :2], "interocular", markup, None, None)
    chosen = ["xyz".index(axis) for axis in axes]
    return (predicted - target)[..., chosen].norm(dim=2).mean(1) / lengths


def cvgtce(
    predicted: Tensor, target: Tensor, *, eyes: Literal["3d", "2d"] = "3d", markup: str | Markup | None = None
) -> Tensor:
    """Cross-view ground truth consistency error: :func:`gte` after the best similarity of prediction to target.

    Scale, rotation and translation of each prediction are fitted by least squares, so that only the shape counts. The
    challenge asks for predictions of one person from several sides to agree; the paper does not say from which side
    the target is. Give the truth of another view to ask that, or of the same view for a plain Procrustes error.

    Args:
        predicted, target: ``(N, L, 3)``.
    Returns:
        ``(N,)`` float64 fractions.
    Raises:
        ValueError: as :func:`gte`, and if all points of a prediction coincide.
    Source: Bulat and Tzimiropoulos 2016, section 3, equations 3 and 4; the translation that equation 3 leaves out is
        included, as equation 4 has it.
    """
    predicted, target = checked_pair(predicted, target, dimensions=(3,))
    return gte(_onto(predicted, target), target, eyes=eyes, markup=markup)


def nme_3d(
    predicted: Tensor,
    target: Tensor,
    alignment: Literal["similarity", "root", "axes", "none"] = "similarity",
    *,
    root: int | None = None,
    normalizer: str | Tensor = "volume",
    markup: str | Markup | None = None,
) -> Tensor:
    """3D error of each face: mean landmark distance after an alignment, divided by a length of the target.

    ================  ===============================================================================================
    ``"similarity"``  the best scale, rotation and translation: shape alone is scored
    ``"root"``        a translation that brings the root together, for methods that find depth up to a shift
    ``"axes"``        x, y and z each stretched and moved so that smallest and largest value are the target's. Wrong
                      extents are so forgiven, a wrong rotation is not. Most probably what CLN's table of 3D errors
                      holds: recovered from the evaluation script that its laboratory released for another network
    ``"none"``        as they are
    ================  ===============================================================================================

    Args:
        predicted, target: ``(N, L, 3)``.
        root: landmark of ``"root"``, as 30 for the tip of the nose of the 68; if None, the mean of all landmarks.
        normalizer: ``"volume"``, the cube root of width times height times depth of the target's tight box, is that
            of CLN and the same for every alignment; or one of :func:`facelab.metrics.nme` except ``"box"``.
    Returns:
        ``(N,)`` float64 fractions.
    Raises:
        ValueError: on an empty set, unequal or wrong shapes, values that are not finite, an unknown alignment, a root
            that is not there, a length that is not positive, or a prediction without extent.
    """
    predicted, target = checked_pair(predicted, target, dimensions=(3,))
    if root is not None and (alignment != "root" or not 0 <= root < target.shape[1]):
        raise ValueError(f"root: expected a landmark from 0 to {target.shape[1] - 1} with alignment 'root', got {root}")
    if alignment == "similarity":
        predicted = _onto(predicted, target)
    elif alignment == "root":
        offset = target - predicted
        predicted = predicted + (offset.mean(1, keepdim=True) if root is None else offset[:, root, None])
    elif alignment == "axes":
        predicted = _stretched(predicted, target)
    elif alignment != "none":
        raise ValueError(f"alignment: expected 'similarity', 'root', 'axes' or 'none', got {alignment!r}")
    if isinstance(normalizer, str) and normalizer == "volume":
        lengths = positive(extents(target).prod(1).pow(1 / 3))
    else:
        lengths = lengths_of(target, normalizer, markup, None, None)
    return (predicted - target).norm(dim=2).mean(1) / lengths


def _onto(points: Tensor, target: Tensor) -> Tensor:
    return similarity(points, target).apply(points)


def _stretched(points: Tensor, target: Tensor) -> Tensor:
    """Points whose extents along each axis are those of the target."""
    extent = extents(points)
    flat = (extent <= 0).any(1)
    if bool(flat.any()):
        raise ValueError(f"predicted: face {first(flat)} has no extent along an axis, so it cannot be stretched")
    low, goal = points.amin(1, keepdim=True), target.amin(1, keepdim=True)
    return (points - low) * (extents(target) / extent)[:, None] + goal
