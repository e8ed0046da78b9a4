"""MATLAB 5 files, numeric arrays only: a small strict parser for files that strangers made.

Sizes are checked against the bytes that are there before anything is allocated, a whole file is inflated to a limit,
and anything but a numeric array is passed over. Layout: "MAT-File Format", MathWorks, Level 5.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_LARGEST = 64 * 2**20  # bytes of a file, and of all that it inflates to
_MATRIX, _COMPRESSED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC = range(6, 16)  # array classes: double, single, and the integers
Shape = tuple[int | None, ...]


def read_matlab(path: Path, fields: Mapping[str, Shape]) -> dict[str, Tensor]:
    """The named arrays of a MATLAB 5 file.

    Args:
        fields: name to expected shape; None stands for any length.
    Returns:
        Name to float32 tensor.
    Raises:
        FileNotFoundError: if there is none. ValueError: on a damaged file, a missing field, another shape, or numbers
            that are not finite, naming the file and the field.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    try:
        arrays = read_arrays(path)
    except (ValueError, struct.error, zlib.error, UnicodeDecodeError, OverflowError) as error:
        raise ValueError(f"{path}: expected a whole MATLAB 5 file: {error}") from error
    return {name: _checked(path, name, arrays.get(name), shape) for name, shape in fields.items()}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All numeric arrays of a file, by name. Raises ValueError, struct.error or zlib.error on a damaged one."""
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.stat().st_size} bytes are more than {_LARGEST}")
    content = path.read_bytes()
    if len(content) < 128 or content[126:128] not in (b"IM", b"MI"):
        raise ValueError("no MATLAB 5 header")
    order = "<" if content[126:128] == b"IM" else ">"
    found: dict[str, np.ndarray] = {}
    room = _LARGEST
    for kind, block in _elements(content[128:], order):
        pieces = [(kind, block)]
        if kind == _COMPRESSED:
            plain = _inflated(block, room)
            room -= len(plain)
            pieces = list(_elements(plain, order))
        for inner, matrix in pieces:
            named = _numeric(matrix, order) if inner == _MATRIX else None
            if named is not None:
                found[named[0]] = named[1]
    return found


def _inflated(block: bytes, room: int) -> bytes:
    engine = zlib.decompressobj()
    plain = engine.decompress(block, room + 1)  # a limit of 0 would mean none
    if len(plain) > room or not engine.eof:
        raise ValueError(f"a compressed block is cut short, or the file inflates to more than {_LARGEST} bytes")
    return plain


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and data of each element of a sequence."""
    place = 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        small = kind >> 16
        if small:  # up to four bytes, packed with their tag
            if small > 4:
                raise ValueError(f"an element of {small} bytes where 4 fit")
            yield kind & 0xFFFF, content[place + 4 : place + 4 + small]
            place += 8
            continue
        start = place + 8
        if size > len(content) - start:
            raise ValueError(f"an element of {size} bytes where {len(content) - start} are left")
        yield kind, content[start : start + size]
        place = start + size + (0 if kind == _COMPRESSED else -size % 8)


def _numeric(matrix: bytes, order: str) -> tuple[str, np.ndarray] | None:
    """Name and values of a real numeric array; None for cells, structures, text and the like."""
    parts = list(_elements(matrix, order))
    if len(parts) < 4 or len(parts[0][1]) < 8:
        return None
    (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
    if flags & 0xFF not in _NUMERIC:
        return None
    kind, data = parts[3]
    if kind not in _STORED:
        raise ValueError(f"numbers stored as unknown type {kind}")
    dtype = np.dtype(order + _STORED[kind])
    shape = np.frombuffer(parts[1][1], np.dtype(f"{order}i4")).tolist()
    if len(shape) < 2 or min(shape) < 0 or len(data) % dtype.itemsize:
        raise ValueError(f"an array of shape {shape} with {len(data)} bytes")
    values = np.frombuffer(data, dtype)
    expected = 1
    for length in shape:
        expected *= length
    if expected != len(values):
        raise ValueError(f"an array of shape {shape} with {len(values)} numbers")
    return parts[2][1].decode("ascii"), values.reshape(shape, order="F")


def _checked(path: Path, name: str, value: np.ndarray | None, shape: Shape) -> Tensor:
    wanted = "(" + ", ".join("any" if length is None else str(length) for length in shape) + ")"
    if value is None:
        raise ValueError(f"{path}: field {name}: expected finite numbers of shape {wanted}, found nothing")
    fits = value.ndim == len(shape) and all(b is None or a == b for a, b in zip(value.shape, shape, strict=True))
    with np.errstate(over="ignore"):
        numbers = torch.from_numpy(np.array(value, np.float32, order="C"))
    if not fits or not numbers.isfinite().all():
        raise ValueError(f"{path}: field {name}: expected finite numbers of shape {wanted}, found shape {value.shape}")
    return numbers
