"""The studies of 3DDFA_V2: which networks they train, and what is measured of each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from facelab.data import FaceSample, NaturalMotion, SyntheticClips
from facelab.face3d.parameters import project
from facelab.metrics import bending, by_pose, nme, normalizer_lengths, stability
from facelab.recipes.reliefs import roughness
from facelab.recipes.rendered import TEST_SEED, over
from facelab.recipes.settings import nearest
from facelab.recipes.study_runs import TUNING_SEED, Measured, Studies, Summary, Variant, at_rate, by_yaw, rated
from facelab.recipes.tddfa import PICTURES, TddfaRecipe
from facelab.recipes.tddfa import PROFILES as RECIPES
from facelab.recipes.tddfa_rivals import PositionMapRecipe, VolumeRecipe, as_rival, surface_model
from facelab.training import Optimizer, Training, WarmupCosine

BETAS = (0.1, 0.5, 0.9)  # weight of fWPDC in the vanilla-joint mixture; 0.5 is the recipe's own
LOOK_AHEADS = (30,)  # besides the recipe's own
RATES = (2e-3, 5e-3, 1e-2)  # learning rates that each loss and each network is tried with
FURTHER_RATES: Mapping[str, float] = {"VDC": 2e-2, "M": 1e-3}  # where the best of these was at an end
# VDC did better at 1e-2 with the seed of the tuning; with others it flew off.
TUNED: Mapping[str, float] = {"VDC": 5e-3, "fWPDC": 5e-3, "vanilla-joint": 5e-3, "M": 2e-3}
SGD_RATES = (0.03, 0.1, 0.3, 1.0)  # of the paper's optimiser
SGD_TUNED: Mapping[str, float] = {"vanilla-joint": 0.3, "M": 0.3}
TRUNKS: Mapping[str, float] = {
    "mobilenet": 5e-3,
    "mobilenet x0.75": 5e-3,
    "mobilenet x0.5": 5e-3,
    "mobilenet x0.25": 5e-3,
    "mobilenet-v3 x0.5": 5e-3,
    "resnet-22": 2e-3,
}
MAPS: Mapping[str, tuple[float, float]] = {  # factor on the channels, learning rate
    "PRNet": (1.0, 2e-3),
    "PRNet x0.25": (0.25, 5e-3),
    "PRNet x0.125": (0.125, 5e-3),
}
# On a CPU these are trained once: they take long, and no claim hangs on them.
ONCE = (
    "in-plane short videos", "rendered short videos", "mobilenet x0.75", "mobilenet x0.5", "PRNet x0.25",
    "PRNet x0.125", "VRN",
)  # fmt: skip
_TOGETHER = 64  # faces that are measured at once
_PICTURES_A_STEP = 64  # eight short videos of eight frames
_CLIP_FRAMES, _FACES_A_CLIP = 24, 25  # a test clip for so many test faces


def variants(profile: str) -> dict[str, Variant]:
    """Every network that the studies train at a profile, by name.

    The names are the paper's: ``"M"`` is meta-joint optimisation, ``"R"`` the landmark branch. Pictures and trunks are
    compared with fWPDC and that branch, the rivals on the same faces as trunks, for as many steps.

    Raises:
        ValueError: for an unknown profile.
    """
    base = nearest("profile", profile, _BASES)
    found = _losses(base) | _landmarks(base) | _pictures(base) | _networks(base)
    if base.training.optimizer.name != "sgd":
        found |= {by_sgd(loss): Variant(_descending(base, loss), whole, f"{loss}, by SGD") for loss in SGD_TUNED}
    if profile == "cpu":  # at gpu the paper's own rate is not tuned
        found |= {name: replace(found[name], seeds=(0,)) for name in ONCE} | _tuning(base)
    return found


def tried(base: TddfaRecipe, loss: str, rate: float | None = None) -> TddfaRecipe:
    """The recipe of a loss at its own learning rate or another; a loss without one takes that of fWPDC."""
    own = TUNED[loss if loss in TUNED else "fWPDC"]
    return at_rate(
        replace(base, optimisation=_OPTIMISATIONS[loss], regularisation="none"), own if rate is None else rate
    )


_OPTIMISATIONS: Mapping[str, str] = {
    "PDC": "pdc",
    "VDC": "vdc",
    "fWPDC": "fwpdc",
    "VDC from fWPDC": "vdc from fwpdc",
    "vanilla-joint": "vanilla-joint",
    "M": "meta-joint",
}


def _descending(base: TddfaRecipe, loss: str, rate: float | None = None) -> TddfaRecipe:
    """With the paper's optimiser."""
    recipe = tried(base, loss)
    optimizer = Optimizer("sgd", SGD_TUNED[loss] if rate is None else rate, weight_decay=5e-4, momentum=0.9)
    return replace(recipe, training=replace(recipe.training, optimizer=optimizer))


def by_sgd(loss: str) -> str:
    """The name of the variant with the paper's optimiser."""
    return f"{loss}, SGD"


def rates(name: str) -> tuple[float, ...]:
    """The learning rates that a loss or a network is tried with."""
    if name.endswith(", SGD"):
        return SGD_RATES
    return (*RATES, FURTHER_RATES[name]) if name in FURTHER_RATES else RATES


def _longer(recipe: TddfaRecipe, times: int) -> TddfaRecipe:
    return replace(recipe, training=replace(recipe.training, epochs=times * recipe.training.epochs))


def _watched(recipe: TddfaRecipe) -> TddfaRecipe:
    """With the error after every epoch in its history."""
    return replace(recipe, training=replace(recipe.training, evaluate_every=1))


def _losses(base: TddfaRecipe) -> dict[str, Variant]:
    """What is made small."""
    vanilla, meta = tried(base, "vanilla-joint"), tried(base, "M")
    found = {loss: Variant(_watched(tried(base, loss)), whole, f"{loss} alone") for loss in ("PDC", "VDC", "fWPDC")}
    found |= {
        "VDC from fWPDC": Variant(tried(base, "VDC from fWPDC"), whole, "fWPDC, then VDC"),
        **{
            mixture(beta): Variant(replace(vanilla, beta=beta), whole, f"fWPDC and VDC, {beta:g} to {1 - beta:g}")
            for beta in BETAS
        },
        "vanilla-joint, twice as long": Variant(_longer(vanilla, 2), whole, "as much computing as meta-joint"),
        "M": Variant(meta, whole, "meta-joint optimisation"),
        "M, coin": Variant(replace(meta, by_coin=True), whole, "a coin chooses the branch"),
    }
    return found | {
        ahead(k): Variant(replace(meta, look_ahead=k), whole, f"rounds of {k} batches") for k in LOOK_AHEADS
    }


def mixture(beta: float) -> str:
    """The name of a variant of the vanilla-joint mixture."""
    return "vanilla-joint" if beta == 0.5 else f"vanilla-joint, beta {beta:g}"


def ahead(look_ahead: int) -> str:
    """The name of a variant of meta-joint optimisation with other rounds."""
    return f"M, k {look_ahead}"


def _landmarks(base: TddfaRecipe) -> dict[str, Variant]:
    """What landmarks add."""
    ways = {
        "VDC+R": replace(tried(base, "VDC"), regularisation="branch"),
        "fWPDC+R": replace(tried(base, "fWPDC"), regularisation="branch"),
        "M+R": replace(tried(base, "M"), regularisation="branch"),
        "M+R of other faces": replace(tried(base, "M"), regularisation="branch of other faces"),
        "M+rebuilt": replace(tried(base, "M"), regularisation="rebuilt"),
    }
    return {name: Variant(recipe, whole, f"landmarks: {recipe.regularisation}") for name, recipe in ways.items()}


def _pictures(base: TddfaRecipe) -> dict[str, Variant]:
    """What short videos add, against as many pictures of other kinds.

    One loss, and large batches: with two stills a batch, its statistics are those of two people, and BN fails.
    """
    training = base.training
    if training.batch < _PICTURES_A_STEP:
        training = replace(training, batch=min(_PICTURES_A_STEP, base.faces), epochs=2 * training.epochs)
    regularised = replace(tried(replace(base, training=training), "fWPDC"), regularisation="branch")
    return {kind: Variant(replace(regularised, pictures=kind), whole, f"trained on {kind}") for kind in PICTURES}


def _networks(base: TddfaRecipe) -> dict[str, Variant]:
    base = _halved(base)
    found = {name: Variant(_of_trunk(base, name), with_surfaces, f"the trunk {name}") for name in TRUNKS}
    found |= {name: Variant(_of_maps(base, name), with_surfaces, "a UV position map") for name in MAPS}
    return found | {"VRN": Variant(_in_16_bits(as_rival(base, VolumeRecipe), True), of_volumes, "a volume")}


def _halved(base: TddfaRecipe) -> TddfaRecipe:
    """Half as long, the error measured at the end."""
    half = base.training.epochs // 2
    return replace(base, training=replace(base.training, epochs=half, evaluate_every=half))


def _of_trunk(base: TddfaRecipe, name: str, rate: float | None = None) -> TddfaRecipe:
    recipe = replace(tried(base, "fWPDC"), regularisation="branch", trunk=name)
    return _in_16_bits(at_rate(recipe, TRUNKS[name] if rate is None else rate), name == "resnet-22")


def _of_maps(base: TddfaRecipe, name: str, rate: float | None = None) -> PositionMapRecipe:
    width, own = MAPS[name]
    recipe = as_rival(base, PositionMapRecipe, width=width)
    return _in_16_bits(at_rate(recipe, own if rate is None else rate), True)


def _in_16_bits(recipe: Any, large: bool) -> Any:
    """Half the time with large convolutions; depthwise ones are faster in single precision."""
    if not large or recipe.training.precision != "fp32":
        return recipe
    return replace(recipe, training=replace(recipe.training, precision="bf16"))


def _tuning(base: TddfaRecipe) -> dict[str, Variant]:
    """Learning rates, in trainings of half the length on faces that no other run has."""
    base = _halved(base)
    tasks: dict[str, Any] = dict.fromkeys(TUNED, (tried, base))
    tasks |= {name: (_of_trunk, _halved(base)) for name in ("mobilenet-v3 x0.5", "resnet-22")}
    tasks |= {name: (_of_maps, _halved(base)) for name in ("PRNet x0.25",)}
    tasks |= {by_sgd(name): (_descending, base) for name in SGD_TUNED}
    return {
        rated(name, rate): Variant(
            make(short, name.removesuffix(", SGD"), rate), validated, f"{name} at {rate:g}", seeds=(TUNING_SEED,)
        )
        for name, (make, short) in tasks.items()
        for rate in rates(name)
    }


# ------------------------------------------------------------------------------------------------ what is measured


def whole(recipe: Any, model: nn.Module) -> Measured:
    """Errors on the test faces, and unrest on test clips."""
    return {"plain": _errors(recipe, _meshes(recipe, model)) | {"stability": unrest(recipe, model)}}


def with_surfaces(recipe: Any, model: nn.Module) -> Measured:
    """The same, and how rough the meshes are."""
    meshes = _meshes(recipe, model)
    found = _errors(recipe, meshes) | {"stability": unrest(recipe, model)}
    for name, measure in (("bending", bending), ("roughness", roughness)):
        for whose, each in (("", meshes), (" of the truth", _true_meshes(recipe))):
            values = [measure(part, surface_model().triangles) for part in each.split(_TOGETHER)]
            found[name + whose] = float(torch.cat(values).nanmean())
    return {"plain": found}


def of_volumes(recipe: VolumeRecipe, model: nn.Module) -> Measured:
    """How far volumes overlap with the true ones, and how rough their surfaces are."""

    def rough(batch: FaceSample) -> Tensor:
        return torch.cat([roughness(points[None], corners) for points, corners in recipe.surfaces(model, batch)])

    faces = recipe.test_set()
    with torch.inference_mode():
        overlap = recipe.measure(model, slice(None))["overlap"]
    return {"plain": {"overlap": float(overlap.mean()), "roughness": float(over(faces, rough, 16).nanmean())}}


def _meshes(recipe: Any, model: nn.Module) -> Tensor:
    """The test faces ``(N, V, 3)`` as meshes of :func:`surface_model`, in the pixels of the pictures."""

    def found(batch: FaceSample) -> Tensor:
        if isinstance(recipe, PositionMapRecipe):
            return recipe.vertices(model, batch)
        return project(surface_model(), recipe.parameters(model, batch))

    return over(recipe.test_set(), found, _TOGETHER)


def _true_meshes(recipe: Any) -> Tensor:
    return over(recipe.test_set(), lambda batch: project(surface_model(), batch.parameters), _TOGETHER)


def validated(recipe: Any, model: nn.Module) -> Measured:
    """Errors on faces that are neither for training nor for tests."""
    faces = recipe.test_set(seed=TEST_SEED + 1)
    _, errors = recipe.evaluate(model, faces)
    return {"plain": by_yaw("nme", errors, faces.poses[:, 1].rad2deg())}


def _errors(recipe: Any, meshes: Tensor) -> Summary:
    """NME over the box: of the landmarks in 2D and 3D, and of all vertices in 3D."""
    faces = recipe.test_set()
    box, yaw = normalizer_lengths(faces.landmarks[..., :2], "bbox"), faces.poses[:, 1].rad2deg()
    points = surface_model().landmarks_of(meshes)
    errors = nme(points[..., :2], faces.landmarks[..., :2], box)
    return by_yaw("nme", errors, yaw) | {
        "nme mean of bins": by_pose(errors, yaw)["mean_of_bins"],
        "nme 3d": float(nme(_level(points), _level(faces.landmarks), box).mean()),
        "nme dense": float(nme(_level(meshes), _level(_true_meshes(recipe)), box).mean()),
    }


def _level(points: Tensor) -> Tensor:
    """With a mean depth of 0, which no picture shows."""
    return torch.cat([points[..., :2], points[..., 2:] - points[..., 2:].mean(-2, keepdim=True)], -1)


def unrest(recipe: Any, model: nn.Module) -> float:
    """The stability on rendered clips of unseen people, the mean over clips."""
    clips = test_clips(recipe)
    with torch.inference_mode():
        each = [
            stability(recipe.landmarks(model, clip)[..., :2], clip.landmarks[..., :2]).mean()
            for clip in (clips[index] for index in range(len(clips)))
        ]
    return float(torch.stack(each).mean())


def test_clips(recipe: Any) -> SyntheticClips:
    """Clips of people in natural motion, as a camera films them; the same for every network of a profile."""
    count = max(2, recipe.test_faces // _FACES_A_CLIP)
    return SyntheticClips(count, NaturalMotion(_CLIP_FRAMES), recipe.picture, TEST_SEED)


# -------------------------------------------------------------------------------------------------- at each profile


def _study(recipe: TddfaRecipe, epochs: int, **changes: Any) -> TddfaRecipe:
    """A network small enough to be trained often."""
    training = Training(
        epochs, 16, Optimizer("adamw", 5e-3, weight_decay=0.01), WarmupCosine(0.1), precision="fp32", clip=1.0,
        evaluate_every=epochs,
    )  # fmt: skip
    return replace(recipe, training=training, **changes)


_CPU = _study(RECIPES["quick"], epochs=16, faces=1600, test_faces=400)
_BASES: Mapping[str, TddfaRecipe] = {
    "smoke": _study(RECIPES["smoke"], epochs=8, faces=32, test_faces=32),
    "quick": _study(RECIPES["quick"], epochs=8, faces=800, test_faces=200),
    "cpu": _CPU,
    "gpu": replace(RECIPES["gpu"], pictures="stills"),
}

STUDIES = Studies("tddfa", "3DDFA_V2", variants)
