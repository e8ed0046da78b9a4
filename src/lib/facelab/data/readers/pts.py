"""The ``.pts`` format: a header, and one ``x y`` a line between braces."""

from pathlib import Path

import torch
from torch import Tensor

from facelab.data.readers.base import check_points

_LARGEST = 2**20  # bytes; 68 points take about one thousand


def read_pts(path: Path, count: int | None = None) -> Tensor:
    """The points ``(L, 2)`` of a file, counted from 0.

    The files count pixels from 1: menpo documents it so and subtracts 1, as here; at the size of one pixel it cannot
    be seen in a picture.

    Args:
        count: how many there must be; as the header says if not given.
    Raises:
        FileNotFoundError: if there is none. ValueError: on anything but a whole file, naming it.
    """
    return read_stored_pts(path, count) - 1


def read_stored_pts(path: Path, count: int | None = None) -> Tensor:
    """As :func:`read_pts`, with the numbers as they stand in the file."""
    header, body = _parts(path)
    announced = header.get("n_points", "")
    if not announced.isdecimal() or len(announced) > 6:
        raise ValueError(f"{path}: expected a line 'n_points: <number>', found {announced[:20]!r}")
    rows = [line.split() for line in body.splitlines() if line.strip()]
    try:
        points = torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: expected one 'x y' a line between braces: {error}") from error
    expected = int(announced) if count is None else count
    if points.shape != (expected, 2) or int(announced) != expected:
        raise ValueError(
            f"{path}: expected {expected} points, found {len(points)} (the header announces {announced}): "
            "cut short, or of another mark-up?"
        )
    check_points(points, expected, path)
    return points.float()


def _parts(path: Path) -> tuple[dict[str, str], str]:
    """Header lines as key and value, and what stands between the braces."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: expected a small text file, found {path.stat().st_size} bytes")
    try:
        text = path.read_text("ascii")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected plain text: {error}") from error
    head, opened, rest = text.partition("{")
    body, closed, _ = rest.partition("}")
    if not opened or not closed:
        raise ValueError(
            f"{path}: expected points between '{{' and '}}', found no {'}' if opened else '{'}: cut short?"
        )
    pairs = (line.partition(":") for line in head.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}, body
