"""The claims are whole, and a mistake in the file is one clear message."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from facelab.ledger import PAPERS, claims, published
from facelab.ledger.claims import Predicate

Write = Callable[..., Path]
NEITHER = dict.fromkeys(("measured", "experiment", "quantity", "unit", "predicate", "tolerance", "because"))


def test_every_paper_has_its_claims() -> None:
    counts = {paper: sum(claim.paper == paper for claim in claims()) for paper in PAPERS}
    assert counts == {"two_stage": 9, "fan": 11, "anisotropic": 21, "tddfa": 21, "cln": 12}


def test_printed_numbers_are_those_of_the_tables() -> None:
    """A number of the ledger is a cell of the published tables, with the same digits."""
    for paper in PAPERS:
        cells = {str(number) for cell in published(paper) for number in (cell.value, cell.spread)}
        for claim in (claim for claim in claims() if claim.paper == paper):
            assert {str(number.value) for number in claim.printed} <= cells, claim.id


def test_names_say_the_paper_and_experiments_too() -> None:
    for claim in claims():
        prefix = claim.paper.replace("_", "-") + "-"
        assert claim.id.startswith(prefix)
        assert claim.measurement is None or claim.measurement.experiment.startswith(prefix)


def test_one_quantity_decides_one_claim() -> None:
    asked = [(claim.measurement.experiment, claim.measurement.quantity) for claim in claims() if claim.measurement]
    controls = [
        (claim.measurement.experiment, claim.measurement.control.quantity)
        for claim in claims()
        if claim.measurement and claim.measurement.control
    ]
    assert len(set(asked)) == len(asked) and not set(asked) & set(controls)


def test_no_claim_holds_for_every_number() -> None:
    """A predicate that nothing can fail, or that equal errors already meet, would confirm anything."""
    for claim in claims():
        if claim.measurement is not None:
            predicate, tolerance = claim.measurement.predicate, claim.measurement.tolerance
            assert predicate.fails(-1e6, -1e6, tolerance) or predicate.fails(1e6, 1e6, tolerance), claim.id
            if predicate.strict:
                assert predicate.fails(predicate.numbers[0], predicate.numbers[0], tolerance), claim.id


def test_a_claim_is_read_as_written(write_claims: Write) -> None:
    write_claims({"control": {"quantity": "other", "what": "the same elsewhere"}})
    (claim,) = claims()
    assert (claim.id, claim.paper, claim.audit, claim.untestable) == ("fan-poses", "fan", None, None)
    assert claim.printed[0].value == Decimal("4.50") and str(claim.printed[0]) == "4.50 %"
    measurement = claim.measurement
    assert measurement is not None and measurement.control is not None
    assert measurement.predicate == Predicate("at_least", (0.9,)) and measurement.tolerance == 0.02
    assert measurement.control.quantity == "other"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "confirmed"}, "unknown key 'verdict'"),
        ({"place": None}, "missing key 'place'"),
        ({"because": None}, "missing key 'because'"),
        ({"paper": "dlib"}, "paper 'dlib': expected one of two_stage"),
        ({"unit": "furlongs"}, "unit 'furlongs': expected one of fraction"),
        ({"claim": " "}, "claim: expected text"),
        ({"tolerance": -1}, "tolerance -1: expected 0 or more"),
        ({"tolerance": "nan"}, "tolerance: expected a finite number"),
        ({"tolerance": [1]}, "tolerance: expected a number"),
        ({"predicate": {"above": 1}}, "predicate: expected one of at_least"),
        ({"predicate": {"at_least": 1, "at_most": 2}}, "predicate: expected one of at_least"),
        ({"predicate": {"between": [2, 1]}}, "predicate: expected one of at_least"),
        ({"predicate": {"between": 2}}, "predicate: expected one of at_least"),
        ({"predicate": {"at_least": "much"}}, "predicate: expected a number, got 'much'"),
        ({"predicate": "large"}, "predicate: expected one of at_least"),
        ({"control": {"quantity": "other"}}, "control: missing key 'what'"),
        ({"control": {"quantity": "other", "what": "x", "verdict": "fails"}}, "control: unknown key 'verdict'"),
        ({"printed": "4.5"}, "printed: expected a list"),
        ({"printed": [{"value": "four", "unit": "%", "what": "NME"}]}, "printed: 'four': expected a number"),
        ({"printed": [{"value": "4"}]}, "missing key 'unit'"),
        ({"audit": "fan-network-size"}, "expected one way to decide it, got experiment and audit"),
        ({**NEITHER, "audit": "fan-network-size", "unit": "ratio"}, "unknown key 'unit'"),
        ({**NEITHER, "untestable": ""}, "untestable: expected text"),
        (NEITHER, "missing key 'measured'"),
    ],
)
def test_mistakes_name_the_file_and_the_claim(write_claims: Write, change: dict[str, Any], message: str) -> None:
    path = write_claims(change)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        claims()
    assert str(caught.value).startswith(f"{path}: claim fan-poses: ")


def test_an_id_is_there_once(write_claims: Write) -> None:
    write_claims({}, {})
    with pytest.raises(ValueError, match="claim fan-poses: the id is there twice"):
        claims()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "expected a list of claims"),
        ("- just a word", "claim number 1: expected keys and values, got 'just a word'"),
        ("- id: a\n  id: b", "key 'id' twice"),
        ("- {id: a", "expected ',' or '}'"),
    ],
)
def test_a_file_of_another_form_is_refused(book: Path, text: str, message: str) -> None:
    (book / "claims.yml").write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        claims()
    assert str(caught.value).startswith(str(book / "claims.yml"))


def test_without_the_book_both_ways_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELAB_BOOK", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"FACELAB_BOOK names .*set FACELAB_BOOK to a checkout"):
        claims()
