"""CLN's studies: what sets each variant apart, and the numbers that are taken of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import FaceSample, SelfShuffle, crop_faces
from facelab.metrics import by_pose, nme, nme_3d
from facelab.models import REPVGG_TRUNKS, multiply_adds
from facelab.models.cln import ATTENTIONS, STREAMS, Outputs
from facelab.models.counting import parameters
from facelab.recipes.bars import PLACES, Bar, errors_by_place
from facelab.recipes.cln import PROFILES, ClnRecipe
from facelab.recipes.cln_studies import (
    ALONE,
    BAR_SHARE,
    RATES,
    ROWS,
    STUDIES,
    TUNED,
    TUNING_SEED,
    TWO_GLOBALS,
    WIDER,
    errors,
    rated,
    seen_of_21,
    twice,
    under_bar,
    validated,
    variants,
    whole,
)
from facelab.recipes.rendered import TEST_SEED
from facelab.recipes.study_runs import _stem
from facelab.training import describe
from facelab.training.describe import flat

RATE, EPOCHS = "training.optimizer.learning_rate", "training.epochs"
SMALL = replace(PROFILES["smoke"], faces=16, test_faces=32)
KINDS = ("nme", "nme 21", "nme 3d axes", "nme 3d similarity")
NUMBERS = {f"{kind}{part}" for kind in KINDS for part in ("", " 0-30", " 30-60", " 60-90", " mean of bins")}
BARS = [f"{direction} {place:g}" for direction in ("horizontal", "vertical") for place in PLACES]
# The paper's six rows.
TABLE_4 = ("none", "attention", "shuffling", "shuffling, attention", "shuffling, thumbnail", "CLN")

pytestmark = pytest.mark.usefixtures("cached")


# -------------------------------------------------------------------------------------------------------- variants


def _told(recipe: Any) -> dict[str, object]:
    """The fields of a recipe with dotted names, but for when it is measured."""
    return flat(describe(recipe, ("evaluate_every",)))


def _changed(recipe: Any, base: Any) -> dict[str, object]:
    """The fields in which a recipe differs from its base."""
    mine, theirs = _told(recipe), _told(base)
    return {name: mine.get(name) for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}


# What a recipe that does not shuffle is told to lack.
UNSHUFFLED: dict[str, object] = dict.fromkeys(
    f"shuffle.{name}" for name in ("kind", "tiles", "swaps", "thumbnail", "share")
)


def _changes(method: ClnRecipe) -> dict[str, dict[str, object]]:
    """Variant to what sets it apart from the method, but for the learning rate."""
    plain, bare = {"attention": "none"}, {"shuffle.thumbnail": "none"}
    alone = {"streams": "global", **UNSHUFFLED}
    longer = {EPOCHS: 2 * method.training.epochs}
    return {
        "none": plain | UNSHUFFLED,
        "attention": UNSHUFFLED,
        "shuffling": plain | bare,
        "shuffling, attention": bare,
        "shuffling, thumbnail": plain,
        "CLN": {},
        "global alone": alone,
        "local alone": {"streams": "local"},
        "convolution": {"attention": "convolution", **UNSHUFFLED},
        "thumbnail of another face": plain | {"shuffle.thumbnail": "other"},
        "global alone, twice as long": alone | longer,
        "local alone, twice as long": {"streams": "local", **longer},
        "wider global alone": alone | {"trunk": WIDER[method.trunk]},
        "one network": alone | plain | {"wpdc_weight": 1.0, "wing_weight": 0.0},
    }  # fmt: skip


# Variant to the kind of network whose learning rate it has; all others have that of the method.
KIND = {
    **dict.fromkeys(("none", "attention", "convolution"), "none"),
    **dict.fromkeys((*ALONE, *map(twice, ALONE), "wider global alone"), "global alone"),
    "one network": "one network",
}


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_a_variant_differs_in_what_its_name_says(profile: str) -> None:
    found = {name: variant.recipe for name, variant in variants(profile).items()}
    method = found["CLN"]
    assert (method.attention, method.streams, method.shuffle) == ("transformer", "both", SelfShuffle())
    assert (method.wpdc_weight, method.wing_weight) == (0.5, 1.0)
    expected = {}
    for name, changes in _changes(method).items():
        rate = TUNED[KIND.get(name, "CLN")]
        expected[name] = dict(changes)
        if profile != "gpu" and rate != TUNED["CLN"]:
            expected[name][RATE] = rate
    assert {name: _changed(found[name], method) for name in expected} == expected
    assert all((found[name].shuffle is None) == ("shuffle.kind" in each) for name, each in _changes(method).items())
    assert {name for name in found if ", rate " not in name} == expected.keys()


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_rates_are_those_of_the_kind(profile: str) -> None:
    for name, variant in variants(profile).items():
        if ", rate " not in name:
            own = variant.recipe.training.optimizer
            expected = TUNED[KIND.get(name, "CLN")]
            assert own == PROFILES["gpu"].training.optimizer if profile == "gpu" else own.learning_rate == expected


def test_the_rows_are_those_of_table_4() -> None:
    """Each module is added to what is there without it."""
    there = {name: variants("cpu")[name].recipe for name in ROWS}
    assert tuple(there) == TABLE_4
    for name, recipe in there.items():
        assert recipe.streams == "both"
        assert (recipe.attention == "transformer") == (name in ("attention", "shuffling, attention", "CLN"))
        assert (recipe.shuffle is None) == (name in ("none", "attention"))
        if recipe.shuffle is not None:
            assert (recipe.shuffle.thumbnail == "own") == (name in ("shuffling, thumbnail", "CLN"))
    for with_attention, without in (("shuffling, attention", "shuffling"), ("CLN", "shuffling, thumbnail")):
        assert _changed(there[with_attention], there[without]) == {"attention": "transformer"}
    for thumbnail, without in (("shuffling, thumbnail", "shuffling"), ("CLN", "shuffling, attention")):
        assert _changed(there[thumbnail], there[without]) == {"shuffle.thumbnail": "own"}


def test_two_global_streams_are_a_row_of_the_table() -> None:
    """Both streams see the same pictures; tests of the recipe show that the name of the second changes no bit."""
    recipe = variants("cpu")[TWO_GLOBALS].recipe
    method = variants("cpu")["CLN"].recipe
    assert recipe.shuffle is None and len(STREAMS[recipe.streams]) == 2
    assert recipe.attention == method.attention


def test_controls_cost_as_much_as_what_they_stand_for() -> None:
    """Parameters of the convolution; multiply-adds of the wider stream; epochs times streams of the longer ones."""
    there = {name: variant.recipe for name, variant in variants("cpu").items()}
    side = there["CLN"].size
    learnt = {name: parameters(there[name].model()) for name in ("none", "attention", "convolution")}
    added = learnt["attention"] - learnt["none"]
    assert added > 0 and learnt["convolution"] - learnt["none"] == pytest.approx(added, rel=0.05)
    costs = {name: multiply_adds(there[name].model(), (1, 3, side, side)) for name in ("attention", *there)}
    assert costs["wider global alone"] == pytest.approx(costs["attention"], rel=0.05)
    assert 2 * costs["global alone"] == pytest.approx(costs["attention"], rel=0.01)
    for name in ALONE:
        assert there[twice(name)].training.epochs == 2 * there["CLN"].training.epochs
        assert there[name].training.epochs == there["CLN"].training.epochs


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_every_network_can_be_made(profile: str) -> None:
    for variant in variants(profile).values():
        recipe = variant.recipe
        assert recipe.trunk in REPVGG_TRUNKS and recipe.attention in ATTENTIONS and recipe.streams in STREAMS
        assert recipe.training.epochs >= 1 and recipe.faces % recipe.training.batch != 1  # of others' thumbnails


def test_rates_are_chosen_of_those_that_were_tried() -> None:
    there = variants("cpu")
    tuning = {rated(name, rate): (name, rate) for name in TUNED for rate in RATES}
    assert tuning.keys() == {name for name in there if ", rate " in name} and len(set(RATES)) >= 3
    for variant, (name, rate) in tuning.items():
        changed = {EPOCHS: there[name].recipe.training.epochs // 2} | ({RATE: rate} if rate != TUNED[name] else {})
        assert _changed(there[variant].recipe, there[name].recipe) == changed
        assert there[variant].seeds == (TUNING_SEED,) and there[variant].measure is validated
    assert all(rate in RATES for rate in TUNED.values()) and TUNED.keys() == {*KIND.values(), "CLN"}
    others = {name: variant for name, variant in there.items() if name not in tuning}
    assert all(variant.measure is whole and variant.seeds is None for variant in others.values())


@pytest.mark.parametrize("profile", ["smoke", "quick", "gpu"])
def test_nothing_is_tuned_in_short_runs_nor_at_the_papers_rate(profile: str) -> None:
    assert not [name for name in variants(profile) if ", rate " in name]


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_variants_have_recipes_and_files_of_their_own(profile: str) -> None:
    there = variants(profile)
    assert len({_stem(name, 0) for name in there}) == len(there)
    assert len({str(describe(variant.recipe)) for name, variant in there.items() if ", rate " not in name}) == 14
    assert len({variant.what for variant in there.values()}) == len(there)


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="profile: there is no 'fast'; expected one of smoke, quick, cpu, gpu"):
        variants("fast")


# --------------------------------------------------------------------------------------------------------- numbers


class _Says(nn.Module):
    """Has parameters of crops ready, whatever it is shown."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.answer = answer

    def forward(self, images: Tensor) -> Outputs:
        return Outputs(self.answer[: len(images)], ())


def _true_parameters() -> Tensor:
    return crop_faces(FaceSample.stack(list(SMALL.test_set())), SMALL.size, SMALL.crop).parameters


def test_numbers_by_hand() -> None:
    """Landmarks that are off by a known amount: 3 pixels to the right and 4 down, and wider by a tenth."""
    faces = SMALL.test_set()
    target, yaw = faces.landmarks, faces.poses[:, 1].rad2deg()
    extents = target.amax(1) - target.amin(1)
    box = extents[:, :2].prod(1).double().sqrt()
    bins = torch.bucketize(yaw.abs(), torch.tensor([30.0, 60.0]))

    moved = errors(target + torch.tensor([3.0, 4.0, 9.0]), faces)
    assert moved.keys() == NUMBERS
    of_faces = 5 / box
    for name in ("nme", "nme 21"):
        assert moved[name] == pytest.approx(float(of_faces.mean()), rel=1e-4)
        parts = [float(of_faces[bins == number].mean()) for number in range(3)]
        assert [moved[f"{name} {part}"] for part in ("0-30", "30-60", "60-90")] == pytest.approx(parts, rel=1e-4)
        assert moved[f"{name} mean of bins"] == pytest.approx(sum(parts) / 3, rel=1e-4)
    for name in ("nme 3d axes", "nme 3d similarity"):
        assert moved[name] == pytest.approx(0, abs=1e-5)

    wider = target * torch.tensor([1.1, 1.0, 1.0])
    stretched = errors(wider, faces)
    assert stretched["nme 3d axes"] == pytest.approx(0, abs=1e-5)
    expected = nme_3d(wider, target, "similarity")
    assert stretched["nme 3d similarity"] == pytest.approx(float(expected.mean())) and float(expected.min()) > 0.005
    assert stretched["nme 3d similarity mean of bins"] == pytest.approx(by_pose(expected, yaw)["mean_of_bins"])
    assert stretched["nme"] == pytest.approx(float(nme(wider[..., :2], target[..., :2], "bbox").mean()))


def test_points_that_are_not_seen_do_not_count_among_aflws() -> None:
    """Those of the other side of a head in profile."""
    faces = SMALL.test_set()
    batch = FaceSample.stack(list(faces))
    hidden = ~batch.visible[..., None]
    assert bool(hidden.any())
    away = errors(faces.landmarks + 50.0 * hidden, faces)
    assert away["nme"] > 0.1
    # Means of eyes and mouth hold a hidden point or two where most are seen.
    assert away["nme 21"] < 0.3 * away["nme"]


def test_a_mean_is_seen_where_half_of_its_points_are() -> None:
    visible = torch.ones(2, 68, dtype=torch.bool)
    visible[0, 17] = False  # the end of a brow
    visible[0, 36:39] = False  # a corner of an eye, and half of its six points
    visible[1, 36:40] = False  # and two thirds of them, with both corners
    visible[1, 60:68] = False  # the mouth
    seen = seen_of_21(visible)
    assert (~seen[0]).nonzero()[:, 0].tolist() == [0, 6]
    assert (~seen[1]).nonzero()[:, 0].tolist() == [6, 7, 8, 18]


def test_true_parameters_are_nearly_without_error() -> None:
    (plain, ced, _) = whole(SMALL, _Says(_true_parameters())).values()
    assert all(0 < plain[name] < 0.03 for name in KINDS)  # of the modes that the parameters leave out
    assert plain["nme under bar"] == pytest.approx(plain["nme"])  # it does not look
    assert ced["0.000"] == 0 and ced["0.200"] == 1


def test_the_whole_of_a_network_is_measured_on_the_test_faces() -> None:
    model = SMALL.model(1)
    measured = whole(SMALL, model)
    assert list(measured) == ["plain", "ced", "bar"] and measured["plain"].keys() == NUMBERS | {"nme under bar"}
    faces = SMALL.test_set()
    points, of_faces = SMALL.evaluate(model, faces)
    plain = measured["plain"]
    assert plain["nme"] == pytest.approx(float(of_faces.mean()))
    assert plain["nme 3d axes"] == pytest.approx(float(nme_3d(points, faces.landmarks, "axes").mean()))
    assert measured["ced"]["0.200"] == pytest.approx(float((of_faces <= 0.2).double().mean()))
    under = measured["bar"]
    assert list(under) == BARS and under == under_bar(SMALL, model, faces)
    assert plain["nme under bar"] == pytest.approx(sum(under.values()) / len(BARS))
    expected = errors_by_place(SMALL, model, faces, Bar(BAR_SHARE, "vertical"), (0.75,))
    assert under["vertical 0.75"] == pytest.approx(float(expected.mean()))
    assert len(set(under.values())) == len(BARS)


def test_rates_are_chosen_on_faces_of_their_own() -> None:
    model = SMALL.model(1).eval()
    (measured,) = validated(SMALL, model).values()
    others = SMALL.test_set(seed=TEST_SEED + 1)
    assert measured.keys() == NUMBERS
    assert measured["nme"] == pytest.approx(float(SMALL.evaluate(model, others)[1].mean()))
    assert measured["nme"] != pytest.approx(float(SMALL.evaluate(model, SMALL.test_set())[1].mean()))


# ------------------------------------------------------------------------------------------------------------- runs


def test_a_variant_is_trained_measured_and_read_again(tmp_path: Path) -> None:
    study = STUDIES.run_all("smoke", (0,), tmp_path, ("thumbnail of another face",), "cpu", lambda _: None)
    (run,) = study.runs
    assert (run.variant, run.seed) == ("thumbnail of another face", 0)
    assert run.measured["plain"].keys() == NUMBERS | {"nme under bar"} and list(run.measured["bar"]) == BARS
    assert run.recipe["shuffle"]["thumbnail"] == "other" and run.parameters > 0
    assert run.history[-1]["nme"] == pytest.approx(run.measured["plain"]["nme"], rel=1e-4)
    assert STUDIES.read(tmp_path, "smoke").runs == study.runs
