"""Menpo: pictures with ``.pts`` or LJSON labels, as the menpo library writes them (Zafeiriou et al. 2017)."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facelab.data.readers.base import FARTHEST, FaceFiles, Label, Pair, by_stem, pictures_in
from facelab.data.readers.pts import read_pts

_LARGEST = 8 * 2**20  # bytes of an LJSON file
# What the library calls the parts of the 68 points, with their sizes, in the order of the mark-up.
_PARTS = {"jaw": 17, "left_eyebrow": 5, "right_eyebrow": 5, "nose": 9, "left_eye": 6, "right_eye": 6, "mouth": 20}


class Menpo(FaceFiles[Pair]):
    """Pictures with ``<name>.pts`` or ``<name>.ljson`` beside them, in any folders below.

    Of an LJSON file the group with 68 points is taken, by its size and not by its place, and its points are put in
    order by their labels; missing coordinates (null) are NaN and not visible. The jaw follows the visible outline; of
    the Menpo challenge, faces in profile have 39 points: ``strict=False`` leaves them out. Checked on real files of
    the library, not on the challenge's archive.

    Args:
        folder: any folder with such files below it.
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "Menpo"
    layout = "pictures with <name>.pts or <name>.ljson beside them"
    sign = "*.ljson|*.pts"

    def _entries(self) -> list[Pair]:
        pictures = by_stem(pictures_in(self.folder, "**/*"), self.folder)
        labels = by_stem(self.folder.rglob("*.pts"), self.folder) | by_stem(self.folder.rglob("*.ljson"), self.folder)
        return self._pairs(pictures, labels)

    def _label(self, entry: Pair) -> Label:
        points = read_pts(entry.label, 68) if entry.label.suffix == ".pts" else read_ljson(entry.label, 68)
        return Label(points)

    def _image(self, entry: Pair) -> Path:
        return entry.picture


def read_ljson(path: Path, count: int, dimensions: int = 2) -> Tensor:
    """The group of an LJSON file (version 1 to 3) that has so many points.

    68 points that are labelled as jaw, left_eyebrow ... mouth come in the order of the mark-up, whatever theirs; others
    as they stand.

    Args:
        dimensions: 2: stored as (y, x) in pixels from 0, returned as (x, y). 3: (x, y, z), as stored.
    Returns:
        ``(count, dimensions)`` float32, NaN where a coordinate is null.
    Raises:
        FileNotFoundError: if there is none. ValueError: on a damaged file or if no group, or more than one, fits.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: expected an LJSON file below {_LARGEST} bytes, found {path.stat().st_size}")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON: {error}") from error
    fitting = [points for points in _groups(content, path) if points.shape == (count, dimensions)]
    if len(fitting) != 1:
        raise ValueError(f"{path}: expected one group of {count} points of {dimensions} numbers, found {len(fitting)}")
    return fitting[0].flip(1) if dimensions == 2 else fitting[0]


def _groups(content: Any, path: Path) -> list[Tensor]:
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object with 'groups' or 'landmarks'")
    groups = content.get("groups")
    if isinstance(groups, dict):  # version 3
        found = [group for group in groups.values() if isinstance(group, dict)]
    elif isinstance(groups, list):  # version 1: labelled pieces in a list
        return [_from_pieces(groups, path)]
    else:  # version 2: one group
        found = [content]
    return [_from_group(group, path) for group in found]


def _from_group(group: dict[str, Any], path: Path) -> Tensor:
    landmarks = group.get("landmarks")
    rows = landmarks.get("points") if isinstance(landmarks, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise ValueError(f"{path}: field landmarks.points: expected a list of points")
    try:
        parts = {str(entry["label"]): list(entry["mask"]) for entry in group.get("labels", [])}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: field labels: expected a list of labels with masks: {error}") from error
    return _in_order(_tensor(rows, path), parts, path)


def _from_pieces(groups: list[Any], path: Path) -> Tensor:
    rows: list[Any] = []
    parts: dict[str, list[int]] = {}
    try:
        for group in groups:
            first = len(rows)
            rows += [landmark["point"] for landmark in group["landmarks"]]
            parts[str(group.get("label"))] = list(range(first, len(rows)))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected groups with landmarks with a point: {error}") from error
    return _in_order(_tensor(rows, path), parts, path)


def _in_order(points: Tensor, parts: dict[str, list[Any]], path: Path) -> Tensor:
    """Points sorted by the parts of the face, where the labels are these parts."""
    if len(points) != sum(_PARTS.values()) or parts.keys() != _PARTS.keys():
        return points
    order = [index for part in _PARTS for index in parts[part]]
    whole = all(type(index) is int for index in order) and sorted(order) == list(range(len(points)))
    if not whole or any(len(parts[part]) != size for part, size in _PARTS.items()):
        raise ValueError(f"{path}: field labels: expected every point in one part: {_PARTS}")
    return points[order]


def _tensor(rows: list[Any], path: Path) -> Tensor:
    try:
        return torch.tensor([[_number(value) for value in row] for row in rows], dtype=torch.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: expected points of two or three numbers or null: {error}") from error


def _number(value: Any) -> float:
    """NaN for null and for nothing else: the parser of JSON lets NaN and Infinity through."""
    if value is None:
        return float("nan")
    number = float(value)
    if not abs(number) <= FARTHEST:
        raise ValueError(f"expected finite coordinates up to {FARTHEST:.0f}, found {number:g}")
    return number
