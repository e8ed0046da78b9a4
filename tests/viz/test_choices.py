"""Choices of meta-joint training: a mark a round in the row of its branch, and the running share."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from facelab import viz

SEEDS = [[0, 0, 1, 1], [False, True, True, True, True, True, True, True]]


@pytest.fixture
def figure() -> Iterator[Figure]:
    made = viz.choices_figure({"k = 10": SEEDS, "k = 20": SEEDS[:1]})
    yield made
    plt.close(made)


def marks(figure: Figure, seed: int, branch: int) -> np.ndarray:
    return np.array(figure.axes[0].collections[2 * seed + branch].get_positions())


def test_each_round_has_one_mark_at_its_share_of_the_training(figure: Figure) -> None:
    np.testing.assert_allclose(marks(figure, 0, 0), [0.125, 0.375])
    np.testing.assert_allclose(marks(figure, 0, 1), [0.625, 0.875])
    np.testing.assert_allclose(marks(figure, 1, 0), [0.0625])
    assert len(marks(figure, 1, 1)) == 7
    rows = [each.get_lineoffset() for each in figure.axes[0].collections]
    assert rows == sorted(rows) and len(set(rows)) == 4


def test_running_share_of_the_second_branch(figure: Figure) -> None:
    *seeds, mean, half = figure.axes[2].get_lines()
    x, first = seeds[0].get_data()
    assert first[x < 0.4].max() == 0 and first[x > 0.6].min() == 100
    np.testing.assert_allclose(mean.get_ydata(), np.mean([each.get_ydata() for each in seeds], 0))
    assert list(half.get_ydata()) == [50, 50]


def test_titles_and_legend_name_what_was_kept(figure: Figure) -> None:
    assert [ax.get_title() for ax in figure.axes[:2]] == [
        "k = 10: VDC in 75 % of the rounds",
        "k = 20: VDC in 50 % of the rounds",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fWPDC kept", "VDC kept"]


@pytest.mark.parametrize(
    ("traces", "message"),
    [
        ({}, "at least one training"),
        ({"k": []}, "at least one seed"),
        ({"k": [[]]}, "0 and 1"),
        ({"k": [[2]]}, "0 and 1"),
    ],
)
def test_what_is_no_trace_is_refused(traces: dict[str, list[list[int]]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        viz.choices_figure(traces)
