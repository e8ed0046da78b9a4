"""LS3D-W: 230,000 pictures of other sets with 68 points by the 3D rule of the jaw (Bulat and Tzimiropoulos 2017)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facelab.data.readers.base import FaceFiles, Label, Pair, by_stem, check_points, pictures_in
from facelab.data.readers.matlab import read_arrays
from facelab.data.readers.pts import read_pts
from facelab.data.readers.torch7 import read_t7

_SPLITS = {
    "300W-Testset-3D": "300W-Testset-3D", "Menpo-3D": "Menpo-3D", "AFLW2000-3D": "AFLW2000-3D-Reannotated",
    "300VW-A": "300VW-3D/CatA", "300VW-B": "300VW-3D/CatB", "300VW-C": "300VW-3D/CatC",
    "300VW-train": "300VW-3D/Trainset", "balanced": "new_dataset", "all": ".",
}  # fmt: skip
_SUFFIXES = (".t7", ".mat", ".npy", ".pts")


class LS3DW(FaceFiles[Pair]):
    """Pictures with ``<name>.t7`` (or ``.mat``, ``.npy``, ``.pts``) beside them: 68 projected points, no depth.

    Pixels are counted from 1 in the files and from 0 here. Written from public descriptions and tested on files made
    by the tests: no original file was at hand.

    Args:
        folder: the one with ``300W-Testset-3D``, ``Menpo-3D`` ... in it.
        split: one of those sets by name, ``"balanced"`` for LS3D-W Balanced, or ``"all"`` (everything
            below the folder).
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "LS3D-W"
    layout = "300W-Testset-3D, Menpo-3D, AFLW2000-3D-Reannotated, 300VW-3D/..., with <name>.jpg and <name>.t7"
    sign = "*-*/*.t7|300VW-3D/*/*/*.t7|new_dataset/*.t7"

    def __init__(self, folder: str | Path, split: str = "all", strict: bool = True) -> None:
        if split not in _SPLITS:
            raise ValueError(f"LS3D-W split: expected one of {', '.join(_SPLITS)}; got {split!r}")
        self.split = split
        super().__init__(folder, strict)

    def _entries(self) -> list[Pair]:
        place = self.folder / _SPLITS[self.split]
        labels = (path for suffix in reversed(_SUFFIXES) for path in place.rglob(f"*{suffix}"))  # the first one wins
        return self._pairs(by_stem(pictures_in(place, "**/*"), self.folder), by_stem(labels, self.folder))

    def _label(self, entry: Pair) -> Label:
        return Label(read_points(entry.label))

    def _image(self, entry: Pair) -> Path:
        return entry.picture


def read_points(path: Path) -> Tensor:
    """``(68, 2)`` float32 pixels from 0 of a ``.t7``, ``.mat``, ``.npy`` or ``.pts`` file.

    Raises:
        FileNotFoundError: if there is none. ValueError: on a damaged file or without one array of 68 x 2 numbers.
    """
    if path.suffix == ".pts":
        return read_pts(path, 68)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such label file")
    arrays = _arrays(path)
    fitting = [array for array in arrays if array.shape in ((68, 2), (2, 68)) and array.dtype.kind in "fiu"]
    if len(fitting) != 1:
        raise ValueError(f"{path}: expected one array of 68 x 2 numbers, found shapes {[a.shape for a in arrays][:5]}")
    points = fitting[0] if fitting[0].shape == (68, 2) else fitting[0].T
    stored = torch.from_numpy(points.astype(np.float64))
    check_points(stored, 68, path)
    return (stored - 1).float()


def _arrays(path: Path) -> list[np.ndarray]:
    try:
        if path.suffix == ".npy":
            return [np.lib.format.open_memmap(path, mode="r")]  # no archives, no objects, no size that the file lacks
        if path.suffix == ".mat":
            return list(read_arrays(path).values())
        content = read_t7(path)
    except Exception as error:  # NumPy reads the header as Python literals: whatever those raise
        raise ValueError(f"{path}: expected a whole {path.suffix} file with 68 points: {error}") from error
    values = list(content.values()) if isinstance(content, dict) else [content]
    return [value for value in values if isinstance(value, np.ndarray)]
