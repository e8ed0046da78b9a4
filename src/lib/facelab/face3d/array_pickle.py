"""Reads pickles that hold NumPy arrays, and nothing that could run code.

A pickle is a program: loading one calls whatever functions it names. Here the names that make an array lead to small
stand-ins, and any other name is refused, so nothing of the file runs; NumPy sees plain bytes at the very end. Source:
"Restricting Globals" in the documentation of Python's ``pickle``; the forms of ``numpy.ndarray.__reduce_ex__``.
"""

import io
import math
import os
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_MAX_BYTES = 1 << 30  # of a file; the largest face models have 200 MB
_MAX_STEPS = 100_000  # a pickle of arrays has some tens for each
_MAX_DEPTH = 20  # of containers in containers
_PLAIN = (str, bytes, bytearray, int, float, bool, type(None))
_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,5})")
_UNFINISHED = object()
_FORBIDDEN_STEPS = {"PERSID", "BINPERSID", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ", "NEWOBJ_EX", "NEXT_BUFFER"}


def load_arrays(path: str | os.PathLike[str]) -> Any:
    """The content of a pickle of arrays, plain numbers, strings, and dicts, lists and tuples of them.

    Arrays are read-only. Binary pickles of Python 2 are read too; their strings are taken as Latin-1.

    Args:
        path: of the file, at most 1 GiB.
    Raises:
        FileNotFoundError: without the file.
        ValueError: when it is damaged, too large, or holds anything else, such as arrays of objects.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file; expected a pickle of arrays")
    size = file.stat().st_size
    if size > _MAX_BYTES:
        raise ValueError(f"{file}: expected a pickle of at most {_MAX_BYTES} bytes, got {size}")
    content = file.read_bytes()
    try:
        _check_steps(content)
        return _finished(_ArrayUnpickler(content).load(), {}, _MAX_DEPTH)
    except _Refusal as refusal:
        raise ValueError(f"{file}: expected a pickle of arrays and nothing else, but {refusal}") from refusal
    except Exception as error:  # a damaged pickle fails in many ways
        raise ValueError(f"{file}: expected a whole pickle of arrays: {type(error).__name__}: {error}") from error


class _Refusal(Exception):
    """What is not admitted, as the end of a sentence."""


def _check_steps(content: bytes) -> None:
    """Look through the program without running it: no step may take room or time out of proportion to the file."""
    for number, (step, argument, _) in enumerate(pickletools.genops(content)):
        if number >= _MAX_STEPS:
            raise _Refusal(f"it has more than {_MAX_STEPS} steps")
        if step.name in _FORBIDDEN_STEPS:
            raise _Refusal(f"it has a step {step.name}, which arrays do not need")
        if step.name.endswith("PUT") and not (isinstance(argument, int) and 0 <= argument <= _MAX_STEPS):
            raise _Refusal(f"it remembers things under the number {argument}")


class _Maker:
    """What a name in the pickle leads to: may be called, and cannot be changed."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise _Refusal("it sets attributes")

    def __setstate__(self, state: object) -> None:
        raise _Refusal("it changes a function")


class _DType:
    """Stands for a ``numpy.dtype``."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            what = "arrays of Python objects" if str(code).lstrip("<>|=").startswith("O") else f"arrays of {code!r}"
            raise _Refusal(f"it has {what[:60]}")
        self._code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, parts = state[1], state[2:5]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in parts):
            raise _Refusal("it has arrays of records")
        self._code = order + self._code.lstrip("<>|=")

    def real(self) -> np.dtype[Any]:
        return np.dtype(self._code)


class _Array:
    """Stands for a ``numpy.ndarray``: bytes (or Latin-1 text) with a type and a shape."""

    def __init__(self) -> None:
        self._parts: tuple[Any, ...] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        self._parts = (data, dtype, shape, "F" if fortran else "C", None)

    @staticmethod
    def of_buffer(data: object, dtype: object, shape: object, order: object, axes: object = None) -> "_Array":
        made = _Array()
        made._parts = (data, dtype, shape, order, axes)
        return made

    def real(self) -> np.ndarray[Any, Any]:
        if self._parts is None:
            raise _Refusal("it has an array without content")
        data, dtype, shape, order, axes = self._parts
        if isinstance(data, str):
            data = data.encode("latin1")
        if not isinstance(data, bytes | bytearray) or not isinstance(dtype, _DType):
            raise _Refusal(f"it has an array of {type(data).__name__}")
        _check_shape(shape, dtype.real().itemsize, len(data))
        flat = np.frombuffer(data, dtype.real()) if len(data) else np.zeros(0, dtype.real())
        if axes is None:
            array = flat.reshape(shape, order="F" if order == "F" else "C")
        else:
            array = flat.reshape(shape, order="C").transpose(axes)
        array.flags.writeable = False
        return array


def _check_shape(shape: object, size: int, got: int) -> None:
    lengths = shape if isinstance(shape, tuple) else (-1,)
    if len(lengths) > 8 or not all(type(length) is int and 0 <= length <= _MAX_BYTES for length in lengths):
        raise _Refusal(f"it has an array of shape {str(shape)[:60]}")
    if math.prod(lengths) * size != got:
        raise _Refusal(f"it has an array of shape {shape} with {got} bytes")


def _scalar(dtype: object, data: object) -> Any:
    return _Array.of_buffer(data, dtype, (), "C").real()[()]


def _no_bytes(*arguments: object) -> bytes:
    if arguments:
        raise _Refusal("it makes bytes")
    return b""


def _no_class(*arguments: object) -> None:
    raise _Refusal("it makes an array of its own kind")


_NDARRAY = _Maker(_no_class)


def _reconstructed(kind: object, shape: object, code: object) -> _Array:
    if kind is not _NDARRAY:
        raise _Refusal("it makes an array of its own kind")
    return _Array()


_KNOWN = {
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": _Maker(_DType),
    "numpy.core.multiarray._reconstruct": _Maker(_reconstructed),
    "numpy.core.multiarray.scalar": _Maker(_scalar),
    "numpy.core.numeric._frombuffer": _Maker(_Array.of_buffer),
    "builtins.bytes": _Maker(_no_bytes),
    "__builtin__.bytes": _Maker(_no_bytes),
}


class _ArrayUnpickler(pickle.Unpickler):
    """Finds stand-ins only."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")
        self._room = 2 * len(content)  # for what encoding makes: one text encoded again and again could fill a machine

    def find_class(self, module: str, name: str, /) -> Any:
        full_name = f"{module}.{name}".replace("numpy._core.", "numpy.core.", 1)
        if full_name == "_codecs.encode":
            return _Maker(self._encoded)
        if full_name not in _KNOWN:
            raise _Refusal(f"it names {f'{module}.{name}'[:80]!r}, which could run code")
        return _KNOWN[full_name]

    def _encoded(self, text: object, encoding: object) -> bytes:
        """How Python 3 writes bytes in pickles that Python 2 can read."""
        if not isinstance(text, str) or encoding != "latin1":
            raise _Refusal("it encodes text")
        self._room -= len(text)
        if self._room < 0:
            raise _Refusal("it encodes one text many times")
        return text.encode("latin1")


def _finished(value: Any, done: dict[int, Any], depth: int) -> Any:
    """The value with real arrays in place of their stand-ins; each container is gone through once."""
    if isinstance(value, (*_PLAIN, np.generic)):
        return value
    if depth == 0:
        raise _Refusal(f"it has more than {_MAX_DEPTH} containers in one another")
    if id(value) not in done:
        done[id(value)] = _UNFINISHED
        done[id(value)] = _rebuilt(value, done, depth - 1)
    if done[id(value)] is _UNFINISHED:
        raise _Refusal("it has a container in itself")
    return done[id(value)]


def _rebuilt(value: Any, done: dict[int, Any], depth: int) -> Any:
    if isinstance(value, _Array):
        return value.real()
    if type(value) in (list, tuple):
        return type(value)(_finished(item, done, depth) for item in value)
    if type(value) is dict:
        return {_key(key): _finished(item, done, depth) for key, item in value.items()}
    raise _Refusal(f"it has {'a function' if isinstance(value, _Maker) else 'a ' + type(value).__name__}")


def _key(key: Any) -> Any:
    if not isinstance(key, _PLAIN):
        raise _Refusal(f"it has a dict with a key of type {type(key).__name__}")
    return key
