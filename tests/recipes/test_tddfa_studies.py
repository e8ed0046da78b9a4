"""3DDFA_V2's studies: what sets each variant apart, and the numbers that are taken of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import FaceSample, crop_faces
from facelab.metrics import by_pose, normalizer_lengths
from facelab.models import PRNet
from facelab.models.tddfa import Answer
from facelab.recipes.rendered import TEST_SEED
from facelab.recipes.study_runs import _stem
from facelab.recipes.tddfa import PICTURES, PROFILES, TddfaRecipe
from facelab.recipes.tddfa_rivals import PositionMapRecipe, VolumeRecipe, as_rival
from facelab.recipes.tddfa_studies import (
    BETAS,
    LOOK_AHEADS,
    MAPS,
    ONCE,
    SGD_RATES,
    SGD_TUNED,
    STUDIES,
    TRUNKS,
    TUNED,
    TUNING_SEED,
    ahead,
    by_sgd,
    mixture,
    of_volumes,
    rated,
    rates,
    unrest,
    validated,
    variants,
    whole,
    with_surfaces,
)
from facelab.training import describe
from facelab.training.describe import flat

RATE, PRECISION = "training.optimizer.learning_rate", "training.precision"
BATCH, EPOCHS = "training.batch", "training.epochs"
SMALL = replace(PROFILES["smoke"], faces=16, test_faces=32)
SURFACES = {"bending", "bending of the truth", "roughness", "roughness of the truth"}
NUMBERS = {"nme", "nme 0-30", "nme 30-60", "nme 60-90", "nme mean of bins", "nme 3d", "nme dense", "stability"}

# The paper's optimiser, but for its rate.
OWN: dict[str, object] = {
    f"training.optimizer.{name}": getattr(PROFILES["gpu"].training.optimizer, name)
    for name in ("name", "weight_decay", "momentum")
}

pytestmark = pytest.mark.usefixtures("cached")


# -------------------------------------------------------------------------------------------------------- variants


def _told(recipe: Any) -> dict[str, object]:
    """The fields of a recipe with dotted names, but for when it is measured."""
    return flat(describe(recipe, ("evaluate_every",)))


def _changed(recipe: Any, base: Any) -> dict[str, object]:
    """The fields in which a recipe differs from its base."""
    mine, theirs = _told(recipe), _told(base)
    return {name: mine.get(name) for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}


def _changes(method: TddfaRecipe) -> dict[str, dict[str, object]]:
    """Variant to what sets it apart from meta-joint optimisation without landmarks, which is ``"M"``."""
    vdc: dict[str, object] = {"optimisation": "vdc", RATE: TUNED["VDC"]}
    fwpdc: dict[str, object] = {"optimisation": "fwpdc", RATE: TUNED["fWPDC"]}
    vanilla: dict[str, object] = {"optimisation": "vanilla-joint", RATE: TUNED["vanilla-joint"]}
    branch: dict[str, object] = {"regularisation": "branch"}
    length, batch = method.training.epochs, method.training.batch
    half: dict[str, object] = {EPOCHS: length // 2}
    # Batches of 64 pictures or more; where they had to grow for it, twice the epochs.
    large: dict[str, object] = {BATCH: min(64, method.faces), EPOCHS: 2 * length} if batch < 64 else {}
    found = {
        "PDC": {"optimisation": "pdc", RATE: TUNED["fWPDC"]},
        "VDC": vdc,
        "fWPDC": fwpdc,
        "VDC from fWPDC": {"optimisation": "vdc from fwpdc", RATE: TUNED["fWPDC"]},
        **{mixture(beta): vanilla | {"beta": beta} for beta in BETAS},
        "vanilla-joint, twice as long": vanilla | {EPOCHS: 2 * length},
        "M": {},
        "M, coin": {"by_coin": True},
        **{ahead(k): {"look_ahead": k} for k in LOOK_AHEADS},
        "VDC+R": vdc | branch,
        "fWPDC+R": fwpdc | branch,
        "M+R": branch,
        "M+R of other faces": {"regularisation": "branch of other faces"},
        "M+rebuilt": {"regularisation": "rebuilt"},
        **{kind: fwpdc | branch | large | {"pictures": kind} for kind in PICTURES},
        **{name: fwpdc | branch | half | {"trunk": name, RATE: rate} for name, rate in TRUNKS.items()},
    }
    if not _is_the_papers(method):
        losses = {"vanilla-joint": vanilla, "M": {}}
        found |= {by_sgd(loss): change | OWN | {RATE: SGD_TUNED[loss]} for loss, change in losses.items()}
    return found


def _is_the_papers(method: TddfaRecipe) -> bool:
    return method.training.optimizer.name == "sgd"


def test_pictures_and_optimisers_are_compared_as_the_paper_names_them() -> None:
    kinds = {"stills", "short videos", "in-plane short videos", "random turns", "rendered short videos"}
    assert set(PICTURES) == kinds and SGD_TUNED.keys() == {"vanilla-joint", "M"}
    assert by_sgd("M") == "M, SGD" and len(set(SGD_RATES)) >= 3


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_a_variant_differs_in_what_its_name_says(profile: str) -> None:
    found = {name: variant.recipe for name, variant in variants(profile).items()}
    method = found["M"]
    assert (method.optimisation, method.regularisation, method.pictures) == ("meta-joint", "none", "stills")
    assert not method.by_coin
    there = _told(method)
    own_rate = _is_the_papers(method)  # the paper's optimiser has the paper's rate
    changes = _changes(method)
    if method.training.precision == "fp32":
        changes["resnet-22"][PRECISION] = "bf16"
    expected = {
        name: {key: value for key, value in each.items() if value != there[key] and not (own_rate and key == RATE)}
        for name, each in changes.items()
    }
    assert {name: _changed(found[name], method) for name in changes} == expected
    trained = {name for name in found if ", rate " not in name}
    assert trained == changes.keys() | MAPS.keys() | {"VRN"} and 0.5 in BETAS and LOOK_AHEADS


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_kinds_of_pictures_differ_in_nothing_else(profile: str) -> None:
    """As many pictures in all and a step, from large enough batches of stills."""
    there = variants(profile)
    stills = there["stills"].recipe
    assert stills.training.batch >= min(64, stills.faces) and stills.faces == there["M"].recipe.faces
    for kind in PICTURES:
        assert _changed(there[kind].recipe, stills) == ({} if kind == "stills" else {"pictures": kind})
        assert there[kind].measure is whole


@pytest.mark.parametrize("profile", ["smoke", "quick", "cpu"])
def test_optimisers_differ_in_nothing_else(profile: str) -> None:
    there = variants(profile)
    for loss, rate in SGD_TUNED.items():
        assert _changed(there[by_sgd(loss)].recipe, there[loss].recipe) == OWN | {RATE: rate}
        assert there[by_sgd(loss)].measure is whole


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_rivals_have_the_faces_and_the_steps_of_the_trunks(profile: str) -> None:
    there = variants(profile)
    trunk = there["mobilenet"].recipe
    shorter, once = _told(trunk), _told(there["M"].recipe)
    assert (2 * trunk.training.epochs, shorter[BATCH]) == (once[EPOCHS], once[BATCH])
    for name, (width, rate) in MAPS.items():
        recipe = there[name].recipe
        assert isinstance(recipe, PositionMapRecipe) and recipe.width == width and there[name].measure is with_surfaces
        changed = _changed(recipe, as_rival(trunk, PositionMapRecipe, width=width))
        assert changed.keys() <= (set() if profile == "gpu" else {RATE, PRECISION})
        assert profile == "gpu" or recipe.training.optimizer.learning_rate == rate
    volumes = there["VRN"]
    changed = _changed(volumes.recipe, as_rival(trunk, VolumeRecipe))
    assert changed.keys() <= (set() if profile == "gpu" else {RATE, PRECISION}) and volumes.measure is of_volumes
    assert all(there[name].measure is with_surfaces for name in TRUNKS)
    for name in (*TRUNKS, *MAPS, "VRN"):
        told = _told(there[name].recipe)
        assert [told[key] for key in ("faces", BATCH, EPOCHS)] == [shorter[key] for key in ("faces", BATCH, EPOCHS)]
        training = there[name].recipe.training
        assert training.evaluate_every == training.epochs  # at the end alone


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_kinds_of_pictures_can_be_trained(profile: str) -> None:
    """Batches and epochs are multiples of the frames."""
    for variant in variants(profile).values():
        assert all(plan.epochs >= 1 for plan in variant.recipe.trainings.values())


def test_single_losses_are_watched() -> None:
    there = variants("cpu")
    assert all(there[name].recipe.training.evaluate_every == 1 for name in ("PDC", "VDC", "fWPDC"))


def test_the_papers_optimiser_has_its_own_rate_everywhere() -> None:
    """And is no variant where all are trained with it."""
    own = PROFILES["gpu"].training.optimizer
    assert own.name == "sgd" and not [name for name in variants("gpu") if "SGD" in name]
    assert all(variant.recipe.training.optimizer == own for variant in variants("gpu").values())


def test_rates_are_chosen_of_those_that_were_tried() -> None:
    there = variants("cpu")
    chosen = {**TUNED, **{name: TRUNKS[name] for name in ("mobilenet-v3 x0.5", "resnet-22")}}
    chosen["PRNet x0.25"] = MAPS["PRNet x0.25"][1]
    chosen |= {by_sgd(loss): rate for loss, rate in SGD_TUNED.items()}
    tuning = {rated(name, rate): (name, rate) for name in chosen for rate in rates(name)}
    assert tuning.keys() == {name for name in there if ", rate " in name}
    for variant, (name, rate) in tuning.items():
        shorter = {EPOCHS: there[name].recipe.training.epochs // 2}
        changed = shorter | ({RATE: rate} if rate != chosen[name] else {})
        assert _changed(there[variant].recipe, there[name].recipe) == changed
        assert there[variant].seeds == (TUNING_SEED,) and there[variant].measure is validated
    assert all(rate in rates(name) and len(set(rates(name))) >= 3 for name, rate in chosen.items())
    assert all(rates(by_sgd(loss)) == SGD_RATES for loss in SGD_TUNED)
    others = {name: variant for name, variant in there.items() if name not in tuning}
    assert all(variant.measure in (whole, with_surfaces, of_volumes) for variant in others.values())
    assert {name: variant.seeds for name, variant in others.items() if variant.seeds} == dict.fromkeys(ONCE, (0,))


@pytest.mark.parametrize("profile", ["smoke", "quick", "gpu"])
def test_nothing_is_tuned_in_short_runs_nor_at_the_papers_rate(profile: str) -> None:
    assert not [name for name in variants(profile) if ", rate " in name]


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_variants_have_recipes_and_files_of_their_own(profile: str) -> None:
    there = variants(profile)
    assert len({_stem(name, 0) for name in there}) == len(there) and all(each.what for each in there.values())
    described = [str(describe(variant.recipe)) for name, variant in there.items() if ", rate " not in name]
    # Where batches are large from the start, "stills" are "fWPDC+R" once more.
    again = _changed(there["stills"].recipe, there["fWPDC+R"].recipe) == {}
    assert again == (PROFILES[profile].training.batch >= 64)
    assert len(described) - len(set(described)) == again


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="profile: there is no 'fast'; expected one of smoke, quick, cpu, gpu"):
        variants("fast")


# --------------------------------------------------------------------------------------------------------- numbers


class _Says(nn.Module):
    """Has parameters of crops ready, the first of them where it is shown fewer."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.answer = answer

    def forward(self, images: Tensor) -> Answer:
        return Answer(self.answer[: len(images)], None)


def _crop() -> Any:
    return crop_faces(FaceSample.stack(list(SMALL.test_set())), SMALL.size, SMALL.crop)


def _measured(change: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """Of true parameters, changed."""
    return whole(SMALL, _Says(change(_crop().parameters.clone())))["plain"]


def _added(number: int, amount: float) -> Callable[[Tensor], Tensor]:
    return lambda parameters: parameters + amount * nn.functional.one_hot(torch.tensor(number), 62)


def test_a_shift_costs_what_it_is_in_the_plane_and_nothing_in_depth() -> None:
    true, deep, right = (_measured(_added(*change)) for change in ((11, 0.0), (11, 7.0), (3, 2.0)))
    assert true.keys() >= NUMBERS and true["nme dense"] < 1e-4
    assert 0 < true["nme 3d"] < 0.05  # of the modes that the parameters leave out
    assert deep == pytest.approx(true, abs=1e-5)
    faces = SMALL.test_set()
    box = normalizer_lengths(faces.landmarks[..., :2], "bbox")
    expected = float((2 * _crop().affine.inverse().scale() / box).mean())
    assert right["nme dense"] == pytest.approx(expected, rel=1e-3)
    assert right["nme 3d"] > 0.9 * expected and right["nme"] > 0.9 * expected


def test_depth_counts_where_it_is_not_the_same_everywhere() -> None:
    def flat_heads(parameters: Tensor) -> Tensor:
        return torch.cat([parameters[:, :8], 0 * parameters[:, 8:11], parameters[:, 11:]], 1)

    true, flattened = _measured(lambda parameters: parameters), _measured(flat_heads)
    assert flattened["nme"] == pytest.approx(true["nme"]) and flattened["nme 3d"] > true["nme 3d"] + 0.05
    assert flattened["nme dense"] > 0.05


def test_the_whole_of_a_network_is_measured_on_the_test_faces() -> None:
    model = SMALL.model(1).eval()
    (measured,) = whole(SMALL, model).values()
    faces = SMALL.test_set()
    _, errors = SMALL.evaluate(model, faces)
    bins = by_pose(errors, faces.poses[:, 1].rad2deg())
    assert measured["nme"] == pytest.approx(float(errors.mean()))
    parts = [measured[f"nme {part}"] for part in ("0-30", "30-60", "60-90")]
    assert parts == pytest.approx([bins[part] for part in ("0-30", "30-60", "60-90")])
    assert measured["nme mean of bins"] == pytest.approx(sum(parts) / 3)
    assert measured["stability"] == pytest.approx(unrest(SMALL, model)) and measured["stability"] > 0


def test_position_maps_are_measured_alike() -> None:
    recipe = as_rival(SMALL, PositionMapRecipe, width=0.125)
    model = recipe.model(1).eval()
    assert isinstance(model, PRNet)
    (measured,) = with_surfaces(recipe, model).values()
    assert measured.keys() >= NUMBERS | SURFACES
    assert measured["nme"] == pytest.approx(float(recipe.evaluate(model, recipe.test_set())[1].mean()))
    assert measured["bending"] != pytest.approx(measured["bending of the truth"])


def test_true_parameters_make_meshes_as_rough_as_the_truth() -> None:
    (measured,) = with_surfaces(SMALL, _Says(_crop().parameters)).values()
    assert measured.keys() >= NUMBERS | SURFACES and all(measured[name] > 0 for name in SURFACES)
    for name in ("bending", "roughness"):
        assert measured[name] == pytest.approx(measured[f"{name} of the truth"], rel=1e-2)


@pytest.mark.parametrize("says", [None, -5.0])
def test_volumes_are_measured_whether_there_is_a_surface_or_not(says: float | None) -> None:
    """Of a network that is not trained, and of one that says that no cell is inside."""
    recipe = as_rival(replace(SMALL, test_faces=4), VolumeRecipe)
    model = recipe.model(1).eval()
    if says is not None:
        last = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)][-1]
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.constant_(last.bias, says)
    (measured,) = of_volumes(recipe, model).values()
    assert measured.keys() == {"overlap", "roughness"}
    with torch.inference_mode():
        assert measured["overlap"] == pytest.approx(float(recipe.measure(model, slice(None))["overlap"].mean()))
    assert measured["overlap"] < 0.5 if says is None else measured["overlap"] == 0
    assert measured["roughness"] > 0 if says is None else math.isnan(measured["roughness"])


@dataclass(frozen=True)
class _Tracker:
    """Knows the landmarks, and is off by so many pixels to the right, in every other frame alone if it trembles."""

    right: float
    trembles: bool
    test_faces: int = SMALL.test_faces
    picture: int = SMALL.picture

    def landmarks(self, model: object, clip: FaceSample) -> Tensor:
        off = torch.full((len(clip.landmarks), 1, 1), self.right)
        if self.trembles:
            off[::2] = 0
        return clip.landmarks + off * torch.tensor([1.0, 0.0, 0.0])


def test_unrest_is_what_changes_from_frame_to_frame() -> None:
    steady, shifted, trembling, wild = (
        unrest(_Tracker(right, trembles), nn.Identity())
        for right, trembles in ((0.0, False), (3.0, False), (1.0, True), (2.0, True))
    )
    assert steady == pytest.approx(0, abs=1e-5) and shifted == pytest.approx(0, abs=1e-5)
    assert trembling > 0.005 and wild == pytest.approx(2 * trembling, rel=1e-3)


def test_rates_are_chosen_on_faces_of_their_own() -> None:
    model = SMALL.model(1).eval()
    (measured,) = validated(SMALL, model).values()
    others = SMALL.test_set(seed=TEST_SEED + 1)
    assert not torch.equal(others.landmarks, SMALL.test_set().landmarks)
    assert measured["nme"] == pytest.approx(float(SMALL.evaluate(model, others)[1].mean()))
    assert measured["nme"] != pytest.approx(float(SMALL.evaluate(model, SMALL.test_set())[1].mean()))


# ------------------------------------------------------------------------------------------------------------- runs


def test_a_variant_is_trained_measured_and_read_again(tmp_path: Path) -> None:
    study = STUDIES.run_all("smoke", (0,), tmp_path, ("M, coin",), "cpu", lambda _: None)
    (run,) = study.runs
    assert (run.variant, run.seed) == ("M, coin", 0) and run.measured["plain"].keys() >= NUMBERS
    assert run.history[-1]["nme"] == pytest.approx(run.measured["plain"]["nme"], rel=1e-4)
    steps, ahead_ = 8 * 32 // 16, run.recipe["look_ahead"]
    kept = [choice for entry in run.history for choice in entry["kept"]]
    assert len(kept) == -(-steps // (ahead_ + 1)) and set(kept) <= {0, 1}
    assert STUDIES.read(tmp_path, "smoke").runs == study.runs
