"""The 62 parameters of a face in a picture: a 3 x 4 camera, 40 identity and 10 expression coefficients.

The camera is a matrix ``[s F R | t]`` by rows (:class:`facelab.geometry.WeakPerspective`): it takes model points to
pixels of the picture, x right, y down, the first pixel's centre at (0, 0). Regressing the matrix rather than angles
avoids their singularities at the profile. Source: Zhu et al. 2016 (3DDFA); Guo et al. 2020 (3DDFA_V2), section 3.1.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import pad

from facelab.face3d.model import MorphableModel
from facelab.geometry import Affine, WeakPerspective, rotation_angles, rotation_matrix

CAMERA_PARAMETERS, IDENTITY_PARAMETERS, EXPRESSION_PARAMETERS = 12, 40, 10
PARAMETERS = CAMERA_PARAMETERS + IDENTITY_PARAMETERS + EXPRESSION_PARAMETERS
_MANY, _TILE = 16, 8192  # faces from which a mesh is made in tiles, and vertices of a tile
_ROUNDING = 1e-6  # a deviation below this share of the mean is rounding


class Parameters(NamedTuple):
    """The parts of the 62 parameters: camera ``(B, 3, 4)``, identity ``(B, 40)``, expression ``(B, 10)``."""

    camera: Tensor
    identity: Tensor
    expression: Tensor


class Decomposed(NamedTuple):
    """What a camera does.

    Attributes:
        scale: ``(B,)`` pixels per model unit. rotation: ``(B, 3, 3)``. angles: ``(B, 3)`` pitch, yaw, roll in radians.
        translation: ``(B, 3)`` pixels.
    """

    scale: Tensor
    rotation: Tensor
    angles: Tensor
    translation: Tensor


def pack(camera: Tensor, identity: Tensor, expression: Tensor) -> Tensor:
    """The 62 parameters ``(B, 62)``.

    Args:
        camera: ``(B, 3, 4)``.
        identity, expression: ``(B, k)`` raw coefficients; those beyond the first 40 and 10 are left out, and where a
            model has fewer, zeros stand in.
    Raises:
        ValueError: on other shapes.
    """
    batch = len(camera)
    if camera.shape != (batch, 3, 4):
        raise ValueError(f"camera: expected shape (B, 3, 4), got {tuple(camera.shape)}")
    for name, value in (("identity", identity), ("expression", expression)):
        if value.ndim != 2 or len(value) != batch:
            raise ValueError(f"{name}: expected shape ({batch}, k), got {tuple(value.shape)}")
    sized = (_first(identity, IDENTITY_PARAMETERS), _first(expression, EXPRESSION_PARAMETERS))
    return torch.cat([camera.flatten(1), *sized], 1)


def _first(coefficients: Tensor, count: int) -> Tensor:
    kept = coefficients[:, :count]
    return pad(kept, (0, count - kept.shape[1]))


def unpack(parameters: Tensor) -> Parameters:
    """The parts of ``(B, 62)`` parameters; undoes :func:`pack`.

    Raises:
        ValueError: on another shape.
    """
    if parameters.ndim != 2 or parameters.shape[1] != PARAMETERS:
        raise ValueError(f"parameters: expected shape (B, {PARAMETERS}), got {tuple(parameters.shape)}")
    camera, identity, expression = parameters.split(
        [CAMERA_PARAMETERS, IDENTITY_PARAMETERS, EXPRESSION_PARAMETERS], dim=1
    )
    return Parameters(camera.unflatten(1, (3, 4)), identity, expression)


def decompose(camera: Tensor) -> Decomposed:
    """Scale, rotation, angles and translation of cameras ``(B, 3, 4)``; right at every yaw, also beyond the profile."""
    found = WeakPerspective.from_matrix(camera)
    return Decomposed(found.scale, found.rotation, rotation_angles(found.rotation), found.translation)


def compose(scale: Tensor, angles: Tensor, translation: Tensor) -> Tensor:
    """Cameras ``(B, 3, 4)`` of scales ``(B,)``, angles ``(B, 3)`` and translations ``(B, 2 or 3)``; see `decompose`."""
    return WeakPerspective(scale, rotation_matrix(*angles.unbind(1)), translation).matrix()


def project(model: MorphableModel, parameters: Tensor) -> Tensor:
    """The mesh of ``(B, 62)`` parameters in the picture, ``(B, V, 3)`` pixels.

    Modes that the model does not have are left out; it is to be on the device of the parameters.
    """
    camera, identity, expression = unpack(parameters)
    basis = _joint_basis(model)
    scores = torch.cat([identity[:, : len(model.identity)], expression[:, : len(model.expression)]], 1).to(basis)
    linear, shift = camera[:, :, :3], camera[:, :, 3:]
    if len(parameters) >= _MANY and not (torch.is_grad_enabled() and parameters.requires_grad):
        return _in_tiles(model.mean, basis, scores, linear, shift).transpose(1, 2)
    if len(scores) == 1:  # reads the basis faster than a product with a matrix of one row
        shape = torch.addmv(model.mean.flatten(), basis.flatten(1).T, scores[0]).view(1, *model.mean.shape)
    else:
        shape = torch.addmm(model.mean.reshape(1, -1), scores, basis.flatten(1)).unflatten(1, model.mean.shape)
    return torch.baddbmm(shift, linear, shape).transpose(1, 2)


def _in_tiles(mean: Tensor, basis: Tensor, scores: Tensor, linear: Tensor, shift: Tensor) -> Tensor:
    """``(B, 3, V)``, some vertices of all faces at a time: what lies between shape and picture stays in the cache."""
    placed = linear.new_empty(len(scores), *mean.shape)
    for start in range(0, mean.shape[1], _TILE):
        tile = slice(start, start + _TILE)
        shape = torch.stack([torch.addmm(mean[k, tile], scores, basis[:, k, tile]) for k in range(3)], 1)
        torch.baddbmm(shift, linear, shape, out=placed[:, :, tile])
    return placed


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept from inference mode could not be trained with later
def _joint_basis(model: MorphableModel) -> Tensor:
    """The modes of the parameters in one piece, ``(50, 3, V)``: one product makes the shape."""
    return torch.cat([model.identity[:IDENTITY_PARAMETERS], model.expression[:EXPRESSION_PARAMETERS]])


def landmarks_of_parameters(model: MorphableModel, parameters: Tensor) -> Tensor:
    """The 68 landmarks ``(B, 68, 3)`` in the picture of ``(B, 62)`` parameters, without making the other vertices.

    Raises:
        ValueError: when the model lacks landmarks (a part of a face).
    """
    return project(model.landmark_model(), parameters)


def crop(camera: Tensor, affine: Affine) -> Tensor:
    """The camera ``(B, 3, 4)`` after the picture was cropped, turned, scaled or mirrored.

    What it projects is what :meth:`Affine.apply` makes of what it projected before; depth is scaled as the picture is.
    The camera of a mirrored picture has no rotation (:func:`decompose` refuses nothing and is then wrong).
    """
    linear, shift = affine.matrix[:, :, :2], affine.matrix[:, :, 2:]
    plane = linear @ camera[:, :2] + pad(shift, (3, 0))
    return torch.cat([plane, affine.scale()[:, None, None] * camera[:, 2:]], 1)


def from_y_up(camera: Tensor, height: Tensor | float) -> Tensor:
    """A camera ``(B, 3, 4)`` in the pixels of 300W-LP and 3DDFA to ours.

    There y counts upward and both axes start at 1: ``x = X - 1``, ``y = height - Y``, ``z = Z``.

    Args:
        height: of the picture in pixels; one number or ``(B,)``.
    """
    sign = camera.new_tensor([1.0, -1.0, 1.0])[:, None]
    tall = torch.as_tensor(height, dtype=camera.dtype, device=camera.device).expand(len(camera))
    offset = torch.stack([-torch.ones_like(tall), tall, torch.zeros_like(tall)], 1)
    return sign * camera + pad(offset[:, :, None], (3, 0))


def to_y_up(camera: Tensor, height: Tensor | float) -> Tensor:
    """Undoes :func:`from_y_up`: ``X = x + 1``, ``Y = height - y``, ``Z = z``."""
    sign = camera.new_tensor([1.0, -1.0, 1.0])[:, None]
    return sign * (camera - from_y_up(torch.zeros_like(camera), height))


def camera_from_pose_para(pose_para: Tensor, height: Tensor | float) -> Tensor:
    """The camera ``(B, 3, 4)`` in our pixels of the field ``Pose_Para`` ``(B, 7)`` of 300W-LP and AFLW2000-3D.

    Args:
        pose_para: pitch, yaw, roll, t_x, t_y, t_z, scale. height: of the picture in pixels (450 in these sets).
    Raises:
        ValueError: on another shape.
    """
    if pose_para.ndim != 2 or pose_para.shape[1] != 7:
        raise ValueError(f"Pose_Para: expected shape (B, 7), got {tuple(pose_para.shape)}")
    rotation = rotation_matrix(*pose_para[:, :3].unbind(1))
    linear = pose_para[:, 6, None, None] * rotation
    return from_y_up(torch.cat([linear, pose_para[:, 3:6, None]], 2), height)


def pose_para_from_camera(camera: Tensor, height: Tensor | float) -> Tensor:
    """``Pose_Para`` ``(B, 7)`` of cameras ``(B, 3, 4)`` in our pixels; undoes :func:`camera_from_pose_para`."""
    scale, _, angles, _ = decompose(camera)
    return torch.cat([angles, to_y_up(camera, height)[:, :, 3], scale[:, None]], 1)


@dataclass(frozen=True, eq=False)
class ParameterStatistics:
    """Mean and standard deviation of each of the 62 parameters over a training set: ``(62,)`` float32 each.

    Whitened parameters are ``(p - mean) / std``. A parameter that never varies, such as the depth of cameras without
    one, has ``std`` 0: it whitens to 0, and back to its mean. The statistics that trained a network must decode it.
    """

    mean: Tensor
    std: Tensor

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            value = getattr(self, name)
            if value.shape != (PARAMETERS,) or not bool(torch.isfinite(value).all()):
                got = tuple(value.shape)
                raise ValueError(f"statistics {name}: expected finite numbers of shape ({PARAMETERS},), got {got}")
        if bool((self.std < 0).any()):
            raise ValueError("statistics std: expected no negative number")

    @staticmethod
    def fit(parameters: Tensor) -> "ParameterStatistics":
        """Statistics of parameters ``(N, 62)``; faces with unknown (NaN) parameters do not count.

        Raises:
            ValueError: on another shape, or with fewer than two faces.
        """
        if parameters.ndim != 2 or parameters.shape[1] != PARAMETERS:
            raise ValueError(f"parameters: expected shape (N, {PARAMETERS}), got {tuple(parameters.shape)}")
        known = parameters[torch.isfinite(parameters).all(1)].double()
        if len(known) < 2:
            raise ValueError(f"parameters: expected at least 2 faces with finite parameters, got {len(known)}")
        mean, std = known.mean(0), known.std(0, correction=0)
        return ParameterStatistics(mean.float(), torch.where(std > _ROUNDING * mean.abs(), std, 0.0).float())

    def to(self, device: torch.device | str) -> "ParameterStatistics":
        """The same statistics on another device."""
        return ParameterStatistics(self.mean.to(device), self.std.to(device))

    def whiten(self, parameters: Tensor) -> Tensor:
        """Parameters ``(B, 62)`` with zero mean and unit variance."""
        divisor = torch.where(self.std > 0, self.std, 1.0)
        return torch.where(self.std > 0, (parameters - self.mean) / divisor, 0.0)

    def unwhiten(self, whitened: Tensor) -> Tensor:
        """Undoes :meth:`whiten`."""
        return whitened * self.std + self.mean

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a ``.safetensors`` file, whole or not at all."""
        target = Path(path)
        if not target.parent.is_dir():
            raise FileNotFoundError(f"{target}: expected an existing folder {target.parent}")
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            save_file({name: getattr(self, name).cpu().contiguous() for name in ("mean", "std")}, temporary)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        return target

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "ParameterStatistics":
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: without the file. ValueError: on a damaged file, or one of something else.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file; expected statistics of the 62 parameters")
        try:
            content = load_file(path)
            return ParameterStatistics(content["mean"].float(), content["std"].float())
        except (SafetensorError, KeyError, ValueError) as error:
            raise ValueError(f"{path}: expected 'mean' and 'std' of the 62 parameters: {error}") from error
