"""A bar over a face: curves beside it and below it, marks at its place; and curves with bands."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from facelab import viz

ALT = "A face of noise behind a bar, for a test."
PLACES = (0.0, 0.5, 1.0)
RANDOM = torch.Generator().manual_seed(0)
PICTURES = {name: list(torch.rand(3, 3, 16, 16, generator=RANDOM)) for name in ("horizontal", "vertical")}
BOX = torch.tensor([2.0, 4.0, 10.0, 12.0])
ERRORS = {name: {direction: torch.rand(3, 4, generator=RANDOM) for direction in PICTURES} for name in ("one", "two")}
MIDDLES = {"horizontal": [5.0, 8.0, 11.0], "vertical": [3.0, 6.0, 9.0]}  # of a bar of a quarter of the box


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def made(**changes: object) -> viz.InteractiveFigure:
    whole = {"pictures": PICTURES, "box": BOX, "share": 0.25, "places": PLACES, "errors": ERRORS, "alt": ALT}
    return viz.bar_figure(**whole | changes)  # type: ignore[arg-type]


def test_curves_have_their_places_on_the_axes_of_the_picture() -> None:
    curves = {(c.name, c.xaxis): c for c in made().figure.data[3:] if c.name}
    for name, each in ERRORS.items():
        beside, below = curves[name, "x2"], curves[name, "x"]
        assert list(beside.y) == MIDDLES["horizontal"] and beside.yaxis == "y"
        assert list(below.x) == MIDDLES["vertical"] and below.yaxis == "y2"
        np.testing.assert_allclose(beside.x, each["horizontal"].mean(1))
        np.testing.assert_allclose(below.y, each["vertical"].mean(1))
        assert (beside.showlegend, below.showlegend) == (True, False)


def test_bands_reach_from_the_least_seed_to_the_largest() -> None:
    band = made().figure.data[3]
    rows = ERRORS["one"]["horizontal"]
    np.testing.assert_allclose(band.x, [*rows.amax(1), *rows.amin(1).flip(0)])
    assert list(band.y) == [*MIDDLES["horizontal"], *reversed(MIDDLES["horizontal"])]


def test_steps_go_over_both_directions_with_marks_in_the_panel_of_theirs() -> None:
    figure = made().figure
    assert len(figure.frames) == len(figure.layout.sliders[0].steps) == 6
    for number, frame in enumerate(figure.frames):
        assert list(frame.traces) == [0, 1, 2]
        assert frame.data[0].source.startswith("data:image/jpeg")
        direction, index = ("horizontal", "vertical")[number // 3], number % 3
        means = [float(each[direction][index].mean()) for each in ERRORS.values()]
        beside, below = frame.data[1:]
        if direction == "horizontal":
            np.testing.assert_allclose(beside.x, means)
            assert list(beside.y) == [MIDDLES[direction][index]] * 2 and set(below.y) == {None}
        else:
            np.testing.assert_allclose(below.y, means)
            assert list(below.x) == [MIDDLES[direction][index]] * 2 and set(beside.x) == {None}
    assert figure.layout.sliders[0].steps[4].label == "vertical, 0.5"


def test_the_opening_is_its_frame() -> None:
    figure = made(start=4).figure
    assert figure.layout.sliders[0].active == 4
    assert figure.data[0].source == figure.frames[4].data[0].source
    assert list(figure.data[2].x) == list(figure.frames[4].data[2].x)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pictures": {"horizontal": PICTURES["horizontal"]}}, "expected 3 for each"),
        ({"places": PLACES[:2]}, "expected 2 for each"),
        ({"errors": {}}, "at least one network"),
        (
            {"errors": {"one": {"horizontal": torch.rand(3, 1)}}},
            r"errors\['one'\]: expected \['horizontal', 'vertical'\]",
        ),
        ({"errors": {"one": dict.fromkeys(PICTURES, torch.rand(2, 1))}}, r"expected finite numbers \(3, seeds\)"),
        ({"errors": {"one": dict.fromkeys(PICTURES, torch.full((3, 1), torch.nan))}}, "finite"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**changes)


def test_bands_have_a_mean_and_the_reach_of_the_seeds() -> None:
    rows = torch.tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]])
    left, right = viz.bands_figure([0, 1], {"a": {"one": rows}, "b": {"one": rows + 1}}, "place", "error", 0.0).axes
    line, level = left.lines
    assert line.get_ydata().tolist() == [3, 4] and level.get_ydata() == [0, 0]
    (band,) = left.collections
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1, 6)
    assert [ax.get_title() for ax in (left, right)] == ["a", "b"]
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ("place", "error", "")
    assert right.lines[0].get_ydata().tolist() == [4, 5]


def test_bands_need_a_row_a_place() -> None:
    with pytest.raises(ValueError, match=r"expected finite numbers \(2, seeds\)"):
        viz.bands_figure([0, 1], {"a": {"one": torch.zeros(3, 1)}}, "x", "y")
    with pytest.raises(ValueError, match="at least one"):
        viz.bands_figure([0, 1], {"a": {}}, "x", "y")
