"""Scores over single faces of any size are those over batches; recipes change field by field."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facelab import recipes
from facelab.recipes.runs import errors_on


def test_one_by_one_or_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELAB_CACHE", str(tmp_path))
    recipe = recipes.get("fan", "smoke")
    model, test = recipe.model(1).eval(), recipe.test_set()
    together = recipe.evaluate(model, test)[1]
    torch.testing.assert_close(errors_on(recipe, model, test), together, atol=1e-4, rtol=1e-3)
    holes = [replace(test[index], landmarks=test[index].landmarks.clone()) for index in range(3)]
    for sample in holes:
        sample.landmarks[:17] = torch.nan
    partly = errors_on(recipe, model, holes)
    assert partly.isfinite().all() and not torch.allclose(partly, together[:3])
    with pytest.raises(ValueError, match="synthetic-10000-0: expected the mark-up 68, got 98"):
        errors_on(recipe, model, [replace(test[0], markup="98")])


def test_fields_change_by_name_and_keep_their_kind() -> None:
    recipe = recipes.get("fan", "quick")
    other = recipes.changed(
        recipe,
        {"sigma": "2", "pool": "max", "training.clip": "1.5", "training.optimizer.name": "sgd",
         "augmentation.scale": "[0.9, 1.1]", "training.compile": "true"},
    )  # fmt: skip
    assert (other.sigma, other.pool, other.training.clip, other.training.compile) == (2.0, "max", 1.5, True)
    assert other.training.optimizer.name == "sgd" and other.augmentation.scale == (0.9, 1.1)
    assert recipe.sigma == 1.5 and other.training.epochs == recipe.training.epochs
    for name, value in (("sigma", "wide"), ("training.compile", "1"), ("training.epochs", "1.5")):
        with pytest.raises(ValueError, match=f"{name}: expected a value like"):
            recipes.changed(recipe, {name: value})
