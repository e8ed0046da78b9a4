"""Heatmaps by a network for classification whose last maps are enlarged by learnt deconvolutions."""

from itertools import pairwise

from torch import Tensor, nn

from facelab.markups import markup
from facelab.models.trunks import ImageNetColours, check_pictures, make_trunk

_STRIDE = 32  # of the trunk


class HeatmapRegression(nn.Module):
    """Draws one heatmap a landmark, at a quarter of the picture's resolution; untrained it draws zeros.

    The trunk of :class:`facelab.models.DirectRegression`, three transposed convolutions that double the resolution
    each, and a 1 x 1 convolution: what differs from direct regression is the head alone.

    Args:
        landmarks: their number L, or the name of a mark-up.
        trunk: one of ``facelab.models.TRUNKS``.
        width: channels of the transposed convolutions, 256 in the paper.
        pretrained: start from ImageNet's weights, which torchvision downloads.
    Shapes:
        ``(B, 3, H, W)`` RGB in [0, 1], H and W multiples of 32, to ``(B, L, H / 4, W / 4)``.
    Raises:
        ValueError: on an unknown trunk or mark-up, a number that does not fit, no weights to start from, or a picture
            of the wrong shape or dtype.
    Source: Xiao, Wu and Wei 2018, "Simple baselines for human pose estimation and tracking", section 2.
    """

    def __init__(
        self, landmarks: int | str = 68, trunk: str = "resnet50", width: int = 64, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.landmarks = markup(landmarks).points if isinstance(landmarks, str) else landmarks
        for name, value in (("landmarks", self.landmarks), ("width", width)):
            if value < 1:
                raise ValueError(f"HeatmapRegression {name}: expected at least 1, got {value}")
        self.colours = ImageNetColours()
        self.trunk, channels = make_trunk("HeatmapRegression", trunk, pretrained)
        self.enlarge = nn.Sequential(
            *(_doubled(before, after) for before, after in pairwise((channels, width, width, width)))
        )
        self.last = nn.Conv2d(width, self.landmarks, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        check_pictures("HeatmapRegression", images)
        height, width = images.shape[2:]
        if height % _STRIDE or width % _STRIDE:
            raise ValueError(
                f"HeatmapRegression images: expected height and width to be multiples of {_STRIDE}, got "
                f"{height} x {width}"
            )
        heatmaps: Tensor = self.last(self.enlarge(self.trunk(self.colours(images))))
        return heatmaps


def _doubled(in_channels: int, out_channels: int) -> nn.Sequential:
    enlarge = nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False)
    nn.init.normal_(enlarge.weight, std=0.001)  # as the paper's released code does
    return nn.Sequential(enlarge, nn.BatchNorm2d(out_channels), nn.ReLU())
