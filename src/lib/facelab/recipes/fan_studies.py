"""FAN's studies: which networks they train, and what is measured of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from facelab.data import (
    DECODERS,
    FaceSample,
    SyntheticFaces,
    inexact_boxes,
    shaken_landmarks,
)
from facelab.metrics import auc, nme
from facelab.models import FAN
from facelab.models.counting import parameters
from facelab.recipes.fan import PROFILES as FAN_PROFILES
from facelab.recipes.fan import FanRecipe, points_of
from facelab.recipes.fan_depth import PROFILES as DEPTH_PROFILES
from facelab.recipes.fan_depth import FanDepthRecipe
from facelab.recipes.fan_lift import FanLiftRecipe
from facelab.recipes.rendered import MILD, landmarks_over, over
from facelab.recipes.settings import nearest
from facelab.recipes.study_runs import Measured, Studies, Summary, Variant, by_yaw
from facelab.training import Optimizer, Training, WarmupCosine

THRESHOLD = 0.07  # of the AUC: FAN's
DECODER = "log-quadratic"  # the best of those on the heatmaps of small networks
NOISES = (0.1, 0.2, 0.3)  # of the box, a share of its side
LOST = 1.0  # the control: boxes that often miss the face
# Side of the box in pixels of the paper's crop of 256, where a whole box has 125.
SIDES = (20, 30, 40, 50, 60, 80, 100)
LOST_SIDE = 6
_WHOLE = 125
LABEL_NOISES = (0.02, 0.05)


def variants(profile: str) -> dict[str, Variant]:
    """Every network that the studies train at a profile, by name.

    ``"1 stack"`` ... ``"4 stacks"`` are those of the study of size. The other studies change one thing of the smallest
    of them, where the gpu profile changes the largest. ``"FAN's crop"`` is the network whose box, pose and resolution
    are disturbed: it sees as much around the face as the paper's.

    Raises:
        ValueError: for an unknown profile.
    """
    base, wide = nearest("profile", profile, _BASES), _WIDE[profile]
    lifted, depth = FanLiftRecipe(base), _depth(DEPTH_PROFILES[profile], base)
    found = {
        stacked(n): Variant(replace(base, stacks=n), by_stack, f"{stacked(n)} of {base.width} channels")
        for n in (4, 1, 2, 3)
    }
    equal = replace(base, width=width_of_equals(base))
    unguided = replace(depth, sees="picture")
    found |= {
        "FAN's crop": Variant(wide, robustness, "twice the box, augmented with inexact boxes"),
        "bottleneck": Variant(replace(base, block="bottleneck"), whole, f"bottlenecks of {base.width} channels"),
        "hierarchical": Variant(equal, whole, f"hierarchical blocks of {equal.width} channels"),
        "2D to 3D": Variant(lifted, lifting, "sees the 2D landmarks too"),
        "depth, guided": Variant(depth, depths, "picture and landmarks to depths"),
        "depth, unguided": Variant(unguided, depths, "picture to depths"),
        "frontal": Variant(replace(wide, yaw=(-30.0, 30.0)), whole, "as FAN's crop, trained on yaw of at most 30°"),
        "last stack only": Variant(
            replace(base, stacks=2, supervision="last"), by_stack, "2 stacks, no loss on the first"
        ),
        "2D to 3D, another's": Variant(replace(lifted, guide="another"), lifting, "sees another face's 2D landmarks"),
        "2D-FAN": Variant(replace(base, jaw="2d"), whole, "labels with the 2D rule of the jaw"),
    }
    for sigma in SIGMAS[profile]:
        if sigma != base.sigma:
            found[f"sigma {sigma}"] = Variant(replace(base, sigma=sigma), by_stack, "width of the target heatmaps")
    for noise in LABEL_NOISES:
        found[f"label noise {noise}"] = Variant(
            replace(base, label_noise=noise), whole, f"training labels off by {noise:.0%} of the box"
        )
    return found


def stacked(stacks: int) -> str:
    """The name of the variant with so many stacks."""
    return f"{stacks} stack{'s' if stacks > 1 else ''}"


def _depth(recipe: FanDepthRecipe, base: FanRecipe) -> FanDepthRecipe:
    """The depth network on the faces of the other studies."""
    return replace(
        recipe, size=base.size, picture=base.picture, faces=base.faces, test_faces=base.test_faces, crop=base.crop,
        margin=base.margin, training=base.training, augmentation=base.augmentation,
    )  # fmt: skip


def width_of_equals(recipe: FanRecipe) -> int:
    """The width at which hierarchical blocks need as many parameters as bottlenecks of the recipe's width, nearly."""

    def count(block: str, width: int) -> int:
        with torch.device("meta"):
            return parameters(FAN(recipe.stacks, block=block, width=width, depth=recipe.depth))

    wanted = count("bottleneck", recipe.width)
    return min(range(16, recipe.width + 1, 16), key=lambda width: abs(count("hpm", width) - wanted))


# ------------------------------------------------------------------------------------------------ what is measured


def summary(errors: Tensor, yaw_degrees: Tensor) -> Summary:
    """Mean error and AUC at 7 %, of all faces and by absolute yaw: ``{"nme": ..., "nme 0-30": ..., "auc": ...}``."""
    areas = by_yaw("auc", errors, yaw_degrees, lambda each: auc(each, THRESHOLD))
    return by_yaw("nme", errors, yaw_degrees) | areas


def whole(recipe: FanRecipe, model: nn.Module) -> Measured:
    """The last stack's landmarks, from the picture and averaged with those of its mirror image."""
    faces = recipe.test_set()
    return {
        "plain": summary(recipe.evaluate(model, faces, decoder=DECODER)[1], _yaw(faces)),
        "mirrored": summary(recipe.evaluate(model, faces, decoder=DECODER, mirror=True)[1], _yaw(faces)),
    }


def by_stack(recipe: FanRecipe, model: nn.Module) -> Measured:
    """As :func:`whole`, and the landmarks of every stack by every decoder."""
    faces = recipe.test_set()
    measured = whole(recipe, model)
    for decoder, errors in zip(DECODERS, _errors_by_stack(recipe, model, faces, DECODERS), strict=True):
        for stack, values in enumerate(errors, 1):
            measured[f"stack {stack}, {decoder}"] = summary(values, _yaw(faces))
    return measured


def robustness(recipe: FanRecipe, model: nn.Module) -> Measured:
    """With inexact boxes, with pictures of few pixels, and with noise in the labels that it is tested against."""
    faces = recipe.test_set()
    measured = whole(recipe, model)
    disturbed = {f"shift {LOST}": (LOST, 0.0)}
    for noise in NOISES:
        disturbed |= {f"shift {noise}": (noise, 0.0), f"scale {noise}": (0.0, noise), f"both {noise}": (noise, noise)}
    for name, (shift, scale) in disturbed.items():
        measured[name] = summary(_with_boxes(recipe, model, faces, shift, scale), _yaw(faces))
    for side in (*SIDES, LOST_SIDE):
        errors = _errors_by_stack(recipe, model, faces, (DECODER,), reduction=_WHOLE / side)[0, -1]
        measured[f"side {side}"] = summary(errors, _yaw(faces))
    points, _ = recipe.evaluate(model, faces, decoder=DECODER)
    for noise, labels in _shaken(faces, faces.landmarks):
        measured[f"tested with label noise {noise}"] = summary(nme(points, labels[..., :2], "bbox"), _yaw(faces))
    return measured


def lifting(recipe: FanLiftRecipe, model: nn.Module) -> Measured:
    """2D-to-3D-FAN with true 2D landmarks, and with 2D landmarks that are off by as much as a network's."""
    faces = recipe.test_set()
    measured = {"plain": summary(recipe.evaluate(model, faces, decoder=DECODER)[1], _yaw(faces))}
    known = replace(recipe.fan, jaw="2d").test_set().landmarks[..., :2]
    for noise, shaken in _shaken(faces, known):
        errors = recipe.evaluate(model, faces, shaken, decoder=DECODER)[1]
        measured[f"2D landmarks off by {noise}"] = summary(errors, _yaw(faces))
    return measured


def depths(recipe: FanDepthRecipe, model: nn.Module) -> Measured:
    """Depths given true landmarks, and given landmarks that are off by as much as a network's."""
    faces = recipe.test_set()
    measured = {"plain": by_yaw("gte", recipe.evaluate(model, faces)[1], _yaw(faces))}
    for noise, shaken in _shaken(faces, faces.landmarks):
        errors = recipe.evaluate(model, faces, shaken[..., :2])[1]
        measured[f"landmarks off by {noise}"] = by_yaw("gte", errors, _yaw(faces))
    return measured


def _yaw(faces: SyntheticFaces) -> Tensor:
    return faces.poses[:, 1].rad2deg()


def _shaken(faces: SyntheticFaces, landmarks: Tensor) -> Iterator[tuple[float, Tensor]]:
    """Each of the noises, and landmarks ``(N, L, 2 or 3)`` of the faces that are off by it; the same every time."""
    box = torch.stack([faces[index].box for index in range(len(faces))])
    for noise in LABEL_NOISES:
        yield noise, shaken_landmarks(landmarks, box, noise, torch.Generator().manual_seed(0))


def _errors_by_stack(
    recipe: FanRecipe, model: nn.Module, faces: SyntheticFaces, decoders: Sequence[str], reduction: float = 1.0
) -> Tensor:
    """``(decoders, stacks, N)`` NME over the box."""

    def errors(batch: FaceSample) -> Tensor:
        maps, crop = recipe.heatmaps_by_stack(model, batch, reduction)
        target = batch.landmarks[..., :2]
        read = [[nme(points_of(stack, crop, each), target, "bbox") for stack in maps] for each in decoders]
        return torch.stack([torch.stack(stacks, 1) for stacks in read], 1)

    model.eval()
    return over(faces, errors, recipe.training.batch).permute(1, 2, 0)


def _with_boxes(recipe: FanRecipe, model: nn.Module, faces: SyntheticFaces, shift: float, scale: float) -> Tensor:
    """Errors when the crop follows an inexact box; the same boxes for every network."""
    generator = torch.Generator().manual_seed(0)

    def find(batch: FaceSample) -> Tensor:
        return recipe.landmarks(model, replace(batch, box=inexact_boxes(batch.box, generator, shift, scale)), DECODER)

    model.eval()
    return landmarks_over(faces, find, recipe.training.batch)[1]


# -------------------------------------------------------------------------------------------------- at each profile


def _study(recipe: FanRecipe, epochs: int, **changes: Any) -> FanRecipe:
    """A network small enough to be trained many times; tested once, at the end."""
    training = Training(
        epochs, 8, Optimizer("adamw", 5e-3, weight_decay=0.01), WarmupCosine(0.2), evaluate_every=epochs
    )
    return replace(recipe, training=training, augmentation=MILD, **changes)


def _wider(recipe: FanRecipe, epochs: int, **changes: Any) -> FanRecipe:
    """The crop of the authors' code, whose networks were trained with inexact boxes."""
    training = replace(recipe.training, epochs=epochs, evaluate_every=epochs)
    change = replace(recipe.augmentation, scale=(0.8, 1.2), shift=0.1)
    return replace(recipe, crop="fan", margin=(2.05, 2.35), training=training, augmentation=change, **changes)


_SMOKE = _study(FAN_PROFILES["smoke"], epochs=1, faces=32, test_faces=24, stacks=1)
_CPU = _study(FAN_PROFILES["quick"], epochs=4, faces=3200, test_faces=600)
_QUICK = replace(_CPU, faces=1600, test_faces=300)
# With a larger crop the face has as many pixels as in the other studies only in a larger picture.
_LARGER = {"size": 96, "picture": 108, "sigma": 2.0}
_BASES: Mapping[str, FanRecipe] = {"smoke": _SMOKE, "quick": _QUICK, "cpu": _CPU, "gpu": FAN_PROFILES["gpu"]}
_WIDE: Mapping[str, FanRecipe] = {
    "smoke": _wider(_SMOKE, epochs=1),
    "quick": _wider(_QUICK, epochs=6, **_LARGER),
    "cpu": _wider(_CPU, epochs=6, **_LARGER),
    "gpu": FAN_PROFILES["gpu"],
}
SIGMAS: Mapping[str, tuple[float, ...]] = {
    "smoke": (1.0, 2.0),
    "quick": (1.0, 1.5, 2.5),
    "cpu": (1.0, 1.5, 2.5),
    "gpu": (1.0, 1.75, 3.25),
}

STUDIES = Studies("fan", "FAN", variants)
