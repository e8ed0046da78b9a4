"""The audits: which add up and which do not, and that the checks themselves can tell."""

import shutil
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from facelab.ledger.audits import Audit, audits
from facelab.ledger.audits_arithmetic import (
    Interval,
    beyond_chance,
    exactly,
    fall,
    least_area,
    listed,
    mean,
    number,
    one,
    pooled,
    printed,
    reaches,
    whole_faces,
)
from facelab.ledger.published import PAPERS, Cell, published
from facelab.places import CHECKOUT, data_folder

ADDS_UP = {
    "two_stage-gain-gte": True,
    "two_stage-gain-cvgtce": False,
    "two_stage-resnet-200-layers": False,
    "two_stage-axes": True,
    "fan-network-sizes": True,
    "fan-ls3d-w-size": True,
    "fan-300w-parts": True,
    "fan-aflw2000-3d-bins": True,
    "fan-area-300w-exact": False,
    "fan-area-300w-grid": True,
    "fan-area-cofw-68-exact": False,
    "fan-area-cofw-68-grid": True,
    "anisotropic-full-set-pupil": False,
    "anisotropic-full-set-ocular": False,
    "anisotropic-full-set-wing-own-run": False,
    "anisotropic-full-set-awing-own-run": True,
    "anisotropic-full-set-no-balancing": False,
    "anisotropic-full-set-direct-prediction": False,
    "anisotropic-full-set-balancing-of-wing": False,
    "anisotropic-full-set-cited-interpupil": True,
    "anisotropic-full-set-cited-interocular": False,
    "anisotropic-eye-distances-anisotropic-common": False,
    "anisotropic-eye-distances-anisotropic-challenging": False,
    "anisotropic-eye-distances-lab-common": False,
    "anisotropic-eye-distances-lab-challenging": False,
    "anisotropic-area-wflw-anisotropic": False,
    "anisotropic-area-wflw-awing": False,
    "anisotropic-area-wflw-others": True,
    "anisotropic-blur-from-area": False,
    "anisotropic-area-private-8-anisotropic": False,
    "anisotropic-area-private-8-others": True,
    "anisotropic-area-private-10-anisotropic": False,
    "anisotropic-area-private-10-others": True,
    "anisotropic-area-below-success": True,
    "anisotropic-failures-wflw-anisotropic": False,
    "anisotropic-failures-wflw-others": True,
    "anisotropic-failures-private-8-anisotropic": False,
    "anisotropic-failures-private-8-others": True,
    "anisotropic-failures-private-10-anisotropic": False,
    "anisotropic-failures-private-10-others": True,
    "anisotropic-margin-challenging-awing": False,
    "anisotropic-margin-challenging-wing": True,
    "anisotropic-margin-full-wing": False,
    "anisotropic-failures-halved": False,
    "anisotropic-best-on-every-subset": True,
    "anisotropic-best-without-balancing": False,
    "anisotropic-blur-below-full": False,
    "anisotropic-frontal-share": True,
    "anisotropic-table-6-repeats": True,
    "anisotropic-table-6-awing": False,
    "anisotropic-table-4-repeats": True,
    "anisotropic-losses-one-network": False,
    "anisotropic-smooth-l1-wflw": False,
    "anisotropic-boundary-lines": False,
    "tddfa-means": True,
    "tddfa-repeats": True,
    "tddfa-225-times": True,
    "tddfa-fwpdc-speed": True,
    "tddfa-resnet-22-parameters": True,
    "tddfa-resnet-22-macs": True,
    "tddfa-modes": True,
    "tddfa-225-times-in-time": False,
    "tddfa-narrow-prnet-error": True,
    "tddfa-channels-pruned": False,
    "tddfa-prnet-widths": True,
    "tddfa-mobilenet-1-parameters": True,
    "tddfa-mobilenet-0.75-parameters": True,
    "tddfa-mobilenet-macs": False,
    "tddfa-frames-per-second": True,
    "cln-means-table-1": False,
    "cln-means-table-2": False,
    "cln-means-table-3": True,
    "cln-mean-gsrn": False,
    "cln-padded-digits": False,
    "cln-gain-aflw-mean": True,
    "cln-gain-aflw2000-3d-0-30": False,
    "cln-gain-aflw2000-3d-30-60": True,
    "cln-gain-aflw2000-3d-60-90": True,
    "cln-gain-aflw2000-3d-mean": True,
    "cln-gains-mean": False,
    "cln-table-4-repeats": True,
    "cln-modules-help": False,
    "cln-best-aflw": False,
    "cln-best-aflw2000-3d": False,
    "cln-3ddfa-row": True,
    "cln-300w-lp-parts": True,
    "cln-300w-lp-mirrored": True,
}


@pytest.fixture(scope="module")
def found() -> list[Audit]:
    return audits()


def test_each_audit_comes_out_as_known(found: list[Audit]) -> None:
    assert {audit.id: audit.adds_up for audit in found} == ADDS_UP
    assert len(found) == len(ADDS_UP)


def test_each_audit_says_what_where_and_why(found: list[Audit]) -> None:
    for audit in found:
        assert audit.paper in PAPERS and audit.id.startswith(f"{audit.paper}-"), audit
        assert all((audit.place, audit.rule, audit.printed, audit.computed, audit.why)), audit
        for sentence in (audit.rule, audit.why):
            assert not sentence[0].islower() and sentence.endswith((".", ".)")), audit


def text_of(found: list[Audit], id_: str) -> str:
    (audit,) = (audit for audit in found if audit.id == id_)
    return f"{audit.printed} -> {audit.computed}"


@pytest.mark.parametrize(
    ("id_", "words"),
    [
        ("anisotropic-full-set-pupil", ("3.12 ± 0.2 %", "6.25 ± 0.47 %", "3.94 ± 0.34 %", "full 3.728 to 3.738 %")),
        ("anisotropic-blur-from-area", ("at least 4.70 %",)),
        ("anisotropic-failures-wflw-anisotropic", ("0 of 7 fit one run", "3 of 7 fit one or five")),
        ("cln-mean-gsrn", ("mean 3.912 %", "mean 3.811 to 3.812 %")),
        ("cln-gain-aflw2000-3d-0-30", ("0.335", "0.343 to 0.345")),
        ("two_stage-gain-gte", ("4.5623 %", "22.45 to 22.46 %")),
        ("two_stage-resnet-200-layers", ("B4 38", "206 layers")),
        ("fan-network-sizes", ("1: 6.25 M, 2: 12.11 M, 3: 17.96 M, 4: 23.82 M",)),
        ("fan-ls3d-w-size", ("sum 230150",)),
        ("fan-300w-parts", ("train 3148, common 554, challenging 135, full 689",)),
        ("fan-aflw2000-3d-bins", ("yaw of the fitted model: 2000, yaw of AFLW: 2000",)),
        ("tddfa-channels-pruned", ("77.5 %", "87.5 %")),
    ],
)
def test_the_texts_carry_the_numbers(found: list[Audit], id_: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert word in text_of(found, id_)


# Planted errors: a changed digit in a table is found, a corrected one satisfies.


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tables that the ledger reads instead of the book's."""
    shutil.copytree(data_folder() / "published", tmp_path / "data" / "published")
    monkeypatch.setenv(CHECKOUT, str(tmp_path))
    return tmp_path / "data" / "published"


@pytest.mark.parametrize(
    ("file", "line", "other", "id_", "adds_up"),
    [
        ("cln-table-2", "GSRN,AFLW2000-3D,mean,NME (%),bbox,3.912", "3.812", "cln-mean-gsrn", True),
        ("cln-table-3", "MARN,AFLW2000-3D,mean,NME 3D (%),,5.913", "5.915", "cln-means-table-3", False),
        ("cln-text", "AFLW2000-3D,0-30,NME below MARN (points),,0.335", "0.344", "cln-gains-mean", True),
        ("cln-text", "300W-LP,AFW,images,,5207", "5208", "cln-300w-lp-parts", False),
        (
            "anisotropic-table-1",
            "Anisotropic,300W,full,NME (%),interpupil,3.94",
            "3.73",
            "anisotropic-full-set-pupil",
            True,
        ),
        (
            "anisotropic-table-3",
            "Anisotropic,WFLW,blur,NME (%),interocular,3.84",
            "4.84",
            "anisotropic-blur-from-area",
            True,
        ),
        (
            "anisotropic-table-3",
            "DVLN,WFLW,pose,FR10 (%),interocular,46.93",
            "46.83",
            "anisotropic-failures-wflw-others",
            False,
        ),
        (
            "anisotropic-table-5",
            "DCFE,300W,private,AUC8 (%),,52.42",
            "50.42",
            "anisotropic-area-private-8-others",
            False,
        ),
        ("anisotropic-table-5", "AWing,300W,private,FR10 (%),,0.33", "48.33", "anisotropic-area-below-success", False),
        ("two_stage-table-1", "Z regression,,B4,bottleneck modules,,38", "36", "two_stage-resnet-200-layers", True),
        (
            "two_stage-table-3",
            "Two-stage,3DFAW,validation,GTE xyz (%),interocular,4.9408",
            "3.6",
            "two_stage-axes",
            False,
        ),
        ("fan-network-size", "FAN (2 stacks),,,parameters (M),,12", "13", "fan-network-sizes", False),
        ("fan-data-sets", "AFLW2000-3D-Reannotated,all,images,,2000", "3000", "fan-ls3d-w-size", False),
        ("fan-data-sets", "300W,HELEN test,images,,330", "329", "fan-300w-parts", False),
        ("fan-data-sets", "yaw of AFLW,AFLW2000-3D,60-90,images,,232", "233", "fan-aflw2000-3d-bins", False),
        ("tddfa-table-1", "PRNet,,,MACs (M),,6190", "6100", "tddfa-225-times", False),
        ("tddfa-table-1", "MobileNet,,,parameters (M),,3.27", "3.37", "tddfa-mobilenet-1-parameters", False),
        ("tddfa-main-table-1", "PRNet,AFLW2000-3D,mean,NME (%),bbox,3.62", "3.52", "tddfa-means", False),
    ],
)
def test_one_digit_decides(book: Path, file: str, line: str, other: str, id_: str, adds_up: bool) -> None:
    path = book / f"{file}.csv"
    before = path.read_text(encoding="utf-8")
    assert before.count(f"{line},") == 1
    path.write_text(before.replace(f"{line},", f"{line.rpartition(',')[0]},{other},"), encoding="utf-8")
    assert ADDS_UP[id_] is not adds_up
    assert {audit.id: audit.adds_up for audit in audits()}[id_] is adds_up


# The checks.


def about(value: str) -> Interval:
    return printed(Cell("cln", "t", "m", "d", "s", "NME (%)", "", Decimal(value), None, ""))


def test_pooling_weighs_by_count_and_allows_for_rounding() -> None:
    # 554 at 3.27 and 135 at 7.18: 4.0361 from the digits, 4.031 to 4.041 from what they stand for.
    whole = pooled([(about("3.27"), 554), (about("7.18"), 135)])
    assert (whole.low + whole.high) / 2 == Fraction(554 * 327 + 135 * 718, 68900)
    assert whole.high - whole.low == Fraction(1, 100)
    assert whole.meets(about("4.04")) and whole.meets(about("4.03"))
    assert not whole.meets(about("4.05")) and not whole.meets(about("4.02"))


def test_a_mean_is_plain() -> None:
    assert mean([exactly(1), exactly(2), exactly(6)]) == exactly(3)
    assert mean([about("2.842"), about("3.789"), about("4.804")]).meets(about("3.812"))
    assert not mean([about("2.842"), about("3.789"), about("4.804")]).meets(about("3.813"))


def test_the_area_bound_is_reached_by_equal_errors_only_from_above() -> None:
    # All errors 4 %: the area at 10 % is 0.6 exactly, and no errors of that mean have less.
    least = least_area(exactly(4), 10)
    assert least == Interval(Fraction(6, 10), Fraction(6, 10))
    assert reaches(about("0.60"), least) and reaches(about("0.596"), least_area(about("4"), 10))
    assert not reaches(about("0.59"), least)


def test_failures_are_whole_faces() -> None:
    assert whole_faces(about("0.33"), 600)  # two faces
    assert whole_faces(about("0.83"), 600)  # five
    assert not whole_faces(about("0.26"), 600)
    assert whole_faces(about("0"), 10) and not whole_faces(about("2.34"), 2500) and whole_faces(about("2.36"), 2500)


def test_a_fall_in_percent() -> None:
    assert fall(exactly(4), exactly(3)) == exactly(25)
    assert fall(about("0.83"), about("0.49")).meets(exactly(41)) and not fall(about("0.33"), about("0.26")).meets(
        exactly(41)
    )


def test_a_gap_beyond_chance() -> None:
    # Two standard errors of 0.5 over 4 runs are 0.5 exactly.
    assert beyond_chance(Decimal("0.51"), Decimal("0.5"), 4)
    assert not beyond_chance(Decimal("0.5"), Decimal("0.5"), 4)
    assert not beyond_chance(Decimal("-0.9"), Decimal("0.1"), 4)


def test_intervals_hold_what_their_numbers_can_be() -> None:
    a, b = Interval(Fraction(1), Fraction(2)), Interval(Fraction(3), Fraction(5))
    assert (a + b, b - a) == (Interval(Fraction(4), Fraction(7)), Interval(Fraction(1), Fraction(4)))
    assert b / a == Interval(Fraction(3, 2), Fraction(5)) and a * 3 == Interval(Fraction(3), Fraction(6))
    assert a.meets(Interval(Fraction(2), Fraction(9))) and not a.meets(b)
    with pytest.raises(ValueError, match="positive numbers"):
        _ = a / (a - a)
    with pytest.raises(ValueError, match="low <= high"):
        Interval(Fraction(2), Fraction(1))


def test_a_cell_that_is_not_one_or_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="cln table-2: expected one cell with .*CLN.*, got 4"):
        one("cln", "table-2", method="CLN")
    with pytest.raises(ValueError, match="cln table-2: the cell of Nonlinear holds no number"):
        number(one("cln", "table-2", method="Nonlinear", subset="0-30"))


def test_cells_in_words_say_what_they_share_once() -> None:
    row = published("anisotropic", "table-1", method="Wing")
    assert listed(row) == "Wing: common 3.27 %, challenging 7.18 %, full 4.04 %"
    assert listed(row[:1]) == "Wing common: 3.27 %"
    assert listed(published("tddfa", "table-1", method="PRNet")[-2:]) == "PRNet: MACs 6190 M, CPU time 175 ms"
