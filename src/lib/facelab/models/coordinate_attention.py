"""Coordinate attention, the transformer block that we read CLN's module as, and a convolution as a control."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

_FEWEST = 8  # channels inside coordinate attention


class AttentionMaps(NamedTuple):
    """What a map is multiplied by, in (0, 1).

    Attributes:
        rows: ``(B, C, H, 1)``, one number for each row of each channel. columns: ``(B, C, 1, W)``.
    """

    rows: Tensor
    columns: Tensor


class CoordinateAttention(nn.Module):
    r"""Weighs each channel at each place by a number for its row times one for its column.

    The means of the rows and those of the columns stand one after the other as a map of height H + W. A 1 x 1
    convolution to few channels, BN and hard-swish see both alike; then rows and columns go apart, each through a 1 x 1
    convolution and a sigmoid:

    .. math:: y_{chw} = x_{chw} \, r_{ch} \, k_{cw}.

    A row is weighed by what it holds, not by which one it is: rows or columns that change places change their weights
    with them. Where a row lies, the network knows from the padding of the convolutions before.

    Args:
        channels: C. reduction: of the channels inside, of which there are at least 8. The convolution before BN has no
            bias.
    Shapes:
        ``(B, C, H, W)`` to the same.
    Raises:
        ValueError: on a number below 1.
    Source: Hou, Zhou and Feng 2021, "Coordinate Attention for Efficient Mobile Network Design", section 3.2.
    """

    def __init__(self, channels: int, reduction: int = 32) -> None:
        super().__init__()
        if channels < 1 or reduction < 1:
            raise ValueError(
                f"coordinate attention: expected channels and reduction of at least 1, got {channels} and {reduction}"
            )
        inner = max(_FEWEST, channels // reduction)
        self.shared = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.Hardswish(inplace=True)
        )
        self.rows = nn.Conv2d(inner, channels, 1)
        self.columns = nn.Conv2d(inner, channels, 1)

    def maps(self, x: Tensor) -> AttentionMaps:
        """The weights of the rows and of the columns of ``(B, C, H, W)``."""
        height, width = x.shape[2:]
        means = torch.cat([x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(2, 3)], 2)
        rows, columns = self.shared(means).split([height, width], 2)
        return AttentionMaps(self.rows(rows).sigmoid(), self.columns(columns.transpose(2, 3)).sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.maps(x)
        return x * rows * columns


class CoordinateAttentionTransformer(nn.Module):
    r"""Coordinate attention, and one layer of self-attention between the places of the map that it steers.

    CLN names a "coordinate attention transformer" and says what it is for, not what it is. This is our reading: with
    :math:`x` the map as N = H W tokens of C channels, :math:`g` the weights of coordinate attention and L layer
    normalisation over the channels,

    .. math:: y = g x + W_o \, \mathrm{softmax}\left( \tfrac{1}{\sqrt{d}} Q(L(g x)) \, K(L(g x))^T \right) V(L(x)).

    The gate stands where a position code would: it decides which places look at which, and what they see there is
    the map as it was. :math:`W_o` is zero at first, so the block starts as coordinate attention alone.

    Args:
        channels: C. heads: of the self-attention. inner: channels of all heads together; if None, a quarter of C,
            rounded up to a whole multiple of the heads, so that the block stays light beside its trunk. reduction: as
            of :class:`CoordinateAttention`.
    Attributes:
        coordinates: the coordinate attention, for its maps.
    Shapes:
        ``(B, C, H, W)`` to the same.
    Raises:
        ValueError: on a number below 1, or inner channels that the heads do not divide.
    Source: ours, after Hou et al. 2021 and Vaswani et al. 2017, section 3.2.
    """

    def __init__(self, channels: int, heads: int = 4, inner: int | None = None, reduction: int = 32) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(f"coordinate attention transformer heads: expected at least 1, got {heads}")
        if inner is None:
            inner = -(-channels // (4 * heads)) * heads
        if inner < 1 or inner % heads:
            raise ValueError(
                f"coordinate attention transformer inner: expected a positive multiple of {heads} heads, got {inner}"
            )
        self.heads = heads
        self.coordinates = CoordinateAttention(channels, reduction)
        self.norm = nn.LayerNorm(channels)
        self.asked, self.asking, self.seen = (nn.Linear(channels, inner) for _ in range(3))
        self.out = nn.Linear(inner, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def weights(self, x: Tensor) -> Tensor:
        """Who looks where: ``(B, heads, N, N)``, each row the shares of one place, which sum to 1.

        Places are counted row by row.
        """
        return self._weights(self.coordinates(x))

    def forward(self, x: Tensor) -> Tensor:
        gated = self.coordinates(x)
        seen = self._split(self.seen(self.norm(_tokens(x))))
        attended = (self._weights(gated) @ seen).transpose(1, 2).flatten(2)
        return gated + self.out(attended).transpose(1, 2).unflatten(2, x.shape[2:])

    def _weights(self, gated: Tensor) -> Tensor:
        tokens = self.norm(_tokens(gated))
        asking, asked = self._split(self.asking(tokens)), self._split(self.asked(tokens))
        return (asking @ asked.transpose(2, 3) * asking.shape[3] ** -0.5).softmax(3)

    def _split(self, tokens: Tensor) -> Tensor:
        """Of the heads: ``(B, N, inner)`` to ``(B, heads, N, inner / heads)``."""
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)


def _tokens(maps: Tensor) -> Tensor:
    """``(B, C, H, W)`` to ``(B, H W, C)``."""
    return maps.flatten(2).transpose(1, 2)


class ConvolutionInstead(nn.Module):
    """A control: a 3 x 3 convolution in place of attention, with as many parameters and as residual.

    The map plus a 3 x 3 convolution of it to few channels, BN, hard-swish and a 1 x 1 convolution back, which is zero
    at first. The few channels are as many as bring the number of parameters next to ``parameters``.

    Args:
        channels: C. parameters: how many there are to be, within ``5 C + 1`` unless there are fewer than that.
    Shapes:
        ``(B, C, H, W)`` to the same.
    """

    def __init__(self, channels: int, parameters: int) -> None:
        super().__init__()
        inner = max(1, round((parameters - channels) / (10 * channels + 2)))
        self.body = nn.Sequential(
            nn.Conv2d(channels, inner, 3, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.Hardswish(inplace=True),
            nn.Conv2d(inner, channels, 1),
        )
        last = self.body[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)
