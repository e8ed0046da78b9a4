"""What comes with the book: half the bytes, the same network, and a card that tells what it is."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from facelab import recipes
from facelab.data import FaceSample
from facelab.recipes import shipping
from facelab.recipes.runs import told, trained
from facelab.recipes.shipping import ship
from facelab.training import save_weights
from facelab.training.keeper import MODEL

pytestmark = pytest.mark.usefixtures("cached")


@pytest.fixture(params=["tddfa-photographs", "two-stage-photographs"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An untrained network in the form of a finished run."""
    folder = tmp_path / "run"
    folder.mkdir()
    what = {"recipe": request.param, "profile": "smoke", "settings": {}, "seed": 3}
    (folder / "run.json").write_text(json.dumps(what))
    save_weights(recipes.get(request.param, "smoke").model(3), folder / MODEL)
    return folder


def test_a_shipped_network_is_that_of_the_run_to_half_precision(run: Path, tmp_path: Path) -> None:
    card = ship(run, tmp_path / "shipped").read_text()
    weights = load_file(tmp_path / "shipped" / MODEL)
    floating = {value.dtype for value in weights.values() if value.is_floating_point()}
    assert floating == {torch.float16}
    assert told(tmp_path / "shipped") == told(run)
    (recipe, whole), (_, half) = trained(run), trained(tmp_path / "shipped")
    faces = FaceSample.stack([recipe.test_set()[0]])
    with torch.inference_mode():
        first, second = (recipe.landmarks(model, faces)[..., :2] for model in (whole, half))
    assert float((first - second).norm(dim=2).max()) < 1  # pixels of a picture of 40
    for word in (what_it_was(run), "64 rendered" if "tddfa" in card else "32 rendered", "licence", "before rounding"):
        assert word in card, word


def what_it_was(run: Path) -> str:
    return f"python -m facelab train {told(run)['recipe']} --profile smoke --seed 3"


def test_what_is_too_large_is_refused_and_nothing_is_left(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "LARGEST", 1000)
    with pytest.raises(ValueError, match="MB in half precision; expected at most"):
        ship(run, tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()
