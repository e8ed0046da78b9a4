"""State dicts of other people's networks: under their keys, and into networks of this package."""

import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facelab.interop.archives import read_checkpoint

Checkpoint = str | Path | Mapping[str, Any]

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = re.compile(r"^(?:module\.|_orig_mod\.)+")  # of networks spread over devices, and of compiled ones


def named_tensors(checkpoint: Checkpoint) -> tuple[dict[str, Tensor], str]:
    """The state dict of a checkpoint under the authors' keys, and what to call it in a message."""
    content: Any = checkpoint if isinstance(checkpoint, Mapping) else read_checkpoint(checkpoint)
    source = "state dict" if isinstance(checkpoint, Mapping) else str(checkpoint)
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"{source}: expected a state dict, got {type(content).__name__} without tensors")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ValueError(f"{source}: expected a state dict, but {key!r} is of type {type(value).__name__}")
    return {_PREFIXES.sub("", key): value for key, value in content.items()}, source


def size_of(tensors: Mapping[str, Tensor], key: str, axis: int, usual: int, multiple_of: int = 1) -> int:
    """Of a tensor along an axis. If no network has it, what the authors' has: the key is then found to be wrong."""
    tensor = tensors.get(key)
    size = 0 if tensor is None or tensor.ndim <= axis else tensor.shape[axis]
    return usual if size == 0 or size % multiple_of else size


def run_length(tensors: Mapping[str, Tensor], pattern: str, first: int = 0) -> int:
    """How many keys of a numbered pattern follow each other from the first number on."""
    return next(index for index in count(first) if pattern.format(index) not in tensors) - first


def fill(network: nn.Module, names: Mapping[str, str], tensors: Mapping[str, Tensor], what: str) -> None:
    """Gives a network on the meta device memory and values, after keys and shapes were found right."""
    state, unread = {}, dict(tensors)
    for ours, room in network.state_dict().items():
        module, _, leaf = ours.rpartition(".")
        theirs = f"{names[module]}.{leaf}"
        value = unread.pop(theirs, None)
        if value is None and leaf == "num_batches_tracked":
            value = torch.zeros((), dtype=torch.long)
        if value is None:
            raise ValueError(f"{what}, but {theirs!r} of shape {tuple(room.shape)} is missing")
        if value.shape != room.shape:
            raise ValueError(f"{what}, but {theirs!r} has shape {tuple(value.shape)}, expected {tuple(room.shape)}")
        state[ours] = value
    for theirs, value in unread.items():
        raise ValueError(f"{what}, which has no {theirs!r}, here of shape {tuple(value.shape)}")
    network.to_empty(device="cpu").eval().load_state_dict(state)
