"""What a network costs: its parameters, and the multiply-adds of one forward pass."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(*networks: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def multiply_adds(network: nn.Module, shape: Sequence[int]) -> int:
    """Multiply-adds (MACs) of convolutions and matrix products in one forward pass, by PyTorch's counter.

    Nothing is computed: a copy of the network runs in evaluation mode on the meta device.

    Args:
        network: as it is trained; the copies of ``for_inference`` multiply otherwise.
        shape: of the pictures, ``(B, 3, H, W)``.
    """
    with FlopCounterMode(display=False) as counter:
        _run(copy.deepcopy(network), shape)
    return counter.get_total_flops() // 2


def multiply_adds_as_printed(network: nn.Module, shape: Sequence[int]) -> int:
    """The count that stands in table 1 of the supplement of 3DDFA_V2: all its rows come out to the last digit.

    It differs from :func:`multiply_adds` in four rules, which we found by trying:

    - a convolution costs its kernel at each number of its output. For a transposed convolution of stride 2 this is
      four times what is multiplied, and it is why PRNet has 6190 million there and 4129 million here;
    - a linear layer costs twice its weights;
    - batch normalisation costs four operations a number;
    - an adaptive mean costs one operation for each number that it reads, and one for each that it gives.

    Args:
        network, shape: as for :func:`multiply_adds`.
    """
    counted = copy.deepcopy(network)
    total = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += _as_printed(layer, inputs[0], output)

    for layer in counted.modules():
        layer.register_forward_hook(count)
    _run(counted, shape)
    return total


def _as_printed(layer: nn.Module, given: Tensor, output: Tensor) -> int:
    match layer:
        case nn.Conv2d():
            return output.numel() * layer.weight[0].numel()
        case nn.ConvTranspose2d():  # (in, out / groups, k, k)
            return output.numel() * layer.weight[:, 0].numel() // layer.groups
        case nn.Linear():
            return 2 * output.numel() * layer.in_features
        case nn.BatchNorm2d():
            return 4 * output.numel()
        case nn.AdaptiveAvgPool2d():
            return given.numel() + output.numel()
    return 0


def _run(network: nn.Module, shape: Sequence[int]) -> None:
    with torch.no_grad():
        network.to("meta").eval()(torch.zeros(tuple(shape), device="meta"))
