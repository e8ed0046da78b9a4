"""Checkpoints of the authors' ``face-alignment`` package as networks of this one."""

from collections.abc import Mapping

import torch
from torch import nn

from facelab.interop.state_dicts import Checkpoint, fill, named_tensors, run_length, size_of
from facelab.models import FAN, HPM, FANDepth, Hourglass

_HPM_NAMES = {
    "first.0": "bn1",
    "first.2": "conv1",
    "second.0": "bn2",
    "second.2": "conv2",
    "third.0": "bn3",
    "third.2": "conv3",
    "skip.0": "downsample.0",
    "skip.2": "downsample.2",
}


def load_fan(checkpoint: Checkpoint, pool: str = "avg") -> FAN:
    """2D-FAN, 3D-FAN or 2D-to-3D-FAN of the authors, ready for evaluation.

    Stacks, landmarks, input channels, width and depth of the hourglasses are found from the checkpoint.

    Args:
        checkpoint: path of a file of ``torch.save`` or of a TorchScript archive; or a state dict. Keys may begin with
            ``module.`` or ``_orig_mod.``, and the state dict may lie in a mapping under ``state_dict``. Counts of
            batches, which checkpoints of before 2018 lack, are not needed.
        pool: ``"avg"`` as in the authors' PyTorch package; ``"max"`` for weights of their training code, which has
            no parameter that would tell.
    Returns:
        A network that takes RGB in [0, 1]: crops of 256 x 256 pixels whose side is 200 (w + h) / 195 pixels for a
        face box of w x h, around a point 0.12 h above the middle of the box.
    Raises:
        FileNotFoundError: without the file.
        ValueError: when it holds anything else; the message has the first key that is missing, of another shape, or
            too many.
    """
    tensors, source = named_tensors(checkpoint)
    with torch.device("meta"):
        network = FAN(
            stacks=run_length(tensors, "l{}.weight") or 4,
            landmarks=size_of(tensors, "l0.weight", 0, 68),
            in_channels=size_of(tensors, "conv1.weight", 1, 3),
            width=4 * size_of(tensors, "conv1.weight", 0, 64, multiple_of=4),
            depth=run_length(tensors, "m0.b1_{}.bn1.weight", first=1) or 4,
            pool=pool,
        )
    fill(network, fan_names(network), tensors, f"{source}: expected a FAN of face-alignment")
    return network


def load_fan_depth(checkpoint: Checkpoint) -> FANDepth:
    """The authors' depth network, ready for evaluation; it averages over the corner as theirs does.

    Args:
        checkpoint: as for :func:`load_fan`.
    Returns:
        A network whose input is the crop of :func:`load_fan` and the maps of
        :func:`facelab.interop.landmark_maps`. Its depths are in pixels of the crop; a crop of side s source pixels
        has s / 256 source pixels in each.
    Raises:
        FileNotFoundError, ValueError: as :func:`load_fan`.
    """
    tensors, source = named_tensors(checkpoint)
    blocks = [run_length(tensors, f"layer{stage}.{{}}.conv1.weight") for stage in (1, 2, 3, 4)]
    with torch.device("meta"):
        network = FANDepth(
            landmarks=size_of(tensors, "fc.weight", 0, 68),
            blocks=[found or usual for found, usual in zip(blocks, (3, 8, 36, 3), strict=True)],
            width=size_of(tensors, "conv1.weight", 0, 64),
            pool="corner",
        )
    fill(network, fan_depth_names(network), tensors, f"{source}: expected a depth network of face-alignment")
    return network


def fan_names(network: FAN) -> dict[str, str]:
    """The authors' name for each module of a FAN that theirs has too; the network itself is ``""``."""
    modules = dict(network.named_modules())
    names = {"": "", "stem.0": "conv1", "stem.1": "bn1", "stem.3": "conv2", "stem.5": "conv3", "stem.6": "conv4"}
    for index in range(len(network.stacks)):
        ours = f"stacks.{index}"
        names |= _hourglass_names(modules, f"{ours}.hourglass", f"m{index}")
        names |= {
            f"{ours}.block": f"top_m_{index}",
            f"{ours}.features.0": f"conv_last{index}",
            f"{ours}.features.1": f"bn_end{index}",
            f"{ours}.heatmaps": f"l{index}",
            f"{ours}.from_features": f"bl{index}",
            f"{ours}.from_heatmaps": f"al{index}",
        }
    inside = {
        f"{ours}.{part}": f"{theirs}.{their_part}"
        for ours, theirs in names.items()
        if isinstance(modules.get(ours), HPM)
        for part, their_part in _HPM_NAMES.items()
    }
    return {ours: theirs for ours, theirs in (names | inside).items() if ours in modules}


def fan_depth_names(network: FANDepth) -> dict[str, str]:
    """The authors' name for each module of a depth network that theirs has too; the network itself is ``""``."""
    names = {"": "", "stem.0": "conv1", "stem.1": "bn1", "stem.2": "relu", "stem.3": "maxpool"}
    names |= {"pool": "avgpool", "depths": "fc"}
    for name, _ in network.stages.named_modules():
        if name:
            stage, dot, rest = name.partition(".")
            names[f"stages.{name}"] = f"layer{int(stage) + 1}{dot}{rest}"
    return names


def _hourglass_names(modules: Mapping[str, nn.Module], ours: str, theirs: str) -> dict[str, str]:
    """Theirs is one module with the blocks of all levels, the outermost level having the highest number."""
    levels = [ours]
    while isinstance(modules[f"{levels[-1]}.inner"], Hourglass):
        levels.append(f"{levels[-1]}.inner")
    names = {ours: theirs, f"{levels[-1]}.inner": f"{theirs}.b2_plus_1"}
    for number, level in zip(range(len(levels), 0, -1), levels, strict=True):
        names |= {
            f"{level}.keep": f"{theirs}.b1_{number}",
            f"{level}.down": f"{theirs}.b2_{number}",
            f"{level}.up": f"{theirs}.b3_{number}",
        }
    return names
