"""MobileNet, version 3: sizes, the layers of the paper, shapes, and its fast copy."""

import pytest
import torch
from torch import nn

from facelab.models import MobileNetV3, for_inference
from facelab.models.mobilenet_v3 import InvertedResidual, SqueezeExcitation


def _parameters(network: nn.Module) -> float:
    """In millions."""
    return sum(p.numel() for p in network.parameters()) / 1e6


@pytest.mark.parametrize(("width", "millions"), [(1.0, 4.27), (0.75, 2.71), (0.5, 1.47)])
def test_sizes_of_the_docstring(width: float, millions: float) -> None:
    with torch.device("meta"):
        assert _parameters(MobileNetV3(width)) == pytest.approx(millions, abs=0.005)


def test_size_on_record_holds_the_branch_of_landmarks() -> None:
    with torch.device("meta"):
        assert _parameters(MobileNetV3(0.5, outputs=62 + 136)) == pytest.approx(1.65, abs=0.005)


def test_layers_of_the_paper() -> None:
    """Table 1: channels and sides at the ends of the stages, and which layers weigh channels or swish."""
    network, sizes = MobileNetV3(), []
    for layer in network.features:
        if isinstance(layer, InvertedResidual):
            layer.register_forward_hook(lambda _, __, output: sizes.append(tuple(output.shape[1:3])))
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 120, 120))
    assert sizes == ([(16, 60)] + [(24, 30)] * 2 + [(40, 15)] * 3 + [(80, 8)] * 4 + [(112, 8)] * 2 + [(160, 4)] * 3)
    blocks = [layer for layer in network.features if isinstance(layer, InvertedResidual)]
    kinds = [{type(layer) for layer in block.body} for block in blocks]
    assert [number for number, kind in enumerate(kinds) if SqueezeExcitation in kind] == [3, 4, 5, 10, 11, 12, 13, 14]
    assert [number for number, kind in enumerate(kinds) if nn.Hardswish in kind] == list(range(6, 15))
    assert [number for number, block in enumerate(blocks) if block.skips] == [0, 2, 4, 5, 7, 8, 9, 11, 13, 14]


def test_excitation_weighs_channels_by_their_means() -> None:
    layer = SqueezeExcitation(8)
    x = torch.randn(2, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    weights = layer(x) / x
    torch.testing.assert_close(weights, weights[:, :, :1, :1].expand_as(weights))
    assert bool((weights >= 0).all() and (weights <= 1).all())
    hidden = torch.relu(x.mean((2, 3)) @ layer.gate[2].weight.T) @ layer.gate[4].weight.T
    torch.testing.assert_close(weights[:, :, 0, 0], (hidden / 6 + 0.5).clamp(0, 1))


def test_shapes_and_gradients() -> None:
    network = MobileNetV3(0.25, outputs=5)
    output = network(torch.rand(2, 3, 64, 40, generator=torch.Generator().manual_seed(0)))
    output.square().sum().backward()
    assert output.shape == (2, 5)
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_fast_copy_has_no_norms_and_gives_the_same_numbers() -> None:
    torch.manual_seed(0)
    network, pictures = MobileNetV3(0.25), torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = 1.0
        network(pictures)
        expected = network.eval()(pictures)
    fast = for_inference(network)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in fast.modules())
    assert float(expected.std()) > 1e-3
    torch.testing.assert_close(fast(pictures), expected, atol=1e-4, rtol=1e-4)


def test_bad_input_is_named() -> None:
    cases = [
        (lambda: MobileNetV3(0.0), "MobileNetV3 width: expected a positive number, got 0.0"),
        (lambda: MobileNetV3(outputs=0), "MobileNetV3 outputs: expected at least 1, got 0"),
        (lambda: MobileNetV3(0.1)(torch.zeros(1, 4, 64, 64)), r"\(B, 3, H, W\), got torch.float32 \(1, 4, 64, 64\)"),
        (lambda: MobileNetV3(0.1)(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)), "torch.uint8"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
