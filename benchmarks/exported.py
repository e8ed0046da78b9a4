"""ONNX: how long a network takes to export, and how fast onnxruntime runs it beside PyTorch."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.measuring import Line, Settings, medians
from benchmarks.networks import MOBILENET_SIDE, settled
from facelab.export import export_onnx
from facelab.models import FAN, MobileNetV1, for_inference


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
            yield from _latency(f"{name}, onnxruntime, batch {batch}", session, network, pictures, settings)


def _latency(name: str, session: object, network: nn.Module, pictures: Tensor, settings: Settings) -> Iterator[Line]:
    fast, values = for_inference(network), pictures.numpy()

    def exported() -> list[object]:
        return session.run(None, {"images": values})  # type: ignore[attr-defined]

    with torch.inference_mode():
        runs = {"exported": exported, "plain": lambda: network(pictures), "ours": lambda: fast(pictures)}
        taken = medians(runs, settings)
        expected = network(pictures)
    first = expected if isinstance(expected, Tensor) else expected[0]
    difference = float((torch.as_tensor(exported()[0]) - first).abs().max())
    for other, label in (("plain", "PyTorch, plain"), ("ours", "PyTorch, for_inference")):
        ratio = taken["exported"] / taken[other]
        yield Line(
            name, taken["exported"], f"{label} {taken[other]:.1f} ms", ratio, note=f"difference {difference:.0e}"
        )
