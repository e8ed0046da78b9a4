"""CLN: what its streams learn from, what they pay for, how answers are read, and what a training leaves behind."""

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import Augmentation, FaceSample, SelfShuffle, crop_faces, self_shuffle
from facelab.face3d import ParameterStatistics, builtin_face
from facelab.face3d.parameters import landmarks_of_parameters
from facelab.losses import fwpdc, wing
from facelab.metrics import nme
from facelab.models import CLN
from facelab.models.cln import STREAMS, Outputs
from facelab.recipes.cln import PROFILES, ClnRecipe
from facelab.recipes.parametric import UNIT, mesh_gram
from facelab.training import Optimizer, Steps, WarmupCosine, load_weights
from tests.recipes.says import Says

SMOKE = replace(PROFILES["smoke"], faces=16, test_faces=8, training=replace(PROFILES["smoke"].training, batch=8))
PLAIN = replace(SMOKE, augmentation=Augmentation())
Same = Callable[[nn.Module, nn.Module], bool]

pytestmark = pytest.mark.usefixtures("cached")


def _faces(recipe: ClnRecipe) -> FaceSample:
    return FaceSample.stack(list(recipe.test_set()))


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------------------------- the recipe


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_there_is_a_recipe_for_every_profile(profile: str) -> None:
    recipe = recipes.get("cln", profile)
    assert recipe is PROFILES[profile] and list(PROFILES) == list(recipes.PROFILES)
    assert (recipe.attention, recipe.streams, recipe.crop) == ("transformer", "both", "3ddfa")
    assert recipe.shuffle == SelfShuffle() and recipe.shuffle.thumbnail == "own"
    assert (recipe.wpdc_weight, recipe.wing_weight) == (0.5, 1.0)  # of the paper
    assert recipe.picture >= recipe.size and recipe.trainings == {"": recipe.training}


def test_at_the_papers_scale_the_settings_are_the_papers() -> None:
    recipe = PROFILES["gpu"]
    assert (recipe.size, recipe.trunk, recipe.training.batch) == (224, "a0", 256)
    assert recipe.training.optimizer == Optimizer("sgd", 0.002, weight_decay=5e-4, momentum=0.9, nesterov=True)
    schedule = recipe.training.schedule
    assert isinstance(schedule, Steps)
    assert [schedule(share) for share in (0.0, 0.59, 0.61, 0.79, 0.81)] == pytest.approx([1, 1, 0.2, 0.2, 0.04])


@pytest.mark.parametrize("profile", ["smoke", "quick", "cpu"])
def test_on_a_cpu_narrow_convolutions_are_not_trained_channels_last(profile: str) -> None:
    assert not PROFILES[profile].training.channels_last


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"streams": "three"}, "streams: expected one of both, global, local, two globals, got 'three'"),
        ({"streams": "global"}, "shuffle: expected None, no stream of 'global' sees shuffled pictures"),
        ({"streams": "two globals"}, "shuffle: expected None, no stream of 'two globals'"),
        ({"shuffle": SelfShuffle(3)}, "shuffle tiles: expected a divisor of the size 32, got 3"),
        ({"wpdc_weight": -0.5}, r"wpdc_weight, wing_weight: expected numbers >= 0, .* got \(-0.5, 1.0\)"),
        ({"wing_weight": math.inf}, r"wpdc_weight, wing_weight: .* got \(0.5, inf\)"),
        ({"wing_weight": math.nan}, r"wpdc_weight, wing_weight: .* got \(0.5, nan\)"),
        ({"wpdc_weight": 0.0, "wing_weight": 0.0}, "not both 0"),
        ({"augmentation": Augmentation(mirror=0.5)}, "augmentation mirror: expected 0, .* no parameters"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMOKE, **changes)


@pytest.mark.parametrize(("changes", "name"), [({"trunk": "a9"}, "trunk"), ({"attention": "much"}, "attention")])
def test_networks_that_are_none_are_refused(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected one of "):
        replace(SMOKE, **changes).model()


# ------------------------------------------------------------------------------------------------------ its batches


def test_the_local_stream_is_given_the_same_crops_in_shuffled_tiles() -> None:
    batch = _faces(SMOKE)
    images, shuffled, parameters = SMOKE.prepare(batch, _seeded())
    generator = _seeded()
    crop = crop_faces(batch, SMOKE.size, "3ddfa", SMOKE.augmentation, generator)
    assert torch.equal(images, crop.image) and torch.equal(parameters, crop.parameters)
    expected = self_shuffle(crop.image, SelfShuffle(), generator)
    assert torch.equal(shuffled, expected.images)
    assert not torch.equal(shuffled, images)
    back = expected._replace(images=shuffled).unshuffled()
    same = (back == images).all(1).unflatten(2, (4, 8)).unflatten(1, (4, 8)).all(4).all(2)  # of each of the 16 tiles
    assert bool((same.flatten(1).sum(1) == 15).all())  # all but that under the thumbnail
    points = landmarks_of_parameters(builtin_face(), parameters)[..., :2]
    torch.testing.assert_close(
        points, crop.affine.apply(landmarks_of_parameters(builtin_face(), batch.parameters)[..., :2]),
        atol=1e-3, rtol=0,
    )  # fmt: skip


@pytest.mark.parametrize("thumbnail", ["own", "other", "blank", "none"])
def test_every_thumbnail_is_the_recipes_own(thumbnail: str) -> None:
    recipe = replace(PLAIN, shuffle=SelfShuffle(tiles=2, swaps=(1, 1), thumbnail=thumbnail, share=0.5))
    assert recipe.shuffle is not None
    images, shuffled, _ = recipe.prepare(_faces(recipe), _seeded(4))
    generator = _seeded(4)
    crop_faces(_faces(recipe), recipe.size, "3ddfa", recipe.augmentation, generator)
    assert torch.equal(shuffled, self_shuffle(images, recipe.shuffle, generator).images)


def test_without_shuffling_both_streams_are_given_the_same() -> None:
    images, local, parameters = replace(SMOKE, shuffle=None).prepare(_faces(SMOKE), _seeded())
    assert torch.equal(images, local)
    others, _, same = SMOKE.prepare(_faces(SMOKE), _seeded())
    assert torch.equal(images, others) and torch.equal(parameters, same)  # shuffling changes neither


# --------------------------------------------------------------------------------------------------------- the loss


@pytest.fixture(scope="module")
def known() -> ParameterStatistics:
    generator = _seeded(5)
    std = torch.rand(62, generator=generator) + 0.2
    std[11] = 0
    return ParameterStatistics(torch.randn(62, generator=generator), std)


def _pair(recipe: ClnRecipe = PLAIN, seed: int = 9) -> tuple[Tensor, Tensor]:
    """Wrong parameters of crops and true ones, ``(8, 62)`` each."""
    *_, target = recipe.prepare(_faces(recipe), _seeded())
    share = torch.randn(8, 62, generator=_seeded(seed)) * torch.cat([torch.full((12,), 0.1), torch.full((50,), 0.3)])
    return target + share * torch.cat([target[:, :12].abs() + 0.1, torch.ones(8, 50)], 1), target


def test_a_shift_costs_as_much_at_every_size(known: ParameterStatistics) -> None:
    """Of 3 and 4 pixels of a crop of 120: Wing is 10 ln(1 + x / 2), the mean over x, y and z."""
    expected = 10 * (math.log1p(1.5) + math.log1p(2)) / 3
    for size in (32, 64):
        recipe = replace(PLAIN, size=size, wpdc_weight=0.0)
        _, target = _pair(recipe)
        predicted = target.clone()
        predicted[:, 3] += 3 * size / UNIT
        predicted[:, 7] -= 4 * size / UNIT
        assert float(recipe.cost(predicted, target, known)) == pytest.approx(expected, rel=1e-3)


def test_the_cost_by_hand(known: ParameterStatistics) -> None:
    predicted, target = _pair()
    by_parameters = float(fwpdc(predicted, target, mesh_gram(torch.device("cpu")), known))
    level = predicted.clone()
    level[:, 11] = target[:, 11]  # no picture shows a shift in depth
    points = (UNIT / PLAIN.size * landmarks_of_parameters(builtin_face(), each) for each in (level, target))
    by_vertices = float(wing(*points)) / 3  # the mean over coordinates, not the sum
    for weights in ((0.5, 1.0), (1.0, 0.0), (0.0, 1.0), (2.0, 3.0)):
        recipe = replace(PLAIN, wpdc_weight=weights[0], wing_weight=weights[1])
        expected = weights[0] * by_parameters + weights[1] * by_vertices
        assert float(recipe.cost(predicted, target, known)) == pytest.approx(expected, rel=1e-4)
    assert by_parameters > 0 and by_vertices > 0


def test_the_costs_of_all_answers_are_added_up(known: ParameterStatistics) -> None:
    first, target = _pair()
    second, third = (_pair(seed=seed)[0] for seed in (10, 11))
    found = PLAIN.objective(Outputs(first, (second, third)), target, known)
    costs = [PLAIN.cost(answer, target, known) for answer in (first, second, third)]
    torch.testing.assert_close(found, costs[0] + costs[1] + costs[2])
    torch.testing.assert_close(PLAIN.objective(Outputs(first, ()), target, known), costs[0])


# ------------------------------------------------------------------------------------------------------ its answers


def test_true_parameters_give_the_true_face_in_the_pictures_pixels() -> None:
    batch = _faces(SMOKE)
    crop = crop_faces(batch, SMOKE.size, "3ddfa")
    blind = replace(batch, landmarks=batch.landmarks * torch.nan, parameters=batch.parameters * torch.nan)
    model = Says(crop.image, Outputs(crop.parameters, ()))
    expected = landmarks_of_parameters(builtin_face(), batch.parameters)
    with torch.inference_mode():
        torch.testing.assert_close(SMOKE.parameters(model, blind), batch.parameters, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(SMOKE.landmarks(model, blind), expected, atol=2e-3, rtol=0)
    shown, errors = SMOKE.evaluate(model, SMOKE.test_set())
    torch.testing.assert_close(shown, expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(errors, nme(shown[..., :2], batch.landmarks[..., :2], "bbox"))


@pytest.mark.parametrize("streams", STREAMS)
def test_tests_are_on_pictures_as_they_are(streams: str) -> None:
    recipe = replace(SMOKE, streams=streams, shuffle=SMOKE.shuffle if streams in ("both", "local") else None)
    model, batch = recipe.model(1).eval(), _faces(recipe)
    with torch.inference_mode():
        crop = crop_faces(batch, recipe.size, "3ddfa")
        expected = crop.affine.inverse().apply(landmarks_of_parameters(builtin_face(), model(crop.image).parameters))
        torch.testing.assert_close(recipe.landmarks(model, batch), expected, atol=1e-3, rtol=1e-4)
        errors = recipe.evaluate(model, recipe.test_set())[1]
        for part in (slice(0, None, 2), slice(1, None, 2)):
            torch.testing.assert_close(recipe.measure(model, part)["nme"], errors[part])


# ------------------------------------------------------------------------------------------------------ the network


def test_the_statistics_are_those_of_the_parameters_in_upright_crops() -> None:
    faces = SMOKE.training_set(3)
    crop = crop_faces(FaceSample.stack([faces[index] for index in range(len(faces))]), SMOKE.size, "3ddfa")
    expected = ParameterStatistics.fit(crop.parameters)
    found = SMOKE.model(3).statistics
    torch.testing.assert_close((found.mean, found.std), (expected.mean, expected.std))


def test_a_network_that_will_be_loaded_needs_no_faces(monkeypatch: pytest.MonkeyPatch, same_weights: Same) -> None:
    there = SMOKE.model(1)
    assert same_weights(there, SMOKE.model(1)) and not same_weights(there, SMOKE.model(2))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked for faces")

    monkeypatch.setattr(ClnRecipe, "training_set", refuse)
    monkeypatch.setattr(ClnRecipe, "test_set", refuse)
    again = SMOKE.model()
    again.load_state_dict(there.state_dict())
    assert same_weights(again, there)


def test_the_network_is_the_recipes() -> None:
    recipe = replace(SMOKE, trunk="short x0.35", attention="convolution", streams="local")
    expected = CLN("short x0.35", None, "convolution", "local").state_dict()
    found = recipe.model().state_dict()
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in expected.items()
    }


# -------------------------------------------------------------------------------------------------------- trainings


def test_a_training_is_repeated_bit_for_bit_and_goes_on_where_it_stopped(tmp_path: Path, same_weights: Same) -> None:
    model, history = SMOKE.train(seed=1, output=tmp_path / "whole")
    assert isinstance(model, CLN) and not model.training and len(history) == 2
    assert all(math.isfinite(entry["loss"]) and entry["loss"] > 0 for entry in history)
    assert history[-1]["nme"] == pytest.approx(float(SMOKE.evaluate(model, SMOKE.test_set())[1].mean()))
    assert not same_weights(model, SMOKE.model(1))
    start = SMOKE.model(1).statistics
    assert torch.equal(model.statistics.mean, start.mean) and torch.equal(model.statistics.std, start.std)
    assert same_weights(SMOKE.train(seed=1).model, model)

    folder = shutil.copytree(tmp_path / "whole", tmp_path / "again")
    (folder / "model.safetensors").unlink()
    assert same_weights(SMOKE.train(seed=1, output=folder).model, model)
    loaded = SMOKE.model()
    load_weights(loaded, tmp_path / "whole" / "model.safetensors")
    assert same_weights(loaded, model)


def test_the_first_loss_is_the_objective_of_the_first_batch() -> None:
    """Of both streams in training, one on shuffled pictures."""
    recipe = replace(PLAIN, faces=8, training=replace(SMOKE.training, epochs=1))
    samples, model = recipe.training_set(1), recipe.model(1).train()
    statistics, seen = model.statistics, []

    class _Watched(ClnRecipe):
        def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, ...]:
            seen.append(super().prepare(samples, generator))
            return seen[-1]

    fields = {name: getattr(recipe, name) for name in ClnRecipe.__dataclass_fields__}
    _, history = _Watched(**fields).train(seed=1)
    (images, shuffled, target), *more = seen
    assert not more and len(images) == len(samples) == 8
    outputs = model(images, shuffled)
    assert len(outputs.streams) == 2
    with torch.no_grad():
        expected = recipe.objective(outputs, target, statistics)
    assert history[0]["loss"] == pytest.approx(float(expected), rel=1e-4)


def test_every_setting_changes_what_is_learnt(same_weights: Same) -> None:
    recipe = replace(SMOKE, training=replace(SMOKE.training, epochs=1))
    model = recipe.train(seed=1).model
    for changes in (
        {"shuffle": None},
        {"shuffle": SelfShuffle(thumbnail="none")},
        {"shuffle": SelfShuffle(thumbnail="other")},
        {"wpdc_weight": 5.0},
        {"wing_weight": 0.0},
    ):
        assert not same_weights(replace(recipe, **changes).train(seed=1).model, model), changes  # type: ignore[arg-type]


def test_a_second_stream_without_shuffling_is_a_second_global_one() -> None:
    """Bit for bit, whatever the streams are called: the studies train this network once."""
    training = replace(SMOKE.training, epochs=1)
    both = replace(SMOKE, shuffle=None, training=training)
    first, second = (replace(both, streams=streams).train(seed=1).model for streams in ("both", "two globals"))
    mine, theirs = first.state_dict(), second.state_dict()
    renamed = {name.replace("local", "global again"): value for name, value in mine.items()}
    assert renamed.keys() == theirs.keys() and all(torch.equal(renamed[name], theirs[name]) for name in theirs)


def test_it_learns() -> None:
    """A few faces by heart, unaugmented."""
    training = replace(
        SMOKE.training, epochs=30, optimizer=Optimizer("adamw", 5e-3), schedule=WarmupCosine(0.1), evaluate_every=30
    )
    recipe = replace(PLAIN, training=training)
    model, history = recipe.train(seed=1)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    faces = recipe.training_set(1)
    assert float(recipe.evaluate(model, faces)[1].mean()) < float(recipe.evaluate(recipe.model(1), faces)[1].mean())


def test_a_deployed_network_answers_the_same() -> None:
    model, faces = SMOKE.train(seed=1).model, SMOKE.test_set()
    assert isinstance(model, CLN)
    points, again = (SMOKE.evaluate(each, faces)[0] for each in (model, model.deploy()))
    torch.testing.assert_close(again, points, atol=1e-2, rtol=0)
