"""The error over numbers of modes: places, logarithmic colours, the star."""

import numpy as np
import pytest
import torch

from facelab import viz

ALT = "Errors that fall with the numbers of modes."
ERRORS = torch.linspace(0.04, 0.001, 6).reshape(2, 3)
GRID = {"identity": (10, 40, 80), "expression": (5, 10)}


def made(**changes: object) -> viz.InteractiveFigure:
    return viz.dimensions_figure(**{"errors": ERRORS, "alt": ALT, **GRID} | changes)  # type: ignore[arg-type]


def test_cells_have_their_numbers_and_percent() -> None:
    heat = made().figure.data[0]
    assert list(heat.x) == [10, 40, 80] and list(heat.y) == [5, 10]
    np.testing.assert_allclose(heat.customdata, 100 * ERRORS, rtol=1e-6)
    np.testing.assert_allclose(10 ** np.asarray(heat.z, np.float64), 100 * ERRORS, rtol=1e-5)


def test_colour_bar_tells_percent() -> None:
    bar = made().figure.data[0].colorbar
    assert "%" in bar.title.text
    np.testing.assert_allclose([float(text) for text in bar.ticktext], 10 ** np.array(bar.tickvals))
    assert len(bar.ticktext) >= 3


def test_star_stands_at_its_pair_and_tells_its_error() -> None:
    figure = made().figure
    star = figure.data[1]
    assert (star.x[0], star.y[0], star.marker.symbol) == (40, 10, "star")
    assert figure.layout.annotations[0].text == f"[40, 10]: {100 * float(ERRORS[1, 1]):.2f} %"


def test_numbers_count_from_one_if_not_given() -> None:
    heat = made(errors=torch.rand(29, 199), identity=None, expression=None).figure.data[0]
    assert heat.x[39] == 40 and heat.y[9] == 10 and heat.z.shape == (29, 199)


def test_an_error_of_zero_has_the_lowest_colour() -> None:
    errors = ERRORS.clone()
    errors[1, 2] = 0
    heat = made(errors=errors).figure.data[0]
    assert np.isfinite(heat.z).all() and heat.z[1, 2] == heat.z.min() and heat.customdata[1, 2] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"errors": -ERRORS}, "none negative"),
        ({"errors": ERRORS * 0}, "one above 0"),
        ({"errors": ERRORS * torch.nan}, "finite"),
        ({"errors": ERRORS[0]}, r"expected \(E, I\)"),
        ({"identity": (10, 40)}, "identity: expected 3 growing numbers"),
        ({"expression": (10, 5)}, "expression: expected 2 growing numbers"),
        ({"marked": (41, 10)}, "a number of identity modes on the grid, got 41"),
        ({"marked": (40, 29)}, "a number of expression modes on the grid, got 29"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**changes)
