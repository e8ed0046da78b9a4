"""Attention on faces: what is drawn are the weights that were given."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from facelab import viz
from facelab.models.coordinate_attention import AttentionMaps

ALT = "Noise with weights of places on it."
RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.rand(2, 3, 16, 16, generator=RANDOM)
MAPS = AttentionMaps(torch.rand(2, 5, 4, 1, generator=RANDOM), torch.rand(2, 5, 1, 4, generator=RANDOM))
WEIGHTS = torch.rand(2, 16, 16, generator=RANDOM).softmax(2)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_strips_are_means_and_the_face_has_the_mean_of_products() -> None:
    figure = viz.attention_sheet(IMAGES, {"global": MAPS}, ["a", "b"])
    faces = [ax for ax in figure.axes if len(ax.images) == 2]
    assert len(faces) == 2
    for index, face in enumerate(faces):
        np.testing.assert_allclose(face.images[1].get_array(), (MAPS.rows * MAPS.columns).mean(1)[index], rtol=1e-6)
        above, left = (child.images[0].get_array() for child in face.child_axes)
        np.testing.assert_allclose(above[0], MAPS.columns[index].mean(0)[0], rtol=1e-6)
        np.testing.assert_allclose(left[:, 0], MAPS.rows[index].mean(0)[:, 0], rtol=1e-6)
        assert face.images[1].get_extent() == [-0.5, 15.5, 15.5, -0.5]


def test_a_sheet_has_a_row_for_each_name() -> None:
    figure = viz.attention_sheet(IMAGES, {"global": MAPS, "local": MAPS})
    assert sum(len(ax.images) == 2 for ax in figure.axes) == 4
    assert {text.get_text() for ax in figure.axes for text in ax.texts} >= {"global", "local"}


def test_the_slider_shows_where_a_place_looks() -> None:
    figure = viz.token_figure(IMAGES, WEIGHTS, ALT, ["a", "b"], start=6).figure
    assert len(figure.frames) == len(figure.layout.sliders[0].steps) == 16
    assert figure.layout.sliders[0].steps[6].label == "row 2, column 3"
    np.testing.assert_allclose(figure.data[2].z, 100 * WEIGHTS[1, 6].reshape(4, 4), rtol=1e-5)
    for place, frame in enumerate(figure.frames):
        np.testing.assert_allclose(frame.data[0].z, 100 * WEIGHTS[0, place].reshape(4, 4), rtol=1e-5)
        x, y = frame.data[1].x, frame.data[1].y
        assert (min(x), min(y)) == (4 * (place % 4) - 0.5, 4 * (place // 4) - 0.5) and max(x) - min(x) == 4
    assert (figure.data[0].x0, figure.data[0].dx) == (1.5, 4)  # centre of the first cell, pixels 0 to 3
    assert len(figure.layout.images) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": WEIGHTS[:1]}, r"\(2, n \* n, n \* n\) weights"),
        ({"weights": WEIGHTS[:, :15, :15]}, r"\(2, n \* n, n \* n\) weights"),
        ({"images": IMAGES[..., :8]}, "square pictures"),
        ({"names": ["a"]}, "expected 2, one a face"),
        ({"start": 16}, "a place from 0 to 15"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    whole = {"images": IMAGES, "weights": WEIGHTS, "alt": ALT}
    with pytest.raises(ValueError, match=message):
        viz.token_figure(**whole | changes)  # type: ignore[arg-type]


def test_a_sheet_needs_maps_of_its_faces() -> None:
    with pytest.raises(ValueError, match="maps and titles of 2 faces"):
        viz.attention_sheet(IMAGES, {})
    with pytest.raises(ValueError, match=r"of 2 faces, got \[1, 2\]"):
        viz.attention_sheet(IMAGES, {"global": AttentionMaps(*(part[:1] for part in MAPS))})
    with pytest.raises(ValueError, match=r"of 2 faces, got \[2, 3\]"):
        viz.attention_sheet(IMAGES, {"global": MAPS}, ["a", "b", "c"])
