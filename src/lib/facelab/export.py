"""A network as an ONNX file, for programs without PyTorch."""

import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

# Every operation of the networks here is in 18, and onnxruntime reads it since 1.14 of February 2023.
OPSET = 18


def export_onnx(network: nn.Module, example: Tensor, path: str | os.PathLike[str]) -> Path:
    """Writes the network, in evaluation mode, to an ONNX file; whole or not at all.

    The input is called ``images``. The output is ``output``, or ``output_0``, ``output_1`` ... where the network gives
    several. The size of the batch is free; height and width are those of the example.

    Args:
        network: anything of one picture tensor. It is left as it was.
        example: ``(B, C, H, W)`` on the network's device; its values do not matter.
        path: of the file, in an existing folder.
    Returns:
        The path.
    Raises:
        ValueError: on an example that is no batch of pictures. FileNotFoundError: if the folder does not exist.
        ModuleNotFoundError: without the packages ``onnx`` and ``onnxscript``.
    """
    target = Path(path)
    if example.ndim != 4 or not example.is_floating_point() or not len(example):
        raise ValueError(f"example: expected floating-point (B, C, H, W), got {example.dtype} {tuple(example.shape)}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: expected an existing folder {target.parent}")
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        written = Path(folder) / target.name
        _write(network, example, written)
        os.replace(written, target)
    return target


def _write(network: nn.Module, example: Tensor, path: Path) -> None:
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            given = network(example)
            count = 1 if isinstance(given, Tensor) else len(given)
            program = torch.onnx.export(
                network,
                # An example of one picture would make the exporter take the batch for a constant 1.
                (example.expand(2, -1, -1, -1) if len(example) == 1 else example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=["images"],
                output_names=["output"] if count == 1 else [f"output_{index}" for index in range(count)],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    finally:
        for module, mode in training.items():
            module.training = mode
    assert program is not None  # it is None for the older exporter only
    program.save(str(path), external_data=False)
