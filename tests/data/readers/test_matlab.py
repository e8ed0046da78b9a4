"""MATLAB 5 files as SciPy writes them, whole and damaged."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.data.readers.matlab import read_arrays, read_matlab

RNG = np.random.default_rng(0)
FAST = settings(max_examples=150)
TYPES = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


def _save(path: Path, packed: bool = True, **fields: object) -> Path:
    scipy.io.savemat(path, fields, do_compression=packed)
    return path


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", TYPES)
def test_arrays_of_every_type(tmp_path: Path, packed: bool, kind: str) -> None:
    values = RNG.integers(0, 100, (3, 5)).astype(kind)
    path = _save(tmp_path / "a.mat", packed, a=values, one=np.array([[7]], kind), nothing=np.zeros((0, 4), kind))
    found = read_matlab(path, {"a": (3, 5), "one": (1, 1), "nothing": (0, None)})
    np.testing.assert_array_equal(found["a"], values)
    assert found["a"].is_contiguous() and found["one"].item() == 7 and found["nothing"].shape == (0, 4)
    assert str(found["a"].dtype) == "torch.float32"


@pytest.mark.parametrize("packed", [True, False])
def test_whole_numbers_stored_in_few_bytes_keep_their_class(tmp_path: Path, packed: bool) -> None:
    """MATLAB stores doubles that are whole as bytes; an array may lie in its tag."""
    path = _save(tmp_path / "a.mat", packed, a=np.array([[1, 2, 3]], np.uint8), name_of_many_letters=np.ones((68, 2)))
    found = read_matlab(path, {"a": (1, None), "name_of_many_letters": (None, 2)})
    assert found["a"].tolist() == [[1, 2, 3]] and found["name_of_many_letters"].shape == (68, 2)


def test_big_endian_files(tmp_path: Path) -> None:
    def element(kind: int, data: bytes) -> bytes:
        return kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data + bytes(-len(data) % 8)

    body = element(6, (6).to_bytes(4, "big") + bytes(4)) + element(5, np.array([2, 3], ">i4").tobytes())
    body += element(1, b"a") + element(9, np.arange(6, dtype=">f8").tobytes())
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + element(14, body))
    np.testing.assert_array_equal(scipy.io.loadmat(path)["a"], [[0, 2, 4], [1, 3, 5]])
    assert read_matlab(path, {"a": (2, 3)})["a"].tolist() == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize("packed", [True, False])
def test_all_but_numbers_is_passed_over(tmp_path: Path, packed: bool) -> None:
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = np.ones((2, 2)), "text"
    path = _save(
        tmp_path / "a.mat",
        packed,
        cells=cells,
        record={"x": 1.0, "y": np.ones(3)},
        text="some words",
        sparse=scipy.sparse.eye(3, format="csc"),
        a=np.ones((1, 2)),
    )
    assert set(read_arrays(path)) == {"a"}
    with pytest.raises(ValueError, match=r"a\.mat: field cells: expected finite numbers .* found nothing"):
        read_matlab(path, {"a": (1, 2), "cells": (1, 2)})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((68, 2)), r"expected finite numbers of shape \(2, 68\), found shape \(68, 2\)"),
        (np.zeros((2, 68, 2)), r"found shape \(2, 68, 2\)"),
        (np.full((2, 68), np.nan), r"expected finite numbers"),
        (np.full((2, 68), -np.inf), r"expected finite numbers"),
        ("text", "found nothing"),
    ],
)
def test_wrong_fields_are_named(tmp_path: Path, value: object, message: str) -> None:
    path = _save(tmp_path / "a.mat", a=value)
    with pytest.raises(ValueError, match=rf"a\.mat: field a: .*{message}"):
        read_matlab(path, {"a": (2, 68)})


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("eighths", range(8))
def test_a_file_cut_short(tmp_path: Path, packed: bool, eighths: int) -> None:
    path = _save(tmp_path / "a.mat", packed, a=RNG.normal(size=(68, 2)), b=RNG.normal(size=(68, 2)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * eighths // 8])
    with pytest.raises(ValueError, match=r"a\.mat: "):
        read_matlab(path, {"a": (68, 2), "b": (68, 2)})


def test_other_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": np.ones((2, 2))}, format="4")
    with pytest.raises(ValueError, match=r"a\.mat: expected a whole MATLAB 5 file: no MATLAB 5 header"):
        read_matlab(path, {"a": (2, 2)})
    with pytest.raises(FileNotFoundError, match=r"b\.mat: no such label file"):
        read_matlab(tmp_path / "b.mat", {})
    with path.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(ValueError, match=r"1073741824 bytes are more than"):
        read_matlab(path, {})


@pytest.mark.parametrize("arrays", [1, 3])
def test_a_bomb_is_refused(tmp_path: Path, arrays: int) -> None:
    """A few hundred kilobytes that inflate beyond the limit, in one block or in several."""
    zeros = np.zeros((2, 10 * 2**20 // arrays))
    path = _save(tmp_path / "a.mat", **{f"a{index}": zeros for index in range(arrays)})
    assert path.stat().st_size < 2**20
    with pytest.raises(ValueError, match=r"a\.mat: expected a whole MATLAB 5 file: .*inflates to more than"):
        read_matlab(path, {"a0": (2, None)})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    fields = {"a": np.arange(12.0).reshape(3, 4), "b": np.ones((1, 3), np.int16), "c": "text", "d": {"e": 1.0}}
    return {packed: _save(folder / "a.mat", packed, **fields).read_bytes() for packed in (True, False)}


@FAST
@given(
    packed=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_mutations_raise_value_errors_at_most(
    tmp_path_factory: pytest.TempPathFactory,
    whole: dict[bool, bytes],
    packed: bool,
    changes: list[tuple[int, int]],
) -> None:
    content = bytearray(whole[packed])
    for place, value in changes:
        content[124 + place % (len(content) - 124)] = value
    _only_value_errors(tmp_path_factory.getbasetemp() / "mutated.mat", bytes(content))


@FAST
@given(content=st.binary(max_size=300))
def test_random_bytes_after_the_header(
    tmp_path_factory: pytest.TempPathFactory, whole: dict[bool, bytes], content: bytes
) -> None:
    _only_value_errors(tmp_path_factory.getbasetemp() / "random.mat", whole[False][:128] + content)


def _only_value_errors(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        found = read_matlab(path, {"a": (None, None), "b": (None, None)})
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError("the message names no file") from error
        return
    assert found["a"].isfinite().all() and found["b"].isfinite().all()
