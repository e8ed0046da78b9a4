"""The anisotropic loss's experiments: what the ledger asks for, by hand from a small study."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from statistics import stdev

import pytest

from facelab.ledger import Quantity, results
from facelab.ledger.experiments_anisotropic import (
    anisotropic_experiments,
    save_anisotropic_experiments,
    spread_experiments,
)
from facelab.recipes.anisotropic_studies import ACROSS, ALONG, GROUP, TRUNKS, setting
from facelab.recipes.study_runs import Run, Study
from tests.ledger.quantities import asked_of, units_of, values_of

SEEDS = (0, 1)
# Variant to its NME with two seeds.
NME: dict[str, tuple[float, float]] = {
    "anisotropic": (0.04, 0.06),
    "l2": (0.05, 0.05),
    "l1": (0.08, 0.04),
    "smooth l1": (0.02, 0.03),
    "wing": (0.04, 0.12),
    "isotropic": (0.05, 0.03),
    "turned": (0.08, 0.03),
    "equal corners": (9.0, 9.0),
    "points outright": (0.06, 0.03),
    "without augmentation": (0.08, 0.09),
    "frontal": (0.10, 0.20),
    "frontal, replicated": (0.05, 0.04),
    "frontal, undersampled": (0.15, 0.10),
    "frontal, replicated at random": (0.11, 0.22),
    "frontal, undersampled at random": (0.09, 0.30),
    "ResNet": (0.04, 0.06),
    "DenseNet": (0.02, 0.04),  # the best on the whole
    "Wide ResNet": (0.06, 0.03),
    "thin ResNet": (0.08, 0.10),
} | {setting(a, b): (0.05, 0.07) for a, b in product(ALONG, ACROSS) if setting(a, b) != "anisotropic"}
# The best has the lowest mean though not the lowest error with any seed; the worst likewise has the highest mean.
NME |= {"a 3, b 2": (0.02, 0.04), "a 3, b 1": (0.01, 0.20), "a 8, b 1": (0.10, 0.22), "a 8, b 3": (0.11, 0.20)}
# Errors at corners, on curves, and of these across and along.
KINDS: dict[str, dict[str, tuple[float, float]]] = {
    "anisotropic": {"corners": (0.01, 0.02), "curves": (0.04, 0.04), "across": (0.01, 0.03), "along": (0.04, 0.04)},
    "l2": {"corners": (0.02, 0.03), "curves": (0.04, 0.04)},
    "equal corners": {"corners": (0.04, 0.02), "curves": (0.08, 0.08)},
    "isotropic": {"across": (0.02, 0.03), "along": (0.04, 0.03)},
    "turned": {"across": (0.06, 0.05), "along": (0.04, 0.02)},
}
FIRST = {"anisotropic": (0.3, 0.2), "wing": (0.2, 0.4)}  # error after the first epoch
EXPECTED = {
    ("anisotropic-losses", "anisotropic over L2"): (0.8, 1.2),
    ("anisotropic-losses", "anisotropic over L1"): (0.5, 1.5),
    ("anisotropic-losses", "anisotropic over smooth L1"): (2.0, 2.0),
    ("anisotropic-losses", "anisotropic over Wing"): (1.0, 0.5),
    ("anisotropic-convergence", "first epoch, anisotropic over Wing"): (1.5, 0.5),
    ("anisotropic-weights", "anisotropic over isotropic"): (0.8, 2.0),
    ("anisotropic-weights", "turned over isotropic"): (1.6, 1.0),
    ("anisotropic-weights", "along over across"): (0.5, 2.0),
    ("anisotropic-weights", "chosen over best"): (2.0, 1.5),
    ("anisotropic-weights", "worst over best"): (5.0, 5.5),
    ("anisotropic-output", "direct over displacement"): (1.5, 0.5),
    ("anisotropic-output", "without augmentation over with"): (2.0, 1.5),
    ("anisotropic-balance", "replication over none"): (0.5, 0.2),
    ("anisotropic-balance", "random replication over none"): (1.1, 1.1),
    ("anisotropic-balance", "undersampling over none"): (1.5, 0.5),
    ("anisotropic-balance", "random undersampling over none"): (0.9, 1.5),
    ("anisotropic-balance", "undersampling over replication"): (3.0, 2.5),
    ("anisotropic-points", "corners over curves"): (0.5, 2 / 3),
    ("anisotropic-points", "corners over curves, equal weight"): (1.0, 1 / 3),
    ("anisotropic-points", "across over along"): (0.5, 0.75),
    ("anisotropic-points", "across over along, turned"): (3.0, 2.5),
    ("anisotropic-architectures", "worst over best"): (2.0, 1.5),  # ResNet, whose mean is the highest
    ("anisotropic-architectures", "thin over best"): (4.0, 2.5),
}


def _run(variant: str, seed: int, nme: float, kinds: Mapping[str, float] | None = None) -> Run:
    history = [{"nme": FIRST[variant][seed]}, {"nme": nme}] if variant in FIRST and seed in SEEDS else [{"loss": 1.0}]
    return Run(variant, seed, 10.0, 1, {}, {}, {"plain": {"nme": nme, **(kinds or {})}}, history)


def _made_up(left_out: str = "") -> list[Run]:
    return [
        _run(variant, seed, pair[seed], {name: values[seed] for name, values in KINDS.get(variant, {}).items()})
        for variant, pair in NME.items()
        for seed in SEEDS
        if variant != left_out
    ]


def _values(study: Study) -> dict[tuple[str, str], tuple[float, ...]]:
    return values_of(anisotropic_experiments(study, SEEDS))


def test_every_number_by_hand() -> None:
    found = _values(Study(_made_up()))
    assert found.keys() == EXPECTED.keys()
    for place, values in EXPECTED.items():
        assert found[place] == pytest.approx(values), place


def test_seeds_that_only_some_variants_have_count_for_nothing() -> None:
    extra = [_run(variant, seed, 7.0) for variant in ("frontal", "frontal, replicated") for seed in (2, 3)]
    rated = [_run("l2, rate 0.001", 100, 7.0)]
    assert _values(Study([*_made_up(), *extra, *rated])) == _values(Study(_made_up()))


@pytest.mark.parametrize("best", ["anisotropic", "a 3, b 1", "a 8, b 3"])
def test_the_best_setting_is_that_of_the_lowest_mean(best: str) -> None:
    """One seed with no error at all does not make a setting the best."""
    errors = {setting(a, b): (0.001, 0.3) for a, b in product(ALONG, ACROSS)} | {best: (0.1, 0.2)}
    runs = [run for run in _made_up() if run.variant not in errors]
    runs += [
        _run(variant, seed, pair[seed], {name: values[seed] for name, values in KINDS.get(variant, {}).items()})
        for variant, pair in errors.items()
        for seed in SEEDS
    ]
    weights = anisotropic_experiments(Study(runs), SEEDS)["anisotropic-weights"]
    chosen = tuple(errors["anisotropic"][seed] / errors[best][seed] for seed in SEEDS)
    assert weights["chosen over best"].values == pytest.approx(chosen)
    assert weights["worst over best"].values == pytest.approx((0.01, 1.5))
    assert str(len(ALONG) * len(ACROSS)) in weights["chosen over best"].what


@pytest.mark.parametrize(("variant", "seed"), [("anisotropic", 0), ("wing", 1)])
def test_a_missing_error_after_the_first_epoch_is_told(variant: str, seed: int) -> None:
    runs = _made_up()
    (run,) = (run for run in runs if (run.variant, run.seed) == (variant, seed))
    del run.history[0]["nme"]
    with pytest.raises(ValueError, match=f"{variant}, seed {seed}: expected an error after the first epoch"):
        anisotropic_experiments(Study(runs), SEEDS)


@pytest.mark.parametrize("variant", NME)
def test_a_variant_that_is_missing_is_named(variant: str) -> None:
    with pytest.raises(KeyError) as told:
        anisotropic_experiments(Study(_made_up(left_out=variant)), SEEDS)
    assert told.value.args[0].startswith(f"variant {variant!r}: expected one of ")


def test_the_trunks_of_the_studies_are_in_the_made_up_one() -> None:
    assert TRUNKS.keys() <= NME.keys() and list(TRUNKS)[-1] == "thin ResNet"


# ----------------------------------------------------------------------------------------------------------- spread


def _groups(count: int) -> list[Run]:
    """So many networks of either kind; with replication the groups of five are spread 2, 3, 4 ... times as far."""
    runs = []
    for seed in range(count):
        group, place = divmod(seed, GROUP)
        step = (-2, -1, 0, 1, 2)[place] / 1000
        runs.append(_run("frontal", seed, 0.1 + 0.01 * group + step))
        runs.append(_run("frontal, replicated", seed, 0.2 - 0.02 * group + (group + 2) * step))
    return runs


@pytest.mark.parametrize(("networks", "expected"), [(5, (2.0,)), (9, (2.0,)), (10, (2.0, 3.0)), (15, (2.0, 3.0, 4.0))])
def test_the_spread_is_that_of_groups_of_five(networks: int, expected: tuple[float, ...]) -> None:
    found = spread_experiments(Study(_groups(networks)))["anisotropic-spread"]["replication over none"]
    assert found.values == pytest.approx(expected) and found.unit == "ratio"


def test_spread_by_hand() -> None:
    replicated, plain = (0.1, 0.2, 0.4, 0.3, 0.1), (0.3, 0.1, 0.1, 0.2, 0.25)
    runs = [_run("frontal, replicated", seed, value) for seed, value in enumerate(replicated)]
    runs += [_run("frontal", seed, value) for seed, value in enumerate(plain)]
    (found,) = spread_experiments(Study(runs))["anisotropic-spread"]["replication over none"].values
    # Squared deviations sum to 0.068 and 0.032; over four and over four.
    assert found == pytest.approx((0.068 / 0.032) ** 0.5) == pytest.approx(stdev(replicated) / stdev(plain))


@pytest.mark.parametrize("networks", [1, 4])
def test_there_is_no_spread_of_too_few(networks: int) -> None:
    assert spread_experiments(Study(_groups(networks))) == {}


def test_different_numbers_of_groups_are_not_compared() -> None:
    runs = [run for run in _groups(10) if run.variant == "frontal" or run.seed < 5]
    with pytest.raises(ValueError, match="zip"):
        spread_experiments(Study(runs))
    with pytest.raises(KeyError, match="frontal, replicated"):
        spread_experiments(Study(run for run in runs if run.variant == "frontal"))


# ----------------------------------------------------------------------------------------------- the ledger, results


def _whole() -> Study:
    """With three groups of networks whose spread is compared."""
    pair = ("frontal", "frontal, replicated")
    others = [run for run in _made_up() if run.variant not in pair]
    return Study([*others, *_groups(15)])


def _given(study: Study) -> dict[str, dict[str, Quantity]]:
    return anisotropic_experiments(study, SEEDS) | spread_experiments(study)


def test_the_ledger_asks_for_these_and_no_others() -> None:
    assert asked_of("anisotropic") == units_of(_given(_whole()))


@pytest.mark.parametrize("place", sorted(asked_of("anisotropic")), ids=": ".join)
def test_every_quantity_of_the_ledger_has_a_value_a_seed(place: tuple[str, str]) -> None:
    experiment, name = place
    study = _whole()
    quantity = _given(study)[experiment][name]
    assert len(quantity.values) == (3 if experiment == "anisotropic-spread" else len(SEEDS))
    assert quantity.what and quantity.unit == "ratio"


def test_results_are_written_with_their_provenance(book: Path) -> None:
    study = _whole()
    paths = save_anisotropic_experiments(study, "smoke", SEEDS, "cpu")
    expected = _given(study)
    assert paths == [book / "results" / "smoke" / f"{name}.json" for name in expected]
    written = results("smoke")
    assert {name: result.quantities for name, result in written.items()} == expected
    for name, result in written.items():
        about = result.provenance
        assert about["command"] == "python -m facelab bench anisotropic --profile smoke --seeds 2"
        assert about["seeds"] == ([0, 1, 2] if name == "anisotropic-spread" else [0, 1])
        assert (about["seconds"], about["device"]) == (10.0 * len(study.runs), "cpu")


def test_without_groups_there_is_no_result_of_the_spread(book: Path) -> None:
    paths = save_anisotropic_experiments(Study(_made_up()), "smoke", SEEDS, "cpu")
    assert book / "results" / "smoke" / "anisotropic-spread.json" not in paths
    assert results("smoke").keys() == anisotropic_experiments(Study(_made_up()), SEEDS).keys()
