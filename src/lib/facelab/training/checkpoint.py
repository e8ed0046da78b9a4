"""Checkpoints that are there whole or not at all."""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch


def save_checkpoint(state: dict[str, Any], path: str | Path) -> None:
    """Writes tensors, numbers and plain containers of them to a temporary file, then renames it.

    Raises:
        OSError: if it cannot be written; an older checkpoint of that name is untouched then.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        raise OSError(f"{path}: checkpoint not written: {error}") from error
    finally:
        Path(scratch).unlink(missing_ok=True)


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
