"""What the claims about the anisotropic loss ask for, taken from the runs of its studies."""

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from statistics import stdev

from facelab.ledger.experiments import Place, quotient, save_experiments
from facelab.ledger.experiments import ratio as ratio_of
from facelab.ledger.results import Quantity
from facelab.recipes.anisotropic_studies import ACROSS, ALONG, GROUP, TRUNKS, A, B, setting
from facelab.recipes.study_runs import Study

_OURS = "anisotropic"
Quantities = dict[str, Quantity]


def anisotropic_experiments(study: Study, seeds: Sequence[int]) -> dict[str, Quantities]:
    """Experiment to name to quantity, one value a seed; all but the spread that ``data/claims.yml`` asks for.

    Args:
        seeds: those that every variant was trained with.
    Raises:
        KeyError: if a run that is needed is not there. ValueError: if one has no error after its first epoch.
    """
    shared = Study(run for run in study.runs if run.seed in seeds)
    ratio = partial(ratio_of, shared)

    def over(what: str, variant: str, other: str) -> Quantity:
        return ratio(what, _nme(variant), _nme(other))

    return {
        "anisotropic-losses": {
            f"anisotropic over {shown}": over(
                f"NME with the anisotropic loss over that with {shown}", _OURS, shown.replace("Wing", "wing").lower()
            )
            for shown in ("L2", "L1", "smooth L1", "Wing")
        },
        "anisotropic-convergence": {"first epoch, anisotropic over Wing": _first_epoch(shared)},
        "anisotropic-weights": {
            "anisotropic over isotropic": over("NME with a = 5, b = 3 over that with a = b", _OURS, "isotropic"),
            "turned over isotropic": over("NME with a = 3, b = 5 over that with a = b", "turned", "isotropic"),
            "along over across": over("NME with a = 5, b = 3 over that with a = 3, b = 5", _OURS, "turned"),
            **_sweep(shared),
        },
        "anisotropic-output": {
            "direct over displacement": over("NME of direct over that of displacement", "points outright", _OURS),
            "without augmentation over with": over(
                "NME without augmentation over that with it", "without augmentation", _OURS
            ),
        },
        "anisotropic-balance": {
            name: over(f"NME on faces of all poses, {name}, learnt from frontal faces mostly", *pair)
            for name, pair in _BALANCES.items()
        },
        "anisotropic-points": _points(ratio),
        "anisotropic-architectures": _architectures(shared),
    }


_BALANCES = {
    "replication over none": ("frontal, replicated", "frontal"),
    "random replication over none": ("frontal, replicated at random", "frontal"),
    "undersampling over none": ("frontal, undersampled", "frontal"),
    "random undersampling over none": ("frontal, undersampled at random", "frontal"),
    "undersampling over replication": ("frontal, undersampled", "frontal, replicated"),
}


def spread_experiments(study: Study) -> dict[str, Quantities]:
    """The spread of equal networks, one value a group of them; nothing where there are too few for a group.

    Raises:
        KeyError: if there are no runs of the two. ValueError: if they have not the same number of groups.
    """
    replicated, plain = (_deviations(study, variant) for variant in ("frontal, replicated", "frontal"))
    if not replicated and not plain:
        return {}
    what = f"Standard deviation of the NME over {GROUP} networks with replicated poses over that without"
    return {"anisotropic-spread": {"replication over none": quotient(what, replicated, plain)}}


def _deviations(study: Study, variant: str) -> tuple[float, ...]:
    values = study.values(*_nme(variant))
    return tuple(stdev(values[end - GROUP : end]) for end in range(GROUP, len(values) + 1, GROUP))


def _nme(variant: str) -> Place:
    return variant, "plain", "nme"


def _first_epoch(study: Study) -> Quantity:
    def first(variant: str) -> list[float]:
        runs = study.of(variant)
        for run in runs:
            if not run.history or "nme" not in run.history[0]:
                raise ValueError(f"{variant}, seed {run.seed}: expected an error after the first epoch of its history")
        return [run.history[0]["nme"] for run in runs]

    what = "NME after the first epoch with the anisotropic loss over that with Wing"
    return quotient(what, first(_OURS), first("wing"))


def _sweep(study: Study) -> Quantities:
    """The paper's setting and the worst one over the best; the best is that of the lowest mean."""
    errors = {(a, b): study.values(*_nme(setting(a, b))) for a, b in product(ALONG, ACROSS)}
    ranked = sorted(errors, key=lambda place: sum(errors[place]))
    best, worst = errors[ranked[0]], errors[ranked[-1]]
    chosen = f"NME with a = {A:g}, b = {B:g} over that of the best setting of {len(errors)}"
    return {
        "chosen over best": quotient(chosen, errors[A, B], best),
        "worst over best": quotient(f"NME with the worst setting of {len(errors)} over that of the best", worst, best),
    }


def _points(ratio: "partial[Quantity]") -> Quantities:
    def twice(what: str, over: str, under: str, variant: str, reference: str) -> Quantity:
        ours, theirs = (
            ratio(what, (name, "plain", over), (name, "plain", under)).values for name in (variant, reference)
        )
        return quotient(what, ours, theirs)

    corners = "Error of corners over that of points on curves with the anisotropic loss, over the same with L2"
    across = "Error across over error along contours with the anisotropic loss, over the same with a = b"
    return {
        "corners over curves": twice(corners, "corners", "curves", _OURS, "l2"),
        "corners over curves, equal weight": twice(
            f"{corners}; corners weigh no more than curves", "corners", "curves", "equal corners", "l2"
        ),
        "across over along": twice(across, "across", "along", _OURS, "isotropic"),
        "across over along, turned": twice(f"{across}; a = 3, b = 5", "across", "along", "turned", "isotropic"),
    }


def _architectures(study: Study) -> Quantities:
    *equal, thin = TRUNKS
    errors = {trunk: study.values(*_nme(trunk)) for trunk in TRUNKS}
    ranked = sorted(equal, key=lambda trunk: sum(errors[trunk]))
    best, worst = errors[ranked[0]], errors[ranked[-1]]
    return {
        "worst over best": quotient("Highest over lowest NME of a ResNet, a DenseNet and a Wide ResNet", worst, best),
        "thin over best": quotient("NME of a ResNet of a quarter of the width over the lowest", errors[thin], best),
    }


def save_anisotropic_experiments(study: Study, profile: str, seeds: Sequence[int], device: str) -> list[Path]:
    """Writes every experiment to ``data/results/<profile>``; of the spread the groups stand for seeds."""
    written = save_experiments(anisotropic_experiments(study, seeds), study, "anisotropic", profile, seeds, device)
    for name, quantities in spread_experiments(study).items():
        groups = range(len(quantities["replication over none"].values))
        written += save_experiments(
            {name: quantities}, study, "anisotropic", profile, groups, device, command_seeds=len(seeds)
        )
    return written
