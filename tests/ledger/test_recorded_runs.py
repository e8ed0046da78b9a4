"""The runs of the papers' studies that the book's chapters are made from."""

import json
from collections.abc import Callable, Iterable, Mapping

import pytest

from facelab.ledger import Quantity, results
from facelab.ledger.experiments_anisotropic import anisotropic_experiments
from facelab.ledger.experiments_cln import cln_experiments
from facelab.ledger.experiments_fan import fan_experiments
from facelab.ledger.experiments_tddfa import tddfa_experiments
from facelab.ledger.experiments_two_stage import two_stage_experiments
from facelab.recipes import anisotropic_studies, cln_studies, fan_studies, tddfa_studies, two_stage_studies
from facelab.recipes.study_runs import Studies, Study, rated

Quantities = dict[str, dict[str, Quantity]]
Record = tuple[Studies, Study, Callable[[Study], Quantities]]


def _anisotropic(study: Study) -> Quantities:
    return anisotropic_experiments(study, anisotropic_studies.STUDIES.seeds(study, "cpu"))


def _tddfa(study: Study) -> Quantities:
    return tddfa_experiments(study, tddfa_studies.STUDIES.seeds(study, "cpu"))


def _cln(study: Study) -> Quantities:
    return cln_experiments(study, cln_studies.STUDIES.seeds(study, "cpu"))


PAPERS = {
    "fan": (fan_studies.STUDIES, fan_experiments),
    "two-stage": (two_stage_studies.STUDIES, two_stage_experiments),
    "anisotropic": (anisotropic_studies.STUDIES, _anisotropic),
    "tddfa": (tddfa_studies.STUDIES, _tddfa),
    "cln": (cln_studies.STUDIES, _cln),
}


@pytest.fixture(scope="module", params=PAPERS)
def record(request: pytest.FixtureRequest) -> Record:
    """Studies, their runs, and what the ledger takes of them; the absence of runs is a failure."""
    studies, experiments = PAPERS[request.param]
    folder = studies.folder("cpu")
    assert folder.is_dir(), f"{folder}: expected runs; python -m facelab bench {studies.name} trains them"
    return studies, studies.read(folder, "cpu"), experiments  # refuses runs of recipes that are not those of today


def test_every_variant_is_on_record_with_the_same_seeds(record: Record) -> None:
    studies, recorded, _ = record
    there = {(run.variant, run.seed) for run in recorded.runs}
    assert len(there) == len(recorded.runs)
    seeds = studies.seeds(recorded, "cpu")
    wanted = studies.variants("cpu").items()
    assert there == {(name, seed) for name, variant in wanted for seed in variant.trained_with(seeds)}
    assert len(seeds) >= 3


def test_recorded_files_are_named_after_their_runs(record: Record) -> None:
    """And are of different trainings: no run is a copy of another."""
    studies, recorded, _ = record
    for path in studies.folder("cpu").glob("*.json"):
        run = json.loads(path.read_text())
        name, seed = path.stem.rsplit("-", 1)
        assert [*filter(str.isalnum, name)] == [*filter(str.isalnum, run["variant"].lower())], path.name
        assert int(seed) == run["seed"], path.name
    assert len({json.dumps(run.measured) for run in recorded.runs}) == len(recorded.runs)


def test_recorded_results_are_those_of_the_recorded_runs(record: Record) -> None:
    studies, recorded, experiments = record
    written = results("cpu")
    for experiment, quantities in experiments(recorded).items():
        assert experiment in written, f"{experiment}: no result; python -m facelab bench {studies.name} writes it"
        assert _rounded(written[experiment].quantities) == _rounded(quantities)
        assert written[experiment].provenance["seeds"] == list(studies.seeds(recorded, "cpu"))


# From the name of a network to the rates that it is tried with, and the rate that each network keeps.
KEPT: dict[str, tuple[Studies, Callable[[str], Iterable[float]], Mapping[str, float]]] = {
    "anisotropic": (
        anisotropic_studies.STUDIES,
        anisotropic_studies.rates,
        {**anisotropic_studies.TUNED, **anisotropic_studies.TRUNKS},
    ),
    "tddfa": (
        tddfa_studies.STUDIES,
        tddfa_studies.rates,
        # VDC has half of its best rate: at that trainings of full length fly off with some seeds.
        {name: rate for name, rate in tddfa_studies.TUNED.items() if name != "VDC"}
        | {tddfa_studies.by_sgd(name): rate for name, rate in tddfa_studies.SGD_TUNED.items()}
        | {name: tddfa_studies.TRUNKS[name] for name in ("mobilenet-v3 x0.5", "resnet-22")}
        | {"PRNet x0.25": tddfa_studies.MAPS["PRNet x0.25"][1]},
    ),
    "cln": (cln_studies.STUDIES, lambda name: cln_studies.RATES, cln_studies.TUNED),
}


@pytest.mark.parametrize("paper", KEPT)
def test_each_loss_and_trunk_keeps_the_rate_that_was_best_for_it(paper: str) -> None:
    studies, rates, kept = KEPT[paper]
    recorded = studies.read(studies.folder("cpu"), "cpu")
    for name, rate in kept.items():
        errors = {each: recorded.values(rated(name, each), "plain", "nme") for each in rates(name)}
        assert rate == min(errors, key=lambda each: sum(errors[each])), name


def _rounded(quantities: dict[str, Quantity]) -> dict[str, tuple[str, str, tuple[float, ...]]]:
    """Free of the last bits of a division on another processor."""
    return {name: (q.what, q.unit, tuple(round(value, 12) for value in q.values)) for name, q in quantities.items()}
