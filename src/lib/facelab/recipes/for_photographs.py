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
from facelab.recipes.part_cascade import CascadeRecipe
from facelab.recipes.two_stage import TwoStageRecipe
from facelab.training import Optimizer, Training, WarmupCosine

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


ANISOTROPIC = _profiles(direct.PROFILES, _STRONG, epochs=24)
TDDFA = _profiles(tddfa.PROFILES, _UNMIRRORED, epochs=24)
CLN = _profiles(cln.PROFILES, _UNMIRRORED, epochs=24)


def _two_stage(recipe: TwoStageRecipe) -> TwoStageRecipe:
    return replace(recipe, cascade=replace(recipe.cascade, augmentation=_STRONG))


def _adamw(epochs: int) -> Training:
    return Training(epochs, 8, Optimizer("adamw", 5e-3, weight_decay=0.01), WarmupCosine(0.2))


_SMALL = CascadeRecipe(
    size=64, trunk="resnet-thin", width=64, hourglass=3, blocks=1, head=64,
    faces=8000, test_faces=1000, picture=80, disc=0.06, sigma=2 / 64,
    detection=_adamw(2), regression=_adamw(2), joint=_adamw(4), augmentation=_STRONG,
)  # fmt: skip
TWO_STAGE = {
    "smoke": _two_stage(two_stage.PROFILES["smoke"]),
    "quick": _two_stage(two_stage.PROFILES["quick"]),
    # A trunk of 1.3 million parameters in place of ResNet-18 with its 11.
    "cpu": TwoStageRecipe(_SMALL, blocks=(1, 2, 2, 1), width=16, training=_adamw(4)),
    "gpu": _two_stage(two_stage.PROFILES["gpu"]),
}
