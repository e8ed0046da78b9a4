"""PRNet: sizes on record, maps as large as pictures, and what their numbers stand for."""

import copy

import pytest
import torch
from torch import nn

from facelab.models import PRNet, for_inference, positions_of, shares_of


@pytest.mark.parametrize(("width", "millions"), [(1.0, "13.35"), (0.25, "0.84"), (0.125, "0.21")])
def test_sizes_of_the_paper(width: float, millions: str) -> None:
    """Printed there: 13.4, 0.84 and 0.21."""
    with torch.device("meta"):
        count = sum(p.numel() for p in PRNet(width).parameters())
    assert f"{count / 1e6:.2f}" == millions


@pytest.mark.parametrize("side", [32, 64])
def test_maps_are_as_large_as_pictures(side: int) -> None:
    network = PRNet(0.125)
    maps = network(torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)))
    maps.square().sum().backward()
    assert maps.shape == (2, 3, side, side)
    assert bool((maps > 0).all() and (maps < 1).all())
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_layers_of_the_paper() -> None:
    """Eleven convolutions and blocks down to a 32nd of the side, seventeen layers back up, all of 4 x 4 kernels."""
    with torch.device("meta"):
        network = PRNet().eval()
    sides = []
    for layer in network.layers:
        if not isinstance(layer, nn.ZeroPad2d | nn.BatchNorm2d | nn.ReLU | nn.Sigmoid):
            layer.register_forward_hook(lambda _, __, output: sides.append(output.shape[3]))
    network(torch.zeros(1, 3, 256, 256, device="meta"))
    down = [256, 128, 128, 64, 64, 32, 32, 16, 16, 8, 8]
    up = [8, 16, 16, 16, 32, 32, 32, 64, 64, 64, 128, 128, 256, 256, 256, 256, 256]
    assert sides == down + up
    kernels = {layer.kernel_size for layer in network.layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)}
    assert kernels == {(4, 4)}


def test_stride_one_in_the_decoder_is_a_transposed_convolution() -> None:
    """That of stride 1 that pads like the encoder's: (1, 2) of its borders are cut off."""
    network = PRNet(1 / 16)
    pad, convolution = next(
        (pad, layer)
        for pad, layer in zip(network.layers, list(network.layers)[1:], strict=False)
        if isinstance(pad, nn.ZeroPad2d) and tuple(pad.padding) == (2, 1, 2, 1) and isinstance(layer, nn.Conv2d)
    )
    x = torch.randn(1, convolution.in_channels, 6, 6, generator=torch.Generator().manual_seed(0))
    kernel = convolution.weight.flip(2, 3).transpose(0, 1)
    expected = nn.functional.conv_transpose2d(x, kernel)[:, :, 1:-2, 1:-2]
    torch.testing.assert_close(convolution(pad(x)), expected)


def test_shares_and_positions() -> None:
    side = 64
    positions = torch.tensor([[0.0, 0.0, 0.0], [63.0, 70.4, 35.2], [0.0, 10.0, -35.2]])[:, :, None, None]
    shares = shares_of(positions, side)
    torch.testing.assert_close(shares[1, :, 0, 0], torch.tensor([63 / 70.4, 1.0, 1.0]))
    torch.testing.assert_close(shares[:, 2, 0, 0], torch.tensor([0.5, 1.0, 0.0]))
    torch.testing.assert_close(positions_of(shares, side), positions)


def test_fast_copy_errs_like_the_network_does() -> None:
    """Against float64: within a few times the rounding of the plain network."""
    torch.manual_seed(0)
    network, pictures = PRNet(0.25), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = 1.0
        network(pictures)
        plain = network.eval()(pictures)
        exact = copy.deepcopy(network).double()(pictures.double())
    assert float(exact.std()) > 1e-2
    rounding = float((plain - exact).abs().max())
    assert 0 < float((for_inference(network)(pictures) - exact).abs().max()) < 5 * rounding


def test_bad_input_is_named() -> None:
    network = PRNet(1 / 16)
    cases = [
        (lambda: PRNet(0.0), "PRNet width: expected a positive multiple of 0.0625, got 0.0"),
        (lambda: PRNet(0.1), "multiple of 0.0625, got 0.1"),
        (lambda: network(torch.zeros(1, 1, 64, 64)), r"\(B, 3, S, S\), got torch.float32 \(1, 1, 64, 64\)"),
        (lambda: network(torch.zeros(1, 3, 48, 48)), "a multiple of 32, got 48 x 48"),
        (lambda: network(torch.zeros(1, 3, 64, 32)), "squares .* got 64 x 32"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
