"""Trained networks that come with the book: half the bytes, and a card that says what they are."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facelab.models.counting import parameters
from facelab.provenance import provenance
from facelab.recipes.runs import told, trained
from facelab.training import save_weights
from facelab.training.keeper import MODEL
from facelab.training.replacing import replacing

LARGEST = 8 * 10**6  # bytes of the weights


def ship(run: Path, output: Path) -> Path:
    """Writes the network of a finished run with weights in half precision, and its card.

    Args:
        run: folder of the run. output: gets ``model.safetensors``, ``run.json`` and ``README.md``; what is there is
            replaced.
    Returns:
        The card.
    Raises:
        FileNotFoundError, ValueError: as :func:`facelab.recipes.runs.trained`. ValueError: if the weights would be
            larger than 8 MB.
    """
    recipe, model = trained(run)
    what = told(run)
    whole = _scores(recipe, model)
    _round(model)
    size = sum(value.numel() * value.element_size() for value in _half(model).values())
    if size > LARGEST:
        raise ValueError(f"{run}: {size / 1e6:.1f} MB in half precision; expected at most {LARGEST / 1e6:.0f} MB")
    output.mkdir(parents=True, exist_ok=True)
    notes = {key: json.dumps(value) for key, value in what.items()}
    card = _card(recipe, model, what, (whole, _scores(recipe, model)), size)
    save_weights(model.half(), output / MODEL, notes)
    for name, text in (("run.json", json.dumps(what, indent=1) + "\n"), ("README.md", card)):
        with replacing(output / name) as scratch:
            scratch.write_text(text, encoding="utf-8")
    return output / "README.md"


def _round(model: nn.Module) -> None:
    """To what half precision can hold, in place; the type of the weights stays."""
    model.load_state_dict(_half(model))


def _half(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}


def _scores(recipe: Any, model: nn.Module) -> dict[str, float]:
    with torch.inference_mode():
        return {name: float(errors.mean()) for name, errors in recipe.measure(model.eval(), slice(None)).items()}


def _card(
    recipe: Any, model: nn.Module, what: dict[str, Any], scores: tuple[dict[str, float], dict[str, float]], size: int
) -> str:
    about, (whole, half) = provenance(), scores
    measured = "; ".join(
        f"{name} {100 * half[name]:.3f} % ({100 * whole[name]:.3f} % before rounding)" for name in half
    )
    command = f"python -m facelab train {what['recipe']} --profile {what['profile']} --seed {what['seed']}"
    command += "".join(f" --set {field}={value}" for field, value in what["settings"].items())
    rows = {
        "recipe": f"`{what['recipe']}`, profile `{what['profile']}`, seed {what['seed']}: `{command}`",
        "faces": f"{recipe.faces} rendered with the built-in face; no photograph",
        "epochs": ", then ".join(f"{each.epochs} {name}".strip() for name, each in recipe.trainings.items()),
        "size": f"{parameters(model):,} parameters, {size / 1e6:.2f} MB in half precision",
        "scores": f"on {len(recipe.test_set())} unseen rendered faces: {measured}",
        "made": f"{about['time']}, commit {about['commit']}, {about['processor']}, torch {torch.__version__}",
        "licence": "that of this repository; neither data nor weights of others went into it",
    }
    lines = [f"# {what['recipe']}", "", *(f"- **{name}:** {value}" for name, value in rows.items()), ""]
    return "\n".join(lines)
