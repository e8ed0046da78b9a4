"""A network with crop and decode in it does what the crop, the network and the way back do one by one."""

import torch
from torch import Tensor, nn

from facelab.data import crop_window
from facelab.face3d import ParameterStatistics, builtin_face
from facelab.face3d.parameters import landmarks_of_parameters
from facelab.geometry import Affine
from facelab.interop import Aligner
from facelab.models import MobileNetV1

SIZE = 48


def _statistics() -> ParameterStatistics:
    """Faces in the middle of the crop, y down."""
    mean, std = torch.zeros(62), torch.full((62,), 0.1)
    mean[[0, 10]], mean[5], mean[[3, 7]], std[11] = 2.0, -2.0, SIZE / 2, 0.0
    return ParameterStatistics(mean, std)


def _network() -> nn.Module:
    torch.manual_seed(0)
    network = MobileNetV1(0.25)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics become those of the pictures, and signals keep their size
    with torch.no_grad():
        network.train()(torch.rand(8, 3, SIZE, SIZE))
    return network.eval()


def _boxes(boxes: list[list[float]]) -> tuple[Tensor, Affine]:
    """Square crops of tight boxes, as boxes and as the affine."""
    centre, side = crop_window(torch.tensor(boxes), "tight")
    half = side[:, None] / 2
    return torch.cat([centre - half, centre + half], 1), Affine.crop(centre, side, SIZE)


def test_it_is_the_package_s_crop_network_and_way_back() -> None:
    model, statistics, network = builtin_face(), _statistics(), _network()
    image = torch.rand(1, 3, 70, 90, generator=torch.Generator().manual_seed(0))
    boxes, affine = _boxes([[20.0, 15.0, 70.0, 60.0], [-10.3, -5.0, 20.0, 31.0], [60.5, 30.0, 95.0, 80.0]])
    aligner = Aligner(network, model, statistics, SIZE)
    with torch.inference_mode():
        crops = affine.warp(image.expand(3, -1, -1, -1), SIZE, SIZE)
        parameters = statistics.unwhiten(network(crops))
        landmarks = affine.inverse().apply(landmarks_of_parameters(model, parameters))
        got = aligner(image, boxes)
    torch.testing.assert_close(aligner.crops(image, boxes), crops, rtol=0, atol=1e-4)
    assert float(parameters.std(0).mean()) > 1e-2
    torch.testing.assert_close(got.parameters, parameters, rtol=0, atol=1e-4)
    torch.testing.assert_close(got.landmarks, landmarks, rtol=0, atol=2e-3)


def test_raw_parameters_and_further_outputs() -> None:
    """A network may say more than 62 numbers, and more than one thing."""
    face, parameters = builtin_face(), torch.randn(2, 62, generator=torch.Generator().manual_seed(1))
    further = torch.ones(2, 136)

    class Says(nn.Module):
        def __init__(self, answer: object) -> None:
            super().__init__()
            self.answer = answer

        def forward(self, _: Tensor) -> object:
            return self.answer

    boxes, _ = _boxes([[0.0, 0.0, 20.0, 20.0]] * 2)
    for answer in (parameters, torch.cat([parameters, further], 1), (parameters, further), (parameters, None)):
        assert torch.equal(Aligner(Says(answer), face)(torch.zeros(1, 3, 30, 40), boxes).parameters, parameters)


def test_more_samples_skip_no_pixel() -> None:
    """Two along each side, between pixels, make each pixel of a fourfold smaller crop the mean of 4 x 4."""
    image = torch.rand(1, 3, 4 * SIZE, 4 * SIZE, generator=torch.Generator().manual_seed(0))
    whole = torch.tensor([[-0.5, -0.5, 4 * SIZE - 0.5, 4 * SIZE - 0.5]])
    means = nn.functional.avg_pool2d(image, 4)
    crops = [Aligner(nn.Identity(), builtin_face(), None, SIZE, samples).crops(image, whole) for samples in (1, 2)]
    assert float((crops[0] - means).abs().mean()) > 0.05
    torch.testing.assert_close(crops[1], means, rtol=0, atol=1e-4)
