"""300-W: four sets of photographs labelled alike with 68 points (Sagonas et al. 2013, 2016)."""

from pathlib import Path

from facelab.data.readers.base import FaceFiles, Label, Pair, by_stem, pictures_in
from facelab.data.readers.pts import read_pts

# Folders of each split, as the usual protocol puts the sets together.
_SPLITS = {
    "train": ("afw", "lfpw/trainset", "helen/trainset"),
    "common": ("lfpw/testset", "helen/testset"),
    "challenging": ("ibug",),
    "full": ("lfpw/testset", "helen/testset", "ibug"),
    "private": ("300W/01_Indoor", "300W/02_Outdoor"),
}


class W300(FaceFiles[Pair]):
    """Pictures and ``.pts`` files side by side in ``afw``, ``helen``, ``ibug``, ``lfpw`` and ``300W``.

    Training 3,148; common 554, challenging 135, full 689; private test set 600. The jaw follows the visible outline.
    Mirrored copies (``*_mirror.*``) that some archives hold are passed over. Checked on real files.

    Args:
        folder: the one with those folders in it. split: ``"train"``, ``"common"``, ``"challenging"``, ``"full"``,
            ``"private"`` or ``"all"`` (everything that is there).
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "300W"
    layout = "folders afw, helen/{trainset,testset}, ibug, lfpw/{trainset,testset}, 300W/{01_Indoor,02_Outdoor}"
    sign = "afw/*.pts|ibug/*.pts|helen/*/*.pts|lfpw/*/*.pts|300W/*/*.pts"

    def __init__(self, folder: str | Path, split: str = "all", strict: bool = True) -> None:
        if split not in (*_SPLITS, "all"):
            raise ValueError(f"300W split: expected one of {', '.join(_SPLITS)}, all; got {split!r}")
        self.split = split
        super().__init__(folder, strict)

    def _entries(self) -> list[Pair]:
        everything = {place for places in _SPLITS.values() for place in places}
        folders = [self.folder / place for place in sorted(everything if self.split == "all" else _SPLITS[self.split])]
        pictures = [path for place in folders for path in pictures_in(place) if "_mirror" not in path.stem]
        labels = [path for place in folders for path in place.glob("*.pts") if "_mirror" not in path.stem]
        return self._pairs(by_stem(pictures, self.folder), by_stem(labels, self.folder))

    def _label(self, entry: Pair) -> Label:
        return Label(read_pts(entry.label, 68))

    def _image(self, entry: Pair) -> Path:
        return entry.picture
