"""ONNX files give the network's numbers in another program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facelab.export import export_onnx
from facelab.models import FAN, MobileNetV1

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.parametrize(
    ("network", "side", "names"),
    [
        (FAN(stacks=1, landmarks=5, width=32, depth=2), 64, ["output"]),
        (FAN(stacks=2, landmarks=5, width=32, depth=2), 64, ["output_0", "output_1"]),
        (MobileNetV1(0.25), 120, ["output"]),
    ],
    ids=["FAN", "FAN of two stacks", "MobileNet"],
)
def test_onnxruntime_agrees(network: nn.Module, side: int, names: list[str], tmp_path: Path) -> None:
    """For batches of other sizes than the example; the file needs nothing beside it."""
    network.train()(torch.rand(4, 3, side, side))  # so that BN has statistics of its own
    path = export_onnx(network, torch.zeros(1, 3, side, side), tmp_path / "network.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["network.onnx"]
    assert network.training and all(module.training for module in network.modules())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == names
    for count in (1, 3):
        pictures = torch.rand(count, 3, side, side)
        with torch.inference_mode():
            expected = network.eval()(pictures)
        expected = [expected] if isinstance(expected, torch.Tensor) else expected
        for got, wanted in zip(session.run(None, {"images": pictures.numpy()}), expected, strict=True):
            np.testing.assert_allclose(got, wanted.numpy(), atol=1e-5, rtol=1e-5)


def test_a_failed_export_keeps_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(b"older")

    class Refuses(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        export_onnx(Refuses(), torch.zeros(1, 3, 8, 8), path)
    assert path.read_bytes() == b"older" and len(list(tmp_path.iterdir())) == 1


def test_bad_input_is_named(tmp_path: Path) -> None:
    network = nn.Conv2d(3, 3, 1)
    with pytest.raises(ValueError, match=r"example: expected floating-point \(B, C, H, W\), got .* \(3, 8, 8\)"):
        export_onnx(network, torch.zeros(3, 8, 8), tmp_path / "a.onnx")
    with pytest.raises(FileNotFoundError, match="a.onnx: expected an existing folder"):
        export_onnx(network, torch.zeros(1, 3, 8, 8), tmp_path / "nowhere" / "a.onnx")
