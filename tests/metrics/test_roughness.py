"""Roughness of surfaces: smooth ones, known noise, and what must not matter."""

import math

import pytest
import torch
from torch import Tensor

from facelab.geometry import rasterize
from facelab.metrics import bending, high_frequency_energy

COUNT = 21  # vertices a side of a patch


def patch(count: int = COUNT) -> tuple[Tensor, Tensor]:
    """A flat grid ``(V, 3)`` with one unit between neighbours, and its triangles, all cut along one diagonal."""
    y, x = torch.meshgrid(*[torch.arange(float(count))] * 2, indexing="ij")
    corner = torch.arange(count * count).reshape(count, count)
    a, b, c, d = (part.flatten() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    return torch.stack([x, y, 0 * x], 2).flatten(0, 1), torch.cat(
        [torch.stack([a, b, d], 1), torch.stack([a, d, c], 1)]
    )


def checkers(points: Tensor, amplitude: float) -> Tensor:
    sign = 1 - 2 * ((points[:, 0] + points[:, 1]).long() % 2)
    return torch.stack([points[:, 0], points[:, 1], points[:, 2] + amplitude * sign], 1)


def test_a_tilted_plane_does_not_bend_however_its_vertices_lie() -> None:
    points, triangles = patch()
    moved = points[:, :2] + 0.3 * torch.rand(len(points), 2, generator=torch.Generator().manual_seed(0))
    plane = torch.cat([moved, 0.4 * moved[:, :1] - 1.3 * moved[:, 1:]], 1)
    assert float(bending(plane[None], triangles)) < 1e-7


def test_bending_of_a_checkerboard_by_hand() -> None:
    """Of the six neighbours four lie 2 a lower and two beside: their mean is 4/3 a away. The normal points up."""
    points, triangles = patch()
    found = bending(checkers(points, 0.25)[None], triangles)
    assert float(found) == pytest.approx(4 / 3 * 0.25 / (COUNT - 1))


def test_bending_of_a_cylinder_by_hand() -> None:
    """z = -x^2 / 2R: of the six neighbours two lie beside in x, two in both, all 1 / 2R lower along z."""
    points, triangles = patch()
    radius = 500.0
    shape = torch.cat([points[:, :2], -(points[:, :1] - 10).square() / (2 * radius)], 1)
    assert float(bending(shape[None], triangles)) == pytest.approx(4 / 6 / (2 * radius) / (COUNT - 1), rel=1e-3)


def test_bending_knows_no_size_place_or_other_face() -> None:
    points, triangles = patch()
    rough = checkers(points, 0.1)
    batch = torch.stack([rough, 7 * rough - torch.tensor([100.0, 3, 50]), checkers(points, 0.2)])
    found = bending(batch, triangles)
    assert float(found[1]) == pytest.approx(float(found[0]), rel=1e-5)
    assert float(found[2]) == pytest.approx(2 * float(found[0]), rel=1e-5)


def test_the_border_does_not_count() -> None:
    points, triangles = patch()
    border = (points[:, :2] == 0).any(1) | (points[:, :2] == COUNT - 1).any(1)
    # vertices next to the border see it, so it is moved within the plane
    frayed = torch.where(border[:, None], points + torch.tensor([0.0, 0.3, 0.0]), points)
    assert float(bending(frayed[None], triangles)) < 1e-9
    alone = torch.cat([frayed, torch.tensor([[5.0, 5.0, 99.0]])])  # of no triangle
    assert float(bending(alone[None], triangles)) < 1e-9


def test_bad_meshes_are_named() -> None:
    points, triangles = patch()
    with pytest.raises(ValueError, match=r"vertices: expected shape \(B, V, 3\)"):
        bending(points, triangles)
    with pytest.raises(ValueError, match="triangles: expected int64"):
        bending(points[None], triangles.int())
    with pytest.raises(ValueError, match=f"triangles: expected indices from 0 to {COUNT**2 - 1}"):
        bending(points[None], triangles + 1)
    with pytest.raises(ValueError, match="at least one vertex inside"):
        bending(points[None], triangles[:1])
    with pytest.raises(ValueError, match="infinity in face 1"):
        bending(torch.stack([points, points / 0]), triangles)
    with pytest.raises(ValueError, match="expected a positive length"):
        bending(torch.zeros_like(points)[None], triangles)


def grid(side: int) -> tuple[Tensor, Tensor]:
    y, x = torch.meshgrid(*[torch.arange(float(side))] * 2, indexing="ij")
    return x, y


def disc(side: int) -> Tensor:
    x, y = grid(side)
    middle = (side - 1) / 2
    return ((x - middle).square() + (y - middle).square() < (0.4 * side) ** 2)[None, None]


def test_a_slope_has_no_high_frequencies() -> None:
    x, y = grid(64)
    slope = (0.7 * x - 0.2 * y + 1000).double()[None, None]
    assert float(high_frequency_energy(slope, disc(64))) < 1e-6


def test_a_checkerboard_has_its_amplitude() -> None:
    """The Gaussian takes all of it away, and the square of +-a is a^2."""
    x, y = grid(64)
    board = (0.25 * (1 - 2 * ((x + y) % 2)) + 0.5 * x)[None, None]
    box = int(disc(64)[0, 0].any(0).sum())
    assert float(high_frequency_energy(board, disc(64), sigma=2.0)) == pytest.approx(0.25 / box, rel=1e-3)


def test_a_ball_has_what_its_curvature_gives() -> None:
    side, radius, sigma = 96, 200.0, 2.0
    x, y = grid(side)
    ball = (radius**2 - (x - 47.5).square() - (y - 47.5).square()).sqrt()[None, None]
    box = int(disc(side)[0, 0].any(0).sum())
    found = float(high_frequency_energy(ball, disc(side), sigma=sigma))
    assert found == pytest.approx(sigma**2 / radius / box, rel=0.05)


def test_the_size_of_the_picture_and_the_place_do_not_matter() -> None:
    def waves(side: int) -> Tensor:
        x, y = grid(side)
        return (0.01 * side * (x * 30 / side).sin() * (y * 25 / side).cos())[None, None]

    small = float(high_frequency_energy(waves(128), disc(128), sigma=3.0))
    large = float(high_frequency_energy(waves(256), disc(256), sigma=6.0))
    assert small == pytest.approx(large, rel=0.05)
    depth, mask = pad_by(waves(128), 9.0), pad_by(disc(128).float(), 0.0) > 0
    assert float(high_frequency_energy(depth + 40, mask, sigma=3.0)) == pytest.approx(small, rel=1e-6)


def pad_by(picture: Tensor, value: float) -> Tensor:
    return torch.nn.functional.pad(picture, (13, 4, 7, 2), value=value)


def test_outside_the_mask_and_jumps_do_not_count() -> None:
    x, _ = grid(64)
    step = (20.0 * (x > 30))[None, None]
    outside = torch.where(disc(64), step, -math.inf)
    assert float(high_frequency_energy(outside, disc(64))) < 1e-9
    assert float(high_frequency_energy(outside, disc(64), jump=10.0)) > 0.01


def test_a_drawn_mesh_is_as_rough_as_it_was_made() -> None:
    """Vertices three pixels apart: the picture sees the noise, somewhat less than at the vertices themselves."""
    points, triangles = patch(31)
    place = torch.tensor([3.0, 3.0, 1.0])
    found = []
    for amplitude in (0.0, 0.5, 1.0):
        raster = rasterize((checkers(points, amplitude) * place)[None] + 2, triangles, 96, 96)
        found.append(float(high_frequency_energy(raster.depth[:, None], raster.triangle[:, None] >= 0, sigma=3.0)))
    assert found[0] < 1e-6 and found[2] == pytest.approx(2 * found[1], rel=0.05)
    assert 0.3 / 91 < found[2] < 1 / 91


def test_bad_pictures_are_named() -> None:
    depth = torch.zeros(2, 1, 32, 32)
    mask = torch.ones(2, 1, 32, 32, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"depth: expected shape \(B, 1, H, W\)"):
        high_frequency_energy(depth[:, 0], mask[:, 0])
    with pytest.raises(ValueError, match=r"mask: expected bool of shape \(2, 1, 32, 32\)"):
        high_frequency_energy(depth, mask.float())
    with pytest.raises(ValueError, match="sigma, jump: expected positive"):
        high_frequency_energy(depth, mask, sigma=0)
    with pytest.raises(ValueError, match="no pixel of face 1 is 5 pixels away"):
        high_frequency_energy(depth, mask & torch.tensor([True, False])[:, None, None, None])
    with pytest.raises(ValueError, match="infinity in face 1"):
        high_frequency_energy(depth + torch.tensor([0, math.nan])[:, None, None, None], mask)
