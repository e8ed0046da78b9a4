"""The published tables: complete, without repeats, digit for digit, and the reader that says what is wrong."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from facelab.ledger.published import COLUMNS, PAPERS, Cell, published, read_table
from facelab.places import CHECKOUT

ROWS = {
    ("two_stage", "table-1"): 21,
    ("two_stage", "table-2"): 4,
    ("two_stage", "table-3"): 5,
    ("two_stage", "text"): 10,
    ("fan", "text"): 4,
    ("fan", "second-hand"): 21,
    ("fan", "network-size"): 4,
    ("fan", "data-sets"): 35,
    ("anisotropic", "table-1"): 16 * 3,
    ("anisotropic", "table-2"): 12 * 2,
    ("anisotropic", "table-3"): 3 * 7 * 7,
    ("anisotropic", "table-4"): 5 * 3,
    ("anisotropic", "table-5"): 12 * 3 - 3,  # the NME of three methods is printed twice
    ("anisotropic", "table-6"): 3 * 6,
    ("anisotropic", "text"): 5,
    ("anisotropic", "second-hand"): 7,
    ("tddfa", "table-1"): 7 * 7,
    ("tddfa", "text"): 13,
    ("tddfa", "main-table-1"): 5 * 5,
    ("tddfa", "main-table-3"): 9 * 2,
    ("tddfa", "main-table-4"): 5 * 2,
    ("tddfa", "main-text"): 10,
    ("cln", "table-1"): 10 * 4,
    ("cln", "table-2"): 11 * 4,
    ("cln", "table-3"): 4 * 4,
    ("cln", "table-4"): 6 * 2,
    ("cln", "text"): 17,
}
HEADER = ",".join(COLUMNS)
GOOD = "cln,table-9,CLN,AFLW,mean,NME (%),bbox,4.652,,"


def test_every_table_has_its_rows() -> None:
    assert Counter((cell.paper, cell.table) for cell in published()) == ROWS


def test_the_order_is_that_of_the_papers() -> None:
    assert list(dict.fromkeys(cell.paper for cell in published())) == list(PAPERS)


def test_every_row_says_what_it_is() -> None:
    for cell in published():
        assert cell.metric and (cell.value is not None or cell.note), cell
        assert cell.spread is None or cell.value is not None, cell


def test_no_number_is_given_twice() -> None:
    keys = Counter((c.paper, c.table, c.method, c.data_set, c.subset, c.metric, c.normaliser) for c in published())
    assert [key for key, count in keys.items() if count > 1] == []


def test_numbers_that_are_not_first_hand_say_so() -> None:
    for cell in published():
        if cell.table.startswith("main-") or cell.table in ("second-hand", "network-size", "data-sets"):
            assert "second-hand" in cell.note, cell


SPOTS = [
    ("two_stage", "table-2", {"method": "Two-stage", "metric": "GTE (%)"}, "4.5623", None),
    ("two_stage", "table-2", {"method": "Second best", "metric": "CVGTCE (%)"}, "3.9700", None),
    ("two_stage", "table-3", {"metric": "GTE z (%)"}, "2.77", None),
    ("two_stage", "table-1", {"subset": "B4", "metric": "bottleneck modules"}, "38", None),
    ("anisotropic", "table-1", {"method": "DSRN", "subset": "challenging"}, "9.68", None),
    ("anisotropic", "table-1", {"method": "CPM+SBR", "subset": "full"}, "4.1", None),
    ("anisotropic", "table-1", {"method": "AWing", "normaliser": "interocular", "subset": "challenging"}, "4.52", None),
    (
        "anisotropic",
        "table-1",
        {"method": "Anisotropic", "normaliser": "interocular", "subset": "challenging"},
        "4.05",
        "0.5",
    ),
    ("anisotropic", "table-2", {"method": "CCL", "subset": "frontal"}, "2.17", None),
    ("anisotropic", "table-2", {"method": "TSR", "subset": "frontal"}, None, None),
    ("anisotropic", "table-3", {"method": "SDM", "subset": "pose", "metric": "FR10 (%)"}, "84.36", None),
    ("anisotropic", "table-3", {"method": "Wing", "subset": "make-up", "metric": "NME (%)"}, "5.41", None),
    ("anisotropic", "table-3", {"method": "Anisotropic", "subset": "make-up", "metric": "NME (%)"}, "4", None),
    ("anisotropic", "table-3", {"method": "LAB", "subset": "occlusion", "metric": "AUC10 (fraction)"}, "0.4490", None),
    (
        "anisotropic",
        "table-4",
        {"method": "Anisotropic (no balancing, direct prediction)", "subset": "full"},
        "4.20",
        "0.07",
    ),
    ("anisotropic", "table-5", {"method": "Anisotropic", "metric": "FR10 (%)"}, "0.26", "0.11"),
    ("anisotropic", "table-5", {"method": "AWing (own run)", "metric": "AUC10 (%)"}, "64.45", None),
    ("anisotropic", "table-6", {"method": "L2", "data_set": "WFLW"}, "10.12", None),
    ("tddfa", "table-1", {"method": "MobileNet-V3 x0.5", "metric": "MACs (M)"}, "27.4", None),
    ("tddfa", "table-1", {"method": "ResNet-22", "metric": "stability (%)"}, "0.45", None),
    ("tddfa", "table-1", {"method": "PRNet x0.25", "data_set": "Menpo-3D", "metric": "NME (%)"}, None, None),
    ("tddfa", "main-table-1", {"method": "MobileNet (M+R+S)", "subset": "60-90"}, "4.48", None),
    ("cln", "table-1", {"method": "CDM", "subset": "60-90"}, "16.170", None),
    ("cln", "table-2", {"method": "GSRN", "subset": "mean"}, "3.912", None),
    ("cln", "table-2", {"method": "Nonlinear", "subset": "0-30"}, None, None),
    ("cln", "table-3", {"method": "DAMDNet", "subset": "60-90"}, "7.855", None),
    ("cln", "table-4", {"method": "CLN (w/o No-global)", "data_set": "AFLW"}, "4.868", None),
]


@pytest.mark.parametrize(("paper", "table", "where", "value", "spread"), SPOTS)
def test_cells_as_the_papers_print_them(
    paper: str, table: str, where: dict[str, str], value: str | None, spread: str | None
) -> None:
    (cell,) = published(paper, table, **where)
    assert (cell.value and str(cell.value), cell.spread and str(cell.spread)) == (value, spread)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("4.20", "4.195", "4.205"), ("4.2", "4.15", "4.25"), ("4", "3.5", "4.5"), ("0.0226", "0.02255", "0.02265")],
)
def test_the_interval_is_that_of_the_digits_printed(value: str, low: str, high: str) -> None:
    assert _cell(Decimal(value)).interval == (Decimal(low), Decimal(high))


def test_an_empty_cell_has_no_interval() -> None:
    with pytest.raises(ValueError, match="cln table-2: the cell of CLN holds no number .a dash in the table."):
        _ = _cell(None).interval


def _cell(value: Decimal | None) -> Cell:
    return Cell("cln", "table-2", "CLN", "AFLW", "mean", "NME (%)", "bbox", value, None, "a dash in the table")


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="paper 'cnl'.*two_stage, fan, anisotropic, tddfa, cln"):
        published("cnl")
    with pytest.raises(ValueError, match="table 'table-7'.*table-1, table-2, table-3, table-4, text"):
        published("cln", "table-7")
    with pytest.raises(ValueError, match="no field 'bin'; expected one of .*data_set"):
        published("cln", bin="0-30")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER.replace(",spread", ""), GOOD], "line 1: expected the columns paper, table"),
        ([HEADER, GOOD, "cln,table-9,CLN,AFLW"], "line 3: expected 10 columns, got 4"),
        ([HEADER, GOOD.replace("4.652", "4,652")], "line 2: expected 10 columns, got 11"),
        ([HEADER, GOOD.replace("4.652", "4.65.2")], "line 2: expected a number or nothing as value, got '4.65.2'"),
        ([HEADER, GOOD.replace("4.652", "nan")], "line 2: expected a number or nothing as value, got 'nan'"),
        ([HEADER, GOOD.replace("4.652,", "4.652,±1")], "line 2: expected a number or nothing as spread, got '±1'"),
        ([HEADER, GOOD, GOOD.replace("4.652", "4.7")], "line 3: repeats line 2 .cln, table-9, CLN"),
        ([HEADER, GOOD.replace("4.652", "")], "line 2: expected a metric, and a value or a note"),
        ([HEADER, GOOD.replace("NME (%)", "")], "line 2: expected a metric, and a value or a note"),
        ([HEADER, GOOD.replace("table-9", "table-8")], "line 2: expected a paper out of .* got paper 'cln' and table"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = tmp_path / "cln-table-9.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"cln-table-9.csv, {message}"):
        read_table(path)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cln-table-9.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n", encoding="utf-8")
    (cell,) = read_table(path)
    assert (cell.method, cell.value, cell.spread, cell.note) == ("CLN", Decimal("4.652"), None, "")


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setenv(CHECKOUT, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="data/published"):
        published()
