r"""Weighted parameter distance: WPDC by its definition, and fWPDC, which gives the same weights without a mesh.

The weight of a parameter is how far the mesh moves when this parameter alone is replaced by its prediction, as a share
of what the parameter does that moves it the most:

.. math:: w_i = \frac{d_i}{\max_j d_j}, \qquad d_i = \| V(g_1, \ldots, p_i, \ldots, g_{62}) - V(g) \|.

The loss is the mean over the parameters of :math:`w_i` times the squared whitened difference; no unit. The weights are
constants of a step: no gradient flows through them. Where all of a prediction is exact, all are 0.
"""

import torch
from torch import Tensor

from facelab.face3d import MorphableModel, ParameterStatistics
from facelab.face3d.parameters import PARAMETERS, unpack
from facelab.losses.averaging import Reduction, averaged
from facelab.losses.parameters import DEPTH, comparable, whitened_difference
from facelab.losses.vertices import ShapeGram, mesh


@torch.no_grad()
def wpdc_weights(predicted: Tensor, target: Tensor, model: MorphableModel) -> Tensor:
    """The weights ``(B, 62)`` in [0, 1] by their definition: 62 meshes for each face.

    The shift in depth weighs 0, since no picture shows it. Published code adds 1e-6 to each distance.

    Args:
        predicted, target: ``(B, 62)`` raw parameters. model: on their device.
    Raises:
        ValueError: on other shapes.
    Source: Zhu et al. 2016, eqs. of WPDC; Guo et al. 2020, eqs. 6 and 7.
    """
    predicted, target, _ = comparable(predicted, target)
    truth = mesh(model, target)
    distances = torch.zeros_like(target)
    for index in range(PARAMETERS):
        degraded = target.clone()
        degraded[:, index] = predicted[:, index]
        distances[:, index] = (mesh(model, degraded) - truth).flatten(1).norm(dim=1)
    return _shares(distances)


@torch.no_grad()
def fwpdc_weights(predicted: Tensor, target: Tensor, gram: ShapeGram) -> Tensor:
    r"""The weights of :func:`wpdc_weights` in closed form.

    With the true shape S, one row for each axis of the model, the true scale f and :math:`N_v` vertices:

    * element (j, i) of P adds its error times row i of S to coordinate j of the vertices:
      :math:`d = |\Delta P_{ji}| \, \| S_i \|`;
    * element j of t adds its error to each vertex: :math:`d = |\Delta t_j| \sqrt{N_v}`;
    * coefficient k adds its error times mode :math:`B_k`, turned and scaled by the camera:
      :math:`d = f \, |\Delta \alpha_k| \, \| B_k \|`.

    Exact as long as the true camera is a scaled rotation, mirrored or not.

    Args:
        predicted, target: ``(B, 62)`` raw parameters. gram: of the model, on their device.
    Raises:
        ValueError: on other shapes.
    Source: Guo et al. 2020, Algorithm 2.
    """
    predicted, target, _ = comparable(predicted, target)
    # While an element of the camera is off all else is true: the shape is that of the true coefficients, not of the
    # predicted ones, and column i of the camera goes with row i of it.
    # In ``gram`` all lengths are over the square root of N_v. That of the row of ones is 1; the shares do not change.
    rows = gram.shape(target).norm(dim=2)
    modes = gram.modes.to(target.dtype).flatten(1).norm(dim=1)
    scale = unpack(target).camera[:, :, :3].flatten(1).norm(dim=1, keepdim=True) / 3**0.5
    return _shares((predicted - target).abs() * torch.cat([rows.repeat(1, 3), scale * modes], 1))


def wpdc(
    predicted: Tensor,
    target: Tensor,
    model: MorphableModel,
    statistics: ParameterStatistics,
    *,
    squared: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The weighted parameter distance cost with weights by their definition; see :func:`fwpdc` for those in use.

    Args:
        model: on the device of the parameters. Others as of :func:`fwpdc`.
    """
    weights = wpdc_weights(predicted, target, model)
    return _weighted(predicted, target, weights, statistics, squared, reduction)


def fwpdc(
    predicted: Tensor,
    target: Tensor,
    gram: ShapeGram,
    statistics: ParameterStatistics,
    *,
    squared: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The weighted parameter distance cost, :math:`\frac{1}{62} \sum_i w_i ((p_i - g_i) / \sigma_i)^2`; no unit.

    Args:
        predicted, target: ``(B, 62)`` raw parameters. gram: of the model. statistics: of the training set.
        squared: weigh before squaring, :math:`(w_i (p_i - g_i) / \sigma_i)^2`, as Guo et al. write it. Zhu et al. and
            the published code of 3DDFA do not.
        reduction: ``"mean"`` over the faces that are known, or ``"none"``.
    Returns:
        A scalar, or ``(B,)`` costs, 0 for unknown faces.
    Raises:
        ValueError: on other shapes, or an unknown reduction.
    Source: Zhu et al. 2016, section 3.4; Guo et al. 2020, eqs. 6 and 7 and Algorithm 2; both take the sum.
    """
    weights = fwpdc_weights(predicted, target, gram)
    return _weighted(predicted, target, weights, statistics, squared, reduction)


def _weighted(
    predicted: Tensor,
    target: Tensor,
    weights: Tensor,
    statistics: ParameterStatistics,
    squared: bool,
    reduction: Reduction,
) -> Tensor:
    predicted, target, known = comparable(predicted, target)
    difference = whitened_difference(predicted, target, statistics)
    costs = (weights * difference).square() if squared else weights * difference.square()
    return averaged(costs.mean(1), known, reduction)


def _shares(distances: Tensor) -> Tensor:
    """Distances (B, 62) over the largest of each face; 0 for the shift in depth, and for faces without any distance."""
    seen = distances.index_fill(1, torch.tensor([DEPTH], device=distances.device), 0)
    return seen / seen.amax(1, keepdim=True).clamp(min=torch.finfo(seen.dtype).tiny)
