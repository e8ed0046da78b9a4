"""Arrays are on disk whole or not at all."""

import errno
import json
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from facelab.data.cache import Arrays, ArraySpec, cache_folder, cached_arrays

SPEC: ArraySpec = {"a": ((100, 3), "float32"), "b": ((100,), "uint8")}


def _fill(arrays: Arrays) -> None:
    arrays["a"][:] = 7.0
    arrays["b"][:] = 3


def _never(arrays: Arrays) -> None:
    raise AssertionError("made again")


def test_made_once_then_found(tmp_path: Path) -> None:
    cached_arrays({"seed": 1}, SPEC, _fill, tmp_path)
    arrays = cached_arrays({"seed": 1}, SPEC, _never, tmp_path)
    assert isinstance(arrays["a"], np.memmap) and not arrays["a"].flags.writeable
    assert float(arrays["a"].sum()) == 2100.0
    with pytest.raises(AssertionError, match="made again"):
        cached_arrays({"seed": 2}, SPEC, _never, tmp_path)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def stop(arrays: Arrays) -> None:
        _fill(arrays)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device; nothing was kept"):
        cached_arrays({}, SPEC, stop, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_noticed_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(100, 90, 10))
    with pytest.raises(OSError, match="MB are needed.*set FACELAB_CACHE to another folder"):
        cached_arrays({}, SPEC, _never, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["truncated", "no manifest", "no array", "bad manifest"])
def test_half_an_entry_is_never_read(tmp_path: Path, damage: str) -> None:
    cached_arrays({}, SPEC, _fill, tmp_path)
    (entry,) = tmp_path.iterdir()
    if damage == "truncated":
        (entry / "a.npy").write_bytes((entry / "a.npy").read_bytes()[:-40])
    elif damage == "no array":
        (entry / "b.npy").unlink()
    elif damage == "no manifest":
        (entry / "manifest.json").unlink()
    else:
        (entry / "manifest.json").write_text(json.dumps({"bytes": [1]}))
    arrays = cached_arrays({}, SPEC, _fill, tmp_path)
    assert float(arrays["a"].sum()) == 2100.0 and len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="set FACELAB_CACHE to another folder"):
        cached_arrays({}, SPEC, _fill, tmp_path / "file" / "below")


def test_the_folder_is_the_readers_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELAB_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("FACELAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "facelab"
