"""Pickles of arrays are read, pickles with code in them run nothing, and no bytes do harm."""

import contextlib
import os
import pickle
import random
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.face3d.array_pickle import load_arrays

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def written(folder: Path, content: Any, protocol: int = 4) -> Path:
    path = folder / "some.pkl"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "matrix": rng.normal(size=(5, 4)).astype(np.float32),
        "fortran": np.asfortranarray(rng.normal(size=(3, 4))),
        "turned": rng.normal(size=(2, 3, 4)).transpose(2, 0, 1),
        "strided": np.arange(20)[::3],
        "big endian": np.arange(4, dtype=">i4"),
        "bytes": np.arange(256, dtype=np.uint8),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 3)),
        "point": np.array(2.5),
        "text": np.array(["ab", "c"]),
        "scalar": np.float64(1.5),
        "plain": [1, 2.5, True, None, "text", b"bytes", (3, {"deep": np.ones(2)})],
        "large": 2**70,
    }


def assert_same(got: Any, expected: Any) -> None:
    assert type(got) is type(expected)
    if isinstance(expected, np.ndarray):
        assert got.dtype == expected.dtype and got.shape == expected.shape
        np.testing.assert_array_equal(got, expected)
    elif isinstance(expected, dict):
        assert got.keys() == expected.keys()
        for key in expected:
            assert_same(got[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    else:
        assert got == expected


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_come_back(tmp_path: Path, protocol: int) -> None:
    assert_same(load_arrays(written(tmp_path, arrays(), protocol)), arrays())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_older_name_of_numpy_will_do(tmp_path: Path, protocol: int) -> None:
    """Names are written with their length from protocol 4 on, so the old name is put in by a pickler that knows it."""
    content = pickle.dumps({"a": np.arange(3.0)}, protocol)
    old = content.replace(b"numpy._core.", b"numpy.core.")
    for longer in (b"numpy._core.multiarray", b"numpy._core.numeric"):
        new, shorter = bytes([len(longer)]) + longer, bytes([len(longer) - 1]) + longer.replace(b"._", b".")
        if new in content:
            frame = int.from_bytes(content[3:11], "little") - 1
            old = content[:3] + frame.to_bytes(8, "little") + content[11:].replace(new, shorter)
    assert b"numpy.core" in old and b"_core" not in old
    np.testing.assert_array_equal(load_arrays(written(tmp_path, old))["a"], np.arange(3.0))


def test_a_pickle_of_python_2(tmp_path: Path) -> None:
    content = (
        b"\x80\x02}q\x00U\x01aq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04"
        b"U\x01bq\x05\x87q\x06Rq\x07(K\x01K\x02\x85q\x08cnumpy\ndtype\nq\tU\x02f4q\nK\x00K\x01\x87q\x0bRq\x0c("
        b"K\x03U\x01<q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb\x89U\x08\x00\x00\x80?\x00\x00\x00\xc0q\x0ftq\x10bs."
    )
    got = load_arrays(written(tmp_path, content))
    assert_same(got["a"], np.array([1.0, -2.0], np.float32))


class Evil:
    """Runs a command when a plain unpickler loads it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("nested", [False, True])
def test_code_is_refused_and_does_not_run(tmp_path: Path, protocol: int, nested: bool) -> None:
    proof = tmp_path / "ran"
    evil: Any = Evil(os.system, f"touch {proof}")
    content = {"u": np.ones(3), "w": [(evil,)]} if nested else evil
    with pytest.raises(ValueError, match=rf"some\.pkl: .*it names '{os.name}\.system', which could run code"):
        load_arrays(written(tmp_path, content, protocol))
    assert not proof.exists()
    pickle.loads(pickle.dumps(content, protocol))
    assert proof.exists()  # the payload was a real one


@pytest.mark.parametrize(
    ("evil", "name"),
    [
        (Evil(eval, "1"), "eval"),
        (Evil(exec, "1"), "exec"),
        (Evil(getattr, "a", "b"), "getattr"),
        (Evil(subprocess.Popen, "true"), "subprocess.Popen"),
        (Evil(__import__, "os"), "__import__"),
        (Evil(np.load, "x", None, True), "numpy.load"),
        (OrderedDict(a=1), "collections.OrderedDict"),
        (np.random.default_rng(0), "numpy.random"),
        (np.ma.masked_array([1.0], [True]), "numpy.ma"),
    ],
)
def test_other_names_are_refused(tmp_path: Path, evil: Any, name: str) -> None:
    with pytest.raises(ValueError, match=rf"it names '.*{name}.*', which could run code"):
        load_arrays(written(tmp_path, evil))


def reduced(function: bytes, arguments: bytes, state: bytes = b"") -> bytes:
    """Protocol 0: the function applied to the arguments, then the state set."""
    return b"c" + function + b"\n(" + arguments + b"tR" + (state + b"b" if state else b"") + b"."


_NEW = b"numpy.core.multiarray\n_reconstruct"
_ARGUMENTS = b"cnumpy\nndarray\n(I0\ntS'b'\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(np.array([{}, None], dtype=object)), "arrays of Python objects"),
        (pickle.dumps(np.zeros(2, dtype=[("a", "f4")])), "arrays of 'V4'"),
        (pickle.dumps(np.zeros(2, dtype="M8[s]")), "arrays of 'M8'"),
        (pickle.dumps(np.ndarray), "it has a function"),
        (pickle.dumps({1, 2}), "it has a set"),
        (pickle.dumps({(1, 2): 3}), "a key of type tuple"),
        (reduced(_NEW, _ARGUMENTS), "an array without content"),
        (reduced(_NEW, b"cnumpy\ndtype\n(I0\ntS'b'\n"), "an array of its own kind"),
        (reduced(b"numpy\nndarray", b"(I9\nt"), "an array of its own kind"),
        (reduced(_NEW, _ARGUMENTS, b"(I1\n(I9999999999\ntcnumpy\ndtype\n(S'f4'\ntRI00\nS'abcd'\nt"), "shape"),
        (reduced(_NEW, _ARGUMENTS, b"(I1\n(I-1\ntcnumpy\ndtype\n(S'f4'\ntRI00\nS'abcd'\nt"), "shape"),
        (reduced(_NEW, _ARGUMENTS, b"(I1\n(I2\ntcnumpy\ndtype\n(S'f4'\ntRI00\nS'abcd'\nt"), r"\(2,\) with 4 bytes"),
        (b"c" + _NEW + b"\n(dS'__call__'\nI1\nsb.", "it changes a function"),
        (reduced(b"_codecs\nencode", b"S'a'\nS'rot13'\n"), "it encodes text"),
        (reduced(b"builtins\nbytes", b"I1000000000\n"), "it makes bytes"),
        (b"(lp0\ng0\na.", "a container in itself"),
        (b"(l" * 40 + b"a" * 39 + b".", "containers in one another"),
        (b"\x80\x02K\x01r\xff\xff\xff\xff.", "remembers things under the number 4294967295"),
        (b"I1\n0" * 200_000 + b"I1\n.", "more than 100000 steps"),
        (b"Pid\n.", "a step PERSID"),
        (b"(ios\nsystem\n.", "a step INST"),
        (b"", "whole pickle"),
        (b"no pickle", "whole pickle"),
        (pickle.dumps(np.arange(100.0))[:-30], "whole pickle"),
    ],
)
def test_what_is_no_array_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_arrays(written(tmp_path, content))


def test_one_text_cannot_fill_the_memory(tmp_path: Path) -> None:
    head = b"(lp0\nV" + b"a" * 100_000 + b"\np1\n0"
    call = b"c_codecs\nencode\n(g1\nS'latin1'\ntRa"
    with pytest.raises(ValueError, match="encodes one text many times"):
        load_arrays(written(tmp_path, head + call * 3000 + b"."))


def test_the_size_of_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facelab.face3d.array_pickle._MAX_BYTES", 100)
    with pytest.raises(ValueError, match="at most 100 bytes"):
        load_arrays(written(tmp_path, np.zeros(100)))
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_arrays(tmp_path / "absent.pkl")


def survives(path: Path, content: bytes) -> None:
    """Whatever the content, it is read or refused by its name."""
    path.write_bytes(content)
    with contextlib.suppress(ValueError):
        load_arrays(path)
        return
    with pytest.raises(ValueError, match=path.name):
        load_arrays(path)


@given(content=st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_random_bytes_do_no_harm(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    survives(tmp_path_factory.getbasetemp() / "random.pkl", content)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # in a changed string, by pickletools
@given(protocol=st.sampled_from(list(PROTOCOLS)), seed=st.integers(0, 2**32), changes=st.integers(1, 8))
@settings(max_examples=300, deadline=None)
def test_changed_pickles_do_no_harm(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, seed: int, changes: int
) -> None:
    rng = random.Random(seed)
    content = bytearray(pickle.dumps({"a": np.arange(6.0).reshape(2, 3), "b": [np.float32(1), "x"]}, protocol))
    for _ in range(changes):
        place = rng.randrange(len(content))
        match rng.randrange(3):
            case 0:
                content[place] = rng.randrange(256)
            case 1:
                del content[place]
            case _:
                content[place:place] = content[: rng.randrange(40)]
    survives(tmp_path_factory.getbasetemp() / "changed.pkl", bytes(content))


def test_nothing_is_imported(tmp_path: Path) -> None:
    """Even finding a name may run code: that of the module."""
    with pytest.raises(ValueError, match=r"antigravity\.fly"):
        load_arrays(written(tmp_path, b"cantigravity\nfly\n."))
    assert "antigravity" not in sys.modules
