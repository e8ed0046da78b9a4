"""LJSON files of all three versions."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.data.readers.menpo import read_ljson

FAST = settings(max_examples=200)
STORED: list[list[Any]] = [[10.0, 20.5], [30, 40], [50.25, 60]]  # y, x
EXPECTED = [[20.5, 10], [40, 30], [60, 50.25]]


def _write(folder: Path, content: Any) -> Path:
    path = folder / "a.ljson"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def _third(**groups: Any) -> dict[str, Any]:
    parts = {
        name: {"landmarks": {"points": points, "connectivity": []}, "labels": []} for name, points in groups.items()
    }
    return {"version": 3, "groups": parts}


def _second(points: Any) -> dict[str, Any]:
    return {"version": 2, "landmarks": {"points": points, "connectivity": []}, "labels": []}


def _first(*groups: list[Any]) -> dict[str, Any]:
    pieces = [{"label": str(i), "landmarks": [{"point": p} for p in points]} for i, points in enumerate(groups)]
    return {"version": 1, "groups": pieces}


@pytest.mark.parametrize(
    "content", [_first(STORED), _first(STORED[:1], STORED[1:]), _second(STORED), _third(LJSON=STORED)]
)
def test_the_versions_say_the_same(tmp_path: Path, content: Any) -> None:
    assert read_ljson(_write(tmp_path, content), 3).tolist() == EXPECTED


def test_the_group_is_found_by_its_size_and_not_by_its_place(tmp_path: Path) -> None:
    path = _write(tmp_path, _third(pupils=STORED[:2], face=STORED))
    assert read_ljson(path, 3).tolist() == EXPECTED
    assert read_ljson(path, 2).tolist() == EXPECTED[:2]
    with pytest.raises(ValueError, match=r"a\.ljson: expected one group of 3 points of 2 numbers, found 2"):
        read_ljson(_write(tmp_path, _third(one=STORED, two=STORED)), 3)


def test_three_numbers_stay_in_their_order(tmp_path: Path) -> None:
    points = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    path = _write(tmp_path, _third(LJSON=points))
    assert read_ljson(path, 2, dimensions=3).tolist() == points
    with pytest.raises(ValueError, match="expected one group of 2 points of 2 numbers, found 0"):
        read_ljson(path, 2)


def test_null_is_a_missing_landmark(tmp_path: Path) -> None:
    found = read_ljson(_write(tmp_path, _third(LJSON=[STORED[0], [None, None], STORED[2]])), 3)
    assert found[[0, 2]].tolist() == [EXPECTED[0], EXPECTED[2]] and found[1].isnan().all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected JSON"),
        (b'{"version": 3, "groups": {', "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b'{"x": ' + 5000 * b"9" + b"}", "expected JSON"),
        ([1, 2], "expected a JSON object"),
        ({}, r"expected a list of points"),
        ({"version": 3, "groups": {}}, "expected one group of 3 points of 2 numbers, found 0"),
        (_third(LJSON=STORED[:2]), "expected one group of 3 points of 2 numbers, found 0"),
        (_third(LJSON=None), r"field landmarks\.points: expected a list of points"),
        (_third(LJSON=[1, 2, 3]), r"field landmarks\.points: expected a list of points"),
        (_third(LJSON=[STORED[0], STORED[1], [1]]), "expected points of two or three numbers or null"),
        (_third(LJSON=[STORED[0], STORED[1], ["a", 1]]), "expected points of two or three numbers or null"),
        (_third(LJSON=[STORED[0], STORED[1], [{}, 1]]), "expected points of two or three numbers or null"),
        (_third(LJSON=[STORED[0], STORED[1], [10**400, 1]]), "expected points of two or three numbers or null"),
        (_third(LJSON=[STORED[0], STORED[1], [1e7, 1]]), "expected finite coordinates up to 1000000, found"),
        (_third(LJSON=[STORED[0], STORED[1], [1e300, 1]]), "expected finite coordinates up to 1000000, found"),
        (_third(LJSON=[STORED[0], STORED[1], [float("inf"), 1]]), "expected finite coordinates up to 1000000, found"),
        (_third(LJSON=[STORED[0], STORED[1], [float("nan"), 1]]), "expected finite coordinates up to 1000000, found"),
        (_second([[None, None]] * 3 + [[1, 1]]), "expected one group of 3 points"),
        ({"version": 1, "groups": [1]}, "expected groups with landmarks with a point"),
        ({"version": 1, "groups": [{"label": "x"}]}, "expected groups with landmarks with a point"),
        (_first([1, 2, 3]), "expected points of two or three numbers or null"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.ljson: .*({message})"):
        read_ljson(_write(tmp_path, content), 3)


def test_a_missing_or_huge_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.ljson: no such label file"):
        read_ljson(tmp_path / "a.ljson", 3)
    with pytest.raises(ValueError, match=r"a\.ljson: expected an LJSON file below"):
        read_ljson(_write(tmp_path, b" " * (8 * 2**20 + 1)), 3)


KEYS = st.sampled_from(["groups", "landmarks", "points", "point", "version", "x"])
SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


@FAST
@given(
    content=st.one_of(
        st.binary(max_size=100),
        ANYTHING,
        ANYTHING.map(lambda points: _third(LJSON=points)),
        st.lists(ANYTHING, max_size=4).map(lambda points: _first(points)),
    )
)
def test_random_content_raises_value_errors_at_most(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    path = _write(tmp_path_factory.getbasetemp(), content)
    try:
        points = read_ljson(path, 2)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError("the message names no file") from error
        return
    assert points.shape == (2, 2) and not torch.isinf(points).any()
