"""Trained weights as safetensors: a file of numbers that cannot hold code."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from facelab.training.replacing import replacing


def save_weights(model: nn.Module, path: str | Path, notes: dict[str, str] | None = None) -> None:
    """Writes all weights and buffers of a network to a temporary file, then renames it.

    Args:
        notes: kept in the header of the file: recipe, profile, seed ...
    Raises:
        OSError: if it cannot be written; an older file of that name is untouched then.
    """
    path = Path(path)
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    try:
        with replacing(path) as scratch:
            save_file(tensors, scratch, notes)
    except (OSError, SafetensorError) as error:
        raise OSError(f"{path}: weights not written: {error}") from error


def load_weights(model: nn.Module, path: str | Path) -> dict[str, str]:
    """Reads weights into a network of the same layers.

    Returns:
        The notes of the file.
    Raises:
        FileNotFoundError: if there is none. ValueError: if it is damaged, or of another network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights")
    try:
        with safe_open(path, "pt") as file:
            tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            notes = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: expected a safetensors file of weights: {error}") from error
    expected = model.state_dict()
    for name in sorted({*expected, *tensors}):
        here, there = (tuple(each[name].shape) if name in each else "none" for each in (expected, tensors))
        if here != there:
            raise ValueError(f"{path}: expected weights of this network; {name} is {there}, not {here}")
    model.load_state_dict(tensors)
    return notes
