"""RepVGG: three branches are one convolution; sizes on record; timm's blocks give the same numbers."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from facelab.models import RepVGG, RepVGGBlock, deployed, for_inference, for_training
from facelab.models.repvgg import REPVGG_TRUNKS

SHORT = "short x0.25"
CLASSES = 1000


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _pictures(count: int = 2, side: int = 64) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def _lived(network: nn.Module, given: Tensor) -> nn.Module:
    """In evaluation mode, every BN with numbers of its own; signals keep their size."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.weight.copy_(0.5 + torch.rand(norm.weight.shape, generator=generator))
                norm.bias.copy_(0.2 * torch.randn(norm.bias.shape, generator=generator))
                norm.momentum = 1.0
        network.train()(given)
    return network.eval()


@pytest.mark.parametrize(("before", "after", "stride"), [(5, 5, 1), (5, 7, 1), (5, 5, 2), (3, 8, 2)])
def test_a_block_by_hand(before: int, after: int, stride: int) -> None:
    """The definition in plain functions; the third branch is there only where shapes agree."""
    x = torch.randn(2, before, 9, 7, generator=torch.Generator().manual_seed(2))
    block = _lived(RepVGGBlock(before, after, stride), x)
    assert isinstance(block, RepVGGBlock)

    def normed(maps: Tensor, norm: nn.BatchNorm2d) -> Tensor:
        centred = (maps - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + norm.eps).sqrt()
        return centred * norm.weight[:, None, None] + norm.bias[:, None, None]

    total = normed(functional.conv2d(x, block.dense[0].weight, stride=stride, padding=1), block.dense[1])
    total = total + normed(functional.conv2d(x, block.pointwise[0].weight, stride=stride), block.pointwise[1])
    assert (block.identity is not None) == (before == after and stride == 1)
    if block.identity is not None:
        total = total + normed(x, block.identity)
    torch.testing.assert_close(block(x), total.clamp(min=0), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("before", "after", "stride"), [(5, 5, 1), (5, 7, 1), (5, 5, 2)])
def test_a_block_is_one_convolution(before: int, after: int, stride: int) -> None:
    x = torch.randn(2, before, 9, 7, generator=torch.Generator().manual_seed(2))
    block = _lived(RepVGGBlock(before, after, stride), x)
    assert isinstance(block, RepVGGBlock)
    one = block.deploy()
    assert [type(layer) for layer in one] == [nn.Conv2d, nn.ReLU] and not one.training
    assert one[0].weight.shape == (after, before, 3, 3) and one[0].bias.shape == (after,)
    assert not any(parameter.requires_grad for parameter in one.parameters())
    with torch.no_grad():
        expected = block(x)
        assert float(expected.max()) > 0.5
        torch.testing.assert_close(one(x), expected, atol=1e-5, rtol=0)
        exact = block.double()(x.double())
        torch.testing.assert_close(block.deploy()(x.double()), exact, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", [SHORT, "a0 x0.25"])
def test_a_trunk_gives_the_same_maps(name: str) -> None:
    """In double precision; and in single, with a rounding that is no more than that of the three branches."""
    torch.manual_seed(0)
    images = _pictures(8)  # with fewer, the smallest maps have channels of nearly no variance, which magnify rounding
    network = _lived(REPVGG_TRUNKS[name](), images)
    assert isinstance(network, RepVGG)
    fast = network.deploy()
    assert isinstance(fast, RepVGG) and not fast.training
    kinds = {type(layer) for layer in fast.modules()}
    assert not kinds & {RepVGGBlock, nn.BatchNorm2d} and nn.Conv2d in kinds
    with torch.no_grad():
        expected = network(images)
        size = float(expected.abs().max())
        assert size > 0.5
        exact = network.double()(images.double())
        trained, other = (float((maps - exact).abs().max()) for maps in (expected, fast(images)))
        assert 0 < other < 3 * trained < 3e-5 * size
        torch.testing.assert_close(network.deploy()(images.double()), exact, atol=1e-11 * size, rtol=0)


def test_the_copy_is_a_copy() -> None:
    images = _pictures()
    network = _lived(REPVGG_TRUNKS[SHORT](), images)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fast = deployed(network)
    expected = fast(images)
    assert network.training and all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(fast(images), expected)
    assert torch.equal(deployed(fast)(images), expected)


def test_it_is_as_a_part_of_any_network() -> None:
    """Also one whose convolutions were changed for training, and one that is made for inference afterwards."""
    images = _pictures()
    network = _lived(nn.Sequential(REPVGG_TRUNKS["short"](), nn.AdaptiveAvgPool2d(1)), images)
    with torch.no_grad():
        expected = network(images)
        close = {"atol": 1e-4 * float(expected.abs().max()), "rtol": 0.0}
        torch.testing.assert_close(deployed(for_training(network))(images), expected, **close)
        torch.testing.assert_close(for_inference(deployed(network))(images), expected, **close)


@pytest.mark.parametrize(("name", "trained", "fast"), [("a0", 9_108_968, 8_309_384), ("a1", 14_092_264, 12_789_864)])
def test_sizes_on_record(name: str, trained: int, fast: int) -> None:
    """Of a network to 1000 classes, on record: 9.1 and 8.3 million, 14.1 and 12.8."""
    with torch.device("meta"):
        network = REPVGG_TRUNKS[name]()
        head = _parameters(nn.Linear(network.channels, CLASSES))
    assert _parameters(network) + head == trained
    assert _parameters(network.deploy()) + head == fast


@pytest.mark.parametrize("name", REPVGG_TRUNKS)
def test_every_trunk_has_the_channels_and_the_stride_it_says(name: str) -> None:
    with torch.device("meta"):
        network = REPVGG_TRUNKS[name]().eval()
        maps = network(torch.zeros(2, 3, 64, 96))
    assert maps.shape == (2, network.channels, 64 // network.stride, 96 // network.stride)
    assert network.stride == (16 if name.startswith("short") else 32)
    assert network.channels == 1280 * float(name.partition(" x")[2] or 1)


def test_every_parameter_is_trained() -> None:
    network = REPVGG_TRUNKS[SHORT]()
    network(_pictures()).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
    assert sum(bool(p.grad.any()) for p in network.parameters() if p.grad is not None) > 0.9 * len(
        list(network.parameters())
    )


def test_bad_input_is_named() -> None:
    for call, message in (
        (lambda: RepVGG(width=0), "RepVGG width: expected a positive number, got 0"),
        (lambda: RepVGG(width=math.inf), "got inf"),
        (lambda: RepVGG(blocks=(1, 2, 3)), r"expected 4 blocks and 5 strides .* got \(1, 2, 3\)"),
        (lambda: RepVGG(blocks=(1, 0, 1, 1)), "of at least 1"),
        (lambda: RepVGG(widths=(1, 1, -1, 1)), "4 positive widths"),
        (lambda: RepVGG(strides=(2, 2, 2, 2)), "5 strides"),
        (lambda: REPVGG_TRUNKS[SHORT]()(torch.zeros(1, 1, 64, 64)), r"RepVGG images: .* got torch.float32 \(1, 1"),
        (lambda: REPVGG_TRUNKS[SHORT]()(torch.zeros(1, 3, 16, 64)), "at least 32 x 32 pixels"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_timm_gives_the_same_numbers() -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    theirs = timm.create_model("repvgg_a0", num_classes=CLASSES)
    ours = RepVGG()
    assert _parameters(theirs) == _parameters(ours) + _parameters(nn.Linear(ours.channels, CLASSES))
    theirs.reset_classifier(0, "")
    images = _pictures(side=64)
    _lived(theirs, images)
    blocks = [theirs.stem, *(block for stage in theirs.stages for block in stage)]
    own = [ours.stem, *(block for stage in ours.stages for block in stage)]
    for block, copy in zip(blocks, own, strict=True):
        pairs = [(copy.dense, block.conv_kxk), (copy.pointwise, block.conv_1x1)]
        for (convolution, norm), branch in pairs:
            convolution.load_state_dict(branch.conv.state_dict())
            norm.load_state_dict(branch.bn.state_dict())
        assert (copy.identity is None) == (block.identity is None)
        if copy.identity is not None:
            copy.identity.load_state_dict(block.identity.state_dict())
    # In double precision: rounding would add up over 22 layers.
    theirs, ours, images = theirs.double(), ours.double().eval(), images.double()
    with torch.inference_mode():
        expected = theirs(images)
        close = {"atol": 1e-9 * float(expected.abs().max()), "rtol": 0.0}
        torch.testing.assert_close(ours(images), expected, **close)
        torch.testing.assert_close(ours.deploy()(images), expected, **close)
