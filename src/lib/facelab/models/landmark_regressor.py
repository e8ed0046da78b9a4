"""A small network from picture to points, for measurements that must be cheap."""

from itertools import pairwise

import torch
from torch import Tensor, nn


class _Residual(nn.Module):
    """Two 3 x 3 convolutions and a skip; halves the resolution. ``(B, C_in, H, W) -> (B, C_out, H / 2, W / 2)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.skip = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.skip(x))


class LandmarkRegressor(nn.Module):
    """Four residual stages, then two linear layers: ``(B, 3, 64, 64)`` RGB in [0, 1] to ``(B, points, 2)``.

    The output is in half sides of the picture from its centre: -1 is the left or upper border. Every picture is
    brought to mean 0 and deviation 1 first.

    Args:
        points: number of landmarks. mean_shape: ``(points, 2)`` that the network corrects; zeros if not given.
    """

    def __init__(self, points: int = 68, mean_shape: Tensor | None = None) -> None:
        super().__init__()
        self.points = points
        self.register_buffer("mean_shape", torch.zeros(points, 2) if mean_shape is None else mean_shape.clone())
        widths = (3, 24, 48, 96, 160)
        self.stages = nn.Sequential(*(_Residual(a, b) for a, b in pairwise(widths)))
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.1), nn.Linear(160 * 16, 320), nn.ReLU(), nn.Linear(320, 2 * points)
        )

    def forward(self, images: Tensor) -> Tensor:
        mean, deviation = images.mean((1, 2, 3), keepdim=True), images.std((1, 2, 3), keepdim=True)
        offset = self.head(self.stages((images - mean) / (deviation + 0.05)))
        return self.mean_shape + offset.unflatten(1, (self.points, 2))
