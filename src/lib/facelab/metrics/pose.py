"""Errors by how far a head is turned."""

from typing import Literal

import torch
from torch import Tensor

from facelab.metrics.curves import checked_errors

Beyond = Literal["last", "fold", "drop", "raise"]
_LIMITS = (30.0, 60.0)
BINS = ("0-30", "30-60", "60-90")


def by_pose(errors: Tensor, yaw_degrees: Tensor, beyond: Beyond = "last") -> dict[str, float]:
    """Mean error by absolute yaw: 0 to 30, above 30 to 60, above 60 degrees.

    Label files hold angles over 90 degrees: those of AFLW2000-3D go down to -351, which is a frontal face counted
    round the circle, those of AFLW up to 168. ``beyond`` says what becomes of them:

    =========== =================================================================================================
    ``"last"``  they are in the last bin, as in the released evaluation of 3DDFA, whose numbers all papers print
    ``"fold"``  they are brought to 0 ... 90: whole turns are taken off, and what is left beyond profile is
                mirrored at it, so that -351 counts as 9 and 168 as 12 (yaw y with pitch and roll turned by 180
                is the rotation of yaw 180 - y)
    ``"drop"``  these faces are left out of all means
    ``"raise"`` ValueError
    =========== =================================================================================================

    Args:
        errors: ``(N,)`` fractions. yaw_degrees: ``(N,)``.
    Returns:
        The three means (NaN for a bin without faces), ``"mean_of_bins"``, the plain mean of the three, which is what
        tables of AFLW2000-3D print, and ``"mean_of_faces"``.
    Raises:
        ValueError: on an empty set, errors or angles that are not finite, or an unknown ``beyond``.
    Source: the evaluation of 3DDFA (Zhu et al. 2016), ``benchmark_aflw2000.py``.
    """
    errors, bins = binned(errors, yaw_degrees, beyond)
    means = {name: float(errors[bins == index].mean()) for index, name in enumerate(BINS)}
    return means | {"mean_of_bins": sum(means.values()) / len(BINS), "mean_of_faces": float(errors.mean())}


def binned(errors: Tensor, yaw_degrees: Tensor, beyond: Beyond) -> tuple[Tensor, Tensor]:
    """Errors of the faces that count, float64, and the number of the bin of each."""
    errors = checked_errors(errors)
    if yaw_degrees.shape != errors.shape or not bool(torch.isfinite(yaw_degrees).all()):
        raise ValueError(f"yaw_degrees: expected {len(errors)} finite angles, got shape {tuple(yaw_degrees.shape)}")
    yaw = yaw_degrees.detach().to(errors).abs()
    over = yaw > 90
    if beyond == "fold":
        yaw = yaw % 360
        yaw = torch.minimum(yaw, 360 - yaw)
        yaw = torch.minimum(yaw, 180 - yaw)
    elif beyond == "drop":
        errors, yaw = errors[~over], yaw[~over]
        if len(errors) == 0:
            raise ValueError("yaw_degrees: no face is left; all angles are beyond 90 degrees")
    elif beyond == "raise":
        if bool(over.any()):
            face = int(over.nonzero()[0])
            raise ValueError(
                f"yaw_degrees: expected angles of at most 90, got {float(yaw_degrees[face]):g} for face {face}; "
                "beyond='last', 'fold' or 'drop' says what becomes of it"
            )
    elif beyond != "last":
        raise ValueError(f"beyond: expected 'last', 'fold', 'drop' or 'raise', got {beyond!r}")
    return errors, torch.bucketize(yaw, torch.tensor(_LIMITS).to(yaw))
