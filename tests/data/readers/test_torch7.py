"""Torch7 files, written here by the layout of ``File.lua`` (binary) and ``THDiskFile.c`` (ASCII)."""

import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.data.readers.torch7 import read_t7

NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN, FUNCTION = range(7)
KINDS = {"Double": "<f8", "Float": "<f4", "Long": "<i8", "Int": "<i4", "Short": "<i2", "Char": "<i1", "Byte": "<u1"}
FAST = settings(max_examples=200)


def integer(value: int) -> bytes:
    return struct.pack("<i", value)


def longs(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode("latin-1")


def number(value: float) -> bytes:
    return integer(NUMBER) + struct.pack("<d", value)


def string(value: str) -> bytes:
    return integer(STRING) + text(value)


def table(index: int, *pairs: tuple[bytes, bytes]) -> bytes:
    return integer(TABLE) + integer(index) + integer(len(pairs)) + b"".join(key + value for key, value in pairs)


def again(kind: int, index: int) -> bytes:
    """A second mention of an object."""
    return integer(kind) + integer(index)


def instance(index: int, name: str, body: bytes, version: bool = True) -> bytes:
    return integer(TORCH) + integer(index) + (text("V 1") if version else b"") + text(name) + body


def storage(index: int, values: np.ndarray, kind: str = "Double") -> bytes:
    data = values.astype(KINDS[kind])
    return instance(index, f"torch.{kind}Storage", longs(data.size) + data.tobytes())


def strided(
    index: int, inner: bytes, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 1, kind: str = "Double"
) -> bytes:
    body = integer(len(shape)) + longs(*shape) + longs(*strides) + longs(offset) + inner
    return instance(index, f"torch.{kind}Tensor", body)


def tensor(values: np.ndarray, kind: str = "Double", index: int = 1) -> bytes:
    strides = tuple(int(np.prod(values.shape[axis + 1 :])) for axis in range(values.ndim))
    return strided(index, storage(index + 1, values, kind), values.shape, strides, kind=kind)


@pytest.fixture
def parse(tmp_path: Path) -> Callable[[bytes], Any]:
    def parsed(content: bytes) -> Any:
        path = tmp_path / "a.t7"
        path.write_bytes(content)
        return read_t7(path)

    return parsed


Parse = Callable[[bytes], Any]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [True, False])
def test_tensors_of_every_type(parse: Parse, kind: str, version: bool) -> None:
    values = np.arange(12).reshape(4, 3)
    content = tensor(values, kind)
    if not version:  # as the oldest files are
        content = content.replace(text("V 1"), b"")
    found = parse(content)
    assert found.dtype == np.dtype(KINDS[kind])
    np.testing.assert_array_equal(found, values)


def test_transposed_repeated_and_shifted_tensors_follow_their_strides(parse: Parse) -> None:
    values = np.arange(12.0)
    np.testing.assert_array_equal(parse(strided(1, storage(2, values), (3, 4), (1, 3))), values.reshape(4, 3).T)
    np.testing.assert_array_equal(parse(strided(1, storage(2, values), (2, 3), (4, 1), 3)), [[2, 3, 4], [6, 7, 8]])
    np.testing.assert_array_equal(parse(strided(1, storage(2, values), (5,), (0,), 12)), [11] * 5)


def test_tables_hold_all_admitted_values_and_share_storage(parse: Parse) -> None:
    values = np.arange(6.0)
    content = table(
        1,
        (string("x"), strided(2, storage(3, values), (2, 3), (3, 1))),
        (string("y"), strided(4, again(TORCH, 3), (6,), (1,))),
        (string("again"), again(TORCH, 2)),
        (number(1), string("text")),
        (number(2), integer(BOOLEAN) + integer(1)),
        (string("none"), integer(NIL)),
        (string("inner"), table(5, (number(1), number(7)))),
        (string("self"), again(TABLE, 1)),
    )
    found = parse(content)
    np.testing.assert_array_equal(found["x"], values.reshape(2, 3))
    np.testing.assert_array_equal(found["y"], values)
    assert found["again"] is found["x"]
    assert (found[1.0], found[2.0], found["none"], found["inner"], found["self"]) == (
        "text",
        True,
        None,
        {1.0: 7},
        None,
    )


def test_an_empty_tensor(parse: Parse) -> None:
    assert parse(strided(1, integer(NIL), (), ())).size == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (integer(FUNCTION) + integer(1) + text("code"), "an object of type 6: functions and the like are not read"),
        (integer(7) + integer(1), "an object of type 7"),
        (integer(-1), "an object of type -1"),
        (instance(1, "nn.Linear", b""), "an object of class 'nn.Linear': only tensors are read"),
        (instance(1, "torch.CudaTensor", b""), "an object of class 'torch.CudaTensor'"),
        (tensor(np.zeros(3))[:-1], "24 bytes are announced, 23 are left"),
        (
            strided(1, storage(2, np.zeros(5)), (2, 3), (3, 1)),
            r"a tensor of shape \[2, 3\] and strides \[3, 1\] over 5 numbers",
        ),
        (strided(1, storage(2, np.zeros(6)), (2, 3), (4, 1)), "reaches beyond its 6 numbers"),
        (strided(1, storage(2, np.zeros(6)), (6,), (1,), 0), "reaches beyond"),
        (strided(1, storage(2, np.zeros(6)), (6,), (1,), 2), "reaches beyond"),
        (strided(1, storage(2, np.zeros(6)), (6,), (-1,), 6), "over 6 numbers"),
        (strided(1, storage(2, np.zeros(6)), (-6,), (1,)), "over 6 numbers"),
        (strided(1, storage(2, np.zeros(6)), (2**62, 4), (0, 0)), "over 6 numbers"),
        (strided(1, storage(2, np.zeros(6)), (1,) * 9, (1,) * 9), "a tensor of 9 dimensions"),
        (strided(1, string("no storage"), (1,), (1,)), "without its numbers"),
        (strided(1, again(TORCH, 1), (), ()), "without its numbers"),
        (strided(1, tensor(np.arange(4.0), index=2), (4,), (1,)), "an object of class 'torch.DoubleTensor'"),
        (
            strided(1, strided(2, storage(3, np.zeros(1)), (), ()), (1,), (1,)),
            "an object of class 'torch.DoubleTensor'",
        ),
        (strided(1, instance(2, "torch.DoubleStorage", longs(-1)), (1,), (1,)), "-8 bytes are announced"),
        (strided(1, instance(2, "torch.DoubleStorage", longs(2**60)), (1,), (1,)), "bytes are announced, 0 are left"),
        (storage(1, np.zeros(3)), "an object of class 'torch.DoubleStorage': only tensors are read"),
        (integer(TABLE) + integer(1) + integer(2**31 - 1), "a table of 2147483647 entries"),
        (integer(TABLE) + integer(1) + integer(-5), "a table of -5 entries"),
        (integer(STRING) + integer(-5), "-5 bytes are announced"),
        (b"", "4 bytes are announced, 0 are left"),
    ],
)
def test_what_is_not_admitted_is_refused(parse: Parse, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.t7: expected a whole Torch7 file with tensors: .*{message}"):
        parse(content)


def test_nesting_is_bounded(parse: Parse) -> None:
    def nested(depth: int) -> bytes:
        return number(1) if depth == 0 else table(depth, (number(1), nested(depth - 1)))

    found = parse(nested(10))
    for _ in range(10):
        found = found[1.0]
    assert found == 1
    with pytest.raises(ValueError, match="objects nested more than 16 deep"):
        parse(nested(100))


def test_many_tensors_over_one_storage_take_no_memory_of_their_own(parse: Parse) -> None:
    """Ten thousand mentions of 8 MB: 80 GB if each were copied."""
    numbers = np.zeros(2**20)
    first = strided(2, storage(3, numbers), (2**20,), (1,))
    others = [(number(i), strided(i, again(TORCH, 3), (2**20,), (1,))) for i in range(4, 10_004)]
    start = time.monotonic()
    found = parse(table(1, (number(0), first), *others))
    assert len(found) == 10_001 and found[9.0].shape == (2**20,)
    assert time.monotonic() - start < 5


def test_a_missing_or_huge_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.t7: no such label file"):
        read_t7(tmp_path / "a.t7")
    with (tmp_path / "b.t7").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(ValueError, match=r"b\.t7: expected a \.t7 file below"):
        read_t7(tmp_path / "b.t7")


def in_words(values: np.ndarray, kind: str = "Double", index: int = 1) -> bytes:
    """A tensor in ASCII mode: every call of the writer is a line, but characters and bytes stand as they are."""
    data = values.astype(KINDS[kind])
    strides = [int(np.prod(values.shape[axis + 1 :])) for axis in range(values.ndim)]
    words = data.tobytes() if data.itemsize == 1 else " ".join(f"{value:.17g}" for value in data.flat).encode()
    head, storage_head = (f"3\nV 1\n{len(name)}\n{name}" for name in (f"torch.{kind}Tensor", f"torch.{kind}Storage"))
    sizes = "\n".join(" ".join(map(str, row)) for row in (values.shape, strides))
    text = f"4\n{index}\n{head}\n{values.ndim}\n{sizes}\n1\n4\n{index + 1}\n{storage_head}\n{data.size}\n"
    return text.encode() + words + b"\n"


@pytest.mark.parametrize("kind", KINDS)
def test_ascii_tensors_of_every_type(parse: Parse, kind: str) -> None:
    values = np.arange(12).reshape(4, 3)  # 10 is a line end where bytes stand as they are
    found = parse(in_words(values, kind))
    assert found.dtype == np.dtype(KINDS[kind])
    np.testing.assert_array_equal(found, values)


def test_ascii_numbers_are_exact(parse: Parse) -> None:
    values = np.random.default_rng(0).uniform(-1000, 1000, (68, 2))
    np.testing.assert_array_equal(parse(in_words(values)), values)


def test_an_ascii_table(parse: Parse) -> None:
    values = np.arange(6.0).reshape(2, 3)
    content = b"3\n1\n6\n" + b"".join(
        [
            b"2\n1\nx\n" + in_words(values, index=2),
            b"2\n5\nagain\n" + b"4\n2\n",
            b"1\n1\n" + b"2\n9\ntwo\nlines\n",
            b"1\n2\n" + b"5\n1\n",
            b"2\n4\nnone\n" + b"0\n",
            b"2\n5\nempty\n" + b"2\n0\n",
        ]
    )
    found = parse(content)
    np.testing.assert_array_equal(found.pop("x"), values)
    np.testing.assert_array_equal(found.pop("again"), values)
    assert found == {1.0: "two\nlines", 2.0: True, "none": None, "empty": ""}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"6\n1\n4\ncode\n", "an object of type 6: functions and the like are not read"),
        (b"4\n1\n3\nV 1\n9\nnn.Linear\n", "an object of class 'nn.Linear': only tensors are read"),
        (in_words(np.arange(3))[:-4], "3 numbers are announced, 2 bytes are left"),
        (in_words(np.arange(3)).replace(b"\n3\n0 1 2", b"\n-3\n0 1 2"), "-3 numbers are announced"),
        (in_words(np.arange(3)).replace(b"0 1 2", b"0 , 2"), "no whole number at byte"),
        (in_words(np.arange(12.0))[:-2], "no whole number at byte"),  # cut within a number that reads all the same
        (in_words(np.arange(3)).replace(b"0 1 2", b"0 x 2"), "could not convert string to float: 'x'"),
        (in_words(np.arange(3), "Short").replace(b"0 1 2", b"0 99999 2"), "out of bounds"),
        (in_words(np.arange(3), "Byte")[:-2], "3 bytes are announced, 2 are left"),
        (in_words(np.arange(3)).replace(b"torch.DoubleStorage", b"torch.DoubleStore"), "only tensors are read"),
        (b"2\n999999999999\nx", "999999999999 bytes are announced"),
        (b"3\n1\n2147483647\n", "a table of 2147483647 entries"),
        (b"1\n", "no whole number at byte 2"),
    ],
)
def test_what_is_not_admitted_in_ascii_is_refused(parse: Parse, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.t7: expected a whole Torch7 file with tensors: .*{message}"):
        parse(content)


def test_ascii_nesting_is_bounded(parse: Parse) -> None:
    with pytest.raises(ValueError, match="objects nested more than 16 deep"):
        parse(b"".join(b"3\n%d\n1\n" % index for index in range(1, 1000)))


WORDS = [*"01234568", "-1", "3.5", "nan", "1e999", "99999999999", "torch.FloatTensor", "torch.FloatStorage", "\xff"]
POINTS = np.arange(136.0).reshape(68, 2)
WHOLE = table(1, (string("x"), tensor(POINTS, index=2)), (number(1), integer(BOOLEAN) + integer(0)))
WHOLE_IN_WORDS = b"3\n1\n2\n2\n1\nx\n" + in_words(POINTS, index=2) + b"1\n1\n5\n0\n"


def _only_value_errors(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        read_t7(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError("the message names no file") from error


@FAST
@given(content=st.binary(max_size=200))
def test_random_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    _only_value_errors(tmp_path_factory.getbasetemp() / "random.t7", content)


@FAST
@given(words=st.lists(st.sampled_from(WORDS)))
def test_random_words(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    _only_value_errors(tmp_path_factory.getbasetemp() / "words.t7", "\n".join(words).encode("latin-1"))


@FAST
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from([*range(6), 8, 127, 255, *b"012345 9-\n"])), min_size=1
    ),
    cut=st.integers(0, len(WHOLE)),
)
@pytest.mark.parametrize("whole", [WHOLE, WHOLE_IN_WORDS], ids=["binary", "ascii"])
def test_mutations(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(whole)
    for place, value in changes:  # the structure lies in the first 200 bytes
        content[place] = value
    path = tmp_path_factory.getbasetemp() / "mutated.t7"
    _only_value_errors(path, bytes(content))
    _only_value_errors(path, whole[:cut])
