"""Heatmap regression: sizes, empty maps at the start, the trunk of direct regression, and that it learns."""

import pytest
import torch
from torch import nn

from facelab.models import TRUNKS, DirectRegression, HeatmapRegression


@pytest.mark.parametrize("trunk", TRUNKS)
def test_untrained_it_draws_empty_maps_of_a_quarter(trunk: str) -> None:
    network = HeatmapRegression("68", trunk, width=8).eval()
    with torch.inference_mode():
        assert torch.equal(network(torch.rand(2, 3, 64, 96)), torch.zeros(2, 68, 16, 24))


def test_the_trunk_is_that_of_direct_regression() -> None:
    with torch.device("meta"):
        maps, points = HeatmapRegression(5, "resnet-small"), DirectRegression(5, "resnet-small", displacement=False)
    sizes = [{key: value.shape for key, value in each.trunk.state_dict().items()} for each in (maps, points)]
    assert sizes[0] == sizes[1]


def test_the_head_is_that_of_the_paper() -> None:
    with torch.device("meta"):
        network = HeatmapRegression(17, "resnet50", width=256)
    head = sum(p.numel() for name, p in network.named_parameters() if not name.startswith("trunk."))
    # 2048 -> 256 -> 256 -> 256 -> 17, kernels 4 x 4 without bias, normalisation, then 1 x 1 with bias.
    assert head == 16 * 256 * (2048 + 256 + 256) + 3 * 2 * 256 + 17 * (256 + 1)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(34.0e6, rel=1e-3)  # as the paper reports


def test_all_of_it_learns() -> None:
    torch.manual_seed(0)
    network = HeatmapRegression(3, "cnn6", width=16)
    images, target = torch.rand(4, 3, 64, 64), torch.rand(4, 3, 16, 16)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (network(images) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


def test_it_sees_imagenets_colours() -> None:
    network = HeatmapRegression(4, "cnn6").eval()
    nn.init.normal_(network.last.weight)
    images = torch.rand(2, 3, 32, 32)
    seen = network.colours(images)
    torch.testing.assert_close(network(images), network.last(network.enlarge(network.trunk(seen))))
    assert not torch.equal(seen, images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trunk": "vgg16"}, "HeatmapRegression trunk: expected one of resnet50, .*, got 'vgg16'"),
        ({"landmarks": 0}, "HeatmapRegression landmarks: expected at least 1, got 0"),
        ({"landmarks": "67"}, "67"),
        ({"width": 0}, "HeatmapRegression width: expected at least 1, got 0"),
        ({"trunk": "cnn6", "pretrained": True}, "HeatmapRegression pretrained: there are no weights for cnn6"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HeatmapRegression(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 1, 64, 64), r"HeatmapRegression images: expected a floating-point tensor \(B, 3, H, W\), got"),
        (torch.zeros(2, 3, 64, 31), "HeatmapRegression images: expected at least 32 x 32 pixels, got 64 x 31"),
        (torch.zeros(2, 3, 64, 48), "expected height and width to be multiples of 32, got 64 x 48"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(images: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HeatmapRegression(4, "cnn6")(images)
