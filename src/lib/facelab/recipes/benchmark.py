"""One benchmark for all methods: the same faces, the same points, the same measures."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from facelab.data import FaceSample, SyntheticClips, landmark_box
from facelab.face3d import builtin_face
from facelab.face3d.parameters import landmarks_of_parameters
from facelab.markups import convert
from facelab.metrics import (
    auc,
    bootstrap,
    by_pose,
    by_pose_intervals,
    failure_rate,
    nme,
    nme_3d,
    stability,
)
from facelab.models import fit_landmarks
from facelab.models.counting import multiply_adds, parameters
from facelab.recipes.fan import FanRecipe
from facelab.recipes.fan_depth import centred
from facelab.recipes.rendered import over
from facelab.recipes.timing import median_milliseconds, one_thread

POINTS = "66"  # the mark-up that all methods share: the 68 without the inner corners of the mouth
THRESHOLD = 0.1  # of the failure rate and of the area under the CED
_BATCH = 32
_MUCH = 0.8  # quantile above which a face has much of a factor


@dataclass(frozen=True)
class Contestant:
    """A method with its trained network.

    Attributes:
        recipe, model: what finds x and y, or all three. depth: recipe and network that add z, of methods that need
            one. options: of the recipe's ``landmarks``.
    """

    recipe: Any
    model: nn.Module
    depth: tuple[Any, nn.Module] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(predictor: Any) -> "Contestant":
        """The networks of a :class:`facelab.predict.Predictor`, as it uses them.

        Only FAN's gets a depth network here: that the predictor lends it to networks that find x and y alone is no
        part of their method.
        """
        recipe, model = predictor.points.recipe, predictor.points.model.eval()
        if not isinstance(recipe, FanRecipe):
            return Contestant(recipe, model)
        depth = predictor.depth and (predictor.depth.recipe, predictor.depth.model.eval())
        return Contestant(recipe, model, depth, {"decoder": predictor.decoder})

    def landmarks(self, batch: FaceSample) -> Tensor:
        """``(B, 66, 2)`` or ``(B, 66, 3)`` in the pictures' pixels, z of mean 0; one look, without the mirror."""
        with torch.inference_mode():
            points = self.recipe.landmarks(self.model, batch, **self.options)
            if self.depth is not None:
                recipe, model = self.depth
                points = torch.cat([points, recipe.depths(model, batch, points)[..., None].to(points)], 2)
        return shared(points.clone(), self.recipe.markup)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """All of them."""
        return (self.model,) if self.depth is None else (self.model, self.depth[1])

    @property
    def learnt(self) -> int:
        """How many numbers were learnt."""
        return parameters(*self.networks)

    @property
    def multiply_adds(self) -> int:
        """Of all networks, for one face."""
        total = multiply_adds(self.model, (1, 3, _side(self.recipe), _side(self.recipe)))
        if self.depth is not None:
            recipe, model = self.depth
            total += multiply_adds(model, (1, 3 + 68, recipe.size, recipe.size))
        return total

    def timed(self) -> "Contestant":
        """The same with networks as :meth:`deploy` of the method leaves them, where it has one."""
        deploy: Callable[[], nn.Module] | None = getattr(self.model, "deploy", None)
        return self if deploy is None else replace(self, model=copy.deepcopy(self.model).deploy())  # type: ignore[operator]


def _side(recipe: Any) -> int:
    """Of the input in pixels."""
    return int(recipe.cascade.size if hasattr(recipe, "cascade") else recipe.size)


def shared(points: Tensor, markup: str = "68") -> Tensor:
    """The 66 points that all methods find, of ``(B, L, D)``, with depths of mean 0 if there are any."""
    found = points if markup == POINTS else convert(points, markup, POINTS)
    if found.shape[2] == 2:
        return found
    return torch.cat([found[..., :2], centred(found[..., 2])[..., None]], 2)


def found(method: Contestant, faces: Dataset[FaceSample]) -> Tensor:
    """What a method finds in all faces of a set: ``(N, 66, 2 or 3)``."""
    return over(faces, method.landmarks, _BATCH)


def fitted(points: Tensor, noise: float) -> Tensor:
    """The built-in face, fitted to landmarks ``(N, 68, 2)`` by :func:`facelab.models.fit_landmarks`: ``(N, 66, 3)``."""
    model = builtin_face()
    parts = [fit_landmarks(part, model, noise).parameters for part in points.split(256)]
    return shared(landmarks_of_parameters(model, torch.cat(parts)))


class Errors(NamedTuple):
    """Of every face, fractions of the root of the area of the box of the true points.

    Attributes:
        flat: ``(N,)`` in x and y. solid: ``(N,)`` in x, y and z, which is known up to a shift; None without depth.
        shape: ``(N,)`` the same after the best similarity.
    """

    flat: Tensor
    solid: Tensor | None = None
    shape: Tensor | None = None


def errors_of(points: Tensor, target: Tensor) -> Errors:
    """Errors of points ``(N, 66, 2 or 3)`` against labels ``(N, 68, 3)``."""
    truth = shared(target)
    flat = nme(points[..., :2], truth[..., :2], "bbox")
    if points.shape[2] == 2:
        return Errors(flat)
    kinds = ("none", "similarity")
    solid, shape = (nme_3d(points, truth, kind, normalizer="bbox") for kind in kinds)  # type: ignore[arg-type]
    return Errors(flat, solid, shape)


class Measured(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


def measured(errors: Tensor, yaw_degrees: Tensor) -> dict[str, Measured]:
    """Means by bin of yaw, their mean, the area under the CED and the failure rate, with intervals over faces."""
    means, reach = by_pose(errors, yaw_degrees), by_pose_intervals(errors, yaw_degrees)
    table = {name: Measured(value, *reach[name]) for name, value in means.items() if name in reach}
    shares = (THRESHOLD - errors).clamp_min(0) / THRESHOLD
    table["auc"] = Measured(auc(errors, THRESHOLD), *bootstrap(shares))
    failed = (errors > THRESHOLD).double()
    table["failures"] = Measured(failure_rate(errors, THRESHOLD), *bootstrap(failed))
    return table


def mean_of(values: Tensor, draws: int = 2000) -> Measured:
    """The mean of ``(N,)`` and its interval over them."""
    return Measured(float(values.double().mean()), *bootstrap(values.double(), draws=draws))


def ratio_of(errors: Tensor, others: Tensor, draws: int = 2000) -> Measured:
    """The mean of some errors over that of others on the same faces, with the interval over faces."""
    pair = torch.stack([errors, others], 1).double()
    reach = bootstrap(pair, lambda drawn: drawn[..., 0].mean(1) / drawn[..., 1].mean(1), draws)
    return Measured(float(pair[:, 0].mean() / pair[:, 1].mean()), *reach)


# ------------------------------------------------------------------------------------------------- stability, times


def unrest(find: Callable[[FaceSample], Tensor], clips: SyntheticClips) -> Tensor:
    """``(K,)`` stability of each clip, a fraction of the box a step, in x and y of the 66 points."""
    each = []
    for index in range(len(clips)):
        clip = clips[index]
        truth = shared(clip.landmarks)[..., :2]
        each.append(stability(find(clip)[..., :2], truth, "bbox").mean())
    return torch.stack(each)


def latencies(methods: Mapping[str, Callable[[], object]], rounds: int, calls: int) -> dict[str, Tensor]:
    """Milliseconds of one thread for a call of each method: ``(rounds,)`` medians over some calls, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in methods}
    with one_thread():
        for _ in range(rounds):
            for name, call in methods.items():
                times[name].append(median_milliseconds(call, calls))
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in times.items()}


def calls_of(methods: Mapping[str, Contestant], face: FaceSample) -> dict[str, Callable[[], object]]:
    """What :func:`latencies` times: from the picture of one face and its box to landmarks."""
    batch = FaceSample.stack([face])
    return {name: partial(method.timed().landmarks, batch) for name, method in methods.items()}


def boxes_of(faces: Sequence[FaceSample]) -> Tensor:
    """``(N, 4)`` tight boxes of the labels."""
    return torch.stack([landmark_box(face.landmarks) for face in faces])


# ------------------------------------------------------------------------------------------------------- the causes


class Causes(NamedTuple):
    """What the error of a method is made of, by linear least squares.

    Attributes:
        costs: name of a factor to the points of error between its 5 % and 95 % quantile, all else the same.
        slopes: name to error per unit. explained: share of the variance of the error.
    """

    costs: dict[str, Measured]
    slopes: dict[str, float]
    explained: float


def causes(errors: Tensor, factors: Mapping[str, Tensor], draws: int = 1000) -> Causes:
    """The errors ``(N,)`` as a sum over factors ``(N,)``, each times a slope, and a constant.

    Intervals are over faces: faces are drawn anew, and the slopes are found for every draw.

    Raises:
        ValueError: if there are too few faces, or a factor that does not vary.
    """
    columns = torch.stack([values.double() for values in factors.values()], 1)
    if len(errors) <= len(factors) + 1:
        raise ValueError(f"causes: expected more than {len(factors) + 1} faces, got {len(errors)}")
    flat = [name for name, spread in zip(factors, columns.std(0), strict=True) if float(spread) == 0]
    if flat:
        raise ValueError(f"causes: expected factors that vary, {flat[0]!r} does not")
    both = torch.cat([columns, errors.double()[:, None]], 1)
    ends = columns.quantile(columns.new_tensor([0.05, 0.95]), dim=0)
    reach = torch.where(ends[1] > ends[0], ends[1] - ends[0], columns.amax(0) - columns.amin(0))
    slopes = _slopes(both[None])[0]
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([
        _slopes(both[torch.randint(len(both), (min(100, draws - start), len(both)), generator=generator)])
        for start in range(0, draws, 100)
    ])  # fmt: skip
    low, high = drawn.quantile(columns.new_tensor([0.025, 0.975]), dim=0)
    costs = {
        name: Measured(*(float(reach[i] * part[i]) for part in (slopes, low, high))) for i, name in enumerate(factors)
    }
    left = errors.double() - columns @ slopes
    explained = 1 - float(left.var() / errors.double().var())
    return Causes(costs, dict(zip(factors, slopes.tolist(), strict=True)), explained)


def _slopes(draws: Tensor) -> Tensor:
    """``(K, F)`` slopes of draws ``(K, N, F + 1)``, whose last column is what is explained."""
    moved = draws - draws.mean(1, keepdim=True)
    factors, target = moved[..., :-1], moved[..., -1:]
    scale = factors.std(1, keepdim=True).clamp_min(1e-12)
    scaled = factors / scale
    normal = scaled.mT @ scaled + 1e-9 * draws.shape[1] * torch.eye(scaled.shape[2], dtype=draws.dtype)
    return torch.linalg.solve(normal, scaled.mT @ target)[..., 0] / scale[:, 0]


def main_cause(index: int, factors: Mapping[str, Tensor], told: Causes) -> str:
    """The factor that adds most to the error of a face, among those that it has more of than four in five faces.

    What a factor adds is its slope times the distance from the median face. ``"none of these"`` if there is no such
    factor, or none that adds anything.
    """
    adds = {
        name: told.slopes[name] * float(values[index] - values.median())
        for name, values in factors.items()
        if float(values[index]) > float(values.quantile(_MUCH))
    }
    name = max(adds, key=lambda each: adds[each], default="")
    return name if name and adds[name] > 0 else "none of these"


def chosen(errors: Tensor, each: int) -> dict[str, list[int]]:
    """The faces of the largest, the middle and the smallest errors, ``each`` of them."""
    order = errors.argsort(descending=True).tolist()
    middle = (len(order) - each) // 2
    return {"worst": order[:each], "median": order[middle : middle + each], "best": order[-each:]}
