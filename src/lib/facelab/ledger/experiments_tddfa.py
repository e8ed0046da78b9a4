"""What the claims about 3DDFA_V2 ask for, taken from the runs of its studies."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from facelab.ledger.experiments import Place, quotient, save_experiments
from facelab.ledger.experiments import ratio as ratio_of
from facelab.ledger.results import Quantity
from facelab.recipes.study_runs import Run, Study
from facelab.recipes.tddfa_studies import BETAS, by_sgd, mixture

_BINS, _STEADY, _BEND = "nme mean of bins", "stability", "bending"
_ROUNDS = 3  # a run must have so many, or it has no thirds


def tddfa_experiments(study: Study, seeds: Sequence[int]) -> dict[str, dict[str, Quantity]]:
    """Experiment to name to quantity, one value a seed; all that ``data/claims.yml`` asks of the trainings.

    Args:
        seeds: those that every variant was trained with.
    Raises:
        KeyError: if a run that is needed is not there. ValueError: if one has too few meta-joint rounds.
    """
    study = Study(run for run in study.runs if run.seed in seeds)
    ratio = partial(ratio_of, study)

    def errors(what: str, variant: str, other: str) -> Quantity:
        return ratio(what, _of(variant), _of(other))

    best = best_mixture(study)
    return {
        "tddfa-optimisation": {
            "fWPDC over VDC": errors("NME with fWPDC over that with VDC", "fWPDC", "VDC"),
            "VDC from fWPDC over fWPDC": errors("NME with VDC after fWPDC over that with fWPDC", *_AFTER),
            "vanilla-joint over VDC from fWPDC": errors(
                f"NME of the best mixture ({best}) over that with VDC after fWPDC", best, "VDC from fWPDC"
            ),
            "meta-joint over vanilla-joint": errors("NME of meta-joint over that of the best mixture", "M", best),
            "coin over vanilla-joint": errors("The same with branches chosen by a coin", "M, coin", best),
            "meta-joint over twice the mixture": errors(
                "NME of meta-joint over that of the mixture in as much computing", "M", "vanilla-joint, twice as long"
            ),
            "meta-joint over vanilla-joint, SGD": errors("The same, both by SGD", by_sgd("M"), by_sgd("vanilla-joint")),
            "early less late share of fWPDC": _falls(
                "Share of rounds that keep fWPDC in the first third, less that in the last", study, "M"
            ),
            "early less late share of fWPDC, SGD": _falls("The same, by SGD", study, by_sgd("M")),
        },
        "tddfa-landmarks": {
            "with branch over without": errors("NME with the landmark branch over that without", "M+R", "M"),
            "with branch of other faces over without": errors(
                "The same with a branch that learns other faces' landmarks", "M+R of other faces", "M"
            ),
            "branch over landmark loss": errors(
                "NME with the branch over that with a landmark loss on the rebuilt face", "M+R", "M+rebuilt"
            ),
        },
        "tddfa-clips": {
            "error, clips over stills": errors("NME of short videos over that of as many stills", *_CLIPS),
            "stability, clips over stills": ratio("The same of the stability", *map(_steady, _CLIPS)),
            "stability, clips over random": ratio(
                "Stability of short videos over that of random turns", _steady(_CLIPS[0]), _steady("random turns")
            ),
        },
        "tddfa-backbones": {
            "MobileNet over ResNet-22": errors("NME of MobileNet over that of ResNet-22", "mobilenet", "resnet-22"),
            "quarter MobileNet over ResNet-22": errors(
                "NME of MobileNet x0.25 over that of ResNet-22", "mobilenet x0.25", "resnet-22"
            ),
            "MobileNet-V3 over PRNet": errors(
                "NME of MobileNet-V3 x0.5 over that of PRNet", "mobilenet-v3 x0.5", "PRNet"
            ),
        },
        "tddfa-meshes": {
            "position map over parameters": ratio(
                "Bending of PRNet's meshes over that of MobileNet's", ("PRNet", "plain", _BEND), _PARAMETERS
            ),
            "true mesh over parameters": quotient(
                "Bending of the true meshes over that of MobileNet's",
                study.values("mobilenet", "plain", "bending of the truth"),
                study.values(*_PARAMETERS),
            ),
        },
    }  # fmt: skip


_CLIPS = ("short videos", "stills")
_AFTER = ("VDC from fWPDC", "fWPDC")
_PARAMETERS: Place = ("mobilenet", "plain", _BEND)


def best_mixture(study: Study) -> str:
    """The name of the vanilla-joint variant with the least error, the mean over the seeds."""

    def error(name: str) -> float:
        values = study.values(*_of(name))
        return sum(values) / len(values)

    return min((mixture(beta) for beta in BETAS), key=error)


def _of(variant: str) -> Place:
    return variant, "plain", _BINS


def _steady(variant: str) -> Place:
    return variant, "plain", _STEADY


def choices(run: Run) -> list[int]:
    """The branch that every round of a meta-joint training kept: 0 for fWPDC, 1 for VDC."""
    return [kept for entry in run.history for kept in entry["kept"]]


def _falls(what: str, study: Study, variant: str) -> Quantity:
    return Quantity(what, "fraction", values=tuple(_early_less_late(run) for run in study.of(variant)))


def _early_less_late(run: Run) -> float:
    """
    Raises:
        ValueError: if the run has too few rounds for thirds.
    """
    kept = choices(run)
    third = len(kept) // 3
    if third < 1:
        raise ValueError(f"{run.variant}, seed {run.seed}: expected at least {_ROUNDS} rounds, got {len(kept)}")
    return (kept[:third].count(0) - kept[-third:].count(0)) / third


def save_tddfa_experiments(study: Study, profile: str, seeds: Sequence[int], device: str) -> list[Path]:
    """Writes every experiment of :func:`tddfa_experiments` to ``data/results/<profile>``."""
    return save_experiments(tddfa_experiments(study, seeds), study, "tddfa", profile, seeds, device)
