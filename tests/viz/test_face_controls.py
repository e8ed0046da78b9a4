"""A face with inputs: what the page is given. tests/book/test_browser_face_controls.py moves them in a browser."""

import base64
from dataclasses import replace

import numpy as np
import pytest
import torch

from facelab import viz
from facelab.face3d import MorphableModel, builtin_face

ALT = "A face of one colour with inputs for its parameters."


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return builtin_face().subset(("face", "lips"))


def made(model: MorphableModel, **changes: object) -> viz.FaceControls:
    whole = {"colours": torch.full((model.mean.shape[1], 3), 0.5), "alt": ALT, "identity": (0, 7), "expression": (1,)}
    return viz.parameter_figure(model, **whole | changes)  # type: ignore[arg-type]


def unpacked(packed: dict[str, object], kind: str) -> np.ndarray:
    steps = np.frombuffer(base64.b64decode(str(packed["points"])), f"<{kind}").reshape(3, -1)
    return float(str(packed["unit_of_points"])) * steps


def test_modes_are_stored_to_a_tenth_of_a_pixel(model: MorphableModel) -> None:
    figure = made(model)
    scale = next(value for label, _, _, value, _ in figure.groups["camera"] if label.startswith("scale"))
    deltas = [
        model.identity[0] * model.identity_std[0],
        model.identity[7] * model.identity_std[7],
        model.expression[1],
    ]
    tolerance = 0.1 / scale
    np.testing.assert_allclose(unpacked(figure.data["mean"], "i2"), model.mean, atol=tolerance)
    for mode, delta in zip(figure.data["modes"], deltas, strict=True):
        np.testing.assert_allclose(unpacked(mode, "i1"), delta, atol=tolerance)


def test_inputs_name_the_parameters_that_they_move(model: MorphableModel) -> None:
    figure = made(model)
    assert [mode["parameter"] for mode in figure.data["modes"]] == [12, 19, 53]
    assert figure.data["modes"][1]["unit"] == pytest.approx(float(model.identity_std[7]))
    assert [row[0] for row in figure.groups["identity"]] == ["mode 1 (σ)", "mode 8 (σ)"]
    label, low, high, value, _ = figure.groups["expression"][0]
    assert (label, value) == ("smile", 0.0)
    assert [low, high] == pytest.approx(model.expression_range[1].tolist())


def test_face_starts_in_the_middle_of_the_crop(model: MorphableModel) -> None:
    start = {label.split()[0]: value for label, _, _, value, _ in made(model, side=200).groups["camera"]}
    x, y = start["scale"] * model.mean[0] + start["x"], start["y"] - start["scale"] * model.mean[1]
    for pixels in (x, y):
        assert float(pixels.min() + pixels.max()) / 2 == pytest.approx(99.5, abs=0.01)
    assert 100 < float(y.max() - y.min()) < 150


def test_shows_itself_three_times(model: MorphableModel) -> None:
    bundle = made(model)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"} and bundle["text/plain"] == ALT
    assert bundle["text/html"].count('type="range"') == 6 + 3 and bundle["text/html"].count("<details") == 3


def test_what_does_not_fit_is_refused(model: MorphableModel) -> None:
    with pytest.raises(ValueError, match=r"colours: expected shape \(\d+, 3\), got \(2, 3\)"):
        made(model, colours=torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"identity: expected different modes from 0 to 39, got \[40\]"):
        made(model, identity=(40,))
    with pytest.raises(ValueError, match=r"expression: expected different modes from 0 to 9, got \[1, 1\]"):
        made(model, expression=(1, 1))
    with pytest.raises(ValueError, match="all 68 landmarks"):
        made(replace(model, landmarks=torch.where(torch.arange(68) == 3, -1, model.landmarks)))
    with pytest.raises(ValueError, match="at least 20 characters"):
        made(model, alt="a face")
