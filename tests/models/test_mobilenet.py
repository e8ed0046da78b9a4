"""MobileNet: sizes on record, shapes, and the resolution at which each layer works."""

import pytest
import torch
from torch import nn

from facelab.models import MobileNetV1


@pytest.mark.parametrize(("width", "millions"), [(1.0, "3.27"), (0.75, "1.86"), (0.5, "0.85")])
def test_parameter_counts_of_the_paper(width: float, millions: str) -> None:
    count = sum(p.numel() for p in MobileNetV1(width).parameters())
    assert f"{count / 1e6:.2f}" == millions


def test_shapes_and_gradients() -> None:
    network = MobileNetV1(0.25, outputs=5)
    network(torch.rand(2, 3, 64, 40)).square().sum().backward()
    assert network.features(torch.rand(2, 3, 64, 40)).shape == (2, 256, 2, 2)
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_each_stage_halves_the_picture() -> None:
    sides, x = [], torch.zeros(1, 3, 120, 120)
    network = MobileNetV1(0.125).eval()
    for layer in network.features:
        x = layer(x)
        if isinstance(layer, nn.Conv2d):
            sides.append(x.shape[3])
    assert sorted(set(sides), reverse=True) == [60, 30, 15, 8, 4]
    assert len(sides) == 27  # one, and two for each of thirteen layers


def test_bad_input_is_named() -> None:
    cases = [
        (lambda: MobileNetV1(0.0), "MobileNetV1 width: expected a positive multiple of 0.125, got 0.0"),
        (lambda: MobileNetV1(0.3), "multiple of 0.125, got 0.3"),
        (lambda: MobileNetV1(outputs=0), "MobileNetV1 outputs: expected at least 1, got 0"),
        (lambda: MobileNetV1(0.125)(torch.zeros(1, 4, 64, 64)), r"\(B, 3, H, W\), got torch.float32 \(1, 4, 64, 64\)"),
        (lambda: MobileNetV1(0.125)(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)), "torch.uint8"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
