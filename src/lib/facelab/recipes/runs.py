"""Runs in folders: what was trained there, and the trained network."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facelab import recipes
from facelab.data import FaceSample
from facelab.metrics import nme
from facelab.recipes.settings import changed
from facelab.training import load_weights
from facelab.training.keeper import MODEL


def told(folder: str | Path) -> dict[str, Any]:
    """What was trained in a folder: ``recipe``, ``profile``, ``settings``, and all else that its ``run.json`` has.

    Raises:
        FileNotFoundError: if the folder holds no run. ValueError: if the file is damaged.
    """
    path = Path(folder) / "run.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: expected the folder of a run, with {path.name} and {MODEL}")
    try:
        what: dict[str, Any] = json.loads(path.read_text())
        for key in ("recipe", "profile", "settings"):
            if key not in what:
                raise KeyError(key)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected recipe, profile and settings: {error}") from error
    return what


def trained(folder: str | Path) -> tuple[Any, nn.Module]:
    """The recipe of a finished run and its network, in evaluation mode.

    Raises:
        FileNotFoundError: if the folder holds no finished run. ValueError: if a file in it is damaged.
    """
    what = told(folder)
    recipe = changed(recipes.get(what["recipe"], what["profile"]), what["settings"])
    model = recipe.model()
    load_weights(model, Path(folder) / MODEL)
    return recipe, model.eval()


def errors_on(recipe: Any, model: nn.Module, faces: Any, mirror: bool = False) -> Tensor:
    """NME over the box ``(N,)`` of faces in pictures of any size, over the landmarks that are there.

    Args:
        recipe: of a network that finds landmarks in a picture.
        faces: indexed ``FaceSample`` with the 68-point mark-up.
    Raises:
        ValueError: for another mark-up, or as :func:`markup_of`.
    """
    errors, wanted = [], markup_of(recipe)
    for index in range(len(faces)):
        sample: FaceSample = faces[index]
        if sample.markup != "68":
            raise ValueError(f"{sample.name}: expected the mark-up 68, got {sample.markup}")
        with torch.inference_mode():
            predicted = recipe.landmarks(model, FaceSample.stack([sample]), mirror=mirror)
        errors.append(error_of(predicted[0, :, :2], sample.converted(wanted)))
    return torch.stack(errors)


def markup_of(recipe: Any) -> str:
    """The mark-up of the landmarks that a recipe's network finds in a picture.

    Raises:
        ValueError: if it finds none, or is given landmarks, too.
    """
    name = getattr(recipe, "markup", None)
    if name is None or not hasattr(recipe, "landmarks"):
        raise ValueError(f"{type(recipe).__name__}: expected a network that finds landmarks in a picture")
    return str(name)


def error_of(predicted: Tensor, sample: FaceSample) -> Tensor:
    """NME over the box, a scalar, of points ``(L, 2)`` in a face's picture, over the landmarks that are there."""
    target = sample.landmarks[:, :2]
    present = target.isfinite().all(1)
    return nme(predicted[None, present], target[None, present], "bbox")[0]
