"""Direct regression: from picture to coordinates by a network for classification with another last layer."""

import torch
from torch import Tensor, nn

from facelab.markups import markup
from facelab.models.trunks import ImageNetColours, check_pictures, make_trunk


class DirectRegression(nn.Module):
    """Gives the coordinates of all landmarks at once, as a displacement from a mean shape or outright.

    Coordinates are in half sides of the picture from its centre, (-1, -1) is the upper left corner of the crop.
    Untrained, the network answers the mean shape, or the centre of the picture for every landmark.

    Args:
        landmarks: their number L, or the name of a mark-up.
        trunk: ``"resnet50"``, ``"densenet121"``, ``"wide_resnet50_2"``, which are the paper's, or another of
            ``facelab.models.TRUNKS``; ``"cnn6"``, five convolutions and a linear layer, and the small ones are for the
            CPU.
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
        self.colours = ImageNetColours()
        self.trunk, channels = make_trunk("DirectRegression", trunk, pretrained)
        self.pooling, features = _pooling(trunk, channels)
        self.last = nn.Linear(features, 2 * self.landmarks)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.register_buffer("mean_shape", _start(mean_shape, displacement, self.landmarks))

    def forward(self, images: Tensor) -> Tensor:
        check_pictures("DirectRegression", images)
        offsets: Tensor = self.last(self.pooling(self.trunk(self.colours(images))))
        return self.mean_shape + offsets.unflatten(1, (self.landmarks, 2))


def _pooling(trunk: str, channels: int) -> tuple[nn.Sequential, int]:
    """From the last maps to features, and how many: their mean, or what follows the convolutions of CNN-6.

    CNN-6 has 2 x 2 maps of a picture of 64 pixels, and a linear layer sees them all; others are brought to that size.
    """
    if trunk == "cnn6":
        wide = 1024
        return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, wide), nn.ReLU()), wide
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels


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
