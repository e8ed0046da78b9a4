"""Depth, normal, PNCC and position maps: each against what it must mean, on the built-in face."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facelab.face3d import MorphableModel, builtin_face
from facelab.face3d.maps import PositionMaps, depth_map, normal_map, normalized_coordinates, pncc_map
from facelab.geometry import Raster, WeakPerspective, rasterize, rotation_matrix

SIZE = 96
SKIN = ("face", "lips", "scalp", "neck")


@pytest.fixture(scope="module")
def face() -> MorphableModel:
    return builtin_face()


def _seen(face: MorphableModel, yaws: list[float]) -> tuple[Raster, Tensor, WeakPerspective]:
    """Raster and projected vertices of mean faces at these yaws."""
    rotation = torch.cat([rotation_matrix(0.0, yaw, 0.0).reshape(1, 3, 3) for yaw in yaws])
    extent = float((face.mean.amax(1) - face.mean.amin(1)).max())
    scale = torch.full((len(yaws),), 0.8 * SIZE / extent)
    camera = WeakPerspective(scale, rotation, torch.full((len(yaws), 2), SIZE / 2))
    points = camera.project(face.vertices().expand(len(yaws), -1, -1))
    return rasterize(points, face.triangles, SIZE, SIZE), points, camera


def _ball(count: int = 40) -> tuple[Tensor, Tensor]:
    """The near half of a ball of radius 30 px in the middle of the picture, as a grid of count x count vertices."""
    steps = torch.linspace(-0.7, 0.7, count)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    points = torch.stack([x, y, (1 - x * x - y * y).sqrt()], 2).reshape(1, -1, 3)
    corner = torch.arange(count * count).reshape(count, count)
    a, b, c, d = (part.flatten() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    triangles = torch.cat([torch.stack([a, c, b], 1), torch.stack([b, c, d], 1)])  # counter-clockwise, seen with y up
    return 30 * points + torch.tensor([SIZE / 2, SIZE / 2, 0.0]), triangles


def _model_of(face: MorphableModel, points: Tensor, triangles: Tensor) -> MorphableModel:
    """A model without modes whose vertices are ``points`` (V, 3) in pixels."""
    count = len(points)
    uv = (points[:, :2] - points[:, :2].amin(0)) / (points[:, :2].amax(0) - points[:, :2].amin(0))
    empty = torch.zeros(0, 3, count)
    return replace(
        face, name="patch", mean=points.T.contiguous(), identity=empty, expression=empty, identity_std=torch.zeros(0),
        expression_std=torch.zeros(0), expression_range=torch.zeros(0, 2), expression_names=(), style=empty,
        style_names=(), triangles=triangles, uv=uv, region=torch.zeros(count, dtype=torch.int64),
        region_names=("skin",), landmarks=torch.zeros(68, dtype=torch.int64), masks={},
    )  # fmt: skip


def test_depth_map_runs_from_the_farthest_vertex_to_the_nearest(face: MorphableModel) -> None:
    raster, points, _ = _seen(face, [0.0, 0.8])
    depth = depth_map(raster, points)
    assert depth.shape == (2, 1, SIZE, SIZE)
    seen = raster.triangle[:, None] >= 0
    assert not depth[~seen].any()
    low, high = points[..., 2].amin(1)[:, None, None, None], points[..., 2].amax(1)[:, None, None, None]
    torch.testing.assert_close((low + depth * (high - low))[seen], raster.depth[:, None][seen], atol=1e-3, rtol=0)
    nose = points[0, face.landmarks[30]]
    assert float(depth[0, 0, int(nose[1].round()), int(nose[0].round())]) > 0.95


def test_normal_map_of_a_ball_points_away_from_its_centre(face: MorphableModel) -> None:
    points, triangles = _ball()
    raster = rasterize(points, triangles, SIZE, SIZE)
    normals = normal_map(raster, points, _model_of(face, points[0], triangles))[0]
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    x, y = (columns - SIZE / 2) / 30, -(rows - SIZE / 2) / 30
    inner = (x.abs() < 0.6) & (y.abs() < 0.6)  # at the rim of the patch there are triangles on one side only
    expected = torch.stack([x, y, (1 - x * x - y * y).clamp(min=0).sqrt()])
    torch.testing.assert_close(normals[:, inner], expected[:, inner], atol=0.02, rtol=0)
    assert not normals[:, raster.triangle[0] < 0].any()


def test_normalized_coordinates_fill_the_unit_cube(face: MorphableModel) -> None:
    codes = normalized_coordinates(face)
    assert torch.equal(codes.amin(0), torch.zeros(3)) and torch.equal(codes.amax(0), torch.ones(3))
    low, high = face.mean.amin(1), face.mean.amax(1)
    torch.testing.assert_close(low + codes * (high - low), face.mean.T, atol=1e-4, rtol=0)
    points, triangles = _ball()
    with pytest.raises(ValueError, match="patch is flat"):
        normalized_coordinates(_model_of(face, points[0] * torch.tensor([1.0, 1, 0]), triangles))


def test_pncc_tells_where_on_the_mean_face_a_pixel_is(face: MorphableModel) -> None:
    """The code of a pixel, taken back to model space and projected, is the pixel again: whatever the pose."""
    raster, _, camera = _seen(face, [0.0, 0.6, -1.2])
    code = pncc_map(raster, face)
    assert code.shape == (3, 3, SIZE, SIZE) and float(code.min()) >= 0 and float(code.max()) <= 1
    low, high = face.mean.amin(1), face.mean.amax(1)
    found = camera.project((low + code.permute(0, 2, 3, 1) * (high - low)).flatten(1, 2)).unflatten(1, (SIZE, SIZE))
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    seen = raster.triangle >= 0
    torch.testing.assert_close(found[..., 0][seen], columns.expand(3, -1, -1)[seen].float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(found[..., 1][seen], rows.expand(3, -1, -1)[seen].float(), atol=1e-3, rtol=0)
    assert not code.permute(0, 2, 3, 1)[~seen].any()


def test_position_map_of_a_plane_is_exact_both_ways(face: MorphableModel) -> None:
    points, triangles = _ball()
    model = _model_of(face, points[0], triangles)
    maps = PositionMaps(model, 33)
    assert bool(maps.mask.all())
    plane = torch.cat([3 * model.uv, -model.uv[:, :1]], 1)[None]  # affine in (u, v): bilinear sampling loses nothing
    encoded = maps.encode(plane)
    u = torch.linspace(0, 1, 33).expand(33, 33)
    v = 1 - u.T
    torch.testing.assert_close(encoded[0], torch.stack([3 * u, 3 * v, -u]), atol=1e-4, rtol=0)
    torch.testing.assert_close(maps.decode(encoded), plane, atol=1e-4, rtol=0)


def test_position_map_keeps_neighbouring_pieces_apart(face: MorphableModel) -> None:
    """Two patches that touch in the layout and lie far from each other in space: no vertex takes from the other."""
    points, triangles = _ball(11)
    both = torch.cat([points[0], points[0] + torch.tensor([1000.0, 0, 0])])
    model = _model_of(face, both, torch.cat([triangles, triangles + points.shape[1]]))
    flat = _model_of(face, points[0], triangles).uv * torch.tensor([0.5, 1.0])
    model = replace(model, uv=torch.cat([flat, flat + torch.tensor([0.5, 0.0])]))
    maps = PositionMaps(model, 48)
    error = (maps.decode(maps.encode(both[None])) - both).norm(dim=2)
    assert float(error.max()) < 2 * 42 / 24  # two texels of a patch 42 px wide


# Mean distance between a vertex and its sample, as a share of the extent: it falls with the texel.
@pytest.mark.parametrize(("size", "limit"), [(64, 3e-3), (128, 8e-4), (256, 3e-4)])
def test_position_map_gives_the_skin_back(face: MorphableModel, size: int, limit: float) -> None:
    vertices = face.vertices(*face.sample(4, torch.Generator().manual_seed(3)))
    maps = PositionMaps(face, size, SKIN)
    encoded = maps.encode(vertices)
    assert encoded.shape == (4, 3, size, size)
    assert not encoded[:, :, ~maps.mask].any()
    error = (maps.decode(encoded) - vertices[:, maps.vertices]).norm(dim=2)
    assert float((error / (vertices.amax(1) - vertices.amin(1)).amax(1, keepdim=True)).mean()) < limit


def test_position_map_of_some_regions(face: MorphableModel) -> None:
    maps, whole = PositionMaps(face, 128, ("face", "lips")), PositionMaps(face, 128)
    assert 0 < int(maps.mask.sum()) < int(whole.mask.sum())
    assert bool(whole.mask[maps.mask].all())
    assert {face.region_names[int(region)] for region in face.region[maps.vertices]} == {"face", "lips"}
    vertices = face.vertices()
    assert torch.equal(maps.encode(vertices)[:, :, maps.mask], whole.encode(vertices)[:, :, maps.mask])
    error = (maps.decode(maps.encode(vertices)) - vertices[:, maps.vertices]).norm(dim=2)
    assert float(error.mean()) < 2e-3 * float(vertices.amax() - vertices.amin())


def test_decoding_carries_the_gradient(face: MorphableModel) -> None:
    maps = PositionMaps(face, 32, ("face",))
    texels = torch.zeros(1, 3, 32, 32, requires_grad=True)
    maps.decode(texels).sum().backward()
    assert texels.grad is not None
    torch.testing.assert_close(texels.grad.sum(), torch.tensor(3.0 * len(maps.vertices)), rtol=1e-5, atol=0)
    assert not texels.grad[:, :, ~maps.mask].any()  # no texel outside the mask has a say


def test_bad_input_is_named(face: MorphableModel) -> None:
    with pytest.raises(ValueError, match=r"regions: expected some of face.*got nose"):
        PositionMaps(face, 32, ("face", "nose"))
    with pytest.raises(ValueError, match="size: expected at least 2"):
        PositionMaps(face, 1)
    with pytest.raises(ValueError, match="cover no texel"):
        PositionMaps(replace(face, uv=torch.zeros_like(face.uv)), 32)
    with pytest.raises(ValueError, match=r"maps: expected shape \(B, 3, 32, 32\)"):
        PositionMaps(face, 32).decode(torch.zeros(1, 3, 16, 16))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_the_maps_of_the_cpu(face: MorphableModel) -> None:
    raster, points, _ = _seen(face, [0.0, 0.6])
    card = face.to("cuda")
    there = rasterize(points.cuda(), card.triangles, SIZE, SIZE)
    torch.testing.assert_close(pncc_map(there, card).cpu(), pncc_map(raster, face), atol=1e-5, rtol=0)
    torch.testing.assert_close(depth_map(there, points.cuda()).cpu(), depth_map(raster, points), atol=1e-5, rtol=0)
    vertices = face.vertices()
    on_card, here = PositionMaps(card, 64), PositionMaps(face, 64)
    torch.testing.assert_close(on_card.encode(vertices.cuda()).cpu(), here.encode(vertices), atol=1e-4, rtol=0)
