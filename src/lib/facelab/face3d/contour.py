"""The visible outline of a face: where annotators of photographs put the jaw when the head is turned.

The 68 points come with two rules for the jaw. The *3D* rule keeps each point on its place of the head, hidden or not.
The *2D* rule, that of the first photographs that people annotated, slides the points of the far side along the cheek
to the outline that the camera sees. Each jaw point gets a *track*: vertices of the skin from its place in toward the
middle of the face. In a picture it stands where its track reaches farthest out (landmark marching: Zhu et al. 2015,
"High-fidelity pose and expression normalization", section 3.1).
"""

from functools import lru_cache

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from facelab.face3d.model import MorphableModel
from facelab.geometry import WeakPerspective

JAW = 17
_STEPS = 24  # places along a track
_REACH = 0.62  # share of the way from the jaw to the middle of the face
_SKIN = ("face", "lips", "neck")


@lru_cache(maxsize=8)
def contour_tracks(model: MorphableModel) -> Tensor:
    """``(17, 24)`` int64: for every jaw landmark the vertices of its track, its own first.

    A track runs at the landmark's height (for the chin: up the middle) over the front of the mean face.

    Raises:
        ValueError: if the model lacks landmarks.
    """
    points = model.landmarks_of(model.mean.T.cpu()[None])[0]
    jaw, mouth = points[:JAW], points[48:68].mean(0)
    skin = _skin(model)
    tree = cKDTree(skin[1][:, :2])
    tracks = []
    for index in range(JAW):
        # Ends of the jaw look at the eye, its middle at the mouth: tracks cross the cheek and do not meet.
        share = abs(index - 8) / 8
        inner = torch.stack([mouth[0], mouth[1] + share * (max(jaw[index, 1], mouth[1]) - mouth[1])])
        steps = torch.linspace(0, _REACH, _STEPS)[:, None]
        line = (1 - steps) * jaw[index, :2] + steps * inner
        near = tree.query(line.numpy(), k=6)[1]
        front = skin[1][near][..., 2].argmax(1)  # of the places seen one behind the other, the one in front
        tracks.append(skin[0][near[np.arange(_STEPS), front]])
    found = torch.from_numpy(np.stack(tracks))
    found[:, 0] = model.landmarks[:JAW].cpu()
    return found.to(model.landmarks.device)


def _skin(model: MorphableModel) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (N,) and mean places (N, 3) of the vertices in front of the ears; all, where regions do not say."""
    mean = model.mean.T.cpu().numpy()
    wanted = [number for number, name in enumerate(model.region_names) if name in _SKIN]
    chosen = np.isin(model.region.cpu().numpy(), wanted) if wanted else np.ones(len(mean), bool)
    behind = mean[model.landmarks[[0, 16]].cpu().numpy(), 2].mean()
    index = np.flatnonzero(chosen & (mean[:, 2] > behind - 1e-3 * np.ptp(mean[:, 2])))
    return index, mean[index]


def visible_contour(model: MorphableModel, points: Tensor, camera: WeakPerspective) -> Tensor:
    """The jaw by the 2D rule.

    Args:
        model: the face. points: ``(B, V, 3)`` its projected vertices, pixels. camera: that projected them.
    Returns:
        ``(B, 17, 2)`` pixels.
    """
    tracks = contour_tracks(model).to(points.device)
    along = points[:, tracks, :2]  # (B, 17, T, 2)
    outward = _outward(model, camera, points.device)
    best = (along * outward[:, :, None]).sum(3).argmax(2)
    return along.gather(2, best[:, :, None, None].expand(-1, -1, 1, 2))[:, :, 0]


def _outward(model: MorphableModel, camera: WeakPerspective, device: torch.device) -> Tensor:
    """``(B, 17, 2)``: away from the middle of the face in the picture, for a head that has no roll left over.

    The direction is that of the jaw point from the mouth on the mean face seen from the front, turned with the roll
    of the picture only: yaw must not turn it round.
    """
    mean = model.landmarks_of(model.mean.T[None])[0].to(device)
    direction = torch.nn.functional.normalize(mean[:JAW, :2] - mean[48:68, :2].mean(0), dim=1)
    up = camera.rotation[:, :2, 1]  # the head's up in the picture, y up
    up = torch.nn.functional.normalize(up, dim=1)
    right = torch.stack([up[:, 1], -up[:, 0]], 1)
    turned = direction[None, :, :1] * right[:, None] + direction[None, :, 1:] * up[:, None]
    return turned * turned.new_tensor([1.0, -1.0])
