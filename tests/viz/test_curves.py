"""Curves and bars show the numbers that they are given."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
import torch

from facelab import viz
from facelab.training import Constant, Steps


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_rates_are_the_first_rate_times_the_factor() -> None:
    figure = viz.rates_figure({"steps": (1e-3, Steps((0.25, 0.5))), "level": (0.2, Constant())}, points=4)
    steps, level = figure.axes
    assert steps.get_title() == "steps" and steps.get_yscale() == "log"
    assert steps.lines[0].get_xdata().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert steps.lines[0].get_ydata().tolist() == pytest.approx([1e-3, 1e-4, 1e-5, 1e-5, 1e-5])
    assert level.lines[0].get_ydata().tolist() == [0.2] * 5


def test_runs_leave_out_epochs_without_the_measure() -> None:
    one = [{"epoch": 1.0, "loss": 3.0}, {"epoch": 2.0, "loss": 2.0, "nme": 0.5}]
    two = [{"epoch": 1.0, "loss": 4.0, "nme": 0.7}]
    loss, error = viz.runs_figure({"one": one, "two": two}, {"loss": "the loss", "nme": "the error"}).axes
    assert [line.get_label() for line in loss.lines] == ["one", "two"]
    assert loss.get_ylabel() == "the loss" and loss.get_yscale() == "log"
    assert error.lines[0].get_xdata().tolist() == [2] and error.lines[0].get_ydata().tolist() == [0.5]
    (level,) = viz.runs_figure({"one": one}, {"loss": "the loss"}, logarithmic=False).axes
    assert level.get_yscale() == "linear"


def test_a_sweep_goes_from_the_smallest_rate_to_the_largest() -> None:
    (ax,) = viz.sweep_figure({"a": {1.0: 0.7, 0.1: 0.5, 0.01: 2.0}, "b": {10.0: 0.3}}).axes
    first, second = ax.lines
    assert first.get_xdata().tolist() == [0.01, 0.1, 1.0] and first.get_ydata().tolist() == [2.0, 0.5, 0.7]
    assert second.get_label() == "b" and first.get_linestyle() != second.get_linestyle()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_a_study_shows_mean_and_reach_of_the_seeds() -> None:
    values = {"one": torch.tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]]), "two": torch.tensor([[5.0], [7.0]])}
    (ax,) = viz.study_figure([10, 1000], values, "faces", "error (%)", band=1.5, logx=True).axes
    one, two = ax.containers
    assert one.lines[0].get_ydata().tolist() == [3, 4] and two.lines[0].get_ydata().tolist() == [5, 7]
    (bars,) = one.lines[2]
    assert [bar[:, 1].tolist() for bar in bars.get_segments()] == [[1, 6], [4, 4]]
    assert not two.lines[2]
    assert one.lines[0].get_linestyle() != two.lines[0].get_linestyle()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "faces", "error (%)")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["10", "1000"]
    (band,) = ax.patches
    assert band.get_extents().transformed(ax.transData.inverted()).ymax == pytest.approx(1.5)
    assert ax.texts[0].get_text() == "below this, differences mean nothing" and ax.get_ylim()[0] == 0
    assert not viz.study_figure([1, 2], values, "x", "y").axes[0].patches


@pytest.mark.parametrize("rows", [torch.zeros(2), torch.zeros(3, 2), torch.zeros(2, 0), torch.full((2, 1), torch.nan)])
def test_a_study_needs_a_row_a_place(rows: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"values\['bad'\]: expected finite numbers \(2, seeds\)"):
        viz.study_figure([1, 2], {"bad": rows}, "x", "y")


def test_a_bar_has_a_piece_a_bit() -> None:
    (ax,) = viz.bits_figure({"wide": (8, 23), "short": (5, 2)}).axes
    assert len(ax.patches) == 32 + 8
    assert [text.get_text() for text in ax.texts] == ["1 + 8 + 23 bits", "1 + 5 + 2 bits"]
    assert len(ax.get_legend().get_texts()) == 3
