"""Meshes in the colours of a length: what the slider shows."""

import numpy as np
import pytest
import torch

from facelab import viz

ALT = "Two squares whose corners have colours."
TRIANGLES = torch.tensor([[0, 1, 2], [0, 2, 3]])
SQUARE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
MESHES = torch.stack([10 * SQUARE, 8 * SQUARE])
DISTANCES = torch.tensor([[0.0, 1, 2, 1], [0, 0, 4, 0]])


def made(**changes: object) -> viz.InteractiveFigure:
    whole = {
        "meshes": MESHES, "distances": DISTANCES, "triangles": TRIANGLES, "alt": ALT, "names": ("a", "b"),
        "label": "apart (mm)",
    }  # fmt: skip
    return viz.mesh_difference_figure(**whole | changes)  # type: ignore[arg-type]


def test_each_step_has_its_mesh_and_its_colours() -> None:
    figure = made().figure
    assert [step.label for step in figure.layout.sliders[0].steps] == [
        "a: mean 1.00 mm, largest 2.0 mm", "b: mean 1.00 mm, largest 4.0 mm",
    ]  # fmt: skip
    middle, unit = torch.tensor([5.0, 5.0, 0.0]), 5 / 32000
    end = float(np.quantile(DISTANCES.numpy(), 0.99))
    for frame, mesh, row in zip(figure.frames, MESHES, DISTANCES, strict=True):
        trace = frame.data[0]
        places = np.stack([trace.x, trace.y, trace.z], 1)
        assert places.dtype == np.int16
        np.testing.assert_allclose(unit * places, mesh - middle, atol=unit)
        np.testing.assert_array_equal(trace.intensity, np.round(255 * np.minimum(row.numpy() / end, 1)))
    bar = figure.data[0].colorbar
    assert bar.title.text == "apart (mm)"
    at = dict(zip(bar.ticktext, bar.tickvals, strict=True))
    assert at["0"] == 0 and at["1"] == pytest.approx(255 / end)


def test_the_scene_holds_every_mesh() -> None:
    layout = made().figure.layout
    assert tuple(layout.scene.xaxis.range) == pytest.approx((-32000, 32000)) and layout.scene.aspectratio.x == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"meshes": MESHES[:1]}, r"got \(1, 4, 3\), \(2, 4\) and 2"),
        ({"names": ("a",)}, "and 1$"),
        ({"distances": DISTANCES * torch.nan}, "finite numbers"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**changes)
