"""The anisotropic loss's studies: what sets each variant apart, and the numbers that are taken of it."""

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facelab import recipes
from facelab.data import Augmentation
from facelab.markups import markup
from facelab.recipes.anisotropic_studies import (
    ACROSS,
    ALONG,
    GROUP,
    GROUPS,
    NORMALIZERS,
    SMEARS,
    STUDIES,
    TRUNKS,
    TUNED,
    TUNING_SEED,
    A,
    B,
    by_contour,
    distribution,
    even,
    kinds,
    rated,
    rates,
    setting,
    smeared,
    summary,
    validated,
    variants,
    whole,
)
from facelab.recipes.direct import PROFILES, DirectRecipe
from facelab.recipes.study_runs import _stem
from facelab.training import describe, load_weights
from facelab.training.describe import flat

CORNERS = list(markup("68").corners)
ON_CURVES = [index for index in range(68) if index not in CORNERS]
RATE = "training.optimizer.learning_rate"

pytestmark = pytest.mark.usefixtures("cached")


# -------------------------------------------------------------------------------------------------------- variants


def _changed(recipe: Any, base: Any) -> dict[str, object]:
    """The fields in which a recipe differs from its base, with dotted names; when it is measured is told apart."""
    mine, theirs = (flat(describe(each, ("evaluate_every",))) for each in (recipe, base))
    return {name: mine.get(name) for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_a_variant_differs_in_what_its_name_says(profile: str) -> None:
    found = {name: variant.recipe for name, variant in variants(profile).items()}
    method = found["anisotropic"]
    assert isinstance(method, DirectRecipe)
    assert (method.criterion, method.output) == ("anisotropic", "displacement") and (method.a, method.b) == (5, 3)
    assert (method.balance, method.frontal, method.smear, method.corners, method.curves) == ("none", 0, 0, 1, 1)
    isotropic: dict[str, object] = {"a": even(), "b": even()}
    skewed: dict[str, object] = {"frontal": found["frontal"].frontal}
    clean = {
        f"augmentation.{name}": value
        for name, value in flat(describe(Augmentation())).items()
        if flat(describe(method.augmentation))[name] != value
    }
    changes: dict[str, dict[str, object]] = {
        "isotropic": isotropic,
        "turned": {"a": 3.0, "b": 5.0},
        "equal corners": {"corners": even() ** -2},
        "corners only": {"curves": 0.0},
        "points outright": {"output": "points"},
        "without augmentation": clean,
        "frontal": skewed,
        **{
            f"frontal, {balance}": skewed | {"balance": balance}
            for balance in ("replicated", "undersampled", "replicated at random", "undersampled at random")
        },
        **{smeared("anisotropic", smear): {"smear": smear} for smear in SMEARS},
        **{smeared("isotropic", smear): isotropic | {"smear": smear} for smear in SMEARS},
    }
    for a, b in product(ALONG, ACROSS):
        if (a, b) != (A, B):
            changes[setting(a, b)] = {name: value for name, value, old in (("a", a, A), ("b", b, B)) if value != old}
    assert {name: _changed(found[name], method) for name in changes} == changes
    assert skewed["frontal"] == 0.9 and clean and len(SMEARS) >= 2
    tuned = TUNED.keys() | TRUNKS.keys()
    tuning = {rated(name, rate) for name in tuned for rate in rates(name)}
    assert found.keys() == changes.keys() | tuned | tuning


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_a_loss_has_its_own_rate_and_nothing_else(profile: str) -> None:
    there = variants(profile)
    method = there["anisotropic"].recipe
    outputs = {"heatmaps, l2": ("heatmaps", "l2"), "heatmaps, adaptive wing": ("heatmaps", "adaptive wing")}
    for name, rate in TUNED.items():
        output, criterion = outputs.get(name, ("displacement", name))
        recipe = there[name].recipe
        assert (recipe.output, recipe.criterion, recipe.training.optimizer.learning_rate) == (output, criterion, rate)
        assert _changed(recipe, method).keys() <= {"output", "criterion", RATE}
        assert recipe.training.evaluate_every == 1  # every epoch is in its history


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_a_trunk_has_its_own_rate_and_nothing_else(profile: str) -> None:
    """The paper's three where there is a GPU, and small ones of their kinds elsewhere."""
    there = variants(profile)
    method = there["anisotropic"].recipe
    small = ("resnet-small", "densenet-small", "wide-resnet-small", "resnet-thin")
    large = ("resnet50", "densenet121", "wide_resnet50_2", "resnet-thin")
    for (name, rate), trunk in zip(TRUNKS.items(), large if profile == "gpu" else small, strict=True):
        recipe = there[name].recipe
        assert (recipe.trunk, recipe.training.optimizer.learning_rate) == (trunk, rate)
        assert _changed(recipe, method).keys() <= {"trunk", RATE}


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_rates_are_chosen_of_those_that_were_tried(profile: str) -> None:
    there = variants(profile)
    for name, rate in {**TUNED, **TRUNKS}.items():
        assert rate in rates(name) and len(set(rates(name))) >= 3
        for other in rates(name):
            variant = there[rated(name, other)]
            assert _changed(variant.recipe, there[name].recipe) == ({RATE: other} if other != rate else {})
            assert variant.seeds == (TUNING_SEED,) and variant.measure is validated
    others = {name: variant for name, variant in there.items() if ", rate " not in name}
    assert all(variant.measure is whole for variant in others.values())
    many = {name: variant.seeds for name, variant in others.items() if variant.seeds is not None}
    compared = ("frontal", "frontal, replicated") if profile in ("cpu", "gpu") else ()
    assert many == dict.fromkeys(compared, tuple(range(GROUP * GROUPS)))
    assert all(variant.start is None for variant in there.values()) and TUNING_SEED >= 100 and GROUP == 5


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_variants_have_recipes_and_files_of_their_own(profile: str) -> None:
    there = variants(profile)
    assert len({_stem(name, 0) for name in there}) == len(there)
    described = [str(describe(variant.recipe)) for name, variant in there.items() if ", rate " not in name]
    assert len(set(described)) == len(described)  # no network is trained twice under two names
    assert all(variant.what for variant in there.values())


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="profile: there is no 'fast'; expected one of smoke, quick, cpu, gpu"):
        variants("fast")


def test_the_even_weight_is_the_mean_of_the_two() -> None:
    assert even() ** -2 == pytest.approx((1 / 25 + 1 / 9) / 2) and even(2.0, 2.0) == pytest.approx(2)
    # Over errors of all directions, only the direction is lost: the mean cost is that of the ellipse.
    angles = torch.arange(360.0).deg2rad()
    error = 3 * torch.stack([angles.cos(), angles.sin()], 1)[:, None].expand(-1, 68, -1)
    target = PROFILES["smoke"].test_set().landmarks[:1, :, :2].expand(360, -1, -1)
    there = variants("smoke")
    costs = {name: float(there[name].recipe.cost(target + error, target)) for name in ("anisotropic", "isotropic")}
    assert costs["anisotropic"] == pytest.approx(costs["isotropic"], rel=1e-4)
    # With corners that weigh no more than curves, the isotropic loss is a squared distance throughout.
    both = replace(there["isotropic"].recipe, corners=there["equal corners"].recipe.corners)
    assert float(both.cost(target + error, target)) == pytest.approx(9 / even() ** 2, rel=1e-4)


def test_corners_only_pull_nothing_else() -> None:
    target = PROFILES["smoke"].test_set().landmarks[:4, :, :2]
    predicted = (target + 2).requires_grad_()
    variants("smoke")["corners only"].recipe.cost(predicted, target).backward()
    assert predicted.grad is not None
    assert not predicted.grad[:, ON_CURVES].any() and bool(predicted.grad[:, CORNERS].ne(0).all())


# --------------------------------------------------------------------------------------------------------- numbers


def _face() -> Tensor:
    """Landmarks ``(68, 2)``: jaw and brows are level lines, the ridge of the nose is upright; all else lies anywhere.

    The box is 100 pixels wide and 64 high, 80 its root; the outer eye corners are 40 apart, and the middles of the eyes
    20.
    """
    points = torch.zeros(68, 2, dtype=torch.float64)
    points[:17] = torch.stack([torch.linspace(0, 100, 17), torch.full((17,), 64.0)], 1)
    points[17:22] = torch.stack([torch.linspace(5, 45, 5), torch.zeros(5)], 1)
    points[22:27] = torch.stack([torch.linspace(55, 95, 5), torch.zeros(5)], 1)
    points[27:31] = torch.stack([torch.full((4,), 50.0), torch.linspace(10, 40, 4)], 1)
    points[31:36] = torch.stack([torch.linspace(40, 60, 5), torch.full((5,), 44.0)], 1)
    left = torch.tensor([[0.0, 0], [7, -2], [13, -2], [20, 0], [13, 2], [7, 2]])
    points[36:42] = left + torch.tensor([30.0, 20.0])
    points[42:48] = left + torch.tensor([50.0, 20.0])
    angles = torch.arange(12, dtype=torch.float64) * math.pi / 6
    points[48:60] = torch.stack([50 - 15 * angles.cos(), 54 - 6 * angles.sin()], 1)
    angles = torch.arange(8, dtype=torch.float64) * math.pi / 4
    points[60:68] = torch.stack([50 - 10 * angles.cos(), 54 - 3 * angles.sin()], 1)
    return points


def test_summary_by_hand() -> None:
    target = _face().expand(5, -1, -1)
    yaw = torch.tensor([0.0, -30.0, 31.0, 60.0, -89.0])
    wrong = torch.tensor([3.0, 7.2, 1.6, 8.4, 16.0])  # pixels; of the box 3.75, 9, 2, 10.5 and 20 %
    predicted = target + wrong[:, None, None] * torch.tensor([0.6, -0.8])
    expected = {
        "nme": 0.0905,
        "nme 0-30": 0.06375,
        "nme 30-60": 0.0625,
        "nme 60-90": 0.2,
        "nme bbox": 0.0905,
        "fr8 bbox": 0.6,
        "fr10 bbox": 0.4,
        "auc8 bbox": (0.53125 + 0.75) / 5,
        "auc10 bbox": (0.625 + 0.1 + 0.8) / 5,
        # Of the first two faces alone: 3 and 7.2 pixels of 40.
        "nme interocular": (0.075 + 0.18) / 2,
        "fr8 interocular": 0.5,
        "fr10 interocular": 0.5,
        "auc8 interocular": 0.0625 / 2,
        "auc10 interocular": 0.25 / 2,
        # And of 20.
        "nme interpupil": (0.15 + 0.36) / 2,
        "fr8 interpupil": 1.0,
        "fr10 interpupil": 1.0,
        "auc8 interpupil": 0.0,
        "auc10 interpupil": 0.0,
    }
    assert summary(predicted, target, yaw) == pytest.approx(expected, abs=1e-6)


def test_only_frontal_faces_are_measured_in_distances_between_the_eyes() -> None:
    target = _face().expand(4, -1, -1)
    predicted = target + 1.0
    yaw = torch.tensor([30.0, -30.0, 30.1, 80.0])
    spoilt = predicted.clone()
    spoilt[2:] += 30
    mine, theirs = summary(predicted, target, yaw), summary(spoilt, target, yaw)
    eyes = {name for name in mine if name.endswith(NORMALIZERS[1:])}
    assert len(eyes) == 10 and all(mine[name] == theirs[name] for name in eyes)
    assert theirs["nme bbox"] > mine["nme bbox"] and theirs["fr8 bbox"] == 0.5


def test_errors_are_split_at_the_contours() -> None:
    """Jaw and brows are level, so what is across is down; the ridge is upright, so it is sideways."""
    target = _face().repeat(2, 1, 1)
    predicted = target.clone()
    predicted[0] += torch.tensor([8.0, -4.0])
    predicted[1] += torch.tensor([-16.0, 12.0])
    split = by_contour(predicted, target)
    assert split.keys() == {"across", "along", "distance"} and all(each.shape == (68,) for each in split.values())
    level, upright = [*range(17), *range(17, 27), *range(31, 36)], list(range(27, 31))
    pairs = ((level, 0.1, 0.15), (upright, 0.15, 0.1))  # 4 and 12 pixels of 80; 8 and 16
    for landmarks, across, along in pairs:
        size = torch.ones(len(landmarks), dtype=torch.float64)
        torch.testing.assert_close(split["across"][landmarks], across * size)
        torch.testing.assert_close(split["along"][landmarks], along * size)
    distance = (math.hypot(8, 4) + math.hypot(16, 12)) / 2 / 80
    torch.testing.assert_close(split["distance"], torch.full((68,), distance, dtype=torch.float64))
    assert split["across"].isnan().nonzero().flatten().tolist() == CORNERS
    assert split["along"].isnan().nonzero().flatten().tolist() == CORNERS


def test_a_face_counts_by_its_own_box() -> None:
    target = torch.stack([_face(), 3 * _face()])
    predicted = target + torch.tensor([0.0, 8.0])
    split = by_contour(predicted, target)
    assert float(split["distance"][0]) == pytest.approx((8 / 80 + 8 / 240) / 2) == pytest.approx(split["across"][0])


def test_kinds_of_landmarks() -> None:
    nan = math.nan
    distance, across, along = torch.full((68,), 0.04), torch.full((68,), 0.01), torch.full((68,), 0.03)
    distance[CORNERS] = 0.02
    distance[CORNERS[0]] = 0.10
    across[CORNERS] = along[CORNERS] = nan
    across[0], distance[1] = 0.07, 0.64
    found = kinds({"across": across, "along": along, "distance": distance})
    assert found == pytest.approx({"corners": 0.03, "curves": 0.05, "across": 0.011, "along": 0.03}, rel=1e-5)


def test_distribution_by_hand() -> None:
    found = distribution(torch.tensor([0.004, 0.012, 0.051, 0.9]))
    assert len(found) == 41 and list(found)[:3] == ["0.000", "0.005", "0.010"] and list(found)[-1] == "0.200"
    shares = {"0.000": 0.0, "0.005": 0.25, "0.010": 0.25, "0.015": 0.5, "0.050": 0.5, "0.055": 0.75, "0.200": 0.75}
    assert {name: found[name] for name in shares} == shares
    assert list(distribution(torch.tensor([0.1]), 0.1, 2).items()) == [("0.000", 0.0), ("0.050", 0.0), ("0.100", 1.0)]


SMALL = replace(PROFILES["smoke"], faces=16, test_faces=32)


def test_the_whole_of_a_network_is_measured_on_the_test_faces() -> None:
    model = SMALL.model(1).eval()
    measured = whole(SMALL, model)
    faces = SMALL.test_set()
    points, errors = SMALL.evaluate(model, faces)
    target = faces.landmarks[..., :2]
    assert list(measured) == ["plain", "ced", "across", "along", "distance"]
    expected = summary(points, target, faces.poses[:, 1].rad2deg()) | kinds(by_contour(points, target))
    assert measured["plain"] == pytest.approx(expected) and {"corners", "curves", "across"} <= expected.keys()
    assert measured["plain"]["nme"] == pytest.approx(float(errors.mean())) == measured["plain"]["nme bbox"]
    assert measured["ced"] == distribution(errors)
    assert list(measured["distance"]) == [str(index) for index in range(68)]
    assert list(measured["across"]) == list(measured["along"]) == [str(index) for index in ON_CURVES]
    assert measured["distance"]["30"] == pytest.approx(
        float(((points - target)[:, 30].norm(dim=1) / _sides(target)).mean())
    )


def _sides(target: Tensor) -> Tensor:
    """Roots of the areas of the boxes."""
    return (target.amax(1) - target.amin(1)).prod(1).sqrt()


def test_rates_are_chosen_on_faces_of_their_own() -> None:
    model = SMALL.model(1).eval()
    measured = validated(SMALL, model)
    assert list(measured) == ["plain"]
    tests = whole(SMALL, model)["plain"]
    assert measured["plain"].keys() == tests.keys() and measured["plain"]["nme"] != tests["nme"]


# ------------------------------------------------------------------------------------------------------------- runs


def test_two_variants_are_trained_measured_and_read_again(tmp_path: Path) -> None:
    only = ("heatmaps, l2", rated("wing", TUNED["wing"]))
    said: list[str] = []
    study = STUDIES.run_all("smoke", (0,), tmp_path / "runs", only, "cpu", said.append, tmp_path / "weights")
    there = variants("smoke")
    assert [(run.variant, run.seed) for run in study.runs] == [(only[0], 0), (only[1], TUNING_SEED)]
    assert [line.split(":")[0] for line in said] == ["heatmaps, l2, seed 0", f"{only[1]}, seed {TUNING_SEED}"]
    heatmaps, wing = study.runs
    assert {"plain", "ced", "across", "along", "distance"} == heatmaps.measured.keys()
    assert wing.measured.keys() == {"plain"} and 0 < wing.measured["plain"]["nme"] < 1
    assert [entry["nme"] for entry in heatmaps.history] == pytest.approx([heatmaps.measured["plain"]["nme"]], rel=1e-4)
    assert STUDIES.read(tmp_path / "runs", "smoke").runs == study.runs
    model = there[only[0]].recipe.model()
    load_weights(model, tmp_path / "weights" / "heatmaps-l2-0.safetensors")
    again = there[only[0]].measure(there[only[0]].recipe, model.eval())
    assert again["plain"] == pytest.approx(heatmaps.measured["plain"], abs=1e-5)
