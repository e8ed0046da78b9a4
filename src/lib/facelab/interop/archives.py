"""Tensors from checkpoint files of PyTorch, without running anything that came in the file.

A file of ``torch.save`` is read by ``torch.load`` with ``weights_only=True``. A TorchScript archive holds a program
beside its tensors, and ``torch.jit.load`` may run parts of it; it is deprecated besides. The tensors alone need no
program: the archive is a zip file with one pickle that says how modules and tensors are nested, and one file of plain
numbers for each tensor. Here that pickle is read with stand-ins for every name in it, and any name that a network
does not need is refused.
"""

import io
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

_MAX_BYTES = 2 << 30  # of an archive, unpacked; the depth network has 235 MB
_MAX_PICKLE_BYTES = 32 << 20  # of its pickle; that of the depth network has some 200 kB
_MAX_ENTRIES = 100_000  # of all modules together
_STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# How TorchScript marks lists and dicts of one type.
_TYPED = {"build_intlist", "build_doublelist", "build_boollist", "build_tensorlist", "restore_type_tag"}
# Old training scripts keep an accuracy beside the weights, as a NumPy number; it is a number, whatever made it.
_NUMPY_SCALAR = np.float64(0).__reduce__()[0]
_NUMPY_NUMBERS: list[Any] = [
    (_NUMPY_SCALAR, "numpy.core.multiarray.scalar"),  # the name before NumPy 2
    (_NUMPY_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64)),
]


class _Refusal(Exception):
    """What is not admitted, as the end of a sentence."""


def read_checkpoint(path: str | Path) -> Any:
    """What a checkpoint holds, on the CPU: the mapping that was saved, or the state dict of a TorchScript archive.

    Raises:
        FileNotFoundError: without the file.
        ValueError: when it is no such file, damaged, or names anything that could run code.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such checkpoint; expected a file of torch.save or a TorchScript archive")
    if _is_torchscript(file):
        return _torchscript_tensors(file)
    try:
        with torch.serialization.safe_globals(_NUMPY_NUMBERS):
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in many ways
        refused = re.search(r"unsupported global:? (?:GLOBAL )?(\S+)", str(error), re.IGNORECASE)
        if refused:
            raise ValueError(
                f"{file}: expected tensors and plain values, but it names {refused[1]!r}, which could run code; if you "
                f"trust the file, load it yourself, save its state dict alone with torch.save and read that"
            ) from error
        raise ValueError(
            f"{file}: expected a whole file of torch.save or a TorchScript archive; reading failed with a "
            f"{type(error).__name__}"
        ) from error


def _is_torchscript(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _torchscript_tensors(file: Path) -> dict[str, Tensor]:
    try:
        with zipfile.ZipFile(file) as archive:
            return dict(_tensors(_ArchiveUnpickler(archive).load(), "", [0]))
    except _Refusal as refusal:
        raise ValueError(f"{file}: expected the TorchScript archive of a network, but {refusal}") from refusal
    except Exception as error:
        raise ValueError(
            f"{file}: expected a whole TorchScript archive: {type(error).__name__}: {str(error)[:200]}"
        ) from error


class _Module:
    """Stands for a module of whatever class: its attributes, and nothing that it can do."""

    attributes: Mapping[str, Any] = MappingProxyType({})  # pickles make modules without calling __init__

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise _Refusal(f"a module has a state of type {type(state).__name__}")
        self.attributes = state


def _tensors(module: Any, prefix: str, count: list[int]) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a module and those in it, as in its state dict."""
    if not isinstance(module, _Module):
        raise _Refusal(f"its root is no module but of type {type(module).__name__}")
    for name, value in module.attributes.items():
        count[0] += 1
        if count[0] > _MAX_ENTRIES:
            raise _Refusal(f"its modules have more than {_MAX_ENTRIES} entries")
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, _Module):
            yield from _tensors(value, f"{prefix}{name}.", count)


class _ArchiveUnpickler(pickle.Unpickler):
    """Reads ``data.pkl`` of an archive; finds stand-ins only."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._folder = _folder(archive)
        self._numbers: dict[tuple[str, torch.dtype], Tensor] = {}
        content = archive.read(f"{self._folder}data.pkl")
        _check_memory(content)
        super().__init__(io.BytesIO(content))

    def find_class(self, module: str, name: str, /) -> Any:
        if module.split(".")[0] == "__torch__":
            return _Module
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _strided
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle" and name in _TYPED:
            return _first
        raise _Refusal(f"it names {f'{module}.{name}'[:80]!r}, which could run code")

    def persistent_load(self, pid: Any, /) -> Tensor:
        """The numbers of one tensor: ``("storage", type, file in data/, device, count)``."""
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage" and isinstance(pid[1], torch.dtype)):
            raise _Refusal(f"it refers to {str(pid)[:80]}")
        _, dtype, file, _, _ = pid
        if (file, dtype) not in self._numbers:
            numbers = bytearray(self._archive.read(f"{self._folder}data/{file}"))
            self._numbers[file, dtype] = (
                torch.frombuffer(numbers, dtype=dtype) if numbers else torch.empty(0, dtype=dtype)
            )
        return self._numbers[file, dtype]


def _folder(archive: zipfile.ZipFile) -> str:
    """The folder that holds everything; sizes are looked at before anything is unpacked."""
    sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    pickles = [name for name in sizes if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise _Refusal(f"it has {len(pickles)} files data.pkl")
    if sum(sizes.values()) > _MAX_BYTES or sizes[pickles[0]] > _MAX_PICKLE_BYTES:
        raise _Refusal(f"it unpacks to more than {_MAX_BYTES} bytes, or data.pkl to more than {_MAX_PICKLE_BYTES}")
    return pickles[0].removesuffix("data.pkl")


def _check_memory(content: bytes) -> None:
    """A pickle numbers what it remembers; a large number would take memory out of proportion to the file."""
    for step, argument, _ in pickletools.genops(content):
        if step.name.endswith("PUT") and not (isinstance(argument, int) and 0 <= argument <= len(content)):
            raise _Refusal(f"it remembers things under the number {argument}")


def _strided(numbers: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    if not isinstance(numbers, Tensor) or torch.Size(size).numel() > numbers.numel():
        raise _Refusal(f"it has a tensor of shape {str(size)[:60]} from fewer numbers")
    return numbers.as_strided(size, stride, offset)


def _first(value: Any, *_: Any) -> Any:
    return value
