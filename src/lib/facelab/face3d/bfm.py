"""Reader of the Basel Face Model as 3DDFA and 3DDFA_V2 store it.

The Basel Face Model 2009 (Paysan et al. 2009) with the expressions of FaceWarehouse (Cao et al. 2014) may not be
passed on: it needs a registration at https://faces.dmi.unibas.ch/bfm. Source of the layouts: the public code of 3DDFA
(Zhu et al. 2016) and 3DDFA_V2 (Guo et al. 2020). The reader is tested on files made up in these layouts.
"""

import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray
from torch import Tensor

from facelab.face3d.array_pickle import load_arrays
from facelab.face3d.model import LANDMARKS, MorphableModel
from facelab.face3d.normals import vertex_normals
from facelab.face3d.parameters import CAMERA_PARAMETERS, EXPRESSION_PARAMETERS, PARAMETERS

Array = NDArray[Any]

_V2_MODELS = ("bfm_noneck_v3.pkl", "bfm_noneck_v3_slim.pkl", "bfm_noneck.pkl")
_SIM_FILES = ("w_shp_sim.npy", "w_exp_sim.npy", "u_shp.npy", "u_exp.npy", "keypoints_sim.npy")
_MAT_SHAPE, _MAT_EXPRESSIONS = "Model_Shape.mat", ("Model_Exp.mat", "Model_Expression.mat")
_STATISTICS = {"param_mean_std_62d_120x120.pkl": "std", "param_whitening.pkl": "param_std"}
_NOSE_TIP = 30
_SPAN = 3.0  # standard deviations that an expression stays within


@dataclass(frozen=True)
class _Files:
    """What the files of a layout say, as they say it: x, y, z of each vertex after one another.

    Attributes:
        mean: (3V,). identity, expression: (3V, K). identity_std, expression_std: (K,), None where a layout has none.
        landmarks: (68,) vertices from 0. triangles: (F, 3) from 0.
    """

    source: Path
    mean: Array
    identity: Array
    expression: Array
    landmarks: Array
    triangles: Array
    identity_std: Array | None = None
    expression_std: Array | None = None


def read_bfm(folder: str | os.PathLike[str]) -> MorphableModel:
    """The Basel Face Model of 3DDFA or 3DDFA_V2 as a :class:`MorphableModel`, in micrometres.

    One of these sets of files is expected:

    * 3DDFA_V2 (38,365 vertices): ``bfm_noneck_v3.pkl`` and ``tri.pkl``, which goes with it;
    * 3DDFA (53,215 vertices): ``w_shp_sim.npy``, ``w_exp_sim.npy``, ``u_shp.npy``, ``u_exp.npy``,
      ``keypoints_sim.npy`` and ``tri.mat``;
    * the 300W-LP code: ``Model_Shape.mat`` and ``Model_Exp.mat`` (or ``Model_Expression.mat``), all 199 + 29 modes.

    The standard deviations of the first two are those of ``param_mean_std_62d_120x120.pkl`` or ``param_whitening.pkl``,
    where one of these lies beside them. Without, they are 0: :meth:`MorphableModel.sample` then gives the mean face,
    and a warning says so. Expressions stay within three deviations. The files have no texture coordinates: they are
    made on a cylinder about the head.

    Raises:
        FileNotFoundError: when the folder or a file of a set is missing.
        ValueError: on a damaged file, or files that do not match, by name.
    """
    place = Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: no such folder; expected the files of 3DDFA or 3DDFA_V2")
    slim = next((name for name in _V2_MODELS if (place / name).is_file()), None)
    if slim:
        files = _read_v2(place / slim)
    elif (place / _MAT_SHAPE).is_file():
        files = _read_mat(place)
    elif (place / _SIM_FILES[0]).is_file():
        files = _read_sim(place)
    else:
        raise FileNotFoundError(
            f"{place}: expected {_V2_MODELS[0]} and tri.pkl, or {_MAT_SHAPE} and {_MAT_EXPRESSIONS[0]}, or "
            f"{_SIM_FILES[0]} and its companions; the files come with 3DDFA after registration for the face model"
        )
    return _model(_checked(_with_statistics(files, place)))


def _read_v2(path: Path) -> _Files:
    content = load_arrays(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a dict of arrays, found {type(content).__name__}")
    mean, identity, expression, keypoints = (
        _numbers(path, name, content.get(name)) for name in ("u", "w_shp", "w_exp", "keypoints")
    )
    beside = path.with_name("tri.pkl")
    if beside.is_file():
        triangles = _triangles(beside, load_arrays(beside), 0)
    else:
        triangles = _triangles(path, content.get("tri"), 0)
        if triangles.max() >= mean.size // 3:
            raise FileNotFoundError(f"{beside}: missing; the triangles inside {path.name} are those of a larger mesh")
    return _Files(path, mean.ravel(), identity, expression, _keypoints(keypoints), triangles)


def _read_sim(place: Path) -> _Files:
    missing = [name for name in _SIM_FILES if not (place / name).is_file()]
    found = [path for path in (place / "tri.mat", place.parent / "visualize" / "tri.mat") if path.is_file()]
    if missing or not found:
        raise FileNotFoundError(f"{place}: {', '.join(missing or ['tri.mat'])} missing beside {_SIM_FILES[0]}")
    identity, expression, shape_mean, expression_mean, keypoints = (_read_npy(place / name) for name in _SIM_FILES)
    if shape_mean.size != expression_mean.size:
        raise ValueError(f"{place / 'u_exp.npy'}: expected {shape_mean.size} numbers, got {expression_mean.size}")
    triangles = _triangles(found[0], _read_matlab(found[0], "tri")["tri"], 1)
    mean = shape_mean.ravel() + expression_mean.ravel()
    return _Files(place / _SIM_FILES[0], mean, identity, expression, _keypoints(keypoints), triangles)


def _read_mat(place: Path) -> _Files:
    path = place / _MAT_SHAPE
    beside = next((place / name for name in _MAT_EXPRESSIONS if (place / name).is_file()), None)
    if beside is None:
        raise FileNotFoundError(f"{place / _MAT_EXPRESSIONS[0]}: missing beside {_MAT_SHAPE}")
    shape = _read_matlab(path, "mu_shape", "w", "sigma", "keypoints", "tri")
    moves = _read_matlab(beside, "mu_exp", "w_exp", "sigma_exp")
    if shape["mu_shape"].size != moves["mu_exp"].size:
        raise ValueError(f"{beside}: mu_exp: expected {shape['mu_shape'].size} numbers, got {moves['mu_exp'].size}")
    return _Files(
        path,
        shape["mu_shape"].ravel() + moves["mu_exp"].ravel(),
        shape["w"],
        moves["w_exp"],
        _keypoints(shape["keypoints"]) - 1,
        _triangles(path, shape["tri"], 1),
        shape["sigma"].ravel(),
        moves["sigma_exp"].ravel(),
    )


def _read_npy(path: Path) -> Array:
    try:
        content = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: expected a whole .npy file of numbers: {error}") from error
    return _numbers(path, "array", content)


def _read_matlab(path: Path, *names: str) -> dict[str, Array]:
    try:
        content = scipy.io.loadmat(path, variable_names=list(names))
    except Exception as error:  # a damaged file makes the parser fail in many ways
        raise ValueError(f"{path}: expected a whole MATLAB 5 file: {error}") from error
    return {name: _numbers(path, name, content.get(name)) for name in names}


def _numbers(path: Path, name: str, value: object) -> Array:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
        found = "nothing" if value is None else f"{type(value).__name__} {getattr(value, 'dtype', '')}".strip()
        raise ValueError(f"{path}: {name}: expected an array of finite numbers, found {found}")
    return value


def _triangles(path: Path, value: object, first: int) -> Array:
    """(F, 3) counted from 0, of an array (F, 3) or (3, F) counted from ``first``."""
    corners = _numbers(path, "tri", value).astype(np.int64) - first
    if corners.ndim != 2 or 3 not in corners.shape or not len(corners):
        raise ValueError(f"{path}: tri: expected shape (3, F) or (F, 3), got {corners.shape}")
    return corners if corners.shape[1] == 3 else np.ascontiguousarray(corners.T)


def _keypoints(value: Array) -> Array:
    """Vertices of landmarks; 3DDFA lists the rows x, y, z of each."""
    flat = value.ravel().astype(np.int64)
    return flat[::3] // 3 if flat.size == 3 * LANDMARKS else flat


def _with_statistics(files: _Files, place: Path) -> _Files:
    if files.identity_std is not None:
        return files
    for name, key in _STATISTICS.items():
        if (place / name).is_file():
            content = load_arrays(place / name)
            std = _numbers(place / name, key, content.get(key) if isinstance(content, dict) else None).ravel()
            if len(std) != PARAMETERS or (std < 0).any():
                raise ValueError(f"{place / name}: {key}: expected {PARAMETERS} deviations, got shape {std.shape}")
            identity, expression = std[CAMERA_PARAMETERS:-EXPRESSION_PARAMETERS], std[-EXPRESSION_PARAMETERS:]
            return _with_deviations(files, identity, expression)
    warnings.warn(f"{place}: no {' or '.join(_STATISTICS)}: samples of this model are its mean face", stacklevel=3)
    return _with_deviations(files, np.zeros(0), np.zeros(0))


def _with_deviations(files: _Files, identity: Array, expression: Array) -> _Files:
    """With these deviations of the first modes, and 0 for the others."""
    known = np.zeros(files.identity.shape[-1]), np.zeros(files.expression.shape[-1])
    for std, given in zip(known, (identity, expression), strict=True):
        std[: len(given)] = given[: len(std)]
    return replace(files, identity_std=known[0], expression_std=known[1])


def _checked(files: _Files) -> _Files:
    source, count = files.source, files.mean.size // 3
    for name, basis, std in (
        ("identity basis", files.identity, files.identity_std),
        ("expression basis", files.expression, files.expression_std),
    ):
        if basis.ndim != 2 or len(basis) != files.mean.size or files.mean.size % 3:
            raise ValueError(f"{source}: {name}: expected shape ({3 * count}, K), got {basis.shape}")
        if std is None or len(std) != basis.shape[1]:
            raise ValueError(f"{source}: {name}: expected {basis.shape[1]} standard deviations")
    if len(files.landmarks) != LANDMARKS or not _within(files.landmarks, count):
        raise ValueError(f"{source}: keypoints: expected {LANDMARKS} vertices of {count}, got {files.landmarks.shape}")
    if not _within(files.triangles, count):
        raise ValueError(f"{source}: tri: expected corners among {count} vertices, got {files.triangles.max()}")
    return files


def _within(index: Array, count: int) -> bool:
    return bool(((index >= 0) & (index < count)).all())


def _model(files: _Files) -> MorphableModel:
    mean = _axis_first(files.mean[:, None])[0]
    std = torch.from_numpy(np.asarray(files.expression_std, np.float32))
    landmarks = torch.from_numpy(files.landmarks)
    return MorphableModel(
        name="Basel Face Model",
        unit="um",
        mean=mean,
        identity=_axis_first(files.identity),
        expression=_axis_first(files.expression),
        identity_std=torch.from_numpy(np.asarray(files.identity_std, np.float32)),
        expression_std=std,
        expression_range=_SPAN * torch.stack([-std, std], 1),
        expression_names=tuple(f"expression_{number}" for number in range(len(std))),
        triangles=_facing_out(torch.from_numpy(files.triangles), mean, int(landmarks[_NOSE_TIP])),
        uv=_on_cylinder(mean),
        region=torch.zeros(mean.shape[1], dtype=torch.int64),
        region_names=("face",),
        landmarks=landmarks,
    )


def _axis_first(basis: Array) -> Tensor:
    """(3V, K) with x, y, z of each vertex after one another to (K, 3, V)."""
    columns = np.asarray(basis, np.float32).T
    return torch.from_numpy(np.ascontiguousarray(columns.reshape(len(columns), -1, 3).transpose(0, 2, 1)))


def _facing_out(triangles: Tensor, mean: Tensor, tip: int) -> Tensor:
    """The same triangles, counter-clockwise seen from outside: the tip of the nose looks ahead."""
    ahead = float(vertex_normals(mean.T, triangles)[tip, 2]) >= 0
    return triangles if ahead else triangles.flip(1)


def _on_cylinder(mean: Tensor) -> Tensor:
    """Texture places (V, 2): the angle about the upright axis, and the height."""
    x, y, z = mean - (mean.amax(1, keepdim=True) + mean.amin(1, keepdim=True)) / 2
    u = 0.5 + torch.atan2(x, z) / (2 * torch.pi)
    v = (y - y.min()) / (y.max() - y.min()).clamp_min(1e-9)
    return torch.stack([u, v], 1).clamp(0, 1)
