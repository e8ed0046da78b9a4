"""CLN's experiments: what the ledger asks for, by hand from a small study."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from facelab.ledger import results
from facelab.ledger.experiments_cln import better_stream, cln_experiments, save_cln_experiments
from facelab.recipes.cln_studies import ALONE, variants
from facelab.recipes.study_runs import Run, Study
from tests.ledger.quantities import asked_of, units_of, values_of

SEEDS = (0, 1)
# Variant to its NME, the mean of the bins of pose, with two seeds.
NME: dict[str, tuple[float, float]] = {
    "none": (0.08, 0.04),
    "attention": (0.06, 0.05),
    "convolution": (0.04, 0.06),
    "shuffling": (0.05, 0.02),
    "shuffling, thumbnail": (0.04, 0.03),
    "thumbnail of another face": (0.06, 0.01),
    "CLN": (0.03, 0.05),
    "global alone": (0.04, 0.05),
    # Its mean is higher, though its error with the first seed is lower.
    "local alone": (0.01, 0.20),
    "one network": (9.0, 9.0),
}
IN_3D = {"CLN": (0.06, 0.09), "one network": (0.08, 0.06)}
EXPECTED = {
    ("cln-modules", "shuffling over none"): (0.625, 0.5),
    ("cln-modules", "attention over none"): (0.75, 1.25),
    ("cln-modules", "convolution over none"): (0.5, 1.5),
    ("cln-modules", "thumbnail over shuffling"): (0.8, 1.5),
    ("cln-modules", "thumbnail of another face over shuffling"): (1.2, 0.5),
    ("cln-3d", "CLN over one network"): (0.75, 1.5),
    ("cln-streams", "both over the better one"): (0.75, 1.0),
    ("cln-streams", "two global streams over the better one"): (1.5, 1.0),
}
EXPERIMENTS = {experiment for experiment, _ in EXPECTED}


def _run(variant: str, seed: int, nme: float) -> Run:
    measured = {"nme mean of bins": nme, "nme": 8.0, "nme 3d axes": 7.0, "nme 3d similarity mean of bins": 6.0}
    if variant in IN_3D:
        measured["nme 3d axes mean of bins"] = IN_3D[variant][seed % 2]
    return Run(variant, seed, 10.0, 1, {}, {}, {"plain": measured, "bar": {"nme mean of bins": 5.0}}, [{"loss": 1.0}])


def _made_up(left_out: str = "") -> list[Run]:
    return [_run(name, seed, pair[seed]) for name, pair in NME.items() for seed in SEEDS if name != left_out]


def _values(study: Study, seeds: Sequence[int] = SEEDS) -> dict[tuple[str, str], tuple[float, ...]]:
    return values_of(cln_experiments(study, seeds))


def test_every_number_by_hand() -> None:
    found = _values(Study(_made_up()))
    assert found.keys() == EXPECTED.keys()
    for place, values in EXPECTED.items():
        assert found[place] == pytest.approx(values), place


def test_one_seed_alone() -> None:
    """The better stream is then that of this seed."""
    found = _values(Study(_made_up()), (0,))
    assert found["cln-streams", "both over the better one"] == pytest.approx((3.0,))
    assert found["cln-streams", "two global streams over the better one"] == pytest.approx((6.0,))
    assert found["cln-modules", "shuffling over none"] == pytest.approx((0.625,))


def test_seeds_that_only_some_variants_have_count_for_nothing() -> None:
    extra = [_run(variant, seed, 0.0001) for variant in ("CLN", "local alone") for seed in (2, 3)]
    tuning = [_run("CLN, rate 0.002", 100, 7.0), _run("global alone, rate 0.002", 100, 0.0001)]
    assert _values(Study([*_made_up(), *extra, *tuning])) == _values(Study(_made_up()))


@pytest.mark.parametrize("best", ALONE)
def test_the_better_stream_is_that_of_the_lowest_mean(best: str) -> None:
    """One seed with next to no error does not make a stream the better one."""
    errors = dict.fromkeys(ALONE, (0.001, 0.3)) | {best: (0.1, 0.2)}
    others = [run for run in _made_up() if run.variant not in errors]
    study = Study([*others, *(_run(name, seed, pair[seed]) for name, pair in errors.items() for seed in SEEDS)])
    assert better_stream(study) == best
    streams = cln_experiments(study, SEEDS)["cln-streams"]
    assert streams["both over the better one"].values == pytest.approx((0.3, 0.25))
    assert best in streams["both over the better one"].what


# ----------------------------------------------------------------------------------------------- the ledger, results


@pytest.mark.parametrize("variant", NME)
def test_a_variant_that_is_missing_is_named(variant: str) -> None:
    with pytest.raises(KeyError) as told:
        cln_experiments(Study(_made_up(left_out=variant)), SEEDS)
    assert told.value.args[0].startswith(f"variant {variant!r}: expected one of ")


@pytest.mark.parametrize("profile", ["smoke", "cpu"])
def test_every_variant_is_one_of_the_studies(profile: str) -> None:
    """And is trained with the seeds of all."""
    there = variants(profile)
    assert NME.keys() <= there.keys() and not [name for name in NME if there[name].seeds]


def test_the_ledger_is_told_all_that_it_asks_for() -> None:
    """And nothing else."""
    asked = asked_of("cln")
    offered = units_of(cln_experiments(Study(_made_up()), SEEDS))
    assert offered == asked and {experiment for experiment, _ in asked} == EXPERIMENTS


def test_results_are_written_with_their_provenance(book: Path) -> None:
    study = Study(_made_up())
    paths = save_cln_experiments(study, "smoke", SEEDS, "cpu")
    expected = cln_experiments(study, SEEDS)
    assert paths == [book / "results" / "smoke" / f"{name}.json" for name in expected]
    written = results("smoke")
    assert {name: result.quantities for name, result in written.items()} == expected
    for result in written.values():
        about = result.provenance
        assert about["command"] == "python -m facelab bench cln --profile smoke --seeds 2"
        assert (about["seeds"], about["seconds"], about["device"]) == ([0, 1], 10.0 * len(study.runs), "cpu")
