"""ResNet-22: the heavy trunk of 3DDFA_V2, from a picture to the parameters of a face."""

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from facelab.models.trunks import check_pictures

_STAGES = ((3, 128), (4, 256), (3, 512))  # blocks and channels; each stage halves the picture


class ResNet22(nn.Module):
    """Two convolutions, ten residual blocks, one 1 x 1 convolution to the outputs, and the mean over the picture.

    With 62 outputs there are 18.45 million parameters, and 2656 million multiply-adds at 120 x 120; the paper prints
    2663, which also counts batch normalisation (``multiply_adds_as_printed``).

    Args:
        outputs: K, numbers for each picture; the 62 of a camera, an identity and an expression.
    Shapes:
        ``(B, 3, H, W)``, H and W at least 32, to ``(B, K)``; 3DDFA_V2 trains on 120 x 120.
    Raises:
        ValueError: if there is no output, or on a picture of the wrong shape or dtype.
    Source: Guo et al. 2020 (3DDFA_V2), supplement, section D; layers as in the authors' released code.
    """

    def __init__(self, outputs: int = 62) -> None:
        super().__init__()
        if outputs < 1:
            raise ValueError(f"ResNet22 outputs: expected at least 1, got {outputs}")
        layers = [*_convolved(3, 32, 5, stride=2), *_convolved(32, 64, 3)]
        channels = 64
        for blocks, wider in _STAGES:
            layers.append(BasicBlock(channels, wider, stride=2, downsample=_shortcut(channels, wider)))
            layers += [BasicBlock(wider, wider) for _ in range(blocks - 1)]
            channels = wider
        self.features = nn.Sequential(*layers)
        self.head = nn.Conv2d(channels, outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        check_pictures("ResNet22", images)
        return self.head(self.features(images)).mean((2, 3))


def _convolved(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Convolution, BN, ReLU."""
    return [
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]


def _shortcut(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, 2, bias=False), nn.BatchNorm2d(out_channels))
