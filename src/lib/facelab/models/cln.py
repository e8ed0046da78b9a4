"""CLN: two streams, one that sees the whole face and one that sees it with its tiles shuffled, to 62 parameters."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from facelab.face3d import ParameterStatistics
from facelab.face3d.parameters import PARAMETERS
from facelab.models.coordinate_attention import (
    ConvolutionInstead,
    CoordinateAttention,
    CoordinateAttentionTransformer,
)
from facelab.models.counting import parameters
from facelab.models.repvgg import REPVGG_TRUNKS, deployed
from facelab.models.whitening import WhitenedParameters, centred


def _convolution(channels: int) -> nn.Module:
    with torch.device("meta"):
        replaced = CoordinateAttentionTransformer(channels)
    return ConvolutionInstead(channels, parameters(replaced))


# From the channels of a map to what stands between trunk and pooling.
ATTENTIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),
    "coordinate": CoordinateAttention,
    "transformer": CoordinateAttentionTransformer,
    "convolution": _convolution,
}
_LOCAL = "local"  # the stream that sees the shuffled pictures
# The streams of each choice, by name.
STREAMS: Mapping[str, tuple[str, ...]] = {
    "both": ("global", _LOCAL),
    "global": ("global",),
    _LOCAL: (_LOCAL,),
    "two globals": ("global", "global again"),
}


class Outputs(NamedTuple):
    """What :class:`CLN` says of a batch of crops.

    Attributes:
        parameters: ``(B, 62)`` raw, with the camera to the pixels of the crop that the statistics were taken in.
        streams: what each stream says by itself, ``(B, 62)`` raw each, in the order of ``STREAMS``; while two streams
            are trained, else empty.
    """

    parameters: Tensor
    streams: tuple[Tensor, ...]


class Stream(nn.Module):
    """A trunk, attention, and the mean over the picture: centred colours ``(B, 3, H, W)`` to features ``(B, C)``.

    Attributes:
        trunk, attention: parts of it; ``attention(trunk(images))`` is the map that is averaged. channels: C.
    """

    def __init__(self, trunk: str, attention: str) -> None:
        super().__init__()
        self.trunk = REPVGG_TRUNKS[trunk]()
        self.channels = self.trunk.channels
        self.attention = ATTENTIONS[attention](self.channels)

    def forward(self, images: Tensor) -> Tensor:
        return self.attention(self.trunk(images)).mean((2, 3))


class CLN(WhitenedParameters):
    """The complementary learning network.

    Each stream is a RepVGG with weights of its own, attention, and the mean over the picture. One linear layer on the
    features of both gives the whitened parameters; see :class:`facelab.models.TDDFA` for these. Shuffling is for
    training: without shuffled pictures, both streams see the same ones.

    The paper says neither which RepVGG it takes nor how the streams come together. Code of its laboratory for one
    stream sends a picture and its shuffled copy through the same network and adds the losses of both answers. With two
    streams that cannot be had as it is; ours is to add the loss of the joint answer and those of each stream by itself,
    from a linear layer of its own that is left out in evaluation. So neither stream can leave the work to the other.

    Args:
        trunk: of each stream, one of ``REPVGG_TRUNKS``.
        statistics: of the training set; None for weights that will be loaded.
        attention: one of ``ATTENTIONS``: none; coordinate attention; with self-attention, our reading of the paper's
            module; or, a control, a convolution of as many parameters as the last of these.
        streams: one of ``STREAMS``: both; one of them; or, a control, two that both see the whole picture.
    Attributes:
        streams: :class:`Stream` by name.
    Shapes:
        ``(B, 3, H, W)`` RGB in [0, 1], and shuffled ones of the same shape, to :class:`Outputs`. The paper has
        224 x 224.
    Raises:
        ValueError: for an unknown name, or shuffled pictures of another shape.
    Source: "CLN: Complementary Learning Network For 3D Face Reconstruction And Dense Alignment", BMVC 2022, paper 870,
        supplement, sections 1.3 and 1.5.
    """

    def __init__(
        self,
        trunk: str = "a0",
        statistics: ParameterStatistics | None = None,
        attention: str = "transformer",
        streams: str = "both",
    ) -> None:
        super().__init__(statistics)
        for name, value, there in (
            ("trunk", trunk, REPVGG_TRUNKS),
            ("attention", attention, ATTENTIONS),
            ("streams", streams, STREAMS),
        ):
            if value not in there:
                raise ValueError(f"{name}: expected one of {', '.join(there)}, got {value!r}")
        made = {name: Stream(trunk, attention) for name in STREAMS[streams]}
        channels = {name: stream.channels for name, stream in made.items()}
        self.streams = nn.ModuleDict(made)
        self.head = nn.Linear(sum(channels.values()), PARAMETERS)
        alone = channels.items() if len(channels) > 1 else ()
        self.heads = nn.ModuleDict({name: nn.Linear(count, PARAMETERS) for name, count in alone})

    def forward(self, images: Tensor, shuffled: Tensor | None = None) -> Outputs:
        """Parameters of pictures, and of each stream while training.

        Args:
            images: what the global stream sees. shuffled: what the local one sees, if there is one; if None, the same.
        """
        if shuffled is not None and shuffled.shape != images.shape:
            raise ValueError(f"CLN shuffled: expected {tuple(images.shape)} as images, got {tuple(shuffled.shape)}")
        whole = centred(images)
        parts = whole if shuffled is None else centred(shuffled)
        features = {name: stream(parts if name == _LOCAL else whole) for name, stream in self.streams.items()}
        parameters = self.raw(self.head(torch.cat(list(features.values()), 1)))
        alone = tuple(self.raw(head(features[name])) for name, head in self.heads.items()) if self.training else ()
        return Outputs(parameters, alone)

    def deploy(self) -> "CLN":
        """A copy for evaluation, on the same device: every RepVGG block is one convolution, and the layers that train
        each stream by itself are gone. Its numbers are the network's but for rounding."""
        copied = deployed(self)
        copied.heads = nn.ModuleDict()
        return copied
