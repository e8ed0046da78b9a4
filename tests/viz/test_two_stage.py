"""The two-stage method, drawn: what is written in the drawing is what the networks do."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
import torch

from facelab import viz
from facelab.models import DepthRegression, PartCascade, PartDetection, PartRegression, TwoStage


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def networks(depth: int = 2) -> TwoStage:
    with torch.device("meta"):
        regression = PartRegression(7, 16, depth, 1, 24)
        return TwoStage(
            PartCascade(PartDetection(7, "resnet18"), regression), DepthRegression(7, (1, 1, 1, 1), width=8)
        )


def texts(network: TwoStage, side: int = 64) -> list[str]:
    (ax,) = viz.two_stage_figure(network, side).axes
    return [text.get_text() for text in ax.texts]


def test_shapes_are_written() -> None:
    written = texts(networks())
    for expected in (
        "picture\n3 ×\n64×64", "block 5\n512 ×\n4×4", "deconv\n7 ×\n16×16", "discs\n7 ×\n64×64",
        "picture,\ndiscs\n10 ×\n64×64", "features\n24 ×\n16×16", "deconv\n7 ×\n64×64",
        "picture,\nheatmaps\n10 ×\n64×64", "B5\n256 ×\n2×2", "depths\n7 ×\n1×1",
    ):  # fmt: skip
        assert expected in written
    assert [text for text in written if text.startswith(("down", "up"))] == [
        "down\n16 ×\n8×8", "down\n16 ×\n4×4", "up\n16 ×\n8×8", "up\n16 ×\n16×16",
    ]  # fmt: skip


def test_an_hourglass_has_as_many_steps_as_its_depth() -> None:
    assert sum(text.startswith("down") for text in texts(networks(depth=3))) == 3


def test_parameters_are_counted() -> None:
    network = networks()
    written = texts(network)
    assert network.cascade.detection is not None
    count = sum(parameter.numel() for parameter in network.cascade.detection.parameters()) / 1e6
    assert f"Detection, {count:.2f} million parameters" in written


def test_both_parts_must_be_there() -> None:
    network = networks()
    alone = TwoStage(PartCascade(None, network.cascade.regression), network.depth)
    with pytest.raises(ValueError, match="a detection and a regression"):
        viz.two_stage_figure(alone, 64)
