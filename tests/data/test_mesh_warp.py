"""Pictures bent by a mesh: what is painted on a face goes where the face goes."""

import pytest
import torch
from torch import Tensor

from facelab.data.mesh_warp import mesh_warp
from facelab.data.short_video import WARPED
from facelab.face3d import MorphableModel, builtin_face
from facelab.geometry import Affine, WeakPerspective, rasterize, rotation_matrix

SIZE = 120
MARKED = [30, 33, 36, 39, 42, 45, 48, 54]  # tip and foot of the nose, corners of eyes and mouth


@pytest.fixture(scope="module")
def mesh() -> MorphableModel:
    return builtin_face().subset(WARPED)


def pixels_of(mesh: MorphableModel, pitch: float, yaw: float, count: int = 1, scale: float = 3.5) -> Tensor:
    """The mean face in that pose, ``(count, V, 3)`` pixels."""
    rotation = rotation_matrix(*torch.deg2rad(torch.tensor([pitch, yaw, 0.0]))).expand(count, 3, 3)
    camera = WeakPerspective(torch.full((count,), scale), rotation, torch.full((count, 2), SIZE / 2 - 10))
    return camera.project(mesh.vertices().expand(count, -1, -1))


def dots_at(points: Tensor) -> Tensor:
    """``(N, 3, SIZE, SIZE)``: a soft dot at each of the points ``(N, 2)``."""
    axis = torch.arange(SIZE, dtype=torch.float32)
    squares = (axis[None, None] - points[:, :1, None]) ** 2 + (axis[None, :, None] - points[:, 1:, None]) ** 2
    return torch.exp(-squares / (2 * 1.5**2))[:, None].repeat(1, 3, 1, 1)


def middles_of(images: Tensor) -> Tensor:
    """Centres of brightness, ``(N, 2)``."""
    axis, weight = torch.arange(SIZE, dtype=torch.float32), images[:, 0] / images[:, 0].sum((1, 2))[:, None, None]
    return torch.stack([(weight.sum(1) * axis).sum(1), (weight.sum(2) * axis).sum(1)], 1)


def plane(count: int) -> Affine:
    return Affine.about(
        torch.full((count, 2), 60.0),
        torch.full((count,), 0.1),
        torch.full((count,), 1.1),
        torch.tensor([[3.0, -2.0]]).expand(count, -1),
        torch.zeros(count, dtype=torch.bool),
    )


def test_what_is_painted_on_the_mesh_goes_where_the_mesh_goes(mesh: MorphableModel) -> None:
    count = len(MARKED)
    still, turned, affine = pixels_of(mesh, 0, 15), pixels_of(mesh, -6, 25), plane(1)
    moved = affine.apply(turned)
    painted = dots_at(mesh.landmarks_of(still)[0, MARKED, :2])
    maps = Affine(affine.matrix.expand(count, -1, -1))
    images = mesh_warp(painted, still.expand(count, -1, -1), moved.expand(count, -1, -1), mesh.triangles, maps)
    wanted = mesh.landmarks_of(moved)[0, MARKED, :2]
    assert (middles_of(images) - wanted).norm(dim=1).mean() < 0.5
    in_plane = middles_of(maps.warp(painted, SIZE, SIZE))
    assert (in_plane - wanted).norm(dim=1).mean() > 2  # so that the bending is what brings them there


def test_a_mesh_that_only_follows_the_plane_changes_nothing_more(mesh: MorphableModel) -> None:
    images = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    still, affine = pixels_of(mesh, 10, 40, count=2), plane(2)
    bent = mesh_warp(images, still, affine.apply(still), mesh.triangles, affine)
    assert (bent - affine.warp(images, SIZE, SIZE)).abs().max() < 1e-3


def test_displacements_join_at_the_outline_and_fade_away(mesh: MorphableModel) -> None:
    """A picture whose colours are its coordinates shows where each pixel came from."""
    ramp = torch.linspace(0, 1, SIZE).expand(1, 3, SIZE, SIZE)
    still, identity = pixels_of(mesh, 0, 0, scale=2), Affine(torch.eye(2, 3)[None])
    moved = still + torch.tensor([4.0, 0.0, 0.0])
    came = (mesh_warp(ramp, still, moved, mesh.triangles, identity) - ramp)[0, 0] * (SIZE - 1)
    on = rasterize(moved, mesh.triangles, SIZE, SIZE).triangle[0] >= 0
    assert (came[on] + 4).abs().mean() < 0.05
    assert came.diff(dim=1)[on[:, 1:] != on[:, :-1]].abs().mean() < 0.4  # a seam would be 4
    assert came[:, -8:].abs().max() < 0.4


def test_one_still_may_serve_several_frames(mesh: MorphableModel) -> None:
    images = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    still = torch.cat([pixels_of(mesh, 0, 10), pixels_of(mesh, 5, -30)])
    moved = torch.cat([pixels_of(mesh, 0, 14), pixels_of(mesh, 5, -25)])
    identity = Affine(torch.eye(2, 3).repeat(2, 1, 1))
    swapped = torch.tensor([1, 0])
    direct = mesh_warp(images, still, moved, mesh.triangles, identity)
    by_number = mesh_warp(images.flip(0), still.flip(0), moved, mesh.triangles, identity, swapped)
    assert torch.equal(direct, by_number)
