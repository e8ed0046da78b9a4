"""Views that play one after the other: each step moves the picture, its points and the cloud together."""

import numpy as np
import pytest
import torch

from facelab import viz
from facelab.markups import markup

ALT = "A face of noise from three sides, for a test."
RANDOM = torch.Generator().manual_seed(0)
IMAGES = list(torch.rand(3, 3, 16, 16, generator=RANDOM))
POINTS = 16 * torch.rand(3, 66, 2, generator=RANDOM)
CLOUDS = 16 * torch.rand(3, 66, 3, generator=RANDOM)
LABELS = ("left", "front", "right")


def made(**changes: object) -> viz.InteractiveFigure:
    whole = {"images": IMAGES, "points": POINTS, "clouds": CLOUDS, "target": CLOUDS[1], "labels": LABELS, "alt": ALT}
    return viz.turning_figure(**whole | {"scheme": "66", "start": 1} | changes)  # type: ignore[arg-type]


def test_each_frame_moves_picture_points_and_cloud() -> None:
    figure = made().figure
    for index, frame in enumerate(figure.frames):
        by_trace = dict(zip(frame.traces, frame.data, strict=True))
        assert by_trace[0].source.startswith("data:image/jpeg")
        np.testing.assert_allclose(by_trace[2].x, POINTS[index, :, 0], atol=0.006)
        line, dots = by_trace[3], by_trace[4]
        np.testing.assert_allclose(np.stack([dots.x, -dots.y, dots.z], 1), CLOUDS[index], rtol=1e-6)
        first, second = markup("66").edges()[0]
        assert line.y[:2].tolist() == [dots.y[first], dots.y[second]] and np.isnan(line.y[2])
        assert figure.data[4].type == "scatter3d" and len(line.x) == len(figure.data[3].x)


def test_the_opening_is_its_frame() -> None:
    figure = made().figure
    opening = dict(zip(figure.frames[1].traces, figure.frames[1].data, strict=True))
    assert figure.layout.sliders[0].active == 1
    assert figure.data[0].source == opening[0].source
    for trace in (2, 4):
        np.testing.assert_allclose(figure.data[trace].x, opening[trace].x)
    np.testing.assert_allclose(figure.data[6].x, CLOUDS[1, :, 0])  # the true ones, which no frame moves
    assert all(max(frame.traces) == 4 for frame in figure.frames)


def test_buttons_play_and_stop() -> None:
    play, stop = made().figure.layout.updatemenus[0].buttons
    assert play.method == stop.method == "animate"
    assert play.args[0] is None and play.args[1]["frame"]["duration"] > 0
    assert list(stop.args[0]) == [None] and stop.args[1]["mode"] == "immediate"


@pytest.mark.parametrize("changes", [{"images": IMAGES[:2]}, {"clouds": CLOUDS[:2]}, {"labels": ("one",)}])
def test_numbers_of_views_must_agree(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="one a label"):
        made(**changes)
