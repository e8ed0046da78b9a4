"""The networks of the two-stage method: detection of parts, regression of heatmaps, regression of depth."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import ResNet

from facelab.models.blocks import Bottleneck
from facelab.models.fan import Hourglass
from facelab.models.trunks import SMALL_RESNETS, ImageNetColours

_LARGE = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
_TRUNKS = (*_LARGE, *SMALL_RESNETS)
_TRUNK_STRIDE = 16  # of a ResNet whose fifth block keeps its resolution
_HEAD_STRIDE = 4
_NEW = 0.01  # deviation of the new filters of the depth network


class PartDetection(nn.Module):
    """Finds each landmark as a disc: one map of logits a landmark, as large as the picture.

    A ResNet without its pooling and its last layer, whose fifth block keeps the resolution of the fourth; then a
    deconvolution and a 1 x 1 convolution, and a bilinear enlargement to the picture's size.

    Args:
        landmarks: N. trunk: a ResNet of torchvision by name, the paper has ``"resnet152"``; or one of
            ``SMALL_RESNETS``.
        pretrained: start from ImageNet's weights, which torchvision downloads; else He's initialisation.
        prior: what the untrained network answers everywhere. The paper's zeros answer one half, although discs take a
            few thousandths of a map: to learn that alone takes a thousand steps.
    Shapes:
        ``(B, 3, H, W)`` RGB in [0, 1] to ``(B, N, H, W)``; H and W multiples of 32.
    Raises:
        ValueError: on an unknown trunk, one without weights to start from, or a picture of the wrong shape or dtype.
    Source: Bulat and Tzimiropoulos 2016 (3DFAW), section 2.1. The paper sends to its parent for the layers after the
    trunk: a 1 x 1 convolution to N maps before the deconvolution, and the enlargement, are from there.
    """

    def __init__(
        self, landmarks: int = 66, trunk: str = "resnet152", pretrained: bool = False, prior: float = 0.5
    ) -> None:
        super().__init__()
        if not 0 < prior < 1:
            raise ValueError(f"PartDetection prior: expected a number between 0 and 1, got {prior}")
        _positive("PartDetection", landmarks=landmarks)
        resnet = _resnet(trunk, pretrained)
        channels = resnet.fc.in_features
        _keep_resolution(resnet.layer4)
        self.colours = ImageNetColours()
        self.trunk = nn.Sequential(
            resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool,
            resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4,
        )  # fmt: skip
        self.reduce = nn.Conv2d(channels, landmarks, 1)
        self.enlarge = deconvolution(landmarks, _HEAD_STRIDE)
        self.score = nn.Conv2d(landmarks, landmarks, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.constant_(self.score.bias, math.log(prior / (1 - prior)))  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        _check("PartDetection images", images, 3, 2 * _TRUNK_STRIDE)
        features = self.trunk(self.colours(images))
        scores = self.score(self.enlarge(self.reduce(features)))
        return nn.functional.interpolate(scores, images.shape[2:], mode="bilinear", align_corners=False)


class PartRegression(nn.Module):
    """Refines what the detection found: discs and the picture to one Gaussian a landmark.

    An hourglass that doubles its resolution by learnt deconvolutions instead of by repeating pixels, and one more
    deconvolution that brings its maps to the size of the picture. Untrained it draws empty maps.

    Args:
        landmarks: N. width: channels of the hourglass. depth: its halvings. blocks: bottlenecks at each of its places.
        head: channels of the layers after it.
    Shapes:
        ``(B, 3 + N, H, W)``, picture and probabilities of the detection, to ``(B, N, H, W)``; H and W multiples of 4.
        Where the hourglass cannot halve evenly, its input is filled up with zeros.
    Raises:
        ValueError: on a number that does not fit, or an input of the wrong shape or dtype.
    Source: Bulat and Tzimiropoulos 2016 (3DFAW), section 2.1; the numbers of channels are the parent paper's.
    """

    def __init__(self, landmarks: int = 66, width: int = 256, depth: int = 4, blocks: int = 3, head: int = 512) -> None:
        super().__init__()
        _positive("PartRegression", landmarks=landmarks, width=width, depth=depth, blocks=blocks, head=head)
        if width % 8:
            raise ValueError(f"PartRegression width: expected a multiple of 8, got {width}")
        self.in_channels, self.cells = 3 + landmarks, 2**depth
        self.stem = nn.Sequential(
            nn.Conv2d(self.in_channels, width // 4, 7, stride=2, padding=3),
            nn.BatchNorm2d(width // 4),
            nn.ReLU(),
            Bottleneck(width // 4, width // 2),
            nn.MaxPool2d(2),
            Bottleneck(width // 2, width // 2),
            Bottleneck(width // 2, width),
        )
        self.hourglass = Hourglass(depth, width, _several(blocks), nn.MaxPool2d)
        for module in list(self.hourglass.modules()):
            if isinstance(module, Hourglass):
                module.enlarge = deconvolution(width, 2)
        self.features = nn.Sequential(_convolved(width, head), _convolved(head, head))
        self.heatmaps = nn.Conv2d(head, landmarks, 1)
        nn.init.zeros_(self.heatmaps.weight)
        nn.init.zeros_(self.heatmaps.bias)  # type: ignore[arg-type]
        self.enlarge = deconvolution(landmarks, _HEAD_STRIDE)

    def forward(self, stacked: Tensor) -> Tensor:
        _check("PartRegression input", stacked, self.in_channels, _HEAD_STRIDE)
        seen = self.stem(stacked)
        height, width = seen.shape[2:]
        filled = nn.functional.pad(seen, (0, -width % self.cells, 0, -height % self.cells))
        features = self.features(self.hourglass(filled)[:, :, :height, :width])
        heatmaps: Tensor = self.enlarge(self.heatmaps(features))
        return heatmaps


class Parts(NamedTuple):
    """What a cascade draws: logits of the detection, heatmaps of the regression; None of a network it lacks."""

    logits: Tensor | None
    heatmaps: Tensor | None


class PartCascade(nn.Module):
    """Detection, then regression that sees what was detected; or one of the two alone.

    Args:
        detection: None for a regression that sees the picture and empty maps. regression: None for a detection whose
            maps are the answer. frozen: the detection neither learns nor changes the running means of its
            normalisation.
    Shapes:
        ``(B, 3, H, W)`` to logits and heatmaps, both ``(B, N, H, W)``.
    Raises:
        ValueError: without either network.
    Source: Bulat and Tzimiropoulos 2016 (3DFAW), figure 1.
    """

    def __init__(
        self, detection: PartDetection | None, regression: PartRegression | None, frozen: bool = False
    ) -> None:
        super().__init__()
        if detection is None and regression is None:
            raise ValueError("PartCascade: expected a detection, a regression, or both")
        self.detection, self.regression, self.frozen = detection, regression, frozen
        if detection is not None:
            detection.requires_grad_(not frozen)

    def train(self, mode: bool = True) -> "PartCascade":
        super().train(mode)
        if self.frozen and self.detection is not None:
            self.detection.eval()
        return self

    def forward(self, images: Tensor) -> Parts:
        logits = None if self.detection is None else self.detection(images)
        return Parts(logits, None if self.regression is None else self.refine(images, logits))

    def refine(self, images: Tensor, logits: Tensor | None) -> Tensor:
        """Heatmaps from pictures and the logits of a detection, or from pictures and empty maps.

        Raises:
            ValueError: if there is no regression.
        """
        if self.regression is None:
            raise ValueError("PartCascade: has no regression")
        height, width = images.shape[2:]
        empty = images.new_zeros(len(images), self.regression.in_channels - 3, height, width)
        heatmaps: Tensor = self.regression(torch.cat([images, empty if logits is None else logits.sigmoid()], 1))
        return heatmaps


class DepthRegression(nn.Module):
    """Gives the depth of each landmark from the picture and the heatmaps of where it is.

    A residual network with pre-activation: batch normalisation and ReLU stand before each convolution, and once more
    before the pooling.

    Args:
        landmarks: N. blocks: bottlenecks of B2 to B5. ResNet-200 has (3, 24, 36, 3); the paper's table prints 38 in the
            place of 36, surely a slip.
        width: channels of the first 3 x 3 convolutions; 64 in the paper.
    Shapes:
        ``(B, 3 + N, H, W)``, picture and heatmaps, to ``(B, N)`` pixels.
    Raises:
        ValueError: on a number that does not fit, or an input of the wrong shape or dtype.
    Source: Bulat and Tzimiropoulos 2016 (3DFAW), section 2.2, figure 2 and table 1; He et al. 2016, "Identity mappings
    in deep residual networks". New filters, those of the heatmaps and of the last layer, start from N(0, 0.01).
    """

    def __init__(self, landmarks: int = 66, blocks: Sequence[int] = (3, 24, 36, 3), width: int = 64) -> None:
        super().__init__()
        if len(blocks) != 4 or min(blocks) < 1:
            raise ValueError(f"DepthRegression blocks: expected four numbers of at least 1, got {tuple(blocks)}")
        _positive("DepthRegression", landmarks=landmarks, width=width)
        self.in_channels = 3 + landmarks
        self.stem = nn.Sequential(
            nn.Conv2d(self.in_channels, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        widths = [width * 2**index for index in range(4)]
        outputs = [width, *(4 * each for each in widths)]
        self.stages = nn.Sequential(
            *(
                _stage(before, inner, after, count, stride=1 if index == 0 else 2)
                for index, (inner, count, (before, after)) in enumerate(
                    zip(widths, blocks, pairwise(outputs), strict=True)
                )
            )
        )
        self.last = nn.Sequential(nn.BatchNorm2d(outputs[-1]), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.depths = nn.Linear(outputs[-1], landmarks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        first = self.stem[0]
        assert isinstance(first, nn.Conv2d)
        with torch.no_grad():
            first.weight[:, 3:].normal_(0, _NEW)
        nn.init.normal_(self.depths.weight, 0, _NEW)
        nn.init.zeros_(self.depths.bias)

    def forward(self, guided: Tensor) -> Tensor:
        _check("DepthRegression input", guided, self.in_channels, 1)
        depths: Tensor = self.depths(self.last(self.stages(self.stem(guided))))
        return depths


class TwoStage(nn.Module):
    """Picture to heatmaps, picture and heatmaps to depths.

    Args:
        cascade: with a regression. depth: for the same landmarks.
    Shapes:
        ``(B, 3, H, W)`` to heatmaps ``(B, N, H, W)`` and depths ``(B, N)`` in pixels.
    Source: Bulat and Tzimiropoulos 2016 (3DFAW), figure 1.
    """

    def __init__(self, cascade: PartCascade, depth: DepthRegression) -> None:
        super().__init__()
        self.cascade, self.depth = cascade, depth

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        heatmaps = self.cascade(images).heatmaps
        return heatmaps, self.depth(torch.cat([images, heatmaps], 1))


class PreActivatedBottleneck(nn.Module):
    """1 x 1 to fewer channels, 3 x 3, 1 x 1 to four times as many, each after BN and ReLU, plus the skip.

    Where resolution or channels change, the skip is a 1 x 1 convolution of the activated input.
    """

    def __init__(self, in_channels: int, width: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.activate = nn.Sequential(nn.BatchNorm2d(in_channels), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, out_channels, 1, bias=False),
        )
        changes = in_channels != out_channels or stride != 1
        self.skip = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activate(x)
        kept: Tensor = x if self.skip is None else self.skip(activated)
        return kept + self.body(activated)


def deconvolution(channels: int, stride: int) -> nn.ConvTranspose2d:
    """A learnable enlargement by ``stride``, an even number, that starts as bilinear interpolation of each channel.

    Source: Long et al. 2015, "Fully convolutional networks", section 3.3.
    """
    if stride < 2 or stride % 2:
        raise ValueError(f"deconvolution stride: expected an even number of at least 2, got {stride}")
    layer = nn.ConvTranspose2d(channels, channels, 2 * stride, stride, padding=stride // 2, bias=False)
    distance = (torch.arange(2 * stride) - (stride - 0.5)).abs() / stride
    bell = (1 - distance).clamp_min(0)
    with torch.no_grad():
        layer.weight.zero_()
        index = torch.arange(channels)
        layer.weight[index, index] = bell[:, None] * bell
    return layer


def _stage(in_channels: int, width: int, out_channels: int, count: int, stride: int) -> nn.Sequential:
    first = PreActivatedBottleneck(in_channels, width, out_channels, stride)
    return nn.Sequential(
        first, *(PreActivatedBottleneck(out_channels, width, out_channels, 1) for _ in range(count - 1))
    )


def _several(count: int) -> Callable[[int, int], nn.Module]:
    """So many bottlenecks in the place of one block."""

    def made(in_channels: int, out_channels: int) -> nn.Module:
        first = Bottleneck(in_channels, out_channels)
        return nn.Sequential(first, *(Bottleneck(out_channels, out_channels) for _ in range(count - 1)))

    return made


def _convolved(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU())


def _resnet(trunk: str, pretrained: bool) -> ResNet:
    """One of ``_TRUNKS``, with its last layers."""
    if trunk not in _TRUNKS:
        raise ValueError(f"PartDetection trunk: expected one of {', '.join(_TRUNKS)}, got {trunk!r}")
    if pretrained and trunk not in _LARGE:
        raise ValueError(f"PartDetection pretrained: expected one of {', '.join(_LARGE)}, got {trunk!r}")
    if trunk in SMALL_RESNETS:
        return SMALL_RESNETS[trunk]()
    network: ResNet = torchvision.models.get_model(trunk, weights="DEFAULT" if pretrained else None)
    return network


def _keep_resolution(layer: nn.Module) -> None:
    """Takes the stride out of a stage of a ResNet: the one of its body and the one of its skip."""
    for module in layer.modules():
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
            module.stride = (1, 1)


def _positive(network: str, **numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{network} {name}: expected at least 1, got {value}")


def _check(name: str, images: Tensor, channels: int, multiple: int) -> None:
    if images.ndim != 4 or images.shape[1] != channels or not images.is_floating_point():
        raise ValueError(
            f"{name}: expected a floating-point tensor (B, {channels}, H, W), got {images.dtype} {tuple(images.shape)}"
        )
    if images.shape[2] % multiple or images.shape[3] % multiple:
        raise ValueError(
            f"{name}: expected height and width to be multiples of {multiple}, got "
            f"{images.shape[2]} x {images.shape[3]}"
        )
