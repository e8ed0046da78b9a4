"""MERL-RAV: 19,000 faces of AFLW with 68 points and three kinds of visibility (Kumar et al. 2020)."""

from pathlib import Path

import torch

from facelab.data.readers.base import FaceFiles, Label, Pair, pictures_in
from facelab.data.readers.pts import read_stored_pts

_POSES = ("frontal", "lefthalf", "left", "righthalf", "right")
_SPLITS = {"train": "trainset", "test": "testset"}


class MERLRAV(FaceFiles[Pair]):
    """Labels ``merl_rav_labels/<pose>/<split>/labels/<name>.pts``; pictures anywhere below the folder, by name.

    The sign tells visibility: ``x y`` seen, ``-x -y`` behind something, ``-1 -1`` on the far side without a position
    (NaN here). Pixels are counted from 1 in the files and from 0 here. The labels come without the pictures of AFLW:
    with only some of those at hand take ``strict=False``. Checked on real files.

    Args:
        folder: the one with ``merl_rav_labels`` in it. split: ``"train"``, ``"test"`` or ``"all"``.
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "MERL-RAV"
    layout = "merl_rav_labels/<frontal, left ...>/<trainset, testset>/labels/<name>.pts and the pictures of AFLW"
    sign = "merl_rav_labels/*/*/labels/*.pts"

    def __init__(self, folder: str | Path, split: str = "all", strict: bool = True) -> None:
        if split not in (*_SPLITS, "all"):
            raise ValueError(f"MERL-RAV split: expected train, test or all; got {split!r}")
        self.split = split
        super().__init__(folder, strict)

    def _entries(self) -> list[Pair]:
        part = _SPLITS.get(self.split, "*")
        labels = {path.stem: path for path in self.folder.glob(f"merl_rav_labels/*/{part}/labels/*.pts")}
        if not labels:
            raise self._nothing_found()
        pictures = {path.stem: path for path in pictures_in(self.folder, "**/*") if path.stem in labels}
        return self._pairs(pictures, labels)

    def _label(self, entry: Pair) -> Label:
        stored = read_stored_pts(entry.label, 68)
        missing = (stored == -1).all(1)
        landmarks = torch.where(missing[:, None], torch.nan, stored.abs() - 1)
        return Label(landmarks, visible=(stored >= 0).all(1))

    def _image(self, entry: Pair) -> Path:
        return entry.picture
