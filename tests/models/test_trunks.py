"""Trunks: sizes of their maps, equal costs of the small ones, ImageNet's weights and colours."""

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from facelab.models import TRUNKS
from facelab.models.trunks import ImageNetColours, make_trunk


def _multiply_adds(name: str) -> float:
    """Of a picture of 64 x 64 pixels."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        make_trunk("test", name)[0].eval()(torch.empty(1, 3, 64, 64))
    return counter.get_total_flops() / 2


def _count(name: str) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in make_trunk("test", name)[0].parameters())


@pytest.mark.parametrize("name", TRUNKS)
def test_maps_are_a_thirty_second_of_the_picture(name: str) -> None:
    trunk, channels = make_trunk("test", name)
    with torch.inference_mode():
        assert trunk.eval()(torch.rand(2, 3, 64, 96)).shape == (2, channels, 2, 3)
        assert trunk(torch.rand(1, 3, 32, 32)).shape == (1, channels, 1, 1)


def test_small_trunks_of_three_designs_cost_the_same() -> None:
    costs = [_multiply_adds(name) for name in ("resnet-small", "densenet-small", "wide-resnet-small")]
    assert min(costs) > 60e6 and max(costs) < 100e6
    assert max(costs) < 1.15 * min(costs)


def test_the_designs_differ_as_their_namesakes_do() -> None:
    assert _count("densenet-small") < 0.5 * _count("resnet-small")  # few weights, used again and again
    layers = {}
    for name in ("densenet-small", "resnet-small", "wide-resnet-small", "resnet-thin"):
        with torch.device("meta"):
            modules = list(make_trunk("test", name)[0].modules())
        layers[name] = [module for module in modules if isinstance(module, nn.Conv2d)]
    assert len(layers["densenet-small"]) > len(layers["resnet-small"]) > len(layers["wide-resnet-small"])
    inner = {
        name: next(layer.in_channels for layer in convolutions[1:] if layer.kernel_size == (3, 3))
        for name, convolutions in layers.items()
    }
    assert inner["wide-resnet-small"] == 2 * inner["resnet-small"] == 8 * inner["resnet-thin"]
    assert len(layers["resnet-thin"]) == len(layers["resnet-small"])
    assert _multiply_adds("resnet-thin") < 0.5 * _multiply_adds("resnet-small")


def test_cnn6_has_the_widths_of_the_wing_paper() -> None:
    trunk, channels = make_trunk("test", "cnn6")
    convolutions = [layer for layer in trunk if isinstance(layer, nn.Conv2d)]
    assert [(layer.out_channels, layer.kernel_size) for layer in convolutions] == [
        (width, (3, 3)) for width in (32, 64, 128, 256, 512)
    ]
    assert channels == 512 and trunk(torch.rand(2, 3, 64, 64)).shape[2:] == (2, 2)


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_maps_are_those_of_torchvisions_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = torchvision.models.get_model(name).eval()
    asked: list[object] = []

    def given(name: str, weights: object) -> nn.Module:
        asked.append((name, weights))
        return network

    monkeypatch.setattr(torchvision.models, "get_model", given)
    trunk, channels = make_trunk("test", name, pretrained=True)
    assert asked == [(name, "DEFAULT")]
    last = network.classifier if name == "densenet121" else network.fc
    assert last.in_features == channels
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(last(trunk(images).mean((2, 3))), network(images))


def test_colours_are_imagenets_and_not_saved() -> None:
    images = torch.rand(2, 3, 5, 4)
    wanted = torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(images)
    colours = ImageNetColours()
    torch.testing.assert_close(colours(images), wanted)
    assert not colours.state_dict()


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="Head trunk: expected one of resnet50, .*resnet-thin, got 'vgg16'"):
        make_trunk("Head", "vgg16")
    for name in ("cnn6", "resnet-small"):
        with pytest.raises(ValueError, match=f"Head pretrained: there are no weights for {name}; expected .*resnet50"):
            make_trunk("Head", name, pretrained=True)
