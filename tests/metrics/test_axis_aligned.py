"""The 3D NME in CLN's form, each axis stretched onto the truth, beside that after a similarity: where they disagree."""

import pytest
import torch

from facelab.geometry import rotation_matrix
from facelab.metrics import by_pose, nme_3d


def _faces(count: int = 4) -> torch.Tensor:
    """Wider than high, and least in depth, so that the axes differ."""
    points = torch.rand(count, 68, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return points * torch.tensor([120.0, 100.0, 60.0])


def test_a_wrong_scale_of_an_axis_is_forgiven_by_one_and_not_by_the_other() -> None:
    target = _faces()
    predicted = target * torch.tensor([1.0, 1.0, 0.5]) + torch.tensor([3.0, -4.0, 20.0])
    assert float(nme_3d(predicted, target, "axes").max()) < 1e-6
    assert float(nme_3d(predicted, target, "similarity").min()) > 0.03


def test_a_rotation_is_forgiven_by_the_other_and_not_by_the_one() -> None:
    target = _faces()
    predicted = target @ rotation_matrix(0.0, 0.3, 0.1).to(target).T
    assert float(nme_3d(predicted, target, "similarity").max()) < 1e-6
    assert float(nme_3d(predicted, target, "axes").min()) > 0.03


def test_they_order_two_methods_the_other_way_round() -> None:
    """One finds the pose and a flat face, the other the shape and a pose that is off; averaged over pose bins."""
    target, yaw = _faces(), torch.tensor([5.0, -40.0, 70.0, 80.0])
    flat = target * torch.tensor([1.0, 1.0, 0.3])
    turned = target @ rotation_matrix(0.0, 0.2, 0.0).to(target).T
    score = {
        alignment: [by_pose(nme_3d(points, target, alignment), yaw)["mean_of_bins"] for points in (flat, turned)]  # type: ignore[arg-type]
        for alignment in ("axes", "similarity")
    }
    assert score["axes"][0] < 1e-6 < score["axes"][1]
    assert score["similarity"][1] < 1e-6 < score["similarity"][0]


def test_a_mirrored_depth_is_not_forgiven() -> None:
    """The smallest goes to the smallest: an axis is never turned round."""
    target = _faces()
    assert float(nme_3d(target * torch.tensor([1.0, 1.0, -1.0]), target, "axes").min()) > 0.1


def test_the_length_is_that_of_the_true_box() -> None:
    """The cube root of its volume, whatever the size of the prediction."""
    target = torch.tensor([[[0.0, 0, 0], [40, 25, 8], [20, 10, 4]]])
    predicted = 3 * target
    predicted[0, 2, 0] += 3 * 10  # the third point is inside of both boxes, 10 of 40 off once stretched
    assert float(nme_3d(predicted, target, "axes")) == pytest.approx(10 / 3 / (40 * 25 * 8) ** (1 / 3), rel=1e-6)


def test_independent_noise_costs_what_the_noise_is() -> None:
    """An order of magnitude: 3 percent of each extent, which is also stretched back, gives 4 to 7 percent."""
    target = _faces(200)
    extent = target.amax(1, keepdim=True) - target.amin(1, keepdim=True)
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert 0.04 < float(nme_3d(target + 0.03 * extent * noise, target, "axes").mean()) < 0.07
