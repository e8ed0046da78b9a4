"""The networks of the two-stage method: sizes on record, shapes, and what its layers start from."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from facelab.models import DepthRegression, Hourglass, PartDetection, PartRegression
from facelab.models.two_stage import PreActivatedBottleneck, deconvolution


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.fixture(scope="module")
def detection() -> PartDetection:
    return PartDetection(landmarks=5, trunk="resnet18").eval()


def test_parameters_on_record() -> None:
    assert _count(DepthRegression()) / 1e6 == pytest.approx(62.96, abs=0.02)
    assert _count(DepthRegression(blocks=(3, 24, 38, 3))) / 1e6 == pytest.approx(65.2, abs=0.02)
    as_resnet_200 = _count(DepthRegression(landmarks=1000)) - 1000 * 64 * 7 * 7
    assert as_resnet_200 / 1e6 == pytest.approx(64.67, abs=0.01)


@pytest.mark.parametrize("network", [PartDetection, PartRegression, DepthRegression])
def test_full_size_forward_and_backward(network: type[nn.Module]) -> None:
    made = network()
    channels = 3 if network is PartDetection else 69
    output = made(torch.rand(1, channels, 96, 96))
    assert output.shape == ((1, 66) if network is DepthRegression else (1, 66, 96, 96))
    output.square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in made.parameters())


def test_the_fifth_block_keeps_the_resolution(detection: PartDetection) -> None:
    features = detection.trunk(torch.zeros(1, 3, 64, 64))
    assert features.shape == (1, 512, 4, 4)  # a ResNet of torchvision ends at 2 x 2
    assert detection(torch.zeros(1, 3, 64, 96)).shape == (1, 5, 64, 96)


def test_detection_starts_undecided(detection: PartDetection) -> None:
    assert torch.equal(detection(torch.rand(2, 3, 32, 32)), torch.zeros(2, 5, 32, 32))


def test_a_deconvolution_starts_as_bilinear_interpolation() -> None:
    picture = torch.rand(2, 3, 9, 7)
    for stride in (2, 4):
        found = deconvolution(3, stride)(picture)
        expected = F.interpolate(picture, scale_factor=stride, mode="bilinear", align_corners=False)
        inner = slice(stride, -stride)  # at the border one repeats pixels, the other fills up with zeros
        torch.testing.assert_close(found[..., inner, inner], expected[..., inner, inner])
    with pytest.raises(ValueError, match="even number of at least 2, got 3"):
        deconvolution(3, 3)


def test_every_doubling_of_the_hourglass_is_learnt() -> None:
    network = PartRegression(landmarks=4, width=16, depth=3, blocks=1, head=16)
    doublings = [m.enlarge for m in network.hourglass.modules() if isinstance(m, Hourglass)]
    assert len(doublings) == 3 and all(isinstance(m, nn.ConvTranspose2d) for m in doublings)
    assert network(torch.rand(1, 7, 36, 44)).shape == (1, 4, 36, 44)  # 9 x 11 cells halve unevenly


def test_three_bottlenecks_at_each_place() -> None:
    few, many = (PartRegression(landmarks=4, width=16, depth=1, blocks=n, head=16) for n in (1, 3))
    places = 4  # keep, down, inner, up
    block = _count(few.hourglass.keep)
    assert _count(many) - _count(few) == 2 * places * block


def test_new_filters_are_small() -> None:
    torch.manual_seed(0)
    network = DepthRegression(landmarks=66, blocks=(1, 1, 1, 1), width=16)
    first = network.stem[0].weight
    assert float(first[:, 3:].detach().std()) == pytest.approx(0.01, rel=0.02)
    assert float(first[:, :3].detach().std()) > 0.03 and float(network.depths.weight.detach().std()) == pytest.approx(
        0.01, rel=0.05
    )
    assert not network.depths.bias.any()


def test_pre_activation() -> None:
    """Nothing follows the sum: with an empty body, what goes in comes out, negative numbers too."""
    block = PreActivatedBottleneck(8, 2, 8, stride=1).eval()
    nn.init.zeros_(block.body[-1].weight)
    x = torch.randn(1, 8, 4, 4)
    assert torch.equal(block(x), x)
    shorter = PreActivatedBottleneck(8, 2, 8, stride=2).eval()
    nn.init.zeros_(shorter.body[-1].weight)
    torch.testing.assert_close(shorter(x), shorter.skip(shorter.activate(x)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PartDetection(trunk="vgg16"), "PartDetection trunk: expected one of resnet18"),
        (lambda: PartDetection(landmarks=0, trunk="resnet18"), "PartDetection landmarks: expected at least 1, got 0"),
        (lambda: PartRegression(width=12), "PartRegression width: expected a multiple of 8, got 12"),
        (lambda: DepthRegression(blocks=(3, 24, 36)), "DepthRegression blocks: expected four numbers"),
    ],
)
def test_numbers_that_do_not_fit(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_wrong_pictures(detection: PartDetection) -> None:
    with pytest.raises(ValueError, match=r"PartDetection images: expected a floating-point tensor \(B, 3, H, W\)"):
        detection(torch.zeros(1, 4, 32, 32))
    with pytest.raises(ValueError, match="multiples of 32, got 40 x 32"):
        detection(torch.zeros(1, 3, 40, 32))
