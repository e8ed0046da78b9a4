"""A network as an ONNX file, for programs without PyTorch."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from facelab.interop import Aligned, Aligner

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
    if example.ndim != 4 or not example.is_floating_point() or not len(example):
        raise ValueError(f"example: expected floating-point (B, C, H, W), got {example.dtype} {tuple(example.shape)}")
    with _evaluating(network), torch.no_grad():
        given = network(example)
    count = 1 if isinstance(given, Tensor) else len(given)
    # An example of one picture would make the exporter take the batch for a constant 1.
    examples = (example.expand(2, -1, -1, -1) if len(example) == 1 else example,)
    names = ["output"] if count == 1 else [f"output_{index}" for index in range(count)]
    return _export(network, examples, ({0: "batch"},), ["images"], names, Path(path))


def export_aligner(aligner: Aligner, path: str | os.PathLike[str]) -> Path:
    """Writes a network with crop and decoding to one ONNX file; whole or not at all.

    The inputs are ``image`` ``(1, 3, H, W)``, RGB in [0, 1], of any size, and ``boxes`` ``(N, 4)`` of any number, x0,
    y0, x1, y1 of square crops; the outputs are ``landmarks`` ``(N, 68, 3)`` in pixels of the picture and raw
    ``parameters`` ``(N, 62)`` of the crops, as :class:`facelab.interop.Aligner` has them.

    Args:
        aligner: in whatever mode, on the CPU; it is left as it was.
        path: of the file, in an existing folder.
    Returns:
        The path.
    Raises:
        FileNotFoundError, ModuleNotFoundError: as :func:`export_onnx`.
    """
    sizes = {"image": {2: "height", 3: "width"}, "boxes": {0: "faces"}}
    side = float(aligner.size)
    examples = (torch.zeros(1, 3, aligner.size, aligner.size + 1), torch.tensor([[0.0, 0.0, side, side]] * 2))
    return _export(aligner, examples, tuple(sizes.values()), list(sizes), list(Aligned._fields), Path(path))


def _export(
    network: nn.Module,
    examples: tuple[Tensor, ...],
    free: Sequence[dict[int, str]],
    inputs: Sequence[str],
    outputs: Sequence[str],
    target: Path,
) -> Path:
    """``free`` has the axes of each input whose length is not that of the example, with a name."""
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: expected an existing folder {target.parent}")
    shapes = tuple({axis: torch.export.Dim(name) for axis, name in axes.items()} for axes in free)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        with _evaluating(network), torch.no_grad():
            program = torch.onnx.export(
                network,
                examples,
                dynamo=True,
                opset_version=OPSET,
                input_names=inputs,
                output_names=outputs,
                dynamic_shapes=shapes,
                verbose=False,
            )
        assert program is not None  # it is None for the older exporter only
        written = Path(folder) / target.name
        program.save(str(written), external_data=False)
        os.replace(written, target)
    return target


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, and afterwards each of its modules in its own again."""
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode
