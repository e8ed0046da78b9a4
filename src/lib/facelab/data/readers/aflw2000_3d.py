"""AFLW2000-3D: 2,000 photographs of AFLW with a fitted 3D face model (Zhu et al. 2016), and their re-annotation."""

from pathlib import Path

import torch
from torch import Tensor

from facelab.data.readers.base import FaceFiles, Label, Pair, by_stem, check_points, pictures_in
from facelab.data.readers.ls3dw import read_points
from facelab.data.readers.matlab import read_matlab
from facelab.face3d.parameters import camera_from_pose_para, pack

SIDE = 450  # of the pictures of 300W-LP and AFLW2000-3D
_OTHER_KINDS = (".t7", ".npy", ".pts", ".mat")  # of the re-annotation; the set's own labels are .mat files
MODEL_FIELDS = {"Pose_Para": (1, 7), "Shape_Para": (199, 1), "Exp_Para": (29, 1)}


class AFLW2000(FaceFiles[Pair]):
    """The pictures ``<name>.jpg`` of a folder with the labels ``<name>.mat`` beside them, in the order of their names.

    Landmarks are the 68 projected 3D points (``pt3d_68``). The files count pixels from 1; here the centre of the first
    is 0. ``pose`` is the fitted pitch, yaw and roll; ``parameters`` is the fitted camera in our pixels and the first 40
    and 10 coefficients of the Basel Face Model, which is not part of the data set. Every landmark is marked visible:
    the set does not say which are. Checked on real files.

    Args:
        folder: the one with the ``.mat`` files in it.
        labels: ``"original"``, or a folder with the re-annotation of LS3D-W (one ``<name>.t7``, ``.npy``, ``.pts`` or
            ``.mat`` a picture): its 2D landmarks then replace the fitted ones, pose and parameters stay.
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "AFLW2000-3D"
    layout = "files <name>.jpg and <name>.mat side by side (folder AFLW2000)"
    sign = "image*.mat"

    def __init__(self, folder: str | Path, labels: str | Path = "original", strict: bool = True) -> None:
        self.labels = None if labels == "original" else Path(labels)
        if self.labels is not None and not self.labels.is_dir():
            raise FileNotFoundError(f"{self.labels}: labels: expected 'original' or the folder of the re-annotation")
        super().__init__(folder, strict)

    def _entries(self) -> list[Pair]:
        pictures = [path for path in pictures_in(self.folder) if path.suffix.lower() in (".jpg", ".png")]
        labels = list(self.folder.glob("*.mat"))
        if not labels:
            raise self._nothing_found()
        self._others: dict[str, Path] = {}
        if self.labels is not None:  # of several of one name the first kind is taken
            found = (path for suffix in reversed(_OTHER_KINDS) for path in self.labels.rglob(f"*{suffix}"))
            self._others = {path.stem: path for path in found}
        return self._pairs(by_stem(pictures, self.folder), by_stem(labels, self.folder))

    def _label(self, entry: Pair) -> Label:
        fields = read_matlab(entry.label, {"pt3d_68": (3, 68), **MODEL_FIELDS})
        landmarks = fields["pt3d_68"].T - torch.tensor([1.0, 1.0, 0.0])
        if self.labels is not None:
            landmarks = self._reannotated(entry.name)
        check_points(landmarks, 68, entry.label, (SIDE, SIDE))
        pose, parameters = model_label(fields)
        return Label(landmarks, pose=pose, parameters=parameters)

    def _reannotated(self, name: str) -> Tensor:
        if name not in self._others:
            raise FileNotFoundError(f"{self.labels}: no re-annotation {name}{', '.join(_OTHER_KINDS)}")
        return read_points(self._others[name])

    def _image(self, entry: Pair) -> Path:
        return entry.picture


def model_label(fields: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Pose ``(3,)`` and the 62 parameters of a file of 300W-LP or AFLW2000-3D, in our pixels."""
    pose = fields["Pose_Para"]
    camera = camera_from_pose_para(pose, SIDE)
    return pose[0, :3], pack(camera, fields["Shape_Para"].T, fields["Exp_Para"].T)[0]
