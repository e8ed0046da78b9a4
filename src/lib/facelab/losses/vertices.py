r"""The vertex distance cost (VDC): how far the mesh of the predicted parameters lies from the true one.

With the camera :math:`C` (3 x 4), coordinate j of the vertices in the picture is

.. math:: V_j = \sum_{i=1}^{4} C_{ji} S_i, \qquad S_i = M_i + \sum_{k=1}^{50} \alpha_k B_{ki}, \qquad S_4 = 1,

where :math:`M_i` holds coordinate i of the mean face and :math:`B_{ki}` that of mode k. Whatever the parameters,
:math:`V_j = F q_j` is a sum of the same 154 columns: 3 of the mean, 150 of the modes, and the 1. With the triangular
factor of these, :math:`F = Q R`,

.. math:: \| V_j - V^*_j \| = \| F (q_j - q^*_j) \| = \| R (q_j - q^*_j) \|.

So :math:`R` is in itself a morphable model, of 154 points, whose faces lie as far apart as those of the whole mesh,
however large that is. :math:`R^T R = F^T F` is the Gram matrix of the columns. Householder reflections find its factor
rather than Cholesky's method: they need no scaling where units differ by 1e5, as in the Basel Face Model, and allow
modes that depend on each other.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from facelab.face3d import MorphableModel
from facelab.face3d.parameters import CAMERA_PARAMETERS, EXPRESSION_PARAMETERS, IDENTITY_PARAMETERS, unpack
from facelab.losses.averaging import Reduction, averaged
from facelab.losses.parameters import DEPTH, comparable

_MODES = IDENTITY_PARAMETERS + EXPRESSION_PARAMETERS


@dataclass(frozen=True, eq=False)
class ShapeGram:
    """A morphable model of at most 154 points whose faces are as far apart as those of a whole one; see :meth:`of`.

    Sums of squares over the points are means over the vertices of the whole model. Units are those of the model.

    Attributes:
        mean: ``(4, n)`` coordinates x, y, z and the 1 of the mean face. modes: ``(50, 4, n)``.
    """

    mean: Tensor
    modes: Tensor

    @staticmethod
    @torch.inference_mode(False)  # losses keep it, and train with it
    def of(model: MorphableModel, dtype: torch.dtype = torch.float32) -> "ShapeGram":
        """From the first 40 identity and 10 expression modes of a model, in double precision, then kept as ``dtype``.

        Modes that the model does not have are zero.
        """
        vertices = model.mean.shape[1]
        shapes = torch.zeros(1 + _MODES, 3, vertices, dtype=torch.float64)
        shapes[0] = model.mean
        identity, expression = model.identity[:IDENTITY_PARAMETERS], model.expression[:EXPRESSION_PARAMETERS]
        shapes[1 : 1 + len(identity)] = identity
        shapes[1 + IDENTITY_PARAMETERS :][: len(expression)] = expression
        columns = torch.cat([shapes.flatten(0, 1), torch.ones(1, vertices)]).T
        points = torch.linalg.qr(columns / vertices**0.5, mode="r").R
        small = pad(points[:, :-1].T.unflatten(0, (-1, 3)), (0, 0, 0, 1))
        small[0, 3] = points[:, -1]
        small = small.to(model.mean.device, dtype)
        return ShapeGram(small[0], small[1:])

    def to(self, device: torch.device | str) -> "ShapeGram":
        """The same on another device."""
        return ShapeGram(self.mean.to(device), self.modes.to(device))

    def shape(self, parameters: Tensor) -> Tensor:
        """The faces ``(B, 4, n)`` of ``(B, 62)`` parameters in model space, in their precision."""
        mean = self.mean.to(parameters.dtype).flatten()
        with torch.autocast(parameters.device.type, enabled=False):
            shapes = torch.addmm(mean, parameters[:, CAMERA_PARAMETERS:], self._modes(parameters))
        return shapes.unflatten(1, self.mean.shape)

    def squared_distance(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Mean squared distance ``(B,)`` of the vertices in the picture between two batches ``(B, 62)``."""
        error = predicted - target
        camera = predicted[:, :CAMERA_PARAMETERS].unflatten(1, (3, 4))
        camera_error = error[:, :CAMERA_PARAMETERS].unflatten(1, (3, 4))
        # C S - C* S* as dC S* + C dS: the difference of the products would round small errors away
        true_shape = self.shape(target)
        with torch.autocast(predicted.device.type, enabled=False):
            shape_error = (error[:, CAMERA_PARAMETERS:] @ self._modes(error)).unflatten(1, self.mean.shape)
            moved = torch.baddbmm(camera_error @ true_shape, camera, shape_error)
        return moved.square().sum((1, 2))

    def _modes(self, like: Tensor) -> Tensor:
        return self.modes.to(like.dtype).flatten(1)


def vdc(predicted: Tensor, target: Tensor, gram: ShapeGram, *, reduction: Reduction = "mean") -> Tensor:
    r"""Mean squared distance of all vertices, :math:`\frac{1}{N_v} \sum_v \| V_v(p) - V_v(g) \|^2`, in square pixels.

    Exact, and as fast for a large mesh as for a small one; :func:`vdc_of_vertices` is the same, written out. The shift
    in depth of the prediction is replaced by the true one, since no picture shows it.

    Args:
        predicted, target: ``(B, 62)`` raw parameters; distances are in the pixels of their cameras.
        gram: of the model, on their device. reduction: ``"mean"`` over the faces that are known, or ``"none"``.
    Returns:
        A scalar, or ``(B,)`` costs, 0 for unknown faces.
    Raises:
        ValueError: on other shapes, or an unknown reduction.
    Source: Zhu et al. 2016, section 3.4, and Guo et al. 2020; there without the mean over the vertices. Published code
        of 3DDFA takes the mean over the three coordinates as well.
    """
    predicted, target, known = comparable(predicted, target)
    return averaged(gram.squared_distance(_with_depth_of(target, predicted), target), known, reduction)


def vdc_of_vertices(
    predicted: Tensor, target: Tensor, model: MorphableModel, *, reduction: Reduction = "mean"
) -> Tensor:
    """The same as :func:`vdc` by its definition: both meshes are built and held against each other.

    Args:
        model: on the device of the parameters. Others as of :func:`vdc`.
    """
    predicted, target, known = comparable(predicted, target)
    errors = mesh(model, _with_depth_of(target, predicted)) - mesh(model, target)
    return averaged(errors.square().sum(1).mean(1), known, reduction)


def mesh(model: MorphableModel, parameters: Tensor) -> Tensor:
    """Vertices ``(B, 3, V)`` in the picture, one coordinate after the other, in the precision of the parameters.

    Otherwise as :func:`facelab.face3d.parameters.project`, which keeps to the single precision of the model.
    """
    camera, identity, expression = unpack(parameters)
    shape = model.mean.to(parameters.dtype)
    with torch.autocast(parameters.device.type, enabled=False):
        for coefficients, basis in ((identity, model.identity), (expression, model.expression)):
            modes = basis[: coefficients.shape[1]].to(parameters.dtype)
            shape = shape + (coefficients[:, : len(modes)] @ modes.flatten(1)).unflatten(1, shape.shape[-2:])
        return camera[:, :, :3] @ shape + camera[:, :, 3:]


def _with_depth_of(source: Tensor, parameters: Tensor) -> Tensor:
    depth = torch.tensor([DEPTH], device=parameters.device)
    return parameters.index_copy(1, depth, source[:, DEPTH : DEPTH + 1])
