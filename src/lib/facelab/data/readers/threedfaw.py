"""3DFAW: 3D landmarks of faces seen from many sides (Jeni et al. 2016), 66 points."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facelab.data.readers.base import FaceFiles, Label, Pair, check_points, pictures_in

_LARGEST = 2**20  # bytes of a label


class ThreeDFAW(FaceFiles[Pair]):
    """Pictures ``<split>_img/<name>.jpg`` and labels ``<split>_lm/<name>_lm.csv`` with 66 lines ``x,y,z``.

    x and y are pixels of the picture, z is in a unit of its own. Pixels are taken as counted from 0: the set does not
    say. Written from public code and tested on files made by the tests: no original file was at hand.

    Args:
        folder: the one with ``train_img`` and ``train_lm``. split: ``"train"`` or ``"valid"``.
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "3DFAW"
    layout = "train_img/<name>.jpg with train_lm/<name>_lm.csv, and the same for valid"
    sign = "*_lm/*_lm.csv"
    markup = "66"

    def __init__(self, folder: str | Path, split: str = "train", strict: bool = True) -> None:
        if split not in ("train", "valid"):
            raise ValueError(f"3DFAW split: expected 'train' or 'valid', got {split!r}")
        self.split = split
        super().__init__(folder, strict)

    def _entries(self) -> list[Pair]:
        pictures = {path.stem: path for path in pictures_in(self.folder / f"{self.split}_img")}
        found = (self.folder / f"{self.split}_lm").glob("*_lm.csv")
        return self._pairs(pictures, {path.name.removesuffix("_lm.csv"): path for path in found})

    def _label(self, entry: Pair) -> Label:
        return Label(read_csv(entry.label, 66, 3))

    def _image(self, entry: Pair) -> Path:
        return entry.picture


def read_csv(path: Path, rows: int, columns: int) -> Tensor:
    """Numbers ``(rows, columns)`` of a file without a header.

    Raises:
        FileNotFoundError: if there is none. ValueError: on anything else than such lines, naming the file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: expected a small text file, found {path.stat().st_size} bytes")
    try:
        lines = [line for line in path.read_text("ascii").splitlines() if line.strip()]
        numbers = np.array([[float(value) for value in line.split(",")] for line in lines], np.float64)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected lines of {columns} numbers with commas between: {error}") from error
    if numbers.shape != (rows, columns):
        raise ValueError(f"{path}: expected {rows} lines of {columns} numbers, found shape {numbers.shape}")
    points = torch.from_numpy(numbers)
    check_points(points, rows, path)
    return points.float()
