"""A face without a network: the 62 parameters of a morphable model by least squares, from 2D landmarks alone."""

from typing import NamedTuple

import torch
from torch import Tensor

from facelab.face3d import MorphableModel
from facelab.face3d.parameters import EXPRESSION_PARAMETERS, IDENTITY_PARAMETERS, pack
from facelab.geometry import WeakPerspective, similarity

_DOWN = (1.0, -1.0)  # pixels count downward, the model's y upward
_FEWEST = 6  # landmarks: as many as a camera has unknowns, over two


class LandmarkFit(NamedTuple):
    """What was fitted.

    Attributes:
        parameters: ``(B, 62)``, see :func:`facelab.face3d.parameters.pack`.
        residual: ``(B,)`` root of the mean squared distance of the landmarks to the given points, in pixels.
    """

    parameters: Tensor
    residual: Tensor


def fit_landmarks(points: Tensor, model: MorphableModel, noise: float = 0.02, rounds: int = 40) -> LandmarkFit:
    r"""Camera and coefficients of a morphable model whose landmarks come nearest to points in a picture.

    What is made small, for landmarks ``x_k`` and their vertices ``v_k`` of a shape with coefficients ``c_m``, is

        sum_k |s P R v_k + t - x_k|^2 / noise^2  +  sum_m (c_m / std_m)^2

    with a weak-perspective camera ``s, R, t`` and ``P`` which drops the depth; lengths in the first term count in roots
    of the area of the box of the points. The second term is what the model holds for likely. Two steps take turns, and
    neither makes the sum larger:

    - *the camera*, with the shape fixed: the points get the depths that the last camera gives to the landmarks, and
      the similarity from the landmarks to these points in 3D is found in closed form;
    - *the coefficients*, with the camera fixed: a regularised linear least-squares problem.

    The first camera is the affine one that fits best, its rows made orthogonal and of one length.

    Args:
        points: ``(B, 68, 2)`` pixels, NaN where a landmark is missing. model: with all 68 landmarks.
        noise: how far off points are expected, a share of the root of their box's area. The smaller, the more the
            points are believed, and the less the model. Positive.
        rounds: how often both steps are taken.
    Returns:
        In the dtype of the points; computed in double precision. The depth of the camera is 0.
    Raises:
        ValueError: on another shape, fewer than six landmarks of a face, a noise that is not positive, no round, or a
            model that lacks landmarks.
    Source: Blanz and Vetter 1999 (the prior); Huber et al. 2016 (landmarks alone, in turns). The camera step is that of
        DeMenthon and Davis 1995 with an orthographic camera; that all is in shares of the box is ours.
    """
    seen = _seen(points, noise, rounds)
    given = torch.where(seen[..., None], points, 0.0).double() * points.new_tensor(_DOWN).double()
    sizes = _box_roots(points)
    mean, basis, deviations = _basis(model)
    coefficients = given.new_zeros(len(points), len(basis))
    camera = _first_camera(mean.expand(len(points), -1, -1), given, seen)
    for _ in range(rounds):
        shape = mean + torch.einsum("bm,mlc->blc", coefficients, basis)
        camera = _better_camera(camera, shape, given, seen)
        coefficients = _likely(camera, mean, basis, deviations, given, seen, noise * sizes)
    shape = mean + torch.einsum("bm,mlc->blc", coefficients, basis)
    apart = torch.where(seen, (_flat(camera, shape) - given).square().sum(2), 0.0)
    down = camera.translation * given.new_tensor(_DOWN)
    matrix = WeakPerspective(camera.scale, camera.rotation, down).matrix()
    identity, expression = coefficients.split([min(IDENTITY_PARAMETERS, len(model.identity)),
                                               min(EXPRESSION_PARAMETERS, len(model.expression))], 1)  # fmt: skip
    residual = (apart.sum(1) / seen.sum(1)).sqrt()
    return LandmarkFit(pack(matrix, identity, expression).to(points), residual.to(points))


def _seen(points: Tensor, noise: float, rounds: int) -> Tensor:
    """Which landmarks there are, ``(B, 68)``."""
    if points.ndim != 3 or points.shape[1:] != (68, 2) or not points.is_floating_point() or not len(points):
        raise ValueError(f"points: expected floating-point (B, 68, 2), got {points.dtype} {tuple(points.shape)}")
    if not 0 < noise < float("inf") or rounds < 1:
        raise ValueError(f"noise, rounds: expected a positive number and at least one round, got {noise} and {rounds}")
    seen = points.isfinite().all(2)
    fewest = int(seen.sum(1).min())
    if fewest < _FEWEST:
        face = int(seen.sum(1).argmin())
        raise ValueError(f"points of face {face}: expected at least {_FEWEST} landmarks, got {fewest}")
    return seen


def _box_roots(points: Tensor) -> Tensor:
    """``(B,)`` root of width times height."""
    low, high = points.nan_to_num(torch.inf).amin(1), points.nan_to_num(-torch.inf).amax(1)
    return (high - low).double().prod(1).sqrt()


def _basis(model: MorphableModel) -> tuple[Tensor, Tensor, Tensor]:
    """Mean ``(68, 3)``, modes ``(M, 68, 3)`` and deviations ``(M,)`` of the landmarks, in double precision."""
    face = model.landmark_model()
    kept = face.identity[:IDENTITY_PARAMETERS], face.expression[:EXPRESSION_PARAMETERS]
    deviations = face.identity_std[:IDENTITY_PARAMETERS], face.expression_std[:EXPRESSION_PARAMETERS]
    return face.mean.T.double(), torch.cat(kept).transpose(1, 2).double(), torch.cat(deviations).double()


def _first_camera(shape: Tensor, points: Tensor, seen: Tensor) -> WeakPerspective:
    """From the best affine camera: the scaled rotation that is nearest to it."""
    weight = seen[..., None].double()
    ones = torch.ones_like(shape[..., :1])
    affine = torch.linalg.lstsq(weight * torch.cat([shape, ones], 2), weight * points).solution.transpose(1, 2)
    u, lengths, vt = torch.linalg.svd(affine[:, :, :3], full_matrices=False)
    rows = u @ vt
    rotation = torch.cat([rows, torch.linalg.cross(rows[:, 0], rows[:, 1])[:, None]], 1)
    return WeakPerspective(lengths.mean(1), rotation, affine[:, :, 3])


def _flat(camera: WeakPerspective, shape: Tensor) -> Tensor:
    """``(B, 68, 2)`` where landmarks are, y upward."""
    turned = shape @ camera.rotation[:, :2].transpose(1, 2)
    return camera.scale[:, None, None] * turned + camera.translation[:, None]


def _better_camera(camera: WeakPerspective, shape: Tensor, points: Tensor, seen: Tensor) -> WeakPerspective:
    """The similarity to the points with the depths of the last camera; missing points stay where that puts them."""
    depth = camera.scale[:, None] * (shape @ camera.rotation[:, 2, :, None])[..., 0]
    there = torch.where(seen[..., None], points, _flat(camera, shape))
    found = similarity(shape, torch.cat([there, depth[..., None]], 2))
    return WeakPerspective(found.scale, found.rotation, found.translation[:, :2])


def _likely(
    camera: WeakPerspective, mean: Tensor, basis: Tensor, deviations: Tensor, points: Tensor, seen: Tensor,
    noise: Tensor,
) -> Tensor:  # fmt: skip
    """Coefficients ``(B, M)``, by the normal equations in standard deviations.

    Args:
        noise: ``(B,)`` pixels.
    """
    rows = camera.scale[:, None, None] * camera.rotation[:, :2]
    weight = seen.double() / noise[:, None]
    moved = torch.einsum("mlc,brc->blrm", basis * deviations[:, None, None], rows) * weight[..., None, None]
    left = (points - _flat(camera, mean.expand(len(points), -1, -1))) * weight[..., None]
    system, wanted = moved.flatten(1, 2), left.flatten(1, 2)[..., None]
    normal = system.transpose(1, 2) @ system + torch.eye(len(basis), dtype=system.dtype)
    return torch.linalg.solve(normal, system.transpose(1, 2) @ wanted)[..., 0] * deviations
