"""COFW: 1,852 faces behind hands, hair, glasses and food (Burgos-Artizzu et al. 2013), and its 68-point labels."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from facelab.data.readers.base import FaceFiles, Label, check_points, pictures_in
from facelab.data.readers.matlab import read_matlab

_SPLITS = {
    "train": ("COFW_train_color.mat", "IsTr", "phisTr", "bboxesTr"),
    "test": ("COFW_test_color.mat", "IsT", "phisT", "bboxesT"),
}
_LARGEST = 64 * 2**20  # bytes of a table of labels, and of a picture
_TRAINING_PICTURES = 1345  # test picture i of 507 is number 1345 + i where the pictures are numbered through


@dataclass(frozen=True)
class _Row:
    name: str
    index: int


class COFW(FaceFiles[_Row]):
    """The original MATLAB 7.3 files (HDF5), 29 points with occlusion; pictures are read when asked for.

    ``visible`` is the file's occlusion flag turned round. ``box`` is the set's own. Pixels are counted from 1 in the
    file and from 0 here. Written from public descriptions and tested on files made by the tests: no original file was
    at hand.

    Args:
        folder: the one with ``COFW_train_color.mat`` and ``COFW_test_color.mat``. split: ``"train"`` or ``"test"``.
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "COFW"
    layout = "COFW_train_color.mat and COFW_test_color.mat"
    sign = "COFW_*_color.mat"
    markup = "29"

    def __init__(self, folder: str | Path, split: str = "test", strict: bool = True) -> None:
        if split not in _SPLITS:
            raise ValueError(f"COFW split: expected 'train' or 'test', got {split!r}")
        file, self._images, self._points, self._boxes = _SPLITS[split]
        self.split, self.path = split, Path(folder) / file
        super().__init__(folder, strict)

    def _entries(self) -> list[_Row]:
        if not self.path.is_file():
            raise self._nothing_found()
        with self._open() as file:
            self._phis = self._array(file, self._points, 87)
            self._box_table = self._array(file, self._boxes, 4)
            count = self._read(file, self._images, f"field {self._images}").size
        if not len(self._phis) == len(self._box_table) == count:
            raise ValueError(
                f"{self.path}: expected as many pictures, landmarks and boxes, found {count}, {len(self._phis)}, "
                f"{len(self._box_table)}"
            )
        return [_Row(f"{self.split}-{index + 1:04d}", index) for index in range(count)]

    def _open(self) -> h5py.File:
        try:
            return h5py.File(self.path, "r")
        except OSError as error:
            raise ValueError(f"{self.path}: expected a whole MATLAB 7.3 (HDF5) file: {error}") from error

    def _array(self, file: h5py.File, field: str, columns: int) -> Tensor:
        """``(N, columns)``; MATLAB stores the transpose."""
        values = self._read(file, field, f"field {field}")
        if values.ndim != 2 or columns not in values.shape or not np.issubdtype(values.dtype, np.number):
            raise ValueError(
                f"{self.path}: field {field}: expected numbers of shape {columns} x N, found {values.shape}"
            )
        with np.errstate(over="ignore"):  # infinity is refused with the sample
            numbers = torch.from_numpy(np.asarray(values, np.float32))
        return numbers.T.contiguous() if values.shape[0] == columns else numbers

    def _read(self, file: h5py.File, at: str | h5py.Reference, what: str) -> np.ndarray:
        """A dataset of bounded size that lies in this file itself: HDF5 can point to others."""
        try:
            dataset = file[at]
            if not isinstance(dataset, h5py.Dataset) or dataset.file.filename != file.filename:
                raise TypeError("no array in this file")
            if dataset.external or dataset.is_virtual or dataset.nbytes > _LARGEST:
                raise TypeError(f"stored in other files, or more than {_LARGEST} bytes")
            return np.asarray(dataset)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.path}: {what}: expected an array: {error}") from error

    def _label(self, entry: _Row) -> Label:
        row = self._phis[entry.index]
        points = torch.stack([row[:29], row[29:58]], 1) - 1
        check_points(points, 29, f"{self.path}: face {entry.name}")
        x, y, width, height = (self._box_table[entry.index] - torch.tensor([1.0, 1.0, 0.0, 0.0])).tolist()
        return Label(points, visible=row[58:] < 0.5, box=torch.tensor([x, y, x + width, y + height]))

    def _image(self, entry: _Row) -> Tensor:
        with self._open() as file:
            references = self._read(file, self._images, f"field {self._images}").reshape(-1)
            pixels = self._read(file, references[entry.index], f"picture of face {entry.name}")
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[0] != 3):
            raise ValueError(f"{self.path}: face {entry.name}: expected bytes 3 x W x H, found {pixels.shape}")
        image = torch.from_numpy(np.ascontiguousarray(pixels)).float() / 255
        return image.mT if image.ndim == 3 else image.T.expand(3, -1, -1)


@dataclass(frozen=True)
class _Numbered:
    name: str
    number: int
    picture: Path
    label: Path


class COFW68(FaceFiles[_Numbered]):
    """The 507 test faces of COFW with 68 points (Ghiasi and Fowlkes 2015).

    Labels are ``COFW68_Data/test_annotations/<i>_points.mat``, i from 1, boxes ``cofw68_test_bboxes.mat``. Pictures are
    not part of that release: files in ``images`` whose name is the number i, or 1345 + i, with leading zeros. ``Occ`` 1
    means occluded. Checked on real files; the pixel base is not settled, 1 is taken as elsewhere in MATLAB.

    Args:
        folder: the one with ``COFW68_Data`` and ``images`` in it.
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "COFW-68"
    layout = "COFW68_Data/test_annotations/<i>_points.mat, its cofw68_test_bboxes.mat, images/<i or 1345 + i>.jpg"
    sign = "COFW68_Data/test_annotations/*_points.mat"

    def _entries(self) -> list[_Numbered]:
        labels: dict[int, Path] = {}
        for path in (self.folder / "COFW68_Data" / "test_annotations").glob("*_points.mat"):
            number = path.name.removesuffix("_points.mat")
            if not number.isdecimal():
                self._leave_out(f"{path}: expected a name <number>_points.mat")
                continue
            labels[int(number)] = path
        if not labels:
            raise self._nothing_found()
        boxes = self.folder / "COFW68_Data" / "cofw68_test_bboxes.mat"
        self._boxes = read_matlab(boxes, {"bboxes": (None, 4)})["bboxes"]
        pictures: dict[int, Path] = {}
        for path in pictures_in(self.folder / "images"):
            if path.stem.isdecimal():
                index = int(path.stem)
                pictures[index - _TRAINING_PICTURES if index > _TRAINING_PICTURES else index] = path
        for index in sorted(labels.keys() ^ pictures.keys()):
            half = labels.get(index) or pictures[index]
            self._leave_out(f"{half}: no {'picture' if index in labels else 'label'} for test face {index}")
        both = sorted(labels.keys() & pictures.keys())
        return [_Numbered(f"test-{number:03d}", number, pictures[number], labels[number]) for number in both]

    def _label(self, entry: _Numbered) -> Label:
        fields = read_matlab(entry.label, {"Points": (68, 2), "Occ": (1, 68)})
        points = fields["Points"] - 1
        check_points(points, 68, entry.label)
        if entry.number > len(self._boxes):
            raise ValueError(f"{entry.label}: expected a box in row {entry.number}, found {len(self._boxes)} rows")
        x, y, width, height = (self._boxes[entry.number - 1] - torch.tensor([1.0, 1.0, 0.0, 0.0])).tolist()
        return Label(points, visible=fields["Occ"][0] == 0, box=torch.tensor([x, y, x + width, y + height]))

    def _image(self, entry: _Numbered) -> Path:
        return entry.picture
