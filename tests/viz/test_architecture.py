"""FAN, drawn: what is written in the drawing is what the network does."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
import torch

from facelab import viz
from facelab.models import FAN


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def small(**changes: object) -> FAN:
    return FAN(**{"stacks": 2, "width": 16, "depth": 2} | changes)  # type: ignore[arg-type]


def texts(network: FAN, side: int = 32) -> list[str]:
    (ax,) = viz.network_figure(network, side).axes
    return [text.get_text() for text in ax.texts]


def test_shapes_are_those_of_the_network() -> None:
    network = small(landmarks=7)
    shapes = viz.measured_shapes(network, 48)
    assert shapes[""] == (3, 48, 48)
    with torch.no_grad():
        trunk = network.eval().stem(torch.zeros(1, 3, 48, 48))
        assert shapes["stem"] == tuple(trunk.shape[1:])
        for index, maps in enumerate(network(torch.zeros(1, 3, 48, 48))):
            assert shapes[f"stacks.{index}.heatmaps"] == tuple(maps.shape[1:])
    sides = [shapes[f"stacks.0.hourglass{level}"][1] for level in (".keep", ".down", ".inner.down", ".inner.inner")]
    assert sides == [12, 6, 3, 3]


def test_the_network_is_left_as_it_was() -> None:
    network = small().train()
    network.stem.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    viz.measured_shapes(network, 32)
    assert network.training and network.stacks.training and not network.stem.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_side_that_does_not_fit_leaves_no_hooks() -> None:
    network = small().train()
    with pytest.raises(ValueError, match="multiples of 16"):
        viz.network_figure(network, 40)
    assert network.training and not any(module._forward_hooks for module in network.modules())


def test_every_measured_shape_is_written() -> None:
    network = small(landmarks=9, in_channels=12)
    shapes, written = viz.measured_shapes(network, 32), texts(network)
    assert written.count(" × ".join(map(str, shapes["stacks.0.heatmaps"]))) == 2
    boxes = [text.split("\n", 1) for text in written if text.startswith(("down\n", "inner\n", "up\n", "out\n"))]
    paths = ("down", "inner.down", "inner.inner", "inner.up", "up")
    expected = [shapes[f"stacks.0.hourglass.{path}"] for path in paths] + [shapes["stacks.0.hourglass"]]
    assert [name for name, _ in boxes] == ["down", "down", "inner", "up", "up", "out"]
    assert [shape for _, shape in boxes] == [f"{c} ×\n{h}×{w}" for c, h, w in expected]
    assert "in\n12 ×\n32×32" in written and "pool,\nblock\n8 ×\n8×8" in written


def test_parameters_are_counted() -> None:
    network = small(width=256, depth=1)
    written = texts(network)
    total = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    hourglass = sum(parameter.numel() for parameter in network.stacks[0].hourglass.parameters()) / 1e6
    assert f"FAN, 2 stacks: {total:.2f} million parameters" in written
    first, last = (text for text in written if text.startswith("hourglass "))
    assert first.startswith(f"hourglass {hourglass:.2f} M\nfeatures ")
    assert "passed on" in first and "passed on" not in last


@pytest.mark.parametrize("stacks", [1, 4, 6])
def test_a_stack_more_is_a_plus_more(stacks: int) -> None:
    figure = viz.network_figure(small(stacks=stacks, depth=1, block="bottleneck", pool="max"), 16)
    (ax,) = figure.axes
    written = [text.get_text() for text in ax.texts]
    assert written.count("+") == stacks - 1 and written.count("keep, add") == 1
    assert sum(text.startswith(f"stack {stacks}: ") for text in written) == 1
    figure.canvas.draw()
    frame = figure.bbox
    for text in ax.texts:
        if text.get_text():
            box = text.get_window_extent()
            assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            assert text.get_fontsize() >= 7
