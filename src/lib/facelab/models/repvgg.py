"""RepVGG: blocks of three branches for training, which are one 3 x 3 convolution for everything after it."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from facelab.models.trunks import check_pictures

Network = TypeVar("Network", bound=nn.Module)
_BASE = (64, 64, 128, 256, 512)  # channels of the stem and of the four stages at factor 1


def _convolved(in_channels: int, out_channels: int, kernel: int, stride: int) -> nn.Sequential:
    """Convolution, BN."""
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels))


class RepVGGBlock(nn.Module):
    r"""ReLU of the sum of a 3 x 3 convolution, a 1 x 1 convolution and the input itself, each with its own BN.

    The third branch is there where stride is 1 and the channels agree. Without the ReLU, all of it is linear once BN
    uses its running statistics, so it is one 3 x 3 convolution with bias. BN scales by
    :math:`\gamma / \sigma` and shifts by :math:`\beta - \mu \gamma / \sigma`, with :math:`\sigma^2` its running
    variance plus its :math:`\epsilon`; a 1 x 1 kernel is the centre of a 3 x 3 one that is 0 elsewhere, and the input
    itself is the 1 x 1 kernel that is the unit matrix:

    .. math:: W = \sum_b \frac{\gamma_b}{\sigma_b} W_b, \qquad
              a = \sum_b \left( \beta_b - \mu_b \frac{\gamma_b}{\sigma_b} \right).

    Shapes:
        ``(B, C_in, H, W)`` to ``(B, C_out, H', W')``; sides are divided by the stride, rounded up.
    Source: Ding et al. 2021, "RepVGG: Making VGG-style ConvNets Great Again", section 3.3.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.dense = _convolved(in_channels, out_channels, 3, stride)
        self.pointwise = _convolved(in_channels, out_channels, 1, stride)
        self.identity = nn.BatchNorm2d(in_channels) if stride == 1 and in_channels == out_channels else None

    def forward(self, x: Tensor) -> Tensor:
        total = self.dense(x) + self.pointwise(x)
        return torch.relu(total if self.identity is None else total + self.identity(x))

    @torch.no_grad()
    def kernel_and_bias(self) -> tuple[Tensor, Tensor]:
        """Those of the one convolution that the block is in evaluation: ``(C_out, C_in, 3, 3)``, ``(C_out,)``, float64.

        The sums are in double precision, so that they add no rounding to that of the branches.
        """
        dense, dense_norm = _parts(self.dense)
        pointwise, pointwise_norm = _parts(self.pointwise)
        branches = [_scaled(dense.weight, dense_norm)]
        branches.append(_scaled(pad(pointwise.weight, (1, 1, 1, 1)), pointwise_norm))
        if self.identity is not None:
            unit = torch.eye(self.identity.num_features, device=self.identity.weight.device)
            branches.append(_scaled(pad(unit[:, :, None, None], (1, 1, 1, 1)), self.identity))
        kernels, biases = zip(*branches, strict=True)
        return torch.stack(kernels).sum(0), torch.stack(biases).sum(0)

    def deploy(self) -> nn.Sequential:
        """The block in evaluation as one 3 x 3 convolution with bias, and ReLU; a copy, without gradients."""
        trained, _ = _parts(self.dense)
        kernel, bias = self.kernel_and_bias()
        with torch.device("meta"):  # its own numbers are replaced at once
            one = nn.Conv2d(trained.in_channels, trained.out_channels, 3, self.stride, padding=1)
        one.weight = nn.Parameter(torch.empty_like(trained.weight).copy_(kernel), requires_grad=False)
        one.bias = nn.Parameter(bias.to(trained.weight), requires_grad=False)
        return nn.Sequential(one, nn.ReLU(inplace=True)).eval()


def _parts(branch: nn.Sequential) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    return cast(tuple[nn.Conv2d, nn.BatchNorm2d], tuple(branch))


def _scaled(kernel: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution and the BN after it, in float64."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return kernel.double() * scale[:, None, None, None], norm.bias.double() - norm.running_mean.double() * scale


def deployed(network: Network) -> Network:
    """A copy of a network in evaluation mode, without gradients, in which every RepVGG block is one convolution.

    Later training of the network does not reach the copy.
    """
    copied = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(copied.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, RepVGGBlock):
                setattr(module, name, child.deploy())
    return copied


class RepVGG(nn.Module):
    """A stem and four stages of RepVGG blocks; the first of each changes the size of the maps. A trunk: no head.

    ===========  =============  =========================  ==================================================
    name         blocks         factors on the widths      used for
    ===========  =============  =========================  ==================================================
    ``"a0"``     2, 4, 14, 1    0.75, 0.75, 0.75, 2.5      our CLN, the paper names none; 9.11 million parameters
                                                           with a last layer to 1000 classes, 8.31 deployed
    ``"a1"``     2, 4, 14, 1    1, 1, 1, 2.5               14.09 and 12.79 million
    ``"short"``  1, 2, 4, 1     0.75, 0.75, 0.75, 2.5      64 pixels on a CPU: the last stage keeps the size
    ===========  =============  =========================  ==================================================

    ``REPVGG_TRUNKS`` has them by name, ``"a0 x0.5"`` at half the channels, and so on; ``"x0.35"`` costs about twice as
    much as ``"x0.25"``.

    Args:
        blocks: of the stages. widths: factors on their channels, 64, 128, 256 and 512; the stem has those of the first
            stage, at most 64. strides: of the stem and of the first blocks of the stages.
        width: factor on all channels.
    Attributes:
        channels: C, of the maps. stride: pixels of the picture that one of the maps stands for.
    Shapes:
        ``(B, 3, H, W)``, H and W at least 32, to ``(B, C, H / 32, W / 32)``, rounded up; ``"short"`` divides by 16.
    Raises:
        ValueError: on numbers that do not fit, or a picture of the wrong shape or dtype.
    Source: Ding et al. 2021, tables 2 and 3; ``"short"`` is ours.
    """

    def __init__(
        self,
        blocks: Sequence[int] = (2, 4, 14, 1),
        widths: Sequence[float] = (0.75, 0.75, 0.75, 2.5),
        strides: Sequence[int] = (2, 2, 2, 2, 2),
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if (len(blocks), len(widths), len(strides)) != (4, 4, 5) or min(*blocks, *strides) < 1 or min(widths) <= 0:
            raise ValueError(
                f"RepVGG: expected 4 blocks and 5 strides of at least 1 and 4 positive widths, got {tuple(blocks)}, "
                f"{tuple(strides)} and {tuple(widths)}"
            )
        if not 0 < width < float("inf"):
            raise ValueError(f"RepVGG width: expected a positive number, got {width}")
        factors = (min(1.0, widths[0]), *widths)
        channels = [max(1, round(base * factor * width)) for base, factor in zip(_BASE, factors, strict=True)]
        self.stem = RepVGGBlock(3, channels[0], strides[0])
        stages = zip(pairwise(channels), blocks, strides[1:], strict=True)
        self.stages = nn.Sequential(*(_stage(*ends, count, stride) for ends, count, stride in stages))
        self.channels, self.stride = channels[-1], math.prod(strides)

    def forward(self, images: Tensor) -> Tensor:
        check_pictures("RepVGG", images)
        return self.stages(self.stem(images))

    def deploy(self) -> "RepVGG":
        """A copy in which every block is one convolution; see :func:`deployed`."""
        return deployed(self)


def _stage(in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = RepVGGBlock(in_channels, channels, stride)
    return nn.Sequential(first, *(RepVGGBlock(channels, channels) for _ in range(blocks - 1)))


_FORMS: Mapping[str, Callable[..., RepVGG]] = {
    "a0": RepVGG,
    "a1": partial(RepVGG, widths=(1.0, 1.0, 1.0, 2.5)),
    "short": partial(RepVGG, blocks=(1, 2, 4, 1), strides=(2, 2, 2, 2, 1)),
}
REPVGG_TRUNKS: Mapping[str, Callable[[], RepVGG]] = {
    f"{name} x{width}" if width < 1 else name: partial(form, width=width)
    for name, form in _FORMS.items()
    for width in (1.0, 0.5, 0.35, 0.25)
}
