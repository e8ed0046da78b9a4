"""ResNet-22: its size on record, its stages, any number of outputs, and its fast copy."""

import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock

from facelab.models import ResNet22, for_inference


def test_size_of_the_paper() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in ResNet22().parameters())
    assert f"{count / 1e6:.2f}" == "18.45"


def test_twenty_two_convolutions_in_stages_that_halve() -> None:
    with torch.device("meta"):
        network = ResNet22().eval()
    sizes = []
    for block in network.features:
        if isinstance(block, BasicBlock):
            block.register_forward_hook(lambda _, __, output: sizes.append(tuple(output.shape[1:3])))
    network(torch.zeros(1, 3, 120, 120, device="meta"))
    assert sizes == [(128, 30)] * 3 + [(256, 15)] * 4 + [(512, 8)] * 3
    in_shortcuts = 3
    assert sum(isinstance(layer, nn.Conv2d) for layer in network.features.modules()) - in_shortcuts == 22


@pytest.mark.parametrize("outputs", [1, 62 + 136])
def test_shapes_and_gradients(outputs: int) -> None:
    network = ResNet22(outputs)
    output = network(torch.rand(2, 3, 40, 32, generator=torch.Generator().manual_seed(0)))
    output.square().sum().backward()
    assert output.shape == (2, outputs)
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_fast_copy_gives_the_same_numbers() -> None:
    torch.manual_seed(0)
    network, pictures = ResNet22(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = 1.0
        network(pictures)
        expected = network.eval()(pictures)
    assert float(expected.std()) > 1e-3
    torch.testing.assert_close(for_inference(network)(pictures), expected, atol=1e-4, rtol=1e-4)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="ResNet22 outputs: expected at least 1, got 0"):
        ResNet22(0)
    with torch.device("meta"):
        network = ResNet22()
    with pytest.raises(ValueError, match="ResNet22 images: expected a floating-point tensor"):
        network(torch.zeros(1, 4, 64, 64))
    with pytest.raises(ValueError, match="ResNet22 images: expected at least 32 x 32 pixels, got 64 x 16"):
        network(torch.zeros(1, 3, 64, 16))
