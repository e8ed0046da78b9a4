"""Reader of ICT-FaceKit: a morphable head of scanned faces under the MIT licence, in its own OBJ files.

Source: Li et al. 2020, "Learning Formation of Physically-Based Face Attributes"; https://github.com/ICT-VGL/ICT-FaceKit.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from facelab.face3d.model import LANDMARKS, MorphableModel

Array = NDArray[Any]
URL = "https://github.com/ICT-VGL/ICT-FaceKit"
VERTICES = 26719
_MODEL, _NEUTRAL, _INDICES = "FaceXModel", "generic_neutral_mesh.obj", "vertex_indices.json"
_CACHE_FORMAT = 1  # to be raised when the cached arrays change
_EXPRESSION_STD = 0.35  # the blend shapes come without statistics; that of the built-in face's modes
_CORRECTIVE = "mouthClose"  # closes the lips of an open jaw, and is no expression by itself: never sampled
_GAZE = {  # eyes turn together: the pairs that look the same way
    "eyeLookOut_L": "eyeLookLeft_left", "eyeLookIn_R": "eyeLookLeft_right",
    "eyeLookIn_L": "eyeLookRight_left", "eyeLookOut_R": "eyeLookRight_right",
}  # fmt: skip


class _Range(NamedTuple):
    """A run of vertices: its region, where it ends, the tile of its texture and the square that tile is put into."""

    region: str
    end: int
    tile: int
    corner: tuple[float, float]
    size: float


# Vertex ranges and texture tiles as documented in the README of ICT-FaceKit; the squares share out [0, 1] x [0, 1].
_RANGES = (
    _Range("face", 9409, 0, (0.0, 0.25), 0.75),
    _Range("head and neck", 11248, 1, (0.75, 0.75), 0.25),
    _Range("mouth", 13294, 1, (0.75, 0.75), 0.25),
    _Range("eye sockets", 14062, 1, (0.75, 0.75), 0.25),
    _Range("gums and tongue", 17039, 2, (0.75, 0.5), 0.25),
    _Range("upper teeth", 19247, 3, (0.75, 0.25), 0.25),
    _Range("lower teeth", 21451, 3, (0.75, 0.25), 0.25),
    _Range("eyes", 22221, 0, (0.0, 0.0), 0.25),
    _Range("inner eyes", 23021, 0, (0.0, 0.0), 0.25),  # the iris behind a clear cornea
    _Range("eyes", 23791, 0, (0.25, 0.0), 0.25),
    _Range("inner eyes", 24591, 0, (0.25, 0.0), 0.25),
    _Range("lacrimal fluid", 24795, 4, (0.5, 0.0), 0.125),
    _Range("lacrimal fluid", 24999, 5, (0.625, 0.0), 0.125),
    _Range("eye blend", 25047, 0, (0.5, 0.125), 0.125),
    _Range("eye occlusion", 25351, 0, (0.625, 0.125), 0.125),
    _Range("eyelashes", VERTICES, 6, (0.75, 0.0), 0.25),
)


def read_ict_facekit(folder: str | os.PathLike[str], cache: str | os.PathLike[str] | None = None) -> MorphableModel:
    """ICT-FaceKit as a :class:`MorphableModel` in centimetres, 26,719 vertices.

    The neutral mesh and the landmarks must be there; of the 100 identity and 53 expression modes, those whose OBJ files
    are there are read. Identity coefficients have unit variance (the kit samples them so). Expression coefficients run
    from 0 to 1 with standard deviation 0.35 (0 for ``mouthClose``, which only corrects an open jaw); modes are ordered
    by how far one standard deviation moves the landmarks, so that a truncated basis keeps what matters. Names are those
    of the files with ``_L`` and ``_R`` (the person's left is x > 0) spelt ``_left`` and ``_right``; ``eyeLookIn`` and
    ``eyeLookOut`` become ``eyeLookLeft`` and ``eyeLookRight``.
    Quads are cut into triangles. Each vertex has one place in the texture: the tiles of the kit are packed into
    [0, 1] x [0, 1], and a vertex on a seam keeps the first of its places (their number is logged).

    Args:
        folder: the repository, or its folder ``FaceXModel``.
        cache: folder of the one array file that a second call reads; by default ``FACELAB_CACHE``, else ``facelab`` in
            the user's cache folder. It belongs to the names, sizes and times of the OBJ files.
    Raises:
        FileNotFoundError: when the folder, the neutral mesh or the landmark indices are missing.
        ValueError: on a damaged file, or one whose vertices do not match; the message names it.
    """
    source = _model_folder(Path(folder))
    files = [source / _NEUTRAL, source / _INDICES, *_identity_files(source), *_expression_files(source).values()]
    path = Path(cache or _cache_folder()) / f"ict-facekit-{_fingerprint(files)}.npz"
    arrays = _read_cache(path)
    if arrays is None:
        arrays = _read_files(source)
        _write_cache(path, arrays)
    return _model(arrays)


def get_ict_facekit(folder: str | os.PathLike[str] | None = None, url: str = URL) -> Path:
    """Clone ICT-FaceKit (MIT licence) unless it is there already.

    Args:
        folder: of the clone; by default ``ICT-FaceKit`` in the cache folder. url: of the repository.
    Returns:
        The folder, ready for :func:`read_ict_facekit`. An interrupted clone leaves nothing behind.
    Raises:
        OSError: without git, without a connection, or where the folder cannot be written.
    """
    target = Path(folder) if folder else _cache_folder() / "ICT-FaceKit"
    if (target / _MODEL / _NEUTRAL).is_file():
        return target
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target}: expected ICT-FaceKit or nothing; move it away, or name another folder")
    if shutil.which("git") is None:
        raise OSError(f"git is not installed: install it, or unpack {url} into {target}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ICT-FaceKit-", dir=target.parent) as scratch:
        clone = Path(scratch) / "clone"
        command = ["git", "clone", "--quiet", "--depth", "1", "--", url, str(clone)]
        environment = os.environ | {"GIT_TERMINAL_PROMPT": "0"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise OSError(f"git clone {url} failed: {reason}; check the internet connection, then try again")
        if not (clone / _MODEL / _NEUTRAL).is_file():
            raise OSError(f"{url}: expected {_MODEL}/{_NEUTRAL} in the repository, found none")
        os.replace(clone, target)
    return target


def _model_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected that of ICT-FaceKit")
    for candidate in (folder / _MODEL, folder):
        if (candidate / _NEUTRAL).is_file():
            if not (candidate / _INDICES).is_file():
                raise FileNotFoundError(f"{candidate / _INDICES}: missing; it has the vertices of the 68 landmarks")
            return candidate
    below = [path.parents[1] for path in folder.glob(f"*/{_MODEL}/{_NEUTRAL}")]
    hint = f"give {below[0]}" if below else "clone https://github.com/ICT-VGL/ICT-FaceKit first"
    raise FileNotFoundError(f"{folder}: expected {_MODEL}/{_NEUTRAL} or {_NEUTRAL} in it; {hint}")


def _identity_files(source: Path) -> list[Path]:
    return sorted(source.glob("identity[0-9][0-9][0-9].obj"))


def _expression_files(source: Path) -> dict[str, Path]:
    """Name to file of the documented expressions that are there."""
    names = _read_json(source / _INDICES, "expressions")
    return {str(name): source / f"{name}.obj" for name in names if (source / f"{name}.obj").is_file()}


def _read_json(path: Path, key: str) -> list[Any]:
    try:
        value = json.loads(path.read_text())[key]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected JSON with a list {key!r}: {error!r}") from error
    if not isinstance(value, list):
        raise ValueError(f"{path}: expected a list {key!r}, found {type(value).__name__}")
    return value


def _read_files(source: Path) -> dict[str, Array]:
    neutral = _read_vertices(source / _NEUTRAL)
    triangles, uv = _read_surface(source / _NEUTRAL)
    expressions = _expression_files(source)
    names = [_GAZE.get(name) or name.replace("_L", "_left").replace("_R", "_right") for name in expressions]
    landmarks = _read_landmarks(source / _INDICES)
    expression = _read_modes(list(expressions.values()), neutral)
    reach = np.square(expression[:, :, landmarks]).sum(axis=(1, 2)) * [name != _CORRECTIVE for name in names]
    order = np.argsort(-reach, kind="stable")
    return {
        "mean": np.ascontiguousarray(neutral.T),
        "identity": _read_modes(_identity_files(source), neutral),
        "expression": np.ascontiguousarray(expression[order]),
        "expression_names": np.array([names[index] for index in order], dtype="U64"),
        "triangles": triangles,
        "uv": uv,
        "landmarks": landmarks,
    }


def _read_landmarks(path: Path) -> Array:
    values = _read_json(path, "idx_to_landmark_verts")
    valid = all(isinstance(value, int) and 0 <= value < VERTICES for value in values)
    if len(values) != LANDMARKS or not valid:
        raise ValueError(
            f"{path}: idx_to_landmark_verts: expected {LANDMARKS} vertices from 0 to {VERTICES - 1}, got {values[:80]}"
        )
    return np.array(values, dtype=np.int64)


def _read_modes(files: list[Path], neutral: Array) -> Array:
    """Displacements (K, 3, V) float32 of these meshes from the neutral one."""
    modes = np.zeros((len(files), 3, len(neutral)), np.float32)
    for mode, path in zip(modes, files, strict=True):
        mode[:] = (_read_vertices(path) - neutral).T
    return modes


def _read_vertices(path: Path) -> Array:
    """The ``v`` lines of an OBJ file: (26719, 3) float32."""
    rows = [line[2:] for line in path.read_bytes().splitlines() if line.startswith(b"v ")]
    if len(rows) != VERTICES:
        raise ValueError(f"{path}: expected {VERTICES} vertices, found {len(rows)}: copy the file anew")
    return _numbers(path, rows, 3)


def _numbers(path: Path, rows: list[bytes], columns: int) -> Array:
    """Rows of at least ``columns`` numbers, as float32 (N, columns)."""
    try:
        table = np.array(b" ".join(rows).split(), dtype=np.float32)
        values = table.reshape(len(rows), -1)[:, :columns]
    except ValueError as error:
        raise ValueError(f"{path}: expected {columns} numbers a line, found something else: {error}") from error
    if values.shape[1] < columns or not np.isfinite(values).all() or np.abs(values).max(initial=0) > 1e4:
        raise ValueError(f"{path}: expected {columns} finite numbers a line, below 1e4")
    return values


def _read_surface(path: Path) -> tuple[Array, Array]:
    """Triangles (F, 3) int64 and one place in the texture for each vertex, (V, 2) float32."""
    lines = path.read_bytes().splitlines()
    places = _numbers(path, [line[3:] for line in lines if line.startswith(b"vt ")], 2)
    corners = [_corners(path, line, len(places)) for line in lines if line.startswith(b"f ")]
    if not corners:
        raise ValueError(f"{path}: expected faces ('f' lines), found none; is the file cut short?")
    triangles = [
        (polygon[0][0], polygon[k][0], polygon[k + 1][0]) for polygon in corners for k in range(1, len(polygon) - 1)
    ]
    pairs = np.unique(np.array([corner for polygon in corners for corner in polygon]), axis=0)
    owner, first, count = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    seams = int((count > 1).sum())
    logging.getLogger(__name__).info("%s: %d vertices on texture seams keep one place", path, seams)
    uv = np.zeros((VERTICES, 2), np.float32)
    uv[owner] = places[pairs[first, 1]]
    return np.array(triangles, dtype=np.int64), _packed(uv)


def _corners(path: Path, line: bytes, places: int) -> list[tuple[int, int]]:
    """(vertex, texture place) of a polygon's corners, counted from 0."""
    try:
        corners = [(int(v) - 1, int(vt) - 1) for v, vt in (corner.split(b"/")[:2] for corner in line.split()[1:])]
    except ValueError as error:
        raise ValueError(f"{path}: expected faces as 'f vertex/texture ...', found {line[:60]!r}") from error
    if len(corners) < 3 or not all(0 <= v < VERTICES and 0 <= vt < places for v, vt in corners):
        raise ValueError(f"{path}: expected faces of 3 or more corners that exist, found {line[:60]!r}")
    return corners


def _packed(uv: Array) -> Array:
    """Texture places with every range of vertices put into its square."""
    packed, start = np.empty_like(uv), 0
    for part in _RANGES:
        inside = np.clip(uv[start : part.end] - [part.tile, 0], 0, 1)
        packed[start : part.end] = np.array(part.corner) + part.size * inside
        start = part.end
    return packed


def _model(arrays: dict[str, Array]) -> MorphableModel:
    names = tuple(dict.fromkeys(part.region for part in _RANGES))
    lengths = np.diff([0, *(part.end for part in _RANGES)])
    region = np.repeat([names.index(part.region) for part in _RANGES], lengths)
    tensors: dict[str, Any] = {
        name: torch.from_numpy(value) for name, value in arrays.items() if name != "expression_names"
    }
    expressions = tuple(str(name) for name in arrays["expression_names"])
    deviation = torch.tensor([0.0 if name == _CORRECTIVE else _EXPRESSION_STD for name in expressions])
    return MorphableModel(
        name="ICT-FaceKit",
        unit="cm",
        identity_std=torch.ones(len(arrays["identity"])),
        expression_std=deviation,
        expression_range=torch.tensor([[0.0, 1.0]]).repeat(len(expressions), 1),
        expression_names=expressions,
        region=torch.from_numpy(region.astype(np.int64)),
        region_names=names,
        **tensors,
    )


def _cache_folder() -> Path:
    chosen = os.environ.get("FACELAB_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "facelab"


def _fingerprint(files: list[Path]) -> str:
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([_CACHE_FORMAT, states]).encode()).hexdigest()[:20]


def _read_cache(path: Path) -> dict[str, Array] | None:
    """The cached arrays; None where there are none or the file is damaged (its checksums tell)."""
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        _model(arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    return arrays


def _write_cache(path: Path, arrays: dict[str, Any]) -> None:
    """Write the arrays to a temporary file, then rename it."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            np.savez(temporary, **arrays)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(f"cache {path}: {error.strerror or error}; set FACELAB_CACHE to another folder") from error
