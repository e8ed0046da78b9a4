"""Direct regression: from picture to coordinates by a network for classification with another last layer."""

from itertools import pairwise

import torch
import torchvision
from torch import Tensor, nn

from facelab.markups import markup

TRUNKS = ("resnet50", "densenet121", "wide_resnet50_2", "resnet18", "cnn6")
_LAST = {"densenet121": "classifier"}  # the name of torchvision's last layer, "fc" in its ResNets
_SMALLEST = 32  # side of a picture in pixels: all trunks halve five times


class DirectRegression(nn.Module):
    """Gives the coordinates of all landmarks at once, as a displacement from a mean shape or outright.

    Coordinates are in half sides of the picture from its centre, (-1, -1) is the upper left corner of the crop.
    Untrained, the network answers the mean shape, or the centre of the picture for every landmark.

    Args:
        landmarks: their number L, or the name of a mark-up.
        trunk: ``"resnet50"``, ``"densenet121"``, ``"wide_resnet50_2"``, which are the paper's, or ``"resnet18"``, of
            torchvision; or ``"cnn6"`` for the CPU: five convolutions and a linear layer.
        mean_shape: ``(L, 2)`` in half sides; for the paper the mean of the means of the bins of pose. It is saved with
            the weights, and a network that will be loaded may be made with zeros.
        displacement: False: the network answers coordinates outright, and is given no mean shape.
        pretrained: start from ImageNet's weights, which torchvision downloads.
    Shapes:
        ``(B, 3, H, W)`` RGB in [0, 1], H and W at least 32, to ``(B, L, 2)``.
    Raises:
        ValueError: on an unknown trunk or mark-up, a mean shape that is missing, not wanted or of the wrong shape, no
            weights to start from, or a picture of the wrong shape or dtype.
    Source: Rayhan et al. 2020, sections 3.2 and 4.
    """

    mean: Tensor
    deviation: Tensor
    mean_shape: Tensor

    def __init__(
        self,
        landmarks: int | str = 68,
        trunk: str = "resnet50",
        mean_shape: Tensor | None = None,
        displacement: bool = True,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        self.landmarks = markup(landmarks).points if isinstance(landmarks, str) else landmarks
        if self.landmarks < 1:
            raise ValueError(f"DirectRegression landmarks: expected at least 1, got {landmarks}")
        self.trunk, features = _trunk(trunk, pretrained)
        self.last = nn.Linear(features, 2 * self.landmarks)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.register_buffer("mean_shape", _start(mean_shape, displacement, self.landmarks))
        # Colours as ImageNet's networks know them.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        _check(images)
        offsets: Tensor = self.last(self.trunk((images - self.mean) / self.deviation))
        return self.mean_shape + offsets.unflatten(1, (self.landmarks, 2))


def _trunk(name: str, pretrained: bool) -> tuple[nn.Module, int]:
    """A network without its last layer, and how many features it gives."""
    if name not in TRUNKS:
        raise ValueError(f"DirectRegression trunk: expected one of {', '.join(TRUNKS)}, got {name!r}")
    if name == "cnn6":
        if pretrained:
            raise ValueError("DirectRegression pretrained: there are no weights for cnn6; expected a torchvision trunk")
        return _cnn6(), 1024
    network = torchvision.models.get_model(name, weights="DEFAULT" if pretrained else None)
    last = _LAST.get(name, "fc")
    features = getattr(network, last).in_features
    setattr(network, last, nn.Identity())
    return network, features


def _cnn6() -> nn.Sequential:
    """The plain network of the Wing paper (Feng et al. 2018, section 3), for pictures of about 64 pixels.

    Batch normalisation is ours. The maps are brought to 2 x 2, which they are for 64 pixels.
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
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * widths[-1], 1024), nn.ReLU()
    )  # fmt: skip


def _start(mean_shape: Tensor | None, displacement: bool, landmarks: int) -> Tensor:
    """What the untrained network answers."""
    if not displacement:
        if mean_shape is not None:
            raise ValueError("DirectRegression mean_shape: expected none without displacement")
        return torch.zeros(landmarks, 2)
    if mean_shape is None:
        raise ValueError(f"DirectRegression mean_shape: expected ({landmarks}, 2) coordinates to displace, got none")
    if mean_shape.shape != (landmarks, 2) or not bool(mean_shape.isfinite().all()):
        raise ValueError(
            f"DirectRegression mean_shape: expected ({landmarks}, 2) finite numbers, got {tuple(mean_shape.shape)}"
        )
    return mean_shape.detach().clone().float()


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(
            f"DirectRegression images: expected a floating-point tensor (B, 3, H, W), got {images.dtype} "
            f"{tuple(images.shape)}"
        )
    height, width = images.shape[2:]
    if min(height, width) < _SMALLEST:
        raise ValueError(
            f"DirectRegression images: expected at least {_SMALLEST} x {_SMALLEST} pixels, got {height} x {width}"
        )
