"""The length that an error is divided by. The same predictions give another number with each."""

import torch
from torch import Tensor

from facelab.markups import Markup, names
from facelab.markups import markup as markup_of
from facelab.metrics.points import check_finite, check_pair, extents, first

NORMALIZERS = ("bbox", "interocular", "interpupil", "box")


def normalizer_lengths(
    target: Tensor,
    normalizer: str | Tensor = "bbox",
    *,
    markup: str | Markup | None = None,
    boxes: Tensor | None = None,
    visible: Tensor | None = None,
) -> Tensor:
    """The lengths that :func:`facelab.metrics.nme` divides by.

    ======================  ==========================================================================================
    ``"bbox"``              root of width times height of the tight box of the target's x and y (FAN, 3DDFA, CLN);
                            with a mask: of the visible landmarks, which is a smaller box
    ``"interocular"``       distance of the outer eye corners, in as many dimensions as the target has (300-W, WFLW)
    ``"interpupil"``        distance of the means of the landmarks of either eye; where the mark-up has pupils, of these
    ``"box"``               root of width times height of ``boxes``, as those that come with a data set (AFLW-19)
    a tensor                ``(N,)`` lengths, in pixels
    ======================  ==========================================================================================

    Args:
        target: ``(N, L, D)``, D of 2 or 3, in pixels.
        markup: says which landmarks are those of the eyes; if None, the scheme with L landmarks.
        boxes: ``(N, 4)`` x0, y0, x1, y1 in pixels, for ``"box"`` and for nothing else.
        visible: ``(N, L)`` bool. The eye normalisers need all their landmarks visible.
    Returns:
        ``(N,)`` float64.
    Raises:
        ValueError: as ``nme``.
    """
    check_pair(target, target, visible)
    check_finite("target", target, visible)
    return lengths_of(target, normalizer, markup, boxes, visible)


def lengths_of(
    target: Tensor, normalizer: str | Tensor, markup: str | Markup | None, boxes: Tensor | None, visible: Tensor | None
) -> Tensor:
    """:func:`normalizer_lengths` of points that are known to be good."""
    if boxes is not None and not (isinstance(normalizer, str) and normalizer == "box"):
        raise ValueError("boxes: given, but the normalizer does not use them; expected normalizer 'box'")
    if isinstance(normalizer, Tensor):
        lengths = _given(normalizer, target)
    elif normalizer == "bbox":
        lengths = extents(target[..., :2], visible).prod(1).sqrt()
    elif normalizer == "box":
        lengths = _of_boxes(boxes, target)
    elif normalizer in NORMALIZERS:
        lengths = _between_eyes(target, normalizer, _scheme(markup, target.shape[1]), visible)
    else:
        raise ValueError(f"normalizer: expected a tensor or one of {', '.join(NORMALIZERS)}, got {normalizer!r}")
    return positive(lengths)


def positive(lengths: Tensor) -> Tensor:
    """The lengths, unless one is not a positive number, which raises ValueError."""
    good = (lengths > 0) & torch.isfinite(lengths)
    if not bool(good.all()):
        face = first(~good)
        raise ValueError(f"normalizer of face {face}: expected a positive length, got {float(lengths[face])}")
    return lengths


def _scheme(markup: str | Markup | None, landmarks: int) -> Markup:
    """The mark-up of that name, or that with so many landmarks.

    Raises:
        ValueError: if there is none, or it has another number of landmarks.
    """
    if markup is None:
        by_length = {markup_of(name).points: markup_of(name) for name in names()}
        if landmarks not in by_length:
            known = ", ".join(map(str, sorted(by_length)))
            raise ValueError(f"target: expected one of {known} landmarks, whose eyes are known, got {landmarks}")
        return by_length[landmarks]
    found = markup_of(markup) if isinstance(markup, str) else markup
    if found.points != landmarks:
        raise ValueError(f"target: expected {found.points} landmarks, as mark-up {found.name!r} has, got {landmarks}")
    return found


def _given(normalizer: Tensor, target: Tensor) -> Tensor:
    if normalizer.shape != target.shape[:1]:
        raise ValueError(f"normalizer: expected shape ({len(target)},), got {tuple(normalizer.shape)}")
    return normalizer.detach().to(target.device).double()


def _of_boxes(boxes: Tensor | None, target: Tensor) -> Tensor:
    if boxes is None or boxes.shape != (len(target), 4):
        got = "nothing" if boxes is None else str(tuple(boxes.shape))
        raise ValueError(f"boxes: normalizer 'box' expects x0, y0, x1, y1 of shape ({len(target)}, 4), got {got}")
    corners = boxes.detach().to(target.device).double()
    sizes = corners[:, 2:] - corners[:, :2]
    bad = ~((sizes > 0) & torch.isfinite(sizes)).all(1)
    if bool(bad.any()):
        face = first(bad)
        raise ValueError(f"boxes: expected x0 < x1 and y0 < y1, got {boxes[face].tolist()} for face {face}")
    return sizes.prod(1).sqrt()


def _between_eyes(target: Tensor, normalizer: str, markup: Markup, visible: Tensor | None) -> Tensor:
    left, right = markup.eyes
    if normalizer == "interocular":
        left, right = ((corner,) for corner in markup.outer_eye_corners)
    if visible is not None:
        hidden = ~visible[:, [*left, *right]].all(1)
        if bool(hidden.any()):
            raise ValueError(
                f"normalizer {normalizer}: a landmark it needs is not visible in face {first(hidden)}; "
                "leave the face out or give another normalizer"
            )
    ends = [target.detach()[:, list(eye)].double().mean(1) for eye in (left, right)]
    return (ends[0] - ends[1]).norm(dim=1)
