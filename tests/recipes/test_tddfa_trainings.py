"""3DDFA_V2: how a network's answers are read, what it is made from, and what a training leaves behind."""

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facelab.data import Augmentation, Crop, FaceSample, crop_faces
from facelab.face3d import ParameterStatistics, builtin_face
from facelab.face3d import parameters as face3d_parameters
from facelab.face3d.parameters import compose, decompose, landmarks_of_parameters, pack, unpack
from facelab.geometry import Affine
from facelab.metrics import nme
from facelab.models import TDDFA
from facelab.models.tddfa import Answer
from facelab.recipes.parametric import landmark_face
from facelab.recipes.tddfa import OPTIMISATIONS, PROFILES, TddfaRecipe
from facelab.training import Optimizer, WarmupCosine, load_weights
from tests.recipes.says import Says

SMOKE = replace(
    PROFILES["smoke"], faces=16, test_faces=8, frames=2,
    training=replace(PROFILES["smoke"].training, epochs=2, batch=4),
)  # fmt: skip
Same = Callable[[nn.Module, nn.Module], bool]

pytestmark = pytest.mark.usefixtures("cached")


def _faces(recipe: TddfaRecipe) -> FaceSample:
    return FaceSample.stack(list(recipe.test_set()))


def _cropped(batch: FaceSample) -> Crop:
    return crop_faces(batch, SMOKE.size, "3ddfa")


# ------------------------------------------------------------------------------------------------------ its answers


def test_true_parameters_give_the_true_face_in_the_pictures_pixels() -> None:
    batch = _faces(SMOKE)
    crop = _cropped(batch)
    model = Says(crop.image, Answer(crop.parameters, None))
    with torch.inference_mode():
        points, found = SMOKE.landmarks(model, batch), SMOKE.parameters(model, batch)
    torch.testing.assert_close(found, batch.parameters, atol=1e-3, rtol=1e-3)
    expected = landmarks_of_parameters(builtin_face(), batch.parameters)
    torch.testing.assert_close(points, expected, atol=2e-3, rtol=0)  # the depth too
    away = (points - batch.landmarks)[..., :2].norm(dim=2)  # of the modes beyond 40 and 10
    assert float(away.max()) < 0.05 * SMOKE.picture
    shown, errors = SMOKE.evaluate(model, SMOKE.test_set())
    torch.testing.assert_close(shown, points)
    torch.testing.assert_close(errors, nme(points[..., :2], batch.landmarks[..., :2], "bbox"))


def test_the_boxes_say_where_the_face_is_and_the_labels_say_nothing() -> None:
    batch = _faces(SMOKE)
    crop = _cropped(batch)
    blind = replace(batch, landmarks=batch.landmarks * torch.nan, parameters=batch.parameters * torch.nan)
    with torch.inference_mode():
        points = SMOKE.landmarks(Says(crop.image, Answer(crop.parameters, None)), blind)
    torch.testing.assert_close(points, landmarks_of_parameters(builtin_face(), batch.parameters), atol=2e-3, rtol=0)


def test_points_and_their_depth_come_back_to_the_picture() -> None:
    affine = Affine.crop(torch.tensor([[30.0, 20.0]]), torch.tensor([20.0]), 10)
    crop = replace(_cropped(_faces(SMOKE)), affine=affine)
    middle = torch.tensor([[[4.5, 4.5, 1.0], [5.5, 3.5, -3.0]]])
    expected = torch.tensor([[[30.0, 20.0, 2.0], [32.0, 18.0, -6.0]]])
    torch.testing.assert_close(crop.affine.inverse().apply(middle), expected)


def _symmetric(size: int, yaw: float, right: float) -> Tensor:
    """Parameters ``(8, 62)`` of the mean face."""
    angles = torch.tensor([[0.1, yaw, 0.5 * yaw]]).expand(8, -1)
    camera = compose(torch.full((8,), 0.3 * size), angles, torch.tensor([[right, 0.5 * size, 0.0]]).expand(8, -1))
    return pack(camera, torch.zeros(8, 40), torch.zeros(8, 10))


def test_both_crops_count_the_same() -> None:
    """The mean face has a mirror image among faces; that of the mirrored crop is two pixels further down."""
    batch = _faces(SMOKE)
    crop, size = _cropped(batch), SMOKE.size
    seen, mirrored = _symmetric(size, 0.3, 12.0), _symmetric(size, -0.3, size - 1 - 12.0)
    mirrored[:, 7] += 2.0
    model = Says(crop.image, Answer(seen, None), Answer(mirrored, None))
    with torch.inference_mode():
        once, both = (crop.affine.apply(SMOKE.landmarks(model, batch, mirror)[..., :2]) for mirror in (False, True))
    expected = landmarks_of_parameters(builtin_face(), seen)[..., :2]
    torch.testing.assert_close(once, expected, atol=1e-2, rtol=0)
    torch.testing.assert_close(both - once, torch.tensor([0.0, 1.0]).expand_as(both), atol=0.05, rtol=0)


def test_errors_are_measured_in_parts() -> None:
    model, faces = SMOKE.model(0), SMOKE.test_set()
    points, errors = SMOKE.evaluate(model, faces)
    torch.testing.assert_close(errors, nme(points[..., :2], faces.landmarks[..., :2], "bbox"))
    assert not model.training and points.shape == (8, 68, 3)
    with torch.inference_mode():
        for part in (slice(0, None, 2), slice(1, None, 2)):
            torch.testing.assert_close(SMOKE.measure(model, part)["nme"], errors[part])


# ------------------------------------------------------------------------------------------------------ the network


@pytest.mark.parametrize("pictures", ["stills", "rendered short videos"])
def test_the_statistics_are_those_of_the_parameters_in_upright_crops(pictures: str) -> None:
    recipe = replace(SMOKE, pictures=pictures)
    faces = SMOKE.training_set(3)
    parameters = _cropped(FaceSample.stack([faces[index] for index in range(len(faces))])).parameters
    expected = ParameterStatistics.fit(parameters)
    model = recipe.model(3)
    torch.testing.assert_close(model.statistics.mean, expected.mean)
    torch.testing.assert_close(model.statistics.std, expected.std)
    assert not torch.allclose(recipe.model(4).statistics.mean, expected.mean, rtol=1e-3)


def test_a_network_that_will_be_loaded_needs_no_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same_weights: Same
) -> None:
    there = SMOKE.model(1)
    assert same_weights(there, SMOKE.model(1)) and not same_weights(there, SMOKE.model(2))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked for faces")

    monkeypatch.setattr(TddfaRecipe, "training_set", refuse)
    monkeypatch.setattr(TddfaRecipe, "test_set", refuse)
    again = SMOKE.model()
    assert float(again.statistics.std.max()) == 1 and not again.statistics.mean.any()
    again.load_state_dict(there.state_dict())
    assert same_weights(again, there)


def test_making_a_network_leaves_the_random_numbers_as_they_were() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    SMOKE.model(1)
    assert torch.equal(torch.rand(3), expected)


def test_an_untrained_network_is_near_the_mean_face() -> None:
    """With its raw answers taken for whitened ones it has no idea of pixels; with the statistics it has."""
    batch = _faces(SMOKE)
    model = SMOKE.model(1).eval()
    with torch.inference_mode():
        scale = decompose(unpack(SMOKE.parameters(model, batch)).camera).scale
    true = decompose(unpack(batch.parameters).camera).scale
    assert bool((scale / true > 0.5).all()) and bool((scale / true < 2).all())


# -------------------------------------------------------------------------------------------------------- trainings


def _finite(history: list[dict[str, object]]) -> bool:
    return all(math.isfinite(float(entry["loss"])) and float(entry["loss"]) > 0 for entry in history)  # type: ignore[arg-type]


@pytest.mark.parametrize("optimisation", OPTIMISATIONS)
def test_every_optimisation_ends_and_tells_of_its_epochs(optimisation: str, same_weights: Same) -> None:
    recipe = replace(SMOKE, optimisation=optimisation)
    model, history = recipe.train(seed=1)
    assert isinstance(model, TDDFA) and not model.training and len(history) == 2 and _finite(history)
    assert not same_weights(model, recipe.model(1))
    start = recipe.model(1).statistics
    assert torch.equal(model.statistics.mean, start.mean) and torch.equal(model.statistics.std, start.std)
    assert history[-1]["nme"] == pytest.approx(float(recipe.evaluate(model, recipe.test_set())[1].mean()))
    if optimisation == "vdc from fwpdc":
        assert [entry["training"] for entry in history] == [1, 2]
    else:
        assert [entry["epoch"] for entry in history] == [1, 2] and "training" not in history[0]
    # Of the eight steps those of rounds of two batches and a choice, and the last, choose.
    kept = [choice for entry in history for choice in entry.get("kept", [])]
    assert len(kept) == (3 if optimisation == "meta-joint" else 0) and set(kept) <= {0, 1}


def test_a_training_is_repeated_bit_for_bit_and_goes_on_where_it_stopped(tmp_path: Path, same_weights: Same) -> None:
    recipe = replace(SMOKE, optimisation="vdc from fwpdc", pictures="short videos")
    recipe = replace(recipe, training=replace(recipe.training, epochs=4))
    model, history = recipe.train(seed=1, output=tmp_path / "whole")
    assert [entry["training"] for entry in history] == [1, 2]
    assert same_weights(recipe.train(seed=1).model, model)
    assert not same_weights(recipe.train(seed=2).model, model)

    folder = shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    shutil.rmtree(folder / "vdc")
    (folder / "model.safetensors").unlink()
    again, told = recipe.train(seed=1, output=folder)
    assert same_weights(again, model) and told[0] == history[0]  # its seconds too: it was not trained again

    loaded = recipe.model()
    load_weights(loaded, tmp_path / "whole" / "model.safetensors")
    assert same_weights(loaded, model)


def test_every_setting_changes_what_is_learnt(same_weights: Same) -> None:
    training = replace(SMOKE.training, epochs=2)
    recipe = replace(SMOKE, optimisation="vanilla-joint", training=training)
    model = recipe.train(seed=1).model
    for changes in (
        {"beta": 0.9},
        {"regularisation": "branch of other faces"},
        {"pictures": "short videos"},
        {"pictures": "random turns"},
    ):
        assert not same_weights(replace(recipe, **changes).train(seed=1).model, model), changes  # type: ignore[arg-type]


def test_landmarks_of_the_rebuilt_face_are_trained_with_after_an_evaluation(same_weights: Same) -> None:
    """What was cached while gradients were off is no obstacle."""
    recipe = replace(SMOKE, optimisation="fwpdc", regularisation="rebuilt")
    caches = (landmark_face, face3d_parameters._joint_basis)
    for kept in caches:
        kept.cache_clear()
    trained = recipe.train(seed=1).model
    for kept in caches:
        kept.cache_clear()
    recipe.evaluate(recipe.model(1), recipe.test_set())
    assert same_weights(recipe.train(seed=1).model, trained)


def test_it_learns() -> None:
    """A few faces by heart, unaugmented."""
    training = replace(
        SMOKE.training, epochs=30, batch=8, optimizer=Optimizer("adamw", 5e-3), schedule=WarmupCosine(0.1),
        evaluate_every=30,
    )  # fmt: skip
    recipe = replace(SMOKE, optimisation="fwpdc", training=training, augmentation=Augmentation())
    model, history = recipe.train(seed=1)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    faces = recipe.training_set(1)
    assert float(recipe.evaluate(model, faces)[1].mean()) < float(recipe.evaluate(recipe.model(1), faces)[1].mean())
