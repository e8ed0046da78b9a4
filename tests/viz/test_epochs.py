"""Faces and methods over epochs: each frame has the points of its epoch in the cell of its method and face."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from facelab import viz
from facelab.markups import markup

ALT = "Points that two methods find in two faces, epoch by epoch."
RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.rand(2, 3, 16, 16, generator=RANDOM)
FOUND = {name: 16 * torch.rand(3, 2, 68, 2, generator=RANDOM) for name in ("Wing", "anisotropic")}


def made(**changes: object) -> viz.InteractiveFigure:
    whole = {"images": IMAGES, "predicted": FOUND, "markup": "68", "alt": ALT, "epochs": (0, 1, 10), "start": 1}
    return viz.epochs_figure(**whole | changes)  # type: ignore[arg-type]


def test_frames_have_the_points_of_their_epoch() -> None:
    figure = made().figure
    assert len(figure.frames) == 3
    for step, frame in enumerate(figure.frames):
        assert list(frame.traces) == [0, 1, 2, 3]
        for cell, trace in enumerate(frame.data):
            points = list(FOUND.values())[cell // 2][step, cell % 2]
            np.testing.assert_allclose(np.asarray(trace.x)[:17], points[:17, 0], atol=0.051)  # the jaw comes first
            np.testing.assert_allclose(np.asarray(trace.y)[18:23], points[17:22, 1], atol=0.051)
            assert np.isnan(trace.x[17])


def test_line_goes_through_every_edge_and_no_other() -> None:
    trace = made().figure.data[0]
    line = np.stack([trace.x, trace.y], 1)
    drawn = {tuple(np.concatenate(pair)) for pair in pairwise(line)}
    points = FOUND["Wing"][1, 0].numpy().astype(np.float64).round(1).astype(np.float32)
    expected = {(*points[a], *points[b]) for a, b in markup("68").edges()}
    assert {pair for pair in drawn if not np.isnan(pair).any()} == expected


def test_each_cell_has_its_picture_and_each_row_its_method() -> None:
    layout = made().figure.layout
    sources = [image.source for image in layout.images]
    assert sources[0] == sources[2] != sources[1] == sources[3]
    assert [image.xref for image in layout.images] == ["x", "x2", "x3", "x4"]
    assert [(each.text, each.xref) for each in layout.annotations] == [("Wing", "x"), ("anisotropic", "x3")]
    assert [trace.xaxis for trace in made().figure.data] == ["x", "x2", "x3", "x4"]


def test_slider_names_epochs_and_buttons_play_and_stop() -> None:
    layout = made().figure.layout
    assert [step.label for step in layout.sliders[0].steps] == ["0", "1", "10"] and layout.sliders[0].active == 1
    play, stop = layout.updatemenus[0].buttons
    assert play.args[0] is None and play.args[1]["frame"]["duration"] > 0 and list(stop.args[0]) == [None]
    np.testing.assert_array_equal(made().figure.data[2].x, made().figure.frames[1].data[2].x)


def test_other_markups_and_points_that_are_missing() -> None:
    found = torch.rand(2, 2, 29, 2, generator=RANDOM)
    found[0, 0, 4] = torch.nan
    trace = made(predicted={"one": found}, markup="29", epochs=None, start=0).figure.data[0]
    assert np.isnan(trace.x).sum() == len(markup("29").groups)  # a gap after each group but the last, and the missing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"predicted": {}, "epochs": None}, "expected shape"),
        ({"predicted": FOUND | {"L2": FOUND["Wing"][:2]}}, r"'L2': \(2, 2, 68, 2\)"),
        ({"epochs": (0, 1)}, r"expected shape \(2, 2, 68, 2\)"),
        ({"markup": "98"}, r"expected shape \(3, 2, 98, 2\)"),
        ({"images": IMAGES[:1]}, r"expected shape \(3, 1, 68, 2\)"),
        ({"images": [IMAGES[0], IMAGES[1, :, :8]]}, "pictures \\(3, S, S\\) of one size"),
        ({"start": 3}, "a step from 0 to 2"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**changes)
