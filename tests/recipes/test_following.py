"""What is noted during a training is what the network found, and watching changes nothing."""

from dataclasses import replace

import pytest
import torch

from facelab.data import FaceSample
from facelab.recipes.direct import PROFILES, DirectRecipe
from facelab.recipes.following import Followed, follow

pytestmark = pytest.mark.usefixtures("cached")

EPOCHS = 2
_SMOKE = PROFILES["smoke"]
# The plan measures once, at the end; what is followed is looked at after every epoch all the same.
RECIPE = replace(
    _SMOKE,
    faces=16,
    test_faces=8,
    training=replace(_SMOKE.training, epochs=EPOCHS, batch=8, evaluate_every=EPOCHS),
)


@pytest.fixture
def faces() -> FaceSample:
    test = RECIPE.test_set()
    return FaceSample.stack([test[index] for index in (0, 3, 5)])


@pytest.fixture
def followed(faces: FaceSample) -> Followed:
    return follow(RECIPE, faces, seed=1)


def test_each_step_is_what_the_network_found_then(faces: FaceSample, followed: Followed) -> None:
    assert followed.points.shape == (EPOCHS + 1, 3, 68, 2)
    with torch.inference_mode():
        before = RECIPE.landmarks(RECIPE.model(1).eval(), faces)
        after = RECIPE.landmarks(followed.model, faces)
    assert torch.equal(followed.points[0], before) and torch.equal(followed.points[-1], after)
    steps = followed.points.diff(dim=0).norm(dim=-1).amax((1, 2))
    assert bool((steps > 1e-3).all()), "the network learns in each epoch"


def test_the_error_of_every_epoch_is_kept(followed: Followed) -> None:
    assert [entry["epoch"] for entry in followed.history] == [1, 2]
    errors = [entry["nme"] for entry in followed.history]
    assert errors[-1] == pytest.approx(float(RECIPE.evaluate(followed.model, RECIPE.test_set())[1].mean()))


def test_watching_changes_nothing(followed: Followed) -> None:
    alone = RECIPE.train(seed=1).model
    assert not followed.model.training
    for name, weight in alone.state_dict().items():
        assert torch.equal(weight, followed.model.state_dict()[name]), name


def test_a_balanced_set_can_be_followed(faces: FaceSample) -> None:
    recipe: DirectRecipe = replace(RECIPE, frontal=0.5, balance="undersampled", bins=2)
    assert follow(recipe, faces).points.shape == (EPOCHS + 1, 3, 68, 2)
