"""A small VRN: from a picture to a volume that says which cells lie inside the face."""

import torch
from torch import Tensor, nn

from facelab.models.blocks import HPM
from facelab.models.fan import Hourglass


class VRN(nn.Module):
    """Volumetric regression network: hourglasses whose channels at the end are the slices of a volume.

    The network of the paper has two hourglasses, a picture of 192 pixels and 200 slices of 192 x 192 cells; this one
    has the hourglass and the blocks of FAN, and works at half the picture's size, so that it trains on a CPU at 64
    pixels. There is no supervision between the hourglasses.

    Args:
        slices: D, cells along z, counted towards the viewer as ``facelab.face3d.voxelize`` has them.
        stacks: hourglasses, one after the other.
        width: channels, a multiple of 8. depth: halvings of each hourglass.
        fine: cells are as small as pixels (S' = S), by one transposed convolution more; else twice as large
            (S' = S / 2).
    Shapes:
        ``(B, 3, S, S)`` to logits ``(B, D, S', S')``: the probability that a cell is inside is their sigmoid.
        S must be a multiple of ``2 * 2 ** depth``.
    Raises:
        ValueError: on a number that does not fit, or a picture of the wrong shape or dtype.
    Source: Jackson et al. 2017, "Large pose 3D face reconstruction from a single image via direct volumetric CNN
        regression", section 4 ("unguided").
    """

    def __init__(self, slices: int = 32, stacks: int = 2, width: int = 64, depth: int = 4, fine: bool = False) -> None:
        super().__init__()
        for name, value in (("slices", slices), ("stacks", stacks), ("depth", depth)):
            if value < 1:
                raise ValueError(f"VRN {name}: expected at least 1, got {value}")
        if width < 8 or width % 8:
            raise ValueError(f"VRN width: expected a multiple of 8, got {width}")
        self.reduction = 2 * 2**depth
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 2, 7, stride=2, padding=3, bias=False),
            *_activated(width // 2),
            HPM(width // 2, width),
        )
        self.hourglasses = nn.Sequential(*[Hourglass(depth, width, HPM, nn.AvgPool2d) for _ in range(stacks)])
        enlarge = [nn.ConvTranspose2d(width, width, 4, 2, padding=1, bias=False), *_activated(width)] if fine else []
        self.volume = nn.Sequential(*_activated(width), *enlarge, nn.Conv2d(width, slices, 1))

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] != 3 or not torch.is_floating_point(images):
            raise ValueError(
                f"VRN images: expected a floating-point tensor (B, 3, S, S), got {images.dtype} {tuple(images.shape)}"
            )
        height, width = images.shape[2:]
        if height != width or height % self.reduction:
            raise ValueError(
                f"VRN images: expected squares of a side that is a multiple of {self.reduction}, got {height} x {width}"
            )
        return self.volume(self.hourglasses(self.stem(images)))


def _activated(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU()]
