"""Points, angles, masks and boxes in files that other programs write: ``.npy`` arrays and ``.csv`` tables.

A ``.npy`` file holds one array, a face a row. A ``.csv`` table has a header, and a line for each face:

============  ================  =====================================================
what          array             columns
============  ================  =====================================================
points        ``(N, L, D)``     ``x0,y0,x1,y1,...`` or ``x0,y0,z0,x1,y1,z1,...``
yaw           ``(N,)``          ``yaw``, degrees
visible       ``(N, L)``        ``v0,v1,...``, 1 for a landmark that counts, 0 for another
boxes         ``(N, 4)``        ``x0,y0,x1,y1``: left, top, right, bottom
============  ================  =====================================================

A table may begin with a column ``face`` of names. Two tables with names are matched by them; all else by the order of
the rows.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """What a file holds.

    Attributes:
        path: of the file. values: ``(N, ...)`` float64. names: of the faces, where the file has them.
    """

    path: Path
    values: Tensor
    names: tuple[str, ...] | None = None

    def in_order_of(self, other: "Rows") -> Tensor:
        """The values, faces as in ``other``.

        Raises:
            ValueError: if the faces are not the same, or not as many.
        """
        if len(self.values) != len(other.values):
            raise ValueError(
                f"{self.path}: expected {len(other.values)} faces, as {other.path} has, got {len(self.values)}"
            )
        if self.names is None or other.names is None:
            return self.values
        place = {name: row for row, name in enumerate(self.names)}
        missing = [name for name in other.names if name not in place]
        if missing:
            raise ValueError(f"{self.path}: no face {missing[0]!r}, which {other.path} has ({len(missing)} missing)")
        return self.values[[place[name] for name in other.names]]


def read_points(path: Path) -> Rows:
    """Landmarks, values ``(N, L, D)``.

    Raises:
        FileNotFoundError: if there is no such file. ValueError: if it holds something else.
    """
    if _is_array(path):
        values = _array(path)
        if values.ndim != 3 or values.shape[2] not in (2, 3):
            raise ValueError(f"{path}: expected an array (N, L, 2) or (N, L, 3), got {values.shape}")
        return Rows(path, torch.from_numpy(values))
    columns, values, names = _table(path)
    for axes in ("xy", "xyz"):
        count = len(columns) // len(axes)
        if count and columns == [f"{axis}{index}" for index in range(count) for axis in axes]:
            return Rows(path, torch.from_numpy(values).unflatten(1, (count, len(axes))), names)
    raise ValueError(f"{path}: expected columns x0,y0,x1,y1,... or x0,y0,z0,x1,y1,z1,..., got {_start(columns)}")


def read_yaw(path: Path) -> Rows:
    """Angles in degrees, values ``(N,)``; raises as :func:`read_points`."""
    rows = _read(path, ["yaw"])
    return Rows(path, rows.values.flatten(), rows.names)


def read_visible(path: Path, landmarks: int) -> Rows:
    """A mask, values ``(N, landmarks)`` of 0 and 1; raises as :func:`read_points`."""
    rows = _read(path, [f"v{index}" for index in range(landmarks)])
    if not bool(((rows.values == 0) | (rows.values == 1)).all()):
        raise ValueError(f"{path}: expected 0 and 1 only")
    return rows


def read_boxes(path: Path) -> Rows:
    """Boxes x0, y0, x1, y1 in pixels, values ``(N, 4)``; raises as :func:`read_points`."""
    return _read(path, ["x0", "y0", "x1", "y1"])


def _read(path: Path, expected: list[str]) -> Rows:
    """Values ``(N, columns)``."""
    if not _is_array(path):
        columns, values, names = _table(path)
        if columns != expected:
            raise ValueError(f"{path}: expected columns {_start(expected)}, got {_start(columns)}")
        return Rows(path, torch.from_numpy(values), names)
    values = _array(path)
    if len(expected) == 1 and values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[1] != len(expected):
        wanted = "(N,)" if len(expected) == 1 else f"(N, {len(expected)})"
        raise ValueError(f"{path}: expected an array {wanted}, got {values.shape}")
    return Rows(path, torch.from_numpy(values))


def _is_array(path: Path) -> bool:
    if path.suffix.lower() not in (".npy", ".csv"):
        raise ValueError(f"{path}: expected a name that ends in .npy or .csv")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return path.suffix.lower() == ".npy"


def _array(path: Path) -> NDArray[np.float64]:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: expected an array of numbers: {error}") from error
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{path}: expected an array of numbers, got {values.dtype}")
    return values.astype(np.float64)


def _table(path: Path) -> tuple[list[str], NDArray[np.float64], tuple[str, ...] | None]:
    """Columns but ``face``, values ``(N, columns)``, names."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: expected a table with a header: {error}") from error
    if len(rows) < 2:
        raise ValueError(f"{path}: expected a header and at least one face")
    header, lines = rows[0][1], rows[1:]
    first = int(header[0] == "face")
    values = np.array([_numbers(path, header, line, number, first) for number, line in lines])
    names = tuple(line[0] for _, line in lines) if first else None
    if names is not None and len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{path}: face {twice!r} is there more than once")
    return header[first:], values, names


def _numbers(path: Path, header: list[str], line: list[str], number: int, first: int) -> list[float]:
    if len(line) != len(header):
        raise ValueError(f"{path}, line {number}: expected {len(header)} cells, got {len(line)}")
    try:
        return [float(cell) for cell in line[first:]]
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}; nan stands for a number that is not known") from error


def _start(columns: list[str]) -> str:
    return ",".join(columns[:6]) + (f",... ({len(columns)})" if len(columns) > 6 else "")
