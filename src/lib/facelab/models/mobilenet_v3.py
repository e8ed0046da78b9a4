"""MobileNet, version 3 in its large form: a lighter trunk for 3DDFA_V2."""

import math

import torch
from torch import Tensor, nn

# Table 1 of the paper: kernel, channels inside, channels out, squeeze-and-excitation, hard-swish (else ReLU), stride.
_LAYERS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    *((5, 120, 40, True, False, 1),) * 2,
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    *((3, 184, 80, False, True, 1),) * 2,
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    *((5, 960, 160, True, True, 1),) * 2,
)
_FIRST_CHANNELS, _LAST_CHANNELS, _FEATURES = 16, 960, 1280  # the first and the features have no factor
_DIVISOR = 8  # channels are rounded up to whole multiples of this
_REDUCTION = 4  # of channels inside squeeze-and-excitation


def _convolved(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution, BN."""
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels)]


class SqueezeExcitation(nn.Module):
    """Weighs each channel by a number in [0, 1] that is made of the means of all: ``(B, C, H, W)`` to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // _REDUCTION
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, inner, bias=False),
            nn.ReLU(),
            nn.Linear(inner, channels, bias=False),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)[:, :, None, None]


class InvertedResidual(nn.Module):
    """1 x 1 up to many channels, a filter for each of them, 1 x 1 down to few, and a skip where the shapes agree."""

    def __init__(
        self, in_channels: int, inner: int, out_channels: int, kernel: int, stride: int, excite: bool, swish: bool
    ) -> None:
        super().__init__()
        activation = nn.Hardswish if swish else nn.ReLU
        self.body = nn.Sequential(
            *_convolved(in_channels, inner, 1),
            activation(inplace=True),
            *_convolved(inner, inner, kernel, stride, groups=inner),
            *([SqueezeExcitation(inner)] if excite else []),
            activation(inplace=True),
            *_convolved(inner, out_channels, 1),
        )
        self.skips = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.skips else self.body(x)


class MobileNetV3(nn.Module):
    """Fifteen inverted residuals, the mean over the picture, 1280 features, one linear layer.

    What 3DDFA_V2 changes in the network of Howard et al. is kept: the factor leaves the first 16 channels and the
    features alone, channels are rounded up, squeeze-and-excitation has no bias and stands before the activation.

    With 62 outputs there are 4.27, 2.71 and 1.47 million parameters at factors 1, 0.75 and 0.5, and 70.0, 45.8 and
    22.0 million multiply-adds at 120 x 120. The paper prints 1.65 and 27.4 million for 0.5: the parameters are those
    of 62 + 136 outputs, the branch of landmarks included, and its counter (``multiply_adds_as_printed``) gives 27.4
    for this network at 128 x 128, which the authors' code asks for.

    Args:
        width: factor on the channels.
        outputs: K, numbers for each picture; the 62 of a camera, an identity and an expression.
    Shapes:
        ``(B, 3, H, W)`` to ``(B, K)``. Sides are divided by 32, rounded up.
    Raises:
        ValueError: on a number that does not fit, or a picture of the wrong shape or dtype.
    Source: Howard et al. 2019, "Searching for MobileNetV3", table 1; Guo et al. 2020 (3DDFA_V2), supplement, section D.
    """

    def __init__(self, width: float = 1.0, outputs: int = 62) -> None:
        super().__init__()
        if not 0 < width < float("inf"):
            raise ValueError(f"MobileNetV3 width: expected a positive number, got {width}")
        if outputs < 1:
            raise ValueError(f"MobileNetV3 outputs: expected at least 1, got {outputs}")
        layers = [*_convolved(3, _FIRST_CHANNELS, 3, stride=2), nn.Hardswish(inplace=True)]
        channels = _FIRST_CHANNELS
        for kernel, inner, out, excite, swish, stride in _LAYERS:
            inner, out = _scaled(inner, width), _scaled(out, width)
            layers.append(InvertedResidual(channels, inner, out, kernel, stride, excite, swish))
            channels = out
        last = _scaled(_LAST_CHANNELS, width)
        layers += [*_convolved(channels, last, 1), nn.Hardswish(inplace=True), nn.AdaptiveAvgPool2d(1)]
        layers += [nn.Conv2d(last, _FEATURES, 1), nn.Hardswish(inplace=True), nn.Flatten()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(_FEATURES, outputs)

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] != 3 or not torch.is_floating_point(images):
            raise ValueError(
                f"MobileNetV3 images: expected a floating-point tensor (B, 3, H, W), "
                f"got {images.dtype} {tuple(images.shape)}"
            )
        return self.head(self.features(images))


def _scaled(channels: int, width: float) -> int:
    return math.ceil(channels * width / _DIVISOR) * _DIVISOR
