"""The small regressor: shapes, its mean shape, and that gain and offset of a picture do not matter."""

import torch

from facelab.models.landmark_regressor import LandmarkRegressor


def test_shapes_and_mean_shape() -> None:
    mean = torch.rand(85, 2)
    network = LandmarkRegressor(85, mean)
    torch.nn.init.zeros_(network.head[-1].weight)
    torch.nn.init.zeros_(network.head[-1].bias)
    torch.testing.assert_close(network(torch.rand(3, 3, 64, 64)), mean.expand(3, -1, -1))


def test_brightness_does_not_matter() -> None:
    torch.manual_seed(0)
    network = LandmarkRegressor().eval()
    picture = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(network(0.7 * picture + 0.3), network(0.7 * picture), atol=1e-4, rtol=0)
    assert float((network(picture) - network(picture.flip(3))).abs().max()) > 1e-3
