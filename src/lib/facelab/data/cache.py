"""Arrays on disk, memory-mapped, written whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_MANIFEST = "manifest.json"
Arrays = dict[str, np.ndarray]
ArraySpec = Mapping[str, tuple[tuple[int, ...], str]]


def cache_folder() -> Path:
    """Where caches live: ``FACELAB_CACHE``, else ``facelab`` in the user's cache folder."""
    chosen = os.environ.get("FACELAB_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "facelab"


def cached_arrays(
    arguments: Mapping[str, Any], spec: ArraySpec, fill: Callable[[Arrays], None], folder: Path
) -> Arrays:
    """Opens the arrays that belong to these arguments, making them first if they are not there.

    Args:
        arguments: JSON-able; their hash names the entry, and they are written beside the arrays.
        spec: name to (shape, dtype) of each array.
        fill: writes into the writable arrays it is given.
        folder: the cache folder; made if missing.
    Returns:
        Name to read-only memory-mapped array.
    Raises:
        OSError: if the arrays cannot be written (a full disk, say); nothing is left behind then.
    """
    text = json.dumps(arguments, sort_keys=True)
    entry = folder / hashlib.sha256(text.encode()).hexdigest()[:20]
    if not _is_whole(entry, spec):
        _write(entry, text, spec, fill)
    return {name: np.load(entry / f"{name}.npy", mmap_mode="r") for name in spec}


def _is_whole(entry: Path, spec: ArraySpec) -> bool:
    """The manifest is written last, and every array must have the length that it announces."""
    try:
        sizes = json.loads((entry / _MANIFEST).read_text())["bytes"]
        return all((entry / f"{name}.npy").stat().st_size == sizes[name] for name in spec)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(entry: Path, arguments: str, spec: ArraySpec, fill: Callable[[Arrays], None]) -> None:
    needed = sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in spec.values())
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        _require_space(entry.parent, needed)
        scratch = Path(tempfile.mkdtemp(prefix=f"{entry.name}.", suffix=".partial", dir=entry.parent))
    except OSError as error:
        raise OSError(f"cache folder {entry.parent}: {_reason(error)}; set FACELAB_CACHE to another folder") from error
    try:
        maps = {
            name: np.lib.format.open_memmap(scratch / f"{name}.npy", "w+", np.dtype(dtype), shape)
            for name, (shape, dtype) in spec.items()
        }
        fill(dict(maps))
        for array in maps.values():
            array.flush()
        sizes = {name: (scratch / f"{name}.npy").stat().st_size for name in spec}
        (scratch / _MANIFEST).write_text(json.dumps({"arguments": json.loads(arguments), "bytes": sizes}, indent=1))
        _publish(scratch, entry, spec)
    except OSError as error:
        raise OSError(f"cache entry {entry}: {_reason(error)}; nothing was kept") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _require_space(folder: Path, needed: int) -> None:
    """A memory-mapped write to a full disk ends the process, so the space is asked for beforehand."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free")


def _publish(scratch: Path, entry: Path, spec: ArraySpec) -> None:
    if entry.exists() and not _is_whole(entry, spec):
        shutil.rmtree(entry)
    try:
        os.replace(scratch, entry)
    except OSError:
        if not _is_whole(entry, spec):  # another process may have written the same entry meanwhile
            raise


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
