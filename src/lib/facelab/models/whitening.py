"""What networks of the 62 parameters share: how they see pixels, and how whitened parameters become raw ones."""

import torch
from torch import Tensor, nn

from facelab.face3d import ParameterStatistics
from facelab.face3d.parameters import PARAMETERS


class WhitenedParameters(nn.Module):
    """A network that learns whitened parameters, whose mean is 0 and whose deviation is 1, so that all are as easy.

    The statistics that undo the whitening are saved with the weights.

    Args:
        statistics: of the training set; None for weights that will be loaded.
    Source: Guo et al. 2020, section 3.1; supplement, section C: pixels from 0 to 255 less 127.5, over 128.
    """

    def __init__(self, statistics: ParameterStatistics | None) -> None:
        super().__init__()
        known = statistics or ParameterStatistics(torch.zeros(PARAMETERS), torch.ones(PARAMETERS))
        self.register_buffer("mean", known.mean.clone())
        self.register_buffer("std", known.std.clone())

    @property
    def statistics(self) -> ParameterStatistics:
        """Those that undo the whitening."""
        return ParameterStatistics(self.get_buffer("mean"), self.get_buffer("std"))

    def raw(self, whitened: Tensor) -> Tensor:
        """Raw parameters ``(B, 62)`` of whitened ones, in float32."""
        return self.get_buffer("mean") + self.get_buffer("std") * whitened.float()


def centred(images: Tensor) -> Tensor:
    """Colours in [0, 1] as the networks see them, of about -1 to 1; 0.5 becomes 0."""
    return (255 * images - 127.5) / 128
