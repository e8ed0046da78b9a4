"""What the benchmark measured of a network that does not come with the book, kept in a file with its provenance."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facelab.places import data_folder
from facelab.provenance import provenance
from facelab.recipes import benchmark_faces
from facelab.recipes.benchmark import Contestant, errors_of, found, unrest
from facelab.recipes.benchmark_photographs import errors_on_photographs
from facelab.recipes.runs import told, trained
from facelab.recipes.transfer import Photograph
from facelab.training.replacing import replacing

_NEEDED = ("run", "provenance", "faces", "parameters", "seconds", "errors", "stability", "photographs")
_DIGITS = 6


@dataclass(frozen=True)
class Recorded:
    """A network on the benchmark.

    Attributes:
        run: what was trained. provenance: of the measurement. parameters: how many were learnt.
        seconds: of the training by the clock, from its history; None without one.
        errors: ``(N,)`` of the test faces, in x and y, fractions. stability: ``(K,)`` of the clips.
        photographs: name to the error of the inner points and of all points; empty if there were none.
    """

    run: dict[str, Any]
    provenance: dict[str, Any]
    parameters: int
    seconds: float | None
    errors: Tensor
    stability: Tensor
    photographs: dict[str, tuple[float, float]]


def path_of(name: str, profile: str = "cpu") -> Path:
    """Where the record of a network lies."""
    return data_folder() / "results" / profile / f"benchmark-{name}.json"


def record(run: Path, name: str, profile: str, real: Sequence[Photograph] = (), progress: bool = False) -> Path:
    """Measures the network of a finished run on the test faces of a profile, and writes what it found.

    Args:
        run: folder of the run. name: of the record. real: photographs, if there are any.
    Raises:
        FileNotFoundError, ValueError: as :func:`facelab.recipes.runs.trained`.
    """
    recipe, model = trained(run)
    what, method = told(run), Contestant(recipe, model)
    faces, clips = benchmark_faces.unseen(profile, progress), benchmark_faces.clips(profile, progress)
    scores: tuple[Tensor, ...] = errors_on_photographs(method.landmarks, real) if real else ()
    content: dict[str, Any] = {
        "run": {key: what.get(key) for key in ("recipe", "profile", "settings", "seed")},
        "provenance": {
            **provenance(),
            "command": f"python -m facelab bench benchmark --run RUN --name {name} --profile {profile}",
        },
        "faces": {"count": len(faces), "clips": len(clips), "seed": benchmark_faces.SEED},
        "parameters": method.learnt,
        "seconds": _seconds(run),
        "errors": _short(errors_of(found(method, faces), faces.landmarks).flat),
        "stability": _short(unrest(method.landmarks, clips)),
        "photographs": {
            str(face.sample.name): [round(float(part[index]), _DIGITS) for part in scores]
            for index, face in enumerate(real)
        },
    }
    path = path_of(name, profile)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def recorded(name: str, profile: str, faces: int, clips: int) -> Recorded:
    """The record of a network for the first faces and clips: of this profile, or of the reference runs.

    Args:
        faces, clips: how many of each are asked for.
    Raises:
        FileNotFoundError: if there is none. ValueError: if it is damaged, of other faces, or of fewer.
    """
    path = path_of(name, profile)
    if not path.is_file():
        path = path_of(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: expected a record; python -m facelab bench benchmark --run RUN --name {name} makes it"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in _NEEDED if key not in content]
        if missing:
            raise ValueError(f"missing: {', '.join(missing)}")
        if content["faces"]["seed"] != benchmark_faces.SEED:
            raise ValueError(f"faces: expected those of seed {benchmark_faces.SEED}, got {content['faces']['seed']}")
        errors, stability = (torch.tensor(content[key], dtype=torch.float64) for key in ("errors", "stability"))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected a record of the benchmark: {error}") from error
    if len(errors) < faces or len(stability) < clips:
        raise ValueError(
            f"{path}: expected at least {faces} faces and {clips} clips, got {len(errors)} and {len(stability)}"
        )
    photographs = {key: (float(both[0]), float(both[1])) for key, both in content["photographs"].items()}
    return Recorded(
        content["run"], content["provenance"], content["parameters"], content["seconds"], errors[:faces],
        stability[:clips], photographs,
    )  # fmt: skip


def _short(values: Tensor) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]


def _seconds(run: Path) -> float | None:
    """By the clock, of all epochs in the history of a run."""
    path = run / "history.jsonl"
    if not path.is_file():
        return None
    return round(sum(json.loads(line)["seconds"] for line in path.read_text().splitlines() if line.strip()), 1)
