"""Six losses over one error: heights computed by hand, symmetries, and what the page shows of them."""

import math

import numpy as np
import pytest

from facelab import viz

ALT = "The cost of an error under six losses."


@pytest.fixture(scope="module")
def surfaces() -> tuple[np.ndarray, dict[str, viz.LossSurface]]:
    axis, found = viz.loss_surfaces(12.0, 3.0, angle=90.0, a=5.0, b=3.0)
    return axis, {surface.name: surface for surface in found}


def test_errors_run_from_end_to_end(surfaces: tuple[np.ndarray, dict[str, viz.LossSurface]]) -> None:
    assert surfaces[0].tolist() == [-12, -9, -6, -3, 0, 3, 6, 9, 12]


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("L2", 12**2 + 3**2),
        ("L1", 12 + 3),
        ("Smooth L1", 11.5 + 2.5),
        ("Wing", 12 - (10 - 10 * math.log(6)) + 10 * math.log(2.5)),
        ("Anisotropic", 12**2 / 9 + 3**2 / 25),  # the contour goes down: dx leaves it, dy slides
    ],
)
def test_costs_of_an_error_of_12_and_3(
    surfaces: tuple[np.ndarray, dict[str, viz.LossSurface]], name: str, cost: float
) -> None:
    assert surfaces[1][name].cost[5, 8] == pytest.approx(cost)  # dy of 3, dx of 12


def test_adaptive_wing_is_the_mean_over_both_maps(
    surfaces: tuple[np.ndarray, dict[str, viz.LossSurface]],
) -> None:
    """An independent formula, pixel by pixel, for a peak moved by dx of 6, dy of -3 picture pixels."""
    centre, cost = (128 + 0.5) / 4 - 0.5, 0.0

    def peak(x: float, y: float, at_x: float, at_y: float) -> float:
        return math.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 2)

    for y in range(64):
        for x in range(64):
            target, found = peak(x, y, centre, centre), peak(x, y, centre + 1.5, centre - 0.75)
            power, error = 2.1 - target, abs(target - found)
            slope = 14 * power * 0.5 ** (power - 1) / (1 + 0.5**power)
            line = slope * (error - 0.5) + 14 * math.log1p(0.5**power)
            cost += (14 * math.log1p(error**power) if error < 0.5 else line) / 64**2
    assert surfaces[1]["Adaptive Wing"].cost[3, 6] == pytest.approx(cost, rel=1e-4)


def test_no_error_costs_nothing_and_adaptive_wing_levels_off(
    surfaces: tuple[np.ndarray, dict[str, viz.LossSurface]],
) -> None:
    for surface in surfaces[1].values():
        assert surface.cost[4, 4] == pytest.approx(0, abs=1e-6) and surface.cost.argmin() == 4 * 9 + 4
    rises = np.diff(surfaces[1]["Adaptive Wing"].cost[4, 4:])
    assert (np.diff(rises)[1:] < 0).all()  # two peaks that no longer touch cost the same at any distance


def test_page_shows_one_surface_and_the_contour_on_the_anisotropic_one() -> None:
    shown = viz.loss_surface_figure(ALT, reach=4.0, step=1.0, angle=30.0)
    figure = shown.figure
    assert [trace.visible for trace in figure.data] == [True] + [False] * 6
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ["L2", "L1", "Smooth L1", "Wing", "Anisotropic", "Adaptive Wing"]
    for index, button in enumerate(buttons):
        visible, layout = button.args
        assert [place for place, on in enumerate(visible["visible"]) if on] == [index] + [6] * (index == 4)
        assert layout["annotations[0].text"].startswith("cost (")
    assert figure.layout.annotations[0].text == buttons[0].args[1]["annotations[0].text"] == "cost (px²)"
    line = figure.data[6]
    assert np.degrees(np.arctan2(line.y[-1] - line.y[0], line.x[-1] - line.x[0])) == pytest.approx(30)
    lift = line.z - (np.asarray(line.x) ** 2 + np.asarray(line.y) ** 2) / 25
    np.testing.assert_allclose(lift, 0.01 * figure.data[4].z.max(), rtol=1e-5)
    assert shown.alt == ALT and shown.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(("reach", "step"), [(12.0, 5.0), (12.0, 0.0), (12.0, -1.0), (128.0, 1.0), (1.0, 3.0)])
def test_steps_must_divide_the_reach(reach: float, step: float) -> None:
    with pytest.raises(ValueError, match="a reach below 128 pixels and a step that divides it"):
        viz.loss_surfaces(reach, step)
