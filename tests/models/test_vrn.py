"""VRN: volumes of the size that is asked for, gradients, and that a volume can be learnt."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from facelab.models import VRN, for_inference


@pytest.mark.parametrize(("fine", "cells"), [(False, 16), (True, 32)])
def test_shapes_and_gradients(fine: bool, cells: int) -> None:
    network = VRN(slices=12, stacks=2, width=8, depth=2, fine=fine)
    logits = network(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    logits.square().sum().backward()
    assert logits.shape == (2, 12, cells, cells)
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_hourglasses_and_width_cost_what_they_should() -> None:
    def size(**options: int) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in VRN(**options).parameters())

    assert size(stacks=3) - size(stacks=2) == size(stacks=2) - size(stacks=1)
    assert size(slices=33) - size(slices=32) == 64 + 1
    assert 3.5 < size(width=128, stacks=4) / size(width=64, stacks=4) < 4


def test_a_volume_is_learnt() -> None:
    """Where a bright square stands, a box of cells is inside."""
    torch.manual_seed(0)
    pictures, volumes = torch.zeros(4, 3, 16, 16), torch.zeros(4, 4, 8, 8)
    for index, start in enumerate((0, 2, 4, 6)):
        pictures[index, :, 2 * start : 2 * start + 4, 4:12] = 1
        volumes[index, 1:3, start : start + 2, 2:6] = 1
    network = VRN(slices=4, stacks=1, width=16, depth=2)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(network(pictures), volumes)
        loss.backward()
        optimizer.step()
    assert float(((network(pictures) > 0) == (volumes > 0)).float().mean()) > 0.99


def test_fast_copy_gives_the_same_logits() -> None:
    torch.manual_seed(0)
    network, pictures = VRN(slices=8, stacks=1, width=16, depth=2, fine=True), torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        for _ in range(20):
            network(pictures)  # statistics of BN
        expected = network.eval()(pictures)
    assert float(expected.std()) > 1e-2
    torch.testing.assert_close(for_inference(network)(pictures), expected, atol=1e-4, rtol=1e-4)


def test_bad_input_is_named() -> None:
    network = VRN(slices=2, stacks=1, width=8, depth=2)
    cases = [
        (lambda: VRN(slices=0), "VRN slices: expected at least 1, got 0"),
        (lambda: VRN(stacks=0), "VRN stacks: expected at least 1, got 0"),
        (lambda: VRN(depth=0), "VRN depth: expected at least 1, got 0"),
        (lambda: VRN(width=12), "VRN width: expected a multiple of 8, got 12"),
        (lambda: network(torch.zeros(1, 4, 64, 64)), r"\(B, 3, S, S\), got torch.float32 \(1, 4, 64, 64\)"),
        (lambda: network(torch.zeros(1, 3, 36, 36)), "a multiple of 8, got 36 x 36"),
        (lambda: network(torch.zeros(1, 3, 64, 32)), "squares .* got 64 x 32"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
