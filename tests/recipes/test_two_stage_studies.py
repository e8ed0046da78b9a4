"""The two-stage method's studies: what sets each variant apart, and the numbers that are taken of it."""

import math
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import SyntheticFaces, decode_heatmaps
from facelab.data.synthetic.scene import sample_scene
from facelab.metrics import gte, nme
from facelab.models import PartCascade, TwoStage
from facelab.recipes import two_stage_studies
from facelab.recipes.part_cascade import DECODER, CascadeRecipe, read_maps, truth
from facelab.recipes.two_stage import TwoStageRecipe
from facelab.recipes.two_stage_studies import (
    FRONTAL,
    THRESHOLD,
    VIEWS,
    across_views,
    depths,
    errors,
    mean_depths,
    one_part,
    parts,
    summary,
    variants,
    views,
    whole,
)
from facelab.training import Fitted, describe
from facelab.training.describe import flat

BINS = ("", " 0-30", " 30-60", " 60-90")
AXES = ("gte_xy", "gte_xyz", "gte_x", "gte_y", "gte_z")
THREE = {f"{name}{part}" for name in ("nme", "cvgtce", *AXES) for part in BINS} | {"auc"}
TWO = {f"{name}{part}" for name in ("nme", "gte_xy") for part in BINS}

pytestmark = pytest.mark.usefixtures("cached")


@pytest.fixture(scope="module")
def recipe() -> TwoStageRecipe:
    """So many test faces that a batch is not all of them."""
    known = recipes.get("two-stage", "smoke")
    return replace(known, cascade=replace(known.cascade, test_faces=20))


# -------------------------------------------------------------------------------------------------------- variants


def _changed(recipe: Any, base: Any) -> dict[str, object]:
    """The fields in which a recipe differs from its base, with dotted names."""
    mine, theirs = flat(describe(recipe)), flat(describe(base))
    return {name: mine.get(name) for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_a_variant_differs_in_what_its_name_says(profile: str) -> None:
    found = {name: variant.recipe for name, variant in variants(profile).items()}
    method = found["two stages"]
    faster = {f"cascade.{name}.precision": "bf16" for name in method.cascade.trainings} if profile == "cpu" else {}
    assert _changed(method, recipes.get("two-stage", profile)) == faster
    changes: dict[str, dict[str, object]] = {
        "depth from the picture": {"sees": "picture"},
        "depth from heatmaps": {"sees": "maps"},
        "another's heatmaps": {"sees": "another"},
        "true heatmaps": {"maps": "true"},
        "predicted heatmaps": {"maps": "predicted"},
        "frontal": {"cascade.yaw": [-FRONTAL, FRONTAL]},
    }
    assert {name: _changed(found[name], method) for name in changes} == changes and method.sees == "both"
    alone = {"joint from the start": "joint", "detection only": "detection", "regression only": "regression"}
    for name, training in alone.items():
        (plan,) = found[name].trainings.values()
        assert list(found[name].trainings) == [training]
        assert replace(plan, epochs=method.cascade.trainings[training].epochs) == method.cascade.trainings[training]
        assert replace(found[name], **method.cascade.trainings) == method.cascade
    assert found.keys() == {"two stages"} | changes.keys() | alone.keys()


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_cascades_that_are_compared_see_equally_many_pictures(profile: str) -> None:
    found = {name: variant.recipe for name, variant in variants(profile).items()}
    together = found["two stages"].cascade
    seen = {
        recipe.faces * sum(plan.epochs for plan in recipe.trainings.values())
        for recipe in (
            together,
            *(found[name] for name in ("joint from the start", "detection only", "regression only")),
        )
    }
    assert len(seen) == 1 and seen.pop() == together.faces * sum(plan.epochs for plan in together.trainings.values())


def test_variants_are_measured_by_what_they_have() -> None:
    found = variants("smoke")
    measures = {name: variant.measure for name, variant in found.items()}
    method = measures.pop("two stages")
    assert isinstance(method, partial) and method.func is whole and method.keywords == {"subjects": 8}
    assert measures.pop("joint from the start") is parts and measures.pop("frontal") is errors
    assert {measures.pop("detection only"), measures.pop("regression only")} == {one_part}
    assert set(measures.values()) == {depths}
    assert len({variant.what for variant in found.values()}) == len(found)


def test_depth_networks_share_a_cascade(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained once a seed; the others have cascades of their own."""
    trained: list[tuple[CascadeRecipe, int]] = []

    def train(self: CascadeRecipe, seed: int, device: str) -> Fitted:
        assert device == "cpu"
        trained.append((self, seed))
        return Fitted(nn.Identity(), [])

    monkeypatch.setattr(CascadeRecipe, "train", train)
    two_stage_studies._cascade.cache_clear()
    found, device = variants("smoke"), torch.device("cpu")
    starting = {name: variant.start for name, variant in found.items() if variant.start is not None}
    assert found.keys() - starting.keys() == {"joint from the start", "detection only", "regression only", "frontal"}
    first = [start(3, device) for start in starting.values()]
    assert all(each is first[0] for each in first)
    assert starting["two stages"](4, device) is not first[0]
    assert trained == [(found["two stages"].recipe.cascade, 3), (found["two stages"].recipe.cascade, 4)]
    two_stage_studies._cascade.cache_clear()  # what it holds was not trained


# --------------------------------------------------------------------------------------------------------- numbers


def test_summary_by_hand() -> None:
    yaw = torch.tensor([0.0, -30.0, 30.1, -60.0, 61.0, -100.0])
    given = torch.tensor([0.01, 0.03, 0.05, 0.2, 0.0, 0.1])
    means = {"": 0.065, " 0-30": 0.02, " 30-60": 0.125, " 60-90": 0.05}
    found = summary({"gte_xyz": given, "nme": 2 * given}, yaw)
    areas = [0.9, 0.7, 0.5, 0.0, 1.0, 0.0]  # what is left of 10 %
    expected = {f"gte_xyz{part}": mean for part, mean in means.items()} | {"auc": sum(areas) / 6}
    assert found == pytest.approx(expected | {f"nme{part}": 2 * mean for part, mean in means.items()})
    assert THRESHOLD == 0.1 and "auc" not in summary({"gte_z": given}, yaw)


class _HowFarRight(nn.Module):
    """Depths that say how far right each landmark's heatmap has its peak."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, seen: Tensor) -> Tensor:
        return decode_heatmaps(seen[:, 3:], DECODER)[..., 0]


def _cascade(recipe: CascadeRecipe) -> PartCascade:
    """Untrained, but its answers depend on what it sees."""
    cascade = recipe.model(1).eval()
    torch.manual_seed(0)
    for network, last in ((cascade.detection, "score"), (cascade.regression, "heatmaps")):
        if network is not None:
            nn.init.normal_(getattr(network, last).weight)
    return cascade


@pytest.fixture(scope="module")
def model(recipe: TwoStageRecipe) -> TwoStage:
    return TwoStage(_cascade(recipe.cascade), _HowFarRight()).eval()  # type: ignore[arg-type]


def test_depths_of_found_and_of_true_heatmaps(recipe: TwoStageRecipe, model: TwoStage) -> None:
    measured, faces = depths(recipe, model), recipe.test_set()
    assert {name: numbers.keys() for name, numbers in measured.items()} == {
        "plain": THREE,
        "given true heatmaps": {f"gte_z{part}" for part in BINS},
    }
    target, right = truth(faces), truth(faces).clone()
    right[..., 2] = target[..., 0] - target[..., 0].mean(1, keepdim=True)
    given = float(gte(right, target, "z").mean())
    assert measured["given true heatmaps"]["gte_z"] == pytest.approx(given, rel=0.01)
    points, flat_errors = recipe.evaluate(model, faces)
    assert measured["plain"]["nme"] == pytest.approx(float(flat_errors.mean()))
    for axes in AXES:
        expected = float(gte(points, target, axes.removeprefix("gte_")).mean())
        assert measured["plain"][axes] == pytest.approx(expected)
    assert errors(recipe, model) == {"plain": measured["plain"]}


def test_both_parts_of_a_cascade(recipe: TwoStageRecipe, model: TwoStage) -> None:
    cascade, faces = model.cascade, recipe.test_set()
    measured = parts(recipe.cascade, cascade)
    assert measured.keys() == {"plain", "detection", "another's detection"}
    assert all(numbers.keys() == TWO for numbers in measured.values())
    alone = PartCascade(cascade.detection, None).eval()
    expected = {
        "plain": recipe.cascade.evaluate(cascade, faces)[1],
        "detection": recipe.cascade.evaluate(alone, faces)[1],
        "another's detection": nme(_of_others(recipe.cascade, cascade), truth(faces)[..., :2], "bbox"),
    }
    found = {name: float(each.mean()) for name, each in expected.items()}
    assert {name: numbers["nme"] for name, numbers in measured.items()} == pytest.approx(found, rel=1e-3)
    assert len(set(found.values())) == 3
    only = replace(recipe.cascade, regression=None, joint=None)
    assert one_part(only, alone) == {"plain": measured["detection"]}


def _of_others(recipe: CascadeRecipe, cascade: PartCascade) -> Tensor:
    """Landmarks of heatmaps that are refined from the discs of the face before, round the batch."""
    faces, found = recipe.test_set(), []
    for batch in (range(16), range(16, 20)):
        crop = recipe.cut(type(faces[0]).stack([faces[index] for index in batch]))
        with torch.inference_mode():
            logits = cascade.detection(crop.image)
            moved = torch.stack([logits[index - 1] for index in range(len(batch))])
            found.append(read_maps(crop, None, cascade.refine(crop.image, moved)))
    return torch.cat(found)


def test_the_mean_face_turned_as_each_face_is(recipe: TwoStageRecipe) -> None:
    faces = recipe.test_set()
    kept = [index for index in range(68) if index not in (60, 64)]
    places = faces.face.vertices()[0, faces.face.landmarks][kept]
    found = mean_depths(faces)
    assert found.shape == (20, 66)
    for index in range(20):
        towards = faces[index].parameters[8:11]  # the camera's third row: what is nearer to the viewer
        expected = places @ towards
        torch.testing.assert_close(found[index], expected - expected.mean(), atol=1e-4, rtol=1e-4)
    apart = (found - truth(faces)[..., 2]).std() / truth(faces)[..., 2].std()
    assert 0.02 < float(apart) < 0.3  # near the true depths, which are of other faces


def test_the_whole_method_is_measured_in_all_its_parts(recipe: TwoStageRecipe, model: TwoStage) -> None:
    measured = whole(recipe, model, subjects=2)
    assert list(measured) == ["plain", "given true heatmaps", "detection", "another's detection", "mean face", "views"]
    assert measured["mean face"].keys() == THREE == measured["plain"].keys()
    points = recipe.evaluate(model, recipe.test_set())[0].clone()
    points[..., 2] = mean_depths(recipe.test_set())
    expected = float(gte(points, truth(recipe.test_set()), "z").mean())
    assert measured["mean face"]["gte_z"] == pytest.approx(expected, rel=1e-5)
    assert measured["mean face"]["gte_xy"] == pytest.approx(measured["plain"]["gte_xy"])
    assert measured["detection"] == parts(recipe.cascade, model.cascade)["detection"]


# ----------------------------------------------------------------------------------------------------------- views


@pytest.fixture(scope="module")
def seen(recipe: TwoStageRecipe, cache: Any) -> dict[float, SyntheticFaces]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACELAB_CACHE", str(cache))
        return views(recipe, 2)


def test_views_are_of_the_same_subjects_in_the_same_light(seen: dict[float, SyntheticFaces]) -> None:
    assert tuple(seen) == VIEWS
    first = seen[VIEWS[0]]
    for yaw, faces in seen.items():
        assert len(faces) == 2
        torch.testing.assert_close(faces.poses[:, 1], torch.full((2,), math.radians(yaw)))
        assert torch.equal(faces.poses[:, [0, 2]], first.poses[:, [0, 2]])
        for index in range(2):
            mine, theirs = faces[index].parameters, first[index].parameters
            assert torch.equal(mine[12:], theirs[12:])
            assert yaw == VIEWS[0] or not torch.allclose(mine[:12], theirs[:12], atol=0.1)
        assert faces.seed == first.seed
        for part in ("light", "palette", "background", "style"):
            (ours, others) = (_scene(each, part) for each in (faces, first))
            assert (
                ours and ours.keys() == others.keys() and all(torch.equal(ours[name], others[name]) for name in ours)
            ), part
    assert not torch.equal(first[0].parameters[12:], first[1].parameters[12:])


def _scene(faces: SyntheticFaces, part: str) -> dict[str, Tensor]:
    """The numbers of a part of the scenes that a set of these ranges draws."""
    scene = sample_scene(faces.face, 4, faces.size, faces.ranges, torch.Generator().manual_seed(5))
    found = asdict(scene)[part]
    return {name: value for name, value in flat(found).items() if isinstance(value, Tensor)}


def test_the_subjects_of_the_views_are_new(recipe: TwoStageRecipe, seen: dict[float, SyntheticFaces]) -> None:
    known = [
        faces[index].parameters[12:52] for faces in (recipe.training_set(), recipe.test_set()) for index in range(8)
    ]
    assert not any(torch.equal(seen[0.0][0].parameters[12:52], each) for each in known)


def test_errors_across_views(
    recipe: TwoStageRecipe, seen: dict[float, SyntheticFaces], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landmarks of the right shape, turned wrongly at 30 degrees; at -60 twice as deep."""
    predicted = {yaw: truth(faces) for yaw, faces in seen.items()}
    predicted[30.0] = predicted[0.0].clone()
    predicted[-60.0][..., 2] *= 2

    def evaluate(self: TwoStageRecipe, model: nn.Module, faces: SyntheticFaces) -> tuple[Tensor, None]:
        return predicted[round(math.degrees(float(faces.poses[0, 1])))], None

    monkeypatch.setattr(TwoStageRecipe, "evaluate", evaluate)
    found = across_views(recipe, nn.Identity(), 2)  # type: ignore[arg-type]
    told = ("-60", "-30", "+0", "+30", "+60")
    pairs = [(here, there) for here in told for there in told]
    names = {f"gte_xyz {yaw}" for yaw in told} | {f"cvgtce {here} to {there}" for here, there in pairs}
    assert found.keys() == names | {f"agreement {here} to {there}" for here, there in pairs if here != there}
    for yaw, wrong in zip(told, (True, False, False, True, False), strict=True):
        assert (found[f"gte_xyz {yaw}"] > 0.05) == wrong and (wrong or found[f"gte_xyz {yaw}"] < 1e-6)
    for here, there in pairs:
        assert (found[f"cvgtce {here} to {there}"] > 0.01) == (here == "-60"), (here, there)
        if here != there:
            assert (found[f"agreement {here} to {there}"] > 0.01) == ("-60" in (here, there)), (here, there)
