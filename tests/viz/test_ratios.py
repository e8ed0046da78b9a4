"""Ratios with intervals: each dot, bar and diamond at its number, in the row of its name."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from facelab import viz

PANELS = {
    "68 points": {"first": viz.Ratio(0.97, 0.94, 1.0, 0.99), "second": viz.Ratio(1.05, 1.01, 1.09)},
    "21 points": {"first": viz.Ratio(0.9, 0.9, 0.9, 0.95), "second": viz.Ratio(1.0, 0.8, 1.2, 1.01)},
}


@pytest.fixture
def figure() -> Iterator[Figure]:
    made = viz.ratios_figure(PANELS, "error over error", ("measured", "printed there"))
    yield made
    plt.close(made)


def test_dots_and_intervals_are_in_the_rows_of_their_names(figure: Figure) -> None:
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    (ours,) = ax.containers
    np.testing.assert_allclose(ours.lines[0].get_xydata(), [[0.97, 0], [1.05, 1]])
    (bars,) = ours.lines[2]
    np.testing.assert_allclose([bar[:, 0] for bar in bars.get_segments()], [[0.94, 1.0], [1.01, 1.09]])
    low, high = ax.get_ylim()
    assert low > high  # the first row is on top


def test_a_diamond_only_where_something_is_printed(figure: Figure) -> None:
    diamonds = [line for ax in figure.axes for line in ax.lines if line.get_marker() == "D"]
    assert [line.get_xydata().tolist() for line in diamonds] == [[[0.99, 0]], [[0.95, 0], [1.01, 1]]]


def test_one_has_a_line_and_the_legend_its_words(figure: Figure) -> None:
    for ax in figure.axes:
        assert ax.lines[0].get_xdata() == [1, 1]
    assert [ax.get_title() for ax in figure.axes] == list(PANELS)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["measured", "printed there"]
    dot, diamond = figure.legends[0].legend_handles
    assert isinstance(diamond, Line2D) and diamond.get_marker() == "D" and not isinstance(dot, Line2D)


def test_nothing_printed_has_no_diamond_in_the_legend() -> None:
    made = viz.ratios_figure({"a": {"row": viz.Ratio(1, 0.9, 1.1)}}, "x")
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["here"]
    plt.close(made)


@pytest.mark.parametrize("numbers", [(1, 1.1, 1.2), (1, 0.9, 0.95), (1, 0, 2), (1, 0.5, float("inf")), (1, 1, 1, 0)])
def test_an_interval_holds_its_ratio(numbers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected 0 < low <= mean <= high"):
        viz.Ratio(*numbers)


@pytest.mark.parametrize("panels", [{}, {"a": {}}, {"a": PANELS["68 points"], "b": {"first": viz.Ratio(1, 1, 1)}}])
def test_panels_have_the_same_rows(panels: dict[str, dict[str, viz.Ratio]]) -> None:
    with pytest.raises(ValueError, match="the same rows"):
        viz.ratios_figure(panels, "x")
