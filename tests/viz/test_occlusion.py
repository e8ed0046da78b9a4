"""Occlusion: an answer that reads one pixel is touched where that pixel is covered, and nowhere else."""

import pytest
import torch
from torch import Tensor

from facelab import viz

IMAGES = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(0)) * 0.4


def read(images: Tensor) -> Tensor:
    """Two numbers: the first channel at row 4, column 7, and one that looks at nothing."""
    return torch.stack([images[:, 0, 4, 7], images.new_ones(len(images))], 1)


def test_only_the_pixel_that_is_read_matters() -> None:
    found = viz.occlusion_sensitivity(read, IMAGES, square=1)
    assert found.shape == (2, 2, 12, 12)
    torch.testing.assert_close(found[:, 0, 4, 7], 0.5 - IMAGES[:, 0, 4, 7])
    assert int((found > 0).sum()) == 2


def test_a_square_covers_what_lies_around_the_middle_of_its_cell() -> None:
    touched = viz.occlusion_sensitivity(read, IMAGES, square=4, stride=2)[0, 0].nonzero()
    assert touched.tolist() == [[row, column] for row in (1, 2) for column in (3, 4)]


def test_squares_at_the_edge_are_cut_off() -> None:
    found = viz.occlusion_sensitivity(lambda images: images[:, 0, 0, :1], IMAGES, square=4, stride=2)
    assert found[0, 0].nonzero().tolist() == [[0, 0]]


def test_the_pictures_stay_as_they_are() -> None:
    before = IMAGES.clone()
    viz.occlusion_sensitivity(read, IMAGES, square=3, stride=3)
    assert torch.equal(IMAGES, before)


def test_share_near_a_landmark() -> None:
    sensitivity = torch.ones(1, 2, 6, 6)
    sensitivity[0, 1] = 0
    points = torch.tensor([[[2.5, 6.5], [2.5, 6.5]]])  # the middle of the cell (3, 1)
    near = viz.share_near(sensitivity, points, radius=2.0, stride=2)
    torch.testing.assert_close(near, torch.tensor([[5 / 36, 0.0]]))


@pytest.mark.parametrize(("square", "stride"), [(0, 1), (13, 1), (2, 0)])
def test_what_does_not_fit_is_refused(square: int, stride: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 12"):
        viz.occlusion_sensitivity(read, IMAGES, square, stride)
