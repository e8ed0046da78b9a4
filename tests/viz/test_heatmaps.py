"""Heatmaps under a slider: what each step shows, and what is refused."""

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from facelab import viz
from facelab.data import encode_heatmaps

ALT = "Heatmaps of noise over noise, for a test."
LANDMARKS, SIDE, STRIDE = 68, 64, 4


def example(stacks: int) -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    target = 20 + 20 * torch.rand(LANDMARKS, 2, generator=generator)
    shift = torch.arange(stacks).flip(0)[:, None, None] * torch.tensor([3.0, 4.0])  # the last stack is right
    predicted = target + shift
    maps = encode_heatmaps((predicted + 0.5) / STRIDE - 0.5, SIDE // STRIDE, SIDE // STRIDE)
    image = torch.rand(3, SIDE, SIDE, generator=generator)
    return {"image": image, "heatmaps": maps, "predicted": predicted, "target": target, "names": viz.landmark_names()}


def figure(stacks: int, **changes: object) -> viz.InteractiveFigure:
    return viz.stack_explorer(**example(stacks) | {"alt": ALT} | changes)  # type: ignore[arg-type]


def peak(look: dict, z: np.ndarray) -> tuple[float, float]:
    """Picture pixel of the brightest cell."""
    row, column = np.unravel_index(z.argmax(), z.shape)
    return look["x0"] + column * look["dx"], look["y0"] + row * look["dy"]


@pytest.mark.parametrize("stacks", [1, 3, 4])
def test_a_step_moves_every_panel(stacks: int) -> None:
    given = example(stacks)
    shown = figure(stacks).figure
    assert len(shown.frames) == len(shown.layout.sliders[0].steps) == LANDMARKS
    assert shown.layout.sliders[0].active == 45
    looks = [trace for trace in shown.data if trace.type == "heatmap"]
    assert [look.xaxis or "x" for look in looks] == ["x", "x2", "x3", "x4"][:stacks]
    assert len(shown.layout.images) == stacks
    for landmark in (0, 36, 67):
        frame = shown.frames[landmark]
        assert list(frame.traces) == list(range(len(shown.data)))
        for stack in range(stacks):
            heat, decoded, true, title = frame.data[4 * stack : 4 * stack + 4]
            expected = given["predicted"][stack, landmark].tolist()  # type: ignore[index]
            assert (decoded.x[0], decoded.y[0]) == pytest.approx(expected, abs=0.01)
            assert peak(looks[stack], np.asarray(heat.z)) == pytest.approx(expected, abs=STRIDE / 2)
            assert (true.x[0], true.y[0]) == pytest.approx(given["target"][landmark].tolist(), abs=0.01)  # type: ignore[index]
            name = f"stack {stack + 1}: " if stacks > 1 else ""
            assert title.text[0] == f"{name}{5 * (stacks - 1 - stack):.1f} px away"


def test_the_figure_opens_at_its_start() -> None:
    shown = figure(2, start=7).figure
    assert shown.data[1].x == shown.frames[7].data[1].x
    assert np.array_equal(shown.data[0].z, shown.frames[7].data[0].z)
    assert shown.data[3].text == shown.frames[7].data[3].text
    assert shown.layout.sliders[0].active == 7


def test_panels_of_other_things_have_their_own_names() -> None:
    given = {key: example(2)[key] for key in ("heatmaps", "predicted", "target")}
    of_66 = {key: value[..., :66, :, :] if key == "heatmaps" else value[..., :66, :] for key, value in given.items()}  # type: ignore[index]
    shown = figure(2, **of_66, names=viz.landmark_names("66"), panels=("coarse", "fine"), scheme="66").figure
    assert [trace.text[0] for trace in shown.frames[3].data[3::4]] == ["coarse: 5.0 px away", "fine: 0.0 px away"]
    with pytest.raises(ValueError, match="explorer panels: expected 2, one for each set of maps, got 1"):
        figure(2, panels=("coarse",))


def test_a_photograph_has_no_truth_and_no_distance() -> None:
    shown = figure(2, target=None).figure
    assert [trace.name for trace in shown.data if trace.name] == ["decoded", "decoded"]
    assert [trace.text[0] for trace in shown.frames[3].data[2::3]] == ["stack 1", "stack 2"]
    assert [trace.showlegend for trace in shown.data if trace.name == "decoded"] == [True, False]


def test_one_stack_is_the_heatmap_explorer() -> None:
    given = example(1)
    maps, predicted = given["heatmaps"][0], given["predicted"][0]  # type: ignore[index]
    names = viz.landmark_names()
    alone = viz.heatmap_explorer(given["image"], maps, predicted, given["target"], names, ALT)  # type: ignore[arg-type]
    assert alone.id == figure(1).id


def test_four_stacks_of_maps_are_small() -> None:
    maps = torch.rand(4, LANDMARKS, 24, 24, generator=torch.Generator().manual_seed(0))
    assert len(json.dumps(figure(4, heatmaps=maps).figure.to_json())) < 500_000


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image", torch.zeros(3, 8, 9), r"image: expected a square picture \(3, S, S\), got \(3, 8, 9\)"),
        ("heatmaps", torch.zeros(68, 4, 4), r"heatmaps: expected \(stacks, L, h, h\)"),
        ("predicted", torch.zeros(1, 68, 2), r"predicted: expected \(2, 68, 2\), got \(1, 68, 2\)"),
        ("target", torch.zeros(66, 2), r"target: expected \(68, 2\), got \(66, 2\)"),
        ("names", ["one"], "names: expected 68, one a landmark, got 1"),
        ("start", 68, "start: expected a landmark from 0 to 67, got 68"),
        ("alt", "short", "at least 20 characters"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: Tensor | list[str] | int | str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figure(2, **{name: value})
