"""Meshes beside the true ones: distances in millimetres, one scale for both, and what the slider shows."""

import numpy as np
import pytest
import torch

from facelab import viz

ALT = "Two squares beside squares that are off."
TRIANGLES = torch.tensor([[0, 1, 2], [0, 2, 3]])
TRUTH = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]).expand(2, 4, 3) * torch.tensor([[[10.0]], [[8.0]]])
OFF = torch.tensor([[0.0, 0, 0], [0.3, 0, 0.4], [0, 0, 0], [0, 0, 1]])  # 0, 0.5, 0 and 1 units
GUESS = TRUTH + OFF


def made(**changes: object) -> viz.LinkedScenes:
    whole = {"predicted": GUESS, "target": TRUTH, "triangles": TRIANGLES, "alt": ALT}
    return viz.mesh_error_figure(**whole | changes)  # type: ignore[arg-type]


def test_colours_are_millimetres_and_the_end_is_the_last_colour() -> None:
    figure = made(largest=20.0).figure
    np.testing.assert_array_equal(figure.data[1].intensity, np.round(255 * np.array([0, 5, 0, 10]) / 20))
    bar = figure.data[1].colorbar
    assert "mm" in bar.title.text
    at = dict(zip(bar.ticktext, bar.tickvals, strict=True))
    assert at["0"] == 0 and at["10"] == pytest.approx(127.5) and at["20"] == 255
    assert made(largest=5.0).figure.data[1].intensity.tolist() == [0, 255, 0, 255]


def test_millimetres_of_a_unit_scale_the_distances() -> None:
    label = made(names=("a", "b"), millimetres=2.0).figure.layout.sliders[0].steps[0].label
    assert label == "a: mean 0.75 mm, largest 2.0 mm"


def test_colours_end_at_a_round_number_above_the_distances() -> None:
    bar = made().figure.data[1].colorbar
    at = dict(zip(bar.ticktext, bar.tickvals, strict=True))
    assert at["10"] == 255  # 99 of 100 are below 9.9 mm


def test_both_scenes_have_one_scale_and_hold_every_mesh() -> None:
    figure = made().figure
    middle = (torch.cat([GUESS, TRUTH]).flatten(0, 1).aminmax(dim=0)).min + torch.tensor([5.15, 5.0, 0.5])
    unit = 10.3 / 2 / 32000
    for step, frame in enumerate(figure.frames):
        for trace, mesh in zip(frame.data, (TRUTH[step], GUESS[step]), strict=True):
            places = np.stack([trace.x, trace.y, trace.z], 1)
            assert places.dtype == np.int16
            np.testing.assert_allclose(unit * places, mesh - middle, atol=unit)
            for axis, coordinates in zip("xyz", places.T, strict=True):
                low, high = figure.layout.scene[f"{axis}axis"].range
                assert low - 1 <= coordinates.min() and coordinates.max() <= high + 1
    first, second = (figure.layout[name].to_plotly_json() for name in ("scene", "scene2"))
    assert first.pop("domain") != second.pop("domain") and first == second


def test_y_of_pixels_is_turned_up() -> None:
    np.testing.assert_array_equal(made(y_down=True).figure.data[0].y, -made().figure.data[0].y)


def test_slider_and_buttons() -> None:
    layout = made().figure.layout
    assert [step.args[0][0] for step in layout.sliders[0].steps] == ["0", "1"]
    colours, plain = layout.updatemenus[0].buttons
    assert colours.args[0]["showscale"] and not plain.args[0]["showscale"] and plain.args[1] == (1,)
    assert len({colour for _, colour in plain.args[0]["colorscale"][0]}) == 1


def test_one_pair_has_no_slider_but_its_numbers() -> None:
    figure = made(predicted=GUESS[0], target=TRUTH[0], names=("the face",)).figure
    assert not figure.frames and not figure.layout.sliders
    assert "the face: mean 3.75 mm, largest 10.0 mm" in [each.text for each in figure.layout.annotations]


def test_page_links_the_cameras() -> None:
    assert "Links the cameras" in made().html()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": TRUTH[:1]}, r"got \(2, 4, 3\) and \(1, 4, 3\)"),
        ({"predicted": GUESS[..., :2], "target": TRUTH[..., :2]}, "expected predicted and target of one shape"),
        ({"predicted": GUESS * torch.nan}, "finite vertices"),
        ({"triangles": TRIANGLES + 1}, r"triangles: expected \(F, 3\) of 4 vertices"),
        ({"names": ("one",)}, "names: expected 2"),
        ({"millimetres": 0.0}, "millimetres and largest to be positive"),
        ({"largest": -1.0}, "millimetres and largest to be positive"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**changes)
