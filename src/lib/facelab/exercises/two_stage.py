"""Exercises of the chapters on the two-stage method (Bulat and Tzimiropoulos 2016)."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from facelab.data.discs import encode_discs
from facelab.exercises.judging import Exercise
from facelab.geometry import rotation_matrix
from facelab.metrics import cvgtce, gte

Shares = Callable[[Tensor], Tensor]


def _owners(points: Tensor, radius: float, side: int) -> Tensor:
    """``(side, side)``: how many discs each pixel is in."""
    return encode_discs(points, side, side, radius).sum((0, 1))


def _several_of_any(owners: Tensor) -> Tensor:
    return (owners > 1).sum() / (owners > 0).sum()


def _table_of_shares(
    points: Tensor, radii: Tensor, side: int, of_a_map: Shares | None = None, several: Shares = _several_of_any
) -> list[list[float]]:
    """For each radius, the share of a map within its disc, and the share of the pixels in discs that several have."""

    def mean_of_maps(owners: Tensor) -> Tensor:
        return owners.mean() / points.shape[1]

    all_owners = [_owners(points, radius, side) for radius in radii.tolist()]
    return [[float((of_a_map or mean_of_maps)(owners)), float(several(owners))] for owners in all_owners]


def _percent(table: list[list[float]]) -> list[list[float]]:
    return [[100 * value for value in row] for row in table]


def _each_view(found: Tensor, truths: Tensor, error: Callable[[Tensor, Tensor], Tensor]) -> list[float]:
    return [float(error(found, truth).mean()) for truth in truths]


def _moved_only(found: Tensor, truth: Tensor) -> Tensor:
    return gte(found + (truth - found).mean(1, keepdim=True), truth)


def _depth_errors(predicted: Tensor, target: Tensor, shared: bool = False, constant: bool = True) -> list[float]:
    """GTE along z after the best e; c and e; a, b, c and e.

    Args:
        shared: fit the same numbers to all faces. constant: fit e.
    """
    cloud, goal = predicted.double(), target.double()
    errors = []
    for names in ("e", "ce", "abce"):
        fitted = cloud.clone()
        if names == "e" or constant:
            fitted[..., 2] = _best_depths(cloud, goal[..., 2], names, shared)
        else:
            fitted[..., 2] = _best_depths(cloud, goal[..., 2], names.removesuffix("e"), shared)
        errors.append(float(gte(fitted, goal, "z").mean()))
    return errors


def _best_depths(cloud: Tensor, goal: Tensor, names: str, shared: bool) -> Tensor:
    """``(N, L)`` of a x + b y + c z + e with the best of the numbers in ``names``; c is 1 if it is not among them."""
    x, y, z = cloud.unbind(2)
    terms = {"a": x, "b": y, "c": z, "e": torch.ones_like(z)}
    fixed = torch.zeros_like(z) if "c" in names else z
    basis, rest = torch.stack([terms[name] for name in names], 2), (goal - fixed)[..., None]
    shape = (1, -1) if shared else goal.shape
    numbers = torch.linalg.lstsq(basis.reshape(*shape, len(names)), rest.reshape(*shape, 1)).solution
    return fixed + (basis @ numbers)[..., 0]


def _taken_away(predicted: Tensor, target: Tensor) -> list[float]:
    before = float(gte(predicted.double(), target.double(), "z").mean())
    return [before - left for left in _depth_errors(predicted, target)]


def _turned_too_far(
    points: Tensor, degrees: float = 3.0, axis: int = 1, eyes: Literal["3d", "2d"] = "3d"
) -> list[list[float]]:
    """In percent at a yaw of 0 and 75 degrees: GTE along x, y and z, and CVGTCE, of a head turned too far."""

    def turned(yaw: float, more: float) -> Tensor:
        angles = [torch.zeros(1), torch.tensor([yaw]), torch.zeros(1)]
        angles[axis] = angles[axis] + more
        return points @ rotation_matrix(*(angle.deg2rad() for angle in angles)).mT

    rows = []
    for yaw in (0.0, 75.0):
        found, true = turned(yaw, degrees), turned(yaw, 0.0)
        errors = [gte(found, true, along, eyes=eyes) for along in "xyz"] + [cvgtce(found, true, eyes=eyes)]
        rows.append([100 * float(error.mean()) for error in errors])
    return rows


def _deviations(over: Tensor, under: Tensor, correction: int = 1) -> list[float]:
    """Of the ratios of pairs, and of the ratio of means of two that have nothing to do with each other."""
    apart = [(values.std(correction=correction) / values.mean()).square() for values in (over, under)]
    independent = over.mean() / under.mean() * (apart[0] + apart[1]).sqrt()
    return [float((over / under).std(correction=correction)), float(independent)]


def _added_plainly(over: Tensor, under: Tensor) -> list[float]:
    parts = [values.std() / values.mean() for values in (over, under)]
    return [_deviations(over, under)[0], float(over.mean() / under.mean() * (parts[0] + parts[1]))]


TWO_STAGE = {
    "two-stage-radius": Exercise(
        _table_of_shares,
        {
            "each landmark has a map of its own, and the first column is of one map, not of all together": (
                partial(_table_of_shares, of_a_map=lambda owners: (owners > 0).float().mean())
            ),
            "the second column is a share of the pixels in discs, not of the picture": (
                partial(_table_of_shares, several=lambda owners: (owners > 1).float().mean())
            ),
            "a pixel in three discs is still one pixel": (
                partial(_table_of_shares, several=lambda owners: owners[owners > 1].sum() / owners.sum())
            ),
            "these are discs with that diameter, not with that radius": (
                lambda points, radii, side: _table_of_shares(points, radii / 2, side)
            ),
            "expected fractions, these are percent": lambda *given: _percent(_table_of_shares(*given)),
        },
        relative=1e-3,
    ),
    "two-stage-which-view": Exercise(
        lambda found, truths: _each_view(found, truths, cvgtce),
        {
            "nothing was moved, that is the GTE": lambda found, truths: _each_view(found, truths, gte),
            "the truth was moved onto what was found": lambda found, truths: _each_view(
                found, truths, lambda ours, truth: cvgtce(truth, ours)
            ),
            "a similarity has a rotation and a scale, too, not a translation alone": lambda found, truths: _each_view(
                found, truths, _moved_only
            ),
            "expected fractions, these are percent": lambda found, truths: [
                100 * value for value in _each_view(found, truths, cvgtce)
            ],
        },
        relative=1e-3,
    ),
    "two-stage-weak-perspective": Exercise(
        lambda predicted, target: ("no", _depth_errors(predicted, target)),
        {
            "to forbid something, x and y would have to change with it": (
                lambda predicted, target: ("yes", _depth_errors(predicted, target))
            ),
            "each face has numbers of its own, these are the same for all": (
                lambda predicted, target: ("no", _depth_errors(predicted, target, shared=True))
            ),
            "with c there is an e, too": (
                lambda predicted, target: ("no", _depth_errors(predicted, target, constant=False))
            ),
            "that is what the fit takes away, not what it leaves": (
                lambda predicted, target: ("no", _taken_away(predicted, target))
            ),
            "expected fractions, these are percent": (
                lambda predicted, target: ("no", [100 * error for error in _depth_errors(predicted, target)])
            ),
        },
        relative=1e-3,
    ),
    "two-stage-share-of-length": Exercise(
        _turned_too_far,
        {
            "the eyes were measured in the picture, where they come nearer to each other as the head turns": (
                partial(_turned_too_far, eyes="2d")
            ),
            "that head nods by 3 degrees, it should turn": partial(_turned_too_far, axis=0),
            "3 degrees were taken for 3 radians": partial(_turned_too_far, degrees=3 * 180 / torch.pi),
            "expected percent, these are fractions": lambda points: [
                [value / 100 for value in row] for row in _turned_too_far(points)
            ],
        },
        absolute=6e-3,
    ),
    "two-stage-ratio": Exercise(
        _deviations,
        {
            "three seeds are a sample: the sum of squares is divided by one less": (partial(_deviations, correction=0)),
            "these are variances, their roots were asked": (
                lambda over, under: [value**2 for value in _deviations(over, under)]
            ),
            "these are standard errors of the mean, not deviations of one ratio": (
                lambda over, under: [value / len(over) ** 0.5 for value in _deviations(over, under)]
            ),
            "of independent errors the squares of the relative deviations add up": _added_plainly,
        },
        absolute=6e-4,
    ),
}
