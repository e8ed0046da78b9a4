"""300-VW: 114 videos with 68 points in every frame (Shen et al. 2015)."""

import os
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from torch import Tensor

from facelab.data.readers.base import FaceFiles, Label
from facelab.data.readers.pts import read_pts

# Test videos by difficulty; all others are for training.
_CATEGORIES = {
    "A": "114 124 125 126 150 158 401 402 505 506 507 508 509 510 511 514 515 518 519 520 521 522 524 525 537 538 540 "
    "541 546 547 548",
    "B": "203 208 211 212 213 214 218 224 403 404 405 406 407 408 409 412 550 551 553",
    "C": "410 411 516 517 526 528 529 530 531 533 557 558 559 562",
}
_OPEN_VIDEOS = 2


@dataclass(frozen=True)
class _Frame:
    name: str
    video: Path
    index: int
    label: Path


class VW300(FaceFiles[_Frame]):
    """Folders ``<id>`` with ``vid.avi`` and ``annot/000001.pts`` ...: one sample a frame, numbered from 1.

    Frames are read in any order; going forward is fast, as a video is decoded once. Going back starts it again, since
    seeking in these files is not exact. Written from public descriptions and tested on videos made by the tests: no
    original file was at hand.

    Args:
        folder: the one with the numbered folders. split: ``"train"``, ``"A"``, ``"B"``, ``"C"`` or ``"all"``.
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "300-VW"
    layout = "folders <id> with vid.avi and annot/000001.pts ..."
    sign = "[0-9]*/annot/*.pts"

    def __init__(self, folder: str | Path, split: str = "all", strict: bool = True) -> None:
        if split not in ("train", "all", *_CATEGORIES):
            raise ValueError(f"300-VW split: expected train, A, B, C or all; got {split!r}")
        self.split = split
        self._videos: defaultdict[int, OrderedDict[Path, _Video]] = defaultdict(OrderedDict)  # of each process
        super().__init__(folder, strict)

    def _entries(self) -> list[_Frame]:
        entries = []
        for place in sorted(path for path in self.folder.iterdir() if path.is_dir() and self._wanted(path.name)):
            labels = sorted((place / "annot").glob("*.pts"))
            video = place / "vid.avi"
            if not labels and not video.is_file():
                continue
            if not video.is_file() or not labels:
                self._leave_out(f"{place}: expected vid.avi and annot/000001.pts ..., found only one of them")
                continue
            for label in labels:
                if not label.stem.isdecimal() or int(label.stem) < 1:
                    self._leave_out(f"{label}: expected a name such as 000001.pts, the frame counted from 1")
                    continue
                entries.append(_Frame(f"{place.name}/{label.stem}", video, int(label.stem) - 1, label))
        if not entries:
            raise self._nothing_found()
        return entries

    def _wanted(self, video: str) -> bool:
        tests = {name: key for key, names in _CATEGORIES.items() for name in names.split()}
        return self.split == "all" or tests.get(video, "train") == self.split

    def _label(self, entry: _Frame) -> Label:
        return Label(read_pts(entry.label, 68))

    def _image(self, entry: _Frame) -> Tensor:
        # A forked worker inherits open videos, whose decoders have lost their threads: reading or closing one hangs.
        videos = self._videos[os.getpid()]
        if entry.video not in videos:
            videos[entry.video] = _Video(entry.video)
            if len(videos) > _OPEN_VIDEOS:
                videos.popitem(last=False)[1].close()
        return videos[entry.video].frame(entry.index)

    def __getstate__(self) -> dict[str, object]:
        """Open videos stay with their process: workers of a loader open their own."""
        return {**self.__dict__, "_videos": defaultdict(OrderedDict)}


class _Video:
    """Frames of a video by number; decoding goes forward only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._length: int | None = None  # known once the end was met
        self._open()

    def _open(self) -> None:
        self._capture, self._next = cv2.VideoCapture(str(self.path)), 0
        if not self._capture.isOpened():
            raise ValueError(f"{self.path}: expected a readable video")

    def frame(self, index: int) -> Tensor:
        """Frame ``index``, from 0, as ``(3, H, W)`` RGB in [0, 1]. Raises ValueError if the video is shorter."""
        if self._length is None or index < self._length:
            if index < self._next:
                self.close()
                self._open()
            while self._next < index and self._capture.grab():
                self._next += 1
            whole, picture = self._capture.read()
            if whole and self._next == index:
                self._next += 1
                return torch.from_numpy(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).permute(2, 0, 1).float() / 255
            self._length = self._next
        raise ValueError(f"{self.path}: expected frame {index + 1}, found {self._length} frames")

    def close(self) -> None:
        self._capture.release()
