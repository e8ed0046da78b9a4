"""Torch7 files (``.t7``): tensors, tables, numbers and text, by a small strict parser.

Every size is checked against the bytes that are left before anything is made, nesting is bounded, and nothing is ever
run: functions and classes other than tensors are refused. Layout: torch7's ``File.lua`` and ``THDiskFile.c``, binary
mode (little-endian) or ASCII mode. No original file was at hand; both are tested on files made by the tests.
"""

import math
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

_LARGEST = 64 * 2**20  # bytes
_DEEPEST = 16
_NIL, _NUMBER, _STRING, _TABLE, _TORCH, _BOOLEAN = range(6)
_WORD = re.compile(
    rb"\s*([-+.0-9A-Za-z]{1,40})(?:\n|(?=\s))"
)  # a number in ASCII mode; the last of a run ends its line
_STORED = {
    "Double": "<f8", "Float": "<f4", "Long": "<i8", "Int": "<i4", "Short": "<i2", "Char": "<i1", "Byte": "<u1",
}  # fmt: skip


def read_t7(path: Path) -> Any:
    """What a file holds: an array for a tensor, a dict for a table, or a number, text, bool or None.

    Raises:
        FileNotFoundError: if there is none. ValueError: on anything damaged or not admitted, naming the file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: expected a .t7 file below {_LARGEST} bytes, found {path.stat().st_size}")
    content = path.read_bytes()
    parser = _AsciiParser if content[:1].isdigit() else _Parser  # in binary mode the first byte is a type below 9
    try:
        return parser(content).value(0)
    except (ValueError, struct.error, OverflowError) as error:
        raise ValueError(f"{path}: expected a whole Torch7 file with tensors: {error}") from error


class _Parser:
    """Binary mode."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0
        self.seen: dict[int, Any] = {}
        self.storages: dict[int, np.ndarray] = {}

    def _take(self, count: int) -> bytes:
        if count < 0 or count > len(self.content) - self.place:
            raise ValueError(f"{count} bytes are announced, {len(self.content) - self.place} are left")
        self.place += count
        return self.content[self.place - count : self.place]

    def _int(self) -> int:
        return int(struct.unpack("<i", self._take(4))[0])

    def _longs(self, count: int) -> list[int]:
        return list(struct.unpack(f"<{count}q", self._take(8 * count)))

    def _double(self) -> float:
        return float(struct.unpack("<d", self._take(8))[0])

    def _numbers(self, count: int, dtype: np.dtype) -> np.ndarray:
        return np.frombuffer(self._take(count * dtype.itemsize), dtype)

    def _text(self) -> str:
        return self._take(self._int()).decode("latin-1")

    def value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError(f"objects nested more than {_DEEPEST} deep")
        kind = self._int()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return self._double()
        if kind == _STRING:
            return self._text()
        if kind == _BOOLEAN:
            return self._int() != 0
        if kind not in (_TABLE, _TORCH):
            raise ValueError(f"an object of type {kind}: functions and the like are not read")
        index = self._int()
        if index not in self.seen:
            self.seen[index] = None  # an object that holds itself reads as None there
            self.seen[index] = self._table(depth) if kind == _TABLE else self._tensor()
        return self.seen[index]

    def _table(self, depth: int) -> dict[Any, Any]:
        count = self._int()
        if not 0 <= count <= len(self.content) // 4:  # "0\n0\n" is the shortest entry
            raise ValueError(f"a table of {count} entries")
        pairs = [(self.value(depth + 1), self.value(depth + 1)) for _ in range(count)]
        return {key: value for key, value in pairs if isinstance(key, float | str | bool)}

    def _tensor(self) -> np.ndarray:
        """A tensor as a read-only view of its storage: many over one storage take no memory of their own."""
        self._class("Tensor")
        dimensions = self._int()
        if not 0 <= dimensions <= 8:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        shape, strides = self._longs(dimensions), self._longs(dimensions)
        (offset,) = self._longs(1)
        storage = self._storage()
        if storage is None:
            return np.empty(0)
        if min(shape, default=1) < 1 or min(strides, default=1) < 0 or math.prod(shape) > len(storage):
            raise ValueError(f"a tensor of shape {shape} and strides {strides} over {len(storage)} numbers")
        last = offset - 1 + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
        if offset < 1 or last >= len(storage):
            raise ValueError(f"a tensor of shape {shape} that reaches beyond its {len(storage)} numbers")
        size = storage.dtype.itemsize
        return np.lib.stride_tricks.as_strided(
            storage[offset - 1 :], shape, [stride * size for stride in strides], writeable=False
        )

    def _storage(self) -> np.ndarray | None:
        """The numbers of a tensor; None for an empty one. Nothing but a storage may stand here."""
        kind = self._int()
        if kind == _NIL:
            return None
        index = self._int()
        if kind != _TORCH or index in self.seen:
            raise ValueError("a tensor without its numbers")
        if index not in self.storages:
            dtype = np.dtype(_STORED[self._class("Storage")])
            (count,) = self._longs(1)
            self.storages[index] = self._numbers(count, dtype)
        return self.storages[index]

    def _class(self, what: str) -> str:
        """The type of numbers in the name of a class such as ``torch.FloatTensor``."""
        version = self._text()
        name = self._text() if version.startswith("V ") else version
        kind = name.removeprefix("torch.").removesuffix(what)
        if name != f"torch.{kind}{what}" or kind not in _STORED:
            raise ValueError(f"an object of class {name[:40]!r}: only tensors are read")
        return kind


class _AsciiParser(_Parser):
    """ASCII mode: numbers as text with a blank or line end after each; characters and single bytes as they are."""

    def _word(self) -> str:
        found = _WORD.match(self.content, self.place)
        if found is None:
            raise ValueError(f"no whole number at byte {self.place}")
        self.place = found.end()
        return found[1].decode("ascii")

    def _int(self) -> int:
        return int(self._word())

    def _longs(self, count: int) -> list[int]:
        return [int(self._word()) for _ in range(count)]

    def _double(self) -> float:
        return float(self._word())

    def _text(self) -> str:
        return self._raw(self._int()).decode("latin-1")

    def _raw(self, count: int) -> bytes:
        taken = self._take(count)
        if count and self.content[self.place : self.place + 1] == b"\n":
            self.place += 1
        return taken

    def _numbers(self, count: int, dtype: np.dtype) -> np.ndarray:
        if dtype.itemsize == 1:
            return np.frombuffer(self._raw(count), dtype)
        if not 0 <= count <= (len(self.content) - self.place) // 2:  # a digit and a blank at least
            raise ValueError(f"{count} numbers are announced, {len(self.content) - self.place} bytes are left")
        read = float if dtype.kind == "f" else int
        with np.errstate(over="ignore"):  # a number too large for single precision reads as infinity
            return np.fromiter((read(self._word()) for _ in range(count)), dtype, count)
