"""Multiply-adds: by hand on single layers, and those of the published table."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from facelab.models import MobileNetV1, MobileNetV3, PRNet, ResNet22, multiply_adds, multiply_adds_as_printed


@pytest.mark.parametrize(
    ("layer", "true", "printed"),
    [
        (nn.Conv2d(4, 6, 3, padding=1), 8 * 10 * 6 * 4 * 9, 8 * 10 * 6 * 4 * 9),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), 4 * 5 * 6 * 2 * 9, 4 * 5 * 6 * 2 * 9),
        (nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=2), 8 * 10 * 4 * 3 * 16, 16 * 20 * 6 * 2 * 16),
        (nn.BatchNorm2d(4), 0, 4 * 4 * 8 * 10),
        (nn.AdaptiveAvgPool2d(1), 0, 4 * 8 * 10 + 4),
        (nn.Linear(10, 7), 4 * 8 * 10 * 7, 2 * 4 * 8 * 10 * 7),
    ],
)
def test_layers_by_hand(layer: nn.Module, true: int, printed: int) -> None:
    network = nn.Sequential(layer, nn.ReLU())
    assert multiply_adds(network, (1, 4, 8, 10)) == true
    assert multiply_adds(network, (3, 4, 8, 10)) == 3 * true
    assert multiply_adds_as_printed(network, (1, 4, 8, 10)) == printed


_TABLE: list[tuple[str, Callable[[], nn.Module], int, float]] = [
    ("MobileNet", lambda: MobileNetV1(1.0), 120, 183.5),
    ("MobileNet x0.75", lambda: MobileNetV1(0.75), 120, 105.9),
    ("MobileNet x0.5", lambda: MobileNetV1(0.5), 120, 49.5),
    ("MobileNet-V3 x0.5 with the branch of landmarks", lambda: MobileNetV3(0.5, 62 + 136), 128, 27.4),
    ("ResNet-22", ResNet22, 120, 2663),
    ("PRNet", PRNet, 256, 6190),
    ("PRNet x0.25", lambda: PRNet(0.25), 256, 434),
    ("PRNet x0.125", lambda: PRNet(0.125), 256, 134),
]


@pytest.mark.parametrize(("make", "side", "millions"), [row[1:] for row in _TABLE], ids=[row[0] for row in _TABLE])
def test_all_rows_of_the_published_table(make: Callable[[], nn.Module], side: int, millions: float) -> None:
    with torch.device("meta"):
        network = make()
    digits = 0 if millions == int(millions) else 1
    counted = multiply_adds_as_printed(network, (1, 3, side, side)) / 1e6
    assert round(counted, digits) == millions
    assert multiply_adds(network, (1, 3, side, side)) < counted * 1e6


def test_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    multiply_adds(network, (1, 3, 8, 8))
    multiply_adds_as_printed(network, (1, 3, 8, 8))
    assert network.training and not network[0]._forward_hooks
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name])
