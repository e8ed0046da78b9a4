"""The transfer experiment as a set of runs: every face model with every seed, kept after each, and summed up."""

import json
import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from facelab.face3d import MorphableModel
from facelab.recipes.transfer import Photograph, TransferRecipe
from facelab.training.replacing import replacing

_AFLW = "AFLW2000-3D"


@dataclass(frozen=True)
class Run:
    """One training: errors are NME over the box, fractions.

    Attributes:
        face: name of the model. seed: of faces, weights and augmentation. seconds: of the training alone.
        synthetic: mean on unseen synthetic faces. photographs, mirrored: error of every photograph by name, from one
            look and from the mean of two.
    """

    face: str
    seed: int
    seconds: float
    synthetic: float
    photographs: dict[str, float]
    mirrored: dict[str, float]


def run_all(
    faces: Mapping[str, Callable[[], MorphableModel]],
    seeds: Sequence[int],
    recipe: TransferRecipe,
    real: Sequence[Photograph],
    output: Path,
    say: Callable[[str], None],
) -> list[Run]:
    """Trains what ``output/transfer.json`` does not hold yet; networks go to ``output/<face>-<seed>.pt``.

    Args:
        faces: name to what makes the model. say: told of every run as it ends.
    """
    path = output / "transfer.json"
    output.mkdir(parents=True, exist_ok=True)
    runs = _read(path, recipe)
    for name, make in faces.items():
        for seed in seeds:
            if any(run.face == name and run.seed == seed for run in runs):
                continue
            run = _run(name, make(), seed, recipe, real, output)
            runs.append(run)
            _write(path, recipe, runs, real)
            say(f"{name}, seed {seed}: {100 * _mean(run.photographs.values()):.2f} %, {run.seconds:.0f} s")
    return [run for run in runs if run.face in faces and run.seed in seeds]


def _run(
    name: str, face: MorphableModel, seed: int, recipe: TransferRecipe, real: Sequence[Photograph], output: Path
) -> Run:
    threads = torch.get_num_threads()
    recipe.training_set(face, seed, progress=True)  # rendered before the clock starts: it is cached
    torch.set_num_threads(threads)  # Numba's threads change it
    started = time.perf_counter()
    model, _ = recipe.train(face, seed, progress=True)
    seconds = time.perf_counter() - started
    torch.save(model.state_dict(), output / f"{name}-{seed}.pt")
    plain, mirrored = (recipe.error_on_photographs(model, real, mirror).tolist() for mirror in (False, True))
    names = [str(photograph.sample.name) for photograph in real]
    return Run(
        face=name,
        seed=seed,
        seconds=seconds,
        synthetic=float(recipe.error_on_synthetic(model, recipe.test_set(face)).mean()),
        photographs=dict(zip(names, plain, strict=True)),
        mirrored=dict(zip(names, mirrored, strict=True)),
    )


def _settings(recipe: TransferRecipe) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(recipe)))


def _read(path: Path, recipe: TransferRecipe) -> list[Run]:
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text())
        same = content["recipe"] == _settings(recipe)
        runs = [Run(**run) for run in content["runs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected results of earlier runs: {error}; move it away to start anew") from error
    if not same:
        raise ValueError(f"{path}: holds runs of another recipe; give another output folder")
    return runs


def _write(path: Path, recipe: TransferRecipe, runs: Sequence[Run], real: Sequence[Photograph]) -> None:
    content = {
        "recipe": _settings(recipe),
        "machine": {"processor": platform.machine(), "threads": torch.get_num_threads(), "torch": torch.__version__},
        "sources": {str(photograph.sample.name): photograph.source for photograph in real},
        "runs": [asdict(run) for run in runs],
    }
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(content, indent=1) + "\n")


def difference(
    runs: Sequence[Run], first: str, second: str, photographs: Sequence[str], draws: int = 10_000
) -> tuple[float, float, float]:
    """How much larger the mean error with one face model is than with another, and its 95 % interval.

    The interval is that of a bootstrap over photographs and over seeds, both drawn anew: few of either make it wide.

    Args:
        first, second: names of the models. photographs: names of those that count.
    Returns:
        Difference, lower and upper end, as fractions.
    """
    errors = [
        torch.tensor([[run.photographs[name] for name in photographs] for run in runs if run.face == face]).double()
        for face in (first, second)
    ]
    generator = torch.Generator().manual_seed(0)
    shown = torch.randint(len(photographs), (draws, len(photographs)), generator=generator)
    means = []
    for table in errors:
        seeds = torch.randint(len(table), (draws, len(table)), generator=generator)
        means.append(table[seeds[:, :, None], shown[:, None]].mean((1, 2)))
    low, high = (means[0] - means[1]).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    return float(errors[0].mean() - errors[1].mean()), low, high


def table(runs: Sequence[Run], real: Sequence[Photograph], baseline: Sequence[float]) -> str:
    """The runs as text: percent, mean and standard deviation over the seeds.

    Args:
        baseline: error of the mean shape on every photograph.
    """
    aflw = {str(photograph.sample.name) for photograph in real if photograph.source == _AFLW}
    names = [str(photograph.sample.name) for photograph in real]
    titles = ("synthetic", f"{len(aflw)} of {_AFLW}", f"all {len(real)}", "mirrored")
    lines = [f"{'trained on':24s}{'runs':>5s}" + "".join(f"{title:>18s}" for title in titles)]
    for face in dict.fromkeys(run.face for run in runs):
        own = [run for run in runs if run.face == face]
        columns = [
            [run.synthetic for run in own],
            [_mean(error for name, error in run.photographs.items() if name in aflw) for run in own],
            [_mean(run.photographs.values()) for run in own],
            [_mean(run.mirrored.values()) for run in own],
        ]
        lines.append(f"{face:24s}{len(own):5d}" + "".join(f"{_spread(column):>18s}" for column in columns))
    chosen = _mean(error for name, error in zip(names, baseline, strict=True) if name in aflw)
    lines.append(f"{'mean shape in the box':29s}{'':18s}{100 * chosen:18.2f}{100 * _mean(baseline):18.2f}")
    return "\n".join(lines)


def _mean(values: Any) -> float:
    numbers = list(values)
    return math.fsum(numbers) / len(numbers) if numbers else math.nan


def _spread(values: Sequence[float]) -> str:
    mean = _mean(values)
    if len(values) < 2:
        return f"{100 * mean:.2f}"
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return f"{100 * mean:.2f} +-{100 * deviation:.2f}"
