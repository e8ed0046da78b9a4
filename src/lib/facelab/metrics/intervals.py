"""How sure a number is: bootstrap intervals over faces, groups of faces, and runs."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from facelab.metrics.pose import BINS, Beyond, binned

_AT_ONCE = 4_000_000  # numbers of draws held at a time: 32 MB


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float


def mean(values: Tensor) -> Tensor:
    """``(K,)`` the mean of all numbers of each of K draws ``(K, ...)``."""
    return values.flatten(1).mean(1)


def bootstrap(
    errors: Tensor,
    statistic: Callable[[Tensor], Tensor] = mean,
    draws: int = 2000,
    seed: int | torch.Generator = 0,
    *,
    groups: Tensor | None = None,
    runs: bool = False,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of a statistic if other faces of the same kind had been taken.

    Faces are drawn anew with replacement, as many as there are, and the statistic is taken of every draw; the interval
    holds the middle share of the results. Two methods on the same faces are compared by the interval of their
    differences, ``bootstrap(first - second)``: errors need not be positive here.

    What no face shows, no draw shows: without a failure among the faces the interval of the failure rate is 0 to 0,
    however few they are.

    Args:
        errors: ``(N,)``, or ``(N, C)`` with C numbers of a face that stay together, such as the errors of C runs.
        statistic: takes draws ``(K, N)`` or ``(K, N, C)`` and gives ``(K,)``; the mean if not given. Another:
            ``lambda e: (e > 0.08).double().mean(1)``.
        groups: ``(N,)`` whole numbers; faces with the same number, as those of one person or one video, are drawn
            together, since they do not vary independently.
        runs: the C columns are runs that differ in their seed: they are drawn anew too.
        confidence: share of the results inside.
    Returns:
        An :class:`Interval`.
    Raises:
        ValueError: on an empty set, values that are not finite, wrong shapes, fewer than two faces, groups or runs to
            draw from, or a statistic that is not finite for some draw.
    Source: Efron and Tibshirani 1993, chapter 13; groups: Davison and Hinkley 1997, section 3.8.
    """
    return interval(bootstrap_draws(errors, statistic, draws, seed, groups=groups, runs=runs), confidence)


def bootstrap_draws(
    errors: Tensor,
    statistic: Callable[[Tensor], Tensor] = mean,
    draws: int = 2000,
    seed: int | torch.Generator = 0,
    *,
    groups: Tensor | None = None,
    runs: bool = False,
) -> Tensor:
    """The statistic of every draw, ``(draws,)`` float64; arguments as in :func:`bootstrap`.

    Draws of independent sets may be added and subtracted before :func:`interval` is taken of them.
    """
    values = _checked(errors, draws, runs)
    generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
    parts = []
    for rows in _rows(values, draws, groups, generator):
        drawn = values[rows]
        if runs:
            columns = torch.randint(values.shape[1], (len(rows), 1, values.shape[1]), generator=generator)
            drawn = drawn.gather(2, columns.expand_as(drawn))
        part = statistic(drawn)
        if part.shape != (len(rows),):
            raise ValueError(f"statistic: expected shape ({len(rows)},) for draws {tuple(drawn.shape)}, "
                             f"got {tuple(part.shape)}")  # fmt: skip
        parts.append(part.double())
    return torch.cat(parts)


def interval(drawn: Tensor, confidence: float = 0.95) -> Interval:
    """The middle ``confidence`` of results ``(K,)`` of a bootstrap."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a share between 0 and 1, got {confidence}")
    missing = int((~torch.isfinite(drawn)).sum())
    if missing:
        raise ValueError(f"statistic: expected finite numbers, got NaN or infinity for {missing} of {len(drawn)} draws")
    ends = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2]).to(drawn)
    low, high = drawn.quantile(ends).tolist()
    return Interval(low, high)


def by_pose_intervals(
    errors: Tensor,
    yaw_degrees: Tensor,
    beyond: Beyond = "last",
    draws: int = 2000,
    seed: int | torch.Generator = 0,
    *,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Intervals of what :func:`facelab.metrics.by_pose` gives, under the same keys.

    Faces are drawn within their bins, so that every draw has as many of each pose as there are. Bins of fewer than two
    faces have no interval; without all three, neither has ``"mean_of_bins"``: those keys are left out, as is
    ``"mean_of_faces"`` of a single face.
    """
    errors, bins = binned(errors, yaw_degrees, beyond)
    generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
    of_all = bootstrap_draws(errors, draws=draws, seed=generator) if len(errors) > 1 else None
    drawn: dict[str, Tensor] = {}
    for index, name in enumerate(BINS):
        inside = errors[bins == index]
        if len(inside) > 1:
            drawn[name] = bootstrap_draws(inside, draws=draws, seed=generator)
    if len(drawn) == len(BINS):
        drawn["mean_of_bins"] = torch.stack(list(drawn.values())).mean(0)
    if of_all is not None:
        drawn["mean_of_faces"] = of_all
    return {name: interval(values, confidence) for name, values in drawn.items()}


def _checked(errors: Tensor, draws: int, runs: bool) -> Tensor:
    """The errors on the CPU, where the indices are drawn, so that a seed means the same everywhere."""
    if errors.ndim not in (1, 2) or errors.numel() == 0:
        raise ValueError(f"errors: expected a non-empty (N,) or (N, C) tensor, got shape {tuple(errors.shape)}")
    values = errors.detach().cpu().double()
    if not bool(torch.isfinite(values).all()):
        raise ValueError("errors: expected finite numbers, found NaN or infinity")
    if draws < 1:
        raise ValueError(f"draws: expected at least 1, got {draws}")
    if runs and (values.ndim != 2 or values.shape[1] < 2):
        raise ValueError(f"errors: runs are the columns of (N, C), at least 2, got shape {tuple(values.shape)}")
    return values


def _rows(values: Tensor, draws: int, groups: Tensor | None, generator: torch.Generator) -> Iterator[Tensor]:
    """Numbers of the faces of ``(K, N')`` draws, some draws at a time."""
    if groups is not None:
        yield from _rows_of_groups(len(values), draws, groups, generator)
        return
    if len(values) < 2:
        raise ValueError("errors: expected at least 2 faces to draw from, got 1")
    step = max(1, _AT_ONCE // values.numel())
    for start in range(0, draws, step):
        yield torch.randint(len(values), (min(step, draws - start), len(values)), generator=generator)


def _rows_of_groups(faces: int, draws: int, groups: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    """Draws of whole groups: one at a time, since they differ in length if the groups do."""
    if groups.shape != (faces,) or groups.is_floating_point():
        raise ValueError(f"groups: expected whole numbers of shape ({faces},), "
                         f"got {tuple(groups.shape)} {groups.dtype}")  # fmt: skip
    _, labels, sizes = groups.cpu().unique(return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError("groups: expected at least 2 to draw from, got 1")
    order, starts = labels.argsort(), sizes.cumsum(0) - sizes
    for _ in range(draws):
        drawn = torch.randint(len(sizes), (len(sizes),), generator=generator)
        length = sizes[drawn]
        begins = starts[drawn] - (length.cumsum(0) - length)
        yield order[torch.arange(int(length.sum())) + begins.repeat_interleave(length)][None]
