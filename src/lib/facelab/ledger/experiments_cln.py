"""What the claims about CLN ask for, taken from the runs of its studies."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from facelab.ledger.experiments import Place, save_experiments
from facelab.ledger.experiments import ratio as ratio_of
from facelab.ledger.results import Quantity
from facelab.recipes.cln_studies import ALONE, TWO_GLOBALS
from facelab.recipes.study_runs import Study

_BINS, _IN_3D = "nme mean of bins", "nme 3d axes mean of bins"


def cln_experiments(study: Study, seeds: Sequence[int]) -> dict[str, dict[str, Quantity]]:
    """Experiment to name to quantity, one value a seed; all that ``data/claims.yml`` asks of the trainings.

    Args:
        seeds: those that every variant was trained with.
    Raises:
        KeyError: if a run that is needed is not there.
    """
    study = Study(run for run in study.runs if run.seed in seeds)
    ratio = partial(ratio_of, study)

    def errors(what: str, variant: str, other: str) -> Quantity:
        return ratio(what, _of(variant), _of(other))

    best = better_stream(study)
    return {
        "cln-modules": {
            "shuffling over none": errors(
                "NME with a second stream on shuffled tiles over that with one on whole pictures", "shuffling", "none"
            ),
            "attention over none": errors("NME with attention over that without, none shuffled", "attention", "none"),
            "convolution over none": errors("The same with a convolution of as many parameters", "convolution", "none"),
            "thumbnail over shuffling": errors(
                "NME with a thumbnail in a tile over that with shuffled tiles only", "shuffling, thumbnail", "shuffling"
            ),
            "thumbnail of another face over shuffling": errors(
                "The same with another face's thumbnail", "thumbnail of another face", "shuffling"
            ),
        },
        "cln-3d": {
            "CLN over one network": ratio(
                "3D NME of CLN over that of a RepVGG by fWPDC", *(_of(name, _IN_3D) for name in ("CLN", "one network"))
            ),
        },
        "cln-streams": {
            "both over the better one": errors(f"NME of CLN over that of the better stream ({best})", "CLN", best),
            "two global streams over the better one": errors(
                "The same of two streams that both see the whole picture", TWO_GLOBALS, best
            ),
        },
    }  # fmt: skip


def better_stream(study: Study) -> str:
    """The name of the single stream with the least error, the mean over the seeds."""

    def error(name: str) -> float:
        values = study.values(*_of(name))
        return sum(values) / len(values)

    return min(ALONE, key=error)


def _of(variant: str, number: str = _BINS) -> Place:
    return variant, "plain", number


def save_cln_experiments(study: Study, profile: str, seeds: Sequence[int], device: str) -> list[Path]:
    """Writes every experiment of :func:`cln_experiments` to ``data/results/<profile>``."""
    return save_experiments(cln_experiments(study, seeds), study, "cln", profile, seeds, device)
