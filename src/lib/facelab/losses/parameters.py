r"""The parameter distance cost (PDC), and what the losses of the 62 parameters share.

These losses take *raw* parameters ``(B, 62)`` as :mod:`facelab.face3d.parameters` has them: a camera of 12 numbers by
rows, in pixels of the crop, then 40 identity and 10 expression coefficients. They compute in single precision at least,
also where autocast is on; double stays double. The target is data: no gradient flows to it, and a face with a target
that is not finite is unknown and counts nothing.
"""

import torch
from torch import Tensor

from facelab.face3d import ParameterStatistics
from facelab.face3d.parameters import PARAMETERS
from facelab.losses.averaging import Reduction, averaged

DEPTH = 11  # t_z, the shift in depth: a weak-perspective picture does not show it


def pdc(predicted: Tensor, target: Tensor, statistics: ParameterStatistics, *, reduction: Reduction = "mean") -> Tensor:
    r"""Mean squared difference of whitened parameters,
    :math:`\frac{1}{62} \sum_i \left( (p_i - g_i) / \sigma_i \right)^2`; no unit.

    A parameter that never varies (:math:`\sigma_i = 0`) costs nothing.

    Args:
        predicted, target: ``(B, 62)`` raw parameters. statistics: of the training set.
        reduction: ``"mean"`` over the faces that are known, or ``"none"``.
    Returns:
        A scalar, or ``(B,)`` costs, 0 for unknown faces.
    Raises:
        ValueError: on other shapes, or an unknown reduction.
    Source: Zhu et al. 2016 (3DDFA), section 3.4; published code takes the mean over the parameters, the paper the sum.
    """
    predicted, target, known = comparable(predicted, target)
    costs = whitened_difference(predicted, target, statistics).square().mean(1)
    return averaged(costs, known, reduction)


def comparable(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both in the precision to compute in, and which faces are known.

    Args:
        predicted, target: ``(B, 62)``.
    Returns:
        Predicted; target, detached, and equal to the prediction for faces that are unknown; ``(B,)`` bool.
    Raises:
        ValueError: on other shapes.
    """
    for name, value in (("predicted", predicted), ("target", target)):
        if value.ndim != 2 or value.shape[1] != PARAMETERS:
            raise ValueError(f"{name}: expected shape (B, {PARAMETERS}), got {tuple(value.shape)}")
    if len(predicted) != len(target):
        raise ValueError(f"predicted: expected {len(target)} faces as in target, got {len(predicted)}")
    predicted = predicted.to(torch.promote_types(predicted.dtype, torch.float32))
    target = target.detach().to(predicted.dtype)
    known = target.isfinite().all(1)
    return predicted, torch.where(known[:, None], target, predicted.detach()), known


def whitened_difference(predicted: Tensor, target: Tensor, statistics: ParameterStatistics) -> Tensor:
    """``(p - g) / std``, and 0 where the standard deviation is 0: ``(B, 62)``.

    The difference is taken first, which rounds less than the difference of whitened numbers.
    """
    varies = statistics.std > 0
    return torch.where(varies, (predicted - target) / torch.where(varies, statistics.std, 1), 0)
