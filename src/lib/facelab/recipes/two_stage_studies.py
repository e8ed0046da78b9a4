"""The studies of the two-stage method: which networks they train, and what is measured of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from facelab.data import FaceSample, SceneRanges, SyntheticFaces
from facelab.markups import convert
from facelab.metrics import auc, cvgtce, gte, nme
from facelab.models import PartCascade, TwoStage
from facelab.recipes.fan_depth import centred
from facelab.recipes.part_cascade import MARKUP, CascadeRecipe, read_maps, truth
from facelab.recipes.rendered import over
from facelab.recipes.settings import nearest
from facelab.recipes.study_runs import Measured, Studies, Summary, Variant, by_yaw
from facelab.recipes.two_stage import AXES, TwoStageRecipe
from facelab.recipes.two_stage import PROFILES as RECIPES
from facelab.training import Fitted

THRESHOLD = 0.1  # of the AUC of a CED over the GTE
FRONTAL = 30.0  # degrees of yaw that the control of the poses is trained on
VIEWS_SEED = 20_000  # neither training nor test faces have it
VIEWS = (-60.0, -30.0, 0.0, 30.0, 60.0)  # yaw in degrees of the views of a subject
_SUBJECTS: Mapping[str, int] = {"smoke": 8, "quick": 60, "cpu": 100, "gpu": 500}


def variants(profile: str) -> dict[str, Variant]:
    """Every network that the studies train at a profile, by name.

    ``"two stages"`` is the method. Of the depth network each other variant changes one thing, given the same cascade.
    Detection and regression alone, and the joint training from the start, see as many pictures as the three trainings
    of the method together.

    Raises:
        ValueError: for an unknown profile.
    """
    method = nearest("profile", profile, RECIPES)
    if profile == "cpu":
        method = replace(method, cascade=_in_16_bits(method.cascade))
    cascade = method.cascade

    def depth(what: str, **changes: Any) -> Variant:
        recipe = replace(method, **changes)
        return Variant(recipe, depths, what, lambda seed, device: _cascade(recipe.cascade, seed, str(device)))

    def alone(training: str) -> CascadeRecipe:
        plans: dict[str, Any] = dict.fromkeys(cascade.trainings)
        epochs = sum(plan.epochs for plan in cascade.trainings.values())
        plans[training] = replace(cascade.trainings[training], epochs=epochs)
        return replace(cascade, **plans)

    measured = partial(whole, subjects=_SUBJECTS[profile])
    frontal = replace(method, cascade=replace(cascade, yaw=(-FRONTAL, FRONTAL)))
    return {
        "two stages": replace(depth("detection, regression, depth"), measure=measured),
        "depth from the picture": depth("the depth network sees no heatmaps", sees="picture"),
        "depth from heatmaps": depth("the depth network sees no picture", sees="maps"),
        "another's heatmaps": depth("the depth network sees another face's heatmaps", sees="another"),
        "true heatmaps": depth("the depth network learns from the labels' heatmaps", maps="true"),
        "predicted heatmaps": depth("the depth network learns from the cascade's heatmaps", maps="predicted"),
        "joint from the start": Variant(alone("joint"), parts, "both parts learn together from the start"),
        "detection only": Variant(alone("detection"), one_part, "no regression"),
        "regression only": Variant(alone("regression"), one_part, "no detection"),
        "frontal": Variant(frontal, errors, f"trained on yaw of at most {FRONTAL:.0f}°"),
    }


def _in_16_bits(cascade: CascadeRecipe) -> CascadeRecipe:
    """A third less time on processors that multiply bfloat16."""
    plans: dict[str, Any] = {name: replace(plan, precision="bf16") for name, plan in cascade.trainings.items()}
    return replace(cascade, **plans)


@lru_cache(maxsize=1)
def _cascade(recipe: CascadeRecipe, seed: int, device: str) -> Fitted:
    """The cascade that several depth networks share, trained once a process."""
    return recipe.train(seed, device)


# ------------------------------------------------------------------------------------------------ what is measured


def summary(values: Mapping[str, Tensor], yaw_degrees: Tensor) -> Summary:
    """Means of errors ``(n,)`` by their names, of all faces and by absolute yaw: ``{"gte_x": ..., "gte_x 0-30": ...}``.

    Of ``gte_xyz`` also the AUC at 10 %.
    """
    found: Summary = {}
    for name, each in values.items():
        found |= by_yaw(name, each, yaw_degrees)
        if name == "gte_xyz":
            found["auc"] = auc(each, THRESHOLD)
    return found


def errors(recipe: TwoStageRecipe, model: nn.Module) -> Measured:
    """NME, and GTE by axis."""
    return {"plain": _axes(*_predicted(recipe, model))}


def whole(recipe: TwoStageRecipe, model: nn.Module, subjects: int) -> Measured:
    """All there is to measure: both stages, the mean face's depths, and views of the same subjects.

    Args:
        subjects: how many are seen from every side.
    """
    assert isinstance(model, TwoStage)
    predicted, faces = _predicted(recipe, model)
    mean = torch.cat([predicted[..., :2], mean_depths(faces)[..., None]], 2)
    of_cascade = parts(recipe.cascade, model.cascade)
    return (
        {"plain": _axes(predicted, faces), "given true heatmaps": _given_true_maps(recipe, model)}
        | {name: of_cascade[name] for name in ("detection", "another's detection")}
        | {"mean face": _axes(mean, faces), "views": across_views(recipe, model, subjects)}
    )


def mean_depths(faces: SyntheticFaces) -> Tensor:
    """Depths ``(n, N)`` of the mean face in the true pose, place and size of each face, of mean 0."""
    cameras = torch.stack([faces[index].parameters for index in range(len(faces))])[:, :12].reshape(-1, 3, 4)
    mean = convert(faces.face.landmarks_of(faces.face.mean.T[None]), "68", MARKUP)
    return centred((mean @ cameras[:, 2, :3, None])[..., 0])


def across_views(recipe: TwoStageRecipe, model: TwoStage, subjects: int) -> Summary:
    """GTE in each view of :data:`VIEWS`, and CVGTCE of each view's landmarks onto the true ones of each other view.

    ``"gte_xyz -60"`` ..., ``"cvgtce -60 to +30"`` ...; ``"agreement -60 to +30"`` is the same onto the landmarks that
    were found in the other view.
    """
    seen = views(recipe, subjects)
    found = {yaw: recipe.evaluate(model, faces)[0] for yaw, faces in seen.items()}
    true = {yaw: truth(faces) for yaw, faces in seen.items()}
    numbers = {f"gte_xyz {_told(yaw)}": float(gte(found[yaw], true[yaw]).mean()) for yaw in VIEWS}
    for yaw, other in product(VIEWS, VIEWS):
        pair = f"{_told(yaw)} to {_told(other)}"
        numbers[f"cvgtce {pair}"] = float(cvgtce(found[yaw], true[other]).mean())
        if yaw != other:
            numbers[f"agreement {pair}"] = float(cvgtce(found[yaw], found[other]).mean())
    return numbers


def views(recipe: TwoStageRecipe, subjects: int, yaws: Sequence[float] = VIEWS) -> dict[float, SyntheticFaces]:
    """The same unseen subjects, with the same expressions in the same light, turned by each yaw in degrees."""
    cascade = recipe.cascade
    return {
        yaw: SyntheticFaces(
            subjects,
            cascade.picture,
            VIEWS_SEED,
            yaw=(yaw, yaw),
            ranges=SceneRanges(margin=cascade.margin),
            camera=None,
        )
        for yaw in yaws
    }


def _told(yaw: float) -> str:
    return f"{yaw:+.0f}"


def depths(recipe: TwoStageRecipe, model: nn.Module) -> Measured:
    """As :func:`errors`, and the depths found with heatmaps that are drawn from the labels."""
    assert isinstance(model, TwoStage)
    return errors(recipe, model) | {"given true heatmaps": _given_true_maps(recipe, model)}


def _given_true_maps(recipe: TwoStageRecipe, model: TwoStage) -> Summary:
    faces = recipe.test_set()
    predicted, target = over(faces, lambda batch: with_true_maps(recipe, model, batch)), truth(faces)
    given = torch.cat([target[..., :2], predicted[..., None]], 2)
    return summary({"gte_z": gte(given, target, "z")}, _yaw(faces))


def with_true_maps(recipe: TwoStageRecipe, model: TwoStage, batch: FaceSample) -> Tensor:
    """Depths ``(B, N)`` in the pictures' pixels, of mean 0, found with heatmaps of the true landmarks."""
    crop = recipe.cascade.cut(batch)
    found = recipe.depths(model.depth, crop.image, recipe.cascade.heatmaps(crop.landmarks[..., :2]))
    return centred(found / crop.affine.scale()[:, None])


def parts(recipe: CascadeRecipe, model: nn.Module) -> Measured:
    """Landmarks in x and y: of the heatmaps, of the discs, and of heatmaps refined from another face's discs."""
    assert isinstance(model, PartCascade)
    faces = recipe.test_set()
    target, yaw = truth(faces), _yaw(faces)
    ways = over(faces, lambda batch: _three_ways(recipe, model, batch)).unbind(1)
    names = ("plain", "detection", "another's detection")
    return {name: _flat(points, target, yaw) for name, points in zip(names, ways, strict=True)}


def one_part(recipe: CascadeRecipe, model: nn.Module) -> Measured:
    """Landmarks in x and y of the one network there is."""
    assert isinstance(model, PartCascade)
    faces = recipe.test_set()
    return {"plain": _flat(over(faces, lambda batch: recipe.landmarks(model, batch)), truth(faces), _yaw(faces))}


def _three_ways(recipe: CascadeRecipe, model: PartCascade, batch: FaceSample) -> Tensor:
    """Landmarks ``(B, 3, N, 2)`` of the heatmaps, of the discs, and of heatmaps from the discs of the face before."""
    crop = recipe.cut(batch)
    images = crop.image.to(next(model.parameters()).device, memory_format=torch.channels_last)
    logits, heatmaps = model(images)
    another = model.refine(images, logits.roll(1, 0))
    maps = ((None, heatmaps.cpu()), (logits.sigmoid().cpu(), None), (None, another.cpu()))
    return torch.stack([read_maps(crop, *each) for each in maps], 1)


def _flat(points: Tensor, target: Tensor, yaw: Tensor) -> Summary:
    """Errors of landmarks ``(n, N, 2)`` in x and y."""
    whole = torch.cat([points, target[..., 2:]], 2)
    return summary({"nme": nme(points, target[..., :2], "bbox"), "gte_xy": gte(whole, target, "xy")}, yaw)


def _axes(predicted: Tensor, faces: SyntheticFaces) -> Summary:
    target = truth(faces)
    by_axis = {f"gte_{axes}": gte(predicted, target, axes) for axes in AXES}
    flat = nme(predicted[..., :2], target[..., :2], "bbox")
    return summary({"nme": flat, **by_axis, "cvgtce": cvgtce(predicted, target)}, _yaw(faces))


def _predicted(recipe: TwoStageRecipe, model: nn.Module) -> tuple[Tensor, SyntheticFaces]:
    assert isinstance(model, TwoStage)
    faces = recipe.test_set()
    return recipe.evaluate(model, faces)[0], faces


def _yaw(faces: SyntheticFaces) -> Tensor:
    return faces.poses[:, 1].rad2deg()


STUDIES = Studies("two-stage", "the two-stage method", variants)
