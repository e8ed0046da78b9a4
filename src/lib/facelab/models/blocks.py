"""Building blocks of the hourglass networks."""

import torch
from torch import Tensor, nn


def _pre_activated(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    """BN, ReLU, convolution: normalisation comes before the weights, so the sum of a block stays untouched."""
    return nn.Sequential(
        nn.BatchNorm2d(in_channels),
        nn.ReLU(),
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
    )


def _skip(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Identity() if in_channels == out_channels else _pre_activated(in_channels, out_channels, 1)


class HPM(nn.Module):
    """The hierarchical, parallel and multi-scale block.

    Three 3 x 3 convolutions in a chain; all three outputs are kept, so one block sees 3 x 3, 5 x 5 and 7 x 7
    neighbourhoods at once. ``(B, C_in, H, W) -> (B, C_out, H, W)``, C_out a multiple of 4.

    Source: Bulat and Tzimiropoulos 2017, "Binarized convolutional landmark localizers", section 4; FAN, section 3.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        if out_channels % 4:
            raise ValueError(f"HPM out_channels: expected a multiple of 4, got {out_channels}")
        half, quarter = out_channels // 2, out_channels // 4
        self.first = _pre_activated(in_channels, half, 3)
        self.second = _pre_activated(half, quarter, 3)
        self.third = _pre_activated(quarter, quarter, 3)
        self.skip = _skip(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)  # (B, C_out / 2, H, W)
        second = self.second(first)  # (B, C_out / 4, H, W)
        third = self.third(second)  # (B, C_out / 4, H, W)
        return torch.cat([first, second, third], 1) + self.skip(x)


class Bottleneck(nn.Module):
    """The block HPM replaced: 1 x 1 down to half the channels, 3 x 3, 1 x 1 up, plus the skip.

    ``(B, C_in, H, W) -> (B, C_out, H, W)``, C_out even. Source: Newell et al. 2016, section 3.2.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        if out_channels % 2:
            raise ValueError(f"Bottleneck out_channels: expected an even number, got {out_channels}")
        half = out_channels // 2
        self.body = nn.Sequential(
            _pre_activated(in_channels, half, 1), _pre_activated(half, half, 3), _pre_activated(half, out_channels, 1)
        )
        self.skip = _skip(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.skip(x)
