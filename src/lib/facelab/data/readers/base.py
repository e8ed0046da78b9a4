"""What every data set on disk has in common: entries found in a folder, read one at a time, checked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from facelab.data.images import read_image
from facelab.data.sample import FaceSample, landmark_box
from facelab.face3d.parameters import PARAMETERS

PICTURES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".gif")
REACH = 3.0  # sides of the picture that a landmark may lie outside of it
FARTHEST = 1e6  # pixels; also the bound on depth


class Entry(Protocol):
    """One face of a data set: whatever the reader needs to find it, with a name."""

    @property
    def name(self) -> str: ...


E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class Pair:
    """The usual entry: a picture and the file with its label."""

    name: str
    picture: Path
    label: Path


@dataclass(frozen=True)
class Label:
    """What a file says about one face.

    Attributes:
        landmarks: ``(L, 2 or 3)`` float32 pixels counted from 0; NaN where a landmark is missing.
        visible: ``(L,)`` bool; None: every landmark that is there. Missing landmarks are never visible.
        box: ``(4,)`` x0, y0, x1, y1; None: the tight box of the landmarks.
        pose: ``(3,)`` radians. parameters: ``(62,)``. None where unknown.
    """

    landmarks: Tensor
    visible: Tensor | None = None
    box: Tensor | None = None
    pose: Tensor | None = None
    parameters: Tensor | None = None


class FaceFiles(Dataset[FaceSample], Generic[E]):
    """A data set in a folder. A subclass finds the entries and reads one label and one picture.

    A subclass sets its options before it calls ``super().__init__``, which calls :meth:`_entries`.

    Args:
        folder: see :attr:`layout`.
        strict: True: an unpaired picture or label raises here, a damaged file when it is read. False: every label
            is read and every picture opened once, here; what cannot be used is left out and told in :attr:`skipped`.
    Raises:
        FileNotFoundError: if the folder is missing, holds no sample, or (strict) half of a pair is missing.
        ValueError: on an unknown option; on reading a sample whose file is damaged.

    Attributes:
        name: of the data set, as in ``open_dataset(name, ...)``.
        layout: what the folder should hold, for messages.
        sign: glob patterns, ``|`` between them and none of unlimited depth, that find a label in the right folder,
            so that one a level off is told as such.
        markup: name of the landmark scheme.
        entries: one a sample, in order. skipped: what was left out, one message each.
    """

    name: ClassVar[str]
    layout: ClassVar[str]
    sign: ClassVar[str]
    markup: str = "68"

    def __init__(self, folder: str | Path, strict: bool = True) -> None:
        self.folder, self.strict = Path(folder), strict
        self.skipped: list[str] = []
        if not self.folder.is_dir():
            raise FileNotFoundError(f"{self.folder}: no such folder; expected that of {self.name}: {self.layout}")
        self.entries = self._entries()
        if not strict:
            self.entries = [e for e in tqdm(self.entries, f"checking {self.name}", disable=None) if self._is_good(e)]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> FaceSample:
        entry = self.entries[index]
        label, image = self._label(entry), self._image(entry)
        if not isinstance(image, Tensor):
            image = read_image(image)
        self._check_fit(entry, label, (image.shape[2], image.shape[1]))
        present = label.landmarks.isfinite().all(1)
        return FaceSample(
            image=image,
            landmarks=label.landmarks,
            visible=present if label.visible is None else label.visible & present,
            box=landmark_box(label.landmarks) if label.box is None else label.box,
            pose=torch.full((3,), torch.nan) if label.pose is None else label.pose,
            parameters=torch.full((PARAMETERS,), torch.nan) if label.parameters is None else label.parameters,
            name=entry.name,
            markup=self.markup,
        )

    def _entries(self) -> list[E]:
        """Walks the folder. Raises ``self._nothing_found()`` without a sample; tells the rest to :meth:`_leave_out`."""
        raise NotImplementedError

    def _label(self, entry: E) -> Label:
        """Reads and checks the label; ValueError with the file's name if it is damaged."""
        raise NotImplementedError

    def _image(self, entry: E) -> Path | Tensor:
        """The picture's file, or the picture ``(3, H, W)``."""
        raise NotImplementedError

    def _nothing_found(self) -> FileNotFoundError:
        """What to raise without a sample; says so if the folder above or one below looks right."""
        near = [self.folder.resolve().parent, *sorted(child for child in self.folder.iterdir() if child.is_dir())[:50]]
        signs = self.sign.split("|")
        right = [place for place in near if any(next(place.glob(sign), None) is not None for sign in signs)]
        hint = f"; {right[0]} looks like it: give that folder" if right else ""
        return FileNotFoundError(f"{self.folder}: expected {self.layout}; found nothing like it{hint}")

    def _leave_out(self, message: str) -> None:
        """A sample that is not whole: raises FileNotFoundError if strict, else notes it in :attr:`skipped`."""
        if self.strict:
            raise FileNotFoundError(f"{message}; strict=False leaves such samples out")
        self.skipped.append(message)

    def _pairs(self, pictures: Mapping[str, Path], labels: Mapping[str, Path]) -> list[Pair]:
        """Pairs of files with the same key, in the order of the keys, which name the samples."""
        if not labels and not pictures:
            raise self._nothing_found()
        for key in sorted(pictures.keys() - labels.keys()):
            self._leave_out(f"{pictures[key]}: no label for this picture")
        for key in sorted(labels.keys() - pictures.keys()):
            self._leave_out(f"{labels[key]}: no picture for this label")
        return [Pair(key, pictures[key], labels[key]) for key in sorted(labels.keys() & pictures.keys())]

    def _is_good(self, entry: E) -> bool:
        try:
            label, image = self._label(entry), self._image(entry)
            size = (image.shape[2], image.shape[1]) if isinstance(image, Tensor) else picture_size(image)
            self._check_fit(entry, label, size)
        except (ValueError, OSError) as error:
            self.skipped.append(str(error))
            return False
        return True

    def _check_fit(self, entry: E, label: Label, size: tuple[int, int]) -> None:
        """Whether landmarks and box belong to a picture of that width and height."""
        place = f"{self.folder}: sample {entry.name}"
        present = label.landmarks.isfinite().all(1)
        if not present.any():
            raise ValueError(f"{place}: expected at least one landmark, found none")
        check_points(label.landmarks[present], int(present.sum()), place, size)
        if label.box is not None:
            check_points(label.box.reshape(2, 2), 2, f"{place}: corners of its box", size)
            if bool((label.box[2:] <= label.box[:2]).any()):
                raise ValueError(f"{place}: expected a box x0 < x1, y0 < y1, found {label.box.tolist()}")


def check_points(
    points: Tensor | np.ndarray, count: int, path: str | Path, size: tuple[int, int] | None = None
) -> None:
    """Refuses landmarks that cannot be right.

    Args:
        points: ``(L, 2 or 3)`` pixels counted from 0. count: the L that is expected.
        path: the file they come from, for the message.
        size: width and height of the picture, where known.
    Raises:
        ValueError: on another number of points, NaN or infinity, a coordinate beyond :data:`FARTHEST`, or an x or y
            farther outside the picture than :data:`REACH` of its longer sides.
    """
    points = torch.as_tensor(points)
    if points.ndim != 2 or points.shape[0] != count or points.shape[1] not in (2, 3):
        raise ValueError(f"{path}: expected {count} points of 2 or 3 coordinates, found shape {tuple(points.shape)}")
    bad = ~(points.isfinite() & (points.abs() <= FARTHEST)).all(1)
    expected = f"finite coordinates up to {FARTHEST:.0f} pixels"
    if size is not None and not bad.any():
        sides = torch.tensor(size)
        margin = REACH * max(size)
        bad = ((points[:, :2] < -margin) | (points[:, :2] > sides + margin)).any(1)
        expected = f"landmarks near the {size[0]} x {size[1]} picture"
    if bad.any():
        index = int(bad.nonzero()[0])
        place = ", ".join(f"{value:g}" for value in points[index].tolist())
        raise ValueError(f"{path}: expected {expected}, found point {index} at ({place})")


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture that can be read to its end (JPEG is decoded at an eighth: that is fast).

    Raises:
        FileNotFoundError: if there is none. ValueError: if it is damaged.
    """
    try:
        with Image.open(path) as picture:
            size = picture.size
            orientation = picture.getexif().get(0x0112, 1)
            picture.draft("RGB", (1, 1))
            picture.load()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such picture") from None
    except Exception as error:  # decoders raise what they like on damage: OSError, SyntaxError, struct.error ...
        raise ValueError(f"{path}: expected a readable picture (PNG, JPEG ...): {error}") from error
    return size[::-1] if orientation in (5, 6, 7, 8) else size  # these EXIF orientations lie on their side


def by_stem(paths: Iterable[Path], root: Path) -> dict[str, Path]:
    """Files by their path below ``root`` without suffix, ``/`` between folders."""
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}


def pictures_in(folder: Path, pattern: str = "*") -> list[Path]:
    """The picture files of a folder that match a glob pattern."""
    return [path for path in folder.glob(pattern) if path.suffix.lower() in PICTURES]
