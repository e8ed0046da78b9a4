"""FAN's studies: what sets each variant apart, and the numbers that are taken of it."""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import (
    DECODERS,
    FaceSample,
    encode_heatmaps,
    landmark_box,
    to_heatmap_pixels,
)
from facelab.models import FAN
from facelab.models.counting import parameters
from facelab.recipes import fan_studies
from facelab.recipes.fan import FanRecipe
from facelab.recipes.fan_studies import (
    DECODER,
    LABEL_NOISES,
    LOST,
    LOST_SIDE,
    NOISES,
    SIDES,
    SIGMAS,
    THRESHOLD,
    stacked,
    summary,
    variants,
    width_of_equals,
)
from facelab.training import describe
from facelab.training.describe import flat

_variants = functools.cache(variants)  # the gpu profile's count the parameters of large networks
NUMBERS = {f"{name}{part}" for name in ("nme", "auc") for part in ("", " 0-30", " 30-60", " 60-90")}


pytestmark = pytest.mark.usefixtures("cached")


# -------------------------------------------------------------------------------------------------------- variants


def _changed(recipe: Any, base: Any) -> dict[str, object]:
    """The fields in which a recipe differs from its base, with dotted names."""
    mine, theirs = flat(describe(recipe)), flat(describe(base))
    return {name: mine.get(name) for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_a_variant_differs_in_what_its_name_says(profile: str) -> None:
    found = {name: variant.recipe for name, variant in _variants(profile).items()}
    base = found["4 stacks" if profile == "gpu" else "1 stack"]  # gpu changes the largest network, others the smallest
    for stacks in (1, 2, 3, 4):
        assert replace(found[stacked(stacks)], stacks=base.stacks) == base and found[stacked(stacks)].stacks == stacks
    assert _changed(found["bottleneck"], base) == {"block": "bottleneck"}
    assert _changed(found["2D-FAN"], base) == {"jaw": "2d"}
    assert replace(found["hierarchical"], width=base.width) == base
    assert _changed(found["last stack only"], found["2 stacks"]) == {"supervision": "last"}
    assert _changed(found["frontal"], found["FAN's crop"]) == {"yaw": [-30.0, 30.0]}
    assert found["2D to 3D"].fan == base and found["2D to 3D"].guide == "own"
    assert _changed(found["2D to 3D, another's"], found["2D to 3D"]) == {"guide": "another"}
    assert _changed(found["depth, unguided"], found["depth, guided"]) == {"sees": "picture"}
    for noise in LABEL_NOISES:
        assert _changed(found[f"label noise {noise}"], base) == {"label_noise": noise}
    sigmas = {name: recipe for name, recipe in found.items() if name.startswith("sigma")}
    assert {base.sigma, *(recipe.sigma for recipe in sigmas.values())} == set(SIGMAS[profile])
    for name, recipe in sigmas.items():
        assert _changed(recipe, base) == {"sigma": float(name.removeprefix("sigma "))}


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_the_depth_network_sees_the_faces_of_the_other_studies(profile: str) -> None:
    found = _variants(profile)
    depth, base = found["depth, guided"].recipe, found["2D to 3D"].recipe.fan
    shared = ("size", "picture", "faces", "test_faces", "crop", "margin", "training", "augmentation")
    assert all(getattr(depth, name) == getattr(base, name) for name in shared)
    network = recipes.get("fan-depth", profile)
    assert (depth.blocks, depth.width, depth.sigma) == (network.blocks, network.width, network.sigma)


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_the_disturbed_network_sees_as_much_around_the_face_as_the_papers(profile: str) -> None:
    recipe, paper = _variants(profile)["FAN's crop"].recipe, recipes.get("fan", "gpu")
    assert recipe.crop == paper.crop == "fan" and recipe.margin == paper.margin
    assert recipe.yaw == (-90.0, 90.0)
    if profile != "gpu":
        assert recipe.augmentation.shift == 0.1  # a tenth of the crop: a fifth of the box


@pytest.mark.parametrize("profile", recipes.PROFILES)
def test_every_variant_is_told_apart_and_tested_at_its_end(profile: str) -> None:
    found = _variants(profile)
    told = [variant.what for variant in found.values()]
    assert all(told) and len(set(told) - {"width of the target heatmaps"}) >= len(found) - len(SIGMAS[profile]) - 1
    for name, variant in found.items():
        training = variant.recipe.training
        assert profile == "gpu" or training.evaluate_every == training.epochs, name


@pytest.mark.parametrize(("profile", "apart"), [("quick", 0.03), ("cpu", 0.03), ("gpu", 0.045)])
def test_equal_networks_have_equally_many_parameters(profile: str, apart: float) -> None:
    """Nearly: widths are multiples of 16."""
    found = _variants(profile)
    with torch.device("meta"):
        few, many = (parameters(found[name].recipe.model()) for name in ("hierarchical", "bottleneck"))
    assert few == pytest.approx(many, rel=apart)
    wide = found["bottleneck"].recipe
    assert width_of_equals(wide) == found["hierarchical"].recipe.width < wide.width


def test_parameters_are_counted() -> None:
    assert parameters(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))) == 3 * 4 + 4 + 4 + 4
    with torch.device("meta"):
        assert parameters(FAN(1, width=32, depth=1)) < parameters(FAN(2, width=32, depth=1))


# --------------------------------------------------------------------------------------------------------- numbers


def test_summary_by_hand() -> None:
    errors = torch.tensor([0.01, 0.03, 0.07, 0.14, 0.0, 0.035])
    yaw = torch.tensor([0.0, -30.0, 30.1, -60.0, 61.0, -100.0])
    areas = [1 - 1 / 7, 1 - 3 / 7, 0.0, 0.0, 1.0, 0.5]  # what is left of 7 %
    assert summary(errors, yaw) == pytest.approx(
        {
            "nme": float(errors.mean()),
            "nme 0-30": 0.02,
            "nme 30-60": 0.105,
            "nme 60-90": 0.0175,
            "auc": sum(areas) / 6,
            "auc 0-30": sum(areas[:2]) / 2,
            "auc 30-60": 0.0,
            "auc 60-90": 0.75,
        }
    )
    assert THRESHOLD == 0.07


class _Coordinates:
    """Pictures that say where each of their pixels lies and which face they are of."""

    def __init__(self, count: int = 12, side: int = 96) -> None:
        self.count, self.side = count, side
        generator = torch.Generator().manual_seed(0)
        self.landmarks = side / 2 + 16 * (torch.rand(count, 68, 3, generator=generator) - 0.5)
        self.poses = torch.zeros(count, 3)
        self.poses[:, 1] = torch.linspace(-1.5, 1.5, count)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> FaceSample:
        if index >= self.count:
            raise IndexError(index)
        rows, columns = torch.meshgrid(torch.arange(float(self.side)), torch.arange(float(self.side)), indexing="ij")
        which = torch.full_like(rows, (index + 1) / self.count)
        x0, y0, x1, y1 = landmark_box(self.landmarks[index])
        return FaceSample(
            image=torch.stack([columns / self.side, rows / self.side, which]),
            landmarks=self.landmarks[index],
            visible=torch.ones(68, dtype=torch.bool),
            box=torch.stack([x0 - 8, y0 - 8, x1 + 8, y1 + 8]),  # roomy: noise in it cuts nothing off
            pose=self.poses[index],
            parameters=torch.zeros(62),
            name=f"coordinates-{index}",
            markup="68",
        )


class _AlwaysRight(nn.Module):
    """Reads from the picture which face it is and where its pixels lie, and so where the landmarks are."""

    def __init__(self, faces: _Coordinates) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.faces = faces

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = [self._maps(image) for image in images]
        return [torch.stack(maps)]

    def _maps(self, image: Tensor) -> Tensor:
        size = image.shape[1]
        middle = slice(size // 4, 3 * size // 4)
        seen = image[:, middle, middle].flatten(1).double()
        face = self.faces.landmarks[round(float(image[2].max()) * self.faces.count) - 1, :, :2].double()
        at = torch.cartesian_prod(torch.arange(size)[middle], torch.arange(size)[middle]).flip(1).double()
        here = torch.cat([self.faces.side * seen[:2].T, torch.ones(len(at), 1)], 1)
        affine = torch.linalg.lstsq(here, at, driver="gelsd").solution
        points = torch.cat([face, torch.ones(68, 1)], 1).double() @ affine
        side = size // 4
        return encode_heatmaps(to_heatmap_pixels(points.float()[None], 4), side, side, 1.0)[0]


@dataclass(frozen=True)
class _OnCoordinates(FanRecipe):
    """A recipe that is tested on pictures of coordinates."""

    def test_set(self, progress: bool = False) -> Any:
        del progress
        return _Coordinates()


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, float]]:
    plain = _variants("smoke")["FAN's crop"].recipe
    settings = {name: getattr(plain, name) for name in (field.name for field in fields(FanRecipe))} | {"size": 96}
    return fan_studies.robustness(_OnCoordinates(**settings), _AlwaysRight(_Coordinates()))


def test_robustness_asks_for_every_disturbance(measured: dict[str, dict[str, float]]) -> None:
    names = {"plain", "mirrored", f"shift {LOST}", *(f"side {side}" for side in (*SIDES, LOST_SIDE))}
    names |= {f"{kind} {noise}" for kind in ("shift", "scale", "both") for noise in NOISES}
    assert measured.keys() == names | {f"tested with label noise {noise}" for noise in LABEL_NOISES}
    assert all(numbers.keys() == NUMBERS for numbers in measured.values())


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", ["shift", "scale", "both"])
def test_who_is_always_right_is_not_disturbed_by_boxes(
    measured: dict[str, dict[str, float]], kind: str, noise: float
) -> None:
    assert measured["plain"]["nme"] < 2e-3
    assert measured[f"{kind} {noise}"]["nme"] < 2e-3 and measured[f"{kind} {noise}"]["auc"] > 0.97


def test_a_box_that_misses_the_face_is_a_disturbance_for_anyone(measured: dict[str, dict[str, float]]) -> None:
    assert measured[f"shift {LOST}"]["nme"] > 20 * measured["plain"]["nme"]


def test_who_is_always_right_errs_by_the_noise_of_the_labels(measured: dict[str, dict[str, float]]) -> None:
    """As far as the true box goes: the box of the noisy labels, over which the error is taken, is a little larger."""
    roomy = _Coordinates()[0].box
    true = landmark_box(_Coordinates().landmarks[0])
    ratio = float(((roomy[2:] - roomy[:2]).prod() / (true[2:] - true[:2]).prod()).sqrt())
    for noise in LABEL_NOISES:
        expected = noise * math.sqrt(math.pi / 2) * ratio
        error = measured[f"tested with label noise {noise}"]["nme"]
        assert 0.75 * expected < error < 1.02 * expected


class _Stacks(nn.Module):
    """Maps of noise, another for each stack, and always the same."""

    def __init__(self, stacks: int, side: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.maps = torch.rand(stacks, 68, side, side, generator=torch.Generator().manual_seed(0))

    def forward(self, images: Tensor) -> list[Tensor]:
        return [maps.expand(len(images), -1, -1, -1) for maps in self.maps]


def test_every_stack_is_read_by_every_decoder() -> None:
    recipe = _variants("smoke")["3 stacks"].recipe
    network = _Stacks(3, 8)
    found = fan_studies.by_stack(recipe, network)
    named = {f"stack {stack}, {decoder}" for stack in (1, 2, 3) for decoder in DECODERS}
    assert found.keys() == {"plain", "mirrored"} | named
    assert found["plain"] == pytest.approx(found[f"stack 3, {DECODER}"])
    assert len({found[f"stack {stack}, {DECODER}"]["nme"] for stack in (1, 2, 3)}) == 3
    faces = recipe.test_set()
    errors = recipe.evaluate(network, faces, decoder=DECODER, mirror=True)[1]
    assert found["mirrored"] == pytest.approx(summary(errors, faces.poses[:, 1].rad2deg()))


def test_inexact_guides_cost_what_they_are_off() -> None:
    """A network that copies its guides, and one whose depths are the same whatever it sees."""
    found = _variants("smoke")
    lifted, depth = found["2D to 3D"].recipe, found["depth, guided"].recipe
    lifted = replace(lifted, fan=replace(lifted.fan, size=128), guide_sigma=4.0)
    numbers = fan_studies.lifting(lifted, _Copies())
    errors = [numbers[name]["nme"] for name in ("plain", *(f"2D landmarks off by {noise}" for noise in LABEL_NOISES))]
    assert errors == sorted(errors) and errors[2] - errors[1] > 0.02
    blind = fan_studies.depths(depth, _Flat())
    assert blind.keys() == {"plain", *(f"landmarks off by {noise}" for noise in LABEL_NOISES)}
    assert all(numbers == pytest.approx(blind["plain"]) for numbers in blind.values())
    assert blind["plain"].keys() == {name.replace("nme", "gte") for name in NUMBERS if name.startswith("nme")}


class _Copies(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, guided: Tensor) -> list[Tensor]:
        return [nn.functional.avg_pool2d(guided[:, 3:], 4)]


class _Flat(_Copies):
    def forward(self, guided: Tensor) -> Tensor:
        return guided.new_zeros(len(guided), 68)


def test_every_variant_has_a_measure_that_goes_with_its_recipe() -> None:
    """Untrained networks: that there is an answer, and that it holds the headline number."""
    for name, measured in _untrained():
        number = "gte" if name.startswith("depth") else "nme"
        assert math.isfinite(measured["plain"][number]), name


def _untrained() -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    found = _variants("smoke")
    for name in ("1 stack", "2D to 3D, another's", "depth, unguided", "2D-FAN", "label noise 0.05"):
        yield name, found[name].measure(found[name].recipe, found[name].recipe.model())
