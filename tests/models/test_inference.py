"""The fast copy of a network gives the network's numbers."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from facelab.models import FAN, TDDFA, LandmarkRegressor, MobileNetV1, for_inference, for_training
from facelab.models.inference import Activated, TrainableWinograd, Winograd


def _trained(network: nn.Module, pictures: Tensor) -> nn.Module:
    """Statistics of its own in every BN, so that folding it matters."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(0.5 + torch.rand(module.weight.shape, generator=generator))
                module.bias.copy_(0.2 * torch.randn(module.bias.shape, generator=generator))
                module.momentum = 1.0
        network.train()(pictures)
    return network.eval()


def _pictures(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("block", ["hpm", "bottleneck"])
@pytest.mark.parametrize("pool", ["avg", "max"])
def test_fan_gives_the_same_maps(block: str, pool: str) -> None:
    """Against float64: below 1e-4 in the paper's network, and within a few times the rounding of the plain network."""
    torch.manual_seed(0)
    pictures = _pictures(3, 96, 64)
    network = _trained(FAN(stacks=2, landmarks=5, width=128, depth=3, block=block, pool=pool), pictures)
    with torch.inference_mode():
        plain = network(pictures)
        expected = copy.deepcopy(network).double()(pictures.double())
    got = for_inference(network)(pictures)
    assert isinstance(got, list) and len(got) == 2
    for fast, slow, exact in zip(got, plain, expected, strict=True):
        rounding = float((slow - exact).abs().max())
        assert 0 < float((fast - exact).abs().max()) < 5 * rounding
        assert block != "hpm" or float((fast - slow).abs().max()) < 1e-4


@pytest.mark.parametrize("make", [lambda: MobileNetV1(0.25), LandmarkRegressor])
def test_regressors_give_the_same_numbers(make: type[nn.Module]) -> None:
    pictures = _pictures(3, 64, 64)
    network = _trained(make(), pictures)
    with torch.inference_mode():
        expected = network(pictures)
    torch.testing.assert_close(for_inference(network)(pictures), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch was built without oneDNN")
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Hardswish])
@pytest.mark.parametrize("convolution", [nn.Conv2d(4, 6, 3, 2, 1, bias=False), nn.Conv2d(4, 4, 5, 1, 2, groups=4)])
def test_activations_are_applied_with_the_convolution(activation: type[nn.Module], convolution: nn.Conv2d) -> None:
    """Also where the size of the maps changes between calls, and in a copy of a network that has run."""
    network = nn.Sequential(nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), activation()))
    network = _trained(network, torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2)))
    fast = for_inference(network)
    assert sum(isinstance(layer, Activated) for layer in fast.modules()) == 1
    assert not any(isinstance(layer, activation) for layer in fast.modules())
    for count, side in ((1, 12), (3, 9), (2, 12)):
        maps = torch.randn(count, 4, side, side, generator=torch.Generator().manual_seed(side))
        with torch.inference_mode():
            expected = network(maps)
        torch.testing.assert_close(fast(maps), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(copy.deepcopy(fast)(maps), expected, atol=1e-5, rtol=1e-5)


def test_large_batches_are_split_and_joined() -> None:
    """Six pictures of 192 x 192 are more than go through together."""
    pictures = _pictures(6, 192, 192)
    fast, sizes = for_inference(FAN(stacks=1, landmarks=3, width=16, depth=2)), []
    fast.get_submodule("network").register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    together = fast(pictures)[0]
    assert sum(sizes) == 6 and len(sizes) > 1
    one = torch.cat([fast(picture[None])[0] for picture in pictures])
    torch.testing.assert_close(together, one)


@pytest.mark.parametrize("landmarks", [False, True])
def test_named_answers_are_joined(landmarks: bool) -> None:
    """A network that leaves one of its answers out, too."""
    network = TDDFA("mobilenet x0.25", landmarks=landmarks).eval()
    images = _pictures(9, 120, 120)
    found, expected = for_inference(network)(images), network(images)
    assert type(found) is type(expected)
    torch.testing.assert_close(found.parameters, expected.parameters, atol=1e-5, rtol=1e-5)
    if landmarks:
        torch.testing.assert_close(found.landmarks, expected.landmarks, atol=1e-5, rtol=1e-5)
    else:
        assert found.landmarks is None


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (8, 8), (30, 45), (4, 260)])
@pytest.mark.parametrize(("bias", "norm"), [(True, False), (False, True), (True, True)])
def test_winograd_is_the_convolution(size: tuple[int, int], bias: bool, norm: bool) -> None:
    """Against float64; also where the last tile is cut, and where the tiles fill several strips."""
    torch.manual_seed(0)
    convolution, batch_norm = nn.Conv2d(8, 6, 3, padding=1, bias=bias), nn.BatchNorm2d(8)
    x = torch.randn(2, 8, *size)
    sequence = _trained(nn.Sequential(batch_norm, nn.ReLU(), convolution), x + 0.3) if norm else convolution
    with torch.inference_mode():
        expected = sequence.double()(x.double())
        got = Winograd(convolution.float(), batch_norm.float() if norm else None)(x)
    torch.testing.assert_close(got.double(), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_a_trainable_convolution(bias: bool) -> None:
    """Against float64, of a sum with weights of its own for every output."""
    generator = torch.Generator().manual_seed(3)
    layer = for_training(nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, bias=bias)))[0]
    x, pull = torch.randn(2, 64, 9, 14, generator=generator), torch.randn(2, 64, 9, 14, generator=generator)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        given = x.to(dtype).requires_grad_()
        parameters = list(layer.to(dtype).parameters())
        gradients.append(torch.autograd.grad((layer(given) * pull.to(dtype)).sum(), [given, *parameters]))
    assert isinstance(layer, TrainableWinograd) and len(gradients[0]) == 2 + bias
    for got, expected in zip(*gradients, strict=True):
        scale = float(expected.abs().max())
        torch.testing.assert_close(got.double() / scale, expected / scale, atol=1e-5, rtol=0)


def test_a_network_for_training_is_the_same_network() -> None:
    pictures = _pictures(2, 64, 64)
    torch.manual_seed(0)
    network = FAN(stacks=1, landmarks=3, width=128, depth=2)
    weights, names = set(map(id, network.parameters())), list(network.state_dict())
    expected = network(pictures)[0]
    changed = for_training(network)
    assert changed is network and network.training
    assert sum(isinstance(module, TrainableWinograd) for module in network.modules()) >= 8
    assert set(map(id, network.parameters())) == weights and list(network.state_dict()) == names
    torch.testing.assert_close(network(pictures)[0], expected, atol=1e-4, rtol=0)
    with torch.inference_mode():
        torch.testing.assert_close(for_inference(network)(pictures)[0], network.eval()(pictures)[0], atol=1e-4, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(pictures)[0].dtype == torch.bfloat16


def test_what_is_replaced() -> None:
    """All 3 x 3 convolutions of a full-width FAN but those with few channels; no BN after a convolution is left."""
    network = FAN(stacks=1, landmarks=3)
    fast = for_inference(network)
    before = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    left = [m for m in fast.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    made = [m for m in fast.modules() if isinstance(m, Winograd)]
    assert len(made) + len(left) == len(before)
    assert all(min(m.in_channels, m.out_channels) < 64 for m in left)
    assert len(made) > 0.9 * len(before)
    sequences = [list(m.children()) for m in fast.modules() if isinstance(m, nn.Sequential)]
    pairs = [pair for layers in sequences for pair in pairwise(layers)]
    assert not any(isinstance(a, nn.Conv2d) and isinstance(b, nn.BatchNorm2d) for a, b in pairs)


def test_the_network_is_left_alone() -> None:
    network = FAN(stacks=1, landmarks=3, width=16, depth=2).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fast = for_inference(network)
    maps = fast(_pictures(1, 64, 64))
    assert not maps[0].requires_grad and network.training and not fast.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(p.requires_grad for p in network.parameters())


def test_a_single_layer_is_a_network() -> None:
    convolution, folded = nn.Conv2d(64, 64, 3, padding=1), nn.Sequential(nn.Conv2d(64, 8, 3), nn.BatchNorm2d(8))
    for layer, kind in ((convolution, Winograd), (folded, nn.Sequential)):
        fast, x = for_inference(layer), torch.rand(2, 64, 9, 9)
        assert type(fast.get_submodule("network")) is kind
        torch.testing.assert_close(fast(x), layer.eval()(x).detach(), atol=1e-4, rtol=0)


def test_bad_pictures_are_named() -> None:
    fast = for_inference(FAN(stacks=1, landmarks=3, width=16, depth=2))
    for shape in ((3, 64, 64), (0, 3, 64, 64)):
        with pytest.raises(ValueError, match=r"images: expected at least one picture \(B, C, H, W\), got"):
            fast(torch.zeros(shape))
    with pytest.raises(ValueError, match="multiples of 16 .* got 40 x 64"):
        fast(torch.zeros(1, 3, 40, 64))


def test_bad_networks_are_named() -> None:
    with pytest.raises(ValueError, match="expected float32 parameters on one device, got torch.float64 on cpu"):
        for_inference(nn.Linear(2, 2).double())
    with pytest.raises(ValueError, match="got none"):
        for_inference(nn.ReLU())
    with pytest.raises(ValueError, match="running statistics"):
        for_inference(
            nn.Sequential(nn.BatchNorm2d(64, track_running_stats=False), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1))
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu() -> None:
    pictures = _pictures(2, 64, 64)
    network = _trained(FAN(stacks=1, width=64, depth=2), pictures)
    with torch.inference_mode():
        expected = network(pictures)[0]
    got = for_inference(network.cuda())(pictures.cuda())[0]
    torch.testing.assert_close(got.cpu(), expected, atol=1e-3, rtol=1e-3)
