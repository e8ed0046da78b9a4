"""The quick network, trained here: its bar on synthetic faces, and what it makes of real photographs."""

from pathlib import Path

import pytest
import torch
from torch.utils.data import Subset

from facelab import recipes
from facelab.data import FaceSample
from facelab.data.readers import AFLW2000
from facelab.metrics import nme
from facelab.models import FAN
from facelab.recipes.fan import mean_shape

RECIPE = recipes.get("fan", "quick")


@pytest.fixture(scope="module")
def network() -> FAN:
    return RECIPE.train(seed=0)[0]


def test_a_third_of_the_mean_shapes_error(network: FAN) -> None:
    test, train = RECIPE.test_set(), RECIPE.training_set(0)
    boxes = torch.stack([test[i].box for i in range(len(test))])
    baseline = nme(mean_shape(RECIPE, train.landmarks, boxes), test.landmarks[..., :2], "bbox").mean()
    _, errors = RECIPE.evaluate(network, test)
    print(f"\nsynthetic, NME (bbox): FAN {100 * errors.mean():.2f} %, mean shape {100 * baseline:.2f} %")
    assert float(errors.mean()) <= float(baseline) / 3


def test_an_untrained_network_fails_that_bar() -> None:
    test = Subset(RECIPE.test_set(), range(40))
    _, errors = RECIPE.evaluate(RECIPE.model(0), test)  # type: ignore[arg-type]
    assert float(errors.mean()) > 0.25


def test_real_photographs(real_data: Path, network: FAN, capsys: pytest.CaptureFixture[str]) -> None:
    faces = AFLW2000(real_data / "real" / "AFLW2000")
    batch = FaceSample.stack([faces[i] for i in range(len(faces))])
    target = batch.landmarks[..., :2]
    with torch.inference_mode():
        predicted = RECIPE.landmarks(network, batch, mirror=True)
    errors = nme(predicted, target, "bbox")
    baseline = nme(mean_shape(RECIPE, RECIPE.training_set(0).landmarks, batch.box), target, "bbox")
    with capsys.disabled():
        print(f"\nAFLW2000-3D, {len(faces)} photographs, NME (bbox) in percent:")
        for name, ours, theirs in zip(batch.name, errors, baseline, strict=True):
            print(f"  {name}: FAN {100 * ours:5.2f}, mean shape {100 * theirs:5.2f}")
        print(f"  mean: FAN {100 * errors.mean():.2f}, mean shape {100 * baseline.mean():.2f}")
    assert float(errors.mean()) < float(baseline.mean())
