"""The Adaptive Wing loss of heatmaps."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from facelab.losses.averaging import Reduction, averaged, check_positive

# A pixel is of the foreground where the dilated target reaches this (Wang et al. 2019, section 5).
_FOREGROUND = 0.2


def adaptive_wing(
    predicted: Tensor,
    target: Tensor,
    alpha: float = 2.1,
    omega: float = 14.0,
    epsilon: float = 1.0,
    theta: float = 0.5,
    *,
    weight: float = 0.0,
    present: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Wing where the target is bright, close to L2 where it is dark.

    For an error :math:`d = |y - \hat y|` of a pixel with target y the cost is
    :math:`\omega \ln(1 + (d / \epsilon)^{\alpha - y})` if :math:`d < \theta`, else :math:`A d - C`, with

    .. math::
        A = \frac{\omega}{\epsilon} \frac{(\alpha - y) (\theta / \epsilon)^{\alpha - y - 1}}
                                         {1 + (\theta / \epsilon)^{\alpha - y}}, \qquad
        C = \theta A - \omega \ln(1 + (\theta / \epsilon)^{\alpha - y}),

    so that value and slope are continuous at :math:`\theta`. The gradient at 0 is 0. The loss is the mean over all
    pixels of all maps that are present.

    Args:
        predicted: ``(B, L, h, w)``. target: the same, from 0 to 1; no gradient flows to it.
        alpha: above 2, so that the power stays above 1 and the gradient finite. omega, epsilon: as in Wing.
        theta: the error, in units of the maps, where the curve goes over into a line.
        weight: W of the weighted loss map: pixels where the target, dilated by 3 x 3, reaches 0.2 cost 1 + W times as
            much; 10 in the paper, 0 for the loss alone.
        present: ``(B, L)`` bool; the map of a landmark that is not costs nothing. All are if None.
        reduction: ``"mean"`` over pixels, landmarks and faces, or ``"none"``.
    Returns:
        A scalar, or ``(B, L)`` means over the pixels of each map, 0 for those that are not present.
    Raises:
        ValueError: on unequal or wrong shapes, an alpha of 2 or less, another number out of range, or an unknown
            reduction.
    Source: Wang et al. 2019 (ICCV), eq. 3 and section 5 (weighted loss map).
    """
    _check_maps(predicted, target, present)
    check_positive(omega=omega, epsilon=epsilon, theta=theta)
    if not alpha > 2:
        raise ValueError(f"alpha: expected a number above 2, got {alpha}")
    if not weight >= 0:
        raise ValueError(f"weight: expected 0 or more, got {weight}")
    target = target.detach()
    if present is None:
        present = torch.ones(target.shape[:2], dtype=torch.bool, device=target.device)
    else:
        target = torch.where(present[..., None, None], target, 0)  # what is missing may hold NaN
    power = alpha - target
    size = (predicted - target).abs() / epsilon
    # exp and log keep their results for the gradient; pow would compute a second power for it.
    raised = (power * size.clamp(min=torch.finfo(size.dtype).tiny).log()).exp()
    knee = (power * math.log(theta / epsilon)).exp()
    slope = omega * power * knee / (1 + knee) * (epsilon / theta)  # A epsilon
    line = slope * (size - theta / epsilon) + omega * knee.log1p()
    costs = torch.where(size < theta / epsilon, omega * raised.log1p(), line)
    if weight:
        bright = functional.max_pool2d(target, 3, stride=1, padding=1) >= _FOREGROUND
        costs = costs * torch.where(bright, 1 + weight, 1.0)
    return averaged(costs.mean((2, 3)), present, reduction)


def _check_maps(predicted: Tensor, target: Tensor, present: Tensor | None) -> None:
    if target.ndim != 4 or not target.is_floating_point():
        raise ValueError(f"target: expected (B, L, h, w) of floating point, got {tuple(target.shape)} {target.dtype}")
    if predicted.shape != target.shape:
        raise ValueError(f"predicted: expected shape {tuple(target.shape)}, got {tuple(predicted.shape)}")
    if present is not None and (present.shape != target.shape[:2] or present.dtype != torch.bool):
        wanted = tuple(target.shape[:2])
        raise ValueError(f"present: expected {wanted} of torch.bool, got {tuple(present.shape)} {present.dtype}")
