"""FAN's experiments: what the ledger asks for, by hand from a small study."""

from pathlib import Path

import pytest

from facelab.ledger import results
from facelab.ledger.experiments_fan import fan_experiments, save_fan_experiments
from facelab.recipes.fan_studies import DECODER
from facelab.recipes.study_runs import Run, Study
from tests.ledger.quantities import asked_of, units_of, values_of

# Variant to measurement to numbers, of two seeds each.
MEASURED: dict[str, dict[str, dict[str, tuple[float, float]]]] = {
    "FAN's crop": {
        "plain": {"auc": (0.5, 0.4), "auc 0-30": (0.6, 0.5), "auc 60-90": (0.3, 0.4)},
        "both 0.1": {"auc": (0.01, 0.01)},
        "both 0.3": {"auc": (0.45, 0.3)},
        "shift 0.3": {"auc": (0.02, 0.02)},
        "shift 1.0": {"auc": (0.1, 0.2)},
        "side 30": {"auc": (0.25, 0.1)},
        "side 6": {"auc": (0.05, 0.04)},
    },
    "frontal": {"plain": {"auc 0-30": (0.8, 0.5), "auc 60-90": (0.2, 0.1)}},
    "1 stack": {"plain": {"nme": (0.06, 0.08)}},
    "4 stacks": {
        "plain": {"nme": (0.04, 0.05)},
        f"stack 1, {DECODER}": {"auc": (0.1, 0.2)},
        f"stack 2, {DECODER}": {"auc": (0.4, 0.5)},
        f"stack 3, {DECODER}": {"auc": (0.5, 0.45)},
        f"stack 4, {DECODER}": {"auc": (0.52, 0.65)},
    },
    "hierarchical": {"plain": {"nme": (0.05, 0.06)}},
    "bottleneck": {"plain": {"nme": (0.1, 0.05)}},
    "2D to 3D": {"plain": {"nme": (0.03, 0.02)}},
    "2D to 3D, another's": {"plain": {"nme": (0.09, 0.16)}},
}
EXPECTED = {
    ("fan-pose", "profile over frontal"): (0.5, 0.8),
    ("fan-pose", "profile over frontal, trained on frontal faces"): (0.25, 0.2),
    ("fan-initialisation", "noise of 30 % over none"): (0.9, 0.75),
    ("fan-initialisation", "noise of 100 % over none"): (0.2, 0.5),
    ("fan-resolution", "a quarter over whole"): (0.5, 0.25),
    ("fan-resolution", "a twentieth over whole"): (0.1, 0.1),
    ("fan-size", "one stack over four"): (1.5, 1.6),
    ("fan-block", "hierarchical over bottleneck"): (0.5, 1.2),
    ("fan-2d-to-3d", "with 2D landmarks over without"): (0.5, 0.25),
    ("fan-2d-to-3d", "with 2D landmarks of other faces over without"): (1.5, 2.0),
    ("fan-stacks", "smallest gain"): (0.02, -0.05),
    ("fan-stacks", "first gain less last"): (0.28, 0.1),
}


def _study(left_out: str = "", seeds: tuple[int, ...] = (0, 1)) -> Study:
    return Study(
        Run(
            variant,
            seed,
            10.0,
            1,
            {},
            {},
            {kind: {name: pair[seed] for name, pair in numbers.items()} for kind, numbers in measured.items()},
        )
        for variant, measured in MEASURED.items()
        for seed in seeds
        if variant != left_out
    )


def test_every_number_by_hand() -> None:
    found = values_of(fan_experiments(_study()))
    assert found.keys() == EXPECTED.keys()
    for place, values in EXPECTED.items():
        assert found[place] == pytest.approx(values), place


def test_the_ledger_asks_for_these_and_no_others() -> None:
    asked = asked_of("fan")
    offered = units_of(fan_experiments(_study()))
    assert asked == offered


@pytest.mark.parametrize("variant", MEASURED)
def test_a_variant_that_is_missing_is_named(variant: str) -> None:
    with pytest.raises(KeyError) as told:
        fan_experiments(_study(left_out=variant))
    assert told.value.args[0].startswith(f"variant {variant!r}: expected one of ")


def test_variants_with_different_seeds_are_not_compared() -> None:
    mixed = [run for run in _study().runs if (run.variant, run.seed) != ("bottleneck", 1)]
    with pytest.raises(ValueError, match="zip"):
        fan_experiments(Study(mixed))


def test_results_are_written_with_their_provenance(book: Path) -> None:
    study = _study()
    paths = save_fan_experiments(study, "smoke", study.seeds(), "cpu")
    assert all(path.parent == book / "results" / "smoke" for path in paths)
    written = results("smoke")
    assert {name: result.quantities for name, result in written.items()} == fan_experiments(study)
    for result in written.values():
        about = result.provenance
        assert about["command"] == "python -m facelab bench fan --profile smoke --seeds 2"
        assert (about["seeds"], about["seconds"], about["device"]) == ([0, 1], 10.0 * len(study.runs), "cpu")
