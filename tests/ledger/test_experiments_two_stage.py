"""The two-stage method's experiments: what the ledger asks for, by hand from a small study."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from facelab.ledger import results
from facelab.ledger.experiments_two_stage import save_two_stage_experiments, two_stage_experiments
from facelab.recipes.study_runs import Run, Study
from tests.ledger.quantities import asked_of, units_of, values_of

# Variant to measurement to numbers, of two seeds each.
MEASURED: dict[str, dict[str, dict[str, tuple[float, float]]]] = {
    "two stages": {
        "plain": {
            "nme": (0.02, 0.06),
            "gte_x": (0.02, 0.03),
            "gte_y": (0.06, 0.05),
            "gte_z": (0.08, 0.04),
            "gte_xyz 0-30": (0.1, 0.2),
            "gte_xyz 60-90": (0.15, 0.5),
        },
        "detection": {"nme": (0.04, 0.05)},
        "another's detection": {"nme": (0.1, 0.2)},
    },
    "frontal": {"plain": {"gte_xyz 0-30": (0.1, 0.1), "gte_xyz 60-90": (0.4, 0.3)}},
    "depth from the picture": {"plain": {"gte_z": (0.1, 0.08)}},
    "another's heatmaps": {"plain": {"gte_z": (0.11, 0.12), "gte_x": (9.0, 9.0), "gte_y": (9.0, 9.0)}},
    "true heatmaps": {"plain": {"gte_z": (0.16, 0.05)}},
    "predicted heatmaps": {"plain": {"gte_z": (0.04, 0.16)}},
    "joint from the start": {"plain": {"nme": (0.05, 0.05)}},
}
EXPECTED = {
    ("two-stage-axes", "z over x and y"): (2.0, 1.0),
    ("two-stage-axes", "z from another's heatmaps over x and y"): (2.75, 3.0),
    ("two-stage-axes", "profile over frontal"): (1.5, 2.5),
    ("two-stage-axes", "profile over frontal, trained on frontal faces"): (4.0, 3.0),
    ("two-stage-depth", "with heatmaps over without"): (0.8, 0.5),
    ("two-stage-depth", "with heatmaps of other faces over without"): (1.1, 1.5),
    ("two-stage-depth", "mixed over true"): (0.5, 0.8),
    ("two-stage-depth", "mixed over predicted"): (2.0, 0.25),
    ("two-stage-cascade", "regression over detection"): (0.5, 1.2),
    ("two-stage-cascade", "regression from maps of other faces over detection"): (2.5, 4.0),
    ("two-stage-schedule", "separate over joint"): (4 / 6, 7 / 6),
}
JOINT = [[0.5, 0.4, 0.3, 0.2, 0.1, 0.06], [0.5, 0.4, 0.3, 0.2, 0.1, 0.03]]
# Two epochs of each of three trainings: the goal is reached in the fourth; never.
SEPARATE = [[0.04, 0.05, 0.2, 0.06, 0.08, 0.02], [0.02, 0.01, 0.3, 0.2, 0.1, 0.04]]


def _history(errors: Sequence[float], trainings: Sequence[int]) -> list[dict[str, float]]:
    return [{"training": float(of), "nme": error} for of, error in zip(trainings, errors, strict=True)]


def _separate(errors: Sequence[float]) -> list[dict[str, float]]:
    """And epochs of the depth network, which count for nothing however good the heatmaps are."""
    return _history([*errors, 0.9, 0.0], [1, 1, 2, 2, 3, 3, 4, 4])


def _run(variant: str, seed: int) -> Run:
    measured = {
        kind: {name: pair[seed] for name, pair in numbers.items()} for kind, numbers in MEASURED[variant].items()
    }
    history: list[dict[str, float]] = []
    if variant == "two stages":
        history = _separate(SEPARATE[seed])
    elif variant == "joint from the start":
        history = _history(JOINT[seed], [1] * 6)
    return Run(variant, seed, 10.0, 1, {}, {}, measured, history)


def _study(left_out: str = "") -> Study:
    return Study(_run(variant, seed) for variant in MEASURED for seed in (0, 1) if variant != left_out)


def test_every_number_by_hand() -> None:
    found = values_of(two_stage_experiments(_study()))
    assert found.keys() == EXPECTED.keys()
    for place, values in EXPECTED.items():
        assert found[place] == pytest.approx(values), place


@pytest.mark.parametrize(
    ("separate", "share"),
    [
        ([0.9, 0.9, 0.1, 0.9, 0.9, 0.9], 3 / 6),  # as good as the goal is good enough
        ([0.0, 0.0, 0.9, 0.9, 0.9, 0.1], 1.0),  # discs are no heatmaps
        ([0.0, 0.0, 0.9, 0.9, 0.9, 0.11], 7 / 6),  # never
        ([0.9, 0.9, 0.05, 0.9, 0.05, 0.9], 3 / 6),  # the first time counts
    ],
)
def test_the_share_of_pictures_that_separate_trainings_need(separate: list[float], share: float) -> None:
    runs = [run for run in _study().runs if run.variant not in ("two stages", "joint from the start")]
    method, joint = _run("two stages", 0), _run("joint from the start", 0)
    errors = [0.05, 0.9, 0.9, 0.9, 0.9, 0.1]  # the goal is the error at the end, not the lowest
    method.history[:], joint.history[:] = _separate(separate), _history(errors, [1] * 6)
    study = Study([*(run for run in runs if run.seed == 0), method, joint])
    (found,) = two_stage_experiments(study)["two-stage-schedule"]["separate over joint"].values
    assert found == pytest.approx(share)


def test_runs_without_an_error_after_every_epoch_are_refused() -> None:
    for variant, seed in (("two stages", 0), ("joint from the start", 1)):
        for spoil in ("one", "all"):
            study = _study()
            run = study.of(variant)[seed]
            if spoil == "one":
                del run.history[2]["nme"]
            else:
                run.history.clear()
            message = f"{variant}, seed {seed}: expected an error after every epoch of its history"
            with pytest.raises(ValueError, match=message):
                two_stage_experiments(study)


def test_the_ledger_asks_for_these_and_no_others() -> None:
    asked = asked_of("two_stage")
    offered = units_of(two_stage_experiments(_study()))
    assert asked == offered


@pytest.mark.parametrize("variant", MEASURED)
def test_a_variant_that_is_missing_is_named(variant: str) -> None:
    with pytest.raises(KeyError) as told:
        two_stage_experiments(_study(left_out=variant))
    assert told.value.args[0].startswith(f"variant {variant!r}: expected one of ")


@pytest.mark.parametrize("variant", sorted({*MEASURED} - {"frontal"}))  # which is compared with itself alone
def test_variants_with_different_seeds_are_not_compared(variant: str) -> None:
    mixed = [run for run in _study().runs if (run.variant, run.seed) != (variant, 1)]
    with pytest.raises(ValueError, match="zip"):
        two_stage_experiments(Study(mixed))


def test_results_are_written_with_their_provenance(book: Path) -> None:
    study = _study()
    paths = save_two_stage_experiments(study, "smoke", study.seeds(), "cpu")
    assert all(path.parent == book / "results" / "smoke" for path in paths)
    written = results("smoke")
    assert {name: result.quantities for name, result in written.items()} == two_stage_experiments(study)
    for result in written.values():
        about = result.provenance
        assert about["command"] == "python -m facelab bench two-stage --profile smoke --seeds 2"
        assert (about["seeds"], about["seconds"], about["device"]) == ([0, 1], 10.0 * len(study.runs), "cpu")
