"""Trunks: the convolutions of networks for classification, which both kinds of heads see a picture through."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import DenseNet, ResNet
from torchvision.models.resnet import Bottleneck

_SMALLEST = 32  # side of a picture in pixels: all trunks halve five times
_CNN6 = "cnn6"
_LARGE = ("resnet50", "densenet121", "wide_resnet50_2", "resnet18")


class ImageNetColours(nn.Module):
    """Colours ``(B, 3, H, W)`` in [0, 1] as ImageNet's networks know them: of mean 0 and deviation 1 there."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.deviation


class HalfBottleneck(Bottleneck):
    """The bottleneck of torchvision with an output of twice, not four times, the width of its stage."""

    expansion = 2


def _resnet(blocks: int, inner: int) -> ResNet:
    """``blocks`` in each stage; ``inner`` is the width of the 3 x 3 convolutions of the first one."""
    return ResNet(HalfBottleneck, [blocks] * 4, width_per_group=inner)


# Made for 64 pixels and for the CPU. All but the thin one cost about the same number of multiply-adds, so the wide one
# is shallow: resnet-small is ResNet-50 at half its width with three blocks in each stage, wide-resnet-small is twice as
# wide inside with one. resnet-thin is the control: the layers of resnet-small at a quarter of its inner width.
SMALL_RESNETS: Mapping[str, Callable[[], ResNet]] = {
    "resnet-small": lambda: _resnet(blocks=3, inner=32),
    "wide-resnet-small": lambda: _resnet(blocks=1, inner=64),
    "resnet-thin": lambda: _resnet(blocks=3, inner=8),
}
_SMALL: Mapping[str, Callable[[], ResNet | DenseNet]] = {
    "densenet-small": lambda: DenseNet(growth_rate=24, block_config=(4, 8, 12, 8), num_init_features=48),
    **SMALL_RESNETS,
}
TRUNKS = (*_LARGE, _CNN6, *_SMALL)


def make_trunk(network: str, name: str, pretrained: bool = False) -> tuple[nn.Sequential, int]:
    """The convolutions of a network for classification, up to its last maps.

    Args:
        network: who asks, for messages.
        name: one of ``TRUNKS``: of torchvision; ``"cnn6"``, the five convolutions of Feng et al. 2018; or those of
            torchvision's classes that are small enough for the CPU.
        pretrained: start from ImageNet's weights, which torchvision downloads.
    Returns:
        The module, ``(B, 3, H, W)`` normal colours to ``(B, C, H / 32, W / 32)`` with H and W at least 32, and C.
        ``"cnn6"`` rounds the size of its maps down, the others round it up or down as their layers do.
    Raises:
        ValueError: on an unknown name, or where there are no weights to start from.
    """
    if name not in TRUNKS:
        raise ValueError(f"{network} trunk: expected one of {', '.join(TRUNKS)}, got {name!r}")
    if pretrained and name not in _LARGE:
        raise ValueError(
            f"{network} pretrained: there are no weights for {name}; expected a torchvision trunk: {', '.join(_LARGE)}"
        )
    if name == _CNN6:
        return _cnn6()
    if name in _SMALL:
        return _without_last(_SMALL[name]())
    return _without_last(torchvision.models.get_model(name, weights="DEFAULT" if pretrained else None))


def check_pictures(network: str, images: Tensor) -> None:
    """Refuses pictures that no trunk takes.

    Raises:
        ValueError: unless they are floating-point ``(B, 3, H, W)``, H and W at least 32.
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(
            f"{network} images: expected a floating-point tensor (B, 3, H, W), got {images.dtype} {tuple(images.shape)}"
        )
    height, width = images.shape[2:]
    if min(height, width) < _SMALLEST:
        raise ValueError(
            f"{network} images: expected at least {_SMALLEST} x {_SMALLEST} pixels, got {height} x {width}"
        )


def _without_last(network: ResNet | DenseNet) -> tuple[nn.Sequential, int]:
    if isinstance(network, DenseNet):
        return nn.Sequential(network.features, nn.ReLU()), network.classifier.in_features
    layers = list(network.named_children())[:-2]  # no pooling, no linear layer
    return nn.Sequential(OrderedDict(layers)), network.fc.in_features


def _cnn6() -> tuple[nn.Sequential, int]:
    """The convolutions of the plain network of the Wing paper (Feng et al. 2018, section 3), for 64 pixels.

    Batch normalisation is ours.
    """
    widths = (3, 32, 64, 128, 256, 512)
    layers = [
        layer
        for before, after in pairwise(widths)
        for layer in (
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
    ]
    return nn.Sequential(*layers), widths[-1]
