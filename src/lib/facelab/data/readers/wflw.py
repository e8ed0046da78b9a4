"""WFLW: 10,000 faces with 98 points and six attributes (Wu et al. 2018)."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from facelab.data.readers.base import FaceFiles, Label, check_points

ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
_LIST = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{split}.txt"
_FIELDS = 2 * 98 + 4 + len(ATTRIBUTES) + 1
_LONGEST = 200  # characters of a path; systems refuse to look for very long ones


@dataclass(frozen=True)
class _Line:
    name: str
    picture: Path
    numbers: tuple[float, ...]


class WFLW(FaceFiles[_Line]):
    """The lines of ``list_98pt_rect_attr_<split>.txt``; several may name one picture.

    A line holds 196 coordinates, the rectangle x0 y0 x1 y1 of a detector, six attributes 0 or 1 and the picture's path
    below ``WFLW_images``. Coordinates are taken as counted from 0: the set does not say. ``box`` is the rectangle.
    Checked on a real line and on real pictures.

    Args:
        folder: the one with ``WFLW_images`` and ``WFLW_annotations``. split: ``"train"`` or ``"test"``.
        subset: only faces with this attribute, one of :data:`ATTRIBUTES`.
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.

    Attributes:
        attributes: ``(N, 6)`` bool, in the order of :data:`ATTRIBUTES`.
    """

    name = "WFLW"
    layout = "WFLW_images/ and WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{train,test}.txt"
    sign = "WFLW_annotations"
    markup = "98"

    def __init__(self, folder: str | Path, split: str = "test", subset: str | None = None, strict: bool = True) -> None:
        if split not in ("train", "test"):
            raise ValueError(f"WFLW split: expected 'train' or 'test', got {split!r}")
        if subset is not None and subset not in ATTRIBUTES:
            raise ValueError(f"WFLW subset: expected one of {', '.join(ATTRIBUTES)}, got {subset!r}")
        self.split, self.subset = split, subset
        super().__init__(folder, strict)

    @property
    def attributes(self) -> Tensor:
        rows = [entry.numbers[200:206] for entry in self.entries]
        return torch.tensor(rows).reshape(-1, len(ATTRIBUTES)) > 0.5

    def _entries(self) -> list[_Line]:
        path = self.folder / _LIST.format(split=self.split)
        if not path.is_file():
            raise self._nothing_found()
        entries = []
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            if not line.strip():
                continue
            try:
                entry = parse_line(line, f"{path}: line {number}", self.folder / "WFLW_images")
            except ValueError as error:
                if self.strict:
                    raise
                self.skipped.append(str(error))
                continue
            if not entry.picture.is_file():
                self._leave_out(f"{entry.picture}: no picture for line {number} of {path.name}")
            elif self.subset is None or entry.numbers[200 + ATTRIBUTES.index(self.subset)] > 0.5:
                entries.append(entry)
        return entries

    def _label(self, entry: _Line) -> Label:
        return Label(torch.tensor(entry.numbers[:196]).reshape(98, 2), box=torch.tensor(entry.numbers[196:200]))

    def _image(self, entry: _Line) -> Path:
        return entry.picture


def parse_line(line: str, place: str, pictures: Path) -> _Line:
    """One face of a list file; ``place`` names it in messages. Raises ValueError."""
    fields = line.split()
    if len(fields) != _FIELDS:
        raise ValueError(f"{place}: expected {_FIELDS} fields (196 coordinates, 4, 6, a path), found {len(fields)}")
    try:
        numbers = tuple(float(value) for value in fields[:-1])
    except ValueError as error:
        raise ValueError(f"{place}: expected numbers before the path: {error}") from error
    check_points(torch.tensor(numbers[:196]).reshape(98, 2), 98, place)
    x0, y0, x1, y1 = numbers[196:200]
    if not (x0 < x1 and y0 < y1) or not set(numbers[200:]) <= {0.0, 1.0}:
        raise ValueError(f"{place}: expected a rectangle x0 < x1, y0 < y1 and six attributes 0 or 1")
    if Path(fields[-1]).is_absolute() or ".." in Path(fields[-1]).parts or len(fields[-1]) > _LONGEST:
        raise ValueError(f"{place}: expected a path below WFLW_images, found {fields[-1][:_LONGEST]!r}")
    return _Line(
        f"{Path(fields[-1]).with_suffix('').as_posix()}@{numbers[196]:.0f},{numbers[197]:.0f}",
        pictures / fields[-1],
        numbers,
    )
