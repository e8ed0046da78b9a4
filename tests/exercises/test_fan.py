"""Exercises of the chapters on FAN."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from facelab.data import decode_heatmaps, encode_heatmaps, to_heatmap_pixels
from facelab.exercises import verdict
from facelab.exercises.fan import FAN
from facelab.metrics import auc, nme
from facelab.recipes.fan import mirrored_back
from tests.exercises.knowing import assert_knows

DRAWN = torch.Generator().manual_seed(0)
WHERE_TO = 8 + 48 * torch.rand(20, 68, 2, generator=DRAWN)
MAPS = torch.rand(2, 3, 68, 8, 8, generator=DRAWN)
ON_HEAD = 100 * torch.rand(5, 68, 2, generator=DRAWN)
IN_VIEW = ON_HEAD.clone()
IN_VIEW[:, :17] += torch.randn(5, 17, 2, generator=DRAWN)
SPAN = (ON_HEAD.amax(1) - ON_HEAD.amin(1)).prod(1).sqrt()
GIVEN: dict[str, tuple[Any, ...]] = {
    "fan-stride": (4,),
    "fan-sigma": (WHERE_TO,),
    "fan-mirror": tuple(MAPS),
    "fan-area-ratio": (((0.03, 0.04), (0.04, 0.05)),),
    "fan-perfect": (3.0,),
    "fan-circle": (0.75,),
    "fan-mixed-rules": (ON_HEAD, IN_VIEW, SPAN, 1 / 3),
}


def test_every_exercise_is_tried() -> None:
    assert set(GIVEN) == set(FAN)


@pytest.mark.parametrize("label", GIVEN)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *GIVEN[label])


def test_the_shift_is_that_of_decoded_heatmaps() -> None:
    points = 40 + 100 * torch.rand(5, 68, 2, generator=DRAWN)
    decoded = decode_heatmaps(encode_heatmaps(to_heatmap_pixels(points, 4), 64, 64))
    assert verdict("fan-stride", (4 * decoded - points).mean((0, 1)), 4) == "Right."


def test_the_floors_are_those_of_decoded_heatmaps() -> None:
    def floors(decoder: str) -> list[float]:
        maps = (encode_heatmaps(WHERE_TO, 64, 64, sigma) for sigma in (0.5, 1.0, 2.0))
        return [float((decode_heatmaps(drawn, decoder) - WHERE_TO).norm(dim=2).mean()) for drawn in maps]

    assert verdict("fan-sigma", floors("quarter"), WHERE_TO) == "Right."
    assert verdict("fan-sigma", floors("argmax"), WHERE_TO) == "Not right: that is the floor of argmax."


def test_the_maps_are_added_as_by_the_library() -> None:
    maps, of_mirror = MAPS
    assert verdict("fan-mirror", maps + mirrored_back(of_mirror, "68"), maps, of_mirror) == "Right."


def test_the_ratios_are_those_of_areas() -> None:
    (pairs,) = GIVEN["fan-area-ratio"]
    areas = [[auc(torch.full((10,), error), 0.07) for error in pair] for pair in pairs]
    assert verdict("fan-area-ratio", [side / front for front, side in areas], pairs) == "Right."


def test_drawn_labels_are_as_far_away() -> None:
    off = 2.394 * torch.randn(200_000, 2, generator=DRAWN)
    assert off.norm(dim=1).mean() == pytest.approx(3.0, abs=0.01)
    assert verdict("fan-perfect", 2.394, 3.0) == "Right."


def test_errors_in_common_cancel() -> None:
    common, of_label, of_network = torch.randn(3, 200_000, 2, generator=DRAWN)
    label, network = (0.75**0.5 * common + 0.5 * own for own in (of_label, of_network))
    factor = (network - label).norm(dim=1).mean() / network.norm(dim=1).mean()
    assert verdict("fan-circle", (factor, 0.5), 0.75) == "Right."


def test_the_mean_of_both_rules_is_wrong_by_both() -> None:
    between = (2 * ON_HEAD + IN_VIEW) / 3
    errors = [100 * nme(between, rule, SPAN).mean() for rule in (ON_HEAD, IN_VIEW)]
    assert verdict("fan-mixed-rules", errors, *GIVEN["fan-mixed-rules"]) == "Right."
