r"""Losses of coordinates: L2, L1, smooth L1 and Wing.

All are means over the landmarks of the batch that are present, of the cost of one landmark. That cost is the sum over
its coordinates, in pixels: with N landmarks present and errors :math:`d_{nk}`,

.. math:: Q = \frac{1}{N} \sum_{n} \sum_{k} \rho(d_{nk}).

Published code sums over landmarks, or takes the mean over coordinates as well, and so differs by a factor.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from facelab.losses.averaging import Reduction, averaged, check_positive, landmark_errors


def l2(predicted: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""Squared distance, :math:`\rho(d) = d^2`.

    Args:
        predicted, target: ``(B, L, D)`` in the same pixels. A landmark with NaN in the target is missing: it costs
            nothing and has no gradient. No gradient flows to the target.
        reduction: ``"mean"`` over landmarks and faces, or ``"none"``.
    Returns:
        A scalar, or ``(B, L)`` costs, 0 for missing landmarks.
    Raises:
        ValueError: on unequal or wrong shapes, or an unknown reduction.
    Source: Rayhan et al. 2020, eq. 1 (there the sum over landmarks); Feng et al. 2018, eq. 3 (there with 1/2).
    """
    errors, present = landmark_errors(predicted, target)
    return averaged(errors.square().sum(-1), present, reduction)


def l1(predicted: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""Sum of absolute errors, :math:`\rho(d) = |d|`; the gradient at 0 is 0. Arguments as of :func:`l2`.

    Source: Feng et al. 2018, section 4.
    """
    errors, present = landmark_errors(predicted, target)
    return averaged(errors.abs().sum(-1), present, reduction)


def smooth_l1(predicted: Tensor, target: Tensor, beta: float = 1.0, *, reduction: Reduction = "mean") -> Tensor:
    r"""A parabola that goes over into L1: :math:`d^2 / 2\beta` if :math:`|d| < \beta`, else :math:`|d| - \beta / 2`.

    Args:
        beta: where the parabola ends, in pixels. Others as of :func:`l2`.
    Raises:
        ValueError: as :func:`l2`; if beta is not positive.
    Source: Girshick 2015 (Fast R-CNN), eq. 3, with beta of 1.
    """
    check_positive(beta=beta)
    errors, present = landmark_errors(predicted, target)
    costs = functional.smooth_l1_loss(errors, torch.zeros_like(errors), reduction="none", beta=beta)
    return averaged(costs.sum(-1), present, reduction)


def wing(
    predicted: Tensor, target: Tensor, w: float = 10.0, epsilon: float = 2.0, *, reduction: Reduction = "mean"
) -> Tensor:
    r"""A logarithm near zero, which makes small errors matter, and L1 beyond.

    :math:`\rho(d) = w \ln(1 + |d| / \epsilon)` if :math:`|d| < w`, else :math:`|d| - C` with
    :math:`C = w - w \ln(1 + w / \epsilon)`. The value is continuous at w; the slope steps from
    :math:`w / (w + \epsilon)` to 1. At 0 the loss has a kink, as L1 has, and the gradient there is 0.

    Args:
        w: where the logarithm ends, in pixels. epsilon: its curvature, in pixels. Others as of :func:`l2`.
    Raises:
        ValueError: as :func:`l2`; if w or epsilon is not positive.
    Source: Feng et al. 2018 (CVPR), eq. 5; w of 10 and epsilon of 2 as there.
    """
    check_positive(w=w, epsilon=epsilon)
    errors, present = landmark_errors(predicted, target)
    size = errors.abs()
    constant = w - w * math.log1p(w / epsilon)
    costs = torch.where(size < w, w * torch.log1p(size / epsilon), size - constant)
    return averaged(costs.sum(-1), present, reduction)
