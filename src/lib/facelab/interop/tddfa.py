"""3DDFA_V2 as its authors released it: their weights, their crop and their way back to the picture.

Source: the public code of 3DDFA_V2 (Guo et al. 2020), in which these rules are ``parse_roi_box_from_landmark``,
``parse_roi_box_from_bbox``, ``crop_img``, ``NormalizeGjz`` and ``similar_transform``.
"""

import os
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from facelab.data import crop_window
from facelab.face3d import MorphableModel, ParameterStatistics
from facelab.face3d.parameters import CAMERA_PARAMETERS, PARAMETERS, decompose, from_y_up, project, unpack
from facelab.interop.aligner import Aligner, Placed, sampled
from facelab.interop.state_dicts import Checkpoint
from facelab.interop.tddfa_files import read_basis, read_network, read_statistics


class Alignment(NamedTuple):
    """What the authors' demo shows of a face; with a leading axis for several boxes.

    Attributes:
        landmarks: ``(68, 3)`` in pixels of the picture.
        vertices: ``(V, 3)`` in the same.
        angles: ``(3,)`` pitch, yaw, roll of the head in radians, as everywhere in this package.
        parameters: ``(62,)`` raw, with the camera to pixels of the crop, y down.
    """

    landmarks: Tensor
    vertices: Tensor
    angles: Tensor
    parameters: Tensor


class TddfaAligner(Aligner):
    """Their crop, network and decoding; shapes as in :class:`Aligner`, and a box is their ``roi_box``.

    The picture is cut at the box rounded to whole numbers, which count from the outer edge of the first pixel, is
    black outside, and is resized as ``cv2.resize`` does: between pixel centres, with the border of the cut repeated.
    Theirs makes bytes of the result, to within a level of 255; here it stays as it is.

    Landmarks come back as ``s x + x0`` with ``s = (x1 - x0) / size`` of the box as it was, and x from the centre of
    the crop's first pixel. This does not undo the resize, which would be ``s x + x0 + (s - 1) / 2``: what the crop
    shows at one place comes back that much further left and up, 1 pixel for a crop of 360. The weights were released
    and measured with this rule, so it is kept.
    """

    def __init__(
        self, network: nn.Module, model: MorphableModel, statistics: ParameterStatistics, size: int = 120
    ) -> None:
        super().__init__(nn.Sequential(_TheirInput(), network), model, statistics, size)
        turned, moved = _from_y_up(size)
        self.scale *= turned
        self.offset = self.offset * turned + moved

    def crops(self, image: Tensor, boxes: Tensor) -> Tensor:
        cut = boxes.round()[:, None]  # halves to even, as in Python
        step = (cut[..., 2:] - cut[..., :2]) / self.size
        count = torch.arange(self.size, device=boxes.device, dtype=boxes.dtype)[:, None]
        places = cut[..., :2] + (count + 0.5) * step - 0.5
        inside = torch.minimum(torch.maximum(places, cut[..., :2]), cut[..., 2:] - 1)
        return sampled(image, inside)

    def placed(self, boxes: Tensor) -> Placed:
        """Where their decoding takes the crop to lie, which is not quite where it was cut."""
        return Placed(boxes[:, :2], (boxes[:, 2:] - boxes[:, :2]) / self.size)


def _from_y_up(size: int) -> tuple[Tensor, Tensor]:
    """Factors and summands ``(62,)`` that turn the authors' raw parameters of a crop into ours."""
    summands = from_y_up(torch.zeros(1, 3, 4), size).flatten()
    factors = from_y_up(torch.ones(1, 3, 4), size).flatten() - summands
    others = PARAMETERS - CAMERA_PARAMETERS
    return pad(factors, (0, others), value=1.0), pad(summands, (0, others))


class _TheirInput(nn.Module):
    """RGB in [0, 1] to what their networks are given: blue first, about 0, in units of 128 levels."""

    def forward(self, images: Tensor) -> Tensor:
        return (255 * images.flip(1) - 127.5) / 128


@dataclass(frozen=True, eq=False)
class TddfaPredictor:
    """A network of 3DDFA_V2 with all that its numbers need to become a face; made by :func:`load_tddfa`.

    Every method takes a picture ``(3, H, W)``, RGB in [0, 1], and a box ``(4,)``, x0, y0, x1, y1 of the square crop in
    pixels; or boxes ``(N, 4)``, and then the results have N in front. Where only the box of landmarks or of a detector
    is known, :meth:`crop_box` makes it a crop. Points are x right, y down, z to the viewer, in pixels of the picture,
    with the centre of the first pixel at (0, 0). Theirs have a z that is moved so that the smallest is 0; this one is
    as the camera says, since a shift of its own would make two frames of a film incomparable.

    Raises, in every method:
        ValueError: on a picture or box of another shape, or a box without area.

    Attributes:
        aligner: the network with crop and decoding, for ONNX (:func:`facelab.export.export_aligner`).
        model: of the face. statistics: of the parameters, in the authors' convention.
    """

    aligner: TddfaAligner
    model: MorphableModel
    statistics: ParameterStatistics

    def crop_box(self, box: Tensor, detector: bool = False) -> Tensor:
        """The square crop ``(4,)`` or ``(N, 4)`` of the box of landmarks, or of a detector, by the authors' rules."""
        boxes = torch.atleast_2d(box)
        centre, side = crop_window(boxes, "3ddfa-detector" if detector else "3ddfa")
        half = (side.floor() if detector else side)[:, None] / 2  # theirs cuts off the detector's side
        return torch.cat([centre - half, centre + half], 1).reshape(box.shape)

    def landmarks(self, image: Tensor, box: Tensor) -> Tensor:
        """``(68, 3)`` in pixels of the picture."""
        return self.align(image, box).landmarks

    def vertices(self, image: Tensor, box: Tensor) -> Tensor:
        """All vertices of the model, ``(V, 3)`` in pixels of the picture; the landmarks where it has no others."""
        return self.align(image, box).vertices

    def parameters(self, image: Tensor, box: Tensor) -> Tensor:
        """``(62,)`` raw; the camera leads to pixels of the crop, y down, the first pixel's centre at (0, 0)."""
        return self.align(image, box).parameters

    @torch.inference_mode()
    def raw_parameters(self, image: Tensor, box: Tensor) -> Tensor:
        """``(62,)`` raw as the authors have them: y counts upward, and both axes start at 1."""
        boxes = _checked(image, box)
        whitened = self.aligner.answers(self.aligner.crops(image[None], boxes))
        return _as(box, self.statistics.unwhiten(whitened))

    @torch.inference_mode()
    def align(self, image: Tensor, box: Tensor) -> Alignment:
        """Landmarks, mesh, pose and parameters in one call."""
        boxes = _checked(image, box)
        landmarks, parameters = self.aligner(image[None], boxes)
        vertices = self.aligner.in_picture(project(self.model, parameters), boxes)
        angles = decompose(unpack(parameters).camera).angles
        return Alignment(*(_as(box, value) for value in (landmarks, vertices, angles, parameters)))


def load_tddfa(
    checkpoint: Checkpoint,
    statistics: str | os.PathLike[str] | ParameterStatistics,
    basis: str | os.PathLike[str] | MorphableModel,
) -> TddfaPredictor:
    """3DDFA_V2 of the authors, ready for evaluation.

    Args:
        checkpoint: path of a file of ``torch.save``, such as ``mb1_120x120.pth``, or a state dict. Keys may begin with
            ``module.``, and the state dict may lie in a mapping under ``state_dict``. The width is found from it. The
            branch ``fc_lm``, by which landmarks helped training, is left out, as the authors' code does.
        statistics: path of ``param_mean_std_62d_120x120.pkl``, or of ``param_whitening.pkl`` for weights of the older
            3DDFA; those that the weights were trained with. (The older code leaves points one pixel of the crop
            further right and down than is done here.) Of given statistics, cameras are as the authors have them.
        basis: folder with the face model, ``bfm_noneck_v3.pkl`` and ``tri.pkl``, or with its landmarks alone as the
            text files ``u_base``, ``w_shp_base``, ``w_exp_base``; or a model.
    Raises:
        FileNotFoundError: without a file. ValueError: when one holds anything else; the message has the first key that
            is missing, of another shape, or too many.
    """
    read = read_statistics(statistics)
    model = read_basis(basis, read)
    aligner = TddfaAligner(read_network(checkpoint), model, read)
    return TddfaPredictor(aligner.eval(), model, read)


def _checked(image: Tensor, box: Tensor) -> Tensor:
    """The boxes ``(N, 4)``."""
    if image.ndim != 3 or len(image) != 3 or not image.is_floating_point():
        raise ValueError(f"image: expected floating-point (3, H, W), got {image.dtype} {tuple(image.shape)}")
    if box.ndim not in (1, 2) or box.shape[-1] != 4 or not len(box):
        raise ValueError(f"box: expected (4,) or (N, 4), got {tuple(box.shape)}")
    boxes = torch.atleast_2d(box).to(image)
    whole = boxes.round()
    if not bool(boxes.isfinite().all()) or not bool((whole[:, 2:] > whole[:, :2]).all()):
        raise ValueError("box: expected finite x0, y0, x1, y1 of a crop of at least one pixel")
    return boxes


def _as(box: Tensor, value: Tensor) -> Tensor:
    return value[0] if box.ndim == 1 else value
