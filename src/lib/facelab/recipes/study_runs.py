"""The runs of a paper's studies: each trained once, kept in a file of its own with its provenance, read often.

A study compares *variants*: networks that are each trained with several seeds. What is measured of a run is a handful
of numbers.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facelab.metrics.pose import BINS, binned
from facelab.models.counting import parameters
from facelab.places import data_folder
from facelab.provenance import provenance
from facelab.training import describe, pick_device, save_weights
from facelab.training.replacing import replacing

Summary = dict[str, float]
Measured = dict[str, Summary]
TUNING_SEED = 100  # learning rates are chosen with training faces and test faces that no other run has
_ERRORS = ("nme", "gte", "gte_xyz", "gte_xy")


@dataclass(frozen=True)
class Variant:
    """A network to train.

    Attributes:
        recipe: how. measure: from recipe and trained network to what is measured, ``"plain"`` among it.
        what: sets it apart, in a few words.
        start: from seed and device to what must be there before this training starts, given to ``recipe.train`` as
            ``start``; none if it starts from nothing.
        seeds: those it is trained with, whatever seeds the others are.
    """

    recipe: Any
    measure: Callable[[Any, nn.Module], Measured]
    what: str
    start: Callable[[int, torch.device], Any] | None = None
    seeds: tuple[int, ...] | None = None

    def trained_with(self, seeds: Iterable[int]) -> tuple[int, ...]:
        """Its own seeds, or these if it has none."""
        return tuple(seeds) if self.seeds is None else self.seeds


def rated(name: str, rate: float) -> str:
    """The name of the variant that tries a learning rate."""
    return f"{name}, rate {rate:g}"


def at_rate(recipe: Any, rate: float) -> Any:
    """A recipe at one of the CPU's learning rates; the paper's own optimiser has the paper's."""
    optimizer = recipe.training.optimizer
    if optimizer.name == "sgd":
        return recipe
    return replace(recipe, training=replace(recipe.training, optimizer=replace(optimizer, learning_rate=rate)))


def _mean(values: Tensor) -> float:
    return float(values.mean())


def by_yaw(name: str, errors: Tensor, yaw_degrees: Tensor, number: Callable[[Tensor], float] = _mean) -> Summary:
    """A number of errors ``(N,)``, of all faces and by absolute yaw: ``{"nme": ..., "nme 0-30": ...}``.

    Args:
        number: from errors to the number. yaw_degrees: ``(N,)``; beyond 90 degrees is the last bin.
    Raises:
        ValueError: as :func:`facelab.metrics.by_pose`.
    """
    errors, bins = binned(errors, yaw_degrees, "last")
    return {name: number(errors)} | {f"{name} {part}": number(errors[bins == i]) for i, part in enumerate(BINS)}


@dataclass(frozen=True)
class Run:
    """One training and what was measured of it.

    Attributes:
        variant: name. seed: of faces, weights and augmentation.
        seconds: of the training; those of its history if it was given a start. parameters: how many were learnt.
        recipe: what was trained, as :func:`facelab.training.describe` tells it. about: provenance.
        measured: name of the measurement to name of the number to the number; errors and areas are fractions.
        history: what the training told of every epoch; empty in files of runs that did not keep it.
    """

    variant: str
    seed: int
    seconds: float
    parameters: int
    recipe: dict[str, Any]
    about: dict[str, Any]
    measured: Measured
    history: list[dict[str, Any]] = field(default_factory=list)


class Study:
    """The runs of all variants.

    Args:
        runs: with different names and seeds.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs = tuple(sorted(runs, key=lambda run: (run.variant, run.seed)))

    def of(self, variant: str) -> tuple[Run, ...]:
        """The runs of a variant, in the order of their seeds.

        Raises:
            KeyError: if there is none, with the variants there are.
        """
        there = dict.fromkeys(run.variant for run in self.runs)
        return tuple(run for run in self.runs if run.variant == _known("variant", variant, there))

    def values(self, variant: str, measurement: str, number: str) -> tuple[float, ...]:
        """One number of every run of a variant, in the order of the seeds.

        Raises:
            KeyError: if there is no such run, measurement or number, with those there are.
        """
        return tuple(
            run.measured[_known("measurement", measurement, run.measured)][
                _known("number", number, run.measured[measurement])
            ]
            for run in self.of(variant)
        )

    def seeds(self) -> tuple[int, ...]:
        """Those that every variant was trained with."""
        by_variant: dict[str, set[int]] = {}
        for run in self.runs:
            by_variant.setdefault(run.variant, set()).add(run.seed)
        return tuple(sorted(set.intersection(*by_variant.values()))) if by_variant else ()


def _known(what: str, name: str, there: Iterable[str]) -> str:
    if name not in (names := list(there)):
        raise KeyError(f"{what} {name!r}: expected one of {', '.join(names)}")
    return name


@dataclass(frozen=True)
class Studies:
    """The studies of a paper.

    Attributes:
        name: of the paper, as ``"fan"``: the runs of a profile lie in ``data/results/<profile>/<name>-runs``.
        title: of the paper in messages, as ``"FAN"``.
        variants: from a profile to every network that the studies train, by name.
    """

    name: str
    title: str
    variants: Callable[[str], dict[str, Variant]]

    def run_all(
        self,
        profile: str,
        seeds: Sequence[int],
        folder: Path,
        only: Sequence[str] = (),
        device: str = "auto",
        say: Callable[[str], None] = print,
        weights: Path | None = None,
    ) -> Study:
        """Trains what ``folder`` does not hold yet, seed by seed, and writes a file of each run as it ends.

        Several processes may share a folder if they train different variants.

        Args:
            only: names of variants; all if none. say: told of every run. weights: folder for the trained networks.
        Raises:
            ValueError: for an unknown variant, or if ``folder`` holds runs of other recipes.
        """
        there = self.variants(profile)
        unknown = [name for name in only if name not in there]
        if unknown:
            raise ValueError(f"variant {unknown[0]!r}: expected one of {', '.join(there)}")
        wanted = {name: there[name].trained_with(seeds) for name in only or there}
        own = (seed for each in wanted.values() for seed in each)
        for seed in dict.fromkeys((*seeds, *own)):
            for name in (name for name, each in wanted.items() if seed in each):
                path = folder / f"{_stem(name, seed)}.json"
                if path.exists():
                    _checked(self._read_run(path), there, path)
                    continue
                run = _run(name, there[name], seed, device, weights)
                _write(run, path)
                say(f"{name}, seed {seed}: {_headline(run)}{run.seconds:.0f} s")
        read = self.read(folder, profile).runs
        return Study(run for run in read if run.seed in there[run.variant].trained_with(seeds))

    def seeds(self, study: Study, profile: str) -> tuple[int, ...]:
        """Those that every variant was trained with, but for variants with seeds of their own.

        Raises:
            ValueError: if a variant of the profile, or a seed of its own, is missing in the study.
        """
        variants = self.variants(profile)
        shared = Study(run for run in study.runs if variants[run.variant].seeds is None).seeds()
        if missing := self.missing(study, profile, shared or (0,)):
            name, seed = missing[0]
            raise ValueError(f"{self.title}: there is no run of {name!r} with seed {seed}")
        return shared

    def missing(self, study: Study, profile: str, seeds: Sequence[int]) -> list[tuple[str, int]]:
        """Variant and seed of every run of a profile that is not in the study.

        Args:
            seeds: of the variants without seeds of their own.
        """
        there = {(run.variant, run.seed) for run in study.runs}
        wanted = ((name, seed) for name, each in self.variants(profile).items() for seed in each.trained_with(seeds))
        return [run for run in wanted if run not in there]

    def read(self, folder: Path, profile: str) -> Study:
        """The runs in a folder.

        Raises:
            ValueError: if a file is damaged, or of another recipe than those of the profile.
        """
        there = self.variants(profile)
        return Study(_checked(self._read_run(path), there, path) for path in sorted(folder.glob("*.json")))

    def folder(self, profile: str, to_write: bool = False) -> Path:
        """Where the book keeps the runs of a profile; ``to_write`` as of :func:`facelab.places.data_folder`."""
        return data_folder(to_write) / "results" / profile / f"{self.name}-runs"

    def recorded(self, profile: str) -> tuple[str, Study]:
        """The runs of a profile, or those of the reference runs where a profile has none of its own.

        Returns:
            The profile of the runs, and the runs.
        """
        name = profile if self.folder(profile).is_dir() else "cpu"
        return name, self.read(self.folder(name), name)

    def _read_run(self, path: Path) -> Run:
        try:
            run = Run(**json.loads(path.read_text()))
            if not isinstance(run.measured, dict) or "plain" not in run.measured:
                raise ValueError("no measurement 'plain' in it")
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path}: expected a run of {self.title}'s studies: {error}; move it away to train anew"
            ) from error
        return run


def _stem(name: str, seed: int) -> str:
    """Of the files of a run."""
    words = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
    return f"{words}-{seed}"


def _headline(run: Run) -> str:
    errors = (f"{name} {100 * value:.2f} %, " for name, value in run.measured["plain"].items() if name in _ERRORS)
    return next(errors, "")


def _run(name: str, variant: Variant, seed: int, device: str, weights: Path | None) -> Run:
    where = pick_device(device)
    model, history, seconds = _trained(variant, seed, where)
    if weights is not None:
        weights.mkdir(parents=True, exist_ok=True)
        save_weights(model, weights / f"{_stem(name, seed)}.safetensors")
    measured = variant.measure(variant.recipe, model)
    return Run(
        variant=name,
        seed=seed,
        seconds=round(seconds, 1),
        parameters=parameters(model),
        recipe=_told(variant),
        about={**provenance(), "device": str(where)},
        measured={kind: {key: round(value, 6) for key, value in found.items()} for kind, found in measured.items()},
        history=[{key: _shortened(value) for key, value in entry.items()} for entry in history],
    )


def _trained(variant: Variant, seed: int, where: torch.device) -> tuple[nn.Module, list[dict[str, Any]], float]:
    """The network, an entry an epoch, and the seconds."""
    threads = torch.get_num_threads()
    if where.type == "cpu":
        variant.recipe.training_set(seed)  # rendered before the clock starts: it is cached
    started = {} if variant.start is None else {"start": variant.start(seed, where)}
    torch.set_num_threads(threads)  # drawing faces changes it
    began = time.perf_counter()
    model, history = variant.recipe.train(seed, where, **started)
    seconds = time.perf_counter() - began
    # The history also tells of what it started from, which was trained before this clock began.
    return model, history, sum(entry["seconds"] for entry in history) if started else seconds


def _shortened(value: Any) -> Any:
    """To six digits, wherever the point stands: rates and losses are small. Counts stay as they are."""
    return value if isinstance(value, (int, list)) else float(f"{value:.6g}")


def _told(variant: Variant) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(describe(variant.recipe)))
    return told


def _write(run: Run, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(asdict(run), indent=1) + "\n")


def _checked(run: Run, there: Mapping[str, Variant], path: Path) -> Run:
    """
    Raises:
        ValueError: if the run is of a recipe that is no longer the variant's, or of another name than its file.
    """
    if path.stem != _stem(run.variant, run.seed):
        raise ValueError(
            f"{path}: holds {run.variant!r}, seed {run.seed}; expected {_stem(run.variant, run.seed)}.json"
        )
    if run.variant not in there or _told(there[run.variant]) != run.recipe:
        raise ValueError(f"{path}: is of another recipe than {run.variant!r} is now; move it away to train anew")
    return run
