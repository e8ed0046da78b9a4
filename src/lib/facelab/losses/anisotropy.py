"""The anisotropic loss: an error along a contour costs less than one across it."""

import torch
from torch import Tensor

from facelab.losses.averaging import Reduction, averaged, check_positive, landmark_errors
from facelab.losses.contours import neighbours, scheme_of, tangents
from facelab.markups import Markup


def anisotropic(
    predicted: Tensor,
    target: Tensor,
    markup: str | Markup,
    a: float = 5.0,
    b: float = 3.0,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Squared Mahalanobis distance with an ellipse at every landmark, longer along the contour than across it.

    .. math:: Q = \frac{1}{N} \sum_{n} (x_n - z_n)^T W_n (x_n - z_n)

    over the N landmarks of the batch that are present, with the matrices of :func:`anisotropic_weights`. At corners it
    is the squared distance of :func:`facelab.losses.l2`.

    Args:
        predicted, target: ``(B, L, 2)`` in the same pixels. A landmark with NaN in the target is missing: it costs
            nothing, has no gradient, and the contour runs on to the next. No gradient flows to the target.
        markup: name of the mark-up, or the mark-up. a, b: standard deviations along and across the contour, in
            units of that of a corner; b of 3 is the paper's, and a of 5 as far as its print can be read.
        reduction: ``"mean"`` over landmarks and faces, or ``"none"``.
    Returns:
        A scalar, or ``(B, L)`` costs, 0 for missing landmarks.
    Raises:
        ValueError: on unequal or wrong shapes, an unknown mark-up or reduction, or an a or b that is not positive.
    Source: Rayhan et al. 2020, eq. 2 (there the sum over the landmarks of a face).
    """
    weights = anisotropic_weights(target, markup, a, b)
    errors, present = landmark_errors(predicted, target)
    pulled = (weights * errors[..., None, :]).sum(-1)
    return averaged((pulled * errors).sum(-1), present, reduction)


def anisotropic_weights(target: Tensor, markup: str | Markup, a: float = 5.0, b: float = 3.0) -> Tensor:
    r"""The matrices :math:`W = t t^T / a^2 + (I - t t^T) / b^2` of the true face, t the tangent of its contour.

    Corners and landmarks of no curve have the identity. Where all landmarks of a curve are at one place there is no
    way known in which to slide, and W is :math:`I / b^2`. Missing landmarks have zeros.

    Args:
        target: ``(B, L, 2)`` in pixels; NaN where a landmark is missing. markup, a, b: as of :func:`anisotropic`.
    Returns:
        ``(B, L, 2, 2)`` symmetric positive definite, in the type and on the device of the target, without gradient.
    Raises:
        ValueError: on an unknown mark-up, a shape that does not fit it, or an a or b that is not positive.
    Source: Rayhan et al. 2020, eq. 6.
    """
    check_positive(a=a, b=b)
    scheme = scheme_of(target, markup)
    x, y = tangents(target, scheme).unbind(-1)
    # I - t t^T is n n^T with n = (-y, x).
    slope = (1 / a**2 - 1 / b**2) * x * y
    entries = (x**2 / a**2 + y**2 / b**2, slope, slope, y**2 / a**2 + x**2 / b**2)
    weights = torch.stack(entries, -1).unflatten(-1, (2, 2))
    steps = neighbours(scheme, target.device)
    on_curve = (steps[..., 0] != torch.arange(scheme.points, device=target.device)).any(0)
    stiffness = 1 + (1 / b**2 - 1) * on_curve.to(target.dtype)
    plain = stiffness[:, None, None] * torch.eye(2, dtype=target.dtype, device=target.device)
    weights = torch.where(x.isnan()[..., None, None], plain, weights)
    return torch.where(target.isfinite().all(-1)[..., None, None], weights, 0)
