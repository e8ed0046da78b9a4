"""What the claims about FAN ask for, taken from the runs of its studies."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from facelab.ledger.experiments import Place, save_experiments
from facelab.ledger.experiments import ratio as ratio_of
from facelab.ledger.results import Quantity
from facelab.recipes.fan_studies import DECODER, LOST, LOST_SIDE, NOISES, stacked
from facelab.recipes.study_runs import Study

_ONE, _FOUR, _WIDE, _FRONTAL = stacked(1), stacked(4), "FAN's crop", "frontal"
_MOST, _QUARTER = max(NOISES), 30


def fan_experiments(study: Study) -> dict[str, dict[str, Quantity]]:
    """Experiment to name to quantity, one value a seed; all that ``data/claims.yml`` asks of FAN's experiments.

    Raises:
        KeyError: if a run that is needed is not there.
    """

    ratio = partial(ratio_of, study)

    plain = (_WIDE, "plain", "auc")
    blind = (_FRONTAL, "plain", "auc")
    error = (_ONE, "plain", "nme")
    gains = _gains(study)
    return {
        "fan-pose": {
            "profile over frontal": ratio("AUC at 60-90 over AUC at 0-30", _of(plain, "60-90"), _of(plain, "0-30")),
            "profile over frontal, trained on frontal faces": ratio(
                "The same after training on |yaw| of at most 30", _of(blind, "60-90"), _of(blind, "0-30")
            ),
        },
        "fan-initialisation": {
            "noise of 30 % over none": ratio(
                "AUC with boxes shifted and scaled over AUC with exact ones", (_WIDE, f"both {_MOST}", "auc"), plain
            ),
            "noise of 100 % over none": ratio(
                "AUC with boxes shifted by up to their side over AUC with exact ones",
                (_WIDE, f"shift {LOST}", "auc"),
                plain,
            ),
        },
        "fan-resolution": {
            "a quarter over whole": ratio(
                "AUC on faces of 30 of 125 pixels over AUC on faces as they are",
                (_WIDE, f"side {_QUARTER}", "auc"),
                plain,
            ),
            "a twentieth over whole": ratio(
                "AUC on faces of 6 of 125 pixels over AUC on faces as they are",
                (_WIDE, f"side {LOST_SIDE}", "auc"),
                plain,
            ),
        },
        "fan-size": {
            "one stack over four": ratio("NME of one stack over that of four", error, (_FOUR, "plain", "nme")),
        },
        "fan-block": {
            "hierarchical over bottleneck": ratio(
                "NME with hierarchical blocks over that with as many parameters in bottlenecks",
                ("hierarchical", "plain", "nme"),
                ("bottleneck", "plain", "nme"),
            ),
        },
        "fan-2d-to-3d": {
            "with 2D landmarks over without": ratio(
                "NME with the picture and true 2D landmarks over that with the picture", ("2D to 3D", "plain", "nme"),
                error,
            ),
            "with 2D landmarks of other faces over without": ratio(
                "The same with another face's 2D landmarks", ("2D to 3D, another's", "plain", "nme"), error
            ),
        },
        "fan-stacks": {
            "smallest gain": Quantity("Least gain in AUC from a stack to the next", "fraction",
                                      values=tuple(min(each) for each in gains)),
            "first gain less last": Quantity("Gain of the second stack less that of the fourth", "fraction",
                                             values=tuple(each[0] - each[-1] for each in gains)),
        },
    }  # fmt: skip


def _of(place: Place, bin_name: str) -> Place:
    variant, measurement, number = place
    return variant, measurement, f"{number} {bin_name}"


def _gains(study: Study) -> list[list[float]]:
    """Of every seed: what each stack of the network of four adds to the AUC."""
    areas = [study.values(_FOUR, f"stack {stack}, {DECODER}", "auc") for stack in (1, 2, 3, 4)]
    return [[later - earlier for earlier, later in pairwise(seed)] for seed in zip(*areas, strict=True)]


def save_fan_experiments(study: Study, profile: str, seeds: Sequence[int], device: str) -> list[Path]:
    """Writes every experiment of :func:`fan_experiments` to ``data/results/<profile>``."""
    return save_experiments(fan_experiments(study), study, "fan", profile, seeds, device)
