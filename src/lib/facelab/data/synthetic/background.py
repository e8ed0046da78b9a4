"""What is behind a synthetic face: two painted backdrops, cut, recoloured and joined at random."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from facelab.data.draws import Draws
from facelab.data.synthetic.plates import PLATE_SIZE, plates


@dataclass(frozen=True)
class Window:
    """A square cut out of each of some plates.

    Attributes:
        plate: ``(B,)`` int64. centre: ``(B, 2)`` in half sides of the plate from its middle. extent: ``(B, 2)`` half
            its sides in the same unit; the first is negative where the cut is mirrored.
    """

    plate: Tensor
    centre: Tensor
    extent: Tensor


@dataclass(frozen=True)
class Backdrop:
    """What to paint behind the faces of a batch; small, so that it can be drawn at random far from where it is painted.

    Attributes:
        first, second: the two cuts. edge: ``(B, 4)``: a line (cosine, sine, distance from the middle in sides) and the
            softness of the change from one cut to the other. joined: ``(B,)``: 0 where there is only the first.
        gain, offset: ``(B, 3)`` of the colours.
    """

    first: Window
    second: Window
    edge: Tensor
    joined: Tensor
    gain: Tensor
    offset: Tensor

    @staticmethod
    def plain(colour: Tensor, count: int) -> "Backdrop":
        """One colour ``(3,)`` behind all."""
        nothing = colour.new_zeros(count)
        window = Window(nothing.long(), nothing[:, None].expand(-1, 2), 1 + nothing[:, None].expand(-1, 2))
        edge = colour.new_tensor([1.0, 0.0, 0.0, 1.0]).expand(count, -1)
        return Backdrop(window, window, edge, nothing, nothing[:, None].expand(-1, 3), colour.expand(count, -1))

    def paint(self, size: int) -> Tensor:
        """``(B, 3, size, size)`` float32 in [0, 1], on the device of the backdrop."""
        first, second = _cut(self.first, size), _cut(self.second, size)
        axis = torch.linspace(-0.5, 0.5, size).to(self.edge)
        cosine, sine, distance, softness = self.edge[..., None, None].unbind(1)
        edge = axis[None, None] * cosine + axis[None, :, None] * sine - distance
        joined = self.joined[:, None, None] * torch.sigmoid(edge / softness)
        picture = first + joined[:, None] * (second - first)
        return (picture * self.gain[..., None, None] + self.offset[..., None, None]).clamp(0, 1)


def sample_backdrops(draws: Draws) -> Backdrop:
    """Backdrops without a face in them."""
    first, second = _sample_window(draws), _sample_window(draws)
    angle, distance = draws.uniform(0, 6.2832), draws.uniform(-0.3, 0.3)
    softness = 0.3 * draws.uniform(0, 1) ** 3 + 0.004
    return Backdrop(
        first,
        second,
        edge=torch.stack([angle.cos(), angle.sin(), distance, softness], 1),
        joined=draws.chance(0.3).float(),
        gain=draws.uniform(0.55, 1.3, 1) * draws.uniform(0.88, 1.12, 3),
        offset=draws.uniform(-0.12, 0.12, 1).expand(-1, 3),
    )


def _sample_window(draws: Draws) -> Window:
    plate = torch.randint(0, len(plates()), (draws.count,), generator=draws.generator)
    extent = draws.uniform(0.35, 1.0)
    flip = torch.where(draws.chance(0.5), -1.0, 1.0)
    centre = (1 - extent)[:, None] * draws.uniform(-1, 1, 2)
    return Window(plate, centre, torch.stack([extent * flip, extent], 1))


def _cut(window: Window, size: int) -> Tensor:
    axis = ((torch.arange(size) + 0.5) / size * 2 - 1).to(window.extent)
    x, y = (window.centre[..., None] + window.extent[..., None] * axis).unbind(1)
    grid = torch.stack([x[:, None].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], 3)
    source = _plates_on(window.plate.device)[window.plate].float() / 255
    shrink = max(1, PLATE_SIZE // (2 * size))  # fewer pixels asked for than there are: average blocks, skip none
    if shrink > 1:
        source = F.avg_pool2d(source, shrink)
    return F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)


@lru_cache(maxsize=8)
def _plates_on(device: torch.device) -> Tensor:
    return plates().to(device)
