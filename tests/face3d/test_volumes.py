"""Volumes: what is inside, where the cells lie, and the surface that comes back."""

import sys

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from facelab.face3d import builtin_face, vertex_normals
from facelab.face3d.volumes import iso_surface, voxelize

_CENTRE, _RADIUS = torch.tensor([30.0, 34.0, 5.0]), 20.0  # pixels, in a picture of 64 x 64


def _sphere() -> tuple[Tensor, Tensor]:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=_RADIUS)
    vertices = torch.from_numpy(np.asarray(ball.vertices)).float()
    return (vertices + _CENTRE)[None], torch.from_numpy(np.asarray(ball.faces)).long()


def _distances(places: Tensor) -> Tensor:
    return (places - _CENTRE).norm(dim=-1)


@pytest.mark.parametrize(("size", "depth", "side"), [(64, 64, None), (32, 24, 64)])
def test_cells_of_a_sphere_are_those_within_its_radius(size: int, depth: int, side: float | None) -> None:
    """Cells nearer to the surface than the mesh is to the sphere are left out."""
    points, triangles = _sphere()
    middle = 3.0
    volume = voxelize(points, triangles, size, depth, side, middle)
    edge = 64 / size
    slices, rows, columns = torch.meshgrid(torch.arange(depth), torch.arange(size), torch.arange(size), indexing="ij")
    centres = torch.stack([columns * edge + edge / 2 - 0.5, rows * edge + edge / 2 - 0.5, slices * edge], 3)
    centres[..., 2] += middle - (depth - 1) / 2 * edge
    from_surface = _distances(centres) - _RADIUS
    clear = from_surface.abs() > 0.1
    assert volume.shape == (1, depth, size, size) and volume.dtype == torch.bool
    assert bool((volume[0] == (from_surface < 0))[clear].all()) and int(volume.sum()) > 1000


@pytest.mark.parametrize(("size", "side"), [(64, None), (32, 64)])
def test_sphere_comes_back_within_half_a_cell(size: int, side: float | None) -> None:
    points, triangles = _sphere()
    edge = 64 / size
    vertices, faces = iso_surface(voxelize(points, triangles, size, size, side, 4.0)[0], 0.5, side, 4.0)
    assert float((_distances(vertices) - _RADIUS).abs().max()) < edge / 2
    surface = trimesh.Trimesh(vertices.numpy(), faces.numpy(), process=False)
    assert surface.is_watertight and surface.euler_number == 2
    torch.testing.assert_close(vertices.mean(0), _CENTRE, atol=edge / 4, rtol=0)


def test_triangles_face_outwards_as_those_of_a_face_do() -> None:
    """Pictures have y down, meshes are listed counter-clockwise as they are seen."""
    points, triangles = _sphere()
    vertices, faces = iso_surface(voxelize(points, triangles, 64, 64)[0])
    upward = torch.tensor([1.0, -1.0, 1.0])
    corners = (vertices * upward)[faces]
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert bool(((corners.mean(1) - _CENTRE * upward) * normals).sum(1).gt(0).all())

    face = builtin_face().subset(("face",))
    of_face = vertex_normals(face.mean.T[None], face.triangles)[0]
    assert float((of_face * (face.mean.T - face.mean.mean(1))).sum(1).gt(0).float().mean()) > 0.9


def test_surface_of_soft_values_is_finer_than_cells() -> None:
    grid = torch.stack(torch.meshgrid(*[torch.arange(32.0)] * 3, indexing="ij"), 3)
    logits = 9.3 - (grid - 15.5).norm(dim=3)
    vertices, _ = iso_surface(logits, level=0.0)
    inside = vertices + torch.tensor([0.0, 0.0, 15.5])  # slices lie about z = 0
    assert float(((inside - 15.5).norm(dim=1) - 9.3).abs().max()) < 0.05


def test_surface_is_closed_where_the_volume_ends() -> None:
    vertices, faces = iso_surface(torch.ones(4, 6, 6))
    assert trimesh.Trimesh(vertices.numpy(), faces.numpy(), process=False).is_watertight
    expected = torch.tensor([[-0.5, -0.5, -2.0], [5.5, 5.5, 2.0]])
    torch.testing.assert_close(torch.stack([vertices.amin(0), vertices.amax(0)]), expected)


def test_nothing_inside_gives_an_empty_mesh() -> None:
    vertices, faces = iso_surface(torch.zeros(4, 4, 4, dtype=torch.bool))
    assert vertices.shape == (0, 3) and faces.shape == (0, 3) and faces.dtype == torch.int64


def test_an_open_mesh_is_closed_over_its_rim() -> None:
    """The front half of a sphere is a half ball; each half lies within the whole, and together they are it."""
    points, triangles = _sphere()
    front = (points[0, triangles, 2] >= _CENTRE[2] - 1e-4).all(1)
    whole, near, far = (voxelize(points, part, 64, 64) for part in (triangles, triangles[front], triangles[~front]))
    assert bool((near | far == whole).all())
    assert float(near.sum() / whole.sum()) == pytest.approx(0.5, abs=0.05)
    assert int((near & far).sum()) < 0.05 * int(whole.sum())


def test_faces_of_a_batch_are_apart() -> None:
    points, triangles = _sphere()
    both = voxelize(torch.cat([points, points + 5]), triangles, 64, 64)
    assert torch.equal(both[:1], voxelize(points, triangles, 64, 64))
    assert torch.equal(both[1, 5:, 5:, 5:], both[0, :-5, :-5, :-5])


def test_without_scikit_image_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.measure", None)
    with pytest.raises(ImportError, match=r"iso_surface needs scikit-image: pip install 'facelab\[volumes\]'"):
        iso_surface(torch.ones(2, 2, 2))


def test_bad_input_is_named() -> None:
    points, triangles = _sphere()
    cases = [
        (lambda: voxelize(points[0], triangles, 8, 8), r"points: expected shape \(B, V, 3\)"),
        (lambda: voxelize(points, triangles[0], 8, 8), r"triangles: expected shape \(F, 3\)"),
        (lambda: voxelize(points, triangles, 0, 8), "size: expected a positive number, got 0"),
        (lambda: voxelize(points, triangles, 8, 0), "depth: expected a positive number, got 0"),
        (lambda: voxelize(points, triangles, 8, 8, side=-1.0), "side: expected a positive number, got -1.0"),
        (lambda: iso_surface(torch.ones(2, 3, 4)), r"volume: expected shape \(depth, size, size\), got \(2, 3, 4\)"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
