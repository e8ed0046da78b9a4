"""What the claims about the two-stage method ask for, taken from the runs of its studies."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from facelab.ledger.experiments import Place, quotient, save_experiments
from facelab.ledger.experiments import ratio as ratio_of
from facelab.ledger.results import Quantity
from facelab.recipes.study_runs import Run, Study

_WHOLE = "two stages"


def two_stage_experiments(study: Study) -> dict[str, dict[str, Quantity]]:
    """Experiment to name to quantity, one value a seed; all that ``data/claims.yml`` asks of these experiments.

    Raises:
        KeyError: if a run that is needed is not there. ValueError: if a run has no error after any of its epochs.
    """

    ratio = partial(ratio_of, study)

    def depth(variant: str) -> Place:
        return variant, "plain", "gte_z"

    mixed, found = depth(_WHOLE), (_WHOLE, "plain", "nme")
    return {
        "two-stage-axes": {
            "z over x and y": _depth_gap("GTE of z over the mean of those of x and y", study, _WHOLE),
            "z from another's heatmaps over x and y": _depth_gap(
                "The same with a depth network that sees another face's heatmaps", study, "another's heatmaps"
            ),
            "profile over frontal": ratio(
                "GTE at 60-90 over GTE at 0-30", (_WHOLE, "plain", "gte_xyz 60-90"), (_WHOLE, "plain", "gte_xyz 0-30")
            ),
            "profile over frontal, trained on frontal faces": ratio(
                "The same after training on |yaw| of at most 30",
                ("frontal", "plain", "gte_xyz 60-90"),
                ("frontal", "plain", "gte_xyz 0-30"),
            ),
        },
        "two-stage-depth": {
            "with heatmaps over without": ratio(
                "GTE of z with picture and heatmaps over that with the picture", mixed, depth("depth from the picture")
            ),
            "with heatmaps of other faces over without": ratio(
                "The same with another face's heatmaps", depth("another's heatmaps"), depth("depth from the picture")
            ),
            "mixed over true": ratio(
                "GTE of z after training on true and predicted heatmaps over that on true ones",
                mixed,
                depth("true heatmaps"),
            ),
            "mixed over predicted": ratio(
                "GTE of z after training on true and predicted heatmaps over that on predicted ones",
                mixed,
                depth("predicted heatmaps"),
            ),
        },
        "two-stage-cascade": {
            "regression over detection": ratio(
                "NME of the heatmaps over NME of the discs", found, (_WHOLE, "detection", "nme")
            ),
            "regression from maps of other faces over detection": ratio(
                "The same heatmaps, refined from another face's discs",
                (_WHOLE, "another's detection", "nme"),
                (_WHOLE, "detection", "nme"),
            ),
        },
        "two-stage-schedule": {"separate over joint": _pictures_needed(study)},
    }


def _depth_gap(what: str, study: Study, variant: str) -> Quantity:
    depths = study.values(variant, "plain", "gte_z")
    across, down = (study.values(_WHOLE, "plain", f"gte_{axis}") for axis in "xy")
    return quotient(what, depths, ((x + y) / 2 for x, y in zip(across, down, strict=True)))


def _pictures_needed(study: Study) -> Quantity:
    """How soon separate trainings are as good as the joint training at its end."""
    pairs = zip(study.of(_WHOLE), study.of("joint from the start"), strict=True)
    return Quantity(
        "Pictures seen until the heatmaps are as good as those of the joint training at its end, over its pictures; "
        "one epoch more than all if they never are",
        "ratio",
        values=tuple(_share_needed(separate, joint) for separate, joint in pairs),
    )


def _share_needed(separate: Run, joint: Run) -> float:
    goal = _errors(joint, joint.history)[-1]
    steps = [entry for entry in separate.history if entry["training"] <= 3]
    errors = _errors(separate, steps)
    drawn = [entry["training"] > 1 for entry in steps]  # before, there are discs only
    reached = [number for number, error in enumerate(errors) if drawn[number] and error <= goal]
    return (reached[0] + 1 if reached else len(errors) + 1) / len(joint.history)


def _errors(run: Run, entries: Sequence[dict[str, float]]) -> list[float]:
    if not all("nme" in entry for entry in entries) or not entries:
        raise ValueError(f"{run.variant}, seed {run.seed}: expected an error after every epoch of its history")
    return [entry["nme"] for entry in entries]


def save_two_stage_experiments(study: Study, profile: str, seeds: Sequence[int], device: str) -> list[Path]:
    """Writes every experiment of :func:`two_stage_experiments` to ``data/results/<profile>``."""
    return save_experiments(two_stage_experiments(study), study, "two-stage", profile, seeds, device)
