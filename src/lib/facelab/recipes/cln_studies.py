"""The studies of CLN: which networks they train, and what is measured of each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from facelab.data import SelfShuffle, SyntheticFaces
from facelab.metrics import by_pose, nme, nme_3d, nme_aflw, to_21
from facelab.recipes.anisotropic_studies import distribution
from facelab.recipes.bars import DIRECTIONS, PLACES, Bar, errors_by_place
from facelab.recipes.cln import PROFILES as RECIPES
from facelab.recipes.cln import ClnRecipe
from facelab.recipes.rendered import TEST_SEED, over
from facelab.recipes.settings import nearest
from facelab.recipes.study_runs import TUNING_SEED, Measured, Studies, Summary, Variant, at_rate, by_yaw, rated

# Table 4, in its order: the attention, and the thumbnail of shuffled pictures, None where they are not shuffled.
ROWS: Mapping[str, tuple[str, str | None]] = {
    "none": ("none", None),
    "attention": ("transformer", None),
    "shuffling": ("none", "none"),
    "shuffling, attention": ("transformer", "none"),
    "shuffling, thumbnail": ("none", "own"),
    "CLN": ("transformer", "own"),
}
# Without shuffling, CLN's second stream sees what the first one sees: that row is also two global streams.
TWO_GLOBALS = "attention"
ALONE = ("global alone", "local alone")  # each stream by itself
RATES = (1e-3, 2e-3, 5e-3)  # learning rates that each kind of network is tried with
TUNED: Mapping[str, float] = {"none": 2e-3, "CLN": 2e-3, "global alone": 2e-3, "one network": 2e-3}
# Trunks of one stream that costs about as much as two of the other.
WIDER: Mapping[str, str] = {"short x0.25": "short x0.35", "a0": "a1"}
BAR_SHARE = 0.25  # of the box of the face
_TOGETHER = 64  # faces that are read at once


def variants(profile: str) -> dict[str, Variant]:
    """Every network that the studies train at a profile, by name.

    ``"CLN"`` is the method. All others change of it what their names say, with the learning rate of their kind: two
    streams that see the same pictures have that of ``"none"``, single streams that of ``"global alone"``, ``"one
    network"`` its own, all others that of the method.

    Raises:
        ValueError: for an unknown profile.
    """
    base = nearest("profile", profile, _BASES)
    found = {name: Variant(recipe, whole, _TOLD[name]) for name, recipe in _recipes(base).items()}
    if profile == "cpu":  # at gpu the paper's own rate is not tuned
        shorter = _recipes(_of_length(base, base.training.epochs // 2))
        found |= {
            rated(name, rate): Variant(
                at_rate(shorter[name], rate), validated, f"{name} at {rate:g}", seeds=(TUNING_SEED,)
            )
            for name in TUNED
            for rate in RATES
        }
    return found


def twice(name: str) -> str:
    """The name of the variant that is trained twice as long."""
    return f"{name}, twice as long"


def _recipes(base: ClnRecipe) -> dict[str, ClnRecipe]:
    rows = {
        name: _kind(base, "CLN" if thumbnail else "none", attention=attention, shuffle=_shuffling(thumbnail))
        for name, (attention, thumbnail) in ROWS.items()
    }
    alone: dict[str, Any] = {
        "global alone": {"streams": "global", "shuffle": None},
        "local alone": {"streams": "local"},
    }
    single = {name: _kind(base, "global alone", **changes) for name, changes in alone.items()}
    longer = {twice(name): _of_length(recipe, 2 * base.training.epochs) for name, recipe in single.items()}
    only_wpdc: dict[str, Any] = {"attention": "none", "wpdc_weight": 1.0, "wing_weight": 0.0}
    return {
        **rows,
        **single,
        "convolution": replace(rows["none"], attention="convolution"),
        "thumbnail of another face": replace(rows["shuffling"], shuffle=_shuffling("other")),
        **longer,
        "wider global alone": replace(single["global alone"], trunk=WIDER[base.trunk]),
        "one network": _kind(base, "one network", **alone["global alone"], **only_wpdc),
    }


_TOLD: Mapping[str, str] = {
    "none": "two streams, no module",
    "attention": "two streams that see the same, with attention",
    "shuffling": "the local stream sees shuffled tiles",
    "shuffling, attention": "shuffled tiles, and attention",
    "shuffling, thumbnail": "shuffled tiles, one of them a thumbnail",
    "CLN": "all modules",
    "global alone": "one stream, pictures as they are",
    "local alone": "one stream, shuffled pictures",
    "convolution": "a convolution of as many parameters in place of attention",
    "thumbnail of another face": "shuffled tiles, one of them another face's thumbnail",
    twice("global alone"): "one stream, in as much computing as two",
    twice("local alone"): "one stream on shuffled pictures, in as much computing as two",
    "wider global alone": "one stream that costs about as much as two",
    "one network": "RepVGG by fWPDC alone",
}


def _shuffling(thumbnail: str | None) -> SelfShuffle | None:
    return None if thumbnail is None else SelfShuffle(thumbnail=thumbnail)


def _kind(base: ClnRecipe, tuned: str, **changes: Any) -> ClnRecipe:
    return at_rate(replace(base, **changes), TUNED[tuned])


def _of_length(recipe: ClnRecipe, epochs: int) -> ClnRecipe:
    """Of so many epochs, the error measured at the end."""
    return replace(recipe, training=replace(recipe.training, epochs=epochs, evaluate_every=epochs))


# ------------------------------------------------------------------------------------------------ what is measured


def whole(recipe: ClnRecipe, model: nn.Module) -> Measured:
    """Errors on the test faces, their distribution, and errors under a bar by its place."""
    faces = recipe.test_set()
    points, _ = recipe.evaluate(model, faces)
    under = under_bar(recipe, model, faces)
    plain = errors(points, faces) | {"nme under bar": sum(under.values()) / len(under)}
    return {"plain": plain, "ced": distribution(_over_box(points, faces)), "bar": under}


def validated(recipe: ClnRecipe, model: nn.Module) -> Measured:
    """Errors on faces that are neither for training nor for tests."""
    faces = recipe.test_set(seed=TEST_SEED + 1)
    return {"plain": errors(recipe.evaluate(model, faces)[0], faces)}


def errors(points: Tensor, faces: SyntheticFaces) -> Summary:
    """Errors of landmarks ``(N, 68, 3)``, each of all faces, by yaw, and as the mean of its bins.

    ``"nme"`` is that of the 68 in 2D and ``"nme 21"`` that of AFLW's 21, those that are seen, both over the box of the
    68. ``"nme 3d axes"`` is in 3D with each axis stretched to the true extent, as CLN's table of 3D errors most
    probably has it; ``"nme 3d similarity"`` with the best scale, rotation and translation.
    """
    target, yaw = faces.landmarks, faces.poses[:, 1].rad2deg()
    visible = over(faces, lambda batch: batch.visible, _TOGETHER)
    of_21 = nme_aflw(points[..., :2], to_21(target)[..., :2], target[..., :2], seen_of_21(visible))
    found = {
        "nme": _over_box(points, faces),
        "nme 21": of_21,
        "nme 3d axes": nme_3d(points, target, "axes"),
        "nme 3d similarity": nme_3d(points, target, "similarity"),
    }
    summary: Summary = {}
    for name, each in found.items():
        summary |= by_yaw(name, each, yaw) | {f"{name} mean of bins": by_pose(each, yaw)["mean_of_bins"]}
    return summary


def seen_of_21(visible: Tensor) -> Tensor:
    """Which of AFLW's 21 points are seen ``(N, 21)``, of which of the 68 are: means of several, if half of them are."""
    return to_21(visible[..., None].double())[..., 0] >= 0.5


def under_bar(recipe: ClnRecipe, model: nn.Module, faces: SyntheticFaces) -> Summary:
    """The NME over the box with a grey bar at each place, as ``"horizontal 0.25"``."""
    found: Summary = {}
    for direction in DIRECTIONS:
        rows = errors_by_place(recipe, model, faces, Bar(BAR_SHARE, direction))
        found |= {f"{direction} {place:g}": float(row.mean()) for place, row in zip(PLACES, rows, strict=True)}
    return found


def _over_box(points: Tensor, faces: SyntheticFaces) -> Tensor:
    return nme(points[..., :2], faces.landmarks[..., :2], "bbox")


# -------------------------------------------------------------------------------------------------- at each profile


def _study(recipe: ClnRecipe, epochs: int, **changes: Any) -> ClnRecipe:
    """A network small enough to be trained often."""
    return _of_length(replace(recipe, **changes), epochs)


_BASES: Mapping[str, ClnRecipe] = {
    "smoke": _study(RECIPES["smoke"], epochs=2, faces=32),
    "quick": _study(RECIPES["quick"], epochs=4, faces=800),
    "cpu": _study(RECIPES["cpu"], epochs=RECIPES["cpu"].training.epochs),
    "gpu": RECIPES["gpu"],
}

STUDIES = Studies("cln", "CLN", variants)
