"""Checkpoints that are there whole or not at all."""

from pathlib import Path
from typing import Any

import torch

from facelab.training.replacing import replacing


def save_checkpoint(state: dict[str, Any], path: str | Path) -> None:
    """Writes tensors, numbers and plain containers of them to a temporary file, then renames it.

    Raises:
        OSError: if it cannot be written; an older checkpoint of that name is untouched then.
    """
    path = Path(path)
    try:
        with replacing(path) as scratch, scratch.open("wb") as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        raise OSError(f"{path}: checkpoint not written: {error}") from error


def load_checkpoint(path: str | Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Reads a checkpoint; data only, a file that would run code is refused.

    Raises:
        FileNotFoundError: if there is none. ValueError: if it is damaged or holds anything but data.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # damaged bytes make the reader fail in many ways
        reason = str(error).strip().splitlines() or [""]
        raise ValueError(f"{path}: expected a whole checkpoint of tensors and numbers: {reason[0]}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path}: expected a checkpoint with named entries, got {type(state).__name__}")
    return state
