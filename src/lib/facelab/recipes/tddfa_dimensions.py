"""What faces lose and gain when only the first modes of identity and expression are kept; no training.

Coefficients beyond the kept ones are set to zero and the others stay: nothing is fitted again. Sums over the dropped
modes give every number of modes at once, so the errors are exact.

The paper's modes are principal components of scans: 199 of the Basel Face Model and 29 of FaceWarehouse. Those of the
built-in face are not. Its identity is a list of named measures and a smooth random field, turned into an orthonormal
basis and ordered by standard deviation; its expressions are named movements in the order of a list, each in use on some
faces only. So the figure tells what any such list tells, that the first modes of identity carry most of a face, and its
size depends on the deviations that were typed in. It cannot tell how fast the modes of real people fade.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from facelab.data.synthetic import SceneRanges, sample_scene
from facelab.face3d import MorphableModel, builtin_face
from facelab.face3d.parameters import EXPRESSION_PARAMETERS, IDENTITY_PARAMETERS
from facelab.metrics import normalizer_lengths
from facelab.recipes.timing import median_milliseconds, one_thread

IDENTITY_MODES, EXPRESSION_MODES = 199, 29  # of the paper
KEPT, FEW = (IDENTITY_PARAMETERS, EXPRESSION_PARAMETERS), (5, 2)
ORDERS = ("model", "landmarks")
_SIDE = 120  # pixels of a picture; errors are shares of the face, and do not depend on it
_CHUNK = 16  # faces at once: 6,000 pairs of numbers times 68 landmarks each
_CALLS = 20  # in a round of timing


class DimensionErrors(NamedTuple):
    """Errors of faces with their first modes alone, means over all faces of all seeds, in the true pose.

    Attributes:
        nme: ``(E + 1, I + 1)`` fractions: row j has j expression modes, column i has i identity modes. Of the landmarks
            in 2D, over the root of width times height of their box. ``nme[0, 0]`` is the mean face.
        dense: ``(E + 1, I + 1)`` fractions: root mean square over the vertices in 3D, over the same length.
        kept, few: NME with the numbers of modes ``KEPT`` and ``FEW``, one value a seed.
    """

    nme: Tensor
    dense: Tensor
    kept: tuple[float, ...]
    few: tuple[float, ...]


class DimensionTimes(NamedTuple):
    """Milliseconds for dense faces on one thread, one value a round.

    Attributes:
        whole: from all modes. kept: from the first ``KEPT``.
    """

    whole: tuple[float, ...]
    kept: tuple[float, ...]


def dimension_errors(
    faces: int = 500, seeds: Sequence[int] = (0, 1, 2), model: MorphableModel | None = None, order: str = "model"
) -> DimensionErrors:
    """Errors over the numbers of modes kept: figure 2 of the supplement, on faces and poses of the book's scenes.

    All 199 identity and the first 29 expression modes are in use (or as many as the model has).

    Args:
        faces: for each seed. model: if not the face, lips and ears of the built-in one.
        order: ``"model"``, the modes as the model has them; or ``"landmarks"``, by how far one standard deviation of a
            mode moves the landmarks, which is the kindest order for the figure.
    Raises:
        ValueError: on an unknown order, no face or seed, or a model with fewer modes than ``KEPT``.
    """
    if order not in ORDERS:
        raise ValueError(f"order: expected one of {', '.join(ORDERS)}, got {order!r}")
    if faces < 1 or not seeds:
        raise ValueError(f"faces, seeds: expected at least one of each, got {faces} and {list(seeds)}")
    model = _first_modes(model or studied_face())
    ranks = [_ranks(model, name, order) for name in ("identity", "expression")]
    means = [_means(model, faces, seed, *ranks) for seed in seeds]
    nme, dense = (torch.stack(each).mean(0) for each in zip(*means, strict=True))
    kept, few = (tuple(float(grid[j, i]) for grid, _ in means) for i, j in (KEPT, FEW))
    return DimensionErrors(nme, dense, kept, few)


def dimension_times(rounds: int = 5, batch: int = 1, model: MorphableModel | None = None) -> DimensionTimes:
    """How long dense faces take from all modes and from the first, taking turns.

    The time is that of the thread, whatever else runs, and of a round the median call. The camera is left out: it is
    the same for both.

    Args:
        batch: faces. model: if not the whole built-in one.
    """
    model = _first_modes(model or builtin_face())
    identity, expression = model.sample(batch, torch.Generator().manual_seed(0))
    short = [part[:, :count].contiguous() for part, count in zip((identity, expression), KEPT, strict=True)]
    whole, kept = [], []
    with one_thread():
        for _ in range(rounds):
            whole.append(median_milliseconds(lambda: model.axes(identity, expression), _CALLS))
            kept.append(median_milliseconds(lambda: model.axes(*short), _CALLS))
    return DimensionTimes(tuple(whole), tuple(kept))


def studied_face() -> MorphableModel:
    """The part of the built-in face that modes and weights of parameters are studied on."""
    return builtin_face().subset(("face", "lips", "ears"))


def _first_modes(model: MorphableModel) -> MorphableModel:
    """The model with the modes of the study alone."""
    sizes = (len(model.identity), len(model.expression))
    if any(size < needed for size, needed in zip(sizes, KEPT, strict=True)):
        raise ValueError(f"model: expected at least {KEPT} identity and expression modes, {model.name} has {sizes}")
    return replace(
        model,
        identity=model.identity[:IDENTITY_MODES],
        identity_std=model.identity_std[:IDENTITY_MODES],
        expression=model.expression[:EXPRESSION_MODES],
        expression_std=model.expression_std[:EXPRESSION_MODES],
        expression_range=model.expression_range[:EXPRESSION_MODES],
        expression_names=model.expression_names[:EXPRESSION_MODES],
    )


def _ranks(model: MorphableModel, name: str, order: str) -> Tensor:
    """The modes ``(K,)`` of a basis in the order in which they are added."""
    deviation: Tensor = getattr(model, f"{name}_std")
    if order == "model":
        return torch.arange(len(deviation))
    moved = getattr(model.landmark_model(), name).flatten(1).norm(dim=1)
    return (deviation * moved).argsort(descending=True, stable=True)


def _means(model: MorphableModel, faces: int, seed: int, identity: Tensor, expression: Tensor) -> tuple[Tensor, Tensor]:
    """Of one seed: NME and dense error ``(E + 1, I + 1)``, modes taken in these orders."""
    scene = sample_scene(model, faces, _SIDE, SceneRanges(), torch.Generator().manual_seed(seed))
    sparse = model.landmark_model()
    length = normalizer_lengths(scene.camera.project(sparse.vertices(scene.identity, scene.expression)), "bbox")
    camera = scene.camera.matrix().double()
    alpha, beta = scene.identity[:, identity].double(), scene.expression[:, expression].double()
    shapes = _dropped(alpha, sparse.identity[identity], camera)
    nme = _landmark_errors(shapes, _dropped(beta, sparse.expression[expression], camera), length)
    bases = model.identity[identity].flatten(1).double(), model.expression[expression].flatten(1).double()
    squares = _squared_lengths(alpha, beta, *bases) / model.mean.shape[1]
    dense = squares.sqrt() * (scene.camera.scale.double() / length)[:, None, None]
    return nme, dense.mean(0)


def _dropped(scores: Tensor, basis: Tensor, camera: Tensor) -> Iterator[Tensor]:
    """What the modes that are left out would move the landmarks in the picture, some faces at a time.

    Args:
        scores: ``(B, K)``. basis: ``(K, 3, L)``. camera: ``(B, 3, 4)``.
    Yields:
        ``(b, K + 1, 2, L)`` pixels: all modes, all but the first, ... none.
    """
    for some, linear in zip(scores.split(_CHUNK), camera[:, None, :2, :3].split(_CHUNK), strict=True):
        yield _suffix_sums(linear @ (some[:, :, None, None] * basis.double()), 1)


def _suffix_sums(values: Tensor, axis: int) -> Tensor:
    """Sums of all entries, of all but the first, ... of none: one more than there are along the axis."""
    sums = values.flip(axis).cumsum(axis).flip(axis)
    return torch.cat([sums, torch.zeros_like(sums.narrow(axis, 0, 1))], axis)


def _landmark_errors(identity: Iterator[Tensor], expression: Iterator[Tensor], length: Tensor) -> Tensor:
    """The mean NME ``(E + 1, I + 1)`` of what both kinds of modes leave, :func:`_dropped`."""
    total = torch.zeros(())
    for shapes, moves, lengths in zip(identity, expression, length.split(_CHUNK), strict=True):
        for shape, move, one in zip(shapes, moves, lengths, strict=True):
            across, down = (move[:, None, axis] + shape[None, :, axis] for axis in (0, 1))
            total = total + torch.hypot(across, down).mean(2) / one
    return total / len(length)


def _squared_lengths(alpha: Tensor, beta: Tensor, identity: Tensor, expression: Tensor) -> Tensor:
    r"""``|sum_{k >= i} alpha_k A_k + sum_{l >= j} beta_l E_l|^2`` for all i and j, ``(B, E + 1, I + 1)``.

    From the products of the modes with each other, at no cost of a vertex.

    Args:
        alpha: ``(B, I)``. beta: ``(B, E)``. identity: ``(I, 3 V)``. expression: ``(E, 3 V)``.
    """
    own = [_tail_squares(alpha, identity @ identity.T), _tail_squares(beta, expression @ expression.T)]
    between = beta[:, :, None] * (expression @ identity.T) * alpha[:, None]
    mixed = _suffix_sums(_suffix_sums(between, 1), 2)
    return (own[0][:, None] + own[1][:, :, None] + 2 * mixed).clamp_min(0)  # rounding goes below zero


def _tail_squares(scores: Tensor, products: Tensor) -> Tensor:
    """``|sum_{k >= i} scores_k mode_k|^2`` for all i, ``(B, K + 1)``."""
    rows = [_suffix_sums(_suffix_sums(one[:, None] * products * one, 0), 1).diagonal() for one in scores]
    return torch.stack(rows)
