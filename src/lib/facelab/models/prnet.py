"""PRNet: from a picture to a UV position map, a dense face without a morphable model."""

import torch
from torch import Tensor, nn

_FIRST_CHANNELS = 16
_KERNEL = 4
# Both in multiples of the first channels: what each pair of residual blocks gives, the first of stride 2; and
# channels and stride of the transposed convolutions up to the last three, which have the 3 of a position.
_ENCODER = (2, 4, 8, 16, 32)
_DECODER = (
    (32, 1), (16, 2), (16, 1), (16, 1), (8, 2), (8, 1), (8, 1),
    (4, 2), (4, 1), (4, 1), (2, 2), (2, 1), (1, 2), (1, 1),
)  # fmt: skip
_REDUCTION = 2 ** len(_ENCODER)
_REACH = 1.1  # sides of the picture that a share of 1 stands for


class PRNet(nn.Module):
    """One convolution, ten residual blocks down to a 32nd of the side, seventeen transposed convolutions back up.

    All kernels that see more than one pixel are 4 x 4. The map is read with :func:`positions_of`.

    There are 13.35, 0.84 and 0.21 million parameters at factors 1, 0.25 and 0.125, as 3DDFA_V2 prints. The 6190, 434
    and 134 million multiply-adds that it prints count four times too much in transposed convolutions of stride 2
    (``multiply_adds_as_printed``); the network does 4129, 295 and 94 million at 256 x 256.

    Args:
        width: factor on the channels, a multiple of 1/16.
    Shapes:
        ``(B, 3, S, S)`` to ``(B, 3, S, S)`` in (0, 1), S a multiple of 32; 256 in the paper.
    Raises:
        ValueError: on a factor that does not fit, or a picture of the wrong shape or dtype.
    Source: Feng et al. 2018, "Joint 3D face reconstruction and dense alignment with position map regression network",
        section 3.3; kernels and padding as in the authors' released code.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        if not 0 < width < float("inf") or width * _FIRST_CHANNELS % 1:
            raise ValueError(f"PRNet width: expected a positive multiple of {1 / _FIRST_CHANNELS}, got {width}")
        size = channels = int(width * _FIRST_CHANNELS)
        layers: list[nn.Module] = [*_square(3, size, 1), *_activated(size)]
        for multiple in _ENCODER:
            layers += [_Residual(channels, size * multiple, 2), _Residual(size * multiple, size * multiple, 1)]
            channels = size * multiple
        for multiple, stride in _DECODER:
            layers += [*_transposed(channels, size * multiple, stride), *_activated(size * multiple)]
            channels = size * multiple
        layers += [*_transposed(channels, 3, 1), *_activated(3), *_transposed(3, 3, 1), *_activated(3)]
        self.layers = nn.Sequential(*layers, *_transposed(3, 3, 1), nn.BatchNorm2d(3), nn.Sigmoid())

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] != 3 or not torch.is_floating_point(images):
            raise ValueError(
                f"PRNet images: expected a floating-point tensor (B, 3, S, S), got {images.dtype} {tuple(images.shape)}"
            )
        height, width = images.shape[2:]
        if height != width or height % _REDUCTION:
            raise ValueError(
                f"PRNet images: expected squares of a side that is a multiple of {_REDUCTION}, got {height} x {width}"
            )
        return self.layers(images)


class _Residual(nn.Module):
    """1 x 1 down to half the channels, 4 x 4, 1 x 1 up; BN and ReLU come after the sum."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, half, 1, bias=False),
            *_activated(half),
            *_square(half, half, stride),
            *_activated(half),
            nn.Conv2d(half, out_channels, 1, bias=False),
        )
        same = stride == 1 and in_channels == out_channels
        self.skip = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        self.after = nn.Sequential(*_activated(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.body(x) + self.skip(x))


def positions_of(maps: Tensor, side: int) -> Tensor:
    """Points in pixels of the picture, of maps of shares.

    ``(x, y, z) = 1.1 side (share - (0, 0, 1/2))``. The paper's code has z of each face begin at 0; ours is 0 in the
    middle of what a map can say, so that no face has an offset of its own.

    Args:
        maps: ``(B, 3, ...)``, as PRNet gives them. side: of the picture, in pixels.
    """
    return _REACH * side * (maps - _middle(maps))


def shares_of(positions: Tensor, side: int) -> Tensor:
    """Maps of shares, PRNet's targets, of points in pixels: what :func:`positions_of` undoes.

    A point more than a tenth beyond the right or lower edge, or at all beyond the others, has a share out of [0, 1],
    which PRNet cannot answer.

    Args:
        positions: ``(B, 3, ...)``, x right, y down, z about 0. side: of the picture, in pixels.
    """
    return positions / (_REACH * side) + _middle(positions)


def _middle(like: Tensor) -> Tensor:
    return like.new_tensor([0.0, 0.0, 0.5]).view(3, *[1] * (like.ndim - 2))


def _activated(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


def _square(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    """A 4 x 4 convolution to ``1 / stride`` of the side."""
    if stride == 2:
        return [nn.Conv2d(in_channels, out_channels, _KERNEL, 2, padding=1, bias=False)]
    return [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(in_channels, out_channels, _KERNEL, bias=False)]


def _transposed(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    """A 4 x 4 transposed convolution to ``stride`` times the side.

    With stride 1 it is a convolution, and written as one: that can be folded and leaves no border to cut off.
    """
    if stride == 2:
        return [nn.ConvTranspose2d(in_channels, out_channels, _KERNEL, 2, padding=1, bias=False)]
    return [nn.ZeroPad2d((2, 1, 2, 1)), nn.Conv2d(in_channels, out_channels, _KERNEL, bias=False)]
