"""The atlas of errors: mean sizes along and across, and bars as long as they say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from torch import Tensor

from facelab import viz
from facelab.markups import markup

FACE = 100 * torch.rand(68, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
FACE[:17] = torch.stack([5.0 * torch.arange(17.0), torch.full((17,), 99.9)], -1)  # a level jaw


def errors(along: float, across: float) -> Tensor:
    return torch.tensor([along, across], dtype=torch.float64).repeat(68, 1)


def bars(values: dict[str, Tensor], panel: int = 0) -> list[LineCollection]:
    figure = viz.error_atlas(values, FACE, "68")
    found = [each for each in figure.axes[panel].collections if isinstance(each, LineCollection)]
    plt.close(figure)
    return found


def lengths(bar: LineCollection) -> list[float]:
    return [float(np.linalg.norm(segment[1] - segment[0])) for segment in bar.get_segments()]


def test_errors_are_mean_sizes_in_percent_of_the_box() -> None:
    box = float((FACE.amax(0) - FACE.amin(0)).prod().sqrt())
    wrong = torch.zeros(2, 68, 2, dtype=torch.float64)
    wrong[:, 8] = torch.tensor([[3.0, 1.0], [-1.0, -1.0]])
    found = viz.directed_errors(wrong, FACE.expand(2, -1, -1), "68")
    assert found[8].tolist() == pytest.approx([200 / box, 100 / box])
    assert float(found[9].abs().max()) == 0


def test_bars_lie_along_the_contour_and_have_one_scale() -> None:
    values = {"one": errors(4.0, 1.0), "two": errors(2.0, 2.0)}
    first, second = bars(values)[8], bars(values, 1)[8]
    along, across = first.get_segments()
    assert np.ptp(along[:, 1]) == pytest.approx(0) and np.ptp(across[:, 0]) == pytest.approx(0)
    assert lengths(first)[0] == pytest.approx(4 * lengths(first)[1])
    assert lengths(second) == pytest.approx([lengths(first)[0] / 2] * 2)
    np.testing.assert_allclose(along.mean(0), FACE[8])


def test_scale_bar_is_as_long_as_the_error_it_names() -> None:
    figure = viz.error_atlas({"one": errors(4.0, 1.0)}, FACE, "68")
    ax = figure.axes[0]
    assert ax.texts[0].get_text().strip() == "an error of 2 % of the box"
    drawn = ax.collections[8].get_segments()[0]
    assert np.ptp(ax.lines[-1].get_xdata()) == pytest.approx(np.ptp(drawn[:, 0]) / 2)
    assert ax.get_title() == "one\nalong 4.00 %, across 1.00 % of the box"
    plt.close(figure)


def test_colour_tells_the_ratio_and_corners_have_none() -> None:
    more_along, level, more_across = (bars({"one": errors(*each)}) for each in ((4.0, 1.0), (1.0, 1.0), (1.0, 4.0)))
    assert more_along[8].get_color()[0] == pytest.approx(to_rgba(viz.PREDICTION), abs=0.01)
    assert more_across[8].get_color()[0] == pytest.approx(to_rgba(viz.BASELINE), abs=0.01)
    assert np.ptp(level[8].get_color()[0][:3]) < 0.02
    for corner in markup("68").corners:
        assert more_along[corner].get_color()[0] == pytest.approx(to_rgba(viz.NEUTRAL))


def test_landmarks_without_an_error_are_not_drawn() -> None:
    values = errors(1.0, 1.0)
    values[3] = torch.nan
    assert len(bars({"one": values})) == 67


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, r"expected errors and face of shape \(68, 2\)"),
        ({"one": errors(1, 1), "two": errors(1, 1)[:5]}, r"'two': \(5, 2\)"),
        ({"one": errors(1, -1)}, "none negative"),
        ({"one": errors(0, 0)}, "one above zero"),
        ({"one": errors(1, 1) * torch.nan}, "one above zero"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        viz.error_atlas(values, FACE, "68")
