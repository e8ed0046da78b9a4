"""3DDFA_V2's experiments: what the ledger asks for, by hand from a small study."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from facelab.ledger import results
from facelab.ledger.experiments_tddfa import best_mixture, choices, save_tddfa_experiments, tddfa_experiments
from facelab.recipes.study_runs import Run, Study
from facelab.recipes.tddfa_studies import BETAS, MAPS, ONCE, TRUNKS, mixture, variants
from tests.ledger.quantities import asked_of, units_of, values_of

SEEDS = (0, 1)
# Variant to its NME, the mean of the bins of pose, with two seeds.
NME: dict[str, tuple[float, float]] = {
    "VDC": (0.08, 0.04),
    "fWPDC": (0.04, 0.05),
    "VDC from fWPDC": (0.02, 0.10),
    # The best mixture has the lowest mean, though the first has the lowest error with the first seed.
    mixture(BETAS[0]): (0.01, 0.20),
    mixture(BETAS[1]): (0.06, 0.07),
    mixture(BETAS[2]): (0.05, 0.05),
    "vanilla-joint, twice as long": (0.01, 0.08),
    "M": (0.04, 0.04),
    "M, coin": (0.10, 0.06),
    "M+R": (0.02, 0.05),
    "M+R of other faces": (0.06, 0.03),
    "M+rebuilt": (0.08, 0.10),
    "vanilla-joint, SGD": (0.08, 0.05),
    "M, SGD": (0.02, 0.06),
    "stills": (0.02, 0.05),
    "short videos": (0.03, 0.04),
    "random turns": (9.0, 9.0),
    "mobilenet": (0.04, 0.06),
    "resnet-22": (0.05, 0.04),
    "mobilenet x0.25": (0.06, 0.08),
    "mobilenet-v3 x0.5": (0.09, 0.02),
    "PRNet": (0.06, 0.01),
}
STABILITY = {"stills": (0.004, 0.002), "short videos": (0.002, 0.003), "random turns": (0.008, 0.002)}
BENDING = {"mobilenet": (0.02, 0.04), "PRNet": (0.08, 0.06)}
TRUTH = (0.01, 0.03)  # of MobileNet's test faces
# The branches that were kept, epoch by epoch: of seven rounds, a third is two.
KEPT = ([[0, 0, 1], [1, 1, 0, 1]], [[1, 0], [0, 1], [1, 0, 0]])
KEPT_BY_SGD = ([[1, 0, 0]], [[0], [1, 1]])
EXPECTED = {
    ("tddfa-optimisation", "fWPDC over VDC"): (0.5, 1.25),
    ("tddfa-optimisation", "VDC from fWPDC over fWPDC"): (0.5, 2.0),
    ("tddfa-optimisation", "vanilla-joint over VDC from fWPDC"): (2.5, 0.5),
    ("tddfa-optimisation", "meta-joint over vanilla-joint"): (0.8, 0.8),
    ("tddfa-optimisation", "coin over vanilla-joint"): (2.0, 1.2),
    ("tddfa-optimisation", "meta-joint over twice the mixture"): (4.0, 0.5),
    ("tddfa-optimisation", "meta-joint over vanilla-joint, SGD"): (0.25, 1.2),
    # fWPDC: of the first two rounds both and one, of the last two one and both.
    ("tddfa-optimisation", "early less late share of fWPDC"): (0.5, -0.5),
    ("tddfa-optimisation", "early less late share of fWPDC, SGD"): (-1.0, 1.0),
    ("tddfa-landmarks", "with branch over without"): (0.5, 1.25),
    ("tddfa-landmarks", "with branch of other faces over without"): (1.5, 0.75),
    ("tddfa-landmarks", "branch over landmark loss"): (0.25, 0.5),
    ("tddfa-clips", "error, clips over stills"): (1.5, 0.8),
    ("tddfa-clips", "stability, clips over stills"): (0.5, 1.5),
    ("tddfa-clips", "stability, clips over random"): (0.25, 1.5),
    ("tddfa-backbones", "MobileNet over ResNet-22"): (0.8, 1.5),
    ("tddfa-backbones", "quarter MobileNet over ResNet-22"): (1.2, 2.0),
    ("tddfa-backbones", "MobileNet-V3 over PRNet"): (1.5, 2.0),
    ("tddfa-meshes", "position map over parameters"): (4.0, 1.5),
    ("tddfa-meshes", "true mesh over parameters"): (0.5, 0.75),
}
EXPERIMENTS = {experiment for experiment, _ in EXPECTED}


def _run(variant: str, seed: int, nme: float) -> Run:
    measured = {"nme mean of bins": nme, "nme": 8.0}
    for name, values in (("stability", STABILITY), ("bending", BENDING)):
        if variant in values:
            measured[name] = values[variant][seed % 2]
    if variant == "mobilenet":
        measured["bending of the truth"] = TRUTH[seed % 2]
    elif variant == "PRNet":
        measured["bending of the truth"] = 7.0
    rounds = {"M": KEPT[seed % 2], "M, SGD": KEPT_BY_SGD[seed % 2]}.get(variant, [])
    history = [{"loss": 1.0, "kept": kept} for kept in rounds] or [{"loss": 1.0}]
    return Run(variant, seed, 10.0, 1, {}, {}, {"plain": measured}, history)


def _made_up(left_out: str = "") -> list[Run]:
    return [_run(name, seed, pair[seed]) for name, pair in NME.items() for seed in SEEDS if name != left_out]


def _values(study: Study, seeds: Sequence[int] = SEEDS) -> dict[tuple[str, str], tuple[float, ...]]:
    return values_of(tddfa_experiments(study, seeds))


def test_every_number_by_hand() -> None:
    found = _values(Study(_made_up()))
    assert found.keys() == EXPECTED.keys()
    for place, values in EXPECTED.items():
        assert found[place] == pytest.approx(values), place


def test_one_seed_alone() -> None:
    """The best mixture is then that of this seed."""
    found = _values(Study(_made_up()), (0,))
    assert found["tddfa-optimisation", "meta-joint over vanilla-joint"] == pytest.approx((0.04 / 0.01,))
    assert found["tddfa-landmarks", "with branch over without"] == pytest.approx((0.5,))


def test_seeds_that_only_some_variants_have_count_for_nothing() -> None:
    extra = [_run(variant, seed, 0.0001) for variant in ("M", mixture(BETAS[0]), "mobilenet") for seed in (2, 3)]
    tuning = [_run("fWPDC, rate 0.002", 100, 7.0)]
    assert _values(Study([*_made_up(), *extra, *tuning])) == _values(Study(_made_up()))


@pytest.mark.parametrize("best", BETAS)
def test_the_best_mixture_is_that_of_the_lowest_mean(best: float) -> None:
    """One seed with next to no error does not make a mixture the best."""
    errors = {mixture(beta): (0.001, 0.3) for beta in BETAS} | {mixture(best): (0.1, 0.2)}
    others = [run for run in _made_up() if run.variant not in errors]
    study = Study([*others, *(_run(name, seed, pair[seed]) for name, pair in errors.items() for seed in SEEDS)])
    assert best_mixture(study) == mixture(best)
    joint = tddfa_experiments(study, SEEDS)["tddfa-optimisation"]
    assert joint["meta-joint over vanilla-joint"].values == pytest.approx((0.4, 0.2))
    assert mixture(best) in joint["vanilla-joint over VDC from fWPDC"].what


# ------------------------------------------------------------------------------------------------------- the branches


def _with_kept(kept: list[list[int]]) -> Study:
    """A study whose meta-joint trainings kept these branches, epoch by epoch."""
    runs = _made_up()
    for run in runs:
        if run.variant == "M":
            run.history[:] = [{"kept": each} for each in kept]
    return Study(runs)


def test_choices_are_those_of_all_epochs_in_their_order() -> None:
    first, second = Study(_made_up()).of("M")
    assert choices(first) == [0, 0, 1, 1, 1, 0, 1] and choices(second) == [1, 0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([[0, 0, 0], [0, 1, 0], [1, 1, 1]], 1.0),
        ([[1, 1, 1], [0, 0, 0]], -1.0),
        ([[0], [], [1, 0]], 0.0),
        ([[0, 0, 0, 1, 1, 0, 1, 1, 1, 0, 1]], 2 / 3),  # a third of eleven is three
        ([[1] * 9], 0.0),
    ],
)
def test_the_early_share_of_fwpdc_less_the_late(kept: list[list[int]], expected: float) -> None:
    quantity = tddfa_experiments(_with_kept(kept), SEEDS)["tddfa-optimisation"]["early less late share of fWPDC"]
    assert quantity.values == pytest.approx((expected, expected)) and quantity.unit == "fraction"


@pytest.mark.parametrize("kept", [[[]], [[0, 1]], [[0], [1]]])
def test_a_run_with_too_few_rounds_is_refused(kept: list[list[int]]) -> None:
    rounds = sum(map(len, kept))
    with pytest.raises(ValueError, match=f"M, seed 0: expected at least 3 rounds, got {rounds}"):
        tddfa_experiments(_with_kept(kept), SEEDS)


# ----------------------------------------------------------------------------------------------- the ledger, results


@pytest.mark.parametrize("variant", NME)
def test_a_variant_that_is_missing_is_named(variant: str) -> None:
    with pytest.raises(KeyError) as told:
        tddfa_experiments(Study(_made_up(left_out=variant)), SEEDS)
    assert told.value.args[0].startswith(f"variant {variant!r}: expected one of ")


def test_every_variant_is_one_of_the_studies() -> None:
    """And none that is trained once."""
    assert not NME.keys() & set(ONCE)
    assert NME.keys() <= variants("smoke").keys()
    assert {"mobilenet", "resnet-22", "mobilenet-v3 x0.5"} <= TRUNKS.keys() and "PRNet" in MAPS


def test_the_ledger_is_told_all_that_it_asks_for() -> None:
    offered = units_of(tddfa_experiments(Study(_made_up()), SEEDS))
    asked = {place: unit for place, unit in asked_of("tddfa").items() if place[0] in EXPERIMENTS}
    assert {experiment for experiment, _ in asked} == EXPERIMENTS
    assert asked == {place: offered[place] for place in asked}
    # The rest is for the chapter.
    assert {name for _, name in offered.keys() - asked.keys()} == {
        "meta-joint over twice the mixture",
        "meta-joint over vanilla-joint, SGD",
        "early less late share of fWPDC, SGD",
    }


def test_results_are_written_with_their_provenance(book: Path) -> None:
    study = Study(_made_up())
    paths = save_tddfa_experiments(study, "smoke", SEEDS, "cpu")
    expected = tddfa_experiments(study, SEEDS)
    assert paths == [book / "results" / "smoke" / f"{name}.json" for name in expected]
    written = results("smoke")
    assert {name: result.quantities for name, result in written.items()} == expected
    for result in written.values():
        about = result.provenance
        assert about["command"] == "python -m facelab bench tddfa --profile smoke --seeds 2"
        assert (about["seeds"], about["seconds"], about["device"]) == ([0, 1], 10.0 * len(study.runs), "cpu")
