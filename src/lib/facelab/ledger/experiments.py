"""What the runs of a paper's studies say, as results."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from facelab.ledger.results import Quantity, save_result
from facelab.recipes.study_runs import Study

Place = tuple[str, str, str]  # variant, measurement, number


def ratio(study: Study, what: str, over: Place, under: Place) -> Quantity:
    """One number of a study over another, seed by seed.

    Raises:
        KeyError: if a run is not there. ValueError: if the two have not the same number of seeds.
    """
    return quotient(what, study.values(*over), study.values(*under))


def quotient(what: str, over: Iterable[float], under: Iterable[float]) -> Quantity:
    """Numbers over others, each over its own.

    Raises:
        ValueError: if there are none, or not as many of both.
    """
    return Quantity(what, "ratio", values=tuple(a / b for a, b in zip(over, under, strict=True)))


def save_experiments(
    experiments: Mapping[str, Mapping[str, Quantity]],
    study: Study,
    name: str,
    profile: str,
    seeds: Sequence[int],
    device: str,
    command_seeds: int | None = None,
) -> list[Path]:
    """Writes every experiment to ``data/results/<profile>``.

    Args:
        experiments: from experiment to name to quantity, one value a seed. study: what they were taken from.
        name: of the paper's command: ``facelab bench <name>`` repeats the runs.
        seeds: of the values. command_seeds: what the command is given as ``--seeds``, if not their number.
    Raises:
        ValueError: as :func:`facelab.ledger.save_result`.
    """
    seconds = sum(run.seconds for run in study.runs)
    return [
        save_result(
            experiment, profile, quantities, seeds=seeds, seconds=seconds, device=device,
            command=f"python -m facelab bench {name} --profile {profile} --seeds {command_seeds or len(seeds)}",
        )
        for experiment, quantities in experiments.items()
    ]  # fmt: skip
