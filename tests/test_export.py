"""ONNX files give the network's numbers in another program."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facelab.export import export_aligner, export_onnx
from facelab.face3d import ParameterStatistics, builtin_face
from facelab.interop import Aligner, load_tddfa
from facelab.models import FAN, MobileNetV1
from tests.interop import authors_tddfa

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


def _statistics(up: float) -> ParameterStatistics:
    """Faces of half the crop in its middle; ``up`` is 1 where y counts upward and -1 where it counts down."""
    mean, std = torch.zeros(62), torch.full((62,), 0.3)
    mean[[0, 10]], mean[5], mean[[3, 7]], std[11] = 6.0, 6.0 * up, 60.0, 0.0
    return ParameterStatistics(mean, std)


def _of_the_authors() -> Aligner:
    torch.manual_seed(0)
    theirs = authors_tddfa.randomised(authors_tddfa.MobileNet(0.25))
    return load_tddfa(theirs.state_dict(), _statistics(1.0), builtin_face()).aligner


def _of_ours() -> Aligner:
    """With outputs for a landmark branch, and crops of several samples a pixel."""
    torch.manual_seed(0)
    network = MobileNetV1(0.25, outputs=62 + 136)
    network.train()(torch.rand(4, 3, 120, 120))
    return Aligner(network, builtin_face(), _statistics(-1.0), samples=2).train()


@pytest.mark.parametrize("make", [_of_the_authors, _of_ours], ids=["the authors'", "ours"])
def test_onnxruntime_aligns(make: Callable[[], Aligner], tmp_path: Path) -> None:
    """Pictures of any size, any number of boxes, also beyond the picture; to 1e-5 of what is measured in.

    That is 1e-5 of the longer side for landmarks, and of 1, or of the parameter where it is larger, for parameters.
    """
    aligner = make()
    training = aligner.training
    path = export_aligner(aligner, tmp_path / "aligner.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["aligner.onnx"] and aligner.training == training
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["image", "boxes"]
    assert [value.name for value in session.get_outputs()] == ["landmarks", "parameters"]
    generator = torch.Generator().manual_seed(0)
    for height, width, count in ((480, 640, 1), (97, 61, 3), (200, 300, 2)):
        image = torch.rand(1, 3, height, width, generator=generator)
        corner = torch.rand(count, 2, generator=generator) * height / 2 - 20
        boxes = torch.cat([corner, corner + 0.7 * height], 1)
        with torch.inference_mode():
            expected = aligner.eval()(image, boxes)
        got = session.run(None, {"image": image.numpy(), "boxes": boxes.numpy()})
        assert expected.landmarks.shape == (count, 68, 3)
        assert float((expected.parameters - aligner.offset).std()) > 1e-3  # the picture matters
        np.testing.assert_allclose(got[0], expected.landmarks.numpy(), rtol=0, atol=1e-5 * max(height, width))
        np.testing.assert_allclose(got[1], expected.parameters.numpy(), rtol=1e-5, atol=1e-5)


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
    with pytest.raises(FileNotFoundError, match="a.onnx: expected an existing folder"):
        export_aligner(_of_the_authors(), tmp_path / "nowhere" / "a.onnx")
