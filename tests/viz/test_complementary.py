"""CLN, drawn: what is written in the drawing is what the network does."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
import torch

from facelab import viz
from facelab.models import CLN

PICTURE = torch.zeros(3, 32, 32)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def texts(network: CLN, side: int = 64) -> list[str]:
    figure = viz.complementary_figure(network, side, (PICTURE, PICTURE + 1))
    return [text.get_text() for text in figure.axes[0].texts]


def network(streams: str = "both") -> CLN:
    return CLN("short x0.25", streams=streams)


def test_shapes_and_parameters_are_written() -> None:
    made = network()
    written = texts(made)
    for expected in ("stem\n12 ×\n32×32", "stage 4\n320 ×\n4×4", "attention\n320 ×\n4×4", "mean\n320 ×\n1×1"):
        assert written.count(expected) == 2
    assert "both:\n640" in written and "62:\nthe answer" in written and written.count("62: alone") == 2
    count = sum(parameter.numel() for parameter in made.streams["global"].parameters()) / 1e6
    assert f"Global stream: {count:.2f} million" in written


def test_each_stream_has_its_picture() -> None:
    axes = viz.complementary_figure(network(), 64, (PICTURE, PICTURE + 1)).axes
    assert [float(ax.images[0].get_array().mean()) for ax in axes[1:]] == [0, 1]


def test_a_deployed_network_has_no_layers_for_training() -> None:
    assert "62: alone" not in texts(CLN("short x0.25").deploy())


def test_both_streams_must_be_there() -> None:
    with pytest.raises(ValueError, match="streams global, local, got global$"):
        texts(network("global"))
