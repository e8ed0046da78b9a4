"""The loss of CLN: WPDC of the parameters, and Wing on the vertices that they put into the picture."""

import torch
from torch import Tensor

from facelab.face3d import MorphableModel, ParameterStatistics
from facelab.losses.averaging import Reduction, averaged
from facelab.losses.coordinates import wing
from facelab.losses.parameters import DEPTH, comparable
from facelab.losses.vertices import ShapeGram, mesh
from facelab.losses.weighted import fwpdc


def wing_of_vertices(
    predicted: Tensor,
    target: Tensor,
    model: MorphableModel,
    w: float = 10.0,
    epsilon: float = 2.0,
    *,
    scale: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """:func:`wing` of x, y and z of all vertices of a model in the picture, its mean over the coordinates.

    The mean is over coordinates, so it is a third of that of :func:`wing`. The shift in depth of the prediction is
    replaced by the true one, since no picture shows it.

    Args:
        predicted, target: ``(B, 62)`` raw parameters.
        model: on their device; ``face.landmark_model()`` is that of the 68 landmarks.
        w, epsilon: of Wing, in pixels. scale: of these pixels, in a pixel of the crop: 120 / S, for a crop of side S,
            has the loss count as it does on crops of 120.
        reduction: ``"mean"`` over the faces that are known, or ``"none"``.
    Returns:
        A scalar, or ``(B,)`` costs, 0 for unknown faces.
    Raises:
        ValueError: on other shapes, w, epsilon or scale that is not positive, or an unknown reduction.
    Source: released code of CLN's laboratory (DAMDNet, ``wing_loss.py``).
    """
    if not 0 < scale < float("inf"):
        raise ValueError(f"scale: expected a positive number, got {scale}")
    predicted, target, known = comparable(predicted, target)
    depth = torch.tensor([DEPTH], device=predicted.device)
    level = predicted.index_copy(1, depth, target[:, DEPTH : DEPTH + 1])
    placed, true = (scale * mesh(model, parameters).transpose(1, 2) for parameters in (level, target))
    costs = wing(placed, true, w, epsilon, reduction="none").mean(1) / placed.shape[2]
    return averaged(costs, known, reduction)


def cln_loss(
    predicted: Tensor,
    target: Tensor,
    gram: ShapeGram,
    statistics: ParameterStatistics,
    model: MorphableModel,
    *,
    wpdc_weight: float = 0.5,
    wing_weight: float = 1.0,
    scale: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The loss of one output, :math:`\lambda_{wpdc} L_{wpdc} + \lambda_{wing} L_{wing}`.

    A network with several outputs adds theirs.

    The first is :func:`fwpdc`, whose weights are those of WPDC; the second :func:`wing_of_vertices` of the 68
    landmarks, with w of 10 and epsilon of 2.

    Args:
        predicted, target: ``(B, 62)`` raw parameters. gram: of the model that WPDC weighs by. statistics: of the
            training set. model: on their device, whose landmarks count. scale: as of :func:`wing_of_vertices`.
        reduction: ``"mean"`` over the faces that are known, or ``"none"``.
    Returns:
        A scalar, or ``(B,)`` costs, 0 for unknown faces.
    Raises:
        ValueError: on other shapes, a scale that is not positive, an unknown reduction, or a model without all
            landmarks.
    Source: CLN (BMVC 2022, paper 870), supplement, section 1.3, for the weights. It does not say what Wing is of; the
        vertices are those of code that its laboratory released for other networks, which adds 132 random ones.
    """
    by_parameters = fwpdc(predicted, target, gram, statistics, reduction=reduction)
    by_vertices = wing_of_vertices(predicted, target, model.landmark_model(), scale=scale, reduction=reduction)
    return wpdc_weight * by_parameters + wing_weight * by_vertices
