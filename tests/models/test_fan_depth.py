"""The depth network of FAN, and FAN with maps of landmarks as further channels."""

from collections.abc import Sequence

import pytest
import torch

from facelab.models import FAN, FANDepth


def test_parameter_count_on_record() -> None:
    with torch.device("meta"):
        network = FANDepth()
    assert f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f}" == "58.50"


@pytest.mark.parametrize("blocks", [(1, 1, 1, 1), (1, 2, 1, 2)])
def test_one_depth_a_landmark_and_all_is_trained(blocks: Sequence[int]) -> None:
    torch.manual_seed(0)
    network = FANDepth(landmarks=5, blocks=blocks, width=4)
    assert [len(stage) for stage in network.stages] == list(blocks)
    depths = network(torch.rand(2, 8, 64, 96))
    assert depths.shape == (2, 5)
    depths.square().mean().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_the_corner_leaves_out_the_last_row_and_column_of_the_last_map() -> None:
    torch.manual_seed(0)
    corner = FANDepth(landmarks=2, blocks=(1, 1, 1, 1), width=2, pool="corner").eval()
    mean = FANDepth(landmarks=2, blocks=(1, 1, 1, 1), width=2).eval()
    mean.load_state_dict(corner.state_dict())
    with torch.inference_mode():
        cells = corner.stages(corner.stem(torch.rand(1, 5, 256, 256)))
        assert cells.shape[2:] == (8, 8)
        torch.testing.assert_close(corner.pool(cells)[..., 0, 0], cells[:, :, :7, :7].mean((2, 3)))
        torch.testing.assert_close(mean.pool(cells)[..., 0, 0], cells.mean((2, 3)))


@pytest.mark.parametrize("side", [193, 416])
def test_sides_that_the_corner_admits(side: int) -> None:
    network = FANDepth(landmarks=2, blocks=(1, 1, 1, 1), width=1, pool="corner").eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 5, side, side)).shape == (1, 2)


def test_bad_arguments_are_named() -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"blocks": (3, 8, 36)}, r"FANDepth blocks: expected four numbers of at least 1, got \(3, 8, 36\)"),
        ({"blocks": (3, 0, 36, 3)}, "FANDepth blocks"),
        ({"landmarks": 0}, "at least 1 landmark and width 1, got 0 and 64"),
        ({"pool": "max"}, "FANDepth pool: expected one of mean, corner, got 'max'"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            FANDepth(**arguments)  # type: ignore[arg-type]


def test_bad_inputs_are_named() -> None:
    network = FANDepth(landmarks=5, blocks=(1, 1, 1, 1), width=1, pool="corner")
    with pytest.raises(ValueError, match=r"\(B, 8, H, W\), a picture and 5 maps, got torch.float32 \(1, 3, 256, 256\)"):
        network(torch.rand(1, 3, 256, 256))
    with pytest.raises(ValueError, match="torch.uint8"):
        network(torch.zeros(1, 8, 256, 256, dtype=torch.uint8))
    for side in (192, 417):
        with pytest.raises(ValueError, match=f"193 to 416 pixels with pool 'corner', got 256 x {side}"):
            network(torch.rand(1, 8, 256, side))


def test_fan_takes_a_picture_and_maps_of_landmarks() -> None:
    """2D-to-3D-FAN is FAN with 3 + 68 input channels; every channel reaches every heatmap."""
    with torch.device("meta"):
        guided, plain = FAN(stacks=1, in_channels=3 + 68), FAN(stacks=1)
    extra = sum(p.numel() for p in guided.parameters()) - sum(p.numel() for p in plain.parameters())
    assert extra == 68 * 64 * 7 * 7
    torch.manual_seed(0)
    network = FAN(stacks=1, landmarks=68, in_channels=3 + 68, width=16, depth=2).eval()
    inputs = torch.rand(1, 3 + 68, 64, 64, requires_grad=True)
    (heatmaps,) = network(inputs)
    assert heatmaps.shape == (1, 68, 16, 16)
    (gradient,) = torch.autograd.grad(heatmaps.square().sum(), inputs)
    assert bool((gradient.abs().amax((0, 2, 3)) > 0).all())
