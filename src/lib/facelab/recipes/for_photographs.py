"""The networks that come with the book: small ones, trained on rendered faces to find landmarks in photographs.

What differs from the recipes of the papers: the augmentation, which changes rendered faces as strongly as photographs
differ, and long trainings of networks that are small enough to ship. FAN's is in :mod:`facelab.recipes.fan`, with which
these share their faces.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from facelab.data import Augmentation, preset
from facelab.recipes import cln, direct, tddfa, two_stage
from facelab.recipes.tddfa import TddfaRecipe
from facelab.recipes.two_stage import THIN, TwoStageRecipe

_STRONG = preset("strong")
_UNMIRRORED = replace(_STRONG, mirror=0.0)  # mirrored faces have no parameters


def _profiles(papers: Mapping[str, Any], augmentation: Augmentation, epochs: int) -> dict[str, Any]:
    """Of recipes of one network: cut closely below ``gpu``; at ``cpu`` the network of ``quick``, trained longer."""
    smoke, quick = (replace(papers[name], crop="snug", augmentation=augmentation) for name in ("smoke", "quick"))
    longer = replace(quick.training, epochs=epochs, evaluate_every=4)
    return {
        "smoke": smoke,
        "quick": quick,
        "cpu": replace(quick, faces=8000, test_faces=1000, training=longer),
        "gpu": replace(papers["gpu"], augmentation=augmentation),
    }


def _mixed(recipe: TddfaRecipe) -> TddfaRecipe:
    """By the fixed mixture of two losses, at its rate: as good as their contest, in half of the time."""
    optimizer = replace(recipe.training.optimizer, learning_rate=5e-3)
    return replace(recipe, optimisation="vanilla-joint", training=replace(recipe.training, optimizer=optimizer))


_TDDFA = {name: recipe if name == "gpu" else _mixed(recipe) for name, recipe in tddfa.PROFILES.items()}
ANISOTROPIC = _profiles(direct.PROFILES, _STRONG, epochs=16)
TDDFA = _profiles(_TDDFA, _UNMIRRORED, epochs=16)
CLN = _profiles(cln.PROFILES, _UNMIRRORED, epochs=16)


def _two_stage(recipe: TwoStageRecipe, **changes: Any) -> TwoStageRecipe:
    return replace(recipe, cascade=replace(recipe.cascade, augmentation=_STRONG, **changes))


def _shorter(recipe: TwoStageRecipe) -> TwoStageRecipe:
    """Epochs of more faces: one each for detection and regression, three for both, two for depth."""
    cascade, one = recipe.cascade, replace(recipe.training, epochs=1)
    joint = replace(one, epochs=3)
    cascade = replace(cascade, detection=one, regression=one, joint=joint)
    return replace(recipe, cascade=cascade, training=replace(one, epochs=2))


TWO_STAGE = {
    "smoke": _two_stage(two_stage.PROFILES["smoke"], trunk=THIN),
    "quick": _two_stage(two_stage.PROFILES["quick"]),
    "cpu": _shorter(_two_stage(two_stage.PROFILES["cpu"], trunk=THIN, faces=8000, test_faces=1000)),
    "gpu": _two_stage(two_stage.PROFILES["gpu"]),
}
