"""The rasterisers against a plain loop over every pixel and triangle, and against each other."""

import numpy as np
import pytest
import torch
from torch import Tensor

from facelab.geometry import Raster, interpolate, rasterize, rasterizer_torch

BACKENDS = ("numba", "torch")


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


def _random_mesh(
    seed: int, size: float, batch: int = 1, vertices: int = 60, triangles: int = 90
) -> tuple[Tensor, Tensor]:
    """Triangles of all sizes that overlap each other and the border of a picture of ``size`` pixels."""
    generator = torch.Generator().manual_seed(seed)
    points = (1.4 * torch.rand(batch, vertices, 3, generator=generator) - 0.2) * size
    return points, torch.randint(0, vertices, (triangles, 3), generator=generator)


def _head(batch: int) -> tuple[Tensor, Tensor]:
    """Ellipsoids of 2 x 30 x 60 small triangles, of which one half hides the other, at random turns."""
    along, around = torch.meshgrid(torch.linspace(0, torch.pi, 31), torch.linspace(0, 2 * torch.pi, 61), indexing="ij")
    ball = torch.stack([along.sin() * around.cos(), 1.2 * along.cos(), along.sin() * around.sin()], 2).reshape(-1, 3)
    corner = torch.arange(31 * 61).reshape(31, 61)
    a, b, c, d = (part.flatten() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    turns = torch.linalg.qr(torch.randn(batch, 3, 3, generator=torch.Generator().manual_seed(1)))[0]
    return 24 * ball @ turns + 32, torch.cat([torch.stack([a, c, b], 1), torch.stack([b, c, d], 1)])


def _assert_identical(a: Raster, b: Raster) -> None:
    for name, ours, theirs in zip(Raster._fields, a, b, strict=True):
        assert torch.equal(ours, theirs), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_same_as_the_plain_loop(backend: str) -> None:
    generator = torch.Generator().manual_seed(3)
    vertices = torch.rand(14, 3, generator=generator) * torch.tensor([24.0, 20.0, 10.0]) - 2
    triangles = torch.randint(0, 14, (12, 3), generator=generator)
    raster = rasterize(vertices, triangles, 16, 20, backend)
    nearest, depth = _plain(vertices, triangles, 16, 20)
    assert torch.equal(raster.triangle, nearest)
    seen = nearest >= 0
    assert 0.2 < float(seen.float().mean()) < 1.0
    torch.testing.assert_close(raster.depth[seen].double(), depth[seen], atol=1e-4, rtol=0)
    assert bool(torch.isneginf(raster.depth[~seen]).all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_square_of_two_triangles_has_no_hole(backend: str) -> None:
    square = torch.tensor([[0.0, 0, 0], [40, 0, 0], [0, 40, 0], [40, 40, 0]])
    raster = rasterize(square, torch.tensor([[0, 1, 2], [1, 3, 2]]), 60, 60, backend)
    assert int((raster.triangle >= 0).sum()) == 41 * 41


@pytest.mark.parametrize("backend", BACKENDS)
def test_borders_belong_to_a_triangle_in_the_corner_of_the_picture(backend: str) -> None:
    corner = torch.tensor([[0.0, 0, 0], [10, 0, 0], [0, 10, 0]])
    raster = rasterize(corner, torch.tensor([[0, 1, 2]]), 60, 60, backend)
    rows, columns = torch.meshgrid(torch.arange(60), torch.arange(60), indexing="ij")
    assert torch.equal(raster.triangle >= 0, rows + columns <= 10)
    assert int((raster.triangle >= 0).sum()) == 66


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fan_of_thin_triangles_has_no_crack(backend: str) -> None:
    turn = torch.linspace(0, 2 * torch.pi, 98)[:97]
    rim = torch.stack([30.3 + 25 * turn.cos(), 29.7 + 25 * turn.sin(), torch.zeros(97)], 1)
    vertices = torch.cat([rim, torch.tensor([[31.1, 30.2, 0.0]])])
    triangles = torch.stack([torch.arange(97), (torch.arange(97) + 1) % 97, torch.full((97,), 97)], 1)
    raster = rasterize(vertices, triangles, 60, 60, backend)
    rows, columns = torch.meshgrid(torch.arange(60.0), torch.arange(60.0), indexing="ij")
    assert bool((raster.triangle[torch.hypot(columns - 30.3, rows - 29.7) < 24.8] >= 0).all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_nearer_wins_and_at_equal_depth_the_first_listed(backend: str) -> None:
    square = torch.tensor([[0.0, 0], [9, 0], [0, 9], [9, 9]])
    levels = torch.tensor([2.0, 5.0, 5.0, -1.0])  # four squares, two of which tie in front
    vertices = torch.cat([torch.cat([square, z.expand(4, 1)], 1) for z in levels])
    triangles = torch.cat([torch.tensor([[0, 1, 2], [1, 3, 2]]) + 4 * number for number in range(4)])
    seen = rasterize(vertices, triangles, 10, 10, backend)
    assert set(seen.triangle.flatten().tolist()) == {2, 3}
    assert bool((seen.depth == 5).all())
    assert int(seen.triangle.diagonal().max()) == 3
    on_the_edge = seen.triangle.flip(1).diagonal()  # both triangles of the square own it
    assert bool((on_the_edge == 2).all())
    last_first = rasterize(vertices, triangles.flip(0), 10, 10, backend)
    assert set(last_first.triangle.flatten().tolist()) == {2, 3}  # now the faces of the other square


@pytest.mark.parametrize("backend", BACKENDS)
def test_zero_depth_ties_whatever_its_sign(backend: str) -> None:
    square = [[0.0, 0, -0.0], [9, 0, -0.0], [0, 9, -0.0], [0.0, 0, 0], [9, 0, 0], [0, 9, 0]]
    raster = rasterize(torch.tensor(square), torch.tensor([[0, 1, 2], [3, 4, 5]]), 10, 10, backend)
    assert int(raster.triangle.max()) == 0


@pytest.mark.parametrize("size", [7, 40])
@pytest.mark.parametrize("seed", range(4))
def test_backends_agree_to_the_last_bit_on_random_meshes(seed: int, size: int) -> None:
    vertices, triangles = _random_mesh(seed, size, batch=3)
    compiled = rasterize(vertices, triangles, size, size + 5, "numba")
    assert 0.3 < float((compiled.triangle >= 0).float().mean()) <= 1
    _assert_identical(compiled, rasterize(vertices, triangles, size, size + 5, "torch"))


def test_backends_agree_to_the_last_bit_on_a_closed_surface_of_small_triangles() -> None:
    vertices, triangles = _head(batch=4)
    compiled = rasterize(vertices, triangles, 64, 64, "numba")
    assert 1500 < int((compiled.triangle[0] >= 0).sum()) < 2500
    _assert_identical(compiled, rasterize(vertices, triangles, 64, 64, "torch"))


def test_backends_agree_to_the_last_bit_on_planted_ties() -> None:
    vertices, triangles = _random_mesh(5, 20, batch=2)
    vertices = vertices.round()  # corners and edges on pixel centres
    vertices[..., 2] = (vertices[..., 2] / 10).round()  # and few depths
    listed_twice = torch.cat([triangles, triangles.flip(1)])
    compiled = rasterize(vertices, listed_twice, 20, 20, "numba")
    assert int(compiled.triangle.max()) < len(triangles)
    _assert_identical(compiled, rasterize(vertices, listed_twice, 20, 20, "torch"))


def test_bounded_rounds_give_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    vertices, triangles = _random_mesh(6, 30, batch=5)
    whole = rasterize(vertices, triangles, 30, 30, "torch")
    monkeypatch.setattr(rasterizer_torch, "_CANDIDATES", 50)  # fewer than the largest triangle alone has
    monkeypatch.setattr(rasterizer_torch, "_TRIANGLES", 2 * len(triangles))
    _assert_identical(whole, rasterize(vertices, triangles, 30, 30, "torch"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_int32_triangles_and_other_views_are_taken_as_they_are(backend: str) -> None:
    vertices, triangles = _random_mesh(7, 20)
    raster = rasterize(vertices, triangles, 20, 20, backend)
    _assert_identical(raster, rasterize(vertices, triangles.int(), 20, 20, backend))
    _assert_identical(raster, rasterize(vertices.mT.contiguous().mT, triangles.T.contiguous().T, 20, 20, backend))
    _assert_identical(raster, rasterize(vertices.double().requires_grad_(), triangles, 20, 20, backend))
    assert raster.triangle.dtype == torch.int64


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_is_its_faces_and_off_screen_is_empty(backend: str) -> None:
    vertices, triangles = _random_mesh(8, 32, batch=3)
    vertices[2, :, 0] += 1e30
    batch = rasterize(vertices, triangles, 32, 32, backend)
    for face in range(3):
        alone = rasterize(vertices[face], triangles, 32, 32, backend)
        _assert_identical(Raster(*(field[face] for field in batch)), alone)
    assert int(batch.triangle[2].max()) == -1


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_to_draw_is_background(backend: str) -> None:
    none = torch.zeros(0, 3, dtype=torch.int64)
    for vertices, triangles in ((torch.rand(2, 4, 3), none), (torch.rand(2, 4, 3), torch.tensor([[1, 1, 2]]))):
        raster = rasterize(vertices, triangles, 5, 6, backend)
        assert bool((raster.triangle == -1).all()) and raster.triangle.shape == (2, 5, 6)
        assert not raster.barycentric.any()
        assert bool(torch.isneginf(raster.depth).all())
    assert rasterize(torch.rand(0, 4, 3), torch.tensor([[0, 1, 2]]), 5, 6, backend).depth.shape == (0, 5, 6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_rebuild_the_pixel(backend: str) -> None:
    vertices, triangles = _random_mesh(4, 32, batch=2, vertices=30, triangles=20)
    raster = rasterize(vertices, triangles, 32, 32, backend)
    positions = interpolate(raster, triangles, vertices, torch.full((2, 32, 32, 3), torch.nan), backend)
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    seen = raster.triangle >= 0
    torch.testing.assert_close(positions[..., 0][seen], columns.expand(2, -1, -1)[seen], atol=1e-3, rtol=0)
    torch.testing.assert_close(positions[..., 1][seen], rows.expand(2, -1, -1)[seen], atol=1e-3, rtol=0)
    torch.testing.assert_close(positions[..., 2][seen], raster.depth[seen], atol=1e-3, rtol=0)
    assert bool(positions[~seen].isnan().all())
    torch.testing.assert_close(raster.barycentric.sum(3), seen.float())


def test_interpolation_agrees_between_backends_and_leaves_its_background_alone() -> None:
    vertices, triangles = _random_mesh(9, 24, batch=2)
    raster = rasterize(vertices, triangles, 24, 24)
    colours = torch.rand(2, 60, 5, generator=torch.Generator().manual_seed(9))
    behind = torch.full((24, 5), 7.0)  # broadcasts to (2, 24, 24, 5)
    pictures = [interpolate(raster, triangles, colours, behind, backend) for backend in BACKENDS]
    torch.testing.assert_close(pictures[0], pictures[1], atol=1e-6, rtol=0)
    assert bool((pictures[0][raster.triangle < 0] == 7).all()) and bool((behind == 7).all())


def test_interpolation_carries_the_gradient_of_the_attributes() -> None:
    vertices, triangles = _random_mesh(10, 12, vertices=9, triangles=6)
    raster = rasterize(vertices, triangles, 12, 12)
    colours = torch.rand(1, 9, 2, dtype=torch.float32, requires_grad=True)
    interpolate(raster, triangles, colours, torch.zeros(())).sum().backward()
    assert colours.grad is not None
    expected = torch.zeros(9)
    seen = raster.triangle >= 0
    expected.index_add_(0, triangles[raster.triangle[seen]].flatten(), raster.barycentric[seen].flatten())
    torch.testing.assert_close(colours.grad[0], expected[:, None].expand(9, 2))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("vertices", "triangles", "message"),
    [
        (torch.zeros(4, 2), torch.zeros(1, 3, dtype=torch.int64), "vertices: expected shape"),
        (torch.zeros(0, 3), torch.zeros(1, 3, dtype=torch.int64), "vertices: expected shape"),
        (torch.zeros(4, 3), torch.zeros(1, 3), "triangles: expected int64"),
        (torch.zeros(4, 3), torch.tensor([[0, 1, 4]]), "triangles: expected indices from 0 to 3"),
        (torch.zeros(2, 4, 3), torch.tensor([[0, 1, -1]]), "triangles: expected indices from 0 to 3"),
        (torch.full((4, 3), torch.nan), torch.tensor([[0, 1, 2]]), "finite"),
        (torch.tensor([[0.0, 0, 0], [0, 0, torch.inf]]), torch.tensor([[0, 0, 0]]), "finite"),
    ],
)
def test_bad_meshes_are_named(vertices: Tensor, triangles: Tensor, message: str, backend: str) -> None:
    with pytest.raises(ValueError, match=message):
        rasterize(vertices, triangles, 8, 8, backend)


def test_other_bad_input_is_named() -> None:
    vertices, triangles = _random_mesh(11, 8)
    with pytest.raises(ValueError, match="picture size: expected positive"):
        rasterize(vertices, triangles, 0, 8)
    with pytest.raises(ValueError, match="backend: expected one of numba, torch"):
        rasterize(vertices, triangles, 8, 8, "opengl")
    raster = rasterize(vertices, triangles, 8, 8)
    with pytest.raises(ValueError, match=r"background: expected shape \(1, 8, 8, 3\)"):
        interpolate(raster, triangles, vertices, torch.zeros(1, 8, 8, 2))
    for few, listed in ((vertices[:, :30], triangles), (vertices, triangles[:10])):
        with pytest.raises(ValueError, match="attributes: expected those of the mesh"):
            interpolate(raster, listed, few, torch.zeros(()))
    with pytest.raises(ValueError, match="attributes: expected shape"):
        interpolate(raster, triangles, vertices.expand(2, -1, -1), torch.zeros(1, 8, 8, 3))


def test_the_sign_of_a_wrong_index_does_not_read_other_memory() -> None:
    vertices = torch.rand(2, 4, 3)
    for wrong in (np.iinfo(np.int64).min, -(2**40), 2**40, np.iinfo(np.int64).max):
        with pytest.raises(ValueError, match="triangles: expected indices"):
            rasterize(vertices, torch.tensor([[0, 1, wrong]]), 4, 4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_the_picture_of_the_cpu() -> None:
    for vertices, triangles in (_random_mesh(12, 64, batch=3), _head(batch=3)):
        compiled = rasterize(vertices, triangles, 64, 64)
        on_card = rasterize(vertices.cuda(), triangles.cuda(), 64, 64)
        assert on_card.triangle.is_cuda
        _assert_identical(compiled, Raster(*(field.cpu() for field in on_card)))
        picture = interpolate(on_card, triangles.cuda(), vertices.cuda(), torch.zeros((), device="cuda"))
        expected = interpolate(compiled, triangles, vertices, torch.zeros(()))
        torch.testing.assert_close(picture.cpu(), expected, atol=1e-4, rtol=0)
