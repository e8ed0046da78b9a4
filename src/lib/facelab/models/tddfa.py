"""3DDFA_V2: one trunk, one linear layer, and out come the 62 parameters of a face (Guo et al. 2020)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from facelab.face3d import ParameterStatistics
from facelab.face3d.parameters import PARAMETERS
from facelab.models.mobilenet import MobileNetV1
from facelab.models.mobilenet_v3 import MobileNetV3
from facelab.models.resnet22 import ResNet22
from facelab.models.whitening import WhitenedParameters, centred

LANDMARKS = 68
# From the number of outputs to a trunk with a last layer of that many.
PARAMETER_TRUNKS: Mapping[str, Callable[[int], nn.Module]] = {
    "mobilenet": partial(MobileNetV1, 1.0),
    "mobilenet x0.75": partial(MobileNetV1, 0.75),
    "mobilenet x0.5": partial(MobileNetV1, 0.5),
    "mobilenet x0.25": partial(MobileNetV1, 0.25),
    "mobilenet-v3": partial(MobileNetV3, 1.0),
    "mobilenet-v3 x0.5": partial(MobileNetV3, 0.5),
    "resnet-22": ResNet22,
}


class Answer(NamedTuple):
    """What :class:`TDDFA` says of a batch of crops.

    Attributes:
        parameters: ``(B, 62)`` raw, with the camera to the pixels of the crop that the statistics were taken in.
        landmarks: ``(B, 68, 2)`` of the landmark branch in half sides of the crop from its centre; None without it.
    """

    parameters: Tensor
    landmarks: Tensor | None


class TDDFA(WhitenedParameters):
    """From a crop to the 62 parameters, by way of whitened ones, and while training to landmarks besides.

    The trunk answers whitened parameters; the statistics that undo this are saved with the weights. The landmark branch
    regularises: a second linear layer on the same features regresses the landmarks. Two linear layers on the same
    features are the rows of one, so it is 136 further outputs of the trunk's last layer.

    Args:
        trunk: one of ``PARAMETER_TRUNKS``. statistics: of the training set; None for weights that will be loaded.
        landmarks: whether there is a landmark branch.
    Shapes:
        ``(B, 3, H, W)`` RGB in [0, 1] to :class:`Answer`.
    Raises:
        ValueError: for an unknown trunk.
    Source: Guo et al. 2020, sections 3.1 and 3.2; supplement, section C: pixels from 0 to 255 less 127.5, over 128.
    """

    def __init__(self, trunk: str, statistics: ParameterStatistics | None = None, landmarks: bool = False) -> None:
        super().__init__(statistics)
        if trunk not in PARAMETER_TRUNKS:
            raise ValueError(f"trunk: expected one of {', '.join(PARAMETER_TRUNKS)}, got {trunk!r}")
        self.trunk = PARAMETER_TRUNKS[trunk](PARAMETERS + landmarks * 2 * LANDMARKS)

    def forward(self, images: Tensor) -> Answer:
        answer = self.trunk(centred(images)).float()
        whitened, points = answer[:, :PARAMETERS], answer[:, PARAMETERS:]
        return Answer(self.raw(whitened), points.unflatten(1, (LANDMARKS, 2)) if points.shape[1] else None)
