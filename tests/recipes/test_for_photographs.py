"""The recipes of the networks that come with the book."""

from dataclasses import asdict, replace

import pytest
import torch

from facelab import recipes
from facelab.data import FaceSample
from facelab.recipes.shipping import LARGEST

NAMES = [name for name in recipes.RECIPES if name.endswith("-photographs")]
pytestmark = pytest.mark.usefixtures("cached")
_ALL = 25 * 10**6  # bytes of all networks that come with the book, those of depths included


def _bytes(name: str) -> int:
    model = recipes.get(name, "cpu").model()
    return sum(value.numel() * (2 if value.is_floating_point() else 8) for value in model.state_dict().values())


def test_all_are_small_enough_to_ship() -> None:
    sizes = {name: _bytes(name) for name in (*NAMES, "fan-depth")}
    assert len(sizes) == 6 and max(sizes.values()) < LARGEST, sizes
    assert sum(sizes.values()) < _ALL, sizes


def test_all_learn_from_the_same_faces() -> None:
    """So that they are rendered once, and what tells the methods apart is not their faces."""

    def told(name: str) -> dict[str, object]:
        recipe = recipes.get(name, "cpu")
        faces = asdict(getattr(recipe, "cascade", recipe))
        return {key: faces[key] for key in ("faces", "test_faces", "picture", "margin", "yaw", "size")}

    first, *others = (told(name) for name in NAMES)
    assert all(other == first for other in others)
    assert first["faces"] == 8000 and first["test_faces"] == 1000


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("profile", ["smoke", "quick", "cpu"])
def test_pictures_are_changed_as_strongly_for_all(name: str, profile: str) -> None:
    recipe = recipes.get(name, profile)
    fan = recipes.get("fan-photographs", profile).augmentation
    changed = getattr(recipe, "cascade", recipe).augmentation
    parametric = name.split("-")[0] in ("tddfa", "cln")
    assert changed == replace(fan, mirror=0.0 if parametric else 0.5)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_answers_for_a_photograph(name: str) -> None:
    recipe = recipes.get(name, "smoke")
    with torch.inference_mode():
        found = recipe.landmarks(recipe.model(0).eval(), FaceSample.stack([recipe.test_set()[0]]), mirror=True)
    points = 66 if recipe.markup == "66" else 68
    assert found.shape[:2] == (1, points) and found.shape[2] in (2, 3)
    assert bool(found.isfinite().all())
