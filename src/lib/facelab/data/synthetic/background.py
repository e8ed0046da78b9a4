"""What is behind a synthetic face: two painted backdrops, cut, recoloured and joined at random."""

import torch
from torch import Tensor
from torch.nn import functional as F

from facelab.data.draws import Draws
from facelab.data.synthetic.plates import PLATE_SIZE, plates


def sample_backgrounds(draws: Draws, size: int) -> Tensor:
    """``(B, 3, size, size)`` float32 in [0, 1], without a face in them."""
    first, second = _cut(draws, size), _cut(draws, size)
    axis = torch.linspace(-0.5, 0.5, size)
    angle = draws.uniform(0, 6.2832)[:, None, None]
    edge = axis[None, None] * angle.cos() + axis[None, :, None] * angle.sin() - draws.uniform(-0.3, 0.3)[:, None, None]
    softness = (0.3 * draws.uniform(0, 1) ** 3 + 0.004)[:, None, None]
    joined = draws.chance(0.3)[:, None, None] * torch.sigmoid(edge / softness)
    picture = first + joined[:, None] * (second - first)
    gain, offset = draws.uniform(0.55, 1.3, 1) * draws.uniform(0.88, 1.12, 3), draws.uniform(-0.12, 0.12, 1)
    return (picture * gain[..., None, None] + offset[..., None, None]).clamp(0, 1)


def _cut(draws: Draws, size: int) -> Tensor:
    """Random windows of random backdrops, mirrored half of the time."""
    which = torch.randint(0, len(plates()), (draws.count,), generator=draws.generator)
    extent = draws.uniform(0.35, 1.0)
    flip = torch.where(draws.chance(0.5), -1.0, 1.0)
    centre = (1 - extent)[:, None] * draws.uniform(-1, 1, 2)
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    x = centre[:, :1] + (extent * flip)[:, None] * axis
    y = centre[:, 1:] + extent[:, None] * axis
    grid = torch.stack([x[:, None].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], 3)
    source = plates()[which].float() / 255
    shrink = max(1, PLATE_SIZE // (2 * size))  # fewer pixels asked for than there are: average blocks, skip none
    return F.grid_sample(
        F.avg_pool2d(source, shrink), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
