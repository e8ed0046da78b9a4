"""The files of 3DDFA and 3DDFA_V2: weights, statistics of the 62 parameters, and the face model or its landmarks."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facelab.face3d import MorphableModel, ParameterStatistics, read_bfm
from facelab.face3d.array_pickle import load_arrays
from facelab.face3d.model import LANDMARKS
from facelab.face3d.parameters import CAMERA_PARAMETERS, EXPRESSION_PARAMETERS, IDENTITY_PARAMETERS, PARAMETERS
from facelab.interop.state_dicts import Checkpoint, fill, named_tensors, size_of
from facelab.models import MobileNetV1, ResNet22

_PathLike = str | os.PathLike[str]
_SEPARABLE = ("2_1", "2_2", "3_1", "3_2", "4_1", "4_2", "5_1", "5_2", "5_3", "5_4", "5_5", "5_6", "6")
_SEPARABLE_PARTS = ("conv_dw", "bn_dw", None, "conv_sep", "bn_sep", None)  # None stands for a ReLU
_FIRST_CHANNELS = 32  # of MobileNet at width 1
_STAGES = (3, 4, 3)  # residual blocks of ResNet-22
_BLOCK_PARTS = ("conv1", "bn1", "conv2", "bn2", "downsample.0", "downsample.1")
_LANDMARK_BRANCH = ("fc_lm.", "conv_lm.")  # serves training alone; the authors' loader leaves it out too
_STATISTICS_KEYS = (("mean", "std"), ("param_mean", "param_std"))  # of 3DDFA_V2 and of 3DDFA
_SLICES = {"u_base": 1, "w_shp_base": IDENTITY_PARAMETERS, "w_exp_base": EXPRESSION_PARAMETERS}
_SPAN = 3.0  # standard deviations that an expression stays within


def read_network(checkpoint: Checkpoint) -> nn.Module:
    """The network of a checkpoint, for crops as the authors normalise them.

    Raises:
        FileNotFoundError: without the file. ValueError: when it holds anything else; the message has the key.
    """
    tensors, source = named_tensors(checkpoint)
    tensors = {key: value for key, value in tensors.items() if not key.startswith(_LANDMARK_BRANCH)}
    resnet = any(key.startswith(("conv_param.", "layer1.")) for key in tensors)
    with torch.device("meta"):
        network = ResNet22() if resnet else MobileNetV1(_width(tensors))
    names = resnet22_names() if resnet else mobilenet_names("fc_param" if "fc_param.weight" in tensors else "fc")
    fill(network, names, tensors, f"{source}: expected a {'ResNet-22' if resnet else 'MobileNet'} of 3DDFA_V2")
    return network


def _width(tensors: Mapping[str, Tensor]) -> float:
    return size_of(tensors, "conv1.weight", 0, _FIRST_CHANNELS, multiple_of=4) / _FIRST_CHANNELS


def mobilenet_names(head: str = "fc") -> dict[str, str]:
    """The authors' name for each layer of a MobileNet that has numbers.

    Args:
        head: of the linear layer: ``fc`` in their code, ``fc_param`` in weights that were trained with a branch for
            landmarks, which their loader renames.
    """
    names = {"features.0": "conv1", "features.1": "bn1", "head": head}
    for number, layer in enumerate(_SEPARABLE):
        for place, part in enumerate(_SEPARABLE_PARTS, start=3 + len(_SEPARABLE_PARTS) * number):
            if part:
                names[f"features.{place}"] = f"dw{layer}.{part}"
    return names


def resnet22_names() -> dict[str, str]:
    """The authors' name for each layer of ResNet-22 that has numbers, after their code; they released no weights."""
    names = {f"features.{place}": part for place, part in ((0, "conv1"), (1, "bn1"), (3, "conv2"), (4, "bn2"))}
    blocks = [f"layer{stage}.{block}" for stage, count in enumerate(_STAGES, start=1) for block in range(count)]
    for place, block in enumerate(blocks, start=6):
        names |= {f"features.{place}.{part}": f"{block}.{part}" for part in _BLOCK_PARTS}
    return names | {"head": "conv_param"}


def read_statistics(statistics: _PathLike | ParameterStatistics) -> ParameterStatistics:
    """Mean and deviation of the 62 parameters, in the authors' convention.

    Args:
        statistics: path of ``param_mean_std_62d_120x120.pkl`` of 3DDFA_V2 or ``param_whitening.pkl`` of 3DDFA.
    Raises:
        FileNotFoundError: without the file. ValueError: when it holds anything else.
    """
    if isinstance(statistics, ParameterStatistics):
        return statistics
    content = load_arrays(statistics)
    found = content if isinstance(content, Mapping) else {}
    keys = next((pair for pair in _STATISTICS_KEYS if set(pair) <= set(found)), None)
    if keys is None:
        raise ValueError(f"{statistics}: expected a dict with 'mean' and 'std' (or 'param_mean' and 'param_std')")
    mean, std = (_numbers(statistics, key, found[key]) for key in keys)
    try:
        return ParameterStatistics(mean, std)
    except ValueError as error:
        raise ValueError(f"{statistics}: {error}") from error


def _numbers(path: _PathLike, key: str, value: Any) -> Tensor:
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.size != PARAMETERS:
        got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ValueError(f"{path}: {key}: expected {PARAMETERS} floating-point numbers, got {got}")
    return torch.from_numpy(value.ravel().astype(np.float32))


def read_basis(basis: _PathLike | MorphableModel, statistics: ParameterStatistics) -> MorphableModel:
    """The face model: all vertices, or the 68 landmarks alone as a mesh without triangles.

    Args:
        basis: folder (or a file in it) of what :func:`facelab.face3d.read_bfm` reads; or folder of the text files
            ``u_base``, ``w_shp_base``, ``w_exp_base``, with or without ``.txt``: 204 numbers, 204 x 40 and 204 x 10
            by rows, which are x, y, z of each landmark after one another.
        statistics: whose deviations the coefficients of the landmarks have.
    Raises:
        FileNotFoundError, ValueError: on missing or damaged files, by name.
    """
    if isinstance(basis, MorphableModel):
        return basis
    place = Path(basis)
    folder = place.parent if place.is_file() else place
    slices = {name: _slice_file(folder, name) for name in _SLICES}
    if not any(slices.values()):
        return read_bfm(folder)
    missing = [name for name, path in slices.items() if path is None]
    if missing:
        raise FileNotFoundError(f"{folder}: expected {', '.join(_SLICES)} as text; missing: {', '.join(missing)}")
    return _of_landmarks([_slice(path, _SLICES[name]) for name, path in slices.items() if path], statistics)


def _slice_file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.txt") if path.is_file()), None)


def _slice(path: Path, columns: int) -> Tensor:
    """``(columns, 3, 68)`` of a text file."""
    rows = 3 * LANDMARKS
    try:
        numbers = np.array(path.read_text().split(), np.float32)
    except ValueError as error:
        raise ValueError(f"{path}: expected numbers as text: {error}") from error
    if numbers.size != rows * columns or not np.isfinite(numbers).all():
        raise ValueError(f"{path}: expected {rows} x {columns} finite numbers, got {numbers.size}")
    return torch.from_numpy(numbers.reshape(LANDMARKS, 3, columns).transpose(2, 1, 0).copy())


def _of_landmarks(slices: Sequence[Tensor], statistics: ParameterStatistics) -> MorphableModel:
    mean, identity, expression = slices
    _, identity_std, expression_std = statistics.std.split([CAMERA_PARAMETERS, len(identity), len(expression)])
    return MorphableModel(
        name="landmarks of the Basel Face Model",
        unit="um",
        mean=mean[0],
        identity=identity,
        expression=expression,
        identity_std=identity_std,
        expression_std=expression_std,
        expression_range=_SPAN * torch.stack([-expression_std, expression_std], 1),
        expression_names=tuple(f"expression_{number}" for number in range(len(expression))),
        triangles=torch.zeros(0, 3, dtype=torch.int64),
        uv=torch.zeros(LANDMARKS, 2),
        region=torch.zeros(LANDMARKS, dtype=torch.int64),
        region_names=("face",),
        landmarks=torch.arange(LANDMARKS),
    )
