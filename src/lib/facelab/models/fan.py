"""The Face Alignment Network: stacked hourglasses that turn a picture into one heatmap a landmark."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from facelab.models.blocks import HPM, Bottleneck

Choice = TypeVar("Choice")
Block = Callable[[int, int], nn.Module]

_BLOCKS: dict[str, Block] = {"hpm": HPM, "bottleneck": Bottleneck}
_POOLS: dict[str, type[nn.Module]] = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}


class Hourglass(nn.Module):
    """One hourglass of a given depth: halve ``depth`` times, then double back, adding what each level kept.

    An hourglass of depth d holds one of depth d - 1 inside. ``(B, C, H, W) -> (B, C, H, W)``; H and W must be
    multiples of 2 ** depth. Source: Newell et al. 2016, section 3.1.
    """

    def __init__(self, depth: int, channels: int, block: Block, pool: type[nn.Module]) -> None:
        super().__init__()
        self.keep = block(channels, channels)
        self.pool = pool(2)
        self.down = block(channels, channels)
        inner_is_last = depth == 1
        self.inner = block(channels, channels) if inner_is_last else Hourglass(depth - 1, channels, block, pool)
        self.up = block(channels, channels)
        self.enlarge: nn.Module = nn.Upsample(scale_factor=2.0, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        low = self.up(self.inner(self.down(self.pool(x))))
        return self.keep(x) + self.enlarge(low)


class Stack(nn.Module):
    """One stage of FAN: hourglass, features, heatmaps, and what the next stage is given."""

    def __init__(self, width: int, depth: int, landmarks: int, block: Block, pool: type[nn.Module], last: bool) -> None:
        super().__init__()
        self.hourglass = Hourglass(depth, width, block, pool)
        self.block = block(width, width)
        self.features = nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.heatmaps = nn.Conv2d(width, landmarks, 1)
        self.from_features = None if last else nn.Conv2d(width, width, 1)
        self.from_heatmaps = None if last else nn.Conv2d(landmarks, width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(self.block(self.hourglass(x)))
        heatmaps = self.heatmaps(features)
        if self.from_features is None or self.from_heatmaps is None:
            return heatmaps, x
        return heatmaps, x + self.from_features(features) + self.from_heatmaps(heatmaps)


class FAN(nn.Module):
    """Face Alignment Network.

    Args:
        stacks: number of hourglasses. 1 to 4 of full width have 6.25, 12.11, 17.96 and 23.82 million parameters.
        landmarks: number of heatmaps, L.
        in_channels: 3 for a picture; 3 + L for the network that lifts 2D landmarks to 3D ones.
        block: ``"hpm"`` (the paper) or ``"bottleneck"`` (the hourglass paper).
        pool: ``"avg"`` (the authors' PyTorch code) or ``"max"`` (their training code).
        width: channels of the hourglasses, a multiple of 16, for bottlenecks of 8; 256 in the paper.
        depth: halvings of each hourglass; 4 in the paper.
    Shapes:
        ``(B, in_channels, H, W)`` to a list of ``stacks`` tensors ``(B, landmarks, H / 4, W / 4)``.
        H and W must be multiples of ``4 * 2 ** depth``.
    Raises:
        ValueError: on an unknown block or pool, a number that does not fit, or a picture of the wrong shape or dtype.
    Source: Bulat and Tzimiropoulos 2017, section 3; layers as in the authors' released code.
    """

    def __init__(
        self,
        stacks: int = 4,
        landmarks: int = 68,
        in_channels: int = 3,
        block: str = "hpm",
        pool: str = "avg",
        width: int = 256,
        depth: int = 4,
    ) -> None:
        super().__init__()
        for name, value in (
            ("stacks", stacks),
            ("landmarks", landmarks),
            ("in_channels", in_channels),
            ("depth", depth),
        ):
            if value < 1:
                raise ValueError(f"FAN {name}: expected at least 1, got {value}")
        make_block, make_pool = _choose("block", block, _BLOCKS), _choose("pool", pool, _POOLS)
        grain = 16 if block == "hpm" else 8  # the stem has a quarter of the channels, the block parts of that
        if width < grain or width % grain:
            raise ValueError(f"FAN width: expected a multiple of {grain}, got {width}")
        self.in_channels, self.reduction = in_channels, 4 * 2**depth
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width // 4, 7, stride=2, padding=3),
            nn.BatchNorm2d(width // 4),
            nn.ReLU(),
            make_block(width // 4, width // 2),
            make_pool(2),
            make_block(width // 2, width // 2),
            make_block(width // 2, width),
        )
        self.stacks = nn.ModuleList(
            Stack(width, depth, landmarks, make_block, make_pool, last=index == stacks - 1) for index in range(stacks)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        self._check(images)
        x = self.stem(images)
        heatmaps = []
        for stack in self.stacks:
            maps, x = stack(x)
            heatmaps.append(maps)
        return heatmaps

    def _check(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != self.in_channels or not torch.is_floating_point(images):
            raise ValueError(
                f"FAN images: expected a floating-point tensor (B, {self.in_channels}, H, W), "
                f"got {images.dtype} {tuple(images.shape)}"
            )
        height, width = images.shape[2:]
        if height % self.reduction or width % self.reduction:
            raise ValueError(
                f"FAN images: expected height and width to be multiples of {self.reduction} (the stem divides by 4, "
                f"each level of the hourglass by 2), got {height} x {width}"
            )


def _choose(name: str, value: str, choices: dict[str, Choice]) -> Choice:
    if value not in choices:
        raise ValueError(f"FAN {name}: expected one of {', '.join(choices)}, got {value!r}")
    return choices[value]
