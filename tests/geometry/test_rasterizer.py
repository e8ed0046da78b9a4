"""The rasteriser against a plain loop over every pixel and triangle."""

import pytest
import torch
from torch import Tensor

from facelab.geometry import interpolate, rasterize


def _plain(vertices: Tensor, triangles: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Solves for the barycentric weights of every pixel in every triangle, in float64."""
    nearest, depth = torch.full((height, width), -1), torch.full((height, width), -torch.inf, dtype=torch.float64)
    for index, triangle in enumerate(triangles):
        corners = vertices[triangle].double()
        system = torch.cat([corners[:, :2].T, torch.ones(1, 3, dtype=torch.float64)])
        if abs(float(torch.det(system))) < 1e-12:
            continue
        for y in range(height):
            for x in range(width):
                weights = torch.linalg.solve(system, torch.tensor([x, y, 1.0], dtype=torch.float64))
                z = weights @ corners[:, 2]
                if bool((weights >= -1e-9).all()) and float(z) > float(depth[y, x]) + 1e-9:
                    nearest[y, x], depth[y, x] = index, z
    return nearest, depth


def test_same_as_the_plain_loop() -> None:
    generator = torch.Generator().manual_seed(3)
    vertices = torch.rand(14, 3, generator=generator) * torch.tensor([24.0, 20.0, 10.0]) - 2
    triangles = torch.randint(0, 14, (12, 3), generator=generator)
    raster = rasterize(vertices, triangles, 16, 20)
    nearest, depth = _plain(vertices, triangles, 16, 20)
    assert torch.equal(raster.triangle, nearest)
    seen = nearest >= 0
    assert 0.2 < float(seen.float().mean()) < 1.0
    torch.testing.assert_close(raster.depth[seen].double(), depth[seen], atol=1e-4, rtol=0)
    assert bool(torch.isneginf(raster.depth[~seen]).all())


def test_a_square_of_two_triangles_has_no_hole() -> None:
    square = torch.tensor([[0.0, 0, 0], [40, 0, 0], [0, 40, 0], [40, 40, 0]])
    raster = rasterize(square, torch.tensor([[0, 1, 2], [1, 3, 2]]), 60, 60)
    assert int((raster.triangle >= 0).sum()) == 41 * 41


def test_a_fan_of_thin_triangles_has_no_crack() -> None:
    turn = torch.linspace(0, 2 * torch.pi, 98)[:97]
    rim = torch.stack([30.3 + 25 * turn.cos(), 29.7 + 25 * turn.sin(), torch.zeros(97)], 1)
    vertices = torch.cat([rim, torch.tensor([[31.1, 30.2, 0.0]])])
    triangles = torch.stack([torch.arange(97), (torch.arange(97) + 1) % 97, torch.full((97,), 97)], 1)
    raster = rasterize(vertices, triangles, 60, 60)
    rows, columns = torch.meshgrid(torch.arange(60.0), torch.arange(60.0), indexing="ij")
    assert bool((raster.triangle[torch.hypot(columns - 30.3, rows - 29.7) < 24.8] >= 0).all())


def test_weights_rebuild_the_pixel() -> None:
    vertices = torch.rand(2, 30, 3, generator=torch.Generator().manual_seed(4)) * 32
    triangles = torch.randint(0, 30, (20, 3), generator=torch.Generator().manual_seed(5))
    raster = rasterize(vertices, triangles, 32, 32)
    positions = interpolate(raster, triangles, vertices, torch.full((2, 32, 32, 3), torch.nan))
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    seen = raster.triangle >= 0
    torch.testing.assert_close(positions[..., 0][seen], columns.expand(2, -1, -1)[seen], atol=1e-3, rtol=0)
    torch.testing.assert_close(positions[..., 1][seen], rows.expand(2, -1, -1)[seen], atol=1e-3, rtol=0)
    torch.testing.assert_close(positions[..., 2][seen], raster.depth[seen], atol=1e-3, rtol=0)
    assert bool(positions[~seen].isnan().all())


def test_a_batch_is_its_faces_and_off_screen_is_empty() -> None:
    vertices = torch.rand(3, 30, 3, generator=torch.Generator().manual_seed(6)) * 32
    vertices[2] += 100
    triangles = torch.randint(0, 30, (20, 3), generator=torch.Generator().manual_seed(7))
    batch = rasterize(vertices, triangles, 32, 32)
    for face in range(3):
        assert torch.equal(batch.triangle[face], rasterize(vertices[face], triangles, 32, 32).triangle)
    assert int(batch.triangle[2].max()) == -1


@pytest.mark.parametrize(
    ("vertices", "triangles", "message"),
    [
        (torch.zeros(4, 2), torch.zeros(1, 3, dtype=torch.int64), "vertices: expected shape"),
        (torch.zeros(4, 3), torch.zeros(1, 3), "triangles: expected int64"),
        (torch.zeros(4, 3), torch.tensor([[0, 1, 4]]), "triangles: expected indices from 0 to 3"),
        (torch.full((4, 3), torch.nan), torch.tensor([[0, 1, 2]]), "finite"),
    ],
)
def test_bad_meshes_are_named(vertices: Tensor, triangles: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rasterize(vertices, triangles, 8, 8)
