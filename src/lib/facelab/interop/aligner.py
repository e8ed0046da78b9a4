"""A network with crop and decode in it: a picture and boxes in, landmarks in pixels of the picture out."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facelab.face3d import MorphableModel, ParameterStatistics
from facelab.face3d.parameters import EXPRESSION_PARAMETERS, IDENTITY_PARAMETERS, PARAMETERS, unpack


class Aligned(NamedTuple):
    """Landmarks ``(N, 68, 3)`` in pixels of the picture; raw parameters ``(N, 62)``, with cameras to pixels of the
    crop, y down."""

    landmarks: Tensor
    parameters: Tensor


class Placed(NamedTuple):
    """Where the pixels of a crop lie in the picture: centre of the first, and the way to the next, ``(N, 2)`` each."""

    first: Tensor
    step: Tensor


class Aligner(nn.Module):
    """Crops, network, and landmarks of the parameters, as one module without branches that depend on values.

    Args:
        network: gives ``(B, >= 62)`` for RGB crops in [0, 1], or a tuple that begins with it; the first 62 numbers are
            the parameters.
        model: whose landmarks are made; modes that it lacks are left out.
        statistics: by which the network's parameters are whitened; None where they are raw.
        size: of the crop in pixels.
        samples: of the picture along each side of a crop's pixel, whose mean it is. One skips pixels where a crop
            shrinks the picture more than twofold, two where it does so more than fourfold.
    Shapes:
        picture ``(1, 3, H, W)`` RGB in [0, 1] and boxes ``(N, 4)`` x0, y0, x1, y1 of square crops to :class:`Aligned`.
        A box is the window of :func:`facelab.data.crops.crop_window`: its middle less and plus half its side.
    Raises:
        ValueError: when the model lacks landmarks.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        network: nn.Module,
        model: MorphableModel,
        statistics: ParameterStatistics | None = None,
        size: int = 120,
        samples: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.samples = samples
        points = model.landmark_model()
        modes = (points.identity[:IDENTITY_PARAMETERS], points.expression[:EXPRESSION_PARAMETERS])
        self.modes = (len(modes[0]), len(modes[1]))
        self.register_buffer("mean", points.mean.flatten())
        self.register_buffer("basis", torch.cat(modes).flatten(1))
        whole = torch.ones(PARAMETERS)
        self.register_buffer("scale", whole if statistics is None else statistics.std.clone())
        self.register_buffer("offset", 0 * whole if statistics is None else statistics.mean.clone())

    def forward(self, image: Tensor, boxes: Tensor) -> Aligned:
        parameters = self.parameters_of(self.crops(image, boxes))
        return Aligned(self.in_picture(self._in_crop(parameters), boxes), parameters)

    def crops(self, image: Tensor, boxes: Tensor) -> Tensor:
        """What the network sees, ``(N, 3, size, size)``: bilinear, zero outside the picture."""
        placed = self.placed(boxes)
        fine = self.size * self.samples
        count = torch.arange(fine, device=boxes.device, dtype=boxes.dtype)
        steps = (count + 0.5) / self.samples - 0.5
        crops = sampled(image, placed.first[:, None] + steps[:, None] * placed.step[:, None])
        return F.avg_pool2d(crops, self.samples) if self.samples > 1 else crops

    def placed(self, boxes: Tensor) -> Placed:
        """Where crops lie, and with them the landmarks."""
        step = (boxes[:, 2:] - boxes[:, :2]) / self.size
        return Placed(boxes[:, :2] + 0.5 * step, step)

    def answers(self, crops: Tensor) -> Tensor:
        """The 62 numbers that the network says of crops ``(N, 3, size, size)``."""
        given = self.network(crops)
        return (given if isinstance(given, Tensor) else given[0])[:, :PARAMETERS]

    def parameters_of(self, crops: Tensor) -> Tensor:
        """Raw parameters ``(N, 62)`` of crops, with cameras to their pixels, y down."""
        return self.answers(crops) * self.scale + self.offset

    def in_picture(self, points: Tensor, boxes: Tensor) -> Tensor:
        """Points ``(N, V, 3)`` in pixels of crops, to those of the picture; z is scaled as the picture is."""
        placed = self.placed(boxes)
        depth = placed.step.mean(1, keepdim=True)
        step = torch.cat([placed.step, depth], 1)
        return points * step[:, None] + F.pad(placed.first, (0, 1))[:, None]

    def _in_crop(self, parameters: Tensor) -> Tensor:
        camera, identity, expression = unpack(parameters)
        modes = torch.cat([identity[:, : self.modes[0]], expression[:, : self.modes[1]]], 1)
        axes = torch.addmm(self.mean, modes, self.basis).unflatten(1, (3, -1))
        return torch.baddbmm(camera[:, :, 3:], camera[:, :, :3], axes).transpose(1, 2)


def sampled(image: Tensor, places: Tensor) -> Tensor:
    """The picture ``(1, C, H, W)`` at columns ``places[n, :, 0]`` and rows ``places[n, :, 1]``, ``(N, C, S, S)``.

    Bilinear between pixel centres, the first of which is at 0; zero outside.

    Args:
        places: ``(N, S, 2)`` pixels of the picture, which make a grid for each n.
    """
    height, width = image.shape[2], image.shape[3]
    side = places.shape[1]
    unit = torch.stack([(2 * places[..., 0] + 1) / width - 1, (2 * places[..., 1] + 1) / height - 1], 2)
    columns = unit[:, None, :, 0].expand(-1, side, -1)
    rows = unit[:, :, None, 1].expand(-1, -1, side)
    # The grids lie below one another, so that the picture is not copied for each box.
    grid = torch.stack([columns, rows], 3).reshape(1, -1, side, 2)
    found = F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return found[0].unflatten(1, (-1, side)).transpose(0, 1)
