"""The networks of the two-stage method: sizes on record, shapes, and what its layers start from."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from facelab.models import DepthRegression, Hourglass, PartCascade, PartDetection, PartRegression, TwoStage
from facelab.models.two_stage import Parts, PreActivatedBottleneck, deconvolution


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


def test_small_trunks_keep_it_too() -> None:
    made = PartDetection(landmarks=5, trunk="resnet-thin").eval()
    assert made.trunk(torch.zeros(1, 3, 64, 64)).shape == (1, 1024, 4, 4)
    assert _count(made) < 1.5e6


def test_detection_starts_undecided(detection: PartDetection) -> None:
    assert torch.equal(detection(torch.rand(2, 3, 32, 32)), torch.zeros(2, 5, 32, 32))


@pytest.mark.parametrize("prior", [0.01, 0.3])
def test_detection_starts_with_its_prior(prior: float) -> None:
    made = PartDetection(landmarks=5, trunk="resnet18", prior=prior).eval()
    torch.testing.assert_close(made(torch.rand(1, 3, 32, 32)).sigmoid(), torch.full((1, 5, 32, 32), prior))
    with pytest.raises(ValueError, match=f"PartDetection prior: expected a number between 0 and 1, got {prior - 1}"):
        PartDetection(landmarks=5, trunk="resnet18", prior=prior - 1)


def test_regression_starts_with_empty_maps() -> None:
    made = PartRegression(landmarks=4, width=16, depth=1, blocks=1, head=16)
    assert not made(torch.rand(2, 7, 32, 32)).any()


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
        (lambda: PartDetection(trunk="resnet-thin", pretrained=True), "PartDetection pretrained: expected one"),
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


# --------------------------------------------------------------------------------------------------------- cascades


def _small(detection: bool = True, regression: bool = True, frozen: bool = False) -> PartCascade:
    """Networks whose answers depend on what they see, other than those of new ones."""
    torch.manual_seed(0)
    found = PartDetection(landmarks=4, trunk="resnet18") if detection else None
    if found is not None:
        nn.init.normal_(found.score.weight)
    refined = PartRegression(landmarks=4, width=16, depth=1, blocks=1, head=16) if regression else None
    if refined is not None:
        nn.init.normal_(refined.heatmaps.weight)
    return PartCascade(found, refined, frozen)


def test_the_regression_sees_the_picture_and_probabilities() -> None:
    cascade, images = _small().eval(), torch.rand(2, 3, 32, 32)
    logits, heatmaps = cascade(images)
    assert bool(logits.any()) and torch.equal(logits, cascade.detection(images))
    assert torch.equal(heatmaps, cascade.regression(torch.cat([images, logits.sigmoid()], 1)))
    assert torch.equal(heatmaps, cascade.refine(images, logits))
    assert not torch.allclose(heatmaps, cascade.refine(images, logits.roll(1, 0)))


def test_a_regression_alone_sees_empty_maps() -> None:
    cascade, images = _small(detection=False).eval(), torch.rand(2, 3, 32, 32)
    parts = cascade(images)
    assert isinstance(parts, Parts) and parts.logits is None
    assert torch.equal(parts.heatmaps, cascade.regression(torch.cat([images, torch.zeros(2, 4, 32, 32)], 1)))
    assert not torch.allclose(parts.heatmaps, cascade.refine(images, torch.zeros(2, 4, 32, 32)))  # a half, not nothing


def test_a_detection_alone_draws_no_heatmaps() -> None:
    cascade, images = _small(regression=False).eval(), torch.rand(1, 3, 32, 32)
    parts = cascade(images)
    assert parts.heatmaps is None and torch.equal(parts.logits, cascade.detection(images))
    with pytest.raises(ValueError, match="PartCascade: has no regression"):
        cascade.refine(images, parts.logits)
    with pytest.raises(ValueError, match="PartCascade: expected a detection, a regression, or both"):
        PartCascade(None, None)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_detection_stays_as_it_is(frozen: bool) -> None:
    cascade = _small(frozen=frozen).train()
    before = {name: value.clone() for name, value in cascade.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in cascade.parameters() if p.requires_grad], 0.1)
    cascade(torch.rand(2, 3, 32, 32)).heatmaps.square().mean().backward()
    optimizer.step()
    changed = {name for name, value in cascade.state_dict().items() if not torch.equal(value, before[name])}
    assert {"regression.stem.0.weight", "regression.stem.1.running_mean"} <= changed
    of_detection = {name for name in changed if name.startswith("detection.")}
    assert not of_detection if frozen else {"detection.trunk.0.weight", "detection.trunk.1.running_mean"} < of_detection
    assert cascade.regression.training and cascade.detection.training is not frozen
    assert not cascade.eval().regression.training


def test_freezing_can_be_undone() -> None:
    frozen = _small(frozen=True)
    thawed = PartCascade(frozen.detection, frozen.regression).train()
    assert all(p.requires_grad for p in thawed.parameters()) and thawed.detection.training


def test_depth_is_given_the_picture_and_the_heatmaps() -> None:
    cascade = _small().eval()
    network = TwoStage(cascade, DepthRegression(landmarks=4, blocks=(1, 1, 1, 1), width=8)).eval()
    images = torch.rand(2, 3, 32, 32)
    heatmaps, depths = network(images)
    assert torch.equal(heatmaps, cascade(images).heatmaps) and depths.shape == (2, 4)
    assert torch.equal(depths, network.depth(torch.cat([images, heatmaps], 1)))
