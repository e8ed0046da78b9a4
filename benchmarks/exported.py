"""ONNX: how long a network takes to export, and how fast onnxruntime runs it beside PyTorch.

Last come the widths of MobileNet with crop and decoding: a picture and one box in, the landmarks of a face out.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.measuring import Line, Settings, medians
from benchmarks.networks import MOBILENET_SIDE, settled
from facelab.export import export_aligner, export_onnx
from facelab.face3d import builtin_face
from facelab.interop import Aligner
from facelab.models import FAN, MobileNetV1, for_inference

_PICTURE = (480, 640)  # height and width that a face is cut out of


def report(settings: Settings) -> Iterator[Line | str]:
    """Lines on the FAN of fewest stacks and on MobileNet; on the CPU only."""
    if settings.device != "cpu":
        return
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        yield f"  left out: {error.name} is not installed (pip install onnx onnxscript onnxruntime)"
        return
    stacks = settings.stacks[0]
    torch.manual_seed(0)
    name = f"FAN, {stacks} stack{'s' if stacks > 1 else ''}, {settings.side} px"
    networks: list[tuple[str, nn.Module, int]] = [(name, FAN(stacks=stacks, width=settings.width), settings.side)]
    for width in settings.mobilenets:
        networks.append((f"MobileNet x {width}, {MOBILENET_SIDE} px", MobileNetV1(width), MOBILENET_SIDE))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    for name, network, side in networks:
        settled(network, side)
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            path = export_onnx(network, torch.zeros(1, 3, side, side), Path(folder) / "network.onnx")
            yield Line(f"{name}, export to ONNX, once", 1000 * (time.perf_counter() - started))
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for batch in settings.batches:
            pictures = torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0))
            inputs = {"images": pictures}
            yield from _latency(
                f"{name}, onnxruntime, batch {batch}", session, inputs, network, for_inference(network), settings
            )
    for width in settings.mobilenets:
        yield from _alignment(width, options, settings)


def _alignment(width: float, options: object, settings: Settings) -> Iterator[Line]:
    import onnxruntime

    network, face = settled(MobileNetV1(width), MOBILENET_SIDE), builtin_face()
    plain = Aligner(network, face, size=MOBILENET_SIDE).eval()
    fast = Aligner(for_inference(network), face, size=MOBILENET_SIDE).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = export_aligner(plain, Path(folder) / "aligner.onnx")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    height, across = _PICTURE
    image = torch.rand(1, 3, height, across, generator=torch.Generator().manual_seed(0))
    inputs = {"image": image, "boxes": torch.tensor([[200.0, 100.0, 440.0, 340.0]])}
    name = f"picture of {across} x {height} to landmarks, MobileNet x {width}, onnxruntime"
    yield from _latency(name, session, inputs, plain, fast, settings)


def _latency(
    name: str, session: object, inputs: dict[str, Tensor], plain: nn.Module, fast: nn.Module, settings: Settings
) -> Iterator[Line]:
    given = tuple(inputs.values())
    values = {key: value.numpy() for key, value in inputs.items()}

    def exported() -> list[object]:
        return session.run(None, values)  # type: ignore[attr-defined]

    with torch.inference_mode():
        runs = {"exported": exported, "plain": lambda: plain(*given), "ours": lambda: fast(*given)}
        taken = medians(runs, settings)
        expected = plain(*given)
    first = expected if isinstance(expected, Tensor) else expected[0]
    difference = float((torch.as_tensor(exported()[0]) - first).abs().max())
    for other, label in (("plain", "PyTorch, plain"), ("ours", "PyTorch, for_inference")):
        ratio = taken["exported"] / taken[other]
        yield Line(
            name, taken["exported"], f"{label} {taken[other]:.1f} ms", ratio, note=f"difference {difference:.0e}"
        )
