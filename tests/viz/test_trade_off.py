"""Work against error: places, bars over seeds, sizes, and names that cover nothing."""

from collections.abc import Iterator
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from facelab import viz

POINTS = {
    "one": viz.TradeOff(180e6, (0.035, 0.037), 3.2e6),
    "two": viz.TradeOff(182e6, (0.0355, 0.0368), 1.6e6),
    "three": viz.TradeOff(2600e6, (0.034,), 18e6),
    "four, of a long name": viz.TradeOff(185e6, (0.0361, 0.0359), 0.1e6),
}


@pytest.fixture
def figure() -> Iterator[Figure]:
    made = viz.trade_off_figure(POINTS)
    yield made
    plt.close(made)


def markers(figure: Figure) -> list[PathCollection]:
    found = figure.axes[0].collections
    return [each for each in found if isinstance(each, PathCollection) and len(np.ma.compressed(each.get_offsets()))]


def test_places_are_millions_of_multiply_adds_and_percent(figure: Figure) -> None:
    places = np.concatenate([each.get_offsets() for each in markers(figure)])
    np.testing.assert_allclose(places, [[180, 3.6], [182, 3.615], [2600, 3.4], [185, 3.6]])
    assert figure.axes[0].get_xscale() == "log"


def test_area_grows_with_parameters_but_none_is_lost(figure: Figure) -> None:
    areas = np.array([each.get_sizes()[0] for each in markers(figure)])
    assert areas[0] / areas[2] == pytest.approx(3.2 / 18)
    assert areas[3] > areas[2] * 0.1 / 18 and areas[3] == areas.min()


def test_bars_reach_from_the_least_to_the_largest_error(figure: Figure) -> None:
    bars = figure.axes[0].containers
    assert len(bars) == 3  # none for a single seed
    ends = bars[0][2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(ends, [3.5, 3.7])


def test_names_cover_neither_each_other_nor_markers(figure: Figure) -> None:
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == list(POINTS)
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(first.overlaps(second) for first, second in combinations(boxes, 2))
    centres = ax.transData.transform(np.concatenate([each.get_offsets() for each in markers(figure)]))
    assert not any(box.contains(*centre) for box in boxes for centre in centres)


@pytest.mark.parametrize("numbers", [(0, (0.1,), 1), (1, (), 1), (1, (-0.1,), 1), (1, (0.1,), 0)])
def test_numbers_that_are_none_are_refused(numbers: tuple[float, tuple[float, ...], float]) -> None:
    with pytest.raises(ValueError, match="expected positive macs and parameters"):
        viz.TradeOff(*numbers)


def test_a_network_at_least() -> None:
    with pytest.raises(ValueError, match="at least one network"):
        viz.trade_off_figure({})
