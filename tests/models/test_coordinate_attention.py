"""Coordinate attention by its definition, the self-attention it steers, and the convolution that stands for both."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab.models import CoordinateAttention, CoordinateAttentionTransformer
from facelab.models.coordinate_attention import ConvolutionInstead

CHANNELS, HEIGHT, WIDTH = 12, 5, 7
BLOCKS = {
    "coordinate": lambda: CoordinateAttention(CHANNELS),
    "transformer": lambda: CoordinateAttentionTransformer(CHANNELS),
    "convolution": lambda: ConvolutionInstead(CHANNELS, 1000),
}


def _maps() -> Tensor:
    return torch.randn(3, CHANNELS, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


def _stirred(block: Any) -> Any:
    """With random numbers everywhere, zero layers too, and statistics of its own in BN."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        block.train()(_maps())
    return block.eval()


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 7)])
def test_shapes_stay_and_everything_is_trained(name: str, size: tuple[int, int]) -> None:
    block = _stirred(BLOCKS[name]()).train()
    x = torch.randn(2, CHANNELS, *size, requires_grad=True)
    output = block(x)
    output.square().sum().backward()
    assert output.shape == x.shape and x.grad is not None and bool(x.grad.isfinite().all())
    for parameter in block.parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all())


def test_coordinate_attention_by_hand() -> None:
    """Row by row and column by column, in loops."""
    block, x = _stirred(CoordinateAttention(CHANNELS)), _maps()
    convolution, norm, _ = block.shared

    def weight(mean: Tensor, last: nn.Conv2d) -> Tensor:
        """From the mean of a line (C,) to its weights (C,)."""
        inner = convolution.weight[:, :, 0, 0] @ mean
        inner = (inner - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        inner = inner * (inner + 3).clamp(0, 6) / 6
        return torch.sigmoid(last.weight[:, :, 0, 0] @ inner + last.bias)

    with torch.no_grad():
        maps = block.maps(x)
        assert maps.rows.shape == (3, CHANNELS, HEIGHT, 1) and maps.columns.shape == (3, CHANNELS, 1, WIDTH)
        for picture in range(3):
            for row in range(HEIGHT):
                wanted = weight(x[picture, :, row].mean(1), block.rows)
                torch.testing.assert_close(maps.rows[picture, :, row, 0], wanted)
            for column in range(WIDTH):
                wanted = weight(x[picture, :, :, column].mean(1), block.columns)
                torch.testing.assert_close(maps.columns[picture, :, 0, column], wanted)
        torch.testing.assert_close(block(x), x * maps.rows * maps.columns)
        assert float(maps.rows.min()) > 0 and float(maps.columns.max()) < 1


@pytest.mark.parametrize(("channels", "inner"), [(12, 8), (256, 8), (320, 10), (1280, 40)])
def test_channels_inside(channels: int, inner: int) -> None:
    with torch.device("meta"):
        block = CoordinateAttention(channels)
    shapes = {name: tuple(value.shape[:2]) for name, value in block.named_parameters() if value.ndim == 4}
    assert shapes == {
        "shared.0.weight": (inner, channels), "rows.weight": (channels, inner), "columns.weight": (channels, inner),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["coordinate", "transformer"])
def test_rows_and_columns_that_change_places_take_their_output_along(name: str) -> None:
    """As the docstring says: the block does not know which row is which. A convolution does."""
    x, rows, columns = _maps(), torch.randperm(HEIGHT), torch.arange(WIDTH).roll(1)
    moved = x[:, :, rows][:, :, :, columns]
    with torch.no_grad():
        block = _stirred(BLOCKS[name]())
        torch.testing.assert_close(block(moved), block(x)[:, :, rows][:, :, :, columns], atol=1e-5, rtol=1e-5)
        other = _stirred(BLOCKS["convolution"]())
        assert float((other(moved) - other(x)[:, :, rows][:, :, :, columns]).abs().max()) > 0.1


def test_the_transformer_starts_as_coordinate_attention_and_the_convolution_as_nothing() -> None:
    x = _maps()
    block, other = CoordinateAttentionTransformer(CHANNELS).eval(), ConvolutionInstead(CHANNELS, 500).eval()
    with torch.no_grad():
        assert torch.equal(block(x), block.coordinates(x)) and torch.equal(other(x), x)


def test_the_transformer_by_hand() -> None:
    """Place by place and head by head: who looks is gated, what is seen is not."""
    block, x = _stirred(CoordinateAttentionTransformer(CHANNELS, heads=2, inner=6)), _maps()
    with torch.no_grad():
        gated = block.coordinates(x)
        tokens, plain = (maps.flatten(2).transpose(1, 2) for maps in (gated, x))
        asking, asked = block.asking(block.norm(tokens)), block.asked(block.norm(tokens))
        seen = block.seen(block.norm(plain))
        weights = block.weights(x)
        assert weights.shape == (3, 2, HEIGHT * WIDTH, HEIGHT * WIDTH)
        torch.testing.assert_close(weights.sum(3), torch.ones(3, 2, HEIGHT * WIDTH))
        for place in (0, 8, 34):
            heard = []
            for head in (slice(0, 3), slice(3, 6)):
                scores = asked[1, :, head] @ asking[1, place, head] / 3**0.5
                heard.append(scores.softmax(0) @ seen[1, :, head])
                torch.testing.assert_close(weights[1, head.start // 3, place], scores.softmax(0))
            wanted = gated[1, :, place // WIDTH, place % WIDTH] + block.out(torch.cat(heard))
            torch.testing.assert_close(block(x)[1, :, place // WIDTH, place % WIDTH], wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("channels", [320, 640, 1280])
def test_the_control_has_as_many_parameters(channels: int) -> None:
    def count(block: nn.Module) -> int:
        return sum(parameter.numel() for parameter in block.parameters())

    with torch.device("meta"):
        wanted = count(CoordinateAttentionTransformer(channels))
        got = count(ConvolutionInstead(channels, wanted))
    assert abs(got - wanted) <= 5 * channels + 1 and abs(got / wanted - 1) < 0.015


def test_bad_numbers_are_named() -> None:
    for call, message in (
        (lambda: CoordinateAttention(0), "coordinate attention: expected channels and reduction of at least 1, got 0"),
        (lambda: CoordinateAttention(8, reduction=0), "got 8 and 0"),
        (lambda: CoordinateAttentionTransformer(8, heads=0), "transformer heads: expected at least 1, got 0"),
        (lambda: CoordinateAttentionTransformer(8, heads=4, inner=6), "multiple of 4 heads, got 6"),
        (lambda: CoordinateAttentionTransformer(8, inner=0), "inner: expected a positive multiple"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
