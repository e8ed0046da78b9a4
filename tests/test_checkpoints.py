"""The networks that come with the book: small, of today's recipes, and able to see a face."""

import json
from pathlib import Path

import pytest
import torch
from matplotlib import cbook
from safetensors import safe_open

from facelab import load, recipes
from facelab.data import read_image
from facelab.face3d import builtin_face
from facelab.markups import convert, markup
from facelab.places import data_folder
from facelab.predict import METHODS, PredictedFace, Predictor, landmark_box_of_detection
from facelab.recipes.fan import FanRecipe
from facelab.recipes.fan_depth import FanDepthRecipe
from facelab.training import describe
from facelab.training.describe import NO_EFFECT
from facelab.training.keeper import MODEL

NAMES = ("anisotropic", "cln", "fan", "fan-depth", "tddfa", "two-stage")
LARGEST, ALL = 8_000_000, 25_000_000  # bytes: of one file, and of all that a checkout holds


def _folder(name: str) -> Path:
    folder = data_folder() / "checkpoints" / name
    assert (folder / MODEL).is_file(), f"{folder}: expected the book's trained network"
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_files_are_small(name: str) -> None:
    sizes = {path.name: path.stat().st_size for path in _folder(name).rglob("*") if path.is_file()}
    assert {"run.json", MODEL} <= sizes.keys()
    assert max(sizes.values()) < LARGEST, sizes


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_half_precision(name: str) -> None:
    with safe_open(_folder(name) / MODEL, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    learnt = {key: tensor for key, tensor in tensors.items() if tensor.is_floating_point()}
    assert learnt and {tensor.dtype for tensor in learnt.values()} == {torch.float16}
    assert all(bool(tensor.isfinite().all()) for tensor in learnt.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_is_that_of_today(name: str) -> None:
    told = json.loads((_folder(name) / "run.json").read_text())
    recipe = recipes.changed(recipes.get(told["recipe"], told["profile"]), told["settings"])
    fields = told["fields"].get("whole", told["fields"])  # of a training that is a part of a recipe
    assert fields == json.loads(json.dumps(describe(recipe, NO_EFFECT)))


def test_all_that_come_with_the_book_are_tested_and_small_together() -> None:
    folder = data_folder() / "checkpoints"
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(NAMES)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < ALL


@pytest.mark.parametrize("name", NAMES)
def test_a_card_tells_recipe_scores_and_licence(name: str) -> None:
    told, card = json.loads((_folder(name) / "run.json").read_text()), (_folder(name) / "README.md").read_text()
    for word in (told["recipe"], f"profile `{told['profile']}`", f"seed {told['seed']}", "before rounding", "licence"):
        assert word in card, word


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load()


@pytest.fixture(scope="module")
def face(predictor: Predictor) -> PredictedFace:
    """Of the portrait that comes with Matplotlib."""
    portrait = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    (found,) = predictor.faces(portrait)
    return found


def test_both_load_as_what_they_are(predictor: Predictor) -> None:
    assert isinstance(predictor.points.recipe, FanRecipe) and predictor.depth is not None
    assert isinstance(predictor.depth.recipe, FanDepthRecipe)
    assert not predictor.points.model.training and next(predictor.points.model.parameters()).dtype == torch.float32


def test_a_portrait_has_one_face_with_landmarks_in_their_order(face: PredictedFace) -> None:
    assert face.detected and face.landmarks.shape == (68, 3) and bool(face.landmarks.isfinite().all())
    x, y, _ = face.landmarks.unbind(1)
    parts = {name: face.landmarks[list(indices)].mean(0) for name, indices in PARTS.items()}
    order = ["brows", "eyes", "nose", "mouth", "chin"]
    heights = [float(parts[name][1]) for name in order]
    assert heights == sorted(heights), dict(zip(order, heights, strict=True))
    assert x[0] < x[36] < x[39] < x[42] < x[45] < x[16]  # jaw, the eye on the picture's left, the other, jaw
    assert x[48] < x[51] < x[54] and x[31] < x[33] < x[35] and x[17] < x[26]
    assert y[27] < y[28] < y[29] < y[30] < y[57] < y[8]
    assert float(x[45] - x[36]) > 50  # pixels of a picture of 512 x 600: a face, not a point


def test_what_is_no_face_is_left_out(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that calls a piece of sky and a uniform faces is not believed; a box that is given is."""
    portrait = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    squares = torch.tensor([[150.0, 400, 350, 600], [155, 105, 377, 327], [400, 120, 500, 220]])
    monkeypatch.setattr("facelab.predict.predictor.detect_faces", lambda image: squares)
    (found,) = predictor.faces(portrait)
    assert torch.equal(found.box, landmark_box_of_detection(squares[1])) and found.peak > 0.7
    given = predictor.faces(portrait, [landmark_box_of_detection(square) for square in squares])
    assert len(given) == 3 and given[0].peak < 0.5 and given[2].peak < 0.5


PARTS = {"brows": range(17, 27), "eyes": range(36, 48), "nose": range(31, 36), "mouth": range(48, 68), "chin": (8,)}


@pytest.mark.parametrize("method", [name for name, (folder, _) in METHODS.items() if folder in NAMES])
def test_methods_agree_on_the_portrait(method: str, face: PredictedFace) -> None:
    """Within an eighth of the box, point for point, as far as mark-ups go together: the farthest is 11 % off."""
    portrait = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    (found,) = load(method).faces(portrait)
    expected = convert(face.landmarks[None], "68", found.markup)[0]
    apart = (found.landmarks[:, :2] - expected[:, :2]).norm(dim=1)
    side = (face.box[2:] - face.box[:2]).prod().sqrt()
    assert float(apart.mean() / side) < 0.125
    if found.parameters is not None:
        vertices, _ = found.mesh()
        on_mesh = vertices[builtin_face().landmarks][:, :2]
        assert float((on_mesh - expected[:, :2]).norm(dim=1).mean() / side) < 0.12  # without the mirrored picture


def test_the_nose_is_nearer_than_the_ears(face: PredictedFace) -> None:
    z = face.landmarks[:, 2]
    assert z[30] > z[0] and z[30] > z[16]
    assert float(z.mean()) == pytest.approx(0, abs=1e-2)
    assert len(z) == markup("68").points
