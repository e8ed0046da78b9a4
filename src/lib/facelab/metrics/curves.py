"""What a set of errors amounts to: failure rate, cumulative error distribution and the area under it.

Errors are fractions; a face fails if its error is above the threshold.
"""

import math
from typing import Literal

import torch
from torch import Tensor

_FAN_STEPS = 1000


def checked_errors(errors: Tensor, threshold: float | None = None) -> Tensor:
    """Errors ``(N,)`` in float64.

    Raises:
        ValueError: if there are none, one is negative or not finite, or the threshold is not a positive number.
    """
    if not isinstance(errors, Tensor) or errors.ndim != 1 or len(errors) == 0:
        got = f"shape {tuple(errors.shape)}" if isinstance(errors, Tensor) else type(errors).__name__
        raise ValueError(f"errors: expected a non-empty (N,) tensor, got {got}")
    values = errors.detach().double()
    low, high = (float(end) for end in values.aminmax())
    if not (low >= 0 and high < math.inf):  # also if they are NaN, as they are if one error is
        face = int((~(torch.isfinite(values) & (values >= 0))).nonzero()[0])
        raise ValueError(f"errors: expected finite numbers of at least 0, got {float(values[face])} for face {face}")
    if threshold is not None and not (threshold > 0 and math.isfinite(threshold)):
        raise ValueError(f"threshold: expected a positive fraction, got {threshold}")
    return values


def failure_rate(errors: Tensor, threshold: float) -> float:
    """Share of faces with an error above the threshold (both fractions).

    Args:
        errors: ``(N,)`` of at least 0.
    Raises:
        ValueError: on an empty set, errors that are negative or not finite, or a threshold that is not positive.
    """
    return float((checked_errors(errors, threshold) > threshold).double().mean())


def ced(errors: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Cumulative error distribution: the share of faces with an error of at most x.

    Args:
        errors: ``(N,)`` fractions. threshold: right end, a fraction.
    Returns:
        The corners of the step curve on [0, threshold]: ``(K,)`` errors, rising, and ``(K,)`` shares.
    Raises:
        ValueError: as :func:`failure_rate`.
    """
    values = checked_errors(errors, threshold).sort().values
    values = values[values <= threshold]
    shares = torch.arange(1, len(values) + 1).to(values) / len(errors)
    last = shares[-1:] if len(shares) else shares.new_zeros(1)
    x = torch.cat([values.new_zeros(1), values, values.new_tensor([threshold])])
    return x, torch.cat([shares.new_zeros(1), shares, last])


def auc(errors: Tensor, threshold: float, rule: Literal["exact", "fan"] = "exact") -> float:
    """Area under :func:`ced` from 0 to the threshold, divided by the threshold.

    ``"exact"``: each face contributes the part of [0, threshold] that lies right of its error, so the area is
    ``mean(max(0, 1 - error / threshold))``: no grid. It is at least ``1 - mean(errors) / threshold``.

    ``"fan"``: the rule of FAN's evaluation. The share of faces with an error below x is taken at 1000 values of x from
    0 to 1, both ends included; the result is the mean of the first 70 for a threshold of 7 %, and here of the first
    ``round(1000 threshold)`` for any. The last x is then a step short of the threshold (69/999, or 6.91 %), and x = 0
    counts though nothing lies below it, so the result is lower than the exact area for good networks.

    Args:
        errors: ``(N,)`` fractions. threshold: a fraction; for ``"fan"`` from 0.001 to 1.
    Raises:
        ValueError: as :func:`failure_rate`; an unknown rule; a threshold that is out of the rule's range.
    Source: "fan": ``calculateMetrics`` of the authors' 2D-and-3D-face-alignment code, ``utils.lua``.
    """
    values = checked_errors(errors, threshold)
    if rule == "exact":
        return float((1 - values / threshold).clamp_min(0).mean())
    if rule != "fan":
        raise ValueError(f"rule: expected 'exact' or 'fan', got {rule!r}")
    count = round(_FAN_STEPS * threshold)
    if not 1 <= count <= _FAN_STEPS:
        raise ValueError(f"threshold: rule 'fan' expects 0.001 to 1, got {threshold}")
    grid = torch.linspace(0, 1, _FAN_STEPS, dtype=torch.float64, device=values.device)[:count]
    # Turned round: a face counts at every x above its error.
    return float((count - torch.searchsorted(grid, values, right=True)).double().mean() / count)
