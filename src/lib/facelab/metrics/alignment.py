"""Landmark errors and what is drawn from them. Errors are fractions, not percent; all sums are in float64."""

import torch
from torch import Tensor

from facelab.markups import markup, names


def _bbox_size(target: Tensor) -> Tensor:
    """``(N,)`` the square root of the area of the tight box of each target's x and y."""
    extent = target[..., :2].amax(1) - target[..., :2].amin(1)
    return extent.prod(1).sqrt()


def _interocular(target: Tensor) -> Tensor:
    """``(N,)`` the distance of the outer eye corners, in as many dimensions as the target has."""
    by_length = {markup(name).points: markup(name) for name in names()}
    if target.shape[1] not in by_length:
        lengths = ", ".join(map(str, sorted(by_length)))
        raise ValueError(f"interocular: expected one of {lengths} landmarks, got {target.shape[1]}")
    left, right = by_length[target.shape[1]].outer_eye_corners
    return (target[:, left] - target[:, right]).norm(dim=1)


_NORMALIZERS = {"bbox": _bbox_size, "interocular": _interocular}


def nme(predicted: Tensor, target: Tensor, normalizer: str | Tensor = "bbox") -> Tensor:
    """Normalised mean error of each face: mean landmark distance divided by a length of the target.

    Args:
        predicted, target: ``(N, L, D)``, D of 2 or 3, in the same pixels.
        normalizer: ``"bbox"`` (root of width times height of the target's tight box), ``"interocular"`` (outer eye
            corners), or ``(N,)`` lengths in pixels.
    Returns:
        ``(N,)`` float64 fractions.
    Raises:
        ValueError: on an empty set, unequal or wrong shapes, values that are not finite, an unknown normaliser, or a
            length that is not positive.
    Source: FAN, section 5 ("bbox"); Sagonas et al. 2013, 300-W ("interocular").
    """
    if predicted.shape != target.shape or target.ndim != 3 or target.shape[2] not in (2, 3):
        raise ValueError(
            "nme: expected two sets of shape (N, L, 2) or (N, L, 3), "
            f"got {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    if target.numel() == 0:
        raise ValueError("nme: expected at least one face and one landmark")
    predicted, target = predicted.double(), target.double()
    for name, points in (("predicted", predicted), ("target", target)):
        if not bool(torch.isfinite(points).all()):
            raise ValueError(f"nme {name}: expected finite coordinates, found NaN or infinity")
    lengths = _lengths(target, normalizer)
    return (predicted - target).norm(dim=2).mean(1) / lengths


def _lengths(target: Tensor, normalizer: str | Tensor) -> Tensor:
    if isinstance(normalizer, Tensor):
        lengths = normalizer.to(target)
        if lengths.shape != target.shape[:1]:
            raise ValueError(f"normalizer: expected shape ({len(target)},), got {tuple(lengths.shape)}")
    elif normalizer in _NORMALIZERS:
        lengths = _NORMALIZERS[normalizer](target)
    else:
        raise ValueError(f"normalizer: expected a tensor or one of {', '.join(_NORMALIZERS)}, got {normalizer!r}")
    if not bool((lengths > 0).all()):
        face = int((~(lengths > 0)).nonzero()[0])
        raise ValueError(f"normalizer of face {face}: expected a positive length, got {float(lengths[face])}")
    return lengths


def _checked(errors: Tensor, threshold: float | None = None) -> Tensor:
    if errors.ndim != 1 or len(errors) == 0 or not bool(torch.isfinite(errors).all()):
        raise ValueError(f"errors: expected a non-empty (N,) tensor of finite numbers, got shape {tuple(errors.shape)}")
    if threshold is not None and not threshold > 0:
        raise ValueError(f"threshold: expected a positive fraction, got {threshold}")
    return errors.double()


def failure_rate(errors: Tensor, threshold: float) -> float:
    """Share of faces with an error above the threshold (both fractions)."""
    return float((_checked(errors, threshold) > threshold).double().mean())


def ced(errors: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Cumulative error distribution: the share of faces with an error of at most x.

    Returns:
        The corners of the step curve on [0, threshold]: ``(K,)`` errors, rising, and ``(K,)`` shares.
    """
    values = _checked(errors, threshold).sort().values
    values = values[values <= threshold]
    shares = torch.arange(1, len(values) + 1, dtype=torch.float64) / len(errors)
    last = shares[-1:] if len(shares) else shares.new_zeros(1)
    x = torch.cat([values.new_zeros(1), values, values.new_tensor([threshold])])
    return x, torch.cat([shares.new_zeros(1), shares, last])


def auc(errors: Tensor, threshold: float) -> float:
    """Area under :func:`ced` from 0 to the threshold, divided by the threshold; exact, no grid.

    Each face contributes the part of [0, threshold] that lies right of its error, so the area is
    ``mean(max(0, threshold - error)) / threshold``.
    """
    return float((threshold - _checked(errors, threshold)).clamp_min(0).mean() / threshold)


def by_pose(errors: Tensor, yaw_degrees: Tensor) -> dict[str, float]:
    """Mean error by absolute yaw: 0 to 30, above 30 to 60, above 60 degrees (the last has no upper end).

    Returns:
        The three means (NaN for a bin without faces), ``"mean_of_bins"``, the plain mean of the three, which is what
        tables of AFLW2000-3D print, and ``"mean_of_faces"``.
    Source: the evaluation of 3DDFA (Zhu et al. 2016).
    """
    errors = _checked(errors)
    if yaw_degrees.shape != errors.shape or not bool(torch.isfinite(yaw_degrees).all()):
        raise ValueError(f"yaw_degrees: expected {len(errors)} finite angles, got shape {tuple(yaw_degrees.shape)}")
    yaw = yaw_degrees.double().abs()
    bins = {"0-30": yaw <= 30, "30-60": (yaw > 30) & (yaw <= 60), "60-90": yaw > 60}
    means = {name: float(errors[inside].mean()) for name, inside in bins.items()}
    return means | {"mean_of_bins": sum(means.values()) / 3, "mean_of_faces": float(errors.mean())}
