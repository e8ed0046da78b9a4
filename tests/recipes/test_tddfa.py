"""3DDFA_V2: what its network learns from, and what it pays for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from facelab import recipes
from facelab.data import Augmentation, FaceSample, crop_faces
from facelab.face3d import ParameterStatistics, builtin_face
from facelab.face3d.parameters import compose, decompose, landmarks_of_parameters, pack, project, unpack
from facelab.losses import l2, wpdc
from facelab.models.tddfa import Answer
from facelab.recipes.parametric import MESH, UNIT
from facelab.recipes.tddfa import PICTURES, PROFILES, REGULARISATIONS, TddfaRecipe

SMOKE = replace(
    PROFILES["smoke"], faces=32, test_faces=8, frames=4,
    training=replace(PROFILES["smoke"].training, epochs=4, batch=8),
)  # fmt: skip
PLAIN = replace(SMOKE, augmentation=Augmentation(), optimisation="vdc")
CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("cached")


def _faces(recipe: TddfaRecipe) -> FaceSample:
    return FaceSample.stack(list(recipe.test_set()))


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _points(parameters: Tensor) -> Tensor:
    return landmarks_of_parameters(builtin_face(), parameters)


# ------------------------------------------------------------------------------------------------------- the recipe


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_there_is_a_recipe_for_every_profile(profile: str) -> None:
    recipe = recipes.get("tddfa", profile)
    assert recipe is PROFILES[profile] and list(PROFILES) == list(recipes.PROFILES)
    assert (recipe.optimisation, recipe.regularisation, recipe.crop) == ("meta-joint", "branch", "3ddfa")
    assert recipe.picture >= recipe.size and list(recipe.trainings) == [""]
    assert recipe.trainings[""].epochs >= 1


def test_at_the_papers_scale_the_settings_are_the_papers() -> None:
    recipe = PROFILES["gpu"]
    assert (recipe.size, recipe.trunk, recipe.training.batch) == (120, "mobilenet", 128)
    assert (recipe.pictures, recipe.frames, recipe.look_ahead) == ("short videos", 8, 100)
    optimizer = recipe.training.optimizer
    assert (optimizer.name, optimizer.momentum, optimizer.weight_decay) == ("sgd", 0.9, 5e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimisation": "joint"}, "optimisation: expected one of pdc, .*, meta-joint, got 'joint'"),
        ({"regularisation": "head"}, "regularisation: expected one of none, branch, .*, rebuilt, got 'head'"),
        ({"pictures": "films"}, "pictures: expected one of stills, .*, rendered short videos, got 'films'"),
        ({"beta": -0.1}, "expected beta from 0 to 1"),
        ({"beta": 1.1}, "expected beta from 0 to 1"),
        ({"tuning": 0.0}, "tuning between"),
        ({"tuning": 1.0}, "tuning between"),
        ({"tuning_rate": 0.0}, "tuning_rate > 0"),
        ({"frames": 0}, "frames >= 1"),
        ({"augmentation": Augmentation(mirror=0.5)}, "augmentation mirror: expected 0, .* no parameters"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMOKE, **changes)


# ---------------------------------------------------------------------------------------------------- the trainings


def test_tuning_takes_its_share_of_the_epochs_at_a_rate_of_its_own() -> None:
    training = replace(SMOKE.training, epochs=10)
    recipe = replace(SMOKE, optimisation="vdc from fwpdc", training=training, tuning=0.3, tuning_rate=0.1)
    first, last = recipe.trainings.values()
    assert list(recipe.trainings) == ["fwpdc", "vdc"]
    assert first == replace(training, epochs=7)
    rate = training.optimizer.learning_rate
    assert last == replace(training, epochs=3, optimizer=replace(training.optimizer, learning_rate=0.1 * rate))


@pytest.mark.parametrize("pictures", PICTURES)
def test_as_many_pictures_are_seen_of_every_kind(pictures: str) -> None:
    recipe = replace(SMOKE, pictures=pictures)
    (plan,) = recipe.trainings.values()
    samples = recipe.samples(1, CPU)
    batch = recipe.collate([samples[index] for index in range(plan.batch)])
    images, parameters = recipe.prepare(batch, _seeded())
    steps = plan.epochs * len(samples) / plan.batch
    assert len(images) == len(parameters) == SMOKE.training.batch
    assert steps == SMOKE.training.epochs * SMOKE.faces / SMOKE.training.batch
    assert bool(parameters.isfinite().all()) and images.shape[1:] == (3, recipe.size, recipe.size)


def test_trainings_of_short_videos_are_evaluated_as_often() -> None:
    training = replace(SMOKE.training, epochs=16, evaluate_every=8)
    (plan,) = replace(SMOKE, pictures="short videos", training=training).trainings.values()
    assert plan.epochs // plan.evaluate_every == 16 // 8 == 2


@pytest.mark.parametrize("changes", [{"batch": 6}, {"epochs": 7}])
def test_what_is_no_multiple_of_the_frames_is_refused(changes: dict[str, int]) -> None:
    recipe = replace(SMOKE, training=replace(SMOKE.training, **changes))
    assert recipe.trainings[""] == recipe.training
    for pictures in PICTURES[1:]:
        with pytest.raises(ValueError, match="training: expected batch and epochs in multiples of 4 frames, got "):
            _ = replace(recipe, pictures=pictures).trainings


# ------------------------------------------------------------------------------------------------------ its batches


def test_stills_come_with_the_parameters_of_their_landmarks() -> None:
    batch = _faces(SMOKE)
    images, parameters = SMOKE.prepare(batch, _seeded())
    crop = crop_faces(batch, SMOKE.size, "3ddfa", SMOKE.augmentation, _seeded())
    assert torch.equal(images, crop.image) and parameters.shape == (8, 62)
    points = _points(parameters)[..., :2]
    expected = crop.affine.apply(_points(batch.parameters)[..., :2])
    torch.testing.assert_close(points, expected, atol=1e-3, rtol=0)
    # With all modes they are the labels; without those beyond 40 and 10 they are within a few hundredths of the side.
    away = (points - crop.landmarks[..., :2]).norm(dim=2)
    assert 0 < float(away.mean()) < 0.01 * SMOKE.size and float(away.max()) < 0.05 * SMOKE.size
    assert float((crop_faces(batch, SMOKE.size, "3ddfa").landmarks - crop.landmarks).abs().max()) > 1


def test_short_videos_begin_with_their_stills() -> None:
    recipe = replace(SMOKE, pictures="short videos", frames=3)
    batch = _faces(recipe)
    images, parameters = recipe.prepare(batch, _seeded())
    crop = crop_faces(batch, recipe.size, "3ddfa", recipe.augmentation, _seeded())
    assert images.shape == (24, 3, 32, 32) and parameters.shape == (24, 62)
    assert torch.equal(parameters[::3], crop.parameters)
    # Noise and blur apart, which the first frame has too, later frames are further away.
    away = (images.unflatten(0, (8, 3)) - crop.image[:, None]).abs().mean((2, 3, 4))
    assert bool((away[:, 0] > 0).all()) and bool((away[:, 1:].mean(1) > away[:, 0]).all())
    coefficients = parameters.unflatten(0, (8, 3))[..., 12:]
    assert torch.equal(coefficients, crop.parameters[:, None, 12:].expand(-1, 3, -1))


def _yaws(pictures: str) -> Tensor:
    """Of the frames ``(8, 4)`` of short videos, degrees; the heads are frontal, so that no yaw is near its end."""
    recipe = replace(SMOKE, pictures=pictures)
    batch = _faces(recipe)
    still = unpack(batch.parameters)
    found = decompose(still.camera)
    frontal = pack(compose(found.scale, 0 * found.angles, found.translation), still.identity, still.expression)
    _, parameters = recipe.prepare(replace(batch, parameters=frontal), _seeded())
    return decompose(unpack(parameters).camera).angles[:, 1].rad2deg().unflatten(0, (8, 4))


def test_kinds_of_short_videos_turn_the_head_as_their_names_say() -> None:
    turned, flat, apart = (_yaws(kind) for kind in ("short videos", "in-plane short videos", "random turns"))
    torch.testing.assert_close(flat, flat[:, :1].expand(-1, 4), atol=1e-2, rtol=0)
    assert float((turned - turned[:, :1]).abs().max()) > 3
    assert float(turned.diff().abs().max()) <= 5.5  # a step is one of at most 5 degrees of yaw, besides pitch
    assert float(apart[:, 1:].diff().abs().max()) > 5.5  # frames that do not follow one another


def test_rendered_short_videos_are_frames_of_the_training_set() -> None:
    recipe = replace(SMOKE, faces=4, pictures="rendered short videos")
    frames = recipe.training_set(1)
    assert len(frames) == 4 * recipe.frames
    cuda = recipe.samples(1, torch.device("cuda"))
    assert type(cuda) is type(frames) and len(cuda) == len(frames)  # rendered in advance there too
    clips = torch.stack([frames[index].parameters for index in range(len(frames))]).unflatten(0, (4, -1))
    assert torch.equal(clips[:, 1:, 12:], clips[:, :1, 12:].expand(-1, recipe.frames - 1, -1))
    assert not torch.equal(clips[:, 1:, :12], clips[:, :1, :12].expand(-1, recipe.frames - 1, -1))
    batch = FaceSample.stack([frames[index] for index in range(4)])
    images, parameters = recipe.prepare(batch, _seeded())
    crop = crop_faces(batch, recipe.size, "3ddfa", recipe.augmentation, _seeded())
    assert torch.equal(parameters, crop.parameters)
    assert images.shape == crop.image.shape and not torch.equal(images, crop.image)  # noise and blur


# ------------------------------------------------------------------------------------------------------- the losses


@pytest.fixture(scope="module")
def known() -> ParameterStatistics:
    generator = _seeded(5)
    std = torch.rand(62, generator=generator) + 0.2
    std[11] = 0
    return ParameterStatistics(torch.randn(62, generator=generator), std)


def _pair(recipe: TddfaRecipe = PLAIN) -> tuple[Tensor, Tensor]:
    """True parameters of crops and wrong ones, ``(8, 62)`` each."""
    _, target = recipe.prepare(_faces(recipe), _seeded())
    generator = _seeded(9)
    share = torch.randn(8, 62, generator=generator) * torch.cat([torch.full((12,), 0.1), torch.full((50,), 0.3)])
    predicted = target + share * torch.cat([target[:, :12].abs() + 0.1, torch.ones(8, 50)], 1)
    return predicted, target


def test_a_shift_costs_as_many_square_pixels_at_every_size(known: ParameterStatistics) -> None:
    for size in (30, 60):
        recipe = replace(PLAIN, size=size)
        _, target = _pair(recipe)
        predicted = target.clone()
        predicted[:, 3] += 3 * size / UNIT
        predicted[:, 7] -= 4 * size / UNIT
        assert float(recipe.cost(predicted, target, known, "vdc")) == pytest.approx(25, rel=1e-3)


def test_the_costs_by_hand(known: ParameterStatistics) -> None:
    predicted, target = _pair()
    model = builtin_face().subset(MESH)
    found = {name: float(PLAIN.cost(predicted, target, known, name)) for name in ("pdc", "wpdc", "fwpdc", "vdc")}
    varies = known.std > 0
    whitened = (predicted - target)[:, varies] / known.std[varies]
    assert found["pdc"] == pytest.approx(float(whitened.square().sum(1).mean()) / 62, rel=1e-5)
    away = project(model, predicted) - project(model, target)
    away[..., 2] -= (predicted - target)[:, 11:12]  # no picture shows a shift in depth
    squared = float(away.square().sum(2).mean()) * (UNIT / PLAIN.size) ** 2
    assert found["vdc"] == pytest.approx(squared, rel=1e-3)
    assert found["wpdc"] == pytest.approx(float(wpdc(predicted, target, model, known)), rel=1e-5)
    assert found["fwpdc"] == pytest.approx(found["wpdc"], rel=1e-3)
    assert len({round(value, 4) for value in found.values()}) == 3


def _gradients(recipe: TddfaRecipe, known: ParameterStatistics, name: str) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Of the objective: its value, and what it gives to parameters and landmarks of the answer."""
    predicted, target = _pair()
    landmarks = 0.3 * torch.randn(8, 68, 2, generator=_seeded(4))
    parts = (predicted.requires_grad_(), landmarks.requires_grad_())
    branch = parts[1] if recipe.regularisation.startswith("branch") else None
    value = recipe.objective(Answer(parts[0], branch), target, known, name)
    value.backward()
    pulls = [torch.zeros_like(part) if part.grad is None else part.grad for part in parts]
    return value.detach(), (pulls[0], pulls[1])


def _pull(cost: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Value of a cost of parameters, and its gradient."""
    predicted, target = _pair()
    value = cost(predicted.requires_grad_(), target)
    (pull,) = torch.autograd.grad(value, predicted)
    return value.detach(), pull


def test_the_mixture_has_fixed_shares_and_no_gradient_of_their_ratio(known: ParameterStatistics) -> None:
    recipe = replace(PLAIN, regularisation="none", beta=0.3)
    value, (pull, _) = _gradients(recipe, known, "vanilla-joint")
    by_parameters, first = _pull(lambda predicted, target: recipe.cost(predicted, target, known, "fwpdc"))
    by_vertices, second = _pull(lambda predicted, target: recipe.cost(predicted, target, known, "vdc"))
    torch.testing.assert_close(value, by_parameters)  # both parts are of its size
    torch.testing.assert_close(pull, 0.3 * first + 0.7 * by_parameters / by_vertices * second)
    assert not torch.allclose(first, by_parameters / by_vertices * second, rtol=0.1)


@pytest.mark.parametrize("name", ["pdc", "fwpdc", "vdc"])
def test_without_landmarks_the_objective_is_the_cost(known: ParameterStatistics, name: str) -> None:
    recipe = replace(PLAIN, regularisation="none")
    value, (pull, _) = _gradients(recipe, known, name)
    expected = _pull(lambda predicted, target: recipe.cost(predicted, target, known, name))
    torch.testing.assert_close((value, pull), expected)


def test_both_branches_of_meta_joint_optimisation_cost_the_same(known: ParameterStatistics) -> None:
    """Their directions are those of the two losses."""
    recipe = replace(PLAIN, regularisation="none", optimisation="meta-joint")
    first, (by_parameters, _) = _gradients(recipe, known, "fwpdc")
    second, (by_vertices, _) = _gradients(recipe, known, "vdc")
    fwpdc, expected = _pull(lambda predicted, target: recipe.cost(predicted, target, known, "fwpdc"))
    vdc, other = _pull(lambda predicted, target: recipe.cost(predicted, target, known, "vdc"))
    torch.testing.assert_close((first, second), (fwpdc, fwpdc))
    torch.testing.assert_close((by_parameters, by_vertices), (expected, fwpdc / vdc * other))
    assert not fwpdc.isclose(vdc, rtol=0.1)


@pytest.mark.parametrize(("regularisation", "shown"), [("branch", 0), ("branch of other faces", 1)])
def test_the_branch_learns_landmarks_brought_to_the_size_of_the_loss(
    known: ParameterStatistics, regularisation: str, shown: int
) -> None:
    recipe = replace(PLAIN, regularisation=regularisation)
    value, (of_parameters, of_landmarks) = _gradients(recipe, known, "vdc")
    main, pull = _pull(lambda predicted, target: recipe.cost(predicted, target, known, "vdc"))
    torch.testing.assert_close(value, 2 * main)
    torch.testing.assert_close(of_parameters, pull)  # the branch says nothing of the parameters
    target = (_points(_pair()[1])[..., :2] - (PLAIN.size - 1) / 2) / (PLAIN.size / 2)
    wrong = 0.3 * torch.randn(8, 68, 2, generator=_seeded(4)) - target[[(face - shown) % 8 for face in range(8)]]
    squared = wrong.square().sum(2).mean()
    torch.testing.assert_close(of_landmarks, main / squared * 2 * wrong / (8 * 68), rtol=1e-3, atol=1e-6)


def test_landmarks_of_the_rebuilt_face_pull_its_parameters(known: ParameterStatistics) -> None:
    recipe = replace(PLAIN, regularisation="rebuilt")
    value, (of_parameters, _) = _gradients(recipe, known, "vdc")
    main, pull = _pull(lambda predicted, target: recipe.cost(predicted, target, known, "vdc"))
    squared, other = _pull(lambda predicted, target: l2(_points(predicted)[..., :2], _points(target)[..., :2]))
    torch.testing.assert_close(value, 2 * main)
    torch.testing.assert_close(of_parameters, pull + main / squared * other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("regularisation", REGULARISATIONS)
def test_only_a_branch_has_landmarks_of_its_own(regularisation: str) -> None:
    model = replace(SMOKE, regularisation=regularisation).model().eval()
    answer = model(torch.zeros(1, 3, 32, 32))
    assert (answer.landmarks is not None) == (regularisation in ("branch", "branch of other faces"))
