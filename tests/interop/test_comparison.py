"""Planted errors are found in the layer where they were planted."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facelab.data.heatmaps import decode_heatmaps
from facelab.interop import fan_depth_names, fan_names, first_difference, load_fan, load_fan_depth
from tests.interop import authors

PICTURES = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def theirs() -> Any:
    torch.manual_seed(0)
    return authors.fan(2)


def _given(theirs: Any, change: Callable[[Tensor], Tensor]) -> nn.Module:
    """Their network, which changes its picture before the first layer."""

    class Variant(authors.fan_class()):  # type: ignore[misc]
        def forward(self, x: Tensor) -> Any:
            return super().forward(change(x))

    network = Variant(2)
    network.load_state_dict(theirs.state_dict())
    return network.eval()


def test_nothing_to_find(theirs: Any) -> None:
    found = first_difference(theirs, load_fan(theirs.state_dict()), PICTURES)
    assert found.layer is None and found.reason.startswith("all layers agree")
    assert max(step.relative for step in found.steps) < 1e-5
    assert {step.ours for step in found.steps} == set(fan_names(load_fan(theirs.state_dict())))


def test_nothing_to_find_in_the_depth_network() -> None:
    torch.manual_seed(0)
    theirs = authors.depth_network(1, 2, 1, 1)
    found = first_difference(theirs, load_fan_depth(theirs.state_dict()), torch.rand(1, 71, 193, 193))
    assert found.layer is None
    assert {step.ours for step in found.steps} == set(fan_depth_names(load_fan_depth(theirs.state_dict())))


def test_the_other_pool(theirs: Any) -> None:
    found = first_difference(theirs, load_fan(theirs.state_dict(), pool="max"), PICTURES)
    assert found.layer == "stem.4"
    assert "stem.5 (theirs: conv3) is given something else" in found.reason


def test_the_other_pool_in_one_hourglass(theirs: Any) -> None:
    ours = load_fan(theirs.state_dict())
    ours.stacks[1].hourglass.inner.pool = nn.MaxPool2d(2)
    assert first_difference(theirs, ours, PICTURES).layer == "stacks.1.hourglass.inner.pool"


def test_the_other_order_of_channels(theirs: Any) -> None:
    """Before the first layer, or in its weights."""
    variant = _given(theirs, lambda pictures: pictures.flip(1))
    found = first_difference(variant, load_fan(theirs.state_dict()), PICTURES)
    assert found.layer == "stem.0"
    assert "stem.0 (theirs: conv1) is given something else" in found.reason
    turned = theirs.state_dict() | {"conv1.weight": theirs.conv1.weight.flip(1)}
    found = first_difference(theirs, load_fan(turned), PICTURES)
    assert found.layer == "stem.0" and "gives something else" in found.reason


def test_half_a_pixel_in_the_picture(theirs: Any) -> None:
    variant = _given(theirs, lambda pictures: (pictures + pictures.roll(1, 3)) / 2)
    found = first_difference(variant, load_fan(theirs.state_dict()), PICTURES)
    assert found.layer == "stem.0" and "no layer ran since" in found.reason


def test_half_a_pixel_in_the_upsampling(theirs: Any) -> None:
    """It begins in the innermost level, which has no module in their network and 2 x 2 cells here."""

    def shifted(low: Tensor, **options: Any) -> Tensor:
        return F.interpolate(low, **options).roll(1, 3)  # a pixel of the larger map is half a pixel of the smaller

    variant = authors.fan_class(interpolate=shifted)(2)
    variant.load_state_dict(theirs.state_dict())
    found = first_difference(variant.eval(), load_fan(theirs.state_dict()), torch.rand(1, 3, 128, 128))
    assert found.layer == "stacks.0.hourglass.inner.inner.inner"
    assert "stacks.0.hourglass.inner.inner.up (theirs: m0.b3_2) is given something else" in found.reason


def test_half_a_pixel_in_the_decoder(theirs: Any) -> None:
    class Decoder(nn.Module):
        def __init__(self, shift: float) -> None:
            super().__init__()
            self.shift = shift

        def forward(self, heatmaps: list[Tensor]) -> Tensor:
            return decode_heatmaps(heatmaps[-1]) + self.shift

    ours = load_fan(theirs.state_dict())
    names = {f"0.{mine}".rstrip("."): f"0.{other}".rstrip(".") for mine, other in fan_names(ours).items()} | {"1": "1"}
    shifted, straight = nn.Sequential(theirs, Decoder(0.5)).eval(), nn.Sequential(ours, Decoder(0.0)).eval()
    found = first_difference(shifted, straight, PICTURES, names)
    assert found.layer == "1"
    assert found.steps[-1].difference == pytest.approx(0.5)


def test_the_table_has_the_largest_differences_first(theirs: Any) -> None:
    found = first_difference(theirs, load_fan(theirs.state_dict(), pool="max"), PICTURES)
    header, *rows = found.table(5).splitlines()
    assert header.split() == ["ours", "theirs", "place", "difference", "relative"]
    values = [float(row.split()[-1]) for row in rows]
    assert len(values) == 5 and values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(max(step.relative for step in found.steps), rel=0.01)


def test_other_shapes_and_numbers_that_are_none_differ() -> None:
    small, large = nn.Sequential(nn.Conv2d(3, 4, 1)).eval(), nn.Sequential(nn.Conv2d(3, 5, 1)).eval()
    found = first_difference(small, large, PICTURES, {"0": "0"})
    assert found.layer == "0" and found.steps[-1].difference == float("inf")
    broken = nn.Sequential(nn.Conv2d(3, 4, 1)).eval()
    nn.init.constant_(broken[0].weight, float("nan"))
    assert first_difference(broken, small, PICTURES, {"0": "0"}).layer == "0"


def test_a_layer_that_theirs_never_ran_differs() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return x

    found = first_difference(Unused().eval(), nn.Sequential(nn.Identity()).eval(), PICTURES, {"0": "layer"})
    assert found.layer == "0" and found.steps[0].difference == float("inf")


def test_bad_arguments_are_named(theirs: Any) -> None:
    ours = load_fan(theirs.state_dict())
    with pytest.raises(ValueError, match="ours has no layer 'stem.9'"):
        first_difference(theirs, ours, PICTURES, {"stem.9": "conv1"})
    with pytest.raises(ValueError, match="theirs has no layer 'conv9'"):
        first_difference(theirs, ours, PICTURES, {"stem.0": "conv9"})
    with pytest.raises(ValueError, match="ours: expected a network in evaluation mode"):
        first_difference(theirs, load_fan(theirs.state_dict()).train(), PICTURES)
    with pytest.raises(ValueError, match="names: expected our and their name of each layer to compare for a Conv2d"):
        first_difference(theirs, nn.Conv2d(3, 3, 1).eval(), PICTURES)
