"""MobileNet, version 1: the light trunk of 3DDFA_V2, from a picture to the parameters of a face."""

import torch
from torch import Tensor, nn

# Output channels at full width and stride of the depthwise-separable layers, after a first convolution to 32.
_LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
_FIRST_CHANNELS = 32
_DIVISOR = 4  # channels are whole multiples of this at every width


def _convolved(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution, BN, ReLU."""
    return [
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]


def _separable(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    """A 3 x 3 filter for each channel, then a 1 x 1 convolution that mixes them: an eighth of the work of one."""
    depthwise = _convolved(in_channels, in_channels, 3, stride, groups=in_channels)
    return depthwise + _convolved(in_channels, out_channels, 1)


class MobileNetV1(nn.Module):
    """Thirteen depthwise-separable layers, the mean over the picture, one linear layer.

    Args:
        width: factor on the channels of every layer. At 1, 0.75 and 0.5, with 62 outputs, there are 3.27, 1.86 and
            0.85 million parameters.
        outputs: K, numbers for each picture; the 62 of a camera, an identity and an expression.
    Shapes:
        ``(B, 3, H, W)`` to ``(B, K)``; 3DDFA_V2 trains on 120 x 120. Sides are divided by 32, rounded up.
    Raises:
        ValueError: on a number that does not fit, or a picture of the wrong shape or dtype.
    Source: Howard et al. 2017, "MobileNets", table 1; Guo et al. 2020 (3DDFA_V2), section 4.4.
    """

    def __init__(self, width: float = 1.0, outputs: int = 62) -> None:
        super().__init__()
        if not 0 < width < float("inf") or (width * _FIRST_CHANNELS) % _DIVISOR:
            step = _DIVISOR / _FIRST_CHANNELS
            raise ValueError(f"MobileNetV1 width: expected a positive multiple of {step}, got {width}")
        if outputs < 1:
            raise ValueError(f"MobileNetV1 outputs: expected at least 1, got {outputs}")
        channels = int(width * _FIRST_CHANNELS)
        layers = _convolved(3, channels, 3, stride=2)
        for full, stride in _LAYERS:
            layers += _separable(channels, int(width * full), stride)
            channels = int(width * full)
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, outputs)

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] != 3 or not torch.is_floating_point(images):
            raise ValueError(
                f"MobileNetV1 images: expected a floating-point tensor (B, 3, H, W), "
                f"got {images.dtype} {tuple(images.shape)}"
            )
        return self.head(self.features(images).mean((2, 3)))
