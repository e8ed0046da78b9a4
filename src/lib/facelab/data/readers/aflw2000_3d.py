"""AFLW2000-3D: 2,000 photographs of AFLW with a fitted 3D face model (Zhu et al. 2016)."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch
from torch import Tensor
from torch.utils.data import Dataset

from facelab.data.images import read_image
from facelab.data.sample import EXPRESSION_PARAMETERS, IDENTITY_PARAMETERS, FaceSample, landmark_box
from facelab.geometry import rotation_matrix

_FIELDS = {"pt3d_68": (3, 68), "Pose_Para": (1, 7), "Shape_Para": (199, 1), "Exp_Para": (29, 1)}


class AFLW2000(Dataset[FaceSample]):
    """The pictures ``<name>.jpg`` of a folder with the labels ``<name>.mat`` beside them, in the order of their names.

    Landmarks are the 68 projected 3D points (``pt3d_68``). The files count pixels from 1; here the centre of the first
    is 0. ``pose`` is the fitted pitch, yaw and roll; ``parameters`` is the fitted camera in our pixels and the first 40
    and 10 coefficients of the Basel Face Model, which is not part of the data set. Every landmark is marked visible:
    the set does not say which are.

    Args:
        folder: the one with the ``.mat`` files in it.
    Raises:
        FileNotFoundError: if there is no such folder, no label in it, or a label without its picture.
        ValueError: on reading a sample whose file is damaged or lacks a field.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"{self.folder}: no such folder; expected that of AFLW2000-3D")
        self.labels = sorted(self.folder.glob("*.mat"))
        if not self.labels:
            raise FileNotFoundError(f"{self.folder}: expected files <name>.jpg and <name>.mat, found no .mat")
        for label in self.labels:
            if not label.with_suffix(".jpg").is_file():
                raise FileNotFoundError(f"{label.with_suffix('.jpg')}: no picture for {label.name}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> FaceSample:
        path = self.labels[index]
        fields = _read_fields(path)
        image = read_image(path.with_suffix(".jpg"))
        landmarks = fields["pt3d_68"].T - torch.tensor([1.0, 1.0, 0.0])
        pose = fields["Pose_Para"][0]
        coefficients = [fields["Shape_Para"][:IDENTITY_PARAMETERS, 0], fields["Exp_Para"][:EXPRESSION_PARAMETERS, 0]]
        return FaceSample(
            image=image,
            landmarks=landmarks,
            visible=torch.ones(len(landmarks), dtype=torch.bool),
            box=landmark_box(landmarks),
            pose=pose[:3],
            parameters=torch.cat([_camera(pose, image.shape[1]).flatten(), *coefficients]),
            name=path.stem,
            markup="68",
        )


def _camera(pose: Tensor, height: int) -> Tensor:
    """``(3, 4)`` from the file's pitch, yaw, roll, tx, ty, tz, scale: y points down here, and both axes start at 0."""
    flip = torch.tensor([1.0, -1.0, 1.0])
    shift = pose[3:6] * flip + torch.tensor([-1.0, float(height), 0.0])
    return torch.cat([pose[6] * flip[:, None] * rotation_matrix(*pose[:3]), shift[:, None]], 1)


def _read_fields(path: Path) -> dict[str, Tensor]:
    try:
        content: dict[str, Any] = scipy.io.loadmat(path, variable_names=list(_FIELDS))
    except Exception as error:  # a damaged file makes the parser fail in many ways
        raise ValueError(f"{path}: expected a whole MATLAB 5 file: {error}") from error
    fields = {}
    for name, shape in _FIELDS.items():
        value = content.get(name)
        if value is None or np.shape(value) != shape or not np.isfinite(np.asarray(value, np.float64)).all():
            found = "nothing" if value is None else f"shape {np.shape(value)}"
            raise ValueError(f"{path}: field {name}: expected finite numbers of shape {shape}, found {found}")
        fields[name] = torch.from_numpy(np.asarray(value, np.float32))
    return fields
