"""The depth network of FAN: a picture and its 2D landmarks to one depth a landmark."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

_CELLS = 7  # a side of the last map that the released network averages
_REDUCTION = 32
_POOLS = ("mean", "corner")


class FANDepth(nn.Module):
    """Residual network that gives the depth of each landmark from the picture and where its landmarks are.

    Args:
        landmarks: L, depths given and maps taken.
        blocks: bottlenecks of the four stages. The default is ResNet-152, 58.50 million parameters.
        width: channels of the first stage's 3 x 3 convolutions; 64 in the paper. Each stage doubles it.
        pool: over which cells of the last map features are averaged. ``"mean"``: all. ``"corner"``: the upper left
            7 x 7, which is what the released network does: its ``AvgPool2d(7)`` meets an 8 x 8 map when the picture
            has 256 x 256 pixels, so the last row and the last column count for nothing.
    Shapes:
        ``(B, 3 + L, H, W)`` to ``(B, L)``. The first 3 channels are the picture, RGB in [0, 1]; then comes one
        Gaussian map a landmark, of the size of the picture, peak 1, standard deviation 3.25 pixels in the released
        code. Depths are in pixels of that picture, like x and y. With ``"corner"`` a side has 193 to 416 pixels,
        so that the last map has room for the 7 x 7 cells once.
    Raises:
        ValueError: on a number that does not fit, or an input of the wrong shape or dtype.
    Source: Bulat and Tzimiropoulos 2017, 2D-to-3D-FAN extended to 3D; layers as in the authors' released code.
    """

    def __init__(
        self,
        landmarks: int = 68,
        blocks: Sequence[int] = (3, 8, 36, 3),
        width: int = 64,
        pool: str = "mean",
    ) -> None:
        super().__init__()
        if len(blocks) != 4 or min(blocks) < 1:
            raise ValueError(f"FANDepth blocks: expected four numbers of at least 1, got {tuple(blocks)}")
        if landmarks < 1 or width < 1:
            raise ValueError(f"FANDepth: expected at least 1 landmark and width 1, got {landmarks} and {width}")
        if pool not in _POOLS:
            raise ValueError(f"FANDepth pool: expected one of {', '.join(_POOLS)}, got {pool!r}")
        self.in_channels, self.corner = 3 + landmarks, pool == "corner"
        self.stem = nn.Sequential(
            nn.Conv2d(self.in_channels, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        stages, channels = [], width
        for index, count in enumerate(blocks):
            stages.append(_stage(channels, width * 2**index, count, stride=1 if index == 0 else 2))
            channels = Bottleneck.expansion * width * 2**index
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AvgPool2d(_CELLS) if self.corner else nn.AdaptiveAvgPool2d(1)
        self.depths = nn.Linear(channels, landmarks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, guided: Tensor) -> Tensor:
        self._check(guided)
        features: Tensor = self.pool(self.stages(self.stem(guided)))
        depths: Tensor = self.depths(features.flatten(1))
        return depths

    def _check(self, guided: Tensor) -> None:
        if guided.ndim != 4 or guided.shape[1] != self.in_channels or not torch.is_floating_point(guided):
            raise ValueError(
                f"FANDepth input: expected a floating-point tensor (B, {self.in_channels}, H, W), a picture and "
                f"{self.in_channels - 3} maps, got {guided.dtype} {tuple(guided.shape)}"
            )
        least, most = (_CELLS - 1) * _REDUCTION + 1, (2 * _CELLS - 1) * _REDUCTION
        if self.corner and not all(least <= side <= most for side in guided.shape[2:]):
            raise ValueError(
                f"FANDepth input: expected sides of {least} to {most} pixels with pool 'corner', "
                f"got {guided.shape[2]} x {guided.shape[3]}; pool 'mean' takes any size"
            )


def _stage(in_channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """Bottlenecks of one resolution; the first changes resolution and channels, and its skip does too."""
    out_channels = Bottleneck.expansion * width
    skip = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))
    first = Bottleneck(in_channels, width, stride, skip)
    return nn.Sequential(first, *(Bottleneck(out_channels, width) for _ in range(blocks - 1)))
