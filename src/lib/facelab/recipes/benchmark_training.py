"""How long a training takes, measured on a short piece of it."""

import time
from dataclasses import replace
from typing import Any

from facelab.recipes.two_stage import TwoStageRecipe
from facelab.training import Training

_BEFORE = 2  # batches an epoch of the shorter of two pieces


def training_seconds(recipe: Any, batches: int, seed: int = 0) -> float:
    """Seconds of processor time that the whole training of a recipe takes on this machine.

    Two pieces are trained that differ in the number of faces alone; what the longer one takes more is the cost of so
    many batches, and the whole training has as many of them as its faces and epochs say. All that is done once, such as
    the start, or at the end of an epoch, falls out of the difference. Faces are rendered beforehand.

    Args:
        batches: of an epoch, by which the pieces differ.
    Raises:
        ValueError: if that is less than one.
    """
    if batches < 1:
        raise ValueError(f"batches: expected at least 1, got {batches}")
    plans: dict[str, Training] = recipe.trainings
    size = max(plan.batch for plan in plans.values())
    short, long = (_piece(recipe, size * count) for count in (_BEFORE, _BEFORE + batches))
    for piece in (short, long):
        piece.training_set(seed)
        piece.test_set()
    apart = _seconds(long, seed) - _seconds(short, seed)
    epochs = 1 if isinstance(recipe, TwoStageRecipe) else recipe.training.epochs
    return max(apart, 0.0) * epochs * recipe.faces / (batches * size)


def _piece(recipe: Any, faces: int) -> Any:
    """The recipe on few faces: of one epoch, or, of several trainings, of all their epochs."""
    if isinstance(recipe, TwoStageRecipe):
        return replace(recipe, cascade=replace(recipe.cascade, faces=faces, test_faces=2))
    return replace(recipe, faces=faces, test_faces=2, training=replace(recipe.training, epochs=1))


def _seconds(recipe: Any, seed: int) -> float:
    started = time.process_time()
    recipe.train(seed, "cpu")
    return time.process_time() - started
