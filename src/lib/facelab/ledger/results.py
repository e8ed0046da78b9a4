"""What the experiments of the book measured, each file with its provenance.

A file ``data/results/<profile>/<experiment>.json`` holds::

    {"experiment": "fan-pose", "profile": "cpu",
     "provenance": {"time": ..., "commit": ..., "processor": ..., "threads": ..., "versions": ..., "device": "cpu",
                    "seeds": [0, 1, 2], "seconds": 812.4, "command": "make reference ONLY=papers/fan"},
     "quantities": {"retained": {"what": "AUC at 60 to 90 degrees over AUC at 0 to 30", "unit": "ratio",
                                 "values": [0.91, 0.93, 0.92]},
                    "parameters": {"what": "of one stack", "unit": "count", "value": 6250000}}}
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from facelab.places import data_folder
from facelab.provenance import provenance
from facelab.recipes import PROFILES
from facelab.training.replacing import replacing

# Unit to the factor and the sign that it is shown with: errors and areas are fractions here and percent in tables.
UNITS = {
    "fraction": (100.0, " %"),
    "ratio": (1.0, ""),
    "count": (1.0, ""),
    "epochs": (1.0, " epochs"),
    "pixels": (1.0, " px"),
    "degrees": (1.0, "°"),
    "milliseconds": (1.0, " ms"),
    "seconds": (1.0, " s"),
    "per second": (1.0, " per second"),
}
_COLLECTED = ("time", "commit", "processor", "threads", "versions", "python")
_GIVEN = ("device", "seeds", "seconds", "command")
# Files that hold a whole study for a chapter, in a form of their own: what its provenance consists of.
_STUDIES = {
    "transfer": ("recipe", "machine", "sources", "runs"),
    "benchmark-l2": ("run", "provenance", "faces", "errors", "stability"),
}


@dataclass(frozen=True)
class Quantity:
    """A measured number.

    Attributes:
        what: one sentence. unit: one of ``UNITS``. values: one per seed, in the order of the seeds; or
        value: a number that no seed changes, as a count.
    Raises:
        ValueError: an unknown unit, no sentence, no number, both kinds of number, or one that is not finite.
    """

    what: str
    unit: str
    values: tuple[float, ...] = ()
    value: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.what, str) or not self.what.strip():
            raise ValueError("expected a sentence in 'what'")
        if self.unit not in UNITS:
            raise ValueError(f"unit {self.unit!r}: expected one of {', '.join(UNITS)}")
        values: Any = self.values
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise ValueError(f"values {values!r}: expected a list with one number per seed")
        if (len(values) > 0) == (self.value is not None):
            raise ValueError("expected either 'values', one per seed and at least one, or 'value'")
        object.__setattr__(self, "values", tuple(_finite(number) for number in values))
        if self.value is not None:
            object.__setattr__(self, "value", _finite(self.value))


def _finite(number: Any) -> float:
    """As a number of Python's own: NumPy's are numbers too."""
    if isinstance(number, bool) or not isinstance(number, Real) or not math.isfinite(number):
        raise ValueError(f"{number!r}: expected a finite number")
    return int(number) if isinstance(number, Integral) else float(number)


@dataclass(frozen=True)
class Result:
    """What one experiment measured under one profile.

    Attributes:
        provenance: when, by which commit and command, on what, with which seeds and versions, in how many seconds.
    """

    experiment: str
    profile: str
    provenance: dict[str, Any]
    quantities: dict[str, Quantity]


def save_result(
    experiment: str,
    profile: str,
    quantities: Mapping[str, Quantity],
    *,
    seeds: Sequence[int],
    seconds: float,
    command: str,
    device: str = "cpu",
) -> Path:
    """Writes ``data/results/<profile>/<experiment>.json``, whole or not at all; what was there is replaced.

    Time, commit, processor, threads and versions are collected here.

    Args:
        quantities: name to number; names and units are those that ``data/claims.yml`` asks for.
        seeds: of the runs, in the order of the values; none where every number is exact.
        seconds: that the whole experiment took. command: what to type to repeat it. device: as PyTorch names it.
    Raises:
        ValueError: no quantity, an unknown profile, seeds that do not match the values.
    """
    about = {key: value for key, value in provenance().items() if value is not None}
    about.setdefault("commit", "none: not run from a checkout")
    about |= {"device": device, "seeds": list(seeds), "seconds": round(float(seconds), 1), "command": command}
    content = {
        "experiment": experiment,
        "profile": profile,
        "provenance": about,
        "quantities": {name: _plain(quantity) for name, quantity in quantities.items()},
    }
    path = data_folder(to_write=True) / "results" / profile / f"{experiment}.json"
    _result(path, content)
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def results(profile: str = "cpu") -> dict[str, Result]:
    """All results of a profile by experiment; none where nothing was measured yet.

    Raises:
        ValueError: a file that is no result, or one without its whole provenance; the message names the file.
    """
    _known(profile)
    found = {}
    for path in sorted((data_folder() / "results" / profile).glob("*.json")):
        content = _content(path)
        if path.stem in _STUDIES:
            _fields(path, "a study", content, _STUDIES[path.stem])
        else:
            found[path.stem] = _result(path, content)
    return found


def _known(profile: str) -> None:
    if profile not in PROFILES:
        raise ValueError(f"profile {profile!r}: expected one of {', '.join(PROFILES)}")


def _plain(quantity: Quantity) -> dict[str, Any]:
    """As the file has it."""
    number = {"values": list(quantity.values)} if quantity.values else {"value": quantity.value}
    return {"what": quantity.what, "unit": quantity.unit, **number}


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON: {error}") from error


def _result(path: Path, content: Any) -> Result:
    """Checks everything that is promised of a result."""
    _fields(path, "a result", content, ("experiment", "profile", "provenance", "quantities"))
    _known(content["profile"])
    if (content["profile"], content["experiment"]) != (path.parent.name, path.stem):
        raise ValueError(f"{path}: is of experiment '{content['experiment']}', profile '{content['profile']}'")
    _fields(path, "provenance", content["provenance"], (*_COLLECTED, *_GIVEN))
    seeds = content["provenance"]["seeds"]
    if not isinstance(content["quantities"], dict) or not content["quantities"]:
        raise ValueError(f"{path}: expected at least one quantity")
    quantities = {name: _quantity(path, name, given, seeds) for name, given in content["quantities"].items()}
    return Result(content["experiment"], content["profile"], content["provenance"], quantities)


def _fields(path: Path, what: str, given: Any, expected: Sequence[str]) -> None:
    missing = [key for key in expected if given.get(key) in (None, "")] if isinstance(given, dict) else expected
    if missing:
        raise ValueError(f"{path}: {what} needs {', '.join(expected)}; missing: {', '.join(missing)}")


def _quantity(path: Path, name: str, given: Any, seeds: Any) -> Quantity:
    try:
        quantity = Quantity(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: quantity '{name}': {error}") from error
    if not isinstance(seeds, list) or len(set(seeds)) != len(seeds):
        raise ValueError(f"{path}: expected a list of different seeds, got {seeds!r}")
    if quantity.values and len(quantity.values) != len(seeds):
        raise ValueError(f"{path}: quantity '{name}': {len(quantity.values)} values for {len(seeds)} seeds")
    return quantity
