"""FAN: sizes on record, shapes, and what each part of a block sees."""

import pytest
import torch

from facelab.models import FAN, HPM, Bottleneck, Hourglass


@pytest.mark.parametrize(("stacks", "millions"), [(1, "6.25"), (2, "12.11"), (3, "17.96"), (4, "23.82")])
def test_parameter_counts_of_the_paper(stacks: int, millions: str) -> None:
    count = sum(p.numel() for p in FAN(stacks=stacks).parameters())
    assert f"{count / 1e6:.2f}" == millions


def test_block_sizes() -> None:
    assert sum(p.numel() for p in HPM(256, 256).parameters()) == 406_400
    assert 0.205e6 < sum(p.numel() for p in Bottleneck(256, 256).parameters()) < 0.215e6


@pytest.mark.parametrize("block", ["hpm", "bottleneck"])
@pytest.mark.parametrize("pool", ["avg", "max"])
def test_one_quarter_size_map_a_landmark_and_stack(block: str, pool: str) -> None:
    network = FAN(stacks=3, landmarks=5, in_channels=8, block=block, pool=pool, width=16, depth=2)
    maps = network(torch.rand(2, 8, 64, 32))
    assert [tuple(m.shape) for m in maps] == [(2, 5, 16, 8)] * 3
    sum(m.square().mean() for m in maps).backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_full_size() -> None:
    with torch.inference_mode():
        maps = FAN(stacks=1).eval()(torch.zeros(1, 3, 256, 256))
    assert maps[0].shape == (1, 68, 64, 64)


def test_an_hourglass_has_three_blocks_a_level_and_one_at_the_bottom() -> None:
    hourglass = Hourglass(4, 16, HPM, torch.nn.AvgPool2d)
    assert sum(isinstance(module, HPM) for module in hourglass.modules()) == 13


def test_hpm_keeps_three_scales() -> None:
    """In a block with positive weights, one pixel reaches 3 x 3, then 5 x 5, then 7 x 7 neighbours."""
    block = HPM(8, 8).eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.fill_(1.0)
        still, changed = torch.ones(1, 8, 15, 15), torch.ones(1, 8, 15, 15)
        changed[0, :, 7, 7] = 2.0
        moved = (block(changed) - block(still)).abs() > 1e-6
    moved[:, :, 7, 7] = True  # the skip connection
    reach = [int(moved[0, channel].any(0).sum()) for channel in range(8)]
    assert reach == [3, 3, 3, 3, 5, 5, 7, 7]


def test_bad_arguments_are_named() -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"stacks": 0}, "FAN stacks: expected at least 1"),
        ({"block": "resnet"}, "FAN block: expected one of hpm, bottleneck, got 'resnet'"),
        ({"pool": "sum"}, "FAN pool: expected one of avg, max"),
        ({"width": 40}, "FAN width: expected a multiple of 16, got 40"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            FAN(**arguments)  # type: ignore[arg-type]


def test_bad_pictures_are_named() -> None:
    network = FAN(stacks=1, width=16, depth=2)
    with pytest.raises(ValueError, match="multiples of 16 .* got 40 x 64"):
        network(torch.rand(1, 3, 40, 64))
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\), got torch.float32 \(1, 4, 64, 64\)"):
        network(torch.rand(1, 4, 64, 64))
    with pytest.raises(ValueError, match="torch.uint8"):
        network(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu() -> None:
    network, picture = FAN(stacks=2, width=32, depth=2).eval(), torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = network(picture)
        got = network.cuda()(picture.cuda())
    for a, b in zip(expected, got, strict=True):
        torch.testing.assert_close(a, b.cpu(), atol=1e-3, rtol=1e-3)
