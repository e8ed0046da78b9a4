"""The studies of the anisotropic loss: which networks they train, and what is measured of each."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from facelab.data import Augmentation, SyntheticFaces
from facelab.losses import across_and_along
from facelab.markups import markup
from facelab.metrics import auc, failure_rate, nme, normalizer_lengths
from facelab.recipes.direct import PROFILES as RECIPES
from facelab.recipes.direct import DirectRecipe
from facelab.recipes.rendered import TEST_SEED
from facelab.recipes.settings import nearest
from facelab.recipes.study_runs import TUNING_SEED, Measured, Studies, Summary, Variant, by_yaw, rated
from facelab.training import Optimizer, Training, WarmupCosine

A, B = 5.0, 3.0  # the paper's; a as far as its print can be read
ALONG, ACROSS = (3.0, 5.0, 8.0), (1.0, 2.0, 3.0)  # of the sweep
SMEARS = (0.06, 0.12)  # deviation of labels along their contours, a share of the box
RATES = (5e-4, 1e-3, 2e-3)  # learning rates that each loss is tried with
LARGER_RATES = (*RATES[1:], 4e-3)  # of the trunks, whose layers are all normalised
TUNED: Mapping[str, float] = {
    "l2": 1e-3,
    "l1": 1e-3,
    "smooth l1": 1e-3,
    "wing": 1e-3,
    "anisotropic": 1e-3,
    "heatmaps, l2": 2e-3,
    "heatmaps, adaptive wing": 2e-3,
}
THRESHOLDS = (0.08, 0.10)
NORMALIZERS = ("bbox", "interocular", "interpupil")
GROUP, GROUPS = 5, 3  # networks whose spread is compared, and how many such groups there are
# Trunks of about as many operations, and a thin one as a control: their own learning rates.
TRUNKS: Mapping[str, float] = {"ResNet": 2e-3, "DenseNet": 2e-3, "Wide ResNet": 2e-3, "thin ResNet": 4e-3}
_SMALL = {
    "ResNet": "resnet-small",
    "DenseNet": "densenet-small",
    "Wide ResNet": "wide-resnet-small",
    "thin ResNet": "resnet-thin",
}
_LARGE = {**_SMALL, "ResNet": "resnet50", "DenseNet": "densenet121", "Wide ResNet": "wide_resnet50_2"}
_FRONTAL_SHARE = 0.9  # of the faces of the studies of balance: as one-sided as 300-W
_EYES_SEEN = 30.0  # degrees of yaw up to which an error is measured in distances between the eyes


def variants(profile: str) -> dict[str, Variant]:
    """Every network that the studies train at a profile, by name.

    ``"anisotropic"`` is the method on faces of all poses, without balance. All others change one thing of it, but for
    the losses, which have a learning rate each, and those with ``"frontal"`` in their names, which learn from faces
    nearly all of which are frontal.

    Raises:
        ValueError: for an unknown profile.
    """
    base = nearest("profile", profile, _BASES)
    found = {name: Variant(_watched(tried(base, name)), whole, _told(name)) for name in TUNED}
    found |= _weights(base) | _smeared(base) | _balance(base, profile)
    tuned = tried(base, "anisotropic")
    found |= {
        "points outright": Variant(replace(tuned, output="points"), whole, "answers places, not displacements"),
        "without augmentation": Variant(replace(tuned, augmentation=Augmentation()), whole, "clean training pictures"),
    }
    found |= {trunk: Variant(tried(base, trunk), whole, _told(trunk)) for trunk in TRUNKS}
    found |= {
        setting(a, b): Variant(replace(tuned, a=a, b=b), whole, f"a = {a:g}, b = {b:g}")
        for a, b in product(ALONG, ACROSS)
        if (a, b) != (A, B)
    }
    return found | {
        rated(name, rate): Variant(tried(base, name, rate), validated, _told(name), seeds=(TUNING_SEED,))
        for name in (*TUNED, *TRUNKS)
        for rate in rates(name)
    }


def tried(base: DirectRecipe, name: str, rate: float | None = None) -> DirectRecipe:
    """The recipe of a loss, or of a trunk with the anisotropic loss, at its own learning rate or another."""
    if name in TRUNKS:
        trunk = (_LARGE if base.trunk in _LARGE.values() else _SMALL)[name]
        return _at(replace(base, trunk=trunk), TRUNKS[name] if rate is None else rate)
    output, _, loss = name.rpartition(", ")
    changes: dict[str, Any] = {"output": output} if output else {}
    return _at(replace(base, criterion=loss, **changes), TUNED[name] if rate is None else rate)


def _at(recipe: DirectRecipe, rate: float) -> DirectRecipe:
    optimizer = replace(recipe.training.optimizer, learning_rate=rate)
    return replace(recipe, training=replace(recipe.training, optimizer=optimizer))


def _watched(recipe: DirectRecipe) -> DirectRecipe:
    """With the error after every epoch in its history."""
    return replace(recipe, training=replace(recipe.training, evaluate_every=1))


def rates(name: str) -> tuple[float, ...]:
    """The learning rates that a loss or a trunk is tried with."""
    if name in TRUNKS:
        return LARGER_RATES
    return (*RATES, LARGER_RATES[-1]) if "heatmaps" in name else RATES


def setting(a: float, b: float) -> str:
    """The name of a variant of the sweep."""
    return "anisotropic" if (a, b) == (A, B) else f"a {a:g}, b {b:g}"


def smeared(name: str, smear: float) -> str:
    """The name of the variant that learns from labels that slid along their contours."""
    return f"{name}, smeared {smear:g}"


def even(a: float = A, b: float = B) -> float:
    """The a = b whose weight is the mean of the two weights of an ellipse: only the direction is lost."""
    return math.sqrt(2 / (a**-2 + b**-2))


def _told(name: str) -> str:
    if name in TRUNKS:
        return f"the anisotropic loss and {name}"
    return f"{name.split(', ')[-1]} on {'heatmaps' if 'heatmaps' in name else 'coordinates'}"


def _weights(base: DirectRecipe) -> dict[str, Variant]:
    """Is it the direction, or the smaller weight of points on curves?"""
    tuned = tried(base, "anisotropic")
    same: dict[str, Any] = {"a": even(), "b": even()}
    return {
        "isotropic": Variant(replace(tuned, **same), whole, f"a = b = {even():.3g}, corners weigh 1"),
        "turned": Variant(replace(tuned, a=B, b=A), whole, "ellipses turned by a right angle"),
        "equal corners": Variant(replace(tuned, corners=even() ** -2), whole, "corners weigh no more than curves"),
        "corners only": Variant(replace(tuned, curves=0.0), whole, "points on curves cost nothing"),
    }


def _smeared(base: DirectRecipe) -> dict[str, Variant]:
    tuned = tried(base, "anisotropic")
    ways = {"anisotropic": tuned, "isotropic": replace(tuned, a=even(), b=even())}
    return {
        smeared(name, smear): Variant(replace(recipe, smear=smear), whole, f"labels off by {smear:.0%} along contours")
        for (name, recipe), smear in product(ways.items(), SMEARS)
    }


def _balance(base: DirectRecipe, profile: str) -> dict[str, Variant]:
    """Frontal faces nearly all, and what is done about it; two of them often enough to compare their spread."""
    skewed = replace(tried(base, "anisotropic"), frontal=_FRONTAL_SHARE)
    ways = {
        "replicated": "rare poses replicated",
        "undersampled": "frequent poses undersampled",
        "replicated at random": "as many replicated, of any pose",
        "undersampled at random": "as few drawn, of any pose",
    }
    found = {"frontal": Variant(skewed, whole, f"{_FRONTAL_SHARE:.0%} of the faces are frontal")} | {
        f"frontal, {way}": Variant(replace(skewed, balance=way), whole, what) for way, what in ways.items()
    }
    if profile in ("cpu", "gpu"):
        many = tuple(range(GROUP * GROUPS))
        found |= {name: replace(found[name], seeds=many) for name in ("frontal", "frontal, replicated")}
    return found


# ------------------------------------------------------------------------------------------------ what is measured


def whole(recipe: DirectRecipe, model: nn.Module) -> Measured:
    """Errors on the test faces by all measures, and at every landmark across and along its contour."""
    return _measured(recipe, model, recipe.test_set())


def validated(recipe: DirectRecipe, model: nn.Module) -> Measured:
    """Errors on faces that are neither for training nor for tests."""
    return {"plain": _measured(recipe, model, recipe.test_set(seed=TEST_SEED + 1))["plain"]}


def _measured(recipe: DirectRecipe, model: nn.Module, faces: SyntheticFaces) -> Measured:
    predicted, errors = recipe.evaluate(model, faces)
    target = faces.landmarks[..., :2]
    split = by_contour(predicted, target)
    return {
        "plain": summary(predicted, target, faces.poses[:, 1].rad2deg()) | kinds(split),
        "ced": distribution(errors),
        **{name: _by_number(values) for name, values in split.items()},
    }


def summary(predicted: Tensor, target: Tensor, yaw_degrees: Tensor) -> Summary:
    """Errors of landmarks ``(N, L, 2)``: NME over the box, of all faces and by absolute yaw; and NME, failure rates
    and AUC at 8 and 10 % with each normaliser, as ``"fr8 interocular"``.

    Those over the eyes are of faces with a yaw of at most 30 degrees: in profile the eyes are one.
    """
    found = by_yaw("nme", nme(predicted, target, "bbox"), yaw_degrees)
    frontal = yaw_degrees.abs() <= _EYES_SEEN
    for name in NORMALIZERS:
        seen = torch.ones_like(frontal) if name == "bbox" else frontal
        each = nme(predicted[seen], target[seen], name)
        found[f"nme {name}"] = float(each.mean())
        for threshold in THRESHOLDS:
            found[f"fr{round(100 * threshold)} {name}"] = failure_rate(each, threshold)
            found[f"auc{round(100 * threshold)} {name}"] = auc(each, threshold)
    return found


def by_contour(predicted: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Mean errors ``(L,)`` of each landmark, fractions of the box: ``"across"`` and ``"along"`` its contour, absolute,
    NaN where it has none; and ``"distance"``."""
    lengths = normalizer_lengths(target, "bbox")[:, None]
    error = (predicted - target).double()
    across, along = across_and_along(error, target.double(), "68")
    split = {"across": across.abs(), "along": along.abs(), "distance": error.norm(dim=2)}
    return {name: (values / lengths).nanmean(0) for name, values in split.items()}


def kinds(split: Mapping[str, Tensor]) -> Summary:
    """Means over the corners, over the points on curves, and of the latter across and along."""
    corners = torch.zeros(len(split["distance"]), dtype=torch.bool)
    corners[list(markup("68").corners)] = True
    distance = split["distance"]
    return {
        "corners": float(distance[corners].mean()),
        "curves": float(distance[~corners].mean()),
        "across": float(split["across"].nanmean()),
        "along": float(split["along"].nanmean()),
    }


def distribution(errors: Tensor, threshold: float = 0.2, steps: int = 40) -> Summary:
    """The CED at equal steps: error as text to the share of faces at most that far off."""
    places = torch.linspace(0, threshold, steps + 1)
    return {f"{float(place):.3f}": float((errors <= place).double().mean()) for place in places}


def _by_number(values: Tensor) -> Summary:
    """A number a landmark, without those that have none."""
    return {str(number): float(value) for number, value in enumerate(values) if not math.isnan(value)}


# -------------------------------------------------------------------------------------------------- at each profile


def _study(recipe: DirectRecipe, epochs: int, **changes: Any) -> DirectRecipe:
    """A network small enough to be trained hundreds of times."""
    training = Training(
        epochs, 16, Optimizer("adamw", 1e-3, weight_decay=0.01), WarmupCosine(0.2), precision="bf16",
        evaluate_every=epochs,
    )  # fmt: skip
    return replace(recipe, training=training, **changes)


_CPU = _study(RECIPES["quick"], epochs=5, faces=1600, test_faces=400)
_BASES: Mapping[str, DirectRecipe] = {
    "smoke": _study(RECIPES["smoke"], epochs=1, faces=96, test_faces=48),
    "quick": replace(_CPU, faces=1200, test_faces=200),
    "cpu": _CPU,
    "gpu": RECIPES["gpu"],
}

STUDIES = Studies("anisotropic", "the anisotropic loss", variants)
